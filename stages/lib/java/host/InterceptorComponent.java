package penstock.host;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.LinkedBlockingQueue;
import org.apache.flume.Context;
import org.apache.flume.Event;
import org.apache.flume.interceptor.Interceptor;

/**
 * An interceptor, called as Flume's ChannelProcessor calls its chain: intercept(List) once for each batch, or intercept(Event) for each
 * event, as the source would do it in Flume. Flume has one instance for a source, whose threads share it; so the links of one component
 * share it here, each with a thread of its own.
 */
final class InterceptorComponent extends Component {
    static final int EVENTS_MAX = 1024;
    private static final int UNCHANGED = -1;

    /** An instance, and the links that use it. */
    private static final class Shared {
        final Interceptor interceptor;
        final List<Component> users = new ArrayList<>();

        Shared(Interceptor interceptor) {
            this.interceptor = interceptor;
        }

        /** A link that should have stopped still calls it: it may hang in a lock of the class, in which each other call would hang, too. */
        boolean hangs() {
            for (Component user : users)
                if (user.isLate())
                    return true;
            return false;
        }
    }

    private static final Map<List<String>, Shared> instances = new HashMap<>(); // also its own lock
    private static final Turn OPENING = new Turn(); // one component after the other makes its instance, or finds one

    private final List<String> texts;
    private final boolean single;
    private final LinkedBlockingQueue<Message> messages = new LinkedBlockingQueue<>();
    private final EventWriter writer = new EventWriter();
    private final EntryReader entries = new EntryReader();
    private Shared shared;
    private boolean tooMuch; // what the class has returned for the batch

    InterceptorComponent(Host host, int link, List<String> texts, boolean single) {
        super(host, link, texts);
        this.texts = texts;
        this.single = single;
    }

    @Override
    void receiveOther(Message message) {
        messages.add(message);
    }

    @Override
    void wake() {
        messages.add(Message.NONE);
    }

    @Override
    void work() throws Throwable {
        Interceptor interceptor = acquire();
        try {
            ready();
            Message message;
            while ((message = next()) != Message.NONE) {
                if (message.type == Message.BATCH)
                    handle(interceptor, message);
            }
        } finally {
            release();
        }
    }

    /** Returns the next message. An interrupt does not end the wait, because a class can interrupt every thread of the process; Message.NONE ends it. */
    private Message next() {
        for (;;) {
            try {
                return messages.take();
            } catch (InterruptedException byClass) {
                continue;
            }
        }
    }

    // ---- the instance ----

    private Interceptor acquire() throws Throwable {
        return OPENING.take(this, () -> {
            Interceptor there = use();
            if (there != null)
                return there;
            Interceptor made = make();
            made.initialize();
            return add(made);
        });
    }

    /** Returns the instance of another link, or null: there is none that works. */
    private Interceptor use() {
        synchronized (instances) {
            Shared there = instances.get(texts);
            if (there == null || there.hangs())
                return null;
            there.users.add(this);
            shared = there;
            return there.interceptor;
        }
    }

    private Interceptor add(Interceptor made) {
        synchronized (instances) {
            shared = new Shared(made);
            shared.users.add(this);
            Shared there = instances.get(texts); // another link has made one if this one was late
            if (there == null || there.hangs() && !isLate())
                instances.put(texts, shared);
            return made;
        }
    }

    /** The lock is not held while close() runs: it may hang. */
    private void release() {
        synchronized (instances) {
            shared.users.remove(this);
            if (!shared.users.isEmpty())
                return;
            instances.remove(texts, shared);
        }
        shared.interceptor.close();
    }

    @Override
    Interceptor make() throws Throwable {
        return CONFIGURING.take(this, () -> {
            Object object = instantiate(className);
            if (!(object instanceof Interceptor.Builder))
                throw new ClassCastException(className + " is no builder of interceptors: the type is the name of a class that "
                                             + "implements Interceptor.Builder, such as org.example.MyInterceptor$Builder");
            return SourceChain.build((Interceptor.Builder) object, new Context(pairs));
        });
    }

