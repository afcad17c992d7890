package org.apache.flume.conf;

import org.apache.flume.Context;

public interface Configurable {
    void configure(Context context);
}
