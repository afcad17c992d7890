/* Cases for JavaRegex.java, from a seed: patterns drawn from a grammar, subjects drawn from what each pattern may match
 * and then damaged. java Generate.java SEED PATTERNS [SUBJECTS] writes them to standard output. */
import java.io.*;
import java.nio.charset.StandardCharsets;
import java.util.*;
import java.util.regex.*;

public class Generate {
    static Random random;

    static final String[] LETTERS = {"a", "b", "c", "A", "B", "0", "1", "_", "-", " ", "k", "s", "x", "é", "É", "ß", "ſ", "\u212A", "İ", "и", "И",
        "\u0301", "\u0085", "\u2028", "\n", "\r", "\t", "\u000B", "\f", "\u00A0", "\u3000", "\u0660", "😀", "\uD835\uDC00", "\uFFFD", "\0", "字", "Ⅷ", "#"};
    static final String[] TERMINATORS = {"\n", "\r\n", "\r", "\u0085", "\u2028", "\u2029", "\n\n", "\r\r\n"};
    static final byte[][] MALFORMED = {{(byte)0xff}, {(byte)0xc3}, {(byte)0x80}, {(byte)0xe2, (byte)0x82}, {(byte)0xf0, (byte)0x9f, (byte)0x98},
        {(byte)0xed, (byte)0xa0, (byte)0x80}, {(byte)0xc0, (byte)0x80}, {(byte)0xfe, (byte)0xfe}, {(byte)0xf4, (byte)0x90, (byte)0x80, (byte)0x80}};

    static int below(int bound) { return random.nextInt(bound); }
    static boolean chance(int percent) { return random.nextInt(100) < percent; }
    static String pick(String... of) { return of[below(of.length)]; }

    /* ASCII four times of five. */
    static String letter() { return chance(80) ? LETTERS[below(13)] : LETTERS[below(LETTERS.length)]; }

    /* A part of a pattern: its text, and something it may match. */
    interface Sampler { void sample(StringBuilder out); }
    static final class Part {
        final String text;
        final Sampler sampler;
        Part(String text, Sampler sampler) { this.text = text; this.sampler = sampler; }
        Part(String text, String... samples) { this(text, out -> out.append(pick(samples))); }
    }

    static int groups;
    static List<String> names;
    static Map<Integer, String> captured; // while sampling

    static Part literal() {
        String c = letter();
        int point = c.codePointAt(0);
        if (chance(85) || point == 0)
            return new Part("#".equals(c) || " ".equals(c) ? pick(c, "\\" + c, c) : point == 0 ? "\\x00" : c, c);
        String escaped;
        switch (below(6)) {
        case 0: escaped = point < 256 ? String.format("\\x%02x", point) : String.format("\\x{%X}", point); break;
        case 1: escaped = c.length() == 1 ? String.format("\\u%04x", point) : String.format("\\u%04x\\u%04X", (int)c.charAt(0), (int)c.charAt(1)); break;
        case 2: escaped = String.format("\\x{%x}", point); break;
        case 3: escaped = point < 256 ? String.format("\\0%o", point) : c; break;
        case 4: escaped = "\\Q" + c + "\\E"; break;
        default: escaped = point < 128 && !Character.isLetterOrDigit(point) ? "\\" + c : c; break;
        }
        return new Part(escaped, c);
    }

    static Part meta() {
        String c = pick(".", "*", "(", ")", "[", "]", "{", "}", "$", "^", "|", "+", "?", "\\", "/", "\"", "'", "&", "~", "<", ">", "=", "!", ":", ",");
        return new Part(chance(70) ? "\\" + c : "\\Q" + c + pick("\\E", "a\\E"), c, c + "a");
    }

