package example;

import java.lang.reflect.Field;
import java.lang.reflect.Modifier;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.flume.Context;
import org.apache.flume.Event;
import org.apache.flume.event.EventBuilder;
import org.apache.flume.interceptor.Interceptor;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Numbers events in a header, changes bodies, drops each dropEvery-th event, adds one behind each doubleEvery-th. */
public class Change implements Interceptor {
    private static final Logger log = LoggerFactory.getLogger(Change.class);
    private final String prefix;
    private final int dropEvery, doubleEvery;
    private int seen;

    private Change(Context context) {
        prefix = context.getString("prefix", "");
        dropEvery = context.getInteger("drop.every", 0);
        doubleEvery = context.getInteger("double.every", 0);
    }

    @Override
    public void initialize() {
        log.info("begins with {}", prefix);
    }

    /** Fails if a field that is not of Flume leads to an object: a class that copies an event by reflection copies what that leads to. */
    private static void isAlone(Event event) {
        for (Class<?> type = event.getClass(); type != Object.class; type = type.getSuperclass())
            for (Field field : type.getDeclaredFields())
                if (!Modifier.isStatic(field.getModifiers()) && !field.getType().isPrimitive()
                    && !type.getName().startsWith("org.apache.flume."))
                    throw new IllegalStateException("an event leads to " + field);
    }

    @Override
    public Event intercept(Event event) {
        int number = seen++;
        isAlone(event);
        Map<String, String> headers = event.getHeaders();
        if (dropEvery > 0 && number % dropEvery == dropEvery - 1)
            return null;
        headers.put("number", Integer.toString(number));
        headers.remove("gone");
        if (number % 2 == 0)
            event.setBody((prefix + new String(event.getBody(), StandardCharsets.UTF_8)).getBytes(StandardCharsets.UTF_8));
        return event;
    }

    @Override
    public List<Event> intercept(List<Event> events) {
        List<Event> out = new ArrayList<>();
        for (Event event : events) {
            boolean doubled = doubleEvery > 0 && seen % doubleEvery == 0;
            Event changed = intercept(event);
            if (changed != null)
                out.add(changed);
            if (doubled)
                out.add(EventBuilder.withBody("again", StandardCharsets.UTF_8, event.getHeaders()));
        }
        return out;
    }

    @Override
    public void close() {
        log.info("ends after {} events", seen);
    }

    public static class Builder implements Interceptor.Builder {
        private Context context;

        @Override
        public void configure(Context context) {
            this.context = context;
        }

        @Override
        public Interceptor build() {
            return new Change(context);
        }
    }
}
