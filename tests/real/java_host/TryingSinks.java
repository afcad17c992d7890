package example;

import java.io.File;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import org.apache.flume.Context;
import org.apache.flume.conf.Configurable;
import org.apache.flume.sink.AbstractSink;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Sinks whose far end fails. */
public final class TryingSinks {
    private static final Logger log = LoggerFactory.getLogger(TryingSinks.class);

    private TryingSinks() {}

    /**
     * Takes events until there are none, cannot write them, rolls back and returns BACKOFF, as Flume's sink hdfs does. Logs the milliseconds from the return of
     * each attempt to the next one. The fourth attempt succeeds.
     */
    public static class GivesBack extends AbstractSink {
        private int attempts;
        private long returned;

        @Override
        public Status process() {
            long began = System.nanoTime();
            int taken = Takes.take(getChannel(), Integer.MAX_VALUE, count -> count == 0 || ++attempts >= 4).size();
            if (taken > 0)
                log.info("attempt {} after {} ms", attempts, attempts > 1 ? (began - returned) / 1000000 : 0);
            returned = System.nanoTime();
            return taken > 0 && attempts >= 4 ? Status.READY : Status.BACKOFF;
        }
    }

    /** Its start() opens a port, and the first time throws behind that. Its stop() waits for a file then; and it closes the port. */
    public static class OpensPort extends AbstractSink implements Configurable {
        private static boolean hasThrown;
        private int port;
        private File awaited;
        private boolean throwsNow;
        private ServerSocket socket;

        @Override
        public void configure(Context context) {
            port = context.getInteger("port");
            awaited = new File(context.getString("awaited"));
        }

        @Override
        public synchronized void start() {
            try {
                socket = new ServerSocket(port, 1, InetAddress.getLoopbackAddress());
            } catch (IOException taken) {
                throw new IllegalStateException("the port is taken", taken);
            }
            if (!hasThrown) {
                hasThrown = throwsNow = true;
                throw new IllegalStateException("the far end is down");
            }
            log.info("the port is open");
        }

        @Override
        public synchronized void stop() {
            try {
                while (throwsNow && !awaited.exists())
                    Thread.sleep(10);
                socket.close();
            } catch (IOException | InterruptedException wrong) {
                throw new IllegalStateException(wrong);
            }
        }

        @Override
        public Status process() {
            return Status.BACKOFF;
        }
    }

    /** Its start() waits for a far end that does not come, until it is interrupted. */
    public static class WaitsInStart extends AbstractSink {
        @Override
        public synchronized void start() {
            log.info("waits for the far end");
            try {
                for (;;)
                    Thread.sleep(1000);
            } catch (InterruptedException ended) {
                log.info("no longer waits for the far end");
            }
        }

        @Override
        public synchronized void stop() {
            log.info("the sink that waited is stopped");
        }

        @Override
        public Status process() {
            return Status.BACKOFF;
        }
    }
}
