package penstock.host;

import java.lang.reflect.Method;

/**
 * Levels of loggers that the agent has read from the user's log4j2.xml or log4j.properties (conf/command/log4j.c): "NAME=LEVEL" with commas between
 * them, where the root logger has no name. They are set in the logging libraries of the class path, which are known by reflection alone, on top of
 * penstock-log4j2.xml and penstock-log4j.properties.
 */
final class LogLevels {
    private static final String PROPERTY = "penstock.log.levels";

    private interface Setter {
        void set(String logger, String level) throws ReflectiveOperationException;
    }

    private LogLevels() {}

    /** To be called by the main thread before a class of the user's is loaded. */
    static void set() {
        String levels = System.getProperty(PROPERTY);
        if (levels == null)
            return;
        // log4j 1 comes first, because its bridge to log4j 2 sets less than log4j 2 does
        setAll(levels, LogLevels::set1);
        setAll(levels, LogLevels::set2);
    }

    private static void setAll(String levels, Setter setter) {
        try {
            for (String entry : levels.split(",")) {
                int at = entry.lastIndexOf('=');
                if (at >= 0)
                    setter.set(entry.substring(0, at), entry.substring(at + 1));
            }
        } catch (ReflectiveOperationException | LinkageError absent) {
            return; // the class path does not have this library
        }
    }

    private static void set1(String logger, String level) throws ReflectiveOperationException {
        Class<?> manager = Class.forName("org.apache.log4j.LogManager");
        Class<?> levels = Class.forName("org.apache.log4j.Level");
        Object one = logger.isEmpty() ? manager.getMethod("getRootLogger").invoke(null)
                                      : manager.getMethod("getLogger", String.class).invoke(null, logger);
        Method setLevel = Class.forName("org.apache.log4j.Category").getMethod("setLevel", levels);
        setLevel.invoke(one, levels.getMethod("toLevel", String.class).invoke(null, level));
    }

    private static void set2(String logger, String level) throws ReflectiveOperationException {
        Class<?> levels = Class.forName("org.apache.logging.log4j.Level");
        Method setLevel =
            Class.forName("org.apache.logging.log4j.core.config.Configurator").getMethod("setLevel", String.class, levels);
        setLevel.invoke(null, logger, levels.getMethod("toLevel", String.class).invoke(null, level));
    }
}
