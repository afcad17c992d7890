package org.apache.flume;

import org.apache.flume.lifecycle.LifecycleAware;

public class SinkRunner implements LifecycleAware {
    public native SinkProcessor getPolicy();
    public native void setSink(SinkProcessor policy);
    public native void start();
    public native void stop();
    public native org.apache.flume.lifecycle.LifecycleState getLifecycleState();
}
