package org.apache.flume.interceptor;

import java.util.List;
import org.apache.flume.Event;
import org.apache.flume.conf.Configurable;

public interface Interceptor {
    void initialize();
    Event intercept(Event event);
    List<Event> intercept(List<Event> events);
    void close();
    interface Builder extends Configurable {
        Interceptor build();
    }
}
