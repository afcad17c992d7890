// Answers the cases of draw.py (the form is described there) with Flume's own classes, one JVM for all of them.
//
//   java -cp FLUME FlumeDraws.java DIRECTORY <cases >answers    files of the cases are made and removed below DIRECTORY

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.File;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.io.UnsupportedEncodingException;
import java.lang.management.ManagementFactory;
import java.lang.reflect.Proxy;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Instant;
import java.time.ZoneId;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TimeZone;
import java.util.TreeMap;
import java.util.stream.Stream;
import javax.servlet.http.HttpServletRequest;
import org.apache.flume.Channel;
import org.apache.flume.ChannelSelector;
import org.apache.flume.Context;
import org.apache.flume.Event;
import org.apache.flume.Sink;
import org.apache.flume.Transaction;
import org.apache.flume.channel.ChannelSelectorFactory;
import org.apache.flume.channel.MemoryChannel;
import org.apache.flume.event.EventBuilder;
import org.apache.flume.interceptor.Interceptor;
import org.apache.flume.interceptor.InterceptorBuilderFactory;
import org.apache.flume.serialization.DecodeErrorPolicy;
import org.apache.flume.serialization.EventDeserializer;
import org.apache.flume.serialization.EventDeserializerFactory;
import org.apache.flume.serialization.EventSerializer;
import org.apache.flume.serialization.EventSerializerFactory;
import org.apache.flume.serialization.PositionTracker;
import org.apache.flume.serialization.ResettableFileInputStream;
import org.apache.flume.sink.hdfs.HDFSEventSink;
import org.apache.flume.source.SyslogUtils;
import org.apache.flume.source.http.HTTPBadRequestException;
import org.apache.flume.source.http.JSONHandler;
import org.apache.hadoop.fs.RawLocalFileSystem;
import org.apache.hadoop.fs.permission.FsPermission;

public class FlumeDraws {
    static final long ANSWER_CPU_NS = 30_000_000_000L, LOOK_MS = 100, LOOKS = 3000;
    static final int EVENTS_MAX = 100000; // of one input
    static final int STOP_LOOKS = 1000, STOP_LOOKS_THREW = 200; // each takes 10 ms, or longer on a busy machine; files of a sink that threw are not compared
    static final PrintStream out = ascii(System.out);
    static File folder;
    static int trees;

    static PrintStream ascii(PrintStream to) {
        try {
            return new PrintStream(to, false, "US-ASCII");
        } catch (UnsupportedEncodingException e) {
            throw new AssertionError(e); // every Java has it
        }
    }

    String kind, type;
    final Map<String, String> keys = new LinkedHashMap<>();
    final Map<String, String> with = new HashMap<>();
    final List<Event> events = new ArrayList<>();
    byte[] input = new byte[0];

    static byte[] bytes(String hex) {
        if (hex.equals("-")) return new byte[0];
        byte[] result = new byte[hex.length() / 2];
        for (int i = 0; i < result.length; i++) result[i] = (byte) Integer.parseInt(hex.substring(2 * i, 2 * i + 2), 16);
        return result;
    }

    static String text(String hex) {
        return new String(bytes(hex), StandardCharsets.UTF_8);
    }

    static String hex(byte[] bytes) {
        if (bytes.length == 0) return "-";
        StringBuilder result = new StringBuilder();
        for (byte b : bytes) result.append(Character.forDigit(b >> 4 & 15, 16)).append(Character.forDigit(b & 15, 16));
        return result.toString();
    }

    static String hex(String text) {
        return hex(text.getBytes(StandardCharsets.UTF_8));
    }

    static void print(Event event) {
        StringBuilder line = new StringBuilder("event ").append(hex(event.getBody()));
        for (Map.Entry<String, String> header : new TreeMap<>(event.getHeaders()).entrySet())
            line.append(' ').append(hex(header.getKey())).append(' ')
                .append(header.getValue() == null ? "null" : hex(header.getValue()));
        out.println(line);
    }

    // ---- one kind of component each; what a configuration makes it throw is an answer: "refused" ----

    void interceptor() throws Exception {
        Interceptor interceptor;
        try {
            Interceptor.Builder builder = InterceptorBuilderFactory.newInstance(type);
            builder.configure(new Context(keys));
            interceptor = builder.build();
            interceptor.initialize();
        } catch (Exception e) {
            out.println("refused " + e);
            return;
        }
        for (Event event : interceptor.intercept(events)) print(event);
        interceptor.close();
    }

    void selector() {
        List<Channel> channels = new ArrayList<>();
        for (int i = 1; i <= 4; i++) {
            Channel channel = new MemoryChannel();
            channel.setName("c" + i);
            channels.add(channel);
        }
        ChannelSelector selector;
        try {
            Map<String, String> all = new HashMap<>(keys);
            all.put("type", type);
            selector = ChannelSelectorFactory.create(channels, all);
        } catch (Exception e) {
            out.println("refused " + e);
            return;
        }
        for (Event event : events) {
            StringBuilder ways = new StringBuilder();
            List<Channel> required = selector.getRequiredChannels(event), optional = selector.getOptionalChannels(event);
            for (Channel channel : channels) {
                int puts = Collections.frequency(required, channel) + Collections.frequency(optional, channel);
                ways.append(puts > 1 ? 'm' : required.contains(channel) ? 'r' : puts == 1 ? 'o' : '-'); // m: the event comes more than once
            }
            out.println("ways " + ways);
        }
    }

