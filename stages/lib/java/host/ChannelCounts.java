package penstock.host;

import java.lang.management.ManagementFactory;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import javax.management.MBeanServer;
import javax.management.ObjectName;

/** What the counters of a flow's channels say. A class need not have any: then nothing is known of its channel. Used by the flow's thread. */
final class ChannelCounts {
    private static final MBeanServer BEANS = ManagementFactory.getPlatformMBeanServer();

    /** Events that a channel has had since a time without giving any to a sink. */
    private static final class Still {
        long taken, since;
    }

    private final Map<String, Still> still = new HashMap<>();
    private static final Beans<Long> questions = new Beans<>("penstock-counts");

    /** Returns the number; 0 if it is not known, or does not come in time. */
    private static long ask(String channel, String attribute) {
        try {
            return questions.ask(channel + ' ' + attribute, () -> (Long) BEANS.getAttribute(new ObjectName("org.apache.flume.channel:type=" + channel), attribute));
        } catch (Beans.Hangs | ExecutionException | RuntimeException | OutOfMemoryError none) { // no such bean or number, or it throws; no thread
            return 0;
        }
    }

    /** Returns how many events the channel has; 0: none, or that is not known. */
    static long size(String channel) {
        return ask(channel, "ChannelSize");
    }

    /** Returns in words that the channel has had events for so long of which its sinks have taken none; "": it has not. Called every few seconds. */
    String trouble(String channel, long milliseconds) {
        long now = System.nanoTime(), size = size(channel), taken = ask(channel, "EventTakeSuccessCount");
        Still at = still.computeIfAbsent(channel, new_ -> new Still());
        if (size == 0 || at.since == 0 || taken != at.taken) {
            at.taken = taken;
            at.since = now;
        }
        long seconds = (now - at.since) / 1000000000L;
        return now - at.since >= milliseconds * 1000000L ? "channel " + channel + " has had events for " + seconds + " s, now " + size + ", of which its sinks have taken none" : "";
    }
}
