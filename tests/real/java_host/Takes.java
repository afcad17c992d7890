package example;

import java.util.ArrayList;
import java.util.List;
import java.util.function.IntPredicate;
import org.apache.flume.Channel;
import org.apache.flume.Event;
import org.apache.flume.Transaction;

/** What sinks take from their channel, each time in a transaction of its own. */
final class Takes {
    private Takes() {}

    /** Takes at most this many events. The transaction is committed if `commits` says so of their number, else it is rolled back. */
    static List<Event> take(Channel channel, int most, IntPredicate commits) {
        List<Event> taken = new ArrayList<>();
        Transaction transaction = channel.getTransaction();
        transaction.begin();
        for (Event event; taken.size() < most && (event = channel.take()) != null;)
            taken.add(event);
        if (commits.test(taken.size()))
            transaction.commit();
        else
            transaction.rollback();
        transaction.close();
        return taken;
    }

    /** Takes one event; null: there is none. */
    static Event takeOne(Channel channel, boolean commits) {
        List<Event> taken = take(channel, 1, count -> commits);
        return taken.isEmpty() ? null : taken.get(0);
    }
}
