// Sends events through Flume's SDK from many threads, by append and by appendBatch, and writes what it sent: a line for each event, as
// AvroDump prints it. It needs only what every SDK since 1.3 has.
//
//   Clients PORT own|shared THREADS EVENTS SEED FILE [KEY=VALUE]...
//
// own: each thread has its own client, that is a connection; shared: one client for all. EVENTS: of each thread. The same SEED sends the
// same events. KEY=VALUE: properties of the client. Exits with 1 when a call fails.
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.CountDownLatch;
import org.apache.flume.Event;
import org.apache.flume.api.RpcClient;
import org.apache.flume.api.RpcClientFactory;
import org.apache.flume.event.EventBuilder;

public class Clients {
    private static final String[] WORDS = {"a", "Zeile", "äöü", "€uro", "数据", "\uD83D\uDE00", " ", "\t", "{}", "=", String.join("", Collections.nCopies(200, "x"))};

    private static String words(Random random, int most) {
        StringBuilder text = new StringBuilder();
        for (int i = random.nextInt(most + 1); i > 0; i--)
            text.append(WORDS[random.nextInt(WORDS.length)]);
        return text.toString();
    }

    private static Event event(Random random, int thread, int number, List<String> sent) {
        Map<String, String> headers = new TreeMap<>();
        headers.put("at", String.format("%03d %06d", thread, number));
        for (int i = random.nextInt(6); i > 0; i--)
            headers.put(i + words(random, 2), words(random, 4));
        byte[] body = words(random, random.nextInt(8)).getBytes(StandardCharsets.UTF_8); // of every eighth event it is empty
        sent.add(headers + " " + new String(body, StandardCharsets.UTF_8));
        return EventBuilder.withBody(body, headers);
    }

    public static void main(String[] args) throws Exception {
        boolean shared = args[1].equals("shared");
        int threads = Integer.parseInt(args[2]), events = Integer.parseInt(args[3]);
        long seed = Long.parseLong(args[4]);
        Properties properties = new Properties();
        properties.put("hosts", "h");
        properties.put("hosts.h", "127.0.0.1:" + args[0]);
        properties.put("request-timeout", "120000");
        properties.put("connect-timeout", "120000");
        for (int i = 6; i < args.length; i++)
            properties.put(args[i].substring(0, args[i].indexOf('=')), args[i].substring(args[i].indexOf('=') + 1));
        RpcClient common = shared ? RpcClientFactory.getInstance(properties) : null;
        List<List<String>> sent = new ArrayList<>();
        List<Thread> running = new ArrayList<>();
        CountDownLatch connected = new CountDownLatch(threads); // no call before all are connected
        Throwable[] failure = new Throwable[1];
        for (int i = 0; i < threads; i++) {
            int number = i;
            List<String> mine = new ArrayList<>();
            sent.add(mine);
            Thread thread = new Thread(() -> {
                try {
                    RpcClient client = shared ? common : RpcClientFactory.getInstance(properties);
                    connected.countDown();
                    connected.await();
                    Random random = new Random(seed * 1000 + number);
                    while (mine.size() < events) {
                        if (random.nextInt(3) == 0) {
                            client.append(event(random, number, mine.size(), mine));
                            continue;
                        }
                        List<Event> batch = new ArrayList<>(); // the SDK makes calls of 100 of it
                        for (int left = Math.min(1 + random.nextInt(250), events - mine.size()); left > 0; left--)
                            batch.add(event(random, number, mine.size(), mine));
                        client.appendBatch(batch);
                    }
                    if (!shared)
                        client.close();
                } catch (Throwable e) {
                    synchronized (failure) {
                        failure[0] = e;
                    }
                    connected.countDown();
                }
            });
            thread.start();
            running.add(thread);
        }
        for (Thread thread : running)
            thread.join();
        if (failure[0] != null) {
            failure[0].printStackTrace();
            System.exit(1);
        }
        if (shared)
            common.close();
        try (PrintWriter out = new PrintWriter(args[5], "UTF-8")) {
            for (List<String> one : sent)
                one.forEach(out::println);
        }
        System.exit(0); // threads of old SDKs stay
    }
}
