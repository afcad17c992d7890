import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Instant;
import java.time.ZoneId;
import java.util.Calendar;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TimeZone;
import java.util.TreeMap;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.flume.Event;
import org.apache.flume.event.EventBuilder;
import org.apache.flume.event.EventHelper;
import org.apache.flume.formatter.output.BucketPath;
import org.apache.flume.source.SyslogParser;
import org.apache.flume.source.SyslogUtils;
import org.joda.time.DateTimeUtils;
import org.joda.time.DateTimeZone;

/**
 * Tables FROM TO: reads the tables of tests/stages/data and writes them to another folder (or the same), with the answers that the
 * classes of Flume and of this JVM give to their questions. A new question is a line whose answer is left empty (syslog: a line with >).
 */
public class Tables {
    private static PrintStream out;

    private interface Table {
        void answer(List<String> lines) throws IOException;
    }

    public static void main(String[] folders) throws IOException {
        Path from = Path.of(folders[0]), to = Path.of(folders[1]);
        run(from, to, "dumps.txt", Tables::dumps);
        run(from, to, "escapes.txt", Tables::escapes);
        run(from, to, "java_map.txt", Tables::maps);
        List<Path> logs;
        try (Stream<Path> files = Files.list(from.resolve("syslog"))) {
            logs = files.filter(file -> file.toString().endsWith(".txt")).collect(Collectors.toList());
        }
        for (Path log : logs)
            run(from, to, "syslog/" + log.getFileName(), Tables::syslog);
    }

    private static void run(Path from, Path to, String name, Table table) throws IOException {
        List<String> lines = Files.readAllLines(from.resolve(name));
        Files.createDirectories(to.resolve(name).getParent());
        try (PrintStream stream = new PrintStream(to.resolve(name).toFile(), StandardCharsets.UTF_8)) {
            out = stream;
            table.answer(lines);
            if (stream.checkError())
                throw new IOException("cannot write " + name);
        }
    }

    private static void line(String text) {
        out.print(text + "\n");
    }

    /** k=v,k=v */
    private static Map<String, String> headers(String text) {
        Map<String, String> map = new LinkedHashMap<>();
        for (String pair : text.split(",")) {
            if (!pair.isEmpty())
                map.put(pair.substring(0, pair.indexOf('=')), pair.substring(pair.indexOf('=') + 1));
        }
        return map;
    }

    private static void dumps(List<String> lines) {
        for (String question : lines) {
            if (question.startsWith("#")) {
                line(question);
                continue;
            }
            String[] fields = question.split("\t", -1);
            byte[] body = new byte[fields[1].length() / 2];
            for (int i = 0; i < body.length; i++)
                body[i] = (byte) Integer.parseInt(fields[1].substring(2 * i, 2 * i + 2), 16);
            String dump = EventHelper.dumpEvent(EventBuilder.withBody(body, headers(fields[0])), Integer.parseInt(fields[2]));
            line(fields[0] + "\t" + fields[1] + "\t" + fields[2] + "\t" + dump.replace("\n", "\\n"));
        }
    }

    private static void escapes(List<String> lines) {
        for (String question : lines) {
            if (question.startsWith("#")) {
                line(question);
                continue;
            }
            String[] fields = question.split("\t", -1);
            Map<String, String> headers = new LinkedHashMap<>();
            headers.put("host", "h$1\\");
            headers.put("a.b-c", "dot");
            if (!fields[1].equals("-"))
                headers.put("timestamp", fields[1]);
            int unit = fields[3].equals("s") ? Calendar.SECOND : fields[3].equals("m") ? Calendar.MINUTE : Calendar.HOUR_OF_DAY;
            String answer;
            try {
                answer = BucketPath.escapeString(fields[0], headers, TimeZone.getTimeZone(fields[2]), !fields[3].equals("-"), unit,
                        Integer.parseInt(fields[4]), false);
            } catch (RuntimeException thrown) {
                answer = "!";
            }
            line(String.join("\t", List.of(fields).subList(0, 5)) + "\t" + answer);
        }
    }

