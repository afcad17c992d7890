import org.apache.avro.SchemaBuilder;
import org.kitesdk.data.CompressionType;
import org.kitesdk.data.DatasetDescriptor;
import org.kitesdk.data.Datasets;

/** Makes datasets of Kite's. Arguments: their URIs. */
class Dataset {
    public static void main(String[] words) {
        for (String uri : words)
            Datasets.create(uri, new DatasetDescriptor.Builder()
                .schema(SchemaBuilder.record("Line").fields().requiredString("line").endRecord())
                .compressionType(CompressionType.Uncompressed).build());
    }
}
