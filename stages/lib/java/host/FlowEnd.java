package penstock.host;

import java.util.Arrays;
import java.util.List;
import java.util.Map;

/** The end of a flow. Its parts stop one kind after the other; all times are from the same moment, so that the whole has a bound. Used by the flow's thread. */
final class FlowEnd {
    /** Flume's channels whose events are there at the next start. Others may be, too, but that is not known. */
    private static final List<String> DURABLE = Arrays.asList("org.apache.flume.channel.file.FileChannel", "org.apache.flume.channel.jdbc.JdbcChannel",
                                                              "org.apache.flume.channel.kafka.KafkaChannel");
    /** As for native sinks: those of a durable channel may go on as long as they deliver something in this time. */
    private static final long PATIENCE_MS = 500;
    private static final long LOOK_MS = 20;
    /** Parts of a kind stop in turn, as in Flume; one that takes longer does not keep the next one from its stop. */
    private static final long TURN_MS = 500;

    private final String label;
    private final long began;

    /** The flow was asked to stop so long ago. */
    FlowEnd(String label, long milliseconds) {
        this.label = label;
        began = System.nanoTime() - milliseconds * 1000000L;
    }

    private long passed() {
        return (System.nanoTime() - began) / 1000000L;
    }

    /** Returns the end of a time that begins now. */
    long from(long milliseconds) {
        return passed() + milliseconds;
    }

    /** Returns the end of a time that begins now, but not later than `latest`. */
    long from(long milliseconds, long latest) {
        return Math.min(from(milliseconds), latest);
    }

    /** Waits for a thread's end. Returns whether it has ended in time. */
    boolean join(Thread thread, long untilMs) {
        return Threads.join(thread, untilMs - passed());
    }

    /** Stops the parts of one kind. Returns whether all have stopped in time; the others are left alone. */
    boolean run(List<PartStop> stops, long untilMs) {
        long since = passed();
        for (PartStop stop : stops) {
            stop.thread.start();
            join(stop.thread, from(TURN_MS, untilMs));
        }
        boolean all = true;
        for (PartStop stop : stops) {
            boolean ended = join(stop.thread, untilMs);
            if (!ended)
                LogStream.log("WARN", label, stop.name + " has not stopped " + (passed() - since + 500) / 1000 + " s after it was asked to" + stop.place()
                                                 + ": the others go on without it", null);
            all &= ended;
        }
        return all;
    }

    /**
     * Waits until the sinks have taken what the channels hold, as their counters say; a class without counters is not waited for. The events of a durable
     * channel need no sink that does not deliver.
     */
    void awaitEmpty(Map<String, ?> channels, long untilMs) {
        for (Map.Entry<String, ?> channel : channels.entrySet()) {
            boolean isDurable = DURABLE.contains(channel.getValue().getClass().getName());
            long left = awaitEmpty(channel.getKey(), untilMs, isDurable ? PATIENCE_MS : untilMs);
            if (left > 0)
                LogStream.log(isDurable ? "INFO" : "WARN", label, "channel " + channel.getKey() + " stops with " + left + " events", null);
        }
    }

    private long awaitEmpty(String channel, long untilMs, long patienceMs) {
        long size, before = Long.MAX_VALUE, since = passed();
        while ((size = ChannelCounts.size(channel)) > 0 && passed() < untilMs && passed() - since < patienceMs) {
            if (size < before)
                since = passed();
            before = size;
            try {
                Thread.sleep(LOOK_MS);
            } catch (InterruptedException byClass) {
                continue;
            }
        }
        return size;
    }
}
