package org.apache.flume.channel;

import org.apache.flume.Channel;
import org.apache.flume.lifecycle.LifecycleState;

public abstract class AbstractChannel implements Channel {
    public native void start();
    public native void stop();
    public native LifecycleState getLifecycleState();
    public native void setName(String name);
    public native String getName();
}
