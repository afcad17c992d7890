package bench;

import java.util.List;
import org.apache.flume.Context;
import org.apache.flume.Event;
import org.apache.flume.interceptor.Interceptor;

/** Returns the events that it gets. */
public class Same implements Interceptor {
    @Override
    public void initialize() {}

    @Override
    public Event intercept(Event event) {
        return event;
    }

    @Override
    public List<Event> intercept(List<Event> events) {
        return events;
    }

    @Override
    public void close() {}

    /** Makes it. */
    public static class Builder implements Interceptor.Builder {
        @Override
        public Interceptor build() {
            return new Same();
        }

        @Override
        public void configure(Context context) {}
    }
}
