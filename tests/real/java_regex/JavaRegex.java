/* What java.util.regex says about cases: standard input to standard output, for tests/regex/java/table_test.c.
 *
 * A line is fields between tabs; %HH in a field is a byte, other text stands for itself (UTF-8). In come
 *   p FLAGS PATTERN              FLAGS: letters as in (?idmsuxU), or -
 *   s SUBJECT [REPLACEMENT]      of the pattern before it
 * and out go the same lines with an answer:
 *   p FLAGS PATTERN = GROUPS     or  ! INDEX DESCRIPTION  of the PatternSyntaxException, or  ?  when Java accepts it and
 *                                then throws NullPointerException when it matches ("[a&&]")
 *   s SUBJECT = SPANS            - when find() finds nothing; else "begin-end" of each group in bytes of the decoded
 *                                text's UTF-8, "-" for a group that took no part, commas between
 *   s SUBJECT REPLACEMENT = SPANS = TEXT  or  s SUBJECT REPLACEMENT = SPANS ! EXCEPTION MESSAGE   of replaceAll
 * SPANS or TEXT is "~" where Java cuts a surrogate pair in two, which no text in UTF-8 can show. Subjects of patterns
 * that do not compile are left out, and cases that take Java too long or too deep, or behind the end of the text (17: a reference
 * to a group without regard to case, when the group ends with a surrogate pair); comments (#) and empty lines, too. */
import java.io.*;
import java.nio.charset.StandardCharsets;
import java.util.regex.*;

public class JavaRegex {
    static final int STEPS_MAX = 2_000_000;

    /* A text that counts how often it is looked at: the end of what would take for ever. */
    static final class Counted implements CharSequence {
        final String text;
        long steps;
        Counted(String text) { this.text = text; }
        public int length() { return text.length(); }
        public char charAt(int at) {
            if (++steps > STEPS_MAX)
                throw new TooLong();
            return text.charAt(at);
        }
        public CharSequence subSequence(int from, int to) { return text.subSequence(from, to); }
        public String toString() { return text; }
    }

    static final class TooLong extends RuntimeException {}

    static byte[] unescape(String field) {
        byte[] in = field.getBytes(StandardCharsets.UTF_8);
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        for (int i = 0; i < in.length; i++) {
            if (in[i] == '%') {
                out.write(Integer.parseInt(new String(in, i + 1, 2, StandardCharsets.US_ASCII), 16));
                i += 2;
            } else {
                out.write(in[i]);
            }
        }
        return out.toByteArray();
    }

    static String escape(byte[] bytes) {
        StringBuilder out = new StringBuilder();
        for (byte b : bytes) {
            if (b < 0x20 || b == 0x7f || b == '%') // negative: from 0x80 on
                out.append(String.format("%%%02X", b & 0xff));
            else
                out.append((char)b);
        }
        return out.toString();
    }

    static int flags(String letters) {
        int flags = 0;
        for (char letter : letters.toCharArray()) {
            switch (letter) {
            case 'i': flags |= Pattern.CASE_INSENSITIVE; break;
            case 'm': flags |= Pattern.MULTILINE; break;
            case 's': flags |= Pattern.DOTALL; break;
            case 'x': flags |= Pattern.COMMENTS; break;
            case 'u': flags |= Pattern.UNICODE_CASE; break;
            case 'U': flags |= Pattern.UNICODE_CHARACTER_CLASS; break;
            case 'd': flags |= Pattern.UNIX_LINES; break;
            case '-': break;
            default: throw new IllegalArgumentException("flag " + letter);
            }
        }
        return flags;
    }

    /* -1: inside a surrogate pair. */
    static int byteOffset(String text, int at) {
        if (at > 0 && at < text.length() && Character.isSurrogatePair(text.charAt(at - 1), text.charAt(at)))
            return -1;
        return text.substring(0, at).getBytes(StandardCharsets.UTF_8).length;
    }

