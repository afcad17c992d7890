package org.apache.flume.conf;

public interface BatchSizeSupported {
    long getBatchSize();
}
