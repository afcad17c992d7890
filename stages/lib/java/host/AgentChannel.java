package penstock.host;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.flume.Channel;
import org.apache.flume.ChannelSelector;
import org.apache.flume.Context;
import org.apache.flume.Event;
import org.apache.flume.Transaction;
import org.apache.flume.channel.AbstractChannel;
import org.apache.flume.channel.ChannelSelectorFactory;

/**
 * A channel of a source, for classes that ask where their events go. It has a name; its events are in the agent, and a put past the
 * selector would be in one channel and not in the others.
 */
final class AgentChannel extends AbstractChannel {
    private AgentChannel(String name) {
        setName(name);
        start();
    }

    /** Makes the selector of a source with these keys: Flume's own, which only answers questions. The agent has one of its own. */
    static ChannelSelector selector(Map<String, String> pairs) {
        List<Channel> channels = new ArrayList<>();
        for (String name : pairs.getOrDefault("channels", "").trim().split("\\s+"))
            channels.add(new AgentChannel(name));
        Map<String, String> keys = new HashMap<>(new Context(pairs).getSubProperties("selector."));
        try {
            return ChannelSelectorFactory.create(channels, keys);
        } catch (RuntimeException | LinkageError penstocks) {
            return new Unknown(channels, keys.get("type"));
        }
    }

    private UnsupportedOperationException refusal(String call) {
        return new UnsupportedOperationException(call + "() of channel " + getName() + ": it is in the agent, not in Java; a source puts events by "
                                                 + "getChannelProcessor().processEvent(event) or processEventBatch(events)");
    }

    @Override
    public void put(Event event) {
        throw refusal("put");
    }

    @Override
    public Event take() {
        throw refusal("take");
    }

    @Override
    public Transaction getTransaction() {
        throw refusal("getTransaction");
    }

    @Override
    public String toString() {
        return "channel " + getName() + " of the agent";
    }

    /** A selector of a type that only penstock has: it knows all channels, and not which of them an event goes to. */
    private static final class Unknown implements ChannelSelector {
        private final List<Channel> channels;
        private final String type;

        Unknown(List<Channel> channels, String type) {
            this.channels = channels;
            this.type = type;
        }

        private UnsupportedOperationException refusal() {
            return new UnsupportedOperationException("the channel selector " + type + " is in the agent, not in Java: only it knows which channels an event goes to");
        }

        @Override
        public void setChannels(List<Channel> channels) {
            throw refusal();
        }

        @Override
        public List<Channel> getRequiredChannels(Event event) {
            throw refusal();
        }

        @Override
        public List<Channel> getOptionalChannels(Event event) {
            throw refusal();
        }

        @Override
        public List<Channel> getAllChannels() {
            return channels;
        }

        @Override
        public void configure(Context context) {}

        @Override
        public void setName(String name) {}

        @Override
        public String getName() {
            return null;
        }
    }
}
