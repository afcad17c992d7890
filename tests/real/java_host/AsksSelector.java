package example;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.apache.flume.Channel;
import org.apache.flume.ChannelSelector;
import org.apache.flume.EventDrivenSource;
import org.apache.flume.event.EventBuilder;
import org.apache.flume.source.AbstractSource;

/** Asks its selector where events go, and puts the answers as events. */
public class AsksSelector extends AbstractSource implements EventDrivenSource {
    private void tell(String kind, String text) {
        getChannelProcessor().processEvent(EventBuilder.withBody(text.getBytes(), Collections.singletonMap("kind", kind)));
    }

    private static String names(List<Channel> channels) {
        List<String> names = new ArrayList<>();
        for (Channel channel : channels)
            names.add(channel.getName());
        Collections.sort(names); // Flume's are in the order of a hash
        return names.toString();
    }

    @Override
    public synchronized void start() {
        ChannelSelector selector = getChannelProcessor().getSelector();
        tell("a", "all " + names(selector.getAllChannels()) + " " + selector.getAllChannels().get(0).getLifecycleState());
        for (String kind : new String[] {"a", "b", "other"}) {
            try {
                org.apache.flume.Event event = EventBuilder.withBody(new byte[0], Collections.singletonMap("kind", kind));
                tell(kind, kind + ": required " + names(selector.getRequiredChannels(event)) + ", optional " + names(selector.getOptionalChannels(event)));
            } catch (UnsupportedOperationException unknown) {
                tell(kind, kind + ": " + unknown.getMessage());
            }
        }
        super.start();
    }
}
