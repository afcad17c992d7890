// Loads each file named on standard input with java.util.Properties and prints every pair as hexadecimal UTF-8,
// sorted; "refused" for a file that Java refuses. The reference for conf/properties_java_test.c.
import java.io.BufferedReader;
import java.io.FileInputStream;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.Properties;
import java.util.TreeSet;

public class PropertiesDump {
    static String hex(String text) {
        StringBuilder out = new StringBuilder();
        for (byte b : text.replace("\0", "\ufffd").getBytes(StandardCharsets.UTF_8))
            out.append(String.format("%02x", b));
        return out.toString();
    }

    public static void main(String[] args) throws Exception {
        BufferedReader names = new BufferedReader(new InputStreamReader(System.in));
        StringBuilder out = new StringBuilder();
        for (String name; (name = names.readLine()) != null;) {
            Properties properties = new Properties();
            out.append("file\n");
            try (FileInputStream in = new FileInputStream(name)) {
                properties.load(in);
                TreeSet<String> lines = new TreeSet<>();
                for (String key : properties.stringPropertyNames())
                    lines.add(hex(key) + "=" + hex(properties.getProperty(key)) + "\n");
                for (String line : lines)
                    out.append(line);
            } catch (IllegalArgumentException e) {
                out.append("refused\n");
            }
        }
        System.out.print(out);
    }
}
