package penstock.host;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import org.apache.flume.ChannelException;
import org.apache.flume.Event;
import org.apache.flume.Transaction;
import org.apache.flume.channel.AbstractChannel;
import org.apache.flume.event.SimpleEvent;

/**
 * The channel as a sink sees it: the batches that the agent handed over. A transaction belongs to the thread that
 * asked for it, as in Flume. A rollback puts its events back to the head of the queue; a commit tells the agent.
 *
 * Events are read out of the shared memory when they are taken: the agent uses a batch's slot again when all of it is committed.
 * As long as the component's own thread is the only one that takes, its transaction gets some events in advance, and takes these
 * without the lock. Other threads take one event at a time, and read it with the lock, so that none reads after close().
 */
final class SinkChannel extends AbstractChannel {
    /** How long the first take of a transaction waits for an event, as Flume's memory channel does. */
    private static final long KEEP_ALIVE_MS = 3000;
    private static final int PARTS_MAX = Message.NUMBERS_MAX / 3;
    private static final int TAIL_BYTES = 8; // of a slot
    /** The agent is told of commits together: that costs four threads a wake-up. Not later than this, while there are others. */
    private static final long COMMIT_NS = 1000000;
    private static final int BATCHES_LEFT = 3;
    /** Events that the only thread gets in advance: few, because another thread that begins to take finds them only after the transaction. */
    private static final int ADVANCE = 16;

    /** Events of one batch, in order, that are not taken, or were taken by the same transaction. */
    static final class Range {
        final Batch batch;
        int from, to;
        int at; // the place of the first one

        Range(Batch batch, int from, int to, int at) {
            this.batch = batch;
            this.from = from;
            this.to = to;
            this.at = at;
        }

        /** Takes away the first events, and returns them. */
        Range cut(int count) {
            Range first = new Range(batch, from, from + count, at);
            for (; from < first.to; from++)
                at += batch.locked.size(at);
            return first;
        }
    }

    static final class Batch {
        final long number;
        final int count; // of its events
        final EntryReader own, locked; // of the component's own thread; of whoever has the lock
        private final ByteBuffer area;
        int committed; // so many of the first events

        Batch(long number, ByteBuffer area, int count) {
            this.number = number;
            this.area = area;
            this.count = count;
            own = new EntryReader(area);
            locked = new EntryReader(area);
        }

        /** Events up to this one are committed. If this process ends before it has sent a message about them, the agent finds it here. */
        void note(int to) {
            committed = to;
            area.putLong(area.capacity() - TAIL_BYTES, to);
        }
    }

    private final Component component;
    /** Guards what follows. It is not this object's monitor, which the class may hold for as long as it likes: the host's main thread needs the lock. */
    private final Object lock = new Object();
    private final ArrayDeque<Range> queue = new ArrayDeque<>();
    private final ThreadLocal<SinkTransaction> transactions = new ThreadLocal<>();
    private SinkTransaction ownTransaction; // of the component's own thread
    private final ArrayDeque<Range> commits = new ArrayDeque<>(); // that the agent was not told yet
    private boolean hasWhole; // all events of a batch are among them
    private long toldNs; // when it was told the last ones
    private final Object telling = new Object(); // the lock of whoever sends commits; it is taken before `lock`
    private volatile boolean isShared; // another thread has asked for a transaction
    private boolean closed;
    private boolean wasEmpty; // for a take since the last askEmpty()
    private final Suspect suspect; // null: there are no dead letters. The component's own thread
    private boolean writesLetter; // the agent writes the letter of an event that was given up

    SinkChannel(Component component, String name) {
        this.component = component;
        setName(name);
        start();
        boolean letters = component.retries != null && component.retries[3] != 0;
        suspect = letters ? new Suspect(this, component.retries[0]) : null;
    }

    // ---- events that the class cannot deliver ----

    /** Returns the first event, which does not come before comeBack(); null: it is the only one. */
    Range setAside() {
        synchronized (lock) {
            Range head = queue.peekFirst();
            return head != null && (head.to - head.from > 1 || queue.size() > 1) ? cutFirst() : null;
        }
    }

    void comeBack(List<Range> ranges) {
        putBack(ranges);
    }

    private Range cutFirst() {
        Range head = queue.peekFirst(), first = head.cut(1);
        if (head.from == head.to)
            queue.removeFirst();
        return first;
    }

