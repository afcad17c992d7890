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

    /** Returns an error's classes and messages in one line. */
    static String describe(Throwable wrong) {
        StringBuilder text = new StringBuilder();
        for (Throwable at = wrong; at != null && text.length() < 1500; at = at.getCause()) {
            if (text.length() > 0)
                text.append(": ");
            text.append(at.getClass().getName());
            if (at.getMessage() != null)
                text.append(": ").append(at.getMessage());
            if (at.getCause() == at)
                break;
        }
        return text.toString().replace('\n', ' ');
    }
}
