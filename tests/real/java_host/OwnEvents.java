package example;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.flume.Context;
import org.apache.flume.Event;
import org.apache.flume.EventDrivenSource;
import org.apache.flume.conf.Configurable;
import org.apache.flume.interceptor.Interceptor;
import org.apache.flume.source.AbstractSource;

/** Puts events of a class of its own, which its interceptor recognizes: the first as a list, the others one by one. */
public class OwnEvents extends AbstractSource implements EventDrivenSource, Configurable {
    private int events;

    static final class Numbered implements Event {
        final int number; // not in headers or body
        private Map<String, String> headers = new HashMap<>();
        private byte[] body;

        Numbered(int number) {
            this.number = number;
            body = ("event " + number).getBytes(StandardCharsets.UTF_8);
        }

        @Override
        public Map<String, String> getHeaders() {
            return headers;
        }

        @Override
        public void setHeaders(Map<String, String> headers) {
            this.headers = headers;
        }

        @Override
        public byte[] getBody() {
            return body;
        }

        @Override
        public void setBody(byte[] body) {
            this.body = body;
        }
    }

    @Override
    public void configure(Context context) {
        events = context.getInteger("events", 0);
    }

    @Override
    public synchronized void start() {
        super.start();
        List<Event> list = new ArrayList<>();
        for (int i = 0; i < events; i++)
            list.add(new Numbered(i));
        getChannelProcessor().processEventBatch(new ArrayList<>(list.subList(0, events / 2)));
        for (Event event : list.subList(events / 2, events))
            getChannelProcessor().processEvent(event);
    }

    /** Drops each seventh event, and notes the number of the others. */
    public static class Recognize implements Interceptor {
        private boolean begun;

        @Override
        public void initialize() {
            begun = true;
        }

        @Override
        public Event intercept(Event event) {
            int number = event instanceof Numbered ? ((Numbered) event).number : -1;
            if (number % 7 == 0)
                return null;
            event.getHeaders().put("number", number + (begun ? "" : " before initialize()"));
            return event;
        }

        @Override
        public List<Event> intercept(List<Event> events) {
            List<Event> left = new ArrayList<>();
            for (Event event : events)
                if (intercept(event) != null)
                    left.add(event);
            return left;
        }

        @Override
        public void close() {
            begun = false;
        }

        public static class Builder implements Interceptor.Builder {
            @Override
            public Interceptor build() {
                return new Recognize();
            }

            @Override
            public void configure(Context context) {}
        }
    }
}
