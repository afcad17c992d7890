package penstock.host;

import java.io.BufferedInputStream;
import java.io.ByteArrayInputStream;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.RandomAccessFile;
import java.lang.reflect.InvocationHandler;
import java.lang.reflect.Proxy;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.ClosedByInterruptException;
import java.nio.channels.FileChannel;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/**
 * The process in which the Java components of one agent run. The main thread reads the agent's messages and passes each to its
 * component. When the agent closes the pipe, or dies, the components are stopped and the process ends.
 *
 * Descriptors: 1 and 2 the agent's log, 3 messages to it, 4 the shared memory, 5 its messages. They are not on descriptor 0, because a child that a class starts
 * may inherit this, and read from it.
 */
public final class Host {
    private static final long BEAT_MS = 1000;
    /** At its end: less than the 5 s of the agent (SHARED_PATIENCE_MS, RENEW_NS), which then kills the process. */
    private static final long STOP_MS = 4000;
    /** The same behind a component that hangs: it was asked to stop so long ago, and the agent has gone on without it. */
    private static final long STOP_BEHIND_HUNG_MS = 1000, HUNG_MS = 4500, HUNG_BEFORE_MS = 60000;
    /** The figures begin when the components have had time to start. */
    private static final int BEATS_BEFORE_FIGURES = 2;

    private final InputStream in;
    private final FileOutputStream out;
    private FileChannel memory;
    private final Map<Integer, Component> components = new ConcurrentHashMap<>();

    private Host() throws IOException {
        out = new FileOutputStream("/proc/self/fd/3");
        memory = openMemory();
        in = new BufferedInputStream(new FileInputStream("/proc/self/fd/5"), 1 << 16);
    }

    public static void main(String[] arguments) throws Exception {
        LogStream.install();
        try {
            run();
        } catch (Throwable wrong) {
            try {
                LogStream.lastWords(wrong);
            } finally {
                Runtime.getRuntime().halt(1);
            }
        }
    }

    private static void run() throws IOException {
        beginLogging();
        LogLevels.set();
        System.setIn(new ByteArrayInputStream(new byte[0]));
        ignoreSignals();
        Host host = new Host();
        host.tellOfExit();
        host.beat();
        int code = 0;
        try {
            host.serve();
        } catch (Throwable wrong) {
            LogStream.log("ERROR", "java", "the Java host ends", wrong);
            code = 1;
        }
        host.stopAll();
        Runtime.getRuntime().halt(code);
    }

    /** While SLF4J looks for its logging library, what other threads log is lost; so that is done before there are other threads. */
    private static void beginLogging() {
        try {
            Class.forName("org.slf4j.LoggerFactory").getMethod("getLogger", String.class).invoke(null, "penstock");
        } catch (ReflectiveOperationException | LinkageError absent) {
            return; // the class path has none
        }
    }

    /**
     * A service manager sends SIGTERM to every process of the agent's group; the agent drains its channels first, and ends this process by closing
     * its input. The class that handles signals is not of Java's public interface, so it is looked up by name.
     */
    private static void ignoreSignals() {
        try {
            Class<?> signal = Class.forName("sun.misc.Signal");
            Class<?> handler = Class.forName("sun.misc.SignalHandler");
            InvocationHandler nothing = (proxy, method, values) -> null;
            Object ignore = Proxy.newProxyInstance(handler.getClassLoader(), new Class<?>[] {handler}, nothing);
            for (String name : new String[] {"TERM", "INT", "HUP"}) {
                try {
                    signal.getMethod("handle", signal, handler)
                        .invoke(null, signal.getConstructor(String.class).newInstance(name), ignore);
                } catch (ReflectiveOperationException reserved) {
                    continue; // -Xrs, or the JVM keeps it to itself
                }
            }
        } catch (ReflectiveOperationException absent) {
            return;
        }
    }

