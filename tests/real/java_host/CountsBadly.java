package example;

import java.lang.management.ManagementFactory;
import javax.management.JMException;
import javax.management.MBeanServer;
import javax.management.ObjectName;
import org.apache.flume.channel.MemoryChannel;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** A channel whose counter cannot be read, as that of one whose database is down. Logs when it was asked for the third time. */
public class CountsBadly extends MemoryChannel implements CountsBadlyMBean {
    private static final Logger log = LoggerFactory.getLogger(CountsBadly.class);
    private int asked;

    @Override
    public synchronized void start() {
        super.start();
        try {
            MBeanServer server = ManagementFactory.getPlatformMBeanServer();
            ObjectName bean = new ObjectName("org.apache.flume.channel:type=" + getName());
            if (server.isRegistered(bean))
                server.unregisterMBean(bean);
            server.registerMBean(this, bean);
        } catch (JMException wrong) {
            throw new IllegalStateException(wrong);
        }
    }

    @Override
    public synchronized long getChannelSize() {
        if (isAskedByFlow() && ++asked == 3)
            log.info("was asked three times");
        throw new IllegalStateException("the database is down");
    }

    /** The report of all counters asks, too, once a second. */
    private static boolean isAskedByFlow() {
        return !Thread.currentThread().getName().equals("penstock-figures");
    }
}
