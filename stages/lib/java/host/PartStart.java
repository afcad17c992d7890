package penstock.host;

import java.util.Collection;

import org.apache.flume.lifecycle.LifecycleAware;

/**
 * Starts one part of a flow, on a thread of its own, as Flume's LifecycleSupervisor does: some classes do all their work in start(), which
 * returns when they stop, and the other parts must not wait for them. Used by the flow's thread.
 */
final class PartStart {
    /** The next part waits so long, so that they start in turn, but for one that takes longer. */
    private static final long TURN_MS = 1000;
    /** Flume also waits before it interrupts a start(). */
    private static final long GRACE_MS = 2000, INTERRUPTED_MS = 1000;

    private final Thread thread;
    private final long turn = System.nanoTime() + TURN_MS * 1000000L;
    private volatile Throwable wrong;

    PartStart(LifecycleAware part, String name) {
        thread = new Thread(() -> {
            try {
                part.start();
            } catch (Throwable thrown) {
                wrong = thrown;
            }
        }, "start of " + name);
        thread.setDaemon(true);
        thread.start();
    }

    /** Waits for its turn to end. Returns whether start() has returned. */
    boolean hasReturned() {
        return Threads.join(thread, (turn - System.nanoTime()) / 1000000L);
    }

    /** What start() threw, or null. */
    Throwable wrong() {
        return wrong;
    }

    /** Where start() is, in words behind a sentence. */
    String place() {
        return Texts.place(thread.getStackTrace(), ", and is in ");
    }

    /** The flow stops: those whose start() still goes on are interrupted, all together, and left alone if that does not end them. */
    static void end(Collection<PartStart> starts, FlowEnd end) {
        join(starts, end, GRACE_MS);
        for (PartStart start : starts)
            if (start.thread.isAlive())
                start.thread.interrupt();
        join(starts, end, end.from(INTERRUPTED_MS));
    }

    private static void join(Collection<PartStart> starts, FlowEnd end, long untilMs) {
        for (PartStart start : starts)
            end.join(start.thread, untilMs);
    }
}
