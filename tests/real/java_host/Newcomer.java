package example;

import java.util.List;
import org.apache.flume.Context;
import org.apache.flume.Event;
import org.apache.flume.interceptor.Interceptor;

/** An interceptor with the mistakes of a first one, by the key `mistake`. The test removes or exchanges the class Library. */
public class Newcomer implements Interceptor {
    /** A class of a library. */
    public static class Library {
        public static void call() {
        }
    }

    /** A class whose static initializer throws. */
    public static class Unready {
        static final int NUMBER = Integer.parseInt("many");
    }

    private final String mistake;

    Newcomer(String mistake) {
        this.mistake = mistake;
    }

    @Override
    public void initialize() {
    }

    @Override
    public void close() {
    }

    @Override
    public Event intercept(Event event) {
        if (mistake.equals("event"))
            Library.call();
        return event;
    }

    @Override
    public List<Event> intercept(List<Event> events) {
        for (Event event : events)
            intercept(event);
        return events;
    }

    public static class Builder implements Interceptor.Builder {
        private String mistake;

        @Override
        public Interceptor build() {
            return new Newcomer(mistake);
        }

        @Override
        public void configure(Context context) {
            mistake = context.getString("mistake");
            if (mistake.equals("library"))
                Library.call();
            if (mistake.equals("initializer"))
                System.out.println(Unready.NUMBER);
            if (mistake.equals("again"))
                callUnready();
            if (mistake.equals("key"))
                com.google.common.base.Preconditions.checkNotNull(context.getString("table"));
            if (mistake.equals("native"))
                System.loadLibrary("absent");
        }

        private static void callUnready() {
            try {
                System.out.println(Unready.NUMBER);
            } catch (ExceptionInInitializerError first) {
                System.out.println(Unready.NUMBER);
            }
        }
    }
}
