package org.apache.flume;

import org.apache.flume.lifecycle.LifecycleAware;

public interface Channel extends LifecycleAware, NamedComponent {
    void put(Event event) throws ChannelException;
    Event take() throws ChannelException;
    Transaction getTransaction();
}
