package penstock.host;

import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.apache.flume.SinkRunner;
import org.apache.flume.SourceRunner;
import org.apache.flume.conf.FlumeConfiguration;
import org.apache.flume.lifecycle.LifecycleAware;
import org.apache.flume.lifecycle.LifecycleState;
import org.apache.flume.node.AbstractConfigurationProvider;
import org.apache.flume.node.MaterializedConfiguration;

/**
 * Sources, channels and sinks that run in Java as a whole, because a channel, selector or sink processor among them exists only
 * there. Flume makes them of its part of the configuration, and runs them as its own agent does; no event crosses to the agent.
 */
final class FlowComponent extends Component {
    static final String CLASS = "org.apache.flume.node.Application";
    private static final long RETRY_MS = 3000; // of Flume's LifecycleSupervisor
    /** Times since the stop began, at which the sources, the channels' becoming empty, the sinks, and all must be over. The agent waits a little longer. */
    private static final long SOURCES_MS = STOP_MS, DRAIN_MS = 20000, SINKS_MS = 22000, END_MS = 23000;
    private static final long AGENT_MS = 25000; // FLOW_DRAIN_NS
    /** Of sinks that stop, and of channels; less if a part that was stopped before has hung. */
    private static final long PART_MS = STOP_MS, BEHIND_HUNG_MS = 2000;

    /** A key that the agent adds (PS_JAVA_STALL_KEY): penstock.ready.stall, in milliseconds. */
    private static final String STALL = "penstock.ready.stall";

    private final Map<LifecycleAware, Throwable> dead = new IdentityHashMap<>(); // why a part is not started again
    private final Map<LifecycleAware, PartStart> starts = new IdentityHashMap<>(); // that have not returned
    private final Map<LifecycleAware, SourcePuts> puts = new IdentityHashMap<>(); // of sources
    private final FlowTrouble trouble;
    private String told = ""; // what the agent knows of the trouble

    FlowComponent(Host host, int link, List<String> texts) {
        super(host, link, texts);
        trouble = new FlowTrouble(label, Long.parseLong(pairs.getOrDefault(STALL, "0")));
        pairs.remove(STALL); // it is not for Flume
    }

    @Override
    void receiveOther(Message message) {}

    @Override
    void wake() {}

    @Override
    Set<String> figures() {
        Set<String> names = new TreeSet<>();
        for (String kind : new String[] {"source", "channel", "sink"})
            for (String part : pairs.getOrDefault(kind + "s", "").trim().split("\\s+"))
                names.add(Figures.name(kind, part));
        return names;
    }

    @Override
    long patience() {
        return AGENT_MS;
    }

    @Override
    void work() throws Throwable {
        MaterializedConfiguration flows = make();
        Map<String, ? extends LifecycleAware> channels = flows.getChannels();
        Map<String, SinkRunner> sinks = flows.getSinkRunners();
        Map<String, SourceRunner> sources = flows.getSourceRunners();
        watch(sources, sinks);
        try {
            boolean ready = false;
            while (!stopping) {
                // Flume starts the channels, waits until they have started, and then the others.
                trouble.begin();
                boolean started = start("channel", channels) && startEach(sinks, sources);
                trouble.look(channels.keySet());
                tell();
                if (started && !ready) {
                    ready();
                    ready = true;
                }
                restUntilRetry();
            }
        } finally {
            end(sources, sinks, channels);
        }
    }

    /** Notes the calls in which sources and sinks work with the channels. */
    private void watch(Map<String, SourceRunner> sources, Map<String, SinkRunner> sinks) {
        for (Map.Entry<String, SourceRunner> source : sources.entrySet()) {
            SourcePuts put = SourcePuts.of(source.getValue().getSource());
            puts.put(source.getValue(), put);
            if (put != null)
                trouble.watchSource(nameOf("source", source.getKey()), put.calls);
        }
        for (Map.Entry<String, SinkRunner> sink : sinks.entrySet())
            trouble.watchSink(nameOf("sink", sink.getKey()), SinkCalls.of(sink.getValue()).calls);
    }

    /** Flume runs the sinks of a group together, under the name of the group. */
    private String nameOf(String kind, String name) {
        boolean isGroup = kind.equals("sink") && Arrays.asList(pairs.getOrDefault("sinkgroups", "").trim().split("\\s+")).contains(name);
        return (isGroup ? "sink group " : kind + " ") + name;
    }

    private void restUntilRetry() {
        try {
            rest(RETRY_MS);
        } catch (InterruptedException byClass) {
            return; // it looks at its parts a little earlier
        }
    }

    /** Stops all parts. What hangs is left alone, so that the others end in their turn, within one time for all together. */
    private void end(Map<String, SourceRunner> sources, Map<String, SinkRunner> sinks, Map<String, ? extends LifecycleAware> channels) {
        FlowEnd end = new FlowEnd(label, stopping ? stoppingFor() : 0);
        boolean hung = !stop(end, "source", sources, SOURCES_MS);
        end.awaitEmpty(channels, DRAIN_MS);
        hung |= !stop(end, "sink", sinks, end.from(hung ? BEHIND_HUNG_MS : PART_MS, SINKS_MS));
        stop(end, "channel", channels, end.from(hung ? BEHIND_HUNG_MS : PART_MS, END_MS));
    }

