package penstock.host;

import java.io.IOException;
import org.apache.flume.ChannelException;
import org.apache.flume.Event;

/**
 * Events of calls that return at once, because the agent's channels keep room for them: they are in the shared memory, which is the
 * agent's, and it takes them also when this process ends. They are handed over when no others of them are on the way, and when a slot is
 * full. The caller has the lock of the slots, except in write().
 */
final class PromisedEvents {
    private static final int BYTES_MAX = 2 << 20; // of a call

    private final SourceSlots slots;
    private final ThreadLocal<EventWriter> writers = ThreadLocal.withInitial(EventWriter::new);
    private SourceSlots.Slot open; // which is filled; or null
    private long most; // that may be promised, since the source was made
    private long used; // that are
    private int onTheWay; // slots without an answer
    private volatile int fence;

    PromisedEvents(SourceSlots slots) {
        this.slots = slots;
    }

    /**
     * Writes the events of a call. This runs code of the class (a list, an event), which may wait for other threads of the class, so the caller does
     * not have the lock. Returns null when there is no room in advance.
     */
    EventWriter write(Iterable<Event> events, int count) {
        EventWriter writer = writers.get();
        // Without the lock `most` and `used` may be old: take() compares them again. The writer is busy in a call within a call.
        if (count > most - used || writer.isBusy)
            return null;
        writer.isBusy = true;
        try {
            writer.begin(BYTES_MAX);
            for (Event event : events) {
                if (!SourceSlots.add(writer, event))
                    return null;
            }
        } finally {
            writer.isBusy = false;
        }
        return writer;
    }

    /** Promises all that was written. Returns false, and promises nothing, when there is no room in advance or no slot. */
    boolean take(EventWriter writer) throws IOException {
        if (writer.count() > most - used || !haveRoom(writer))
            return false;
        if (writer.count() == 0)
            return true;
        int size;
        boolean first = true;
        for (int at = 0; at < writer.size(); at += size, first = false) {
            size = writer.entrySize(at);
            if (open != null && !hasRoom(open.area.remaining(), open.count, size)) {
                note();
                handOver();
            }
            if (open == null)
                begin();
            writer.append(open.area, at, size);
            open.count++;
            open.calls += first ? 1 : 0;
            used++;
        }
        note();
        order();
        if (open.tail.getLong(16) != 0) {
            most = used;
            throw new ChannelException("the source has stopped"); // the agent may have the events, or not
        }
        if (onTheWay == 0)
            handOver();
        return true;
    }

    /** Returns whether the open slot and those that are free have room for what was written. */
    private boolean haveRoom(EventWriter writer) {
        int room = slots.smallestRoom(), left = open != null ? open.area.remaining() : 0, size;
        int count = open != null ? open.count : 0, further = slots.free.size();
        for (int at = 0; at < writer.size(); at += size) {
            size = writer.entrySize(at);
            if (!hasRoom(left, count, size)) {
                if (further-- == 0 || size > room)
                    return false;
                left = room;
                count = 0;
            }
            left -= size;
            count++;
        }
        return true;
    }

    private static boolean hasRoom(int left, int count, int size) {
        return size <= left && count < SourceSlots.EVENTS_MAX;
    }

    private void begin() {
        open = slots.free.removeFirst();
        open.area.position(0);
        open.count = open.calls = 0;
        open.tail.putLong(8, 0);
        order();
        open.tail.putLong(0, used);
        order();
    }

    /** When this process ends within a slot, the agent takes what was noted: number of the first event; count and bytes, at once. */
    private void note() {
        order();
        open.tail.putLong(8, (long) open.count << 32 | open.area.position());
    }

    /** What was written before is in memory before what is written afterwards: a volatile write, then a volatile read. */
    private void order() {
        fence = 1;
        if (fence != 1)
            throw new IllegalStateException();
    }

    /** Hands over what the open slot has. */
    void handOver() throws IOException {
        if (open == null)
            return;
        SourceSlots.Slot slot = open;
        open = null;
        onTheWay++;
        slots.handOver(slot, used - slot.count);
    }

    /** The agent has taken a slot's events. */
    void taken() throws IOException {
        if (--onTheWay == 0)
            handOver();
    }

    void allow(long events) {
        if (events > most)
            most = events;
    }

    /** Promises no more; returns how many were. */
    long keep() throws IOException {
        handOver();
        return most = used;
    }
}
