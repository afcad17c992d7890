package example;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.apache.flume.Channel;
import org.apache.flume.Context;
import org.apache.flume.Event;
import org.apache.flume.channel.AbstractChannelSelector;

/** Sends each event to the channel whose number is the length of its body, modulo their number. */
public class OwnSelector extends AbstractChannelSelector {
    @Override
    public List<Channel> getRequiredChannels(Event event) {
        List<Channel> all = new ArrayList<>(getAllChannels());
        return Collections.singletonList(all.get(event.getBody().length % all.size()));
    }

    @Override
    public List<Channel> getOptionalChannels(Event event) {
        return Collections.emptyList();
    }

    @Override
    public void configure(Context context) {}
}
