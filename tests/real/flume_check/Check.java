// What a real Flume makes of agent files: of every agent in every file its components, or why there are none. Flume's own
// classes read, validate and configure; nothing is started. One JVM reads all files.
//
// A class that cannot be loaded ends Flume's load, and nothing of the agent runs. Then the component is listed as
// unloadable, and Flume is asked again with the file without it: what would it make of the rest?
//
//   java -cp "$(tests/real/flume classpath)" Check.java FILE...
//
// Prints one JSON object on a line for each agent:
//   {"file": .., "agent": .., "sources": {"r1": ["c1"]}, "channels": ["c1"], "sinks": {"k1": "c1"}, "groups": {"g1": ["k1"]},
//    "log": ["WARN AgentConfiguration: .."], "unloadable": {"sinks.k2": "why"}, "abort": null | "what else ended the load"}
import java.io.File;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.lang.reflect.Field;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.flume.Channel;
import org.apache.flume.NamedComponent;
import org.apache.flume.Sink;
import org.apache.flume.SinkRunner;
import org.apache.flume.SourceRunner;
import org.apache.flume.conf.FlumeConfiguration;
import org.apache.flume.node.MaterializedConfiguration;
import org.apache.flume.node.PropertiesFileConfigurationProvider;
import org.apache.flume.sink.FailoverSinkProcessor;
import org.apache.logging.log4j.Level;
import org.apache.logging.log4j.LogManager;
import org.apache.logging.log4j.core.LogEvent;
import org.apache.logging.log4j.core.LoggerContext;
import org.apache.logging.log4j.core.appender.AbstractAppender;
import org.apache.logging.log4j.core.config.LoggerConfig;
import org.apache.logging.log4j.core.config.Property;

public class Check {
    static final List<String> log = new ArrayList<>();
    static final Pattern creating = Pattern.compile("Creating instance of (source|channel|sink):? (\\S+?),? type:? .*");
    static final Pattern unknown = Pattern.compile("Unable to load (source|channel|sink) type: (.*), class: .*");
    static String component; // that Flume made last: "sinks.k2"

    static class Keep extends AbstractAppender {
        Keep() {
            super("keep", null, null, true, Property.EMPTY_ARRAY);
        }

        public synchronized void append(LogEvent event) {
            Matcher made = creating.matcher(event.getMessage().getFormattedMessage());
            if (made.matches())
                component = made.group(1) + "s." + made.group(2);
            if (!event.getLevel().isMoreSpecificThan(Level.WARN))
                return;
            String name = event.getLoggerName();
            String text = event.getLevel() + " " + name.substring(name.lastIndexOf('.') + 1) + ": "
                + event.getMessage().getFormattedMessage();
            for (Throwable why = event.getThrown(); why != null; why = why.getCause())
                text += " <- " + why;
            log.add(text);
        }
    }

    static String json(Object value) {
        StringBuilder out = new StringBuilder();
        if (value == null)
            return "null";
        if (value instanceof Map) {
            for (Map.Entry<?, ?> entry : ((Map<?, ?>) value).entrySet())
                out.append(out.length() == 0 ? "" : ", ").append(json(entry.getKey())).append(": ").append(json(entry.getValue()));
            return "{" + out + "}";
        }
        if (value instanceof Collection) {
            for (Object one : (Collection<?>) value)
                out.append(out.length() == 0 ? "" : ", ").append(json(one));
            return "[" + out + "]";
        }
        for (char c : value.toString().toCharArray())
            if (c < ' ' || c > '~')
                out.append(String.format("\\u%04x", (int) c));
            else
                out.append(c == '"' || c == '\\' ? "\\" : "").append(c);
        return "\"" + out + "\"";
    }

    static Object field(Object object, Class<?> of, String name) throws Exception {
        Field field = of.getDeclaredField(name);
        field.setAccessible(true);
        return field.get(object);
    }

    // The sinks that a processor uses: a failover group leaves out a sink with the priority of another one.
    static List<Sink> sinks(Object processor) throws Exception {
        List<Sink> found = new ArrayList<>();
        if (processor instanceof FailoverSinkProcessor) {
            for (Object sink : ((Map<?, ?>) field(processor, FailoverSinkProcessor.class, "liveSinks")).values())
                found.add((Sink) sink);
            return found;
        }
        for (Class<?> of = processor.getClass(); of != Object.class; of = of.getSuperclass())
            for (Field field : of.getDeclaredFields()) {
                Object value = field(processor, of, field.getName());
                if (value instanceof Sink)
                    found.add((Sink) value);
                if (value instanceof List)
                    for (Object one : (List<?>) value)
                        if (one instanceof Sink)
                            found.add((Sink) one);
            }
        return found;
    }

