import java.io.FileOutputStream;
import java.security.KeyStore;
import java.security.Provider;
import java.security.SecureRandomSpi;
import java.security.Security;
import javax.crypto.spec.SecretKeySpec;

/** Writes a JCEKS store whose key is sealed with the salt 1 2 2 1 1 2 2 1. PBES1 inverts the first of two equal halves: Java 17 stores what
 * it has inverted, so that only a half that reads the same backwards is equal to the other one in a store. */
public class KnownSalt {
    public static class Random extends SecureRandomSpi {
        @Override protected void engineSetSeed(byte[] seed) {}
        @Override protected void engineNextBytes(byte[] bytes) {
            for (int i = 0; i < bytes.length; i++)
                bytes[i] = (byte) (i % 4 == 1 || i % 4 == 2 ? 2 : 1);
        }
        @Override protected byte[] engineGenerateSeed(int count) { return new byte[count]; }
    }
    public static class Fixed extends Provider {
        public Fixed() {
            super("Fixed", "1", "a salt that is known");
            put("SecureRandom.Fixed", Random.class.getName());
        }
    }
    public static void main(String[] arguments) throws Exception {
        Security.insertProviderAt(new Fixed(), 1);
        KeyStore store = KeyStore.getInstance("JCEKS");
        store.load(null, null);
        byte[] key = new byte[16];
        for (int i = 0; i < key.length; i++)
            key[i] = (byte) (16 * i + i);
        store.setKeyEntry("halves", new SecretKeySpec(key, "AES"), "keypasshalves".toCharArray(), null);
        try (FileOutputStream out = new FileOutputStream(arguments[0])) {
            store.store(out, "storepass".toCharArray());
        }
    }
}
