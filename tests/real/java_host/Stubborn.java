package example;

import java.lang.management.ManagementFactory;
import java.util.concurrent.CountDownLatch;
import javax.management.JMException;
import javax.management.ObjectName;
import org.apache.flume.EventDeliveryException;
import org.apache.flume.sink.AbstractSink;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Holds the monitor of its channel, and waits until its thread is interrupted. A thread that asks for its figure waits for ever. */
public class Stubborn extends AbstractSink implements StubbornMBean {
    private static final Logger log = LoggerFactory.getLogger(Stubborn.class);

    @Override
    public synchronized void start() {
        try {
            ManagementFactory.getPlatformMBeanServer().registerMBean(this, new ObjectName("org.apache.flume.sink:type=stubborn"));
        } catch (JMException wrong) {
            throw new IllegalStateException(wrong);
        }
        super.start();
    }

    @Override
    public long getFigure() {
        log.info("was asked for its figure");
        try {
            new CountDownLatch(1).await();
        } catch (InterruptedException nobodyInterrupts) {
            return 1;
        }
        return 0;
    }

    @Override
    public Status process() throws EventDeliveryException {
        synchronized (getChannel()) {
            log.info("holds its channel");
            try {
                Thread.sleep(3600000);
            } catch (InterruptedException interrupted) {
                throw new EventDeliveryException("interrupted", interrupted);
            }
        }
        return Status.BACKOFF;
    }

    @Override
    public synchronized void stop() {
        log.info("stops");
        super.stop();
    }
}
