package example;

import java.util.Map;
import org.apache.flume.configfilter.AbstractConfigFilter;

/** Has the values that its configuration names `value.KEY`; throws for the key `throws`. */
public class Vault extends AbstractConfigFilter {
    private Map<String, String> settings;

    @Override
    public void initializeWithConfiguration(Map<String, String> configuration) {
        settings = configuration;
        if (configuration.containsKey("sealed"))
            throw new IllegalStateException("it is sealed");
    }

    @Override
    public String filter(String key) {
        System.out.println(getName() + " is asked for " + key);
        if (key.equals("throws"))
            throw new IllegalArgumentException("oops");
        return settings.get("value." + key);
    }
}