    private static void maps(List<String> lines) {
        Map<String, String> map = null;
        for (String question : lines) {
            List<String> words = List.of(question.split("\t"));
            List<String> keys = words.subList(1, words.size());
            if (words.get(0).equals("own")) {
                Map<String, String> own = new LinkedHashMap<>();
                keys.forEach(key -> own.put(key, "x"));
                map = EventBuilder.withBody(new byte[0], own).getHeaders();
            } else if (words.get(0).equals("later")) {
                for (String key : keys)
                    map.put(key, "y");
            } else if (words.get(0).equals("order")) {
                line("order\t" + String.join("\t", map.keySet()));
                continue;
            }
            line(question);
        }
    }

    // ---- syslog: as tests/support/syslog.h prints events ----

    private static void syslog(List<String> lines) {
        String mode = "", keep = "";
        int size = 0;
        for (String question : lines) {
            if (question.startsWith("> ")) {
                line(question);
                parse(mode, SyslogUtils.chooseFieldsToKeep(keep), size, unescape(question.substring(2)));
                continue;
            }
            if (question.startsWith("#") || question.matches("(mode|zone|now|keep|size) .*"))
                line(question);
            if (question.startsWith("mode "))
                mode = question.substring(5);
            else if (question.startsWith("keep "))
                keep = question.substring(5);
            else if (question.startsWith("size "))
                size = Integer.parseInt(question.substring(5));
            else if (question.startsWith("zone "))
                TimeZone.setDefault(TimeZone.getTimeZone(question.substring(5)));
            else if (question.startsWith("now "))
                DateTimeUtils.setCurrentMillisFixed(Long.parseLong(question.substring(4)));
            DateTimeZone.setDefault(DateTimeZone.forTimeZone(TimeZone.getDefault()));
        }
    }

    private static void parse(String mode, Set<String> keep, int size, byte[] bytes) {
        if (mode.equals("multi")) {
            long began = System.currentTimeMillis();
            String message = new String(bytes, StandardCharsets.UTF_8);
            Event event;
            try {
                event = new SyslogParser().parseMessage(message, StandardCharsets.UTF_8, keep);
            } catch (RuntimeException thrown) { // MultiportSyslogTCPSource.parseEvent
                event = EventBuilder.withBody(message, StandardCharsets.UTF_8, Map.of("flume.syslog.status", "Invalid"));
            }
            Map<String, String> headers = event.getHeaders(); // "-" as a time: it asks the system, not the clock that stands
            long time = Long.parseLong(headers.getOrDefault("timestamp", "0"));
            if (time >= began && time <= System.currentTimeMillis())
                headers.put("timestamp", Long.toString(DateTimeUtils.currentTimeMillis()));
            print(event);
            return;
        }
        boolean udp = mode.equals("udp");
        Clock clock = Clock.fixed(Instant.ofEpochMilli(DateTimeUtils.currentTimeMillis()), ZoneId.systemDefault());
        ByteBuf in = Unpooled.wrappedBuffer(bytes);
        do {
            try { // a new one for each message: Flume gives the headers of a broken message to the next one of its connection
                Event event = new SyslogUtils(size, keep, udp, clock).extractEvent(in);
                if (event == null)
                    line("(none)");
                else
                    print(event);
            } catch (RuntimeException thrown) { // the handler of the source discards the message
                line("(dropped)");
            }
        } while (!udp && in.isReadable());
    }

    private static void print(Event event) {
        StringBuilder text = new StringBuilder();
        new TreeMap<>(event.getHeaders()).forEach((name, value) -> text.append(name).append('=')
                .append(escape(value.getBytes(StandardCharsets.UTF_8))).append(' '));
        line(text + "| " + escape(event.getBody()));
    }

    private static String escape(byte[] bytes) {
        StringBuilder text = new StringBuilder();
        for (byte b : bytes)
            text.append(b >= ' ' && b < 127 && b != '\\' ? String.valueOf((char) b) : String.format("\\x%02x", b));
        return text.toString();
    }

    private static byte[] unescape(String text) {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        for (int i = 0; i < text.length(); i++) {
            if (text.startsWith("\\x", i)) {
                bytes.write(Integer.parseInt(text.substring(i + 2, i + 4), 16));
                i += 3;
            } else {
                bytes.writeBytes(text.substring(i, i + 1).getBytes(StandardCharsets.UTF_8));
            }
        }
        return bytes.toByteArray();
    }
}
