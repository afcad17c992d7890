package penstock.host;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import org.apache.flume.Event;

/** Events as entries of the shared memory: of an event that came from the agent's batch only what differs. */
final class EventWriter {
    private static final int NO_ORIGIN = -1, BODY = 1, HEADERS = 2, GIVEN_UP = 4;
    private static final int HEADERS_MAX = 4096, NAME_BYTES_MAX = 65535, NAMES_BYTES_MAX = 1 << 20,
                             VALUES_BYTES_MAX = 32 << 20, BODY_BYTES_MAX = 896 << 20;
    /** A buffer that one batch has made larger is not kept. */
    private static final int KEPT_BYTES = 4 << 20;
    private static final byte[] NOTHING = new byte[0];

    /** No channel of the agent can have the event. */
    private static final class UnfitException extends IllegalStateException {
        private static final long serialVersionUID = 1;

        UnfitException(String reason) {
            super(reason);
        }
    }

    private ByteBuffer buffer = ByteBuffer.allocate(64 << 10).order(ByteOrder.nativeOrder());
    private HostBatch batch; // whose events it knows; null: none
    private long bytesMax;
    private int count; // of the events in the buffer
    private int givenUp; // of them, entries that only say so
    private String whyGivenUp; // the first of these
    boolean isBusy; // a call writes events with it

    static boolean isUnchanged(HostBatch before, List<Event> after) {
        if (before.events.size() != after.size())
            return false;
        int number = 0; // a list of the class's own may give more or fewer than its size()
        for (Event event : after) {
            if (number == before.events.size() || event != before.events.get(number++))
                return false;
            HostEvent own = (HostEvent) event;
            if (before.headersChanged(own) || before.bodyChanged(own))
                return false;
        }
        return number == before.events.size();
    }

    /** Begins with the reply of an interceptor to these events. */
    void begin(HostBatch events, long bytesMax) {
        begin(bytesMax);
        batch = events;
    }

    /** Begins with events that are new. */
    void begin(long bytesMax) {
        batch = null;
        this.bytesMax = bytesMax;
        if (buffer.capacity() > KEPT_BYTES)
            buffer = ByteBuffer.allocate(KEPT_BYTES).order(ByteOrder.nativeOrder());
        buffer.clear();
        count = givenUp = 0;
        whyGivenUp = null;
    }

    /** Adds an event. Returns false when the entries would be larger than the limit: nothing is added then. */
    boolean add(Event event) {
        if (event == null)
            throw new NullPointerException("an event is null");
        int start = buffer.position(), flags = BODY | HEADERS, origin = NO_ORIGIN;
        if (batch != null && batch.has(event)) {
            HostEvent own = (HostEvent) event;
            origin = own.number;
            flags = (batch.bodyChanged(own) ? BODY : 0) | (batch.headersChanged(own) ? HEADERS : 0);
        }
        byte[] body = (flags & BODY) != 0 ? event.getBody() : NOTHING;
        Map<String, String> headers = (flags & HEADERS) != 0 ? event.getHeaders() : null;
        if (body == null)
            body = NOTHING;
        if (headers == null)
            headers = Collections.emptyMap();
        if (body.length > BODY_BYTES_MAX)
            throw new UnfitException("a body of " + body.length + " bytes: at most " + BODY_BYTES_MAX);
        if (!room(EntryReader.HEAD_BYTES))
            return false;
        buffer.putInt(0).putInt(origin).putInt(flags).putInt(body.length).putInt(0);
        int headerCount = addHeaders(headers);
        if (headerCount < 0 || !room(body.length + 4)) {
            buffer.position(start);
            return false;
        }
        buffer.put(body);
        while ((buffer.position() & 3) != 0)
            buffer.put((byte) 0);
        buffer.putInt(start, buffer.position() - start).putInt(start + EntryReader.HEADER_COUNT, headerCount);
        count++;
        return true;
    }