    @Override
    MaterializedConfiguration make() throws Throwable {
        Map<String, String> properties = new HashMap<>();
        for (Map.Entry<String, String> pair : pairs.entrySet())
            if (!pair.getKey().equals("type")) // of this component, which Flume does not know
                properties.put(agent + "." + pair.getKey(), pair.getValue());
        MaterializedConfiguration flows = CONFIGURING.take(this, () -> new AbstractConfigurationProvider(agent) {
            @Override
            protected FlumeConfiguration getFlumeConfiguration() {
                return new FlumeConfiguration(properties);
            }
        }.getConfiguration());
        Set<String> dropped = new TreeSet<>();
        dropped.addAll(missing("sources", flows.getSourceRunners().keySet()));
        dropped.addAll(missing("channels", flows.getChannels().keySet()));
        if (!dropped.isEmpty() && host == null)
            throw new IllegalStateException("Flume drops " + dropped + ": the lines above say why");
        if (!dropped.isEmpty())
            LogStream.log("ERROR", label, "Flume has dropped " + dropped + ": the lines above say why", null);
        if (flows.getSourceRunners().isEmpty() && flows.getSinkRunners().isEmpty())
            throw new IllegalStateException("Flume has dropped all sources and sinks: the log says why");
        return flows;
    }

    private Set<String> missing(String list, Set<String> made) {
        Set<String> names = new TreeSet<>();
        for (String name : pairs.getOrDefault(list, "").trim().split("\\s+"))
            if (!name.isEmpty() && !made.contains(name))
                names.add(list + "." + name);
        return names;
    }

    /** Tells the agent which part cannot start or work, or that all do, if it does not know. */
    private void tell() throws IOException {
        String text = trouble.text();
        if (!text.equals(told))
            send(Message.TROUBLE, new long[] {0}, text);
        told = text;
    }

    /** As in Flume, a sink that cannot start does not keep the sources from filling the channels. */
    private boolean startEach(Map<String, ? extends LifecycleAware> sinks, Map<String, ? extends LifecycleAware> sources) {
        boolean started = start("sink", sinks);
        return start("source", sources) && started;
    }

    /** As in Flume, a part that throws an Error (most often because a class is missing) is stopped and not started again; the others go on. */
    private void end(LifecycleAware part, Error wrong) {
        dead.put(part, wrong);
        stop(part);
    }

    /** Returns whether all have started, except those in `dead`. A part that throws an exception is started again at the next call. */
    private boolean start(String kind, Map<String, ? extends LifecycleAware> parts) {
        boolean started = true;
        for (Map.Entry<String, ? extends LifecycleAware> entry : parts.entrySet()) {
            LifecycleAware part = entry.getValue();
            String name = nameOf(kind, entry.getKey());
            if (part.getLifecycleState() == LifecycleState.START || stopping)
                continue;
            String why = dead.containsKey(part) ? " cannot start: " + Texts.describe(dead.get(part)) : start(part, name);
            if (!why.isEmpty())
                trouble.add(name + why);
            started &= part.getLifecycleState() == LifecycleState.START || dead.containsKey(part) || isAtWork(part);
        }
        return started;
    }

    /** Starts a part, or looks at a start that has not returned. Returns "", or what keeps it from running, in words behind its name. */
    private String start(LifecycleAware part, String name) {
        PartStart start = starts.computeIfAbsent(part, new_ -> new PartStart(part, name));
        if (!start.hasReturned())
            return isAtWork(part) ? "" : " has not returned from start()" + start.place();
        starts.remove(part);
        Throwable wrong = start.wrong();
        if (wrong == null)
            return "";
        LogStream.log("ERROR", label, "Unable to start " + part, wrong);
        if (wrong instanceof Error)
            end(part, (Error) wrong);
        return " cannot start: " + Texts.describe(wrong);
    }

    /** Returns whether it is a source whose start() goes on, and has put an event: some do all their work there. */
    private boolean isAtWork(LifecycleAware part) {
        SourcePuts put = puts.get(part);
        return put != null && put.isDone() && starts.containsKey(part);
    }

    /** Stops those that have started: as in Flume, stop() is not called for the others. Returns whether all have stopped in time. */
    private boolean stop(FlowEnd end, String kind, Map<String, ? extends LifecycleAware> parts, long untilMs) {
        List<PartStart> begun = new ArrayList<>();
        for (LifecycleAware part : parts.values())
            if (starts.containsKey(part))
                begun.add(starts.remove(part));
        PartStart.end(begun, end);
        List<PartStop> stops = new ArrayList<>();
        for (Map.Entry<String, ? extends LifecycleAware> entry : parts.entrySet()) {
            String name = nameOf(kind, entry.getKey());
            LifecycleAware part = entry.getValue();
            if (part.getLifecycleState() == LifecycleState.START)
                stops.add(new PartStop(name, () -> stop(part), trouble.callsOf(name)));
        }
        return end.run(stops, untilMs);
    }

    private void stop(LifecycleAware part) {
        try {
            part.stop();
        } catch (Throwable wrong) {
            LogStream.log("ERROR", label, "Unable to stop " + part, wrong);
        }
    }
}
