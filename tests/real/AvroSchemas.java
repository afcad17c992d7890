// Asks Avro's Schema.Parser about each schema of a table, one a line behind a word and a tab, and prints the table with Java's words.
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Paths;
import org.apache.avro.Schema;

public class AvroSchemas {
    public static void main(String[] files) throws Exception {
        for (String line : Files.readAllLines(Paths.get(files[0]), StandardCharsets.UTF_8)) {
            String schema = line.substring(line.indexOf('\t') + 1);
            String word = "taken";
            try {
                new Schema.Parser().parse(schema);
            } catch (RuntimeException e) {
                word = "refused";
            }
            System.out.println(word + "\t" + schema);
        }
    }
}
