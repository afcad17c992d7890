package example;

import java.nio.charset.StandardCharsets;
import org.apache.flume.Context;
import org.apache.flume.EventDeliveryException;
import org.apache.flume.EventDrivenSource;
import org.apache.flume.Transaction;
import org.apache.flume.conf.Configurable;
import org.apache.flume.event.EventBuilder;
import org.apache.flume.sink.AbstractSink;
import org.apache.flume.source.AbstractSource;

/** A source that puts so many `events` in its start(), and whose stop() does not return; and a sink that throws at each event, whose stop() does the same if it `hangs`. */
public class HangsInStop extends AbstractSource implements Configurable, EventDrivenSource {
    private int events;

    @Override
    public void configure(Context context) {
        events = context.getInteger("events", 1);
    }

    @Override
    public synchronized void start() {
        for (int i = 0; i < events; i++)
            getChannelProcessor().processEvent(EventBuilder.withBody("event " + i, StandardCharsets.UTF_8));
        super.start();
        System.out.println("HangsInStop: has put its events");
    }

    @Override
    public void stop() {
        NeverStops.hang();
    }

    /** A source that stops, and says so. */
    public static final class Neighbour extends AbstractSource implements EventDrivenSource {
        @Override
        public void stop() {
            super.stop();
            System.out.println("HangsInStop: its neighbour has stopped");
        }
    }

    public static final class Sink extends AbstractSink implements Configurable {
        private boolean hangs;

        @Override
        public void configure(Context context) {
            hangs = context.getBoolean("hangs", false);
        }

        @Override
        public Status process() throws EventDeliveryException {
            Transaction transaction = getChannel().getTransaction();
            transaction.begin();
            try {
                if (getChannel().take() == null)
                    return Status.BACKOFF;
                throw new EventDeliveryException("the far end is down");
            } finally {
                transaction.rollback();
                transaction.close();
            }
        }

        @Override
        public void stop() {
            if (hangs)
                NeverStops.hang();
            super.stop();
        }
    }
}
