package penstock.host;

import java.util.List;
import org.apache.flume.Context;
import org.apache.flume.Event;
import org.apache.flume.Source;
import org.apache.flume.channel.ChannelProcessor;

/**
 * What a source of a flow puts its events into: Flume's own channel processor, and what became of the calls. A source whose start() does not return
 * has started when one of them has. Any thread of the source calls it; the flow's thread asks `isDone` and `calls`.
 */
final class SourcePuts extends ChannelProcessor {
    final Calls calls = new Calls();
    private final ChannelProcessor flume;
    private volatile boolean done;

    private SourcePuts(ChannelProcessor flume) {
        super(flume.getSelector());
        this.flume = flume;
    }

    /** Stands between the source and its processor; null: the source has none of Flume's kind. Called before the source starts. */
    static SourcePuts of(Source source) {
        ChannelProcessor flume = source.getChannelProcessor();
        if (flume == null)
            return null;
        SourcePuts puts = new SourcePuts(flume);
        source.setChannelProcessor(puts);
        return puts;
    }

    /** Returns whether events have been put. */
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
        calls.run(() -> {
            flume.processEventBatch(events);
            if (some)
                note();
            return null;
        });
    }

    @Override
    public void processEvent(Event event) {
        calls.run(() -> {
            flume.processEvent(event);
            note();
            return null;
        });
    }
}
