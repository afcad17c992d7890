package example;

import java.io.FileOutputStream;
import java.io.OutputStreamWriter;
import java.io.Writer;
import java.nio.charset.StandardCharsets;
import java.util.TreeMap;
import org.apache.flume.Channel;
import org.apache.flume.Context;
import org.apache.flume.Event;
import org.apache.flume.EventDeliveryException;
import org.apache.flume.Transaction;
import org.apache.flume.conf.Configurable;
import org.apache.flume.sink.AbstractSink;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Appends each event to a file: its headers in order, and its body. Every failEvery-th transaction fails once. */
public class FileSink extends AbstractSink implements Configurable {
    private static final Logger log = LoggerFactory.getLogger(FileSink.class);
    private String path;
    private int batchSize, failEvery, delayMs, transactions;
    private Writer out;

    @Override
    public void configure(Context context) {
        path = context.getString("path");
        batchSize = context.getInteger("batchSize", 100);
        delayMs = context.getInteger("delayMs", 0);
        failEvery = new Context(context.getSubProperties("fail.")).getInteger("every", 0);
        if (path == null)
            throw new IllegalArgumentException("path is missing");
    }

    @Override
    public synchronized void start() {
        try {
            out = new OutputStreamWriter(new FileOutputStream(path, true), StandardCharsets.UTF_8);
        } catch (java.io.IOException wrong) {
            throw new IllegalStateException(wrong);
        }
        log.info("writes to {}", path);
        super.start();
    }

    @Override
    public synchronized void stop() {
        log.info("stops after {} transactions", transactions);
        super.stop();
    }

    @Override
    public Status process() throws EventDeliveryException {
        Channel channel = getChannel();
        Transaction transaction = channel.getTransaction();
        Status status = Status.READY;
        transaction.begin();
        try {
            StringBuilder lines = new StringBuilder();
            Thread.sleep(delayMs);
            for (int i = 0; i < batchSize; i++) {
                Event event = channel.take();
                if (event == null) {
                    status = Status.BACKOFF;
                    break;
                }
                lines.append(new TreeMap<>(event.getHeaders())).append(' ')
                    .append(new String(event.getBody(), StandardCharsets.UTF_8)).append('\n');
            }
            if (failEvery > 0 && lines.length() > 0 && ++transactions % failEvery == 0) {
                transaction.rollback();
                return Status.READY;
            }
            out.write(lines.toString());
            out.flush();
            transaction.commit();
        } catch (Exception wrong) {
            transaction.rollback();
            throw new EventDeliveryException("no write", wrong);
        } finally {
            transaction.close();
        }
        return status;
    }
}