    void serializer() throws Exception {
        ByteArrayOutputStream written = new ByteArrayOutputStream();
        EventSerializer serializer;
        try {
            serializer = EventSerializerFactory.getInstance(type, new Context(keys), written);
            serializer.afterCreate();
        } catch (Exception e) {
            out.println("refused " + e);
            return;
        }
        for (Event event : events) serializer.write(event);
        serializer.flush();
        serializer.beforeClose();
        out.println("out " + hex(written.toByteArray()));
    }

    static class Position implements PositionTracker {
        final String target;
        long position;

        Position(File file) {
            target = file.getPath();
        }

        @Override public void storePosition(long at) {
            position = at;
        }

        @Override public long getPosition() {
            return position;
        }

        @Override public String getTarget() {
            return target;
        }

        @Override public void close() {
        }
    }

    void deserializer() throws Exception {
        File file = new File(folder, "input");
        Files.write(file.toPath(), input);
        EventDeserializer deserializer;
        ResettableFileInputStream stream;
        try {
            stream = new ResettableFileInputStream(file, new Position(file), ResettableFileInputStream.DEFAULT_BUF_SIZE,
                Charset.forName(with.getOrDefault("charset", "UTF-8")),
                DecodeErrorPolicy.valueOf(with.getOrDefault("policy", "FAIL").toUpperCase()));
            deserializer = EventDeserializerFactory.getInstance(type, new Context(keys), stream);
        } catch (Exception e) {
            out.println("refused " + e);
            return;
        }
        Event event;
        try {
            for (int i = 0; i < EVENTS_MAX && (event = deserializer.readEvent()) != null; i++) print(event);
        } finally {
            stream.close();
        }
    }

    /** The local disk without checksums, which HDFS does not keep in files, and without a process for each chmod. core-site.xml names it. */
    public static class Disk extends RawLocalFileSystem {
        @Override public void setPermission(org.apache.hadoop.fs.Path path, FsPermission permission) {
        }
    }

    void json() throws Exception {
        String charset = with.get("charset");
        HttpServletRequest request = (HttpServletRequest) Proxy.newProxyInstance(FlumeDraws.class.getClassLoader(), new Class<?>[] {HttpServletRequest.class},
            (proxy, method, arguments) -> {
                switch (method.getName()) {
                case "getCharacterEncoding": return charset;
                case "getReader": // Jetty's encoding of application/json is UTF-8
                    return new BufferedReader(new InputStreamReader(new ByteArrayInputStream(input), charset == null ? "UTF-8" : charset));
                default: throw new UnsupportedOperationException(method.getName());
                }
            });
        List<Event> made;
        try {
            made = new JSONHandler().getEvents(request);
        } catch (HTTPBadRequestException e) {
            out.println("ways 400");
            return;
        } catch (Exception e) { // as the servlet
            out.println("ways 500");
            return;
        }
        out.println("ways 200");
        for (Event event : made) print(event);
    }

    // ---- syslog: as ps_test_syslog_run prints events ----

    static void escaped(StringBuilder to, byte[] bytes) {
        for (byte b : bytes) {
            if (b >= ' ' && b < 127 && b != '\\') to.append((char) b);
            else to.append(String.format("\\x%02x", b & 255));
        }
    }

    static void escaped(StringBuilder to, Event event) {
        for (Map.Entry<String, String> header : new TreeMap<>(event.getHeaders()).entrySet()) {
            to.append(header.getKey()).append('=');
            escaped(to, header.getValue().getBytes(StandardCharsets.UTF_8));
            to.append(' ');
        }
        to.append("| ");
        escaped(to, event.getBody());
        to.append('\n');
    }

    void syslog() {
        TimeZone.setDefault(TimeZone.getTimeZone(with.get("zone")));
        Clock clock = Clock.fixed(Instant.ofEpochMilli(Long.parseLong(with.get("now"))), ZoneId.systemDefault());
        boolean datagram = type.equals("udp");
        StringBuilder text = new StringBuilder();
        SyslogUtils utils;
        try {
            utils = new SyslogUtils(Integer.parseInt(with.get("size")), SyslogUtils.chooseFieldsToKeep(with.get("keep")), datagram, clock);
            utils.addFormats(keys);
        } catch (RuntimeException e) {
            out.println("refused " + e);
            return;
        }
        ByteBuf data = Unpooled.wrappedBuffer(input);
        do {
            try {
                Event event = utils.extractEvent(data);
                if (event == null) {
                    text.append("(none)\n");
                    break;
                }
                escaped(text, event);
            } catch (RuntimeException e) {
                text.append("(dropped)\n");
            }
        } while (!datagram && data.isReadable());
        out.println("out " + hex(text.toString()));
    }

