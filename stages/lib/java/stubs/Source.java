package org.apache.flume;

import org.apache.flume.channel.ChannelProcessor;
import org.apache.flume.lifecycle.LifecycleAware;

public interface Source extends LifecycleAware, NamedComponent {
    void setChannelProcessor(ChannelProcessor processor);
    ChannelProcessor getChannelProcessor();
}
