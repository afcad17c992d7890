// Writes Avro container files with Flume's Avro library: COUNT, then FILE CODEC of each; records of headers and bodies in several blocks.
import java.io.File;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Collections;
import org.apache.avro.Schema;
import org.apache.avro.file.CodecFactory;
import org.apache.avro.file.DataFileWriter;
import org.apache.avro.generic.GenericData;
import org.apache.avro.generic.GenericDatumWriter;
import org.apache.avro.generic.GenericRecord;

public class AvroWrite {
    public static void main(String[] arguments) throws Exception {
        Schema schema = new Schema.Parser().parse("{\"type\":\"record\",\"name\":\"Event\",\"fields\":[" +
            "{\"name\":\"headers\",\"type\":{\"type\":\"map\",\"values\":\"string\"}},{\"name\":\"body\",\"type\":\"bytes\"}]}");
        for (int i = 1; i + 1 < arguments.length; i += 2)
            write(schema, Integer.parseInt(arguments[0]), new File(arguments[i]), arguments[i + 1]);
    }

    private static void write(Schema schema, int count, File file, String codec) throws Exception {
        try (DataFileWriter<GenericRecord> writer = new DataFileWriter<>(new GenericDatumWriter<>(schema))) {
            writer.setCodec(CodecFactory.fromString(codec));
            writer.setSyncInterval(4000);
            writer.create(schema, file);
            for (int i = 0; i < count; i++) {
                GenericRecord event = new GenericData.Record(schema);
                event.put("headers", Collections.singletonMap("number", Integer.toString(i)));
                event.put("body", ByteBuffer.wrap(("event " + i + " é " + String.join("", Collections.nCopies(i % 97, "x"))).getBytes(StandardCharsets.UTF_8)));
                writer.append(event);
            }
        }
    }
}
