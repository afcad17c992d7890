package penstock.host;

import com.google.gson.Gson;
import java.io.DataInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Type;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import javax.management.Attribute;
import javax.management.AttributeList;
import javax.management.AttributeNotFoundException;
import javax.management.DynamicMBean;
import javax.management.JMException;
import javax.management.MBeanAttributeInfo;
import javax.management.MBeanInfo;
import javax.management.MBeanServer;
import javax.management.ObjectName;
import org.apache.flume.Context;
import org.apache.flume.conf.Configurable;

/**
 * The process of a MonitorService of Flume's that is a Java class. Standard input has the class's name and settings, then the agent's
 * metrics again and again, in the form of Flume's HTTP metrics; its end is the order to stop. Each component is an MBean with the
 * name and the attributes that Flume's counters have.
 */
public final class Monitor {
    private static final String LABEL = "monitor";
    private static final long STOP_MS = 4000;
    private final MBeanServer server = ManagementFactory.getPlatformMBeanServer();
    private final Map<String, Counters> beans = new HashMap<>();

    private Monitor() {}

    public static void main(String[] arguments) throws Exception {
        LogStream.install();
        LogLevels.set();
        DataInputStream in = new DataInputStream(System.in);
        List<String> texts = Ask.read(in);
        Thread thread = new Thread(LogStream.group(LABEL), () -> {
            try {
                new Monitor().run(in, texts.get(0), Texts.pairs(texts, 1));
                Runtime.getRuntime().halt(0);
            } catch (Throwable wrong) {
                LogStream.log("ERROR", LABEL, "the monitor ends", wrong);
                Runtime.getRuntime().halt(1);
            }
        }, LABEL);
        thread.start();
    }

    private void run(DataInputStream in, String className, Map<String, String> settings) throws Throwable {
        if (!readMetrics(in))
            return;
        Class<?> service = Class.forName("org.apache.flume.instrumentation.MonitorService");
        Object object = Class.forName(className).getDeclaredConstructor().newInstance();
        ((Configurable) object).configure(new Context(settings));
        call(service.getMethod("start"), object);
        while (readMetrics(in))
            continue;
        Thread stop = new Thread(() -> {
            try {
                call(service.getMethod("stop"), object);
            } catch (Throwable wrong) {
                LogStream.log("WARN", LABEL, "the monitor cannot stop", wrong);
            }
        }, "stop");
        stop.setDaemon(true);
        stop.start();
        Threads.join(stop, STOP_MS);
    }

    private static void call(Method method, Object object) throws Throwable {
        try {
            method.invoke(object);
        } catch (InvocationTargetException thrown) {
            throw thrown.getCause();
        }
    }

    /** Reads the next metrics. Returns false when there are none any more. */
    private boolean readMetrics(DataInputStream in) throws IOException, JMException {
        byte[] text;
        try {
            text = new byte[in.readInt()];
            in.readFully(text);
        } catch (EOFException ended) {
            return false;
        }
        Type kind = Map.class; // of maps of texts
        Map<String, Map<String, String>> all = new Gson().fromJson(new String(text, StandardCharsets.UTF_8), kind);
        Set<String> gone = new HashSet<>(beans.keySet());
        for (Map.Entry<String, Map<String, String>> one : all.entrySet()) {
            gone.remove(one.getKey());
            Counters counters = beans.get(one.getKey());
            if (counters != null) {
                counters.values = one.getValue();
                continue;
            }
            counters = new Counters(one.getValue());
            beans.put(one.getKey(), counters);
            ObjectName name = name(one.getKey());
            if (name != null)
                server.registerMBean(counters, name);
            else
                LogStream.log("WARN", LABEL, "the metrics of " + one.getKey() + " are not reported: its name is none of Flume's counters", null);
        }
        for (String key : gone) {
            beans.remove(key);
            ObjectName name = name(key);
            if (name != null)
                server.unregisterMBean(name);
        }
        return true;
    }

    /** SOURCE.r1 is org.apache.flume.source:type=r1, as Flume's MonitoredCounterGroup names it. Null: a class has given its MBean another name. */
    private static ObjectName name(String key) {
        int dot = key.indexOf('.');
        try {
            return dot < 0 ? null : new ObjectName("org.apache.flume." + key.substring(0, dot).toLowerCase(Locale.ENGLISH) + ":type=" + key.substring(dot + 1));
        } catch (JMException odd) {
            return null;
        }
    }

    /** The counters of one component. */
    private static final class Counters implements DynamicMBean {
        volatile Map<String, String> values;

        Counters(Map<String, String> values) {
            this.values = values;
        }

        private static Object typed(String value) {
            if (value.matches("-?[0-9]{1,18}"))
                return Long.valueOf(value);
            return value.matches("-?[0-9]+[.][0-9]+(E-?[0-9]+)?|NaN") ? (Object) Double.valueOf(value) : value;
        }

        @Override
        public Object getAttribute(String name) throws AttributeNotFoundException {
            String value = values.get(name);
            if (value == null)
                throw new AttributeNotFoundException(name);
            return typed(value);
        }

        @Override
        public AttributeList getAttributes(String[] names) {
            AttributeList list = new AttributeList();
            Map<String, String> now = values;
            for (String name : names) {
                if (now.containsKey(name))
                    list.add(new Attribute(name, typed(now.get(name))));
            }
            return list;
        }

        @Override
        public MBeanInfo getMBeanInfo() {
            Map<String, String> now = values;
            MBeanAttributeInfo[] attributes = new MBeanAttributeInfo[now.size()];
            int i = 0;
            for (Map.Entry<String, String> one : now.entrySet())
                attributes[i++] = new MBeanAttributeInfo(one.getKey(), typed(one.getValue()).getClass().getName(), one.getKey(), true, false, false);
            return new MBeanInfo(Monitor.class.getName(), "a component of penstock", attributes, null, null, null);
        }

        @Override
        public void setAttribute(Attribute attribute) throws AttributeNotFoundException {
            throw new AttributeNotFoundException("counters cannot be set");
        }

        @Override
        public AttributeList setAttributes(AttributeList attributes) {
            return new AttributeList();
        }

        @Override
        public Object invoke(String action, Object[] arguments, String[] signature) {
            return null;
        }
    }
}
