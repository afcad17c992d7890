package penstock.host;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** The texts of a component's configuration: each behind its length. */
final class Texts {
    private Texts() {}

    static List<String> read(ByteBuffer from, int bytes) {
        List<String> texts = new ArrayList<>();
        ByteBuffer buffer = from.duplicate().order(from.order());
        buffer.limit(bytes);
        while (buffer.hasRemaining()) {
            byte[] text = new byte[buffer.getInt()];
            buffer.get(text);
            texts.add(new String(text, StandardCharsets.UTF_8));
        }
        return texts;
    }

    /** Returns the pairs from this text on. */
    static Map<String, String> pairs(List<String> texts, int from) {
        Map<String, String> pairs = new HashMap<>();
        for (int i = from; i + 1 < texts.size(); i += 2)
            pairs.put(texts.get(i), texts.get(i + 1));
        return pairs;
    }

    /**
     * Returns an error's classes and messages in one line, and what to do about it if that is known. Does not throw, whatever the class's own methods of
     * the error do: the thread that calls it must still tell the agent of the end.
     */
    static String describe(Throwable wrong) {
        try {
            return words(wrong);
        } catch (Throwable wordless) {
            return wrong.getClass().getName() + ", of which no more can be said: its own methods throw " + wordless.getClass().getName();
        }
    }

    private static String words(Throwable wrong) {
        StringBuilder text = new StringBuilder();
        String advice = "";
        for (Throwable at = wrong, cause; at != null && text.length() < 1500; at = cause) {
            cause = at.getCause() == at ? null : at.getCause();
            if (text.length() > 0)
                text.append(": ");
            text.append(at.getClass().getName());
            if (at.getMessage() != null)
                text.append(": ").append(at.getMessage());
            if (cause == null && (at.getMessage() == null || at instanceof NullPointerException))
                text.append(place(at.getStackTrace(), " at "));
            if (advice.isEmpty())
                advice = Advice.on(at);
            if (Advice.isRepeated(at, cause))
                break;
        }
        if (text.length() > 1500)
            text.setLength(1500);
        return text.append(advice).toString().replace('\n', ' ');
    }

    /** Returns the first place that is in a class's own code, behind `before`; an empty text if there is none. */
    static String place(StackTraceElement[] frames, String before) {
        for (StackTraceElement frame : frames)
            if (!frame.getClassName().matches("(java|javax|jdk|sun|penstock|com\\.google\\.common)\\..*"))
                return before + frame.getClassName() + "." + frame.getMethodName() + "(" + frame.getFileName() + ":" + frame.getLineNumber() + ")";
        return "";
    }
}
