package org.apache.flume.channel;

import java.util.List;
import org.apache.flume.ChannelSelector;
import org.apache.flume.Context;
import org.apache.flume.Event;
import org.apache.flume.conf.Configurable;

public class ChannelProcessor implements Configurable {
    public ChannelProcessor(ChannelSelector selector) {}
    public native void initialize();
    public native void close();
    public native void configure(Context context);
    public native ChannelSelector getSelector();
    public native void processEventBatch(List<Event> events);
    public native void processEvent(Event event);
}
