package example;

/** The counters of CountsBadly. */
public interface CountsBadlyMBean {
    long getChannelSize();
}
