package penstock.host;

import java.util.ArrayList;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;

/**
 * Which parts of a flow cannot start, fail or hang, for /readyz and the log. The flow's thread looks every few seconds: no event of a flow crosses to the
 * agent, so the agent itself sees nothing of it.
 */
final class FlowTrouble {
    private final String label;
    private final long stallMs; // 0: parts that hang are not named
    private final Map<String, Calls> sources = new TreeMap<>(), sinks = new TreeMap<>();
    private final ChannelCounts channels = new ChannelCounts();
    private final List<String> found = new ArrayList<>(); // by this look
    private Set<String> said = new HashSet<>(), goesOn = new HashSet<>(); // parts whose trouble the log has; that still have it

    FlowTrouble(String label, long stallMs) {
        this.label = label;
        this.stallMs = stallMs;
    }

    void watchSource(String name, Calls calls) {
        sources.put(name, calls);
    }

    void watchSink(String name, Calls calls) {
        sinks.put(name, calls);
    }

    /** The calls of a source or sink; null: it has none. */
    Calls callsOf(String name) {
        return sources.getOrDefault(name, sinks.get(name));
    }

    /** A new look begins. */
    void begin() {
        found.clear();
        goesOn = new HashSet<>();
    }

    /** Adds a trouble that the log has. */
    void add(String trouble) {
        found.add(trouble);
    }

    /** Looks at the parts that have started. Called every few seconds. */
    void look(Collection<String> channelNames) {
        for (Map.Entry<String, Calls> source : sources.entrySet())
            look(source.getKey(), source.getValue(), " has not returned from a put", false);
        for (Map.Entry<String, Calls> sink : sinks.entrySet())
            look(sink.getKey(), sink.getValue(), " has not returned from process()", true);
        for (String channel : channelNames)
            if (stallMs > 0)
                note("channel " + channel, channels.trouble(channel, stallMs));
        said = goesOn;
    }

    private void look(String name, Calls calls, String what, boolean isSink) {
        Calls.UnderWay call = stallMs > 0 ? calls.underWay(stallMs) : null;
        String failure = calls.failure();
        if (call != null && !(isSink && waitsForEvents(call)))
            note(name, name + what + " for " + (System.nanoTime() - call.since) / 1000000000L + " s" + call.place());
        else if (!failure.isEmpty())
            found.add(name + failure); // Flume's runner or the source has logged each
    }

    /** A channel's take() may wait for an event as long as it likes. */
    private boolean waitsForEvents(Calls.UnderWay call) {
        for (Calls source : sources.values())
            if (source.hasReturnedSince(call.since))
                return false;
        return call.isIn("take");
    }

    /** Adds a trouble, if it is one, and logs it when it begins. */
    private void note(String part, String trouble) {
        if (trouble.isEmpty())
            return;
        found.add(trouble);
        goesOn.add(part);
        if (!said.contains(part))
            LogStream.log("WARN", label, trouble, null);
    }

    /** Returns the first trouble, and how many more there are; "": none. */
    String text() {
        if (found.isEmpty())
            return "";
        return found.get(0) + (found.size() > 1 ? " (and " + (found.size() - 1) + " more)" : "");
    }
}
