package penstock.host;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Collections;
import java.util.List;
import java.util.Set;
import org.apache.flume.EventDeliveryException;
import org.apache.flume.EventDrivenSource;
import org.apache.flume.PollableSource;
import org.apache.flume.Source;

/**
 * A source, run as Flume's EventDrivenSourceRunner or PollableSourceRunner runs it. The component's thread starts and stops
 * it; a pollable one is polled by a thread of its own, so that a stop does not wait for it longer than Flume's does.
 */
final class SourceComponent extends Component {
    /** Flume waits until process() has returned, however long that takes; the agent waits for 5 s in all. */
    private static final long RUNNER_JOIN_MS = 2000;

    private final SourceSlots slots = new SourceSlots(this);
    private SourceChain chain;
    private Throwable died; // of the polling thread

    SourceComponent(Host host, int link, List<String> texts) {
        super(host, link, texts);
    }

    @Override
    void receiveOther(Message message) throws IOException {
        long[] numbers = message.numbers;
        if (message.type == Message.ANSWER) {
            slots.answer(numbers[0], numbers[1] != 0, numbers[2], message.text);
        } else if (message.type == Message.KEEP) {
            slots.keep();
        } else if (message.type == Message.AREA) {
            ByteBuffer area = numbers[2] > 0 ? host.map(numbers[1], numbers[2]) : null;
            slots.area((int) numbers[0], area, message.text);
        }
    }

    @Override
    synchronized void wake() {
        notifyAll();
    }

    @Override
    void beat() {
        interruptLateStart();
    }

    @Override
    void abandon() throws IOException {
        slots.abandon();
    }

    @Override
    Set<String> figures() {
        return Collections.singleton(Figures.name("source", name));
    }

    @Override
    @SuppressWarnings("try")
    void work() throws Throwable {
        Source source = make();
        try (End stops = () -> end(source)) {
            chain.initialize();
            start(source);
            ready();
            if (source instanceof PollableSource)
                poll((PollableSource) source);
            else
                awaitStop();
        }
    }

    private void end(Source source) {
        try {
            source.stop();
        } finally {
            slots.close();
            chain.close();
        }
    }

    @Override
    Source make() throws Throwable {
        return CONFIGURING.take(this, () -> {
            Object object = instantiate(className);
            if (!(object instanceof PollableSource) && !(object instanceof EventDrivenSource))
                throw new IllegalArgumentException(className + " is no source that can be run: it implements neither "
                                                   + "PollableSource nor EventDrivenSource of org.apache.flume");
            Source source = (Source) object;
            source.setName(name);
            configure(source);
            checkBatchSize(source, "source");
            chain = new SourceChain(pairs);
            source.setChannelProcessor(new HostChannelProcessor(slots, chain, pairs));
            return source;
        });
    }

    /** An interrupt, by a class that can reach every thread, does not end the source. */
    private synchronized void awaitStop() {
        while (!stopping && died == null) {
            try {
                wait();
            } catch (InterruptedException byClass) {
                continue;
            }
        }
    }

    private void poll(PollableSource source) throws Throwable {
        Thread runner = new Thread(() -> {
            try {
                pollUntilStopped(source);
            } catch (Throwable wrong) {
                synchronized (SourceComponent.this) {
                    died = wrong;
                    SourceComponent.this.notifyAll();
                }
            }
        }, "PollableSourceRunner-" + source.getClass().getSimpleName() + "-" + name);
        runner.setDaemon(true);
        runner.start();
        awaitStop();
        runner.interrupt();
        Threads.join(runner, RUNNER_JOIN_MS);
        synchronized (this) {
            if (died != null && !stopping)
                throw died;
        }
    }

    /** Exceptions are logged as Flume's PollableSourceRunner does; an error ends the component. */
    private void pollUntilStopped(PollableSource source) {
        long step = BACKOFF_STEP_MS, max = BACKOFF_MAX_MS, backoffs = 0;
        try { // classes that were compiled for Flume before 1.7 do not have these
            step = source.getBackOffSleepIncrement();
            max = source.getMaxBackOffSleepInterval();
        } catch (AbstractMethodError old) {
            step = BACKOFF_STEP_MS;
            max = BACKOFF_MAX_MS;
        }
        while (!stopping) {
            long pause = 0;
            try {
                if (source.process().equals(PollableSource.Status.BACKOFF)) // null throws, as in Flume
                    pause = Math.min(++backoffs * step, max);
                else
                    backoffs = 0;
            } catch (EventDeliveryException wrong) {
                LogStream.log("ERROR", label, "Unable to deliver event. Exception follows.", wrong);
            } catch (Exception wrong) {
                if (stopping)
                    return;
                LogStream.log("ERROR", label, "Unhandled exception, logging and sleeping for " + max + "ms", wrong);
                pause = max;
            }
            try {
                rest(pause);
            } catch (InterruptedException interrupted) {
                continue; // it is stopping
            }
        }
    }
}
