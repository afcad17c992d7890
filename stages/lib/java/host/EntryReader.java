package penstock.host;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Map;
import org.apache.flume.event.SimpleEvent;

/**
 * Reads events from entries of the shared memory. It has a view of its own of these entries, and so belongs to one thread, or to whoever has the
 * lock. Bytes are copied once, into the arrays and texts of the events.
 */
final class EntryReader {
    static final int HEAD_BYTES = 20, HEADER_COUNT = 16; // the size of an entry's head, and the place of this number in it
    private static final int BODY_LENGTH = 12;
    private static final int NAMES = 16;

    private ByteBuffer entries;
    private byte[] bytes = new byte[256]; // of the headers of one event
    private int end; // of the headers that were read last
    // Header names by their place in the event: most events of a flow have the same ones, and a text that is there has its hash already.
    private final byte[][] nameBytes = new byte[NAMES][];
    private final String[] names = new String[NAMES];

    EntryReader() {}

    EntryReader(ByteBuffer area) {
        open(area);
    }

    /** Reads from this area from now on. */
    void open(ByteBuffer area) {
        entries = area.duplicate().order(area.order());
        entries.clear();
    }

    /** The size of the entry at this place. */
    int size(int at) {
        int size = entries.getInt(at);
        if (size < HEAD_BYTES)
            throw new IllegalStateException("the agent has taken the memory of this batch back");
        return size;
    }

    void read(int at, SimpleEvent event) {
        readHeaders(at, event.getHeaders());
        event.setBody(readBody(at, end));
    }

    /** Adds the headers of an event. */
    void readHeaders(int at, Map<String, String> to) {
        int count = entries.getInt(at + HEADER_COUNT), length = 0;
        end = at + HEAD_BYTES;
        if (count == 0)
            return;
        length = size(at) - HEAD_BYTES - entries.getInt(at + BODY_LENGTH);
        if (bytes.length < length)
            bytes = new byte[Math.max(length, 2 * bytes.length)];
        entries.position(end);
        entries.get(bytes, 0, length);
        int next = 0;
        for (int i = 0; i < count; i++) {
            int nameLength = entries.getInt(end + next), valueLength = entries.getInt(end + next + 4);
            String name = name(i, next + 8, nameLength);
            next += 8 + nameLength;
            to.put(name, new String(bytes, next, valueLength, StandardCharsets.UTF_8));
            next += valueLength;
        }
        end += next;
    }

    private String name(int number, int from, int length) {
        if (number >= NAMES)
            return new String(bytes, from, length, StandardCharsets.UTF_8);
        if (!isSame(nameBytes[number], from, length)) {
            nameBytes[number] = Arrays.copyOfRange(bytes, from, from + length);
            names[number] = new String(bytes, from, length, StandardCharsets.UTF_8);
        }
        return names[number];
    }

    private boolean isSame(byte[] known, int from, int length) {
        if (known == null || known.length != length)
            return false;
        for (int i = 0; i < length; i++) {
            if (known[i] != bytes[from + i])
                return false;
        }
        return true;
    }

    byte[] readBody(int at) {
        return readBody(at, bodyAt(at));
    }

    private byte[] readBody(int at, int from) {
        byte[] body = new byte[entries.getInt(at + BODY_LENGTH)];
        entries.position(from);
        entries.get(body);
        return body;
    }

    /** Returns whether the body of the entry has these bytes. */
    boolean hasBody(int at, byte[] body) {
        if (entries.getInt(at + BODY_LENGTH) != body.length)
            return false;
        ByteBuffer own = entries.duplicate();
        own.position(bodyAt(at));
        own.limit(own.position() + body.length);
        return own.equals(ByteBuffer.wrap(body));
    }

    private int bodyAt(int at) {
        int next = at + HEAD_BYTES;
        for (int left = entries.getInt(at + HEADER_COUNT); left > 0; left--)
            next += 8 + entries.getInt(next) + entries.getInt(next + 4);
        return next;
    }
}
