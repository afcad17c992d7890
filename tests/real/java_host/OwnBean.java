package example;

import java.lang.management.ManagementFactory;
import javax.management.JMException;
import javax.management.ObjectName;

/** A sink with an MBean of its own, whose name Flume's counters would not have. */
public class OwnBean extends FileSink implements OwnBeanMBean {
    @Override
    public synchronized void start() {
        super.start();
        try {
            ManagementFactory.getPlatformMBeanServer().registerMBean(this, new ObjectName("org.apache.flume.own:kind=queue,name=one"));
        } catch (JMException wrong) {
            throw new IllegalStateException(wrong);
        }
    }

    @Override
    public long getDepth() {
        return 7;
    }
}
