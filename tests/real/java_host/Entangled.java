package example;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.apache.flume.Event;
import org.apache.flume.EventDrivenSource;
import org.apache.flume.event.EventBuilder;
import org.apache.flume.event.SimpleEvent;
import org.apache.flume.source.AbstractSource;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Puts 6,302 events: single ones; lists that another thread makes longer before they are read; and one whose body is complete only after another
 * thread has put an event.
 */
public class Entangled extends AbstractSource implements EventDrivenSource {
    private static final Logger log = LoggerFactory.getLogger(Entangled.class);

    /** A list with more events than its size() says. */
    private static final class Growing extends ArrayList<Event> {
        private static final long serialVersionUID = 1;

        @Override
        public int size() {
            return 1;
        }
    }

    private static Event event(String text) {
        return EventBuilder.withBody(text, StandardCharsets.UTF_8);
    }

    @Override
    public synchronized void start() {
        Thread thread = new Thread(this::run);
        thread.setDaemon(true);
        thread.start();
        super.start();
    }

    private void run() {
        for (int i = 0; i < 300; i++)
            getChannelProcessor().processEvent(event("single " + i));
        for (int list = 0; list < 3; list++) {
            List<Event> events = new Growing();
            for (int i = 0; i < 2000; i++)
                events.add(event("list " + list + " " + i));
            getChannelProcessor().processEventBatch(events);
        }
        getChannelProcessor().processEvent(new SimpleEvent() {
            @Override
            public byte[] getBody() {
                Thread other = new Thread(() -> getChannelProcessor().processEvent(event("from another thread")));
                other.setDaemon(true);
                other.start();
                try {
                    other.join(10000);
                } catch (InterruptedException ended) {
                    log.warn("was interrupted");
                }
                log.info("the other thread {}", other.isAlive() ? "waits for this one" : "has put its event");
                return "last".getBytes(StandardCharsets.UTF_8);
            }
        });
        log.info("has put all");
    }
}
