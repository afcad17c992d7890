import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.Charset;
import java.nio.charset.CodingErrorAction;
import java.util.TreeSet;

/** Prints Java's character sets, one a line: name and aliases, bytes as hexadecimal digits, and the text that Java decodes from them. */
public class Charsets {
    static final String WORDS = "The quick fox, 0123 <13> {a=b}; Grüße жёлтый ελληνικά עברית العربية ไทย 日本語テスト 한국어 中文字";

    static String decode(Charset charset, byte[] bytes) {
        try {
            return charset.newDecoder().onMalformedInput(CodingErrorAction.REPORT).onUnmappableCharacter(CodingErrorAction.REPORT)
                    .decode(ByteBuffer.wrap(bytes)).toString();
        } catch (CharacterCodingException | RuntimeException | Error e) {
            return null;
        }
    }

    public static void main(String[] arguments) throws Exception {
        var out = new java.io.PrintStream(System.out, true, "UTF-8");
        for (Charset charset : Charset.availableCharsets().values()) {
            var names = new StringBuilder(charset.name());
            for (String alias : new TreeSet<>(charset.aliases()))
                names.append(' ').append(alias);
            var text = new StringBuilder();
            byte[] bytes = {};
            if (charset.canEncode()) {
                var encoder = charset.newEncoder();
                for (char c : WORDS.toCharArray())
                    if (encoder.canEncode(c))
                        text.append(c);
                bytes = text.toString().getBytes(charset);
                if (!text.toString().equals(decode(charset, bytes)))
                    throw new Exception(charset.name());
            }
            var hex = new StringBuilder();
            for (byte b : bytes)
                hex.append(String.format("%02x", b & 0xff));
            out.println(names + "\t" + hex + "\t" + text);
        }
    }
}
