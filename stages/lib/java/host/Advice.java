package penstock.host;

import java.net.URL;
import java.security.CodeSource;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** What to do about an error for which the JVM has no better words: a class or a library that is missing, is too new, or is of another version. */
final class Advice {
    private static final Pattern CLASS = Pattern.compile("[\\w$]+(?:[./][\\w$]+)*");
    private static final Pattern METHOD = Pattern.compile("([\\w$]+(?:\\.[\\w$]+)+)\\.[\\w$<>]+\\s*\\(");
    private static final Pattern COMPILED_FOR = Pattern.compile("class file version (\\d+)");
    private static final String PUT_JAR = "put the jar that has it into plugins.d/NAME/lib, or name it in FLUME_CLASSPATH";

    private Advice() {}

    /** Returns what is to be done, behind a semicolon, or an empty text. Must not throw: it runs for errors of every kind. */
    static String on(Throwable wrong) {
        String text = wrong.getMessage() != null ? wrong.getMessage() : "";
        String advice = "";
        if (wrong instanceof UnsupportedClassVersionError)
            advice = onVersion(text);
        else if (wrong instanceof NoClassDefFoundError && text.startsWith("Could not initialize class"))
            advice = "Java initializes a class once in a process, and this failed before: the first error in the log says why; put it right, then restart the agent";
        else if (wrong instanceof NoClassDefFoundError || wrong instanceof ClassNotFoundException)
            advice = onMissing(text);
        else if (wrong instanceof UnsatisfiedLinkError)
            advice = "put the library into plugins.d/NAME/native, or name its folder in FLUME_JAVA_LIBRARY_PATH";
        else if (wrong instanceof IncompatibleClassChangeError)
            advice = onOtherVersion(text);
        else if (wrong instanceof NoSuchMethodException && text.endsWith(".<init>()"))
            advice = "give the class a public constructor without parameters";
        else if (wrong instanceof IllegalStateException && text.startsWith("close() called when transaction is OPEN"))
            advice = "this hides what process() threw before it; often that is a NoClassDefFoundError: try the class with all of its libraries";
        return advice.isEmpty() ? "" : "; " + advice;
    }

    /** Returns whether the cause says nothing that this error does not say: a class that was not found. */
    static boolean isRepeated(Throwable wrong, Throwable cause) {
        return wrong instanceof NoClassDefFoundError && cause instanceof ClassNotFoundException && wrong.getMessage() != null
            && wrong.getMessage().replace('/', '.').equals(cause.getMessage());
    }

    private static String onVersion(String text) {
        Matcher found = COMPILED_FOR.matcher(text);
        String needed = found.find() ? "Java " + (Integer.parseInt(found.group(1)) - 44) : "a newer Java";
        String own = System.getProperty("java.specification.version");
        return "it was compiled for " + needed + ", and this is Java " + own + " of " + System.getProperty("java.home")
            + ": set JAVA_HOME to " + needed + ", or compile it with --release " + own.replaceFirst("^1\\.", "");
    }

    private static String onMissing(String text) {
        if (!CLASS.matcher(text).matches() || ClassLoader.getSystemResource(text.replace('.', '/') + ".class") != null)
            return "";
        return "no jar of the class path has it: " + PUT_JAR;
    }

    private static String onOtherVersion(String text) {
        Matcher found = METHOD.matcher(text);
        URL place = found.find() ? placeOf(found.group(1)) : null;
        String other = "two versions of a library, or another one than the class was compiled with: ";
        return place == null ? other + "look for it among the jars of the class path"
                             : other + found.group(1) + " is from " + place.getPath();
    }

    /** Returns the jar or folder of a class, or null. */
    private static URL placeOf(String name) {
        try {
            CodeSource source = Class.forName(name, false, ClassLoader.getSystemClassLoader()).getProtectionDomain().getCodeSource();
            return source != null ? source.getLocation() : null;
        } catch (ClassNotFoundException | LinkageError | SecurityException unknown) {
            return null;
        }
    }
}
