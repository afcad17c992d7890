package example;

import java.util.ArrayList;
import java.util.Collections;
import java.util.Iterator;
import java.util.List;
import org.apache.flume.Sink;
import org.apache.flume.sink.AbstractSinkSelector;

/** A selector of the sinks of a group: always the last one of the list first. */
public class LastFirst extends AbstractSinkSelector {
    @Override
    public Iterator<Sink> createSinkIterator() {
        List<Sink> sinks = new ArrayList<>(getSinks());
        Collections.reverse(sinks);
        return sinks.iterator();
    }
}
