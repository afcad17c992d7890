package example;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.util.TreeMap;
import org.apache.flume.Context;
import org.apache.flume.Event;
import org.apache.flume.serialization.EventSerializer;

/** Writes headers in order and the body, between a first and a last line. */
public class FramedSerializer implements EventSerializer {
    private final OutputStream out;
    private final String mark;
    private int events;

    private FramedSerializer(Context context, OutputStream out) {
        this.out = out;
        mark = context.getString("mark", "-");
    }

    private void line(String text) throws IOException {
        out.write((text + "\n").getBytes(StandardCharsets.UTF_8));
    }

    @Override
    public void afterCreate() throws IOException {
        line(mark + " begins");
    }

    @Override
    public void afterReopen() {}

    @Override
    public void write(Event event) throws IOException {
        events++;
        line(new TreeMap<>(event.getHeaders()) + " " + new String(event.getBody(), StandardCharsets.UTF_8));
    }

    @Override
    public void flush() {}

    @Override
    public void beforeClose() throws IOException {
        line(mark + " ends after " + events);
    }

    @Override
    public boolean supportsReopen() {
        return false;
    }

    public static class Builder implements EventSerializer.Builder {
        @Override
        public EventSerializer build(Context context, OutputStream out) {
            return new FramedSerializer(context, out);
        }
    }
}