    /**
     * Called behind each process(), on the component's thread: gives the first event up if the class can never deliver it, and waits until its
     * letter is written. Returns whether it has given it up.
     */
    boolean judge(String reason) throws IOException {
        Suspect.Verdict verdict = suspect != null && !isShared ? suspect.judge() : Suspect.Verdict.NONE;
        Range refused;
        if (suspect != null && isShared)
            suspect.end();
        if (verdict == Suspect.Verdict.NONE)
            return false;
        synchronized (lock) {
            if (closed || queue.isEmpty())
                return false;
            refused = cutFirst();
            writesLetter = true;
        }
        component.send(Message.REFUSE, new long[] {refused.batch.number, refused.from, suspect.trials(), verdict == Suspect.Verdict.EXHAUSTED ? 1 : 0}, reason);
        suspect.gone();
        synchronized (lock) {
            while (writesLetter && !closed) {
                try {
                    lock.wait(KEEP_ALIVE_MS);
                } catch (InterruptedException byClass) {
                    continue; // its own thread: nothing else waits here
                }
            }
        }
        return true;
    }

    void letterIsWritten() {
        synchronized (lock) {
            writesLetter = false;
            lock.notifyAll();
        }
    }

    void add(long number, ByteBuffer area, int count) {
        Range events = new Range(new Batch(number, area, count), 0, count, 0);
        synchronized (lock) {
            if (closed)
                return;
            queue.addLast(events);
            lock.notifyAll();
        }
    }

    void close() {
        synchronized (lock) {
            closed = true;
            queue.clear();
            lock.notifyAll();
        }
    }

    /** Returns whether a take since the last call found no event, and no events were put back behind it: the channel is not empty then. */
    boolean askEmpty() {
        synchronized (lock) {
            boolean was = wasEmpty;
            wasEmpty = false;
            return was;
        }
    }

    /** Returns whether there are events. */
    boolean await(long milliseconds) throws InterruptedException {
        long until = System.nanoTime() + milliseconds * 1000000L, left;
        synchronized (lock) {
            while (queue.isEmpty() && !closed && (left = until - System.nanoTime()) > 0)
                lock.wait(left / 1000000L + 1);
            return !queue.isEmpty();
        }
    }

    private Event take(SinkTransaction transaction) {
        Event event = tryTake(transaction);
        if (event != null)
            return event;
        tell();
        try {
            if (transaction.count == 0 && await(KEEP_ALIVE_MS))
                event = tryTake(transaction);
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt(); // as in Flume: the class sees it, and that there is no event
            return null;
        }
        if (event == null)
            noteEmpty();
        return event;
    }

    private void noteEmpty() {
        synchronized (lock) {
            wasEmpty = true;
        }
    }

    /** Takes one event. The component's own thread gets those behind it, too: not more than it has taken so far. */
    private Event tryTake(SinkTransaction transaction) {
        synchronized (lock) {
            Range head = queue.peekFirst();
            if (head == null)
                return null;
            int advance = transaction.isOwn && !isShared ? Math.min(ADVANCE, 1 + transaction.count) : 1;
            if (transaction.isOwn && suspect != null && !isShared)
                advance = Math.min(advance, suspect.most() - transaction.count);
            if (advance <= 0) { // as if the channel had no more
                wasEmpty = true;
                return null;
            }
            transaction.ahead = head.cut(Math.min(advance, head.to - head.from));
            if (head.from == head.to)
                queue.removeFirst();
            return transaction.next(head.batch.locked);
        }
    }

    private void putBack(List<Range> ranges) {
        synchronized (lock) {
            if (closed)
                return;
            for (int i = ranges.size() - 1; i >= 0; i--)
                queue.addFirst(ranges.get(i));
            wasEmpty = false;
            lock.notifyAll();
        }
    }

    // ---- commits ----

    private void commit(List<Range> taken) {
        boolean now;
        synchronized (lock) {
            for (Range range : taken)
                note(range);
            boolean wants = hasWhole && queue.size() <= BATCHES_LEFT; // the agent can hand over further ones
            now = wants || queue.isEmpty() || commits.size() >= PARTS_MAX || System.nanoTime() - toldNs >= COMMIT_NS;
        }
        if (now)
            tell();
    }

    private void note(Range range) {
        Range last = commits.peekLast();
        if (range.from == range.batch.committed && !closed)
            range.batch.note(range.to);
        if (last != null && last.batch == range.batch && last.to == range.from)
            last.to = range.to;
        else
            commits.addLast(range);
        hasWhole |= range.batch.committed == range.batch.count;
    }

    private void tell() {
        try {
            flush();
        } catch (IOException gone) {
            throw new ChannelException("the agent is gone", gone);
        }
    }

