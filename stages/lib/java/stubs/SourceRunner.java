package org.apache.flume;

import org.apache.flume.lifecycle.LifecycleAware;

public abstract class SourceRunner implements LifecycleAware {
    public native Source getSource();
}
