// Writes an Avro container file with Flume's Avro library: FILE CODEC COUNT; records of headers and bodies in several blocks.
import java.io.File;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Map;
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
        try (DataFileWriter<GenericRecord> writer = new DataFileWriter<>(new GenericDatumWriter<>(schema))) {
            writer.setCodec(CodecFactory.fromString(arguments[1]));
            writer.setSyncInterval(4000);
            writer.create(schema, new File(arguments[0]));
            for (int i = 0; i < Integer.parseInt(arguments[2]); i++) {
                GenericRecord event = new GenericData.Record(schema);
                event.put("headers", Map.of("number", Integer.toString(i)));
                event.put("body", ByteBuffer.wrap(("event " + i + " é " + "x".repeat(i % 97)).getBytes(StandardCharsets.UTF_8)));
                writer.append(event);
            }
        }
    }
}