    static Part predefined() {
        switch (below(14)) {
        case 0: return new Part("\\d", "0", "1", "\u0660");
        case 1: return new Part("\\D", "a", "é", "\n");
        case 2: return new Part("\\s", " ", "\t", "\n", "\u000B", "\u0085", "\u00A0");
        case 3: return new Part("\\S", "a", "\u3000");
        case 4: return new Part("\\w", "a", "_", "0", "é");
        case 5: return new Part("\\W", " ", "-", "é", "😀");
        case 6: return new Part("\\h", " ", "\t", "\u00A0", "\u3000");
        case 7: return new Part("\\H", "a", "\n");
        case 8: return new Part("\\v", "\n", "\u000B", "\u0085", "\u2029");
        case 9: return new Part("\\V", "a", " ");
        case 10: return new Part("\\R", TERMINATORS);
        case 11: return chance(90) ? property() : new Part("\\N{LATIN SMALL LETTER A}", "a");
        default: return property();
        }
    }

    static final String[] PROPERTIES = {"Lower", "Upper", "ASCII", "Alpha", "Digit", "Alnum", "Punct", "Graph", "Print", "Blank", "Cntrl", "XDigit", "Space",
        "L", "Lu", "Ll", "Lt", "Lm", "Lo", "M", "Mn", "N", "Nd", "Nl", "P", "Pd", "S", "Sc", "Z", "Zs", "Zl", "C", "Cc", "Co", "LC", "LD", "L1", "IsL", "IsLu",
        "javaLowerCase", "javaUpperCase", "javaWhitespace", "javaDigit", "javaLetter", "javaLetterOrDigit", "javaSpaceChar", "javaISOControl",
        "IsLatin", "IsGreek", "IsCyrillic", "IsHan", "script=Latin", "sc=Cyrl", "InGreek", "InBasicLatin", "block=Cyrillic", "blk=LATIN_1_SUPPLEMENT", "InCyrillic",
        "IsAlphabetic", "IsIdeographic", "IsLetter", "IsLowercase", "IsUppercase", "IsTitlecase", "IsPunctuation", "IsControl", "IsWhite_Space", "IsDigit",
        "IsHex_Digit", "IsAssigned", "IsJoin_Control", "general_category=Lu", "gc=Ll", "IsAlnum", "all"};
    static Part property() {
        String name = PROPERTIES[below(PROPERTIES.length)];
        String text = name.length() == 1 && chance(50) ? pick("\\p", "\\P") + name : pick("\\p{", "\\p{", "\\P{") + name + "}";
        return new Part(text, out -> out.append(letter()));
    }

    static Part charClass(int depth) {
        StringBuilder text = new StringBuilder(chance(25) ? "[^" : "[");
        List<String> samples = new ArrayList<>();
        int members = 1 + below(4);
        for (int i = 0; i < members; i++) {
            switch (below(12)) {
            case 0: text.append("a-c"); samples.add("b"); break;
            case 1: text.append(pick("0-9", "A-Z", "a-z", "\\x00-\\x7f", "à-þ", "\\x{1F600}-\\x{1F64F}", "\\u0100-\\uFFFF", " -~")); samples.add(letter()); break;
            case 2: { Part p = predefined(); if (!p.text.equals("\\R")) text.append(p.text); samples.add(letter()); break; }
            case 3: if (depth > 0) { text.append(charClass(depth - 1).text); samples.add(letter()); } break;
            case 4: if (depth > 0) { text.append("&&").append(chance(60) ? charClass(depth - 1).text : pick("a-b", "\\w", "^b", "[^b]", "\\P{Lu}", "")); samples.add("a"); } break;
            case 5: text.append(pick("-", "\\-", "\\]", "\\^", "^", "&", ".", "$", "|", "(", "\\\\", "\\t", "\\n", "{", "#", " ", "\\Q-]\\E")); samples.add("-"); break;
            default: { Part p = literal(); text.append(p.text); samples.add(letter()); p.sampler.sample(new StringBuilder()); break; }
            }
        }
        return new Part(text.append("]").toString(), samples.isEmpty() ? new String[] {"a"} : samples.toArray(new String[0]));
    }

    static Part anchor() {
        switch (below(12)) {
        case 0: case 1: return new Part("^", "", "", "", "\n");
        case 2: case 3: return new Part("$", "", "", "\n", "\r\n", "\u2028", "\r");
        case 4: return new Part("\\A", "");
        case 5: return new Part("\\z", "");
        case 6: return new Part("\\Z", "", "\n", "\r\n", "\u0085");
        case 7: return new Part("\\G", "");
        case 8: return new Part("\\B", "");
        default: return new Part("\\b", "", " ", "-");
        }
    }

