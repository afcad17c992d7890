package example;

import java.io.File;
import java.io.IOException;
import org.apache.flume.EventDeliveryException;

/** Sinks that do what a process with many classes must stand. */
public final class AwkwardSinks {
    private AwkwardSinks() {}

    /** Its first start() and its first process() throw an exception that cannot say what it is: its getMessage() throws. */
    public static class WrongWords extends FileSink {
        private static boolean hasStarted, hasProcessed;

        private static final class Wordless extends RuntimeException {
            private static final long serialVersionUID = 1;

            @Override
            public String getMessage() {
                throw new IllegalStateException("there are no words");
            }
        }

        @Override
        public synchronized void start() {
            boolean begins = !hasStarted;
            hasStarted = true;
            if (begins)
                throw new Wordless();
            super.start();
        }

        @Override
        public Status process() throws EventDeliveryException {
            boolean begins = !hasProcessed;
            hasProcessed = true;
            if (begins)
                throw new Wordless();
            return super.process();
        }
    }

    /** Starts a child that reads the standard input of the process. */
    public static class SharesInput extends FileSink {
        private Process child;

        @Override
        public synchronized void start() {
            try {
                child = new ProcessBuilder("cat").redirectInput(ProcessBuilder.Redirect.INHERIT).redirectOutput(new File("/dev/null")).start();
            } catch (IOException wrong) {
                throw new IllegalStateException(wrong);
            }
            super.start();
        }

        @Override
        public synchronized void stop() {
            child.destroy();
            super.stop();
        }
    }
}
