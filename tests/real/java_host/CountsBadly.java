package example;

import java.lang.management.ManagementFactory;
import javax.management.JMException;
import javax.management.MBeanServer;
import javax.management.ObjectName;
import org.apache.flume.Context;
import org.apache.flume.channel.MemoryChannel;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A channel whose counter cannot be read, as that of one whose database is down: it throws, and logs when it was asked for the third time; or, with
 * does = hang, it does not return.
 */
public class CountsBadly extends MemoryChannel implements CountsBadlyMBean {
    private static final Logger log = LoggerFactory.getLogger(CountsBadly.class);
    private int asked;
    private boolean hangs;

    @Override
    public void configure(Context context) {
        super.configure(context);
        hangs = "hang".equals(context.getString("does"));
    }

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
    public long getChannelSize() {
        if (hangs)
            hang();
        if (isAskedByFlow() && ++asked == 3)
            log.info("was asked three times");
        throw new IllegalStateException("the database is down");
    }

    private static void hang() {
        log.info("is asked and hangs");
        while (true) {
            try {
                Thread.sleep(1000);
            } catch (InterruptedException byHost) {
                continue;
            }
        }
    }

    /** The report of all counters asks, too, once a second. */
    private static boolean isAskedByFlow() {
        return Thread.currentThread().getName().equals("penstock-counts");
    }
}
