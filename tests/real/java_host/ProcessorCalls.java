package example;

import java.io.FileWriter;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import org.apache.flume.ChannelException;
import org.apache.flume.Context;
import org.apache.flume.Event;
import org.apache.flume.EventDrivenSource;
import org.apache.flume.conf.Configurable;
import org.apache.flume.event.EventBuilder;
import org.apache.flume.event.SimpleEvent;
import org.apache.flume.source.AbstractSource;

/** Calls its ChannelProcessor as Flume's own TestChannelProcessor does, and writes what the calls answered. */
public class ProcessorCalls extends AbstractSource implements Configurable, EventDrivenSource {
    private static final class Bodiless extends SimpleEvent {
        @Override
        public byte[] getBody() {
            throw new IllegalStateException("it has no body");
        }
    }

    private String path;

    @Override
    public void configure(Context context) {
        path = context.getString("path");
    }

    private Event event(int number) {
        return EventBuilder.withBody("event " + number, StandardCharsets.UTF_8, Collections.singletonMap("by", getName()));
    }

    private void ask(PrintWriter out, String what, Runnable call) {
        String answer = "done";
        try {
            call.run();
        } catch (ChannelException full) {
            answer = full.getClass().getName();
        } catch (RuntimeException wrong) {
            answer = wrong.toString();
        }
        out.println(what + ": " + answer);
    }

    @Override
    public synchronized void start() {
        List<Event> events = new ArrayList<>();
        for (int i = 0; i < 100; i++)
            events.add(event(i));
        try (PrintWriter out = new PrintWriter(new FileWriter(path))) {
            out.println("name " + getName() + ", state " + getLifecycleState());
            ask(out, "one event", () -> getChannelProcessor().processEvent(event(1000)));
            ask(out, "a list", () -> getChannelProcessor().processEventBatch(events));
            ask(out, "an empty list", () -> getChannelProcessor().processEventBatch(Collections.emptyList()));
            ask(out, "no list", () -> getChannelProcessor().processEventBatch(null));
            ask(out, "a list with a null", () -> getChannelProcessor().processEventBatch(Arrays.asList(event(1), null, event(2))));
            ask(out, "a body that throws", () -> getChannelProcessor().processEvent(new Bodiless()));
            ask(out, "a list with one", () -> getChannelProcessor().processEventBatch(Arrays.asList(event(1), new Bodiless(), event(2))));
            super.start();
            out.println("state " + getLifecycleState());
        } catch (IOException wrong) {
            throw new IllegalStateException(wrong);
        }
    }
}
