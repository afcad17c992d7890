package example;

import org.apache.flume.Context;
import org.apache.flume.conf.ComponentConfiguration;
import org.apache.flume.interceptor.RegexExtractorInterceptorSerializer;

/** Puts a mark around the group of a regex_extractor. */
public class MarkedGroup implements RegexExtractorInterceptorSerializer {
    private String mark;

    @Override
    public void configure(Context context) {
        mark = context.getString("mark", "-");
    }

    @Override
    public void configure(ComponentConfiguration configuration) {
        // it has none
    }

    @Override
    public String serialize(String value) {
        return mark + value + mark;
    }
}
