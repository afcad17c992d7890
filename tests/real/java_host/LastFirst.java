package example;

import java.util.ArrayList;
import java.util.Collections;
import java.util.Iterator;
import java.util.List;
import org.apache.flume.Sink;
import org.apache.flume.sink.AbstractSinkSelector;

/** A sink selector that always begins with the last sink of the group. */
public class LastFirst extends AbstractSinkSelector {
    @Override
    public Iterator<Sink> createSinkIterator() {
        List<Sink> sinks = new ArrayList<>(getSinks());
        Collections.reverse(sinks);
        return sinks.iterator();
    }
}
