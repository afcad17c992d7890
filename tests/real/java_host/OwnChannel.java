package example;

import org.apache.flume.Event;
import org.apache.flume.channel.MemoryChannel;

/** Flume's memory channel, with a mark on each event that it takes in. */
public class OwnChannel extends MemoryChannel {
    @Override
    public void put(Event event) {
        event.getHeaders().put("through", getName());
        super.put(event);
    }
}
