package example;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.apache.flume.Context;
import org.apache.flume.Event;
import org.apache.flume.event.EventBuilder;
import org.apache.flume.serialization.EventDeserializer;
import org.apache.flume.serialization.ResettableInputStream;

/** Makes an event of each two lines, with `deserializer.between` between them. */
public class PairDeserializer implements EventDeserializer {
    private final ResettableInputStream in;
    private final String between;

    private PairDeserializer(Context context, ResettableInputStream in) {
        this.in = in;
        between = context.getString("between", "|");
    }

    private String line() throws IOException {
        StringBuilder line = new StringBuilder();
        int next = in.readChar();
        if (next == -1)
            return null;
        for (; next != -1 && next != '\n'; next = in.readChar())
            line.append((char) next);
        return line.toString();
    }

    @Override
    public Event readEvent() throws IOException {
        String first = line(), second = first == null ? null : line();
        return first == null ? null : EventBuilder.withBody((first + between + second).getBytes("UTF-8"));
    }

    @Override
    public List<Event> readEvents(int count) throws IOException {
        List<Event> events = new ArrayList<>();
        for (Event event; events.size() < count && (event = readEvent()) != null;)
            events.add(event);
        return events;
    }

    @Override
    public void mark() throws IOException {
        in.mark();
    }

    @Override
    public void reset() throws IOException {
        in.reset();
    }

    @Override
    public void close() throws IOException {
        in.close();
    }

    public static class Builder implements EventDeserializer.Builder {
        @Override
        public EventDeserializer build(Context context, ResettableInputStream in) {
            return new PairDeserializer(context, in);
        }
    }
}
