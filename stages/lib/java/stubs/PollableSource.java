package org.apache.flume;

public interface PollableSource extends Source {
    Status process() throws EventDeliveryException;
    long getBackOffSleepIncrement();
    long getMaxBackOffSleepInterval();
    enum Status { READY, BACKOFF }
}
