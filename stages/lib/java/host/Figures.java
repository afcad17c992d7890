package penstock.host;

import java.io.IOException;
import java.lang.management.GarbageCollectorMXBean;
import java.lang.management.ManagementFactory;
import java.lang.management.MemoryMXBean;
import java.lang.management.MemoryUsage;
import java.util.AbstractMap.SimpleImmutableEntry;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import javax.management.Attribute;
import javax.management.JMException;
import javax.management.MBeanAttributeInfo;
import javax.management.MBeanServer;
import javax.management.ObjectName;

/**
 * Reports the MBeans of Flume's counters, as Flume's JMXPollUtil reads them, and the state of this process. The others are reported while a bean does
 * not answer.
 */
final class Figures {
    private final Host host;
    private final MBeanServer server = ManagementFactory.getPlatformMBeanServer();
    private final MemoryMXBean memory = ManagementFactory.getMemoryMXBean();
    private final List<GarbageCollectorMXBean> collectors = ManagementFactory.getGarbageCollectorMXBeans();
    private final ObjectName pattern; // of the counters
    private Map<String, String> told = new HashMap<>(); // attributes, by component
    private final Beans<Map.Entry<String, String>> beans = new Beans<>("penstock-bean");
    private final Map<ObjectName, Map.Entry<String, String>> last = new HashMap<>(); // component and attributes, by bean

    Figures(Host host) {
        this.host = host;
        try {
            pattern = new ObjectName("org.apache.flume*:*");
        } catch (JMException never) {
            throw new IllegalStateException(never);
        }
    }

    /** Returns the name of the MBean of Flume's counters of a component. */
    static String name(String kind, String component) {
        return "org.apache.flume." + kind + ":type=" + component; // MonitoredCounterGroup's
    }

    /** Takes back the MBean of Flume's counters of a component that has ended: a native component may have its name next. */
    static void withdraw(String name) {
        try {
            MBeanServer server = ManagementFactory.getPlatformMBeanServer();
            ObjectName bean = new ObjectName(name);
            if (server.isRegistered(bean))
                server.unregisterMBean(bean);
        } catch (JMException | RuntimeException | LinkageError wrong) {
            return; // a name or a bean with which that cannot be done, a JVM without java.management
        }
    }

    void report() throws IOException {
        Map<String, String> now = new HashMap<>();
        Set<ObjectName> names = server.queryNames(pattern, null);
        beans.keep(names);
        last.keySet().retainAll(names);
        for (ObjectName name : names) {
            ask(name);
            Map.Entry<String, String> bean = last.get(name);
            if (bean != null)
                now.put(bean.getKey(), bean.getValue());
        }
        for (Map.Entry<String, String> bean : now.entrySet())
            if (!bean.getValue().equals(told.get(bean.getKey())))
                tell(bean.getKey(), bean.getValue());
        for (String component : told.keySet())
            if (!now.containsKey(component))
                tell(component, "");
        told = now;
        tellState();
    }

    /** Asks the bean for its attributes, and notes them. While it does not answer, what it said last counts, and it is not asked again. */
    private void ask(ObjectName name) {
        try {
            last.put(name, beans.ask(name, () -> read(name)));
        } catch (Beans.Hangs hangs) {
            if (hangs.isNew)
                LogStream.log("WARN", "java", "the counters of " + name + " do not answer: the metrics have their last values", null);
        } catch (ExecutionException | RuntimeException | OutOfMemoryError gone) { // it was unregistered just now, or does not work; no thread
            last.remove(name);
        }
    }

    private Map.Entry<String, String> read(ObjectName name) throws JMException {
        MBeanAttributeInfo[] infos = server.getMBeanInfo(name).getAttributes();
        String[] attributes = new String[infos.length];
        for (int i = 0; i < infos.length; i++)
            attributes[i] = infos[i].getName();
        String component = name.toString().substring(name.toString().indexOf('=') + 1);
        StringBuilder text = new StringBuilder();
        for (Object one : server.getAttributes(name, attributes)) {
            Attribute attribute = (Attribute) one;
            if (attribute.getValue() == null)
                continue;
            if (attribute.getName().equalsIgnoreCase("type"))
                component = attribute.getValue() + "." + component;
            text.append(plain(attribute.getName())).append('\t').append(plain(attribute.getValue().toString())).append('\n');
        }
        return new SimpleImmutableEntry<>(plain(component), text.toString());
    }

    private static String plain(String text) {
        return text.replace('\t', ' ').replace('\n', ' ').replace('\0', ' ');
    }

    private void tell(String component, String attributes) throws IOException {
        host.send(Message.BEAN, 0, new long[0], component + "\n" + attributes);
    }

    private void tellState() throws IOException {
        MemoryUsage heap = memory.getHeapMemoryUsage();
        long count = 0, milliseconds = 0;
        for (GarbageCollectorMXBean collector : collectors) {
            count += Math.max(0, collector.getCollectionCount());
            milliseconds += Math.max(0, collector.getCollectionTime());
        }
        host.send(Message.STATE, 0, new long[] {heap.getUsed(), Math.max(0, heap.getMax()), count, milliseconds}, null);
    }
}
