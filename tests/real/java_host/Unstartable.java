package example;

import org.apache.flume.Context;
import org.apache.flume.EventDrivenSource;
import org.apache.flume.conf.Configurable;
import org.apache.flume.source.AbstractSource;

/** Its start() throws an exception, or, with lacks = true, lacks a class; its stop() throws, too. */
public class Unstartable extends AbstractSource implements Configurable, EventDrivenSource {
    private boolean lacks;

    @Override
    public void configure(Context context) {
        lacks = context.getBoolean("lacks", false);
    }

    @Override
    public synchronized void start() {
        if (lacks)
            throw new NoClassDefFoundError("org/example/Missing");
        throw new IllegalStateException("it cannot start");
    }

    @Override
    public synchronized void stop() {
        throw new NullPointerException("it has not started");
    }
}
