package example;

import org.apache.flume.Channel;
import org.apache.flume.Event;
import org.apache.flume.Transaction;
import org.apache.flume.sink.AbstractSink;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Sinks whose far end fails. */
public final class TryingSinks {
    private static final Logger log = LoggerFactory.getLogger(TryingSinks.class);

    private TryingSinks() {}

    /**
     * Takes events until there are none, cannot write them, rolls back and returns BACKOFF, as Flume's sink hdfs does. Logs the milliseconds from the return of
     * each attempt to the next one. The fourth attempt succeeds.
     */
    public static class GivesBack extends AbstractSink {
        private int attempts;
        private long returned;

        @Override
        public Status process() {
            Channel channel = getChannel();
            Transaction transaction = channel.getTransaction();
            long began = System.nanoTime();
            int taken = 0;
            transaction.begin();
            for (Event event; (event = channel.take()) != null;)
                taken++;
            boolean fails = taken > 0 && ++attempts < 4;
            if (fails)
                transaction.rollback();
            else
                transaction.commit();
            transaction.close();
            if (taken > 0)
                log.info("attempt {} after {} ms", attempts, attempts > 1 ? (began - returned) / 1000000 : 0);
            returned = System.nanoTime();
            return taken > 0 && !fails ? Status.READY : Status.BACKOFF;
        }
    }
}
