package example;

import java.nio.charset.StandardCharsets;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericData;
import org.apache.avro.generic.GenericRecord;
import org.apache.flume.Context;
import org.apache.flume.Event;
import org.apache.flume.sink.kite.parser.EntityParser;

/** Makes a record with the one field "line" of each event. */
public class LineParser implements EntityParser<GenericRecord> {
    private final Schema schema;

    private LineParser(Schema schema) {
        this.schema = schema;
    }

    @Override
    public GenericRecord parse(Event event, GenericRecord reuse) {
        GenericRecord record = new GenericData.Record(schema);
        record.put("line", new String(event.getBody(), StandardCharsets.UTF_8));
        return record;
    }

    public static class Builder implements EntityParser.Builder<GenericRecord> {
        @Override
        public EntityParser<GenericRecord> build(Schema schema, Context context) {
            return new LineParser(schema);
        }
    }
}
