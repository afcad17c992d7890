// Prints the events of Avro files, read with Flume's Avro library: codec, headers sorted by name, body.
import java.io.File;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.TreeMap;
import org.apache.avro.file.DataFileReader;
import org.apache.avro.generic.GenericDatumReader;
import org.apache.avro.generic.GenericRecord;

public class AvroDump {
    public static void main(String[] files) throws Exception {
        for (String file : files) {
            try (DataFileReader<GenericRecord> reader =
                     new DataFileReader<>(new File(file), new GenericDatumReader<>())) {
                System.out.println(reader.getSchema() + " " + reader.getMetaString("avro.codec"));
                for (GenericRecord event : reader) {
                    TreeMap<String, String> headers = new TreeMap<>();
                    ((Map<?, ?>) event.get("headers")).forEach((k, v) -> headers.put(k.toString(), v.toString()));
                    ByteBuffer body = (ByteBuffer) event.get("body");
                    System.out.println(headers + " " + StandardCharsets.UTF_8.decode(body));
                }
            }
        }
    }
}