    static Part reference() {
        if (groups == 0)
            return literal();
        if (!names.isEmpty() && chance(35)) {
            return new Part("\\k<" + names.get(below(names.size())) + ">", out -> out.append(captured.values().stream().findAny().orElse("")));
        }
        int number = 1 + below(groups);
        return new Part("\\" + number, out -> out.append(captured.getOrDefault(number, "")));
    }

    static Part group(int depth) {
        switch (below(13)) {
        case 0: case 1: case 2: case 3: {
            int number = ++groups;
            Part inside = alternatives(depth - 1);
            return new Part("(" + inside.text + ")", out -> capture(number, inside, out));
        }
        case 4: {
            String name = pick("n", "name", "x1", "Y") + (chance(95) ? groups : "");
            int number = ++groups;
            Part inside = alternatives(depth - 1);
            names.add(name);
            return new Part("(?<" + name + ">" + inside.text + ")", out -> capture(number, inside, out));
        }
        case 5: case 6: { Part inside = alternatives(depth - 1); return new Part("(?:" + inside.text + ")", inside.sampler); }
        case 7: { Part inside = alternatives(depth - 1); return new Part("(?>" + inside.text + ")", inside.sampler); }
        case 8: { Part inside = alternatives(depth - 1); return new Part("(?" + flags() + ":" + inside.text + ")", inside.sampler); }
        case 9: return new Part("(?" + flags() + ")", "");
        case 10: { Part inside = alternatives(depth - 1); Part after = chance(50) ? inside : new Part("", ""); return new Part("(?=" + inside.text + ")", out -> { if (chance(30)) after.sampler.sample(out); }); }
        case 11: { Part inside = alternatives(depth - 1); return new Part("(?!" + inside.text + ")", ""); }
        default: { Part inside = sequence(0); return new Part(pick("(?<=", "(?<!") + inside.text + (chance(20) ? pick("{1,3}", "?", "{2}") : "") + ")", inside.sampler); }
        }
    }

    static void capture(int number, Part inside, StringBuilder out) {
        int from = out.length();
        inside.sampler.sample(out);
        captured.put(number, out.substring(from));
    }

    static String flags() {
        String flags = "";
        for (int i = 0; i <= below(3); i++)
            flags += pick("i", "i", "m", "s", "x", "u", "d", chance(20) ? "U" : "i");
        return chance(25) ? (chance(30) ? pick("i", "m", "s") : "") + "-" + flags : flags;
    }

    static Part atom(int depth) {
        int kind = below(100);
        if (kind < 45) return literal();
        if (kind < 52) return new Part(".", out -> out.append(letter()));
        if (kind < 62) return predefined();
        if (kind < 72) return charClass(2);
        if (kind < 75) return meta();
        if (kind < 82) return anchor();
        if (kind < 86) return reference();
        return depth > 0 ? group(depth) : literal();
    }

    static Part term(int depth) {
        Part part = atom(depth);
        if (!chance(28))
            return part;
        String quantifier;
        int least, most;
        switch (below(6)) {
        case 0: quantifier = "?"; least = 0; most = 1; break;
        case 1: case 2: quantifier = "*"; least = 0; most = 3; break;
        case 3: quantifier = "+"; least = 1; most = 3; break;
        case 4: least = below(3); quantifier = "{" + least + "}"; most = least; break;
        default: least = below(3); most = least + below(3); quantifier = "{" + least + "," + (chance(30) ? "" : most) + "}"; break;
        }
        quantifier += chance(70) ? "" : pick("?", "?", "+");
        int from = least, to = most;
        return new Part(part.text + quantifier, out -> {
            for (int i = from + below(to - from + 1); i > 0; i--)
                part.sampler.sample(out);
        });
    }

    static Part sequence(int depth) {
        int count = chance(4) ? 0 : 1 + below(depth > 1 ? 5 : 3);
        List<Part> parts = new ArrayList<>();
        StringBuilder text = new StringBuilder();
        for (int i = 0; i < count; i++) {
            parts.add(term(depth));
            text.append(parts.get(i).text);
        }
        return new Part(text.toString(), out -> { for (Part part : parts) part.sampler.sample(out); });
    }