    /**
     * Adds an event of a reply. For one that no channel can have it adds an entry that says so: the agent gives this event up, instead of
     * handing the batch over again for ever. `from` is the number of the batch's event of which the class made it, if it is another object; -1: not
     * known.
     */
    boolean addOrGiveUp(Event event, int from) {
        int start = buffer.position();
        try {
            if (add(event))
                return true;
            if (batch.events.size() > 1)
                return false; // it may fit when the source's batches are smaller
            giveUp((count > 0 ? "events of one event that together have more than " : "an event of more than ") + bytesMax + " bytes");
        } catch (UnfitException unfit) {
            buffer.position(start);
            giveUp(unfit.getMessage());
        }
        if (!room(EntryReader.HEAD_BYTES))
            return false;
        int origin = batch.has(event) ? ((HostEvent) event).number : from;
        buffer.putInt(EntryReader.HEAD_BYTES).putInt(origin).putInt(GIVEN_UP).putInt(0).putInt(0);
        count++;
        return true;
    }

    private void giveUp(String why) {
        givenUp++;
        if (whyGivenUp == null)
            whyGivenUp = why;
    }

    /** Returns what was given up, as a part of a sentence, or null: nothing. */
    String givenUp() {
        return givenUp == 0 ? null : givenUp == 1 ? "an event is given up: " + whyGivenUp : givenUp + " events are given up, the first one: " + whyGivenUp;
    }

    /**
     * Returns how many it has added, or -1: there is no room for them. It counts them itself, because size() of a class's own map may say another
     * number, and so does that of a HashMap to which another thread of the class adds meanwhile. Names and values may be of any class: a raw Map
     * takes them, and so do Flume's channels in memory.
     */
    private int addHeaders(Map<?, ?> headers) {
        int names = 0, values = 0, added = 0;
        for (Map.Entry<?, ?> header : headers.entrySet()) {
            if (++added > HEADERS_MAX)
                throw new UnfitException("an event with " + Math.max(added, headers.size()) + " headers: at most " + HEADERS_MAX);
            byte[] name = bytes(header.getKey()), value = bytes(header.getValue());
            names += name.length;
            values += value.length;
            if (name.length > NAME_BYTES_MAX || names > NAMES_BYTES_MAX || values > VALUES_BYTES_MAX || values < 0)
                throw new UnfitException("the headers of an event are too large");
            if (!room(8 + name.length + value.length))
                return -1;
            buffer.putInt(name.length).putInt(value.length).put(name).put(value);
        }
        return added;
    }

    private static byte[] bytes(Object text) {
        return text != null ? text.toString().getBytes(StandardCharsets.UTF_8) : NOTHING;
    }

    /** Makes room for so many bytes; returns false when the entries would be larger than the limit. */
    private boolean room(int bytes) {
        long wanted = (long) buffer.position() + bytes;
        if (wanted > bytesMax)
            return false;
        if (wanted > buffer.capacity()) {
            ByteBuffer larger = ByteBuffer.allocate((int) Math.min(Math.max(wanted, 2L * buffer.capacity()), 1 << 30));
            buffer.flip();
            buffer = larger.order(ByteOrder.nativeOrder()).put(buffer);
        }
        return true;
    }

    /** Takes back the event that was added last; `size` is that of the entries before it. */
    void rewind(int size) {
        buffer.position(size);
        count--;
    }

    int count() {
        return count;
    }

    int size() {
        return buffer.position();
    }

    void copyTo(ByteBuffer area) {
        ByteBuffer to = area.duplicate();
        to.clear();
        append(to, 0, buffer.position());
    }

    /** The size of the entry that begins at this byte. */
    int entrySize(int at) {
        return buffer.getInt(at);
    }

    /** Copies so many bytes from this one on to the area's position. */
    void append(ByteBuffer area, int at, int bytes) {
        area.put(buffer.array(), at, bytes);
    }
}
