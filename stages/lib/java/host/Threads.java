package penstock.host;

/** Waits for threads. A class can interrupt every thread of the process; that ends none of these waits. */
final class Threads {
    private Threads() {}

    /** Waits for the thread's end, but no longer than this. Returns whether it has ended. */
    static boolean join(Thread thread, long milliseconds) {
        long until = System.nanoTime() + milliseconds * 1000000L;
        for (long left; thread.isAlive() && (left = until - System.nanoTime()) > 0;) {
            try {
                thread.join(left / 1000000L + 1);
            } catch (InterruptedException byClass) {
                continue;
            }
        }
        return !thread.isAlive();
    }
}
