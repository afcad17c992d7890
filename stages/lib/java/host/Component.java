package penstock.host;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicBoolean;
import org.apache.flume.Context;
import org.apache.flume.conf.BatchSizeSupported;
import org.apache.flume.conf.Configurable;
import org.apache.flume.lifecycle.LifecycleAware;

/**
 * One component. It has a thread of its own, in a thread group of its own: what the class prints or logs, also from threads that
 * it starts, is logged with the component's name.
 */
abstract class Component {
    /** Flume makes and configures all components on one thread, so one at a time. */
    static final Turn CONFIGURING = new Turn();
    /** A class that was asked to stop has this time; then others go on without it. The agent waits as long (DRAIN_NS, RECALL_NS). */
    static final long STOP_MS = 5000;
    /** Flume's supervisor also waits before it interrupts a start() that has not returned. */
    private static final long START_MS = 2000;
    private static final long LOOK_MS = 100;
    /** The back-off of Flume's runners. */
    static final long BACKOFF_STEP_MS = 1000, BACKOFF_MAX_MS = 5000;
    static final int SINK = 1, INTERCEPTOR = 2, SOURCE = 3;

    /** Of each component that has failed, where that was. */
    private static final Map<String, String> failures = new ConcurrentHashMap<>();

    final Host host;
    final int link;
    final String className, label, name, agent;
    final Map<String, String> pairs;
    final long[] retries; // of a sink: attempts (0: no limit), first and longest rest in ms, 1: with dead letters; null: Flume's rests, no letters
    private final String[] capacities; // names of channels and their transactionCapacity, in turn
    private final Map<Long, ByteBuffer> areas = new HashMap<>();
    private final Thread thread;
    private final Object pause = new Object(); // guards `starts`
    private boolean starts; // its thread is in start() of the class
    private final AtomicBoolean isReady = new AtomicBoolean();
    private volatile long asked; // when it was asked to stop
    private boolean told; // that it is late
    volatile boolean stopping;

    /** It was asked to stop before its class was made. */
    @SuppressWarnings("serial")
    static final class Stopped extends Exception {}

    Component(Host host, int link, List<String> texts) {
        this.host = host;
        this.link = link;
        className = texts.get(0);
        label = texts.get(1);
        name = texts.get(2);
        agent = texts.get(3);
        pairs = Texts.pairs(texts, 4);
        String told = pairs.remove("penstock.transactionCapacities"); // it is not for the class
        capacities = told != null ? told.split(" ") : new String[0];
        told = pairs.remove("penstock.retries"); // nor is this
        retries = told != null ? Arrays.stream(told.split(" ")).mapToLong(Long::parseLong).toArray() : null;
        ThreadGroup group = LogStream.group(label);
        thread = new Thread(group, this::run, label);
        thread.setDaemon(true);
    }

    static Component make(int kind, Host host, int link, List<String> texts, boolean single) throws IOException {
        switch (kind) {
        case SINK:
            return new SinkComponent(host, link, texts);
        case INTERCEPTOR:
            return new InterceptorComponent(host, link, texts, single);
        case SOURCE:
            return texts.get(0).equals(FlowComponent.CLASS) ? new FlowComponent(host, link, texts)
                                                            : new SourceComponent(host, link, texts);
        default:
            throw new IOException("the agent asks for a component of a kind that this host does not know");
        }
    }

    void begin() {
        thread.start();
    }

    /** The agent makes a component that has failed again every 3 s, and logs why: the trace is logged when it is another one than before. */
    private void logFailure(Throwable wrong) {
        boolean known = LogStream.place(wrong).equals(failures.put(label, LogStream.place(wrong)));
        LogStream.log(known ? "DEBUG" : "ERROR", label, "the class has thrown an exception", known ? null : wrong);
    }

    private void run() {
        try {
            try {
                awaitPredecessors();
                work();
            } catch (Stopped early) {
                LogStream.log("DEBUG", label, "stopped before it was configured", null);
            } catch (Throwable wrong) {
                logFailure(wrong);
                send(Message.FAILED, new long[0], Texts.describe(wrong));
                return;
            } finally {
                host.forget(this);
            }
            send(Message.STOPPED, new long[0], null);
        } catch (IOException gone) {
            return; // the agent is gone: the main thread sees it, too
        }
    }

    /** Makes the class's object and configures it. Runs also without a host, for `penstock check --probe`. */
    abstract Object make() throws Throwable;

    /** Stops the class as a resource of a `try`, so that an error of the stop does not hide the error for which the component ends. */
    interface End extends AutoCloseable {
        @Override
        void close() throws IOException;
    }

    /** Configures, starts and runs the class, until stopping is set; then stops it. */
    abstract void work() throws Throwable;

    /** A message of the agent, but for STOP. Runs on the host's main thread, so it must not wait. */
    abstract void receiveOther(Message message) throws IOException;

    /** Called once a second, by the thread that beats. */
    void beat() throws IOException {}

    /** Returns the names of the MBeans of its counters, which it gives back when it has ended. */
    Set<String> figures() {
        return Collections.emptySet();
    }

    /** Wakes the thread, because stopping is set. */
    abstract void wake();

    /** The agent has sent STOP a second time: it has closed the component's stage, and does not wait any more. */
    void abandon() throws IOException {}

    final void receive(Message message) throws IOException {
        if (message.type != Message.STOP) {
            receiveOther(message);
        } else if (stopping) {
            abandon();
        } else {
            stop();
        }
    }

    final void stop() {
        asked = System.nanoTime();
        stopping = true;
        synchronized (pause) {
            pause.notifyAll();
        }
        wake();
    }

