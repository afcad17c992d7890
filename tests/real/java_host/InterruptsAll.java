package example;

import java.nio.charset.StandardCharsets;
import org.apache.flume.EventDrivenSource;
import org.apache.flume.event.EventBuilder;
import org.apache.flume.source.AbstractSource;

/** Puts five events, and interrupts every other thread of the process before each of them. */
public class InterruptsAll extends AbstractSource implements EventDrivenSource {
    private static final int EVENTS = 5, PAUSE_MS = 300; // in which a thread that takes the interrupt for its end has ended

    @Override
    public synchronized void start() {
        super.start();
        new Thread(this::run, "interrupts").start();
    }

    private void run() {
        for (int i = 1; i <= EVENTS; i++) {
            Thread.getAllStackTraces().keySet().stream().filter(thread -> thread != Thread.currentThread()).forEach(Thread::interrupt);
            try {
                Thread.sleep(PAUSE_MS);
            } catch (InterruptedException ends) {
                return;
            }
            getChannelProcessor().processEvent(EventBuilder.withBody("event " + i, StandardCharsets.UTF_8));
        }
    }
}
