package org.apache.flume.channel;

import java.util.List;
import java.util.Map;
import org.apache.flume.Channel;
import org.apache.flume.ChannelSelector;

public class ChannelSelectorFactory {
    public static native ChannelSelector create(List<Channel> channels, Map<String, String> config);
}
