import java.lang.reflect.Field;
import java.util.Map;
import java.util.TreeMap;
import org.apache.kafka.common.config.ConfigDef;

/** Prints the defaults of the Kafka clients on the class path: client, property, default. Properties without one are left out. */
public class Defaults {
    public static void main(String[] args) throws Exception {
        print("consumer", "org.apache.kafka.clients.consumer.ConsumerConfig");
        print("producer", "org.apache.kafka.clients.producer.ProducerConfig");
    }

    private static void print(String client, String className) throws Exception {
        Field field = Class.forName(className).getDeclaredField("CONFIG");
        field.setAccessible(true);
        Map<String, ConfigDef.ConfigKey> keys = new TreeMap<>(((ConfigDef) field.get(null)).configKeys());
        for (ConfigDef.ConfigKey key : keys.values()) {
            if (!key.hasDefault() || key.defaultValue == null)
                continue;
            String value = ConfigDef.convertToString(key.defaultValue, key.type);
            if (!value.isEmpty())
                System.out.println(client + "\t" + key.name + "\t" + value);
        }
    }
}
