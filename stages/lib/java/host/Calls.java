package penstock.host;

import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/**
 * The calls in which a part of a flow works with its channels, so that /readyz can name one that does not return, or that fails again and again. The part's
 * threads make them; the flow's thread asks.
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

    /** What a part's thread does in a call. */
    interface Call<R, E extends Exception> {
        R run() throws E;
    }

    /** A call that goes on. */
    static final class UnderWay {
        final long since; // as System.nanoTime()
        private final Thread thread;

        private UnderWay(Map.Entry<Thread, Long> call) {
            thread = call.getKey();
            since = call.getValue();
        }

        /** Returns whether it is in a method of this name. */
        boolean isIn(String method) {
            for (StackTraceElement frame : thread.getStackTrace())
                if (frame.getMethodName().equals(method))
                    return true;
            return false;
        }

        /** Where it is, in words behind a sentence. */
        String place() {
            return Texts.place(thread.getStackTrace(), ", and is in ");
        }
    }

    /** Makes a call, and notes what becomes of it. */
    <R, E extends Exception> R run(Call<R, E> call) throws E {
        begun.put(Thread.currentThread(), System.nanoTime());
        Throwable wrong = null;
        try {
            return call.run();
        } catch (Throwable thrown) {
            wrong = thrown;
            throw thrown;
        } finally {
            begun.remove(Thread.currentThread());
            if (wrong != null)
                note(wrong);
            else
                succeed();
        }
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

    /** Returns the call that has lasted longest, if it has lasted for so long; null: none has. */
    UnderWay underWay(long milliseconds) {
        Map.Entry<Thread, Long> longest = null;
        for (Map.Entry<Thread, Long> call : begun.entrySet())
            if (longest == null || call.getValue() - longest.getValue() < 0)
                longest = call;
        return longest != null && System.nanoTime() - longest.getValue() >= milliseconds * 1000000L ? new UnderWay(longest) : null;
    }

    /** Returns how the last calls failed, in words behind the part's name; "": they did not. */
    String failure() {
        int count = failures;
        boolean recent = System.nanoTime() - failed < RECENT_MS * 1000000L;
        return count >= FAILURES && recent ? " has failed " + count + " times in a row: " + reason : "";
    }
}