    static String spans(Matcher matcher, String text) {
        if (!matcher.find())
            return "-";
        StringBuilder out = new StringBuilder();
        for (int group = 0; group <= matcher.groupCount(); group++) {
            out.append(group > 0 ? "," : "");
            if (matcher.start(group) < 0) {
                out.append('-');
                continue;
            }
            int begin = byteOffset(text, matcher.start(group)), end = byteOffset(text, matcher.end(group));
            if (begin < 0 || end < 0)
                return "~";
            out.append(begin).append('-').append(end);
        }
        return out.toString();
    }

    static String replaced(Pattern pattern, String subject, String replacement) {
        String text;
        try {
            text = pattern.matcher(new Counted(subject)).replaceAll(replacement);
        } catch (StringIndexOutOfBoundsException e) { // of the search, see match()
            throw e;
        } catch (IllegalArgumentException | IndexOutOfBoundsException e) {
            return "!\t" + e.getClass().getSimpleName() + "\t" + escape(e.getMessage().getBytes(StandardCharsets.UTF_8));
        }
        // The halves may come together again: "$0a" for \b|[^B] in U+1D400, whose second half is a match.
        for (Matcher matcher = pattern.matcher(new Counted(subject)); matcher.find();) {
            for (int group = 0; group <= matcher.groupCount(); group++) {
                if (matcher.start(group) >= 0 && (byteOffset(subject, matcher.start(group)) < 0 || byteOffset(subject, matcher.end(group)) < 0))
                    return "=\t~";
            }
        }
        return "=\t" + escape(text.getBytes(StandardCharsets.UTF_8));
    }

    static Pattern pattern; // of the last p line
    static StringBuilder answers = new StringBuilder();

    static void compile(String flags, String text) {
        String head = "p\t" + flags + "\t" + escape(text.getBytes(StandardCharsets.UTF_8)) + "\t";
        pattern = null;
        try {
            pattern = Pattern.compile(text, flags(flags));
            head += "=\t" + pattern.matcher("").groupCount();
        } catch (PatternSyntaxException e) {
            head += "!\t" + e.getIndex() + "\t" + escape(e.getDescription().getBytes(StandardCharsets.UTF_8));
        } catch (StackOverflowError e) {
            return;
        } catch (RuntimeException e) { // what Pattern should have said otherwise
            head += "!\t-1\t" + e.getClass().getSimpleName();
        }
        answers.append(head).append('\n');
    }

    static void match(byte[] bytes, byte[] replacement) {
        String subject = new String(bytes, StandardCharsets.UTF_8), answer = "s\t" + escape(bytes);
        try {
            if (replacement != null)
                answer += "\t" + escape(replacement);
            answer += "\t=\t" + spans(pattern.matcher(new Counted(subject)), subject);
            if (replacement != null)
                answer += "\t" + replaced(pattern, subject, new String(replacement, StandardCharsets.UTF_8));
            answers.append(answer).append('\n');
        } catch (NullPointerException e) {
            answers.setLength(0);
            answers.append("p\t-\t").append(escape(pattern.pattern().getBytes(StandardCharsets.UTF_8))).append("\t?\n");
            pattern = null;
        } catch (TooLong | StackOverflowError | StringIndexOutOfBoundsException e) {
            return;
        }
    }

    public static void main(String[] arguments) throws IOException {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        PrintStream out = new PrintStream(new BufferedOutputStream(new FileOutputStream(FileDescriptor.out), 1 << 16), false, "UTF-8");
        for (String line; (line = in.readLine()) != null;) {
            String[] fields = line.split("\t", -1);
            if (fields[0].equals("p")) {
                out.print(answers);
                answers.setLength(0);
                compile(fields[1], new String(unescape(fields[2]), StandardCharsets.UTF_8));
            } else if (fields[0].equals("s") && pattern != null) {
                match(unescape(fields[1]), fields.length > 2 ? unescape(fields[2]) : null);
            }
        }
        out.print(answers);
        out.flush();
    }
}
