package example;

import java.nio.charset.StandardCharsets;
import java.util.Collections;
import org.apache.flume.ChannelException;
import org.apache.flume.Context;
import org.apache.flume.EventDrivenSource;
import org.apache.flume.conf.Configurable;
import org.apache.flume.event.EventBuilder;
import org.apache.flume.source.AbstractSource;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Several threads put events one by one, and one event before start() returns. An event that is refused is put again. */
public class Threads extends AbstractSource implements Configurable, EventDrivenSource {
    private static final Logger log = LoggerFactory.getLogger(Threads.class);
    private int threads, events;
    private volatile boolean ends;

    @Override
    public void configure(Context context) {
        threads = context.getInteger("threads", 4);
        events = context.getInteger("events", 100);
    }

    @Override
    public synchronized void start() {
        put("at the start");
        getChannelProcessor().processEventBatch(Collections.emptyList());
        for (int i = 0; i < threads; i++) {
            int number = i;
            new Thread(() -> {
                for (int k = 0; k < events && !ends; k++)
                    put("thread " + number + " event " + k);
                log.info("thread {} is done", number);
            }).start();
        }
        super.start();
    }

    @Override
    public synchronized void stop() {
        ends = true;
        put("at the stop");
        super.stop();
    }

    private void put(String body) {
        for (;;) {
            try {
                getChannelProcessor().processEvent(
                    EventBuilder.withBody(body, StandardCharsets.UTF_8, Collections.singletonMap("by", getName())));
                return;
            } catch (ChannelException full) {
                log.debug("refused", full);
            }
        }
    }
}
