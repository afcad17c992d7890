package example;

import org.apache.flume.Sink;
import org.apache.flume.sink.AbstractSink;

/** Its stop() calls System.exit. */
public class ExitsInStop extends AbstractSink {
    private boolean said;

    @Override
    public Sink.Status process() {
        if (!said)
            System.out.println("ExitsInStop takes events");
        said = true;
        return Sink.Status.BACKOFF;
    }

    @Override
    public synchronized void stop() {
        System.exit(3);
    }
}
