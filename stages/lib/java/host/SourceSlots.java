package penstock.host;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import org.apache.flume.ChannelException;
import org.apache.flume.Event;

/**
 * The parts of the shared memory into which a source's threads write their events. A thread has a slot from the first byte until
 * the agent has answered. A list that one slot has no room for goes in parts, each after the answer to the one before, so that
 * nothing follows a part that was refused.
 */
final class SourceSlots {
    private static final int EVENTS_MAX = 1024;
    private static final long BYTES_MAX = 1L << 30;
    private static final long CLOSE_MS = 2000;
    private static final int WAITS = 0, TAKEN = 1, REFUSED = 2;

    private static final class Slot {
        final int number;
        final EventWriter writer = new EventWriter();
        ByteBuffer area;
        boolean grows; // the agent was asked for a larger area
        int answer;
        String reason;

        Slot(int number) {
            this.number = number;
        }
    }

    private final Component component;
    private final Map<Integer, Slot> slots = new HashMap<>();
    private final Map<Long, Slot> calls = new HashMap<>(); // without an answer
    private final ArrayDeque<Slot> free = new ArrayDeque<>();
    private long lastCall;
    private boolean closed;

    SourceSlots(Component component) {
        this.component = component;
    }

    // ---- what the agent sends ----

    /** A slot has a new area; null: it cannot be so large. */
    synchronized void area(int number, ByteBuffer area, String reason) {
        Slot slot = slots.get(number);
        if (slot == null) {
            slot = new Slot(number);
            slots.put(number, slot);
            free.addLast(slot);
        }
        if (area != null)
            slot.area = area;
        slot.reason = reason;
        slot.grows = false;
        notifyAll();
    }

    synchronized void answer(long call, boolean taken, String reason) {
        Slot slot = calls.remove(call);
        if (slot == null)
            return;
        slot.answer = taken ? TAKEN : REFUSED;
        slot.reason = reason;
        notifyAll();
    }

    /** Waits a little for the answers that are still to come. Afterwards no thread writes into the shared memory. */
    synchronized void close() {
        long until = System.nanoTime() + CLOSE_MS * 1000000L, left;
        boolean interrupted = false;
        while (!calls.isEmpty() && (left = until - System.nanoTime()) > 0) {
            try {
                wait(left / 1000000L + 1);
            } catch (InterruptedException later) {
                interrupted = true;
            }
        }
        closed = true;
        notifyAll();
        if (interrupted)
            Thread.currentThread().interrupt();
    }

    // ---- events ----

    /** Returns when the agent's required channels have all of them. */
    void put(List<Event> events) {
        Iterator<Event> rest = events.iterator();
        Event next = rest.hasNext() ? rest.next() : null;
        boolean more = !events.isEmpty();
        while (more) {
            Slot slot = acquire();
            try {
                EventWriter writer = slot.writer;
                int count = 0;
                writer.begin(BYTES_MAX);
                for (; more && count < EVENTS_MAX; count++) {
                    int before = writer.size();
                    if (!writer.add(next))
                        throw new ChannelException("an event is larger than " + BYTES_MAX + " bytes");
                    if (count > 0 && writer.size() > slot.area.capacity()) {
                        writer.rewind(before);
                        break;
                    }
                    more = rest.hasNext();
                    next = more ? rest.next() : null;
                }
                hand(slot, count);
            } finally {
                release(slot);
            }
        }
    }

    private synchronized Slot acquire() {
        while (free.isEmpty() && !closed) {
            try {
                wait();
            } catch (InterruptedException interrupted) {
                Thread.currentThread().interrupt();
                throw new ChannelException("Interrupted while waiting for the agent", interrupted);
            }
        }
        requireOpen();
        return free.removeFirst();
    }

    private synchronized void release(Slot slot) {
        slot.reason = null;
        free.addLast(slot);
        notifyAll();
    }

    private void requireOpen() {
        if (closed)
            throw new ChannelException("the source has stopped");
    }

    /** Hands over what the slot's writer has, and waits for the answer, also when the thread is interrupted: the agent has it. */
    private synchronized void hand(Slot slot, int count) {
        boolean interrupted = false;
        long call = ++lastCall;
        try {
            requireOpen();
            if (slot.writer.size() > slot.area.capacity())
                interrupted = grow(slot);
            slot.writer.copyTo(slot.area);
            slot.answer = WAITS;
            calls.put(call, slot);
            component.send(Message.PUT, new long[] {slot.number, call, slot.writer.size(), count}, null);
            while (slot.answer == WAITS && !closed)
                interrupted |= pause();
        } catch (IOException gone) {
            throw new ChannelException("the agent is gone", gone);
        } finally {
            calls.remove(call);
            if (interrupted)
                Thread.currentThread().interrupt();
        }
        if (slot.answer == WAITS)
            throw new ChannelException("the source has stopped before the agent answered");
        if (slot.answer == REFUSED)
            throw new ChannelException("Unable to put batch on required channel: " + slot.reason);
    }

    /** Asks for an area that is large enough. Returns whether the thread was interrupted. */
    private boolean grow(Slot slot) throws IOException {
        boolean interrupted = false;
        slot.grows = true;
        component.send(Message.NEED, new long[] {slot.number, slot.writer.size()}, null);
        while (slot.grows && !closed)
            interrupted |= pause();
        requireOpen();
        if (slot.writer.size() > slot.area.capacity())
            throw new ChannelException(slot.reason);
        return interrupted;
    }

    /** Returns whether the thread was interrupted. */
    private boolean pause() {
        try {
            wait();
            return false;
        } catch (InterruptedException interrupted) {
            return true;
        }
    }
}
