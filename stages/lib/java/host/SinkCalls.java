package penstock.host;

import java.util.List;
import org.apache.flume.Context;
import org.apache.flume.EventDeliveryException;
import org.apache.flume.Sink;
import org.apache.flume.SinkProcessor;
import org.apache.flume.SinkRunner;
import org.apache.flume.lifecycle.LifecycleState;

/** The sink processor of a sink or group of a flow, and what became of its calls. The thread of Flume's runner calls it; the flow's thread asks `calls`. */
final class SinkCalls implements SinkProcessor {
    final Calls calls = new Calls();
    private final SinkProcessor flume;

    private SinkCalls(SinkProcessor flume) {
        this.flume = flume;
    }

    /** Stands between the runner and its processor. Called before the runner starts. */
    static SinkCalls of(SinkRunner runner) {
        SinkCalls sink = new SinkCalls(runner.getPolicy());
        runner.setSink(sink);
        return sink;
    }

    @Override
    public Sink.Status process() throws EventDeliveryException {
        return calls.<Sink.Status, EventDeliveryException>run(flume::process);
    }

    @Override
    public void setSinks(List<Sink> sinks) {
        flume.setSinks(sinks);
    }

    @Override
    public void configure(Context context) {
        flume.configure(context);
    }

    @Override
    public void start() {
        flume.start();
    }

    @Override
    public void stop() {
        flume.stop();
    }

    @Override
    public LifecycleState getLifecycleState() {
        return flume.getLifecycleState();
    }

    @Override
    public String toString() {
        return flume.toString();
    }
}
