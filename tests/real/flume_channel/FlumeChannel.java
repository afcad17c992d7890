import java.io.BufferedOutputStream;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.flume.Context;
import org.apache.flume.Event;
import org.apache.flume.Transaction;
import org.apache.flume.channel.file.FileChannel;
import org.apache.flume.event.EventBuilder;

/**
 * A file channel of Flume itself.
 *
 * fill SEED MILLISECONDS CHECKPOINT DATA,DATA..: several threads put and take, commit and roll back, over many small logs and checkpoints,
 * until the process ends itself in the middle of it, as SIGKILL would. With MILLISECONDS 0: a few transactions, then an orderly stop.
 *
 * drain CHECKPOINT DATA,DATA..: takes everything and prints it, one event a line: headers sorted by name, a tab, the body; all in hex.
 *
 * With the property capacity the channel has that one, and with slow transactions of takes hold their events for long and give back half of
 * them: it is full, and much is in hand at each checkpoint.
 *
 * With the property active the channel is encrypted with that key of keys, separated by blanks, of the JCEKS store keystore. The directory
 * passwords has the password of the store, store.password, and that of each key, NAME.password.
 */
public class FlumeChannel {
    private static final AtomicLong NEXT = new AtomicLong();

    private static FileChannel open(String checkpoint, String data, boolean fill) {
        Context context = new Context();
        context.put("checkpointDir", checkpoint);
        context.put("dataDirs", data);
        context.put("capacity", System.getProperty("capacity", "5000"));
        context.put("transactionCapacity", "100");
        context.put("minimumRequiredSpace", "1048576");
        context.put("keep-alive", "0");
        context.put("maxFileSize", fill ? "60000" : "2000000");
        context.put("checkpointInterval", fill ? "1000" : "1000000");
        String active = System.getProperty("active");
        if (active != null) {
            String passwords = System.getProperty("passwords");
            context.put("encryption.activeKey", active);
            context.put("encryption.cipherProvider", "AESCTRNOPADDING");
            context.put("encryption.keyProvider", "JCEKSFILE");
            context.put("encryption.keyProvider.keyStoreFile", System.getProperty("keystore"));
            context.put("encryption.keyProvider.keyStorePasswordFile", passwords + "/store.password");
            context.put("encryption.keyProvider.keys", System.getProperty("keys"));
            for (String name : System.getProperty("keys").split(" "))
                context.put("encryption.keyProvider.keys." + name + ".passwordFile", passwords + "/" + name + ".password");
        }
        FileChannel channel = new FileChannel();
        channel.setName("c");
        channel.configure(context);
        channel.start();
        if (!channel.isOpen()) {
            System.err.println("the channel does not open");
            Runtime.getRuntime().halt(3);
        }
        return channel;
    }

    private static Event event(Random random) {
        Map<String, String> headers = new HashMap<>();
        headers.put("number", Long.toString(NEXT.incrementAndGet()));
        if (random.nextInt(3) == 0)
            headers.put("größe", random.nextInt(2) == 0 ? "" : "€ " + random.nextInt(100));
        byte[] body = new byte[random.nextInt(20) == 0 ? random.nextInt(20000) : random.nextInt(200)];
        random.nextBytes(body);
        return EventBuilder.withBody(body, headers);
    }

    private static final boolean SLOW = Boolean.getBoolean("slow");

    private static void transaction(FileChannel channel, Random random, boolean put) throws InterruptedException {
        Transaction transaction = channel.getTransaction();
        transaction.begin();
        boolean slow = SLOW && !put;
        try {
            for (int i = random.nextInt(20); i >= 0; i--) {
                if (put)
                    channel.put(event(random));
                else if (channel.take() == null)
                    break;
                if (random.nextInt(slow ? 2 : 10) == 0)
                    Thread.sleep(random.nextInt(slow ? 40 : 5));
            }
            if (random.nextInt(4) < (slow ? 2 : 1))
                transaction.rollback();
            else
                transaction.commit();
        } catch (RuntimeException e) { // full
            transaction.rollback();
        } finally {
            transaction.close();
        }
    }

    private static void fill(long seed, long milliseconds, FileChannel channel) throws InterruptedException {
        if (milliseconds == 0) {
            Random random = new Random(seed);
            for (int i = 0; i < 20; i++)
                transaction(channel, random, i % 3 != 2);
            channel.stop();
            return;
        }
        for (int i = 0; i < 6; i++) {
            Random random = new Random(seed * 31 + i);
            boolean put = i % 2 == 0;
            Thread thread = new Thread(() -> {
                try {
                    while (true)
                        transaction(channel, random, put || random.nextInt(3) == 0);
                } catch (InterruptedException e) {
                    return;
                }
            });
            thread.setDaemon(true);
            thread.start();
        }
        Thread.sleep(milliseconds);
        Runtime.getRuntime().halt(0);
    }

    private static String hex(byte[] bytes) {
        StringBuilder text = new StringBuilder();
        for (byte one : bytes)
            text.append(Character.forDigit(one >> 4 & 15, 16)).append(Character.forDigit(one & 15, 16));
        return text.toString();
    }

    private static String hex(String text) {
        return hex(text.getBytes(StandardCharsets.UTF_8));
    }

    private static void drain(FileChannel channel, PrintStream out) {
        boolean more = true;
        while (more) {
            Transaction transaction = channel.getTransaction();
            transaction.begin();
            for (int i = 0; more && i < 100; i++) {
                Event event = channel.take();
                more = event != null;
                if (!more)
                    break;
                StringBuilder line = new StringBuilder();
                for (Map.Entry<String, String> header : new TreeMap<>(event.getHeaders()).entrySet())
                    line.append(hex(header.getKey())).append('=').append(hex(header.getValue())).append(' ');
                out.println(line + "\t" + hex(event.getBody()));
            }
            transaction.commit();
            transaction.close();
        }
        channel.stop();
    }

    public static void main(String[] args) throws Exception {
        PrintStream out = new PrintStream(new BufferedOutputStream(new FileOutputStream(FileDescriptor.out), 1 << 16));
        System.setOut(System.err); // Flume prints there, too
        if (args[0].equals("fill"))
            fill(Long.parseLong(args[1]), Long.parseLong(args[2]), open(args[3], args[4], true));
        else
            drain(open(args[1], args[2], false), out);
        out.flush();
        System.exit(0);
    }
}