    static Part alternatives(int depth) {
        List<Part> parts = new ArrayList<>();
        StringBuilder text = new StringBuilder();
        for (int i = chance(75) ? 1 : 2 + below(2); i > 0; i--) {
            Part part = sequence(depth);
            text.append(parts.isEmpty() ? "" : "|").append(part.text);
            parts.add(part);
        }
        return new Part(text.toString(), out -> parts.get(below(parts.size())).sampler.sample(out));
    }

    /* What people write: rarely well-formed after this. */
    static String damage(String pattern) {
        int at = below(pattern.length() + 1);
        switch (below(3)) {
        case 0: return pattern.isEmpty() ? pattern : new StringBuilder(pattern).deleteCharAt(below(pattern.length())).toString();
        default: return pattern.substring(0, at) + pick("(", ")", "[", "]", "{", "}", "*", "+", "?", "|", "\\", "^", "$", "-", "&&", "(?", "{,2}", "\\E", "\\Q", "#", "\\1", "\\k<n>", "++", "(?i)", "[^", "\\x", "\\u", "\\p", "\\c")
            + pattern.substring(at);
        }
    }

    /* The characters of subjects are below this. Where Java counts the chars of a surrogate pair as if they were characters, nothing is
     * compared: a look-behind ("(?<=^.)a" does not match behind a pair), and a reference without regard to case (until Java 18 it compares,
     * for each pair in the group, one more character behind the group: "(?i)(.)-\\1" finds nothing in two equal pairs, or looks behind the
     * end of the text). Of such a reference without (?u) Java folds ASCII letters, PCRE2 all that are equal to one (regex/java/tree.c). */
    static int charactersBelow(String pattern, String flags) {
        if (REFERENCE.matcher(pattern).find() && (flags + pattern).contains("i"))
            return flags.matches(".*[uU].*") || pattern.matches("(?s).*\\(\\?[a-z]*[uU].*") ? 0x10000 : 0x80;
        return pattern.contains("(?<") ? 0x10000 : 0x110000;
    }

    static final Pattern REFERENCE = Pattern.compile("\\\\([1-9]|k<)");

    /* A look-behind whose first part is unbounded has a greatest length of 2^31 - 1 and that of its other parts, which Java adds up in an
     * int. So "(?<=[^😀]*ab)" is never true, and (?<=a*b?c?) is false at the beginning of the text. Not copied, not compared. */
    static boolean overflows(String pattern) {
        for (Matcher behind = BEHIND.matcher(pattern); behind.find();) {
            Matcher unbounded = UNBOUNDED.matcher(behind.group(1));
            if (unbounded.find() && (hasAbove(pattern, 0x10000) || ESCAPED_PAIR.matcher(pattern).find() || SEVERAL.matcher(behind.group(1).substring(unbounded.end())).find()))
                return true;
        }
        return false;
    }

    static final Pattern BEHIND = Pattern.compile("\\(\\?<[=!]((?:[^)\\\\]|\\\\.)*)"), UNBOUNDED = Pattern.compile("([*+]|,\\})[?+]?"), SEVERAL = Pattern.compile("[?*+{|]|\\\\R"),
        ESCAPED_PAIR = Pattern.compile("(?i)\\\\(x\\{1[0-9a-f]{4}|ud8)");

    static boolean hasAbove(String text, int limit) { return text.codePoints().anyMatch(c -> c >= limit && c != 0xFFFD); }

    static String below(String text, int limit) { return text.codePoints().filter(c -> c < limit).collect(StringBuilder::new, StringBuilder::appendCodePoint, StringBuilder::append).toString(); }

