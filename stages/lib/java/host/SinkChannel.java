package penstock.host;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import org.apache.flume.Channel;
import org.apache.flume.ChannelException;
import org.apache.flume.Event;
import org.apache.flume.Transaction;
import org.apache.flume.lifecycle.LifecycleState;

/**
 * The channel as a sink sees it: the batches that the agent handed over. A transaction belongs to the thread that
 * asked for it, as in Flume. A rollback puts its events back to the head of the queue; a commit tells the agent.
 */
final class SinkChannel implements Channel {
    /** How long the first take of a transaction waits for an event, as Flume's memory channel does. */
    private static final long KEEP_ALIVE_MS = 3000;
    private static final int PARTS_MAX = Message.NUMBERS_MAX / 3;

    /** Events of one batch, in order: from .. to - 1 are not taken, or were taken by the same transaction. */
    private static final class Range {
        final Batch batch;
        int from, to;

        Range(Batch batch, int from, int to) {
            this.batch = batch;
            this.from = from;
            this.to = to;
        }
    }

    private static final class Batch {
        final long number;
        final ByteBuffer entries; // a copy: the slot is used again when the batch is committed
        final int[] places;

        Batch(long number, ByteBuffer area, int bytes, int count) {
            this.number = number;
            byte[] copy = new byte[bytes];
            ByteBuffer from = area.duplicate();
            from.clear();
            from.get(copy);
            entries = ByteBuffer.wrap(copy).order(area.order());
            places = new int[count];
            int at = 0;
            for (int i = 0; i < count; i++) {
                places[i] = at;
                at += HostEvent.size(entries, at);
            }
        }
    }

    private final Component component;
    private final ArrayDeque<Range> queue = new ArrayDeque<>();
    private final ThreadLocal<SinkTransaction> transactions = new ThreadLocal<>();
    private String name;
    private boolean closed;
    private boolean wasEmpty; // for a take since the last askEmpty()

    SinkChannel(Component component, String name) {
        this.component = component;
        this.name = name;
    }

    synchronized void add(long number, ByteBuffer area, int bytes, int count) {
        if (closed)
            return;
        queue.addLast(new Range(new Batch(number, area, bytes, count), 0, count));
        notifyAll();
    }

    synchronized void close() {
        closed = true;
        queue.clear();
        notifyAll();
    }

    /** Returns whether a take since the last call found no event. */
    synchronized boolean askEmpty() {
        boolean was = wasEmpty;
        wasEmpty = false;
        return was;
    }

    synchronized void awaitEvents(long milliseconds) throws InterruptedException {
        long until = System.nanoTime() + milliseconds * 1000000L, left;
        while (queue.isEmpty() && !closed && (left = until - System.nanoTime()) > 0)
            wait(left / 1000000L + 1);
    }

    private synchronized Event take(SinkTransaction transaction) {
        if (queue.isEmpty() && transaction.taken.isEmpty()) {
            try {
                awaitEvents(KEEP_ALIVE_MS);
            } catch (InterruptedException interrupted) {
                throw new ChannelException("Interrupted while waiting for an event", interrupted);
            }
        }
        Range head = queue.peekFirst();
        if (head == null) {
            wasEmpty = true;
            return null;
        }
        int number = head.from++;
        if (head.from == head.to)
            queue.removeFirst();
        transaction.note(head.batch, number);
        return HostEvent.plain(head.batch.entries, head.batch.places[number]);
    }

    private synchronized void putBack(List<Range> taken) {
        if (closed)
            return;
        for (int i = taken.size() - 1; i >= 0; i--)
            queue.addFirst(taken.get(i));
        notifyAll();
    }

    private void commit(List<Range> taken) {
        for (int at = 0; at < taken.size(); at += PARTS_MAX) {
            int count = Math.min(PARTS_MAX, taken.size() - at);
            long[] numbers = new long[3 * count];
            for (int i = 0; i < count; i++) {
                Range range = taken.get(at + i);
                numbers[3 * i] = range.batch.number;
                numbers[3 * i + 1] = range.from;
                numbers[3 * i + 2] = range.to;
            }
            try {
                component.send(Message.COMMIT, numbers, null);
            } catch (IOException gone) {
                throw new ChannelException("the agent is gone", gone);
            }
        }
    }

    /** States and errors are those of Flume's BasicTransactionSemantics. */
    private final class SinkTransaction implements Transaction {
        private static final int NEW = 0, OPEN = 1, COMPLETED = 2, CLOSED = 3;

        private final Thread thread = Thread.currentThread();
        private List<Range> taken = new ArrayList<>();
        private int state = NEW;

        private void require(boolean good, String what) {
            if (!good)
                throw new IllegalStateException(what);
            if (Thread.currentThread() != thread)
                throw new IllegalStateException("transaction used by another thread");
        }

        void note(Batch batch, int number) {
            Range last = taken.isEmpty() ? null : taken.get(taken.size() - 1);
            if (last != null && last.batch == batch && last.to == number)
                last.to++;
            else
                taken.add(new Range(batch, number, number + 1));
        }

        @Override
        public void begin() {
            require(state == NEW, "begin() called when transaction is " + word());
            state = OPEN;
        }

        @Override
        public void commit() {
            require(state == OPEN, "commit() called when transaction is " + word());
            SinkChannel.this.commit(taken);
            taken = new ArrayList<>();
            state = COMPLETED;
        }

        @Override
        public void rollback() {
            require(state == OPEN, "rollback() called when transaction is " + word());
            state = COMPLETED;
            putBack(taken);
            taken = new ArrayList<>();
        }

        @Override
        public void close() {
            require(state == NEW || state == COMPLETED, "close() called when transaction is " + word());
            state = CLOSED;
        }

        private String word() {
            return new String[] {"NEW", "OPEN", "COMPLETED", "CLOSED"}[state] + "!";
        }
    }

    @Override
    public Transaction getTransaction() {
        SinkTransaction transaction = transactions.get();
        if (transaction == null || transaction.state == SinkTransaction.CLOSED) {
            transaction = new SinkTransaction();
            transactions.set(transaction);
        }
        return transaction;
    }

    @Override
    public Event take() {
        SinkTransaction transaction = transactions.get();
        if (transaction == null)
            throw new IllegalStateException("No transaction exists for this thread");
        transaction.require(transaction.state == SinkTransaction.OPEN,
                            "take() called when transaction is " + transaction.word());
        return take(transaction);
    }

    @Override
    public void put(Event event) {
        throw new ChannelException("a sink takes from its channel, and does not put into it");
    }

    @Override
    public void start() {}

    @Override
    public void stop() {}

    @Override
    public LifecycleState getLifecycleState() {
        return LifecycleState.START;
    }

    @Override
    public void setName(String name) {
        this.name = name;
    }

    @Override
    public String getName() {
        return name;
    }
}