    static Map<String, Object> look(File file, String agent) throws Exception {
        Map<String, Object> result = new TreeMap<>(), sources = new TreeMap<>(), sinks = new TreeMap<>(), groups = new TreeMap<>();
        MaterializedConfiguration made = new PropertiesFileConfigurationProvider(agent, file).getConfiguration();
        for (Map.Entry<String, SourceRunner> entry : made.getSourceRunners().entrySet()) {
            TreeSet<String> channels = new TreeSet<>();
            for (Channel channel : entry.getValue().getSource().getChannelProcessor().getSelector().getAllChannels())
                channels.add(((NamedComponent) channel).getName());
            sources.put(entry.getKey(), channels);
        }
        for (Map.Entry<String, SinkRunner> entry : made.getSinkRunners().entrySet()) {
            TreeSet<String> members = new TreeSet<>();
            for (Sink sink : sinks(entry.getValue().getPolicy())) {
                sinks.put(sink.getName(), sink.getChannel().getName());
                members.add(sink.getName());
            }
            if (!members.contains(entry.getKey()) || members.size() > 1)
                groups.put(entry.getKey(), members);
        }
        result.put("sources", sources);
        result.put("channels", new TreeSet<>(made.getChannels().keySet()));
        result.put("sinks", sinks);
        result.put("groups", groups);
        return result;
    }

    static String chain(Throwable thrown) {
        String text = thrown.toString();
        for (Throwable why = thrown.getCause(); why != null; why = why.getCause())
            text += " <- " + why;
        return text;
    }

    // The components that cannot be loaded: those of a type that is not there, or the one that Flume was making.
    static Set<String> culprits(Throwable thrown, String agent, Properties properties) {
        Set<String> found = new TreeSet<>();
        Matcher type = unknown.matcher(String.valueOf(thrown.getMessage()));
        if (type.matches()) {
            Pattern key = Pattern.compile(Pattern.quote(agent + "." + type.group(1) + "s.") + "([^.]+)\\.type");
            for (String name : properties.stringPropertyNames()) {
                Matcher of = key.matcher(name.trim());
                if (of.matches() && properties.getProperty(name).trim().equals(type.group(2)))
                    found.add(type.group(1) + "s." + of.group(1));
            }
        } else if (component != null) {
            found.add(component);
        }
        return found;
    }

    static Map<String, Object> ask(File file, String agent, Properties properties) throws Exception {
        Map<String, Object> result = new TreeMap<>(), unloadable = new TreeMap<>();
        File copy = null;
        Object abort = null;
        log.clear();
        for (;;) {
            component = null;
            try {
                result.putAll(look(copy != null ? copy : file, agent));
                break;
            } catch (Throwable thrown) {
                Set<String> culprits = culprits(thrown, agent, properties);
                if (culprits.isEmpty() || unloadable.keySet().containsAll(culprits)) {
                    abort = chain(thrown);
                    break;
                }
                for (String culprit : culprits) {
                    String below = agent + "." + culprit + ".";
                    properties.stringPropertyNames().stream().filter(key -> key.trim().startsWith(below)).forEach(properties::remove);
                    unloadable.put(culprit, chain(thrown));
                }
                if (copy == null)
                    copy = File.createTempFile("agent", ".properties");
                try (FileOutputStream out = new FileOutputStream(copy)) {
                    properties.store(out, null);
                }
            }
        }
        if (copy != null)
            copy.delete();
        result.put("file", file.getName());
        result.put("agent", agent);
        result.put("unloadable", unloadable);
        result.put("log", new ArrayList<>(log));
        result.put("abort", abort);
        return result;
    }

    public static void main(String[] files) throws Exception {
        LoggerContext context = (LoggerContext) LogManager.getContext(FlumeConfiguration.class.getClassLoader(), false);
        LoggerConfig root = context.getConfiguration().getRootLogger();
        for (String name : new ArrayList<>(root.getAppenders().keySet()))
            root.removeAppender(name);
        Keep keep = new Keep();
        keep.start();
        root.addAppender(keep, Level.INFO, null);
        root.setLevel(Level.INFO);
        context.updateLoggers();
        for (String path : files) {
            File file = new File(path);
            Properties properties = new Properties();
            try (FileInputStream in = new FileInputStream(file)) {
                properties.load(in);
            } catch (IllegalArgumentException malformed) { // Flume ends with it, too
                properties.clear();
            }
            TreeSet<String> agents = new TreeSet<>();
            for (String key : properties.stringPropertyNames())
                if (key.trim().indexOf('.') > 0)
                    agents.add(key.trim().substring(0, key.trim().indexOf('.')));
            for (String agent : agents)
                {
                Properties copy = new Properties();
                copy.putAll(properties);
                System.out.println(json(ask(file, agent, copy)));
            }
        }
        System.exit(0);
    }
}
