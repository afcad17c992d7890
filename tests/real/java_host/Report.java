package example;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.nio.file.StandardCopyOption;
import java.util.Map;
import java.util.TreeMap;
import org.apache.flume.Context;
import org.apache.flume.instrumentation.MonitorService;
import org.apache.flume.instrumentation.util.JMXPollUtil;

/** Writes all counters to a file, one a line, and `stopped` to the file when it is stopped. */
public class Report implements MonitorService {
    private Path file;
    private long everyMs;
    private Thread thread;

    @Override
    public void configure(Context context) {
        file = Paths.get(context.getString("file"));
        everyMs = context.getLong("everyMs", 200L);
        if (context.getBoolean("refuse", false))
            throw new IllegalArgumentException("it is refused");
    }

    @Override
    public void start() {
        System.out.println("reports to " + file);
        thread = new Thread(() -> {
            try {
                while (true) {
                    write();
                    Thread.sleep(everyMs);
                }
            } catch (InterruptedException stopped) {
                return;
            }
        }, "report");
        thread.start();
    }

    @Override
    public void stop() {
        thread.interrupt();
        try {
            thread.join();
            Files.write(file, "stopped\n".getBytes(StandardCharsets.UTF_8), java.nio.file.StandardOpenOption.APPEND);
        } catch (IOException | InterruptedException wrong) {
            throw new IllegalStateException(wrong);
        }
    }

    private void write() {
        StringBuilder text = new StringBuilder();
        for (Map.Entry<String, Map<String, String>> bean : JMXPollUtil.getAllMBeans().entrySet())
            for (Map.Entry<String, String> one : new TreeMap<>(bean.getValue()).entrySet())
                text.append(bean.getKey()).append(' ').append(one.getKey()).append(' ').append(one.getValue()).append('\n');
        try {
            Path beside = Paths.get(file + ".new");
            Files.write(beside, text.toString().getBytes(StandardCharsets.UTF_8));
            Files.move(beside, file, StandardCopyOption.ATOMIC_MOVE);
        } catch (IOException wrong) {
            throw new IllegalStateException(wrong);
        }
    }
}
