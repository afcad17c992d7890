package example;

import java.util.ArrayList;
import java.util.List;
import org.apache.flume.Context;
import org.apache.flume.EventDeliveryException;
import org.apache.flume.Sink;
import org.apache.flume.lifecycle.LifecycleState;
import org.apache.flume.sink.AbstractSinkProcessor;

/** Calls the sink with the last name only: the others get nothing. */
public class OwnProcessor extends AbstractSinkProcessor {
    private Sink last;

    @Override
    public void configure(Context context) {}

    @Override
    public void setSinks(List<Sink> sinks) {
        super.setSinks(sinks);
        List<Sink> all = new ArrayList<>(sinks);
        all.sort((a, b) -> a.getName().compareTo(b.getName()));
        last = all.get(all.size() - 1);
    }

    @Override
    public Sink.Status process() throws EventDeliveryException {
        return last.process();
    }
}
