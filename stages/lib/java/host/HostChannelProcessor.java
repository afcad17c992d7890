package penstock.host;

import java.util.List;
import java.util.Map;
import org.apache.flume.ChannelSelector;
import org.apache.flume.Context;
import org.apache.flume.Event;
import org.apache.flume.channel.ChannelProcessor;

/**
 * What a source puts its events into. Selector and channels are in the agent, and interceptors but for the first ones; a call returns when the required
 * channels have the events, and throws a ChannelException when one of them has refused some.
 */
final class HostChannelProcessor extends ChannelProcessor {
    private final SourceSlots slots;
    private final SourceChain chain;
    private final Map<String, String> pairs; // of the source
    private ChannelSelector selector; // made when a class asks for it, which few do

    HostChannelProcessor(SourceSlots slots, SourceChain chain, Map<String, String> pairs) {
        super(null);
        this.slots = slots;
        this.chain = chain;
        this.pairs = pairs;
    }

    @Override
    public synchronized ChannelSelector getSelector() {
        if (selector == null)
            selector = AgentChannel.selector(pairs);
        return selector;
    }

    @Override
    public void initialize() {}

    @Override
    public void close() {}

    @Override
    public void configure(Context context) {}

    @Override
    public void processEventBatch(List<Event> events) {
        if (events == null)
            throw new NullPointerException("Event list must not be null");
        slots.put(chain.intercept(events));
    }

    @Override
    public void processEvent(Event event) {
        Event result = chain.intercept(event);
        if (result != null)
            slots.put(result);
    }
}
