package penstock.host;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayDeque;
import java.util.Collections;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import org.apache.flume.ChannelException;
import org.apache.flume.Event;

/**
 * The parts of the shared memory into which a source's threads write their events. A thread has a slot from the first byte until
 * the agent has answered. A list that one slot has no room for goes in parts, each after the answer to the one before, so that
 * nothing follows a part that was refused. Calls for which the channels keep room do not wait: see PromisedEvents.
 */
final class SourceSlots {
    static final int EVENTS_MAX = 1024;
    private static final int TAIL_BYTES = 24;
    private static final long BYTES_MAX = 1L << 30;
    private static final long CLOSE_MS = 2000;
    private static final int WAITS = 0, TAKEN = 1, REFUSED = 2;

    static final class Slot {
        final int number;
        EventWriter writer; // made when it is used
        ByteBuffer area, tail;
        boolean promised; // the call on the way
        int count, calls; // of the promised events in it
        boolean grows; // the agent was asked for a larger area
        int answer;
        String reason;

        Slot(int number) {
            this.number = number;
        }

        void set(ByteBuffer whole) {
            whole.position(whole.capacity() - TAIL_BYTES);
            tail = whole.slice().order(ByteOrder.nativeOrder());
            whole.position(0);
            whole.limit(whole.capacity() - TAIL_BYTES);
            area = whole;
        }

        int room() {
            return area.limit();
        }
    }

    private final Component component;
    private final Map<Integer, Slot> slots = new HashMap<>();
    private final Map<Long, Slot> calls = new HashMap<>(); // without an answer
    final ArrayDeque<Slot> free = new ArrayDeque<>();
    private final PromisedEvents promised = new PromisedEvents(this);
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
            slot.set(area);
        slot.reason = reason;
        slot.grows = false;
        notifyAll();
    }

    synchronized void answer(long call, boolean taken, long most, String reason) throws IOException {
        Slot slot = calls.remove(call);
        if (!closed)
            promised.allow(most);
        if (slot == null)
            return;
        slot.answer = taken ? TAKEN : REFUSED;
        slot.reason = reason;
        if (slot.promised) {
            free.addLast(slot);
            promised.taken();
        }
        notifyAll();
    }

    /** The agent wants back the room that it has kept. */
    synchronized void keep() throws IOException {
        component.send(Message.PROMISED, new long[] {promised.keep()}, null);
    }

    /** Of the slots, one that was made for a large event aside. */
    int smallestRoom() {
        int room = Integer.MAX_VALUE;
        for (Slot slot : slots.values())
            room = Math.min(room, slot.room());
        return room;
    }

    /** Sends a slot with promised events, of which this is the first one. */
    void handOver(Slot slot, long first) throws IOException {
        long call = ++lastCall;
        slot.promised = true;
        slot.answer = WAITS;
        calls.put(call, slot);
        component.send(Message.PUT, new long[] {slot.number, call, slot.area.position(), slot.count, first, slot.calls}, null);
    }

    /** The agent answers no calls any more: those that wait, and later ones, end with an exception. */
    synchronized void abandon() throws IOException {
        promised.keep();
        closed = true;
        notifyAll();
    }

    /** Waits a little for the answers that are still to come. Afterwards no thread writes into the shared memory. */
    synchronized void close() {
        long until = System.nanoTime() + CLOSE_MS * 1000000L, left;
        boolean interrupted = false;
        try {
            promised.keep();
        } catch (IOException gone) {
            closed = true; // so is the agent
        }
        while (!closed && !calls.isEmpty() && (left = until - System.nanoTime()) > 0) {
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

    private boolean promise(List<Event> events) {
        EventWriter writer = promised.write(events, events.size());
        if (writer == null)
            return false;
        synchronized (this) {
            try {
                return !closed && promised.take(writer);
            } catch (IOException gone) {
                throw new ChannelException("the agent is gone", gone);
            }
        }
    }

    void put(Event event) {
        put(Collections.singletonList(event));
    }

    /** Returns when the agent's required channels have all of them, or keep room for them. */
    void put(List<Event> events) {
        if (events.isEmpty())
            return;
        sayReady();
        if (!promise(events))
            putAndWait(events);
    }

    /** Some classes do all their work in start(), which returns when they stop. A source that has events is open. */
    private void sayReady() {
        try {
            component.ready();
        } catch (IOException gone) {
            throw new ChannelException("the agent is gone", gone);
        }
    }

    /** Adds an event for the agent, as EventWriter does. Flume's ChannelProcessor throws a ChannelException for all that keeps an event from a channel. */
    static boolean add(EventWriter writer, Event event) {
        try {
            return writer.add(event);
        } catch (RuntimeException wrong) {
            throw new ChannelException("Unable to put batch on required channel: " + wrong.getMessage(), wrong);
        }
    }

    private void putAndWait(List<Event> events) {
        Iterator<Event> rest = events.iterator();
        boolean more = rest.hasNext(); // another thread of the class may have emptied the list
        Event next = more ? rest.next() : null;
        while (more) {
            Slot slot = acquire();
            try {
                if (slot.writer == null)
                    slot.writer = new EventWriter();
                EventWriter writer = slot.writer;
                int count = 0;
                writer.begin(BYTES_MAX);
                for (; more && count < EVENTS_MAX; count++) {
                    int before = writer.size();
                    if (!add(writer, next))
                        throw new ChannelException("an event is larger than " + BYTES_MAX + " bytes");
                    if (count > 0 && writer.size() > slot.room()) {
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
            if (slot.writer.size() > slot.room())
                interrupted = grow(slot);
            promised.handOver(); // the events of this thread's earlier calls come first
            slot.writer.copyTo(slot.area);
            slot.promised = false;
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
        if (slot.writer.size() > slot.room())
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
