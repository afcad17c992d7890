package example;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.flume.Channel;
import org.apache.flume.ChannelException;
import org.apache.flume.Context;
import org.apache.flume.Event;
import org.apache.flume.Transaction;
import org.apache.flume.channel.MemoryChannel;
import org.apache.flume.channel.file.FileChannel;
import org.apache.flume.conf.Configurable;
import org.apache.flume.lifecycle.LifecycleState;

/**
 * One of Flume's channels (a file channel if the key `checkpointDir` is there) that does what a channel must not do. `throws` names a call of the channel or
 * of its transaction that throws at each third time; `hangs` one that never returns from the third time on, whoever interrupts it. `commit` is that of a
 * source, `delivery` that of a sink; `committed` and `delivered` are the end of the same. `does` is something else: `nothing` gives no event, `twice` gives
 * each twice, `open` closes no transaction, `exit` ends the process in a sink's commit, `grow` keeps 4 MiB for each event.
 */
public class HostileChannel implements Channel, Configurable {
    private static final int EVERY = 3;

    private Channel inner;
    private String throwing, hanging, doing, name;
    private int exits;
    private Path exited;
    private final AtomicInteger calls = new AtomicInteger();
    private final List<byte[]> kept = new ArrayList<>();
    private final ThreadLocal<Event> twice = new ThreadLocal<>();

    @Override
    public void configure(Context context) {
        throwing = context.getString("throws", "");
        hanging = context.getString("hangs", "");
        doing = context.getString("does", "");
        exits = context.getInteger("exits", 0);
        exited = Paths.get(context.getString("exited", ""));
        inner = context.getString("checkpointDir") != null ? new FileChannel() : new MemoryChannel();
        inner.setName(name);
        ((Configurable) inner).configure(context);
    }

    /** Returns whether this is the commit that ends the process: there is one such until the file `exited` has as many lines as `exits`. */
    private boolean exits() {
        try {
            if (calls.incrementAndGet() != EVERY || Files.size(exited) >= exits)
                return false;
            Files.write(exited, new byte[] {'\n'}, StandardOpenOption.APPEND);
            return true;
        } catch (IOException wrong) {
            throw new IllegalStateException(wrong);
        }
    }

    /** Called at the beginning of each call. */
    private void meet(String call) {
        if (call.equals(hanging) && calls.incrementAndGet() >= EVERY) {
            System.out.println("HostileChannel: " + call + " hangs");
            NeverStops.hang();
        }
        if (call.equals(throwing) && calls.incrementAndGet() % EVERY == 0)
            throw call.equals("take") ? new IllegalStateException(call + " of a hostile channel") : new ChannelException(call + " of a hostile channel");
    }

    @Override
    public void start() {
        inner.start();
    }

    @Override
    public void stop() {
        if (hanging.equals("stop"))
            NeverStops.hang();
        inner.stop();
    }

    @Override
    public void put(Event event) {
        meet("put");
        if (doing.equals("grow"))
            for (int i = 0; i < 4; i++)
                kept.add(new byte[1 << 20]);
        inner.put(event);
    }

    @Override
    public Event take() {
        meet("take");
        if (doing.equals("nothing"))
            return null;
        Event event = twice.get();
        twice.remove();
        if (event == null) {
            event = inner.take();
            if (doing.equals("twice"))
                twice.set(event);
        }
        return event;
    }

    @Override
    public Transaction getTransaction() {
        Transaction transaction = inner.getTransaction();
        return new Transaction() {
            @Override
            public void begin() {
                meet("begin");
                transaction.begin();
            }

            @Override
            public void commit() {
                boolean isOfSink = Thread.currentThread().getName().startsWith("SinkRunner");
                meet(isOfSink ? "delivery" : "commit");
                transaction.commit();
                if (doing.equals("exit") && isOfSink && exits())
                    System.exit(7);
                meet(isOfSink ? "delivered" : "committed");
            }

            @Override
            public void rollback() {
                meet("rollback");
                transaction.rollback();
            }

            @Override
            public void close() {
                meet("close");
                if (!doing.equals("open"))
                    transaction.close();
            }
        };
    }

    @Override
    public LifecycleState getLifecycleState() {
        return inner.getLifecycleState();
    }

    @Override
    public void setName(String name) {
        this.name = name;
    }

    @Override
    public String getName() {
        return name;
    }
}
