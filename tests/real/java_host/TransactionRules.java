package example;

import java.io.FileWriter;
import java.io.IOException;
import java.io.PrintWriter;
import org.apache.flume.Channel;
import org.apache.flume.Context;
import org.apache.flume.Event;
import org.apache.flume.Sink;
import org.apache.flume.Transaction;
import org.apache.flume.conf.Configurable;
import org.apache.flume.sink.AbstractSink;

/**
 * Asks its channel what Flume's own TestBasicChannelSemantics and TestBasicTransactionSemantics ask: which call is refused in which state
 * of a transaction, by which thread, and with which words. Writes an answer a line, then the events that came.
 */
public class TransactionRules extends AbstractSink implements Configurable {
    private interface Call {
        Object run() throws Exception;
    }

    private String path;
    private PrintWriter out;
    private boolean asked;

    @Override
    public void configure(Context context) {
        path = context.getString("path");
    }

    @Override
    public synchronized void start() {
        try {
            out = new PrintWriter(new FileWriter(path), true);
        } catch (IOException wrong) {
            throw new IllegalStateException(wrong);
        }
        out.println("name " + getName() + ", channel " + getChannel().getName() + ", state " + getLifecycleState());
        super.start();
        out.println("state " + getLifecycleState() + ", of the channel " + getChannel().getLifecycleState());
    }

    private void ask(String what, Call call) {
        String answer;
        try {
            Object result = call.run();
            answer = result instanceof Event ? new String(((Event) result).getBody()) : String.valueOf(result);
        } catch (Exception wrong) {
            answer = wrong.getClass().getName() + ": " + wrong.getMessage();
        }
        out.println(what + ": " + answer);
    }

    private void ask(String what, Runnable call) {
        ask(what, () -> {
            call.run();
            return "done";
        });
    }

    private void elsewhere(Runnable work) throws InterruptedException {
        Thread thread = new Thread(work);
        thread.start();
        thread.join();
    }

    /** Every call that a transaction has in its state, without those that change it. */
    private void askAll(String state, Transaction transaction, String... refused) throws InterruptedException {
        elsewhere(() -> {
            ask(state + ", other thread, begin", transaction::begin);
            ask(state + ", other thread, commit", transaction::commit);
            ask(state + ", other thread, rollback", transaction::rollback);
            ask(state + ", other thread, close", transaction::close);
            ask(state + ", other thread, take", () -> getChannel().take());
            ask(state + ", other thread, same", () -> getChannel().getTransaction() == transaction);
        });
        ask(state + ", same", () -> getChannel().getTransaction() == transaction);
        for (String call : refused) {
            if (call.equals("begin"))
                ask(state + ", begin", transaction::begin);
            else if (call.equals("commit"))
                ask(state + ", commit", transaction::commit);
            else if (call.equals("rollback"))
                ask(state + ", rollback", transaction::rollback);
            else if (call.equals("close"))
                ask(state + ", close", transaction::close);
            else
                ask(state + ", take", () -> getChannel().take());
        }
    }

    private void askStates(boolean commits) throws InterruptedException {
        Channel channel = getChannel();
        Transaction transaction = channel.getTransaction();
        askAll("new", transaction, "take", "commit", "rollback");
        ask("begin", transaction::begin);
        askAll("open", transaction, "begin", "close");
        ask("take", () -> channel.take());
        ask("take", () -> channel.take());
        ask(commits ? "commit" : "rollback", commits ? transaction::commit : transaction::rollback);
        askAll("completed", transaction, "take", "begin", "commit", "rollback");
        ask("close", transaction::close);
        ask("closed, take", () -> channel.take());
        ask("closed, begin", transaction::begin);
        ask("closed, commit", transaction::commit);
        ask("closed, rollback", transaction::rollback);
        ask("closed, close", transaction::close);
        Transaction unused = channel.getTransaction();
        ask("same as the closed one", () -> unused == transaction);
        ask("close without begin", unused::close);
    }

    /** A class that interrupts its own thread while it waits for an event. */
    private void askInterrupted() throws InterruptedException {
        Channel channel = getChannel();
        Thread own = Thread.currentThread(), other = new Thread(() -> {
            while (own.getState() != Thread.State.TIMED_WAITING)
                Thread.yield();
            own.interrupt();
        });
        Transaction transaction = channel.getTransaction();
        transaction.begin();
        other.start();
        ask("interrupted, take", () -> channel.take());
        ask("interrupted", () -> Thread.interrupted());
        ask("commit", transaction::commit);
        transaction.close();
        other.join();
    }

    @Override
    public Sink.Status process() {
        if (asked || !areThere(3))
            return Sink.Status.BACKOFF;
        asked = true;
        try {
            elsewhere(() -> ask("no transaction, take", () -> getChannel().take()));
            askStates(false);
            askStates(true);
            while (drain())
                ;
            askInterrupted();
        } catch (InterruptedException wrong) {
            throw new IllegalStateException(wrong);
        }
        out.println("end");
        return Sink.Status.READY;
    }

    private boolean areThere(int count) {
        return Takes.take(getChannel(), count, taken -> false).size() == count;
    }

    private boolean drain() {
        Event event = Takes.takeOne(getChannel(), true);
        if (event != null)
            out.println(new String(event.getBody()));
        return event != null;
    }
}
