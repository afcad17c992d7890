package penstock.host;

import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/**
 * The calls in which a part of a flow works with its channels, so that /readyz can name one that does not return, or that fails again and again. The part's
 * threads begin and end them; the flow's thread asks.
 */
final class Calls {
    /** As of native sinks (core/watch/health.c): fewer failures in a row are ordinary. */
    private static final int FAILURES = 3;
    /** Failures from before that are nobody's trouble: nothing is tried again. */
    private static final long RECENT_MS = 60000;
    private static final String FULL = "org.apache.flume.ChannelFullException";

    private final Map<Thread, Long> begun = new ConcurrentHashMap<>();
    private volatile int failures; // in a row
    private volatile long failed; // when the last one did
    private volatile String reason;
    private volatile long returned = System.nanoTime(); // when the last one did without an exception

    void begin() {
        begun.put(Thread.currentThread(), System.nanoTime());
    }

    /** `wrong`: what it threw, or null. */
    void end(Throwable wrong) {
        begun.remove(Thread.currentThread());
        if (wrong != null)
            note(wrong);
        else
            succeed();
    }

    private void succeed() {
        returned = System.nanoTime();
        if (failures != 0)
            failures = 0;
    }

    /** A channel that is full is no failure: a sink that does not empty it is named by itself. */
    private synchronized void note(Throwable wrong) {
        for (Throwable at = wrong; at != null; at = at.getCause() == at ? null : at.getCause())
            if (at.getClass().getName().equals(FULL))
                return;
        reason = Texts.describe(wrong);
        failed = System.nanoTime();
        failures = failures + 1;
    }

    /** Returns whether a call has returned, without an exception, since then. */
    boolean hasReturnedSince(long nanoTime) {
        return returned - nanoTime > 0;
    }

    /** Returns the thread whose call has lasted longest, or null. */
    private Map.Entry<Thread, Long> longest() {
        Map.Entry<Thread, Long> longest = null;
        for (Map.Entry<Thread, Long> call : begun.entrySet())
            if (longest == null || call.getValue() - longest.getValue() < 0)
                longest = call;
        return longest;
    }

    /** Returns when the longest call began that has lasted for so long; null: none has. */
    Long begunBefore(long milliseconds) {
        Map.Entry<Thread, Long> longest = longest();
        return longest != null && System.nanoTime() - longest.getValue() >= milliseconds * 1000000L ? longest.getValue() : null;
    }

    /** Returns whether the longest call is in a method of this name. */
    boolean isIn(String method) {
        Map.Entry<Thread, Long> longest = longest();
        if (longest != null)
            for (StackTraceElement frame : longest.getKey().getStackTrace())
                if (frame.getMethodName().equals(method))
                    return true;
        return false;
    }

    /** Where the longest call is, in words behind a sentence; "": there is none. */
    String place() {
        Map.Entry<Thread, Long> longest = longest();
        return longest != null ? Texts.place(longest.getKey().getStackTrace(), ", and is in ") : "";
    }

    /** Returns how the last calls failed, in words behind the part's name; "": they did not. */
    String failure() {
        int count = failures;
        boolean recent = System.nanoTime() - failed < RECENT_MS * 1000000L;
        return count >= FAILURES && recent ? " has failed " + count + " times in a row: " + reason : "";
    }
}
