package example;

import java.io.File;
import java.io.IOException;
import java.util.List;
import org.apache.flume.Context;
import org.apache.flume.Event;
import org.apache.flume.interceptor.Interceptor;
import org.apache.flume.sink.NullSink;

/**
 * A sink whose stop() does not return, and an interceptor whose close() does not. At an event `exit` the interceptor calls System.exit if the file
 * `exited` does not exist, with a shutdown hook that does not return. At an event `lock` intercept() does not return, and keeps its own lock.
 */
public class NeverStops extends NullSink {
    static void hang() {
        for (;;) {
            try {
                Thread.sleep(1000);
            } catch (InterruptedException goesOn) {
                continue;
            }
        }
    }

    @Override
    public void stop() {
        System.out.println("NeverStops: stop() begins");
        hang();
    }

    public static final class Builder implements Interceptor.Builder {
        private File exited;

        @Override
        public void configure(Context context) {
            exited = new File(context.getString("exited"));
        }

        @Override
        public Interceptor build() {
            return new Interceptor() {
                @Override
                public void initialize() {}

                @Override
                public synchronized Event intercept(Event event) {
                    try {
                        if (new String(event.getBody()).equals("lock")) {
                            System.out.println("NeverStops: intercept() hangs");
                            hang();
                        }
                        if (new String(event.getBody()).equals("exit") && exited.createNewFile()) {
                            Runtime.getRuntime().addShutdownHook(new Thread(NeverStops::hang));
                            System.exit(3);
                        }
                    } catch (IOException wrong) {
                        throw new IllegalStateException(wrong);
                    }
                    return event;
                }

                @Override
                public List<Event> intercept(List<Event> events) {
                    events.forEach(this::intercept);
                    return events;
                }

                @Override
                public void close() {
                    hang();
                }
            };
        }
    }
}
