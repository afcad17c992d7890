package penstock.host;

import java.lang.reflect.Proxy;
import java.util.List;
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

    HostChannelProcessor(SourceSlots slots, SourceChain chain) {
        super(selector());
        this.slots = slots;
        this.chain = chain;
    }

    private static ChannelSelector selector() {
        Class<?>[] types = {ChannelSelector.class};
        return (ChannelSelector) Proxy.newProxyInstance(ChannelSelector.class.getClassLoader(), types, (proxy, method, values) -> {
            if (method.getDeclaringClass() == Object.class)
                return method.getName().equals("toString") ? "the agent's channel selector" : method.invoke(types, values);
            throw new UnsupportedOperationException("the channel selector is in the agent, not in Java: " + method.getName());
        });
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
