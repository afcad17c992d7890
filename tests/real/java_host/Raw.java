package example;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import org.apache.flume.Context;
import org.apache.flume.Event;
import org.apache.flume.event.SimpleEvent;
import org.apache.flume.interceptor.Interceptor;

/** Makes of each event what its body says and the compiler does not check: headers of other classes, what is null, one event twice, far too many headers. */
public class Raw implements Interceptor {
    private Event kept = new SimpleEvent();

    @Override
    public void initialize() {
    }

    @Override
    public void close() {
    }

    @SuppressWarnings({"unchecked", "rawtypes"})
    @Override
    public Event intercept(Event event) {
        String text = new String(event.getBody());
        Map headers = event.getHeaders();
        if (text.startsWith("values")) {
            headers.put("number", 7);
            headers.put("text", new StringBuilder("built"));
            headers.put("list", Collections.singletonList(text));
        } else if (text.startsWith("key")) {
            headers.put(12L, "long");
        } else if (text.startsWith("null value")) {
            headers.put("none", null);
        } else if (text.startsWith("null key")) {
            headers.put(null, "x");
        } else if (text.startsWith("null body")) {
            event.setBody(null);
        } else if (text.startsWith("many")) {
            for (int i = 0; i < 5000; i++)
                headers.put("h" + i, "");
        } else if (text.startsWith("fresh")) { // the class makes an event of its own, as with EventBuilder
            Event fresh = new SimpleEvent();
            fresh.setBody(event.getBody());
            for (int i = 0; i < 5000; i++)
                fresh.getHeaders().put("h" + i, "");
            return fresh;
        } else if (text.startsWith("swap")) { // the event of the call before takes its place
            Event before = kept;
            kept = event;
            return before;
        }
        return event;
    }

    @Override
    public List<Event> intercept(List<Event> events) {
        List<Event> result = new ArrayList<>();
        for (Event event : events) {
            Event one = intercept(event);
            result.add(one);
            if (new String(event.getBody()).startsWith("twice")) {
                result.add(one);
                one.getHeaders().put("after", "both"); // it is one object
            }
        }
        return Collections.unmodifiableList(result);
    }

    public static class Builder implements Interceptor.Builder {
        @Override
        public Interceptor build() {
            return new Raw();
        }

        @Override
        public void configure(Context context) {
        }
    }
}
