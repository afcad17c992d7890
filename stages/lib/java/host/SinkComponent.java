package penstock.host;

import java.io.IOException;
import java.util.Collections;
import java.util.List;
import java.util.Set;
import org.apache.flume.Sink;

/** A sink, run as Flume's SinkRunner runs it. */
final class SinkComponent extends Component {
    private final SinkChannel channel;
    private final Object turn = new Object(); // guards `processes` and `beatsToStop`
    private boolean processes; // its thread is in process(), or between two calls
    private int beatsToStop;
    private int failures; // in a row

    SinkComponent(Host host, int link, List<String> texts) {
        super(host, link, texts);
        channel = new SinkChannel(this, pairs.get("channel"));
    }

    @Override
    void receiveOther(Message message) throws IOException {
        if (message.type == Message.BATCH)
            channel.add(message.numbers[0], area(message.numbers[1], message.numbers[2]), (int) message.numbers[4]);
        else if (message.type == Message.DROP)
            channel.letterIsWritten();
    }

    @Override
    void beat() throws IOException {
        channel.flush();
        interruptLateStart();
        interruptLate();
    }

    /**
     * Interrupts a process() that goes on after the stop, as Flume's SinkRunner does: it may wait for something that does not come. It has one second
     * before that, in which it can deliver its events.
     */
    private void interruptLate() {
        synchronized (turn) {
            if (stopping && processes && ++beatsToStop > 1)
                interrupt();
        }
    }

    private void setProcesses(boolean processes) {
        synchronized (turn) {
            this.processes = processes;
        }
    }

    @Override
    void wake() {
        channel.close();
    }

    @Override
    Set<String> figures() {
        return Collections.singleton(Figures.name("sink", name));
    }

    @Override
    @SuppressWarnings("try")
    void work() throws Throwable {
        Sink sink = make();
        sink.setChannel(channel);
        try (End stops = () -> end(sink)) { // also when start() throws: the next instance needs the ports and files that it has opened
            start(sink);
            ready();
            setProcesses(true);
            while (!stopping)
                process(sink);
        }
    }

    /** The agent uses the slots again when it has the report of the end: threads that the class has left behind find no event then. */
    private void end(Sink sink) throws IOException {
        setProcesses(false);
        Thread.interrupted(); // stop() is not interrupted
        try {
            sink.stop();
        } finally {
            channel.close();
            channel.flush();
        }
    }

    @Override
    Sink make() throws Throwable {
        return CONFIGURING.take(this, () -> {
            Sink sink = (Sink) instantiate(className);
            sink.setName(name);
            configure(sink);
            checkBatchSize(sink, "sink");
            return sink;
        });
    }

    private long restMs(int failures) {
        long step = retries != null ? retries[1] : BACKOFF_STEP_MS;
        return Math.min(failures * step, longestRestMs());
    }

    private long longestRestMs() {
        return retries != null ? retries[2] : BACKOFF_MAX_MS;
    }

    private void process(Sink sink) throws Exception {
        try {
            channel.askEmpty(); // what earlier calls found does not count
            boolean goesOn = !sink.process().equals(Sink.Status.BACKOFF); // null throws, as in Flume
            if (channel.judge("its transactions are rolled back") || goesOn) {
                failures = 0;
                return;
            }
            channel.flush();
            // A sink that found its channel empty needs no rest but until there are events: Flume rests because it would have to ask again. One that has then
            // put its events back could not deliver them, and rests.
            long rest = restMs(++failures);
            if (channel.askEmpty()) {
                failures = 0;
                channel.await(rest);
            } else {
                rest(rest);
            }
        } catch (InterruptedException interrupted) {
            return; // the class has interrupted its own thread: as in Flume, it goes on
        } catch (Exception wrong) {
            if (stopping)
                return;
            LogStream.log("ERROR", label, "Unable to deliver event. Exception follows.", wrong);
            send(Message.TROUBLE, new long[] {longestRestMs() * 1000000L}, Texts.describe(wrong));
            try {
                if (!channel.judge(Texts.describe(wrong)))
                    rest(longestRestMs());
            } catch (InterruptedException interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }
}
