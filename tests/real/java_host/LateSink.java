package example;

import java.nio.charset.StandardCharsets;
import org.apache.flume.Context;
import org.apache.flume.Event;
import org.apache.flume.conf.Configurable;
import org.apache.flume.sink.AbstractSink;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Logs each event. The first instance ends by an error while it has events, and leaves a thread behind, which takes from its channel when the
 * second instance has begun.
 */
public class LateSink extends AbstractSink implements Configurable {
    private static final Logger log = LoggerFactory.getLogger(LateSink.class);
    private static volatile int instances;
    private boolean isFirst;

    @Override
    public void configure(Context context) {
        isFirst = instances++ == 0;
    }

    @Override
    public Status process() {
        Event event = Takes.takeOne(getChannel(), !isFirst);
        if (event == null)
            return Status.BACKOFF;
        if (isFirst) {
            new Thread(this::late).start();
            throw new AssertionError("ends while it has events");
        }
        log.info("takes {}", new String(event.getBody(), StandardCharsets.UTF_8));
        return Status.READY;
    }

    private void late() {
        try {
            while (instances < 2)
                Thread.sleep(10);
        } catch (InterruptedException ended) {
            return;
        }
        Event event = Takes.takeOne(getChannel(), true);
        log.info("the thread that was left behind takes {}", event == null ? "nothing" : new String(event.getBody(), StandardCharsets.UTF_8));
    }
}
