package example;

import java.nio.charset.StandardCharsets;
import org.apache.flume.Context;
import org.apache.flume.Event;
import org.apache.flume.event.EventBuilder;
import org.apache.flume.sink.hdfs.SequenceFileSerializer;
import org.apache.flume.sink.hdfs.SequenceFileSerializerType;

/** Makes the records of Flume's writeFormat Text, with a mark and the length before each body. */
public class OwnRecords implements SequenceFileSerializer {
    private final SequenceFileSerializer texts;
    private final String mark;

    private OwnRecords(Context context) throws ReflectiveOperationException {
        texts = SequenceFileSerializerType.Text.getBuilderClass().getDeclaredConstructor().newInstance().build(context);
        mark = context.getString("mark", "-");
    }

    @Override
    public Class<?> getKeyClass() {
        return texts.getKeyClass();
    }

    @Override
    public Class<?> getValueClass() {
        return texts.getValueClass();
    }

    @Override
    public Iterable<Record> serialize(Event event) {
        String body = new String(event.getBody(), StandardCharsets.UTF_8);
        String text = mark + " " + event.getBody().length + " " + body;
        return texts.serialize(EventBuilder.withBody(text, StandardCharsets.UTF_8, event.getHeaders()));
    }

    public static class Builder implements SequenceFileSerializer.Builder {
        @Override
        public SequenceFileSerializer build(Context context) {
            try {
                return new OwnRecords(context);
            } catch (ReflectiveOperationException wrong) {
                throw new IllegalStateException(wrong);
            }
        }
    }
}
