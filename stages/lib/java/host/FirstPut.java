package penstock.host;

import java.util.List;
import org.apache.flume.Context;
import org.apache.flume.Event;
import org.apache.flume.Source;
import org.apache.flume.channel.ChannelProcessor;

/**
 * What a source of a flow puts its events into: Flume's own channel processor, and whether a call has returned. A source whose start() does not return
 * has started by then. Any thread of the source calls it; the flow's thread asks `isDone`.
 */
final class FirstPut extends ChannelProcessor {
    private final ChannelProcessor flume;
    private volatile boolean done;

    private FirstPut(ChannelProcessor flume) {
        super(flume.getSelector());
        this.flume = flume;
    }

    /** Stands between the source and its processor; null: the source has none of Flume's kind. Called before the source starts. */
    static FirstPut of(Source source) {
        ChannelProcessor flume = source.getChannelProcessor();
        if (flume == null)
            return null;
        FirstPut first = new FirstPut(flume);
        source.setChannelProcessor(first);
        return first;
    }

    boolean isDone() {
        return done;
    }

    private void note() {
        if (!done)
            done = true;
    }

    @Override
    public void initialize() {
        flume.initialize();
    }

    @Override
    public void close() {
        flume.close();
    }

    @Override
    public void configure(Context context) {
        flume.configure(context);
    }

    @Override
    public void processEventBatch(List<Event> events) {
        boolean some = events != null && !events.isEmpty();
        flume.processEventBatch(events);
        if (some)
            note();
    }

    @Override
    public void processEvent(Event event) {
        flume.processEvent(event);
        note();
    }
}