    // ---- batches ----

    /**
     * Whatever the class throws, the batch is refused: also for checked exceptions, which Scala, Kotlin and Lombok do not declare. The reply is sent outside
     * of the try, because an exception of the pipe must end the component.
     */
    private void handle(Interceptor interceptor, Message message) throws IOException {
        long batch = message.numbers[0];
        int count = (int) message.numbers[4], written;
        HostBatch events = read(message, count);
        tooMuch = false;
        try {
            List<Event> result = call(interceptor, events);
            written = EventWriter.isUnchanged(events, result) ? UNCHANGED : write(result, events, message.numbers[7]);
        } catch (OutOfMemoryError memory) {
            throw memory;
        } catch (Throwable wrong) {
            LogStream.log("ERROR", label, "the interceptor cannot handle a batch of " + count + " events", wrong);
            send(Message.TROUBLE, new long[] {batch, tooMuch ? 1 : 0}, Texts.describe(wrong));
            return;
        }
        if (written == UNCHANGED)
            send(Message.REPLY, new long[] {batch, 0, count, 1}, null);
        else
            reply(message, written);
    }

    private List<Event> call(Interceptor interceptor, HostBatch events) {
        try {
            List<Event> result = single ? interceptEach(interceptor, events.events) : interceptor.intercept(new ArrayList<>(events.events));
            if (result == null)
                throw new NullPointerException("Event list returned null from interceptor " + interceptor);
            return result;
        } finally {
            Thread.interrupted(); // a class may leave its thread interrupted: the next wait for a batch would end the component
        }
    }

    /** Returns how many events it has written. */
    private int write(List<Event> result, HostBatch events, long bytesMax) {
        int count = events.events.size(), written = 0;
        tooMuch = result.size() > EVENTS_MAX;
        if (tooMuch)
            throw new IllegalStateException(result.size() + " events from a batch of " + count + ": at most " + EVENTS_MAX);
        writer.begin(events, bytesMax);
        boolean isOneForEach = result.size() == count;
        for (Event event : result) {
            tooMuch = ++written > EVENTS_MAX || !writer.addOrGiveUp(event, isOneForEach && written <= count ? written - 1 : -1);
            if (tooMuch)
                throw new IllegalStateException("the events of a batch of " + count + " have become larger than " + bytesMax + " bytes, or more than "
                                                + EVENTS_MAX);
        }
        String givenUp = writer.givenUp();
        if (givenUp != null)
            LogStream.log("ERROR", label, "of what the interceptor made of a batch of " + count + " events, " + givenUp, null);
        return written;
    }

    private static List<Event> interceptEach(Interceptor interceptor, List<Event> events) {
        List<Event> result = new ArrayList<>(events.size());
        for (Event event : events) {
            Event intercepted = interceptor.intercept(event);
            if (intercepted != null)
                result.add(intercepted);
        }
        return result;
    }

    private HostBatch read(Message message, int count) throws IOException {
        entries.open(area(message.numbers[1], message.numbers[2]));
        return new HostBatch(entries, count);
    }

    /** Hands over the reply that the writer has. */
    private void reply(Message message, int count) throws IOException {
        ByteBuffer area = area(message.numbers[5], message.numbers[6]);
        if (writer.size() > area.capacity()) {
            send(Message.NEED, new long[] {message.numbers[0], writer.size()}, null);
            area = await(message.numbers[0]);
            if (area == null)
                return;
        }
        writer.copyTo(area);
        send(Message.REPLY, new long[] {message.numbers[0], writer.size(), count, 0}, null);
    }

    /** Returns the larger area for this batch; null: the agent does not want the reply, or stops. */
    private ByteBuffer await(long batch) throws IOException {
        for (;;) {
            Message message = next();
            if (message == Message.NONE) {
                messages.add(message); // for work()
                return null;
            }
            if (message.type == Message.DROP)
                return null;
            if (message.type == Message.AREA && message.numbers[0] == batch)
                return area(message.numbers[1], message.numbers[2]);
        }
    }
}
