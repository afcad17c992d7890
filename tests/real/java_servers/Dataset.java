import org.apache.avro.SchemaBuilder;
import org.kitesdk.data.CompressionType;
import org.kitesdk.data.DatasetDescriptor;
import org.kitesdk.data.Datasets;

/** Makes a dataset of Kite's. Argument: its URI. */
class Dataset {
    public static void main(String[] words) {
        Datasets.create(words[0], new DatasetDescriptor.Builder()
            .schema(SchemaBuilder.record("Line").fields().requiredString("line").endRecord())
            .compressionType(CompressionType.Uncompressed).build());
    }
}
