import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.security.auth.callback.Callback;
import javax.security.auth.callback.CallbackHandler;
import javax.security.auth.callback.NameCallback;
import javax.security.auth.callback.PasswordCallback;
import javax.security.sasl.AuthorizeCallback;
import javax.security.sasl.RealmCallback;
import javax.security.sasl.Sasl;
import javax.security.sasl.SaslClient;
import javax.security.sasl.SaslServer;

/** Lets Java's own DIGEST-MD5 client and server talk as Hadoop's do, and writes what each of them sends: tests/stages/lib/sasl/digest_md5/digest_md5_test.c. */
public class Record {
    static final String NAME = "AAhibG9jayB0b2tlbg==", SECRET = "c2VjcmV0IG9mIGEgYmxvY2s=";

    static final CallbackHandler CALLBACKS = callbacks -> {
        for (Callback one : callbacks) {
            if (one instanceof NameCallback)
                ((NameCallback) one).setName(NAME);
            else if (one instanceof PasswordCallback)
                ((PasswordCallback) one).setPassword(SECRET.toCharArray());
            else if (one instanceof RealmCallback)
                ((RealmCallback) one).setText(((RealmCallback) one).getDefaultText());
            else if (one instanceof AuthorizeCallback)
                ((AuthorizeCallback) one).setAuthorized(true);
        }
    };

    static String value(String text, String key) {
        Matcher found = Pattern.compile("(?:^|,)" + key + "=\"?([^\",]*)").matcher(text);
        return found.find() ? found.group(1) : "-";
    }

    static void record(String level, String cipher) throws Exception {
        Map<String, String> wants = new HashMap<>();
        wants.put(Sasl.QOP, level);
        wants.put(Sasl.SERVER_AUTH, "true");
        if (!cipher.equals("-"))
            wants.put("com.sun.security.sasl.digest.cipher", cipher);
        if (cipher.equals("rc4-40"))
            wants.put(Sasl.STRENGTH, "low,medium,high");
        SaslServer server = Sasl.createSaslServer("DIGEST-MD5", "hdfs", "0", wants, CALLBACKS);
        SaslClient client = Sasl.createSaslClient(new String[] {"DIGEST-MD5"}, null, "hdfs", "0", wants, CALLBACKS);
        byte[] challenge = server.evaluateResponse(new byte[0]);
        byte[] reply = client.evaluateChallenge(challenge);
        byte[] last = server.evaluateResponse(reply);
        client.evaluateChallenge(last);
        String text = new String(reply, StandardCharsets.UTF_8);
        System.out.println("case " + level + " " + value(text, "cipher"));
        System.out.println("challenge " + new String(challenge, StandardCharsets.UTF_8));
        System.out.println("cnonce " + value(text, "cnonce"));
        System.out.println("response " + value(text, "response"));
        System.out.println("last " + new String(last, StandardCharsets.UTF_8));
        if (level.equals("auth"))
            return;
        for (String one : new String[] {"a", "seven b", "eight by", "nine byte", "twenty bytes of text", "x".repeat(90)}) {
            byte[] bytes = one.getBytes(StandardCharsets.UTF_8);
            System.out.println("ours " + HexFormat.of().formatHex(bytes) + " " + HexFormat.of().formatHex(client.wrap(bytes, 0, bytes.length)));
            System.out.println("theirs " + HexFormat.of().formatHex(bytes) + " " + HexFormat.of().formatHex(server.wrap(bytes, 0, bytes.length)));
        }
    }

    public static void main(String[] arguments) throws Exception {
        record("auth", "-");
        record("auth-int", "-");
        for (String cipher : new String[] {"rc4", "3des", "rc4-56", "rc4-40"})
            record("auth-conf", cipher);
    }
}