    /** Calls start() of the class, on the component's thread. What it throws is logged at once: the agent hears of it behind stop(), which may hang. */
    final void start(LifecycleAware part) {
        setStarts(true);
        try {
            part.start();
        } catch (Throwable wrong) {
            LogStream.log("WARN", label, "start() has failed: " + Texts.describe(wrong) + "; its stop() is called", null);
            throw wrong;
        } finally {
            setStarts(false);
            Thread.interrupted(); // what follows is not interrupted: stop() may wait for something
        }
    }

    private void setStarts(boolean starts) {
        synchronized (pause) {
            this.starts = starts;
        }
    }

    /** Called once a second. Some classes do all their work in start(), or wait there for a far end, and end when they are interrupted. */
    final void interruptLateStart() {
        synchronized (pause) {
            if (starts && isStoppingFor(START_MS))
                interrupt();
        }
    }

    /** Waits so long, or until stopping is set. */
    final void rest(long milliseconds) throws InterruptedException {
        long until = System.nanoTime() + milliseconds * 1000000L, left;
        synchronized (pause) {
            while (!stopping && (left = until - System.nanoTime()) > 0)
                pause.wait(left / 1000000L + 1);
        }
    }

    /** For the end of the process: waits until it has stopped, but no longer than `milliseconds` after it was asked to. */
    final void join(long milliseconds) {
        if (!Threads.join(thread, Math.max(1, milliseconds - stoppingFor())))
            sayLate();
    }

    // ---- components that do not stop ----

    final long stoppingFor() {
        return (System.nanoTime() - asked) / 1000000L;
    }

    final boolean isStoppingFor(long milliseconds) {
        return stopping && stoppingFor() >= milliseconds;
    }

    /** It should have stopped some time ago: its class hangs. */
    final boolean isLate() {
        return isStoppingFor(patience());
    }

    long patience() {
        return STOP_MS;
    }

    /** Called once a second, and at the end of the process. */
    final void reportLate() {
        if (isLate())
            sayLate();
    }

    private synchronized void sayLate() {
        if (!told)
            LogStream.log("WARN", label, className + " has not stopped " + stoppingFor() / 1000 + " s after it was asked to" + place()
                                             + ": the others go on without it", null);
        told = true;
    }

    /** Where its thread is in the class's code, in words behind a sentence. */
    private String place() {
        return Texts.place(thread.getStackTrace(), ", and is in ");
    }

    /** Waits a moment for a change, of which a notification tells. The caller owns the monitor. */
    final void await(Object monitor) throws Stopped {
        if (stopping)
            throw new Stopped();
        try {
            monitor.wait(LOOK_MS);
        } catch (InterruptedException byClass) {
            return; // the caller looks again
        }
    }

    /**
     * A component that had the same name or class, and stops, may still have the port or the file that this one needs. The agent hears of the
     * wait, so that /readyz does not blame this class.
     */
    private void awaitPredecessors() throws IOException, Stopped {
        boolean said = false;
        for (Component other; (other = host.stopping(this)) != null; said = true) {
            if (!said)
                send(Message.FOLLOWS, new long[0], other.className + " has not stopped yet" + other.place());
            synchronized (pause) {
                await(pause);
            }
        }
    }

    /** Returns whether this component must end before the other one begins. */
    final boolean precedes(Component other) {
        return stopping && link < other.link && !isLate() && (label.equals(other.label) || className.equals(other.className));
    }

    /** Returns whether it is the component's thread, which runs the class, and no thread that the class has started. */
    final boolean isOwn(Thread other) {
        return other == thread;
    }

    final void interrupt() {
        thread.interrupt();
    }

    final void send(int type, long[] numbers, String text) throws IOException {
        host.send(type, link, numbers, text);
    }

    /** The component is open. A class's threads may say so before its start() has returned (SourceSlots), so only the first call counts. */
    final void ready() throws IOException {
        if (!isReady.get() && isReady.compareAndSet(false, true))
            send(Message.READY, new long[0], null);
    }

    /** Returns the area of the shared memory, mapped once. */
    final ByteBuffer area(long offset, long size) throws IOException {
        ByteBuffer mapped = areas.get(offset);
        if (mapped == null || mapped.capacity() != size) {
            mapped = host.map(offset, size);
            areas.put(offset, mapped);
        }
        return mapped;
    }

    /** Returns the class's instance. A missing class is an error that names it. */
    final Object instantiate(String name) throws Throwable {
        ClassLoader loader = Thread.currentThread().getContextClassLoader();
        try {
            return Class.forName(name, true, loader).getDeclaredConstructor().newInstance();
        } catch (java.lang.reflect.InvocationTargetException thrown) {
            throw thrown.getCause();
        }
    }

    final void configure(Object object) {
        if (object instanceof Configurable)
            ((Configurable) object).configure(new Context(pairs));
    }

    /** Throws if the batch size is above the transactionCapacity of a channel: Flume does not run such a source or sink. Flume has the interface since 1.9. */
    final void checkBatchSize(Object object, String kind) {
        long size;
        try {
            if (!(object instanceof BatchSizeSupported))
                return;
            size = ((BatchSizeSupported) object).getBatchSize();
        } catch (NoClassDefFoundError older) {
            return;
        }
        for (int i = 0; i + 1 < capacities.length; i += 2)
            if (Long.parseLong(capacities[i + 1]) < size)
                throw new IllegalArgumentException("Incompatible " + kind + " and channel settings defined. " + kind
                                                   + "'s batch size is greater than the channels transaction capacity. "
                                                   + kind + ": " + name + ", batch size = " + size + ", channel " + capacities[i]
                                                   + ", transaction capacity = " + capacities[i + 1]);
    }
}
