package example;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Paths;
import org.apache.flume.Context;
import org.apache.flume.EventDrivenSource;
import org.apache.flume.conf.Configurable;
import org.apache.flume.source.AbstractPollableSource;
import org.apache.flume.source.AbstractSource;

/** Interrupts every other thread of the process before it is stopped. Its stop() takes a moment, and then makes the file `stopped`. */
public class InterruptsAtEnd extends AbstractSource implements Configurable, EventDrivenSource {
    private static final int PAUSE_MS = 500;
    private String stopped;

    static void interruptAll() {
        Thread.getAllStackTraces().keySet().stream().filter(thread -> thread != Thread.currentThread()).forEach(Thread::interrupt);
    }

    /** Goes on when it is interrupted. */
    static void pause() {
        long until = System.nanoTime() + PAUSE_MS * 1000000L;
        while (System.nanoTime() < until)
            Thread.yield();
    }

    @Override
    public void configure(Context context) {
        stopped = context.getString("stopped");
    }

    @Override
    public synchronized void start() {
        super.start();
        interruptAll();
        System.out.println("InterruptsAtEnd: has interrupted all threads");
    }

    @Override
    public synchronized void stop() {
        pause();
        try {
            Files.createFile(Paths.get(stopped));
        } catch (IOException wrong) {
            throw new IllegalStateException(wrong);
        }
        super.stop();
    }

    /** Interrupts the others when the stop interrupts its process(), which takes a moment to return. */
    public static final class Polled extends AbstractPollableSource {
        private volatile boolean processes;

        @Override
        protected void doConfigure(Context context) {}

        @Override
        protected void doStart() {}

        @Override
        protected Status doProcess() {
            processes = true;
            System.out.println("InterruptsAtEnd: is polled");
            try {
                Thread.sleep(3600000);
            } catch (InterruptedException stops) {
                interruptAll();
                pause();
            }
            processes = false;
            return Status.READY;
        }

        @Override
        protected void doStop() {
            System.out.println("InterruptsAtEnd: is stopped " + (processes ? "in" : "behind") + " its process()");
        }
    }
}
