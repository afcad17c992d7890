package bench;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.apache.flume.ChannelException;
import org.apache.flume.Context;
import org.apache.flume.Event;
import org.apache.flume.EventDrivenSource;
import org.apache.flume.conf.Configurable;
import org.apache.flume.event.EventBuilder;
import org.apache.flume.source.AbstractSource;

/** Threads that put events without end, single ones or lists of batchSize. */
public class Endless extends AbstractSource implements Configurable, EventDrivenSource {
    private final List<Thread> all = new ArrayList<>();
    private int threads, batchSize;
    private byte[] body;
    private volatile boolean ends;

    @Override
    public void configure(Context context) {
        threads = context.getInteger("threads", 1);
        batchSize = context.getInteger("batchSize", 1);
        body = new byte[context.getInteger("size", 256)];
        Arrays.fill(body, (byte) 'x');
    }

    @Override
    public synchronized void start() {
        for (int i = 0; i < threads; i++) {
            Thread thread = new Thread(this::run);
            all.add(thread);
            thread.start();
        }
        super.start();
    }

    @Override
    public synchronized void stop() {
        ends = true;
        super.stop();
    }

    private void run() {
        while (!ends) {
            try {
                if (batchSize == 1)
                    getChannelProcessor().processEvent(EventBuilder.withBody(body));
                else
                    putList();
            } catch (ChannelException full) {
                Thread.yield();
            }
        }
    }

    private void putList() {
        List<Event> events = new ArrayList<>(batchSize);
        for (int i = 0; i < batchSize; i++)
            events.add(EventBuilder.withBody(body));
        getChannelProcessor().processEventBatch(events);
    }
}
