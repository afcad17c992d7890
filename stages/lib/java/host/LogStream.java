package penstock.host;

import java.io.ByteArrayOutputStream;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;

/**
 * Standard output and standard error: each line goes to the agent's log with its level and its component, which is the name
 * of the thread group of the thread that writes it. Logging libraries write "LEVEL text". With penstock-log4j2.xml a
 * mark stands before it: the library has chosen the line by its logger's level, so the agent does not choose again; and what is written with it in
 * one go, as its stack trace is, has the same level.
 */
final class LogStream extends OutputStream {
    private static final String GROUP_PREFIX = "penstock:";
    private static final int LINE_BYTES_MAX = 7000, CAUSES_MAX = 16;
    private static final String MARK = "@", MARK_PROPERTY = "penstock.log.mark", CHOSEN = "!";
    private static final String[] LEVELS = {"TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"};
    private static final FileOutputStream file = new FileOutputStream(FileDescriptor.out);

    private final String usual;
    private final ThreadLocal<Line> line = ThreadLocal.withInitial(Line::new);

    /** What a thread has written of its line. */
    private static final class Line extends ByteArrayOutputStream {
        String chosen; // the level of a line with the mark that the thread writes, or has written in the same go; or null

        void put(byte one) {
            if (size() < LINE_BYTES_MAX)
                write(one);
        }

        String take() {
            String text = new String(toByteArray(), StandardCharsets.UTF_8);
            reset();
            return text;
        }
    }

    private LogStream(String usual) {
        this.usual = usual;
    }

    static void install() throws IOException {
        // With direct encoders, Log4j 2 collects the lines of all threads in one buffer, and one thread writes them.
        if (System.getProperty("log4j2.enable.direct.encoders") == null)
            System.setProperty("log4j2.enable.direct.encoders", "false");
        System.setProperty(MARK_PROPERTY, MARK);
        System.setOut(new PrintStream(new LogStream("INFO"), true, "UTF-8"));
        System.setErr(new PrintStream(new LogStream("WARN"), true, "UTF-8"));
    }

    static ThreadGroup group(String component) {
        return new ThreadGroup(GROUP_PREFIX + component);
    }

    private static String component() {
        ThreadGroup group = Thread.currentThread().getThreadGroup();
        for (; group != null; group = group.getParent()) {
            if (group.getName().startsWith(GROUP_PREFIX))
                return group.getName().substring(GROUP_PREFIX.length());
        }
        return "java";
    }

    static void log(String level, String component, String text, Throwable wrong) {
        String trace = wrong != null ? trace(wrong) : "";
        StringBuilder lines = new StringBuilder();
        for (String one : (text + "\n" + trace).split("\n"))
            lines.append('\1').append(level).append('\1').append(component).append('\1').append(one).append('\n');
        emit(lines.toString().getBytes(StandardCharsets.UTF_8));
    }

    /** The methods of an exception may be a class's own, and throw. */
    private static String trace(Throwable wrong) {
        StringWriter trace = new StringWriter();
        try {
            wrong.printStackTrace(new PrintWriter(trace));
        } catch (Throwable wordless) {
            return Texts.describe(wrong);
        }
        return trace.toString();
    }

    /** Returns the classes of an exception and of its causes, with the calls that led to them, without their texts: those may have a time. */
    static String place(Throwable wrong) {
        StringBuilder place = new StringBuilder();
        for (int i = 0; i < CAUSES_MAX && wrong != null; i++) {
            place.append(wrong.getClass().getName());
            for (StackTraceElement call : wrong.getStackTrace())
                place.append('\n').append(call);
            try {
                wrong = wrong.getCause();
            } catch (Throwable wordless) {
                wrong = null;
            }
        }
        return place.toString();
    }

    /**
     * Says why the main thread ends, in the line that the JVM would write and without level and component, so that the agent takes it for the
     * reason. They use no class that has not been loaded, because the reason may be that there are no more descriptors to read one; the stack
     * trace, behind them, may. Causes can go round.
     */
    static void lastWords(Throwable wrong) {
        StringBuilder lines = new StringBuilder("Exception in thread \"main\" ");
        lines.append(wrong).append('\n');
        Throwable cause = wrong.getCause();
        for (int i = 0; i < CAUSES_MAX && cause != null; i++, cause = cause.getCause())
            lines.append("Caused by: ").append(cause).append('\n');
        emit(lines.toString().getBytes(StandardCharsets.UTF_8));
        log("ERROR", "java", "the Java host cannot start", wrong);
    }

    static void lastWords(String line) {
        emit((line + '\n').getBytes(StandardCharsets.UTF_8));
    }

    private static void emit(byte[] bytes) {
        synchronized (file) {
            try {
                file.write(bytes);
            } catch (IOException gone) {
                return; // the agent is gone
            }
        }
    }

    @Override
    public void write(int one) {
        write(new byte[] {(byte) one}, 0, 1);
    }

    @Override
    public void write(byte[] bytes, int from, int length) {
        Line line = this.line.get();
        line.chosen = null;
        for (int i = from; i < from + length; i++) {
            if (bytes[i] == '\n')
                end(line);
            else
                line.put(bytes[i]);
        }
    }

    private void end(Line line) {
        String text = line.take();
        boolean isMarked = text.startsWith(MARK);
        int start = isMarked ? MARK.length() : 0;
        String level = line.chosen != null ? line.chosen : usual;
        for (String word : LEVELS) {
            if (text.startsWith(word + " ", start)) {
                level = word.equals("FATAL") ? "ERROR" : word;
                if (isMarked)
                    line.chosen = level += CHOSEN;
                text = text.substring(start + word.length() + 1);
                break;
            }
        }
        emit(("\1" + level + "\1" + component() + "\1" + text + "\n").getBytes(StandardCharsets.UTF_8));
    }
}
