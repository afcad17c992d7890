package example;

import java.io.File;
import java.io.FileOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import org.apache.flume.Channel;
import org.apache.flume.Context;
import org.apache.flume.Event;
import org.apache.flume.EventDeliveryException;
import org.apache.flume.Transaction;
import org.apache.flume.conf.Configurable;
import org.apache.flume.sink.AbstractSink;

/**
 * A sink that writes events to a file, and cannot write those with "bad" in them: it throws, or with `quiet` it rolls back and returns BACKOFF. While the file
 * `down` is there it can write none. Notes each of its attempts in the file `tries`.
 */
public class RefusesSome extends AbstractSink implements Configurable {
    private File folder;
    private boolean quiet;

    @Override
    public void configure(Context context) {
        folder = new File(context.getString("folder"));
        quiet = context.getBoolean("quiet", false);
    }

    private void append(String name, String text) throws IOException {
        try (FileOutputStream out = new FileOutputStream(new File(folder, name), true)) {
            out.write((text + "\n").getBytes(StandardCharsets.UTF_8));
        }
    }

    private String deliver(Channel channel) throws IOException {
        StringBuilder lines = new StringBuilder();
        Event event = null;
        for (int taken = 0; taken < 5 && (event = channel.take()) != null; taken++) {
            String line = new String(event.getBody(), StandardCharsets.UTF_8);
            if (line.contains("bad"))
                throw new IllegalStateException("the far end refuses " + line);
            lines.append(lines.length() > 0 ? "\n" : "").append(line);
        }
        if (lines.length() > 0) {
            append("tries", "one");
            if (new File(folder, "down").exists())
                throw new IOException("the far end is down");
            append("out", lines.toString());
        }
        return lines.toString();
    }

    @Override
    public Status process() throws EventDeliveryException {
        Transaction transaction = getChannel().getTransaction();
        transaction.begin();
        try {
            String lines = deliver(getChannel());
            transaction.commit();
            return lines.isEmpty() ? Status.BACKOFF : Status.READY;
        } catch (Exception wrong) {
            transaction.rollback();
            if (quiet)
                return Status.BACKOFF;
            throw new EventDeliveryException("not delivered", wrong);
        } finally {
            transaction.close();
        }
    }
}
