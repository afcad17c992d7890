// Prints the events of Avro files, read with Flume's Avro library: codec, headers sorted by name, body (the text of a gzip file).
// What is no event of Flume is printed as it is; so is an argument that begins with "-- ", a mark between files.
import java.io.ByteArrayInputStream;
import java.io.File;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.TreeMap;
import java.util.zip.GZIPInputStream;
import org.apache.avro.file.DataFileReader;
import org.apache.avro.generic.GenericDatumReader;
import org.apache.avro.generic.GenericRecord;
import org.apache.commons.io.IOUtils;

public class AvroDump {
    public static void main(String[] files) throws Exception {
        for (String file : files) {
            if (file.startsWith("-- ")) {
                System.out.println(file);
                continue;
            }
            try (DataFileReader<Object> reader =
                     new DataFileReader<>(new File(file), new GenericDatumReader<>())) {
                System.out.println(reader.getSchema() + " " + reader.getMetaString("avro.codec"));
                for (Object datum : reader) {
                    if (!(datum instanceof GenericRecord)) {
                        System.out.println(datum);
                        continue;
                    }
                    GenericRecord event = (GenericRecord) datum;
                    TreeMap<String, String> headers = new TreeMap<>();
                    ((Map<?, ?>) event.get("headers")).forEach((k, v) -> headers.put(k.toString(), v.toString()));
                    ByteBuffer body = (ByteBuffer) event.get("body");
                    if (body.remaining() > 2 && body.get(0) == 0x1f && body.get(1) == (byte)0x8b) {
                        byte[] packed = new byte[body.remaining()];
                        body.get(packed);
                        body = ByteBuffer.wrap(IOUtils.toByteArray(new GZIPInputStream(new ByteArrayInputStream(packed))));
                    }
                    System.out.println(headers + " " + StandardCharsets.UTF_8.decode(body));
                }
            }
        }
    }
}
