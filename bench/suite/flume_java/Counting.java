package bench;

import org.apache.flume.Context;
import org.apache.flume.Event;
import org.apache.flume.EventDeliveryException;
import org.apache.flume.Transaction;
import org.apache.flume.conf.Configurable;
import org.apache.flume.sink.AbstractSink;

/** Takes batchSize events in each transaction, and counts their bytes. */
public class Counting extends AbstractSink implements Configurable {
    private int batchSize;
    private long bytes;

    @Override
    public void configure(Context context) {
        batchSize = context.getInteger("batchSize", 1000);
    }

    @Override
    public synchronized void start() {
        super.start();
        System.out.println("runs");
    }

    @Override
    public Status process() throws EventDeliveryException {
        Transaction transaction = getChannel().getTransaction();
        transaction.begin();
        try {
            int count = 0;
            for (Event event; count < batchSize && (event = getChannel().take()) != null; count++)
                bytes += event.getBody().length;
            transaction.commit();
            return count == 0 ? Status.BACKOFF : Status.READY;
        } catch (RuntimeException wrong) {
            transaction.rollback();
            throw wrong;
        } finally {
            transaction.close();
        }
    }

    @Override
    public String toString() {
        return super.toString() + " " + bytes + " bytes";
    }
}
