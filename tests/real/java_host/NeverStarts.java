package example;

import org.apache.flume.Context;
import org.apache.flume.conf.Configurable;
import org.apache.flume.sink.AbstractSink;

/** A sink that cannot start: it throws an exception, or the error of a class that is missing. */
public class NeverStarts extends AbstractSink implements Configurable {
    private boolean isError;

    @Override
    public void configure(Context context) {
        isError = context.getBoolean("error");
    }

    @Override
    public synchronized void start() {
        if (isError)
            throw new NoClassDefFoundError("com/example/Missing");
        throw new IllegalStateException("the far end is down");
    }

    @Override
    public Status process() {
        return Status.BACKOFF;
    }
}
