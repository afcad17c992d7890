package example;

import java.io.File;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.apache.flume.ChannelException;
import org.apache.flume.Context;
import org.apache.flume.Event;
import org.apache.flume.EventDrivenSource;
import org.apache.flume.conf.Configurable;
import org.apache.flume.event.EventBuilder;
import org.apache.flume.source.AbstractSource;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Threads that put numbered events, single ones or lists, until the source stops. A file for each thread and each life of the process
 * has the number of events whose call has returned, written before the next call: it outlives the process. A call that throws is made again.
 */
public class Promises extends AbstractSource implements Configurable, EventDrivenSource {
    private static final Logger log = LoggerFactory.getLogger(Promises.class);
    private final List<Thread> all = new ArrayList<>();
    private File directory;
    private int threads, batchSize, pauseMs;
    private long limit, refused;
    private volatile boolean ends;

    @Override
    public void configure(Context context) {
        directory = new File(context.getString("directory"));
        threads = context.getInteger("threads", 1);
        batchSize = context.getInteger("batchSize", 1);
        pauseMs = context.getInteger("pauseMs", 0);
        limit = context.getLong("limit", Long.MAX_VALUE); // of each thread
    }

    @Override
    public synchronized void start() {
        Thread orders = new Thread(this::obey);
        orders.setDaemon(true);
        orders.start();
        String life = Long.toString(System.currentTimeMillis(), 36) + Long.toString(System.nanoTime() & 0xffff, 36);
        for (int i = 0; i < threads; i++) {
            String name = getName() + "-" + life + "-" + i;
            Thread thread = new Thread(() -> run(name));
            all.add(thread);
            thread.start();
        }
        super.start();
    }

    @Override
    public void stop() {
        ends = true;
        for (Thread thread : all) {
            try {
                thread.join(10000);
            } catch (InterruptedException interrupted) {
                break;
            }
        }
        log.info("stops after {} refusals", refused);
        super.stop();
    }

    /** The file DIRECTORY.order ends the process: exit, or memory, which uses up the heap. */
    private void obey() {
        File order = new File(directory + ".order");
        List<byte[]> heap = new ArrayList<>();
        try {
            while (!order.exists())
                Thread.sleep(20);
            String text = new String(java.nio.file.Files.readAllBytes(order.toPath()), StandardCharsets.US_ASCII).trim();
            if (!order.delete()) // another instance obeys
                return;
            if (text.equals("exit"))
                System.exit(3);
            while (text.equals("memory"))
                heap.add(new byte[1 << 20]);
        } catch (IOException | InterruptedException wrong) {
            log.error("no order", wrong);
        }
    }

    private synchronized void refused() {
        refused++;
    }

    private void run(String name) {
        try (RandomAccessFile file = new RandomAccessFile(new File(directory, name), "rw")) {
            for (long done = 0; !ends && done < limit; done += batchSize) {
                put(name, done);
                file.seek(0);
                file.write(String.format("%019d\n", done + batchSize).getBytes(StandardCharsets.US_ASCII));
                if (pauseMs > 0)
                    Thread.sleep(pauseMs);
            }
            log.info("thread {} is done", name);
        } catch (IOException | InterruptedException wrong) {
            log.error("thread {} ends", name, wrong);
        }
    }

    private void put(String name, long first) {
        List<Event> events = new ArrayList<>();
        for (int i = 0; i < batchSize; i++)
            events.add(EventBuilder.withBody(name + " " + (first + i), StandardCharsets.UTF_8, Collections.singletonMap("by", getName())));
        while (!ends) {
            try {
                if (batchSize == 1)
                    getChannelProcessor().processEvent(events.get(0));
                else
                    getChannelProcessor().processEventBatch(events);
                return;
            } catch (ChannelException full) {
                refused();
            }
        }
        throw new IllegalStateException("it stops while a channel is full");
    }
}
