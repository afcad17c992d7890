package example;

import java.io.File;
import java.util.List;
import org.apache.flume.Context;
import org.apache.flume.Event;
import org.apache.flume.EventDrivenSource;
import org.apache.flume.conf.Configurable;
import org.apache.flume.event.EventBuilder;
import org.apache.flume.interceptor.Interceptor;
import org.apache.flume.sink.NullSink;
import org.apache.flume.source.AbstractSource;

/** A sink, a source and an interceptor whose start does not return before the file `until` exists. The source puts an event in it when `event` exists. */
public class Hanging extends NullSink {
    private String until;

    static void await(String until) {
        while (!new File(until).exists()) {
            try {
                Thread.sleep(20);
            } catch (InterruptedException stopped) {
                return;
            }
        }
    }

    @Override
    public void configure(Context context) {
        super.configure(context);
        until = context.getString("until");
    }

    @Override
    public void start() {
        await(until);
        super.start();
    }

    public static final class Source extends AbstractSource implements Configurable, EventDrivenSource {
        private String until, event;

        @Override
        public void configure(Context context) {
            until = context.getString("until");
            event = context.getString("event");
        }

        @Override
        public synchronized void start() {
            if (event != null) {
                await(event);
                getChannelProcessor().processEvent(EventBuilder.withBody(new byte[] {'x'}));
            }
            await(until);
            super.start();
        }
    }

    public static final class Builder implements Interceptor.Builder {
        private String until;

        @Override
        public void configure(Context context) {
            until = context.getString("until");
        }

        @Override
        public Interceptor build() {
            return new Interceptor() {
                @Override
                public void initialize() {
                    await(until);
                }

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
            };
        }
    }
}
