package org.apache.flume.lifecycle;

public interface LifecycleAware {
    void start();
    void stop();
    LifecycleState getLifecycleState();
}
