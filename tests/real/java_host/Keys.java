package example;

import java.nio.charset.StandardCharsets;
import java.security.Key;
import java.util.Arrays;
import javax.crypto.spec.SecretKeySpec;
import org.apache.flume.Context;
import org.apache.flume.channel.file.encryption.KeyProvider;

/** Keys of a file channel that follow from a seed and their names; there is none with the name `absent`. */
public class Keys implements KeyProvider.Builder {
    @Override
    public KeyProvider build(Context context) {
        final String seed = context.getString("seed", "");
        if (context.getString("keys.old.hint", "").isEmpty())
            throw new IllegalArgumentException("no hint");
        return new KeyProvider() {
            @Override
            public Key getKey(String alias) {
                byte[] text = (seed + alias + "0123456789abcdef").getBytes(StandardCharsets.UTF_8);
                return alias.equals("absent") ? null : new SecretKeySpec(Arrays.copyOf(text, 16), "AES");
            }
        };
    }
}
