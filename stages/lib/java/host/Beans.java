package penstock.host;

import java.util.Map;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/** Questions to MBeans. A bean may be a class's own, and wait for a database: threads of their own ask, and one that hangs is not asked again until it answers. */
final class Beans<T> {
    private static final long PATIENCE_MS = 1000; // until a bean counts as one that hangs
    private final ExecutorService readers;
    private final Map<Object, Future<T>> unanswered = new ConcurrentHashMap<>();

    /** Thrown when there is no answer yet. */
    static final class Hangs extends Exception {
        private static final long serialVersionUID = 1;
        final boolean isNew; // this question, and not an earlier one

        Hangs(boolean isNew) {
            this.isNew = isNew;
        }
    }

    Beans(String threadName) {
        readers = Executors.newCachedThreadPool(work -> {
            Thread thread = new Thread(work, threadName);
            thread.setDaemon(true);
            return thread;
        });
    }

    /** Forgets the questions with other keys. */
    void keep(Set<?> keys) {
        unanswered.keySet().retainAll(keys);
    }

    /** Returns the answer to this question, or to the one with this key that had none. */
    T ask(Object key, Callable<T> question) throws Hangs, ExecutionException {
        Future<T> earlier = unanswered.remove(key), task = earlier != null ? earlier : readers.submit(question);
        while (true) {
            try {
                return task.get(earlier != null ? 0 : PATIENCE_MS, TimeUnit.MILLISECONDS);
            } catch (TimeoutException hangs) {
                unanswered.put(key, task);
                throw new Hangs(earlier == null);
            } catch (InterruptedException byClass) {
                continue;
            }
        }
    }
}