    /** `System.exit` waits for all shutdown hooks, and those of classes may hang: the agent then kills the process. This program itself ends by halt(). */
    private void tellOfExit() {
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            try {
                send(Message.ENDS, 0, new long[0], null);
            } catch (IOException gone) {
                return;
            }
            for (StackTraceElement[] stack : Thread.getAllStackTraces().values())
                tellOfCaller(stack);
        }, "penstock-exit"));
    }

    /** Writes who called System.exit, if it is on this stack. The agent logs it as the reason of the end. */
    private static void tellOfCaller(StackTraceElement[] stack) {
        for (int i = stack.length - 2; i >= 0; i--) {
            String name = stack[i].getClassName();
            if (stack[i].getMethodName().equals("exit") && (name.equals("java.lang.System") || name.equals("java.lang.Runtime"))) {
                StackTraceElement caller = stack[i + 1];
                LogStream.lastWords("System.exit was called by " + caller.getClassName() + '.' + caller.getMethodName() + '('
                                    + caller.getFileName() + ':' + caller.getLineNumber() + ')');
                return;
            }
        }
    }

    /**
     * Tells the agent each second that this process lives. The thread runs no code of a class, because that may wait for as long as it likes; the
     * figures have a thread of their own, because a getter of an MBean is such code, and so has what looks for late components, because a stack
     * trace waits for the thread that it is of, and the log for who reads it.
     */
    private void beat() {
        start("penstock-beat", () -> {
            for (;; sleep(BEAT_MS)) {
                send(Message.BEAT, 0, new long[] {Message.PROTOCOL}, null);
                for (Component component : components.values())
                    component.beat();
            }
        });
        start("penstock-late", () -> {
            for (;; sleep(BEAT_MS))
                for (Component component : components.values())
                    component.reportLate();
        });
        start("penstock-figures", () -> {
            sleep(BEATS_BEFORE_FIGURES * BEAT_MS);
            try {
                for (Figures figures = new Figures(this);; sleep(BEAT_MS))
                    figures.report();
            } catch (RuntimeException | LinkageError wrong) { // a bean that does not work, a JVM without java.management
                LogStream.log("WARN", "java", "the metrics of Java end", wrong);
            }
        });
    }

    private interface Work {
        void run() throws IOException;
    }

    private static void start(String name, Work work) {
        Thread thread = new Thread(() -> {
            try {
                work.run();
            } catch (IOException ended) {
                return; // the agent is gone: the main thread sees it, too
            }
        }, name);
        thread.setDaemon(true);
        thread.setPriority(Thread.MAX_PRIORITY);
        thread.start();
    }

    /** Sleeps; for a shorter time if a class interrupts the thread, because a class can interrupt every thread of the process. */
    private static void sleep(long milliseconds) {
        try {
            Thread.sleep(milliseconds);
        } catch (InterruptedException byClass) {
            return;
        }
    }

    private void serve() throws IOException {
        Message message;
        while ((message = Message.read(in)) != null) {
            Component component = components.get(message.link);
            if (message.type == Message.CONFIGURE)
                configure(message);
            else if (component != null)
                component.receive(message);
        }
    }

    private void configure(Message message) throws IOException {
        int link = message.link;
        ByteBuffer area = map(message.numbers[1], message.numbers[2]);
        List<String> texts = Texts.read(area, (int) message.numbers[3]);
        Component component = Component.make((int) message.numbers[0], this, link, texts, message.numbers[4] != 0);
        components.put(link, component);
        component.begin();
    }

    /** The component has ended. If it is late, another one may have the name of one of its counters by now, which is that one's then and stays. */
    void forget(Component component) {
        Set<String> figures = new HashSet<>(component.figures());
        if (component.isLate())
            for (Component other : components.values())
                if (other.link > component.link)
                    figures.removeAll(other.figures());
        for (String name : figures)
            Figures.withdraw(name);
        components.remove(component.link);
    }

    /** Returns a component that must end before this one begins, or null. */
    Component stopping(Component next) {
        for (Component component : components.values())
            if (component.precedes(next))
                return component;
        return null;
    }

    private static FileChannel openMemory() throws IOException {
        return new RandomAccessFile("/proc/self/fd/4", "rw").getChannel();
    }

    /** Maps an area of the shared memory. If a class interrupts the thread meanwhile, this closes the file channel, which is then opened again. */
    synchronized ByteBuffer map(long offset, long size) throws IOException {
        boolean interrupted = false;
        try {
            for (;;) {
                try {
                    return memory.map(FileChannel.MapMode.READ_WRITE, offset, size).order(ByteOrder.nativeOrder());
                } catch (ClosedByInterruptException closed) {
                    interrupted |= Thread.interrupted();
                    memory = openMemory();
                }
            }
        } finally {
            if (interrupted)
                Thread.currentThread().interrupt();
        }
    }

    /** Sends a message as a whole. */
    void send(int type, int link, long[] numbers, String text) throws IOException {
        byte[] bytes = Message.write(type, link, numbers, text);
        synchronized (out) {
            out.write(bytes);
        }
    }

    /** One that was asked to stop before has had some of its time. */
    private void stopAll() {
        List<Component> all = new ArrayList<>(components.values());
        boolean hung = false;
        for (Component component : all) {
            hung |= component.isStoppingFor(HUNG_MS) && !component.isStoppingFor(HUNG_BEFORE_MS);
            if (!component.stopping)
                component.stop();
        }
        for (Component component : all)
            component.join(hung ? STOP_BEHIND_HUNG_MS : STOP_MS);
    }
}