    void hdfs() throws Exception {
        Path root = folder.toPath().resolve("hdfs" + ++trees + "/a/b"); // a sink that did not stop does not write into the next case's
        Files.createDirectories(root);
        HDFSEventSink sink = new HDFSEventSink();
        MemoryChannel channel = new MemoryChannel();
        boolean started = false, threw = false;
        try {
            channel.setName("c1");
            channel.configure(new Context(Collections.singletonMap("keep-alive", "0")));
            channel.start();
            sink.setName("k1");
            keys.replaceAll((key, value) -> value.replace("@ROOT@", root.toString()));
            keys.putIfAbsent("hdfs.closeTries", "1"); // stop() waits for the others
            try {
                sink.configure(new Context(keys));
                sink.setChannel(channel);
                sink.start();
                started = true;
            } catch (Exception e) {
                out.println("refused " + e);
                return;
            }
            Transaction transaction = channel.getTransaction();
            transaction.begin();
            for (Event event : events) channel.put(event);
            transaction.commit();
            transaction.close();
            try {
                while (sink.process() == Sink.Status.READY) {
                }
            } catch (Exception e) {
                out.println("threw " + e + " " + e.getCause());
                threw = true;
            }
        } finally {
            if (started) {
                Thread stop = new Thread(sink::stop); // without an end after a file that could not be closed
                stop.setDaemon(true);
                stop.start();
                for (int i = 0; i < (threw ? STOP_LOOKS_THREW : STOP_LOOKS) && stop.isAlive(); i++) stop.join(10);
            }
            channel.stop();
            files(root.getParent().getParent());
        }
    }

    // Prints the files and removes the tree.
    static void files(Path tree) throws IOException {
        List<String> lines = new ArrayList<>();
        try (Stream<Path> all = Files.walk(tree)) {
            for (Path path : (Iterable<Path>) all::iterator) {
                String name = path.getFileName().toString();
                if (Files.isRegularFile(path) && !(name.startsWith(".") && name.endsWith(".crc")))
                    lines.add("file " + hex(tree.relativize(path).toString()) + " " + hex(Files.readAllBytes(path)));
            }
        }
        lines.sort(null);
        lines.forEach(out::println);
        try (Stream<Path> all = Files.walk(tree)) {
            all.sorted(Comparator.reverseOrder()).forEach(path -> path.toFile().delete());
        }
    }

    void answer() {
        try {
            switch (kind) {
            case "interceptor": interceptor(); break;
            case "selector": selector(); break;
            case "serializer": serializer(); break;
            case "deserializer": deserializer(); break;
            case "hdfs": hdfs(); break;
            case "syslog": syslog(); break;
            case "json": json(); break;
            default: throw new IllegalArgumentException(kind);
            }
        } catch (Throwable e) {
            out.println("threw " + e.toString().replace('\n', ' '));
        }
    }

    /**
     * Java may try the ways of a costly expression for hours. After ANSWER_CPU_NS of CPU time (or LOOKS looks without it) the answer is that of the thread
     * that is stopped: ThreadDeath. On a busy machine the clock says little, and a thread that is stopped while it initializes a class takes this class from all later answers.
     */
    @SuppressWarnings({"deprecation", "removal"})
    void answerInTime() throws InterruptedException {
        Thread thread = new Thread(this::answer);
        thread.setDaemon(true);
        thread.start();
        for (int i = 0; i < LOOKS && thread.isAlive() && ManagementFactory.getThreadMXBean().getThreadCpuTime(thread.getId()) < ANSWER_CPU_NS; i++) thread.join(LOOK_MS);
        if (thread.isAlive()) thread.stop();
        thread.join();
    }

    public static void main(String[] arguments) throws IOException, InterruptedException {
        folder = new File(arguments[0]);
        BufferedReader cases = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.US_ASCII));
        FlumeDraws one = null;
        for (String line; (line = cases.readLine()) != null;) {
            String[] words = line.split(" ");
            switch (words[0]) {
            case "case":
                one = new FlumeDraws();
                one.kind = words[2];
                one.type = words[3];
                out.println("case " + words[1]);
                break;
            case "key": one.keys.put(text(words[1]), text(words[2])); break;
            case "with": one.with.put(words[1], text(words[2])); break;
            case "input": one.input = bytes(words[1]); break;
            case "event":
                Map<String, String> headers = new HashMap<>();
                for (int i = 2; i < words.length; i += 2) headers.put(text(words[i]), text(words[i + 1]));
                one.events.add(EventBuilder.withBody(bytes(words[1]), headers));
                break;
            case "end":
                one.answerInTime();
                out.println("end");
                out.flush();
                break;
            default: throw new IllegalArgumentException(line);
            }
        }
        out.flush();
        System.exit(0); // the threads of what threw may be left
    }
}
