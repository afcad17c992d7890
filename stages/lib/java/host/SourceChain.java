package penstock.host;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.flume.Context;
import org.apache.flume.Event;
import org.apache.flume.interceptor.Interceptor;
import org.apache.flume.interceptor.InterceptorBuilderFactory;

/**
 * The first interceptors of a source, those that run with it on its own threads and get its own events, as in Flume. The agent
 * says how many they are.
 */
final class SourceChain {
    private final List<Interceptor> interceptors = new ArrayList<>();

    SourceChain(Map<String, String> pairs) throws ReflectiveOperationException {
        int count = Integer.parseInt(pairs.getOrDefault("penstock.interceptors", "0"));
        if (count == 0)
            return;
        Context context = new Context(pairs);
        String[] names = pairs.get("interceptors").trim().split("\\s+");
        for (int i = 0; i < count; i++) {
            String prefix = "interceptors." + names[i] + ".";
            Interceptor.Builder builder = InterceptorBuilderFactory.newInstance(pairs.get(prefix + "type"));
            interceptors.add(build(builder, new Context(context.getSubProperties(prefix))));
        }
    }

    static Interceptor build(Interceptor.Builder builder, Context context) {
        builder.configure(context);
        Interceptor interceptor = builder.build();
        if (interceptor == null)
            throw new NullPointerException(builder.getClass().getName() + " has built no interceptor: build() returned null");
        return interceptor;
    }

    void initialize() {
        for (Interceptor interceptor : interceptors)
            interceptor.initialize();
    }

    void close() {
        for (Interceptor interceptor : interceptors)
            interceptor.close();
    }

    /** Returns null when one of them drops the event. */
    Event intercept(Event event) {
        for (Interceptor interceptor : interceptors) {
            if (event == null)
                return null;
            event = interceptor.intercept(event);
        }
        return event;
    }

    List<Event> intercept(List<Event> events) {
        for (Interceptor interceptor : interceptors) {
            if (events.isEmpty())
                return events;
            events = interceptor.intercept(events);
            if (events == null)
                throw new NullPointerException("Event list returned null from interceptor " + interceptor);
        }
        return events;
    }
}
