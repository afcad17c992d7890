package penstock.host;

import java.lang.management.ManagementFactory;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import javax.management.MBeanServer;
import javax.management.ObjectName;

/** What the counters of a flow's channels say. A class need not have any: then nothing is known of its channel. Used by the flow's thread. */
final class ChannelCounts {
    private static final MBeanServer BEANS = ManagementFactory.getPlatformMBeanServer();

    private static final long PATIENCE_MS = 1000; // until a bean counts as one that hangs

    /** Events that a channel has had since a time without giving any to a sink. */
    private static final class Still {
        long taken, since;
    }

    private final Map<String, Still> still = new HashMap<>();

    /** Questions that had no answer in time: a bean may be a class's own, and wait for a database. By channel and attribute. */
    private static final Map<String, FutureTask<Long>> unanswered = new ConcurrentHashMap<>();

    private static FutureTask<Long> begin(String channel, String attribute) {
        FutureTask<Long> question = new FutureTask<>(() -> (Long) BEANS.getAttribute(new ObjectName("org.apache.flume.channel:type=" + channel), attribute));
        Thread thread = new Thread(question, "penstock-counts");
        thread.setDaemon(true);
        thread.start();
        return question;
    }

    private static Long answer(FutureTask<Long> question, long milliseconds) throws ExecutionException, TimeoutException {
        while (true) {
            try {
                return question.get(milliseconds, TimeUnit.MILLISECONDS);
            } catch (InterruptedException byClass) {
                continue;
            }
        }
    }

    /** Returns the number; 0 if it is not known, or does not come in time. While an earlier question has no answer no other one is asked. */
    private static long ask(String channel, String attribute) {
        String key = channel + ' ' + attribute;
        FutureTask<Long> question = unanswered.remove(key);
        long patience = question != null ? 0 : PATIENCE_MS;
        try {
            question = question != null ? question : begin(channel, attribute);
            return answer(question, patience);
        } catch (TimeoutException hangs) {
            unanswered.put(key, question);
            return 0;
        } catch (ExecutionException | RuntimeException | OutOfMemoryError none) { // no such bean or number, or it throws; no thread
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
