package penstock.host;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.apache.flume.Event;

/** The events of one batch that came from the agent, and what they were: its entries, which the agent leaves alone until the reply. */
final class HostBatch {
    final List<Event> events;
    private final EntryReader entries;
    private final int[] places;

    HostBatch(EntryReader entries, int count) {
        this.entries = entries;
        List<Event> made = new ArrayList<>(count);
        places = new int[count];
        for (int i = 0, at = 0; i < count; i++) {
            places[i] = at;
            made.add(new HostEvent(i, entries, at));
            at += entries.size(at);
        }
        events = Collections.unmodifiableList(made);
    }

    /** Returns whether it is one of these events, and neither a copy of one nor an event of another batch. */
    boolean has(Event event) {
        if (!(event instanceof HostEvent))
            return false;
        int number = ((HostEvent) event).number;
        return number < places.length && events.get(number) == event;
    }

    boolean headersChanged(HostEvent event) {
        return event.headersChanged(entries, places[event.number]);
    }

    boolean bodyChanged(HostEvent event) {
        return event.bodyChanged(entries, places[event.number]);
    }
}
