package penstock.host;

import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.FileOutputStream;
import java.io.IOException;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.nio.charset.StandardCharsets;
import java.security.Key;
import java.util.Arrays;
import java.util.List;
import java.util.ArrayList;
import java.util.Map;
import org.apache.flume.Context;

/**
 * A process that asks one class for some values, or what its configure() says, writes the answers to descriptor 3, and ends. The questions come from standard
 * input, because settings and answers may be secrets: each text behind its length. What the class prints or logs goes to standard error. Standard output is
 * the same file, because the JVM itself prints there (-verbose:gc, -XX:+PrintFlagsFinal, the reason why it does not start).
 */
public final class Ask {
    private static final byte VALUE = '=', NOTHING = '-', FAILED = '!';
    private static final int SETTINGS_AT = 4;

    private interface Asked {
        /** Returns the value of a name, or null. */
        byte[] value(String name) throws Throwable;
    }

    private Ask() {}

    public static void main(String[] arguments) throws IOException {
        DataOutputStream out = new DataOutputStream(new FileOutputStream("/proc/self/fd/3"));
        System.setOut(System.err);
        List<String> texts = read(new DataInputStream(System.in));
        int settings = Integer.parseInt(texts.get(3));
        Map<String, String> pairs = Texts.pairs(texts.subList(0, SETTINGS_AT + 2 * settings), SETTINGS_AT);
        List<String> names = texts.subList(SETTINGS_AT + 2 * settings, texts.size());
        ByteArrayOutputStream answers = new ByteArrayOutputStream();
        try {
            answer(asked(texts.get(0), texts.get(1), texts.get(2), pairs), names, new DataOutputStream(answers));
        } catch (Throwable wrong) {
            answers.reset();
            put(new DataOutputStream(answers), FAILED, Texts.describe(wrong).getBytes(StandardCharsets.UTF_8));
        }
        answers.writeTo(out);
        out.flush();
        Runtime.getRuntime().halt(0);
    }

    static List<String> read(DataInputStream in) throws IOException {
        List<String> texts = new ArrayList<>();
        for (int left = in.readInt(); left > 0; left--) {
            byte[] text = new byte[in.readInt()];
            in.readFully(text);
            texts.add(new String(text, StandardCharsets.UTF_8));
        }
        return texts;
    }

    private static void answer(Asked asked, List<String> names, DataOutputStream out) throws IOException {
        put(out, VALUE, new byte[0]);
        for (String name : names) {
            try {
                byte[] value = asked.value(name);
                put(out, value != null ? VALUE : NOTHING, value != null ? value : new byte[0]);
            } catch (Throwable wrong) {
                put(out, FAILED, Texts.describe(wrong).getBytes(StandardCharsets.UTF_8));
            }
        }
    }

    private static void put(DataOutputStream out, byte kind, byte[] text) throws IOException {
        out.writeByte(kind);
        out.writeInt(text.length);
        out.write(text);
        Arrays.fill(text, (byte) 0);
    }

    /** Makes the object that is asked. Flume's interfaces of these classes are called by name, because not every Flume has them. */
    private static Asked asked(String kind, String className, String name, Map<String, String> pairs) throws Throwable {
        int component = Arrays.asList("", "sink", "interceptor", "source").indexOf(kind); // Component.SINK, ..
        if (component > 0)
            return agent -> configured(component, className, name, agent, pairs);
        Object object = Class.forName(className).getDeclaredConstructor().newInstance();
        switch (kind) {
        case "config filter":
            Class<?> filter = Class.forName("org.apache.flume.configfilter.ConfigFilter");
            call(filter.getMethod("setName", String.class), object, name);
            call(filter.getMethod("initializeWithConfiguration", Map.class), object, pairs);
            Method value = filter.getMethod("filter", String.class);
            return key -> {
                String text = (String) call(value, object, key);
                return text != null ? text.getBytes(StandardCharsets.UTF_8) : null;
            };
        case "key provider":
            Method build = Class.forName("org.apache.flume.channel.file.encryption.KeyProvider$Builder").getMethod("build", Context.class);
            Object provider = call(build, object, new Context(pairs));
            Method get = Class.forName("org.apache.flume.channel.file.encryption.KeyProvider").getMethod("getKey", String.class);
            return alias -> {
                Key key = (Key) call(get, provider, alias);
                if (key != null && key.getEncoded() == null)
                    throw new IOException("the key cannot leave the class (it has no encoded form)");
                return key != null ? key.getEncoded() : null;
            };
        default:
            throw new IOException("this jar does not know what a " + kind + " is");
        }
    }

    /** Makes and configures the component as the host would. There is nothing to tell but what it throws. */
    private static byte[] configured(int kind, String className, String name, String agent, Map<String, String> pairs) throws Throwable {
        List<String> texts = new ArrayList<>(Arrays.asList(className, kind + " " + name, name, agent));
        for (Map.Entry<String, String> pair : pairs.entrySet())
            texts.addAll(Arrays.asList(pair.getKey(), pair.getValue()));
        Component.make(kind, null, 0, texts, false).make();
        return new byte[0];
    }

    private static Object call(Method method, Object object, Object argument) throws Throwable {
        try {
            return method.invoke(object, argument);
        } catch (InvocationTargetException thrown) {
            throw thrown.getCause();
        }
    }
}