    /**
     * Tells the agent what was committed: when it is time, when there are no events, and once a second. When it returns, the messages of
     * other threads about earlier commits are sent, too: the report of the component's end must not overtake them.
     */
    void flush() throws IOException {
        long[] numbers;
        synchronized (telling) {
            while ((numbers = nextCommits()) != null)
                component.send(Message.COMMIT, numbers, null);
        }
    }

    private long[] nextCommits() {
        synchronized (lock) {
            if (commits.isEmpty())
                return null;
            long[] numbers = new long[3 * Math.min(PARTS_MAX, commits.size())];
            for (int i = 0; i < numbers.length; i += 3) {
                Range range = commits.removeFirst();
                numbers[i] = range.batch.number;
                numbers[i + 1] = range.from;
                numbers[i + 2] = range.to;
            }
            hasWhole = false;
            toldNs = System.nanoTime();
            return numbers;
        }
    }

    // ---- transactions ----

    /** States and errors are those of Flume's BasicTransactionSemantics. */
    private final class SinkTransaction implements Transaction {
        private static final int NEW = 0, OPEN = 1, COMPLETED = 2, CLOSED = 3;

        final boolean isOwn;
        private final Thread thread;
        private List<Range> taken = new ArrayList<>();
        private int count; // of events taken
        private Range ahead; // what it has in advance; null: none
        private int state = NEW;

        SinkTransaction(Thread thread) {
            this.thread = thread;
            isOwn = component.isOwn(thread);
        }

        /** Throws unless the caller is the transaction's thread, and the state this one. */
        private void require(int wanted, String call, String end) {
            if (Thread.currentThread() != thread)
                throw new IllegalStateException(call + "() called from different thread than getTransaction()!");
            if (state != wanted)
                throw new IllegalStateException(call + "() called when transaction is "
                                                + new String[] {"NEW", "OPEN", "COMPLETED", "CLOSED"}[state] + end);
        }

        Event take() {
            require(OPEN, "take", "!");
            return ahead != null && ahead.from < ahead.to ? next(ahead.batch.own) : SinkChannel.this.take(this);
        }

        private Event next(EntryReader entries) {
            SimpleEvent event = new SimpleEvent();
            entries.read(ahead.at, event);
            Range last = taken.isEmpty() ? null : taken.get(taken.size() - 1);
            if (last != null && last.batch == ahead.batch && last.to == ahead.from)
                last.to++;
            else
                taken.add(new Range(ahead.batch, ahead.from, ahead.from + 1, ahead.at));
            ahead.at += entries.size(ahead.at);
            ahead.from++;
            count++;
            return event;
        }

        /** The transaction is over: these events, and those that it has in advance, are for the next ones. */
        private void end(List<Range> back) {
            state = COMPLETED;
            if (ahead != null && ahead.from < ahead.to)
                back.add(ahead);
            if (!back.isEmpty())
                putBack(back);
            ahead = null;
            taken = null;
        }

        @Override
        public void begin() {
            require(NEW, "begin", "!");
            state = OPEN;
        }

        @Override
        public void commit() {
            require(OPEN, "commit", "!");
            if (isOwn && suspect != null && count > 0)
                suspect.committed(count);
            SinkChannel.this.commit(taken);
            end(new ArrayList<>());
        }

        @Override
        public void rollback() {
            require(OPEN, "rollback", "!");
            if (isOwn && suspect != null && count > 0)
                suspect.rolledBack(taken.get(0), count);
            end(taken);
        }

        @Override
        public void close() {
            require(state == NEW ? NEW : COMPLETED, "close", " - you must either commit or rollback first");
            state = CLOSED;
        }
    }

    private SinkTransaction current(Thread thread) {
        return component.isOwn(thread) ? ownTransaction : transactions.get();
    }

    @Override
    public Transaction getTransaction() {
        Thread thread = Thread.currentThread();
        SinkTransaction transaction = current(thread);
        if (transaction != null && transaction.state != SinkTransaction.CLOSED)
            return transaction;
        transaction = new SinkTransaction(thread);
        if (transaction.isOwn) {
            ownTransaction = transaction;
        } else {
            isShared = true;
            transactions.set(transaction);
        }
        return transaction;
    }

    @Override
    public Event take() {
        SinkTransaction transaction = current(Thread.currentThread());
        if (transaction == null)
            throw new IllegalStateException("No transaction exists for this thread");
        return transaction.take();
    }

    @Override
    public void put(Event event) {
        throw new ChannelException("a sink takes from its channel, and does not put into it");
    }
}