    static byte[] subject(Part part, int limit) throws IOException {
        StringBuilder text = new StringBuilder();
        if (chance(4))
            return new byte[0];
        if (chance(60))
            for (int i = below(4); i > 0; i--) text.append(letter());
        if (!chance(6)) {
            captured = new HashMap<>();
            part.sampler.sample(text);
        }
        if (chance(15)) { text.append(pick(TERMINATORS)); part.sampler.sample(text); }
        if (chance(55))
            for (int i = below(4); i > 0; i--) text.append(letter());
        for (int i = chance(45) ? 0 : 1 + below(2); i > 0 && text.length() > 0; i--) {
            int at = below(text.length());
            if (Character.isSurrogate(text.charAt(at)))
                continue;
            switch (below(4)) {
            case 0: text.deleteCharAt(at); break;
            case 1: text.insert(at, letter()); break;
            case 2: { char c = text.charAt(at); text.setCharAt(at, Character.isUpperCase(c) ? Character.toLowerCase(c) : Character.toUpperCase(c)); break; }
            default: text.insert(at, pick(TERMINATORS)); break;
            }
        }
        if (chance(12)) text.append(pick(TERMINATORS));
        if (text.length() > 40) text.setLength(40);
        // Behind a surrogate pair Java's \\b takes a combining mark for no part of a word.
        String whole = below(text.toString(), limit).replaceAll("([\\x{10000}-\\x{10FFFF}])\\u0301+", "$1");
        byte[] bytes = whole.getBytes(StandardCharsets.UTF_8); // a cut pair becomes "?"
        if (!chance(15))
            return bytes;
        int at = below(bytes.length + 1);
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        out.write(bytes, 0, at);
        out.write(MALFORMED[below(MALFORMED.length)]);
        out.write(bytes, at, bytes.length - at);
        // Malformed bytes and what follows may be well-formed.
        return hasAbove(out.toString(StandardCharsets.UTF_8), limit) ? bytes : out.toByteArray();
    }

    static String replacement() {
        StringBuilder text = new StringBuilder();
        for (int i = below(4); i > 0; i--) {
            switch (below(9)) {
            case 0: text.append("$0"); break;
            case 1: case 2: text.append('$').append(groups == 0 ? 0 : 1 + below(groups)); break;
            case 3: if (!names.isEmpty()) text.append("${").append(names.get(below(names.size()))).append('}'); break;
            case 4: text.append(pick("\\$", "\\\\", "\\a", "\\é", "\\{")); break;
            case 5: text.append(below(100)); break;
            case 6: if (chance(25)) text.append(pick("$", "$x", "${", "${}", "${no}", "$9", "\\", "$-1", "${1}", "$é")); break;
            default: text.append(letter()); break;
            }
        }
        return text.toString().replace("\0", ""); // ours ends there
    }

    static String escape(byte[] bytes) {
        StringBuilder out = new StringBuilder();
        for (byte b : bytes) {
            if (b < 0x20 || b == 0x7f || b == '%')
                out.append(String.format("%%%02X", b & 0xff));
            else
                out.append((char)b);
        }
        return out.toString();
    }

    public static void main(String[] arguments) throws IOException {
        random = new Random(Long.parseLong(arguments[0]));
        int patterns = Integer.parseInt(arguments[1]), subjects = arguments.length > 2 ? Integer.parseInt(arguments[2]) : 4;
        PrintStream out = new PrintStream(new BufferedOutputStream(new FileOutputStream(FileDescriptor.out), 1 << 16), false, "UTF-8");
        for (int i = 0; i < patterns; i++) {
            groups = 0;
            names = new ArrayList<>();
            Part part = alternatives(3);
            String text = chance(8) ? damage(part.text) : part.text;
            if (text.length() > 120 || text.indexOf('\0') >= 0 || overflows(text)) {
                i--;
                continue;
            }
            String flags = chance(75) ? "-" : pick("i", "m", "s", "x", "iu", "d", "U", "im", "ms", "dm", "ix");
            out.println("p\t" + flags + "\t" + escape(text.getBytes(StandardCharsets.UTF_8)));
            int limit = charactersBelow(text, flags);
            for (int j = 0; j < subjects; j++) {
                out.println("s\t" + escape(subject(part, limit)) + (chance(35) ? "\t" + escape(replacement().getBytes(StandardCharsets.UTF_8)) : ""));
            }
        }
        out.flush();
    }
}
