package example;

import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import org.apache.flume.Context;
import org.apache.flume.Event;
import org.apache.flume.interceptor.Interceptor;

/**
 * An interceptor that does what the first word of a body says: throws a checked exception that it does not declare, leaves threads interrupted, makes
 * 500 events of one, or gives headers or a list that have another number of elements than their size() says.
 */
public class Misbehave implements Interceptor {
    @Override
    public void initialize() {
    }

    @Override
    public void close() {
    }

    @SuppressWarnings("unchecked")
    private static <T extends Throwable> void throwUndeclared(Throwable wrong) throws T {
        throw (T) wrong;
    }

    @Override
    public Event intercept(Event event) {
        String text = new String(event.getBody());
        if (text.startsWith("checked"))
            Misbehave.<RuntimeException>throwUndeclared(new IOException("not declared"));
        if (text.startsWith("large")) { // so that the answer needs other memory than the batch
            byte[] body = Arrays.copyOf(event.getBody(), 700000);
            Arrays.fill(body, event.getBody().length, body.length, (byte)'.');
            event.setBody(body);
            Thread.currentThread().interrupt();
        }
        if (text.startsWith("own"))
            Thread.currentThread().interrupt();
        if (text.startsWith("all"))
            Thread.getAllStackTraces().keySet().forEach(Thread::interrupt);
        if (text.startsWith("map"))
            event.setHeaders(new Miscounted());
        return event;
    }

    private static class Miscounted extends HashMap<String, String> {
        @Override
        public int size() {
            return 100;
        }
    }

    private static class Empty extends ArrayList<Event> {
        Empty(List<Event> events) {
            super(events);
        }

        @Override
        public Iterator<Event> iterator() {
            return Collections.emptyIterator();
        }
    }

    @Override
    public List<Event> intercept(List<Event> events) {
        if (new String(events.get(0).getBody()).startsWith("list"))
            return new Empty(events);
        List<Event> result = new ArrayList<>();
        for (Event event : events) {
            intercept(event);
            boolean isMany = new String(event.getBody()).startsWith("many");
            for (int i = 0; i < (isMany ? 500 : 1); i++)
                result.add(event);
        }
        return result;
    }

    public static class Builder implements Interceptor.Builder {
        private boolean isNone;

        @Override
        public Interceptor build() {
            return isNone ? null : new Misbehave();
        }

        @Override
        public void configure(Context context) {
            isNone = context.getBoolean("none", false);
        }
    }
}
