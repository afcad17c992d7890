/* What Joda-Time says about cases: standard input to standard output, for tests/stages/lib/date/joda/date_test.c. With a seed and a
 * count, that many generated patterns follow.
 *
 * A line is fields between tabs. In: "p PATTERN", "t TEXT" of the pattern before. Out: "now MS"; "z ZONE" (of what
 * follows), "p PATTERN" with "=" or "!", "t TEXT" with "= MS" or "!". */
import java.io.*;
import java.nio.charset.StandardCharsets;
import java.util.*;
import org.joda.time.*;
import org.joda.time.format.*;

public class JodaDate {
    static final long NOW = 1790000000000L;
    /* Not compared but in UTC: near the end of time, where Joda-Time's numbers overflow; and what the database of time zones
     * says otherwise since 2017. */
    static final long MOST = 1L << 60, KOLKATA = -800000000000L;
    static final String[] ZONES = {"UTC", "Asia/Kolkata", "Europe/Berlin", "America/New_York"};
    static Random random;

    static String pick(String... of) { return of[random.nextInt(of.length)]; }

    static String pattern() {
        StringBuilder pattern = new StringBuilder();
        for (int i = 1 + random.nextInt(6); i > 0; i--) {
            pattern.append(pick("yyyy", "yyyy", "yy", "y", "YYYY", "YY", "xxxx", "xx", "CC", "G", "M", "MM", "MMM", "MMMM", "d", "dd", "D", "DDD", "w", "ww", "e", "E",
                "EEEE", "H", "HH", "k", "kk", "K", "h", "hh", "a", "m", "mm", "s", "ss", "S", "SSS", "SSSSSS", "Z", "ZZ", random.nextInt(8) == 0 ? "ZZZ" : "Z", "z", "'T'", "''"));
            if (random.nextInt(3) > 0)
                pattern.append(pick("-", "/", " ", ":", ".", ", ", "'at'", "'o''clock'"));
        }
        return pattern.toString();
    }

    static String damaged(String text) {
        if (text.isEmpty())
            return "+";
        int at = random.nextInt(text.length());
        switch (random.nextInt(6)) {
        case 0: return text.substring(0, at);
        case 1: return text + pick(" ", "0", "Z", "x");
        case 2: return text.substring(0, at) + text.substring(at + 1);
        case 3: return text.substring(0, at) + pick("0", "1", "9", "-", "+", " ", "a", "Z") + text.substring(at + random.nextInt(2));
        case 4: return text.toUpperCase(Locale.ENGLISH);
        default: return text.toLowerCase(Locale.ENGLISH);
        }
    }

    static String field(String text) { return text.replace("\t", " "); }

    static void generate(int count, List<String> lines) {
        for (int i = 0; i < count; i++) {
            String pattern = pattern();
            lines.add("p\t" + pattern);
            try {
                DateTimeFormatter formatter = DateTimeFormat.forPattern(pattern).withLocale(Locale.ENGLISH);
                for (int j = 0; j < 4; j++) {
                    DateTimeZone zone = random.nextInt(3) > 0 ? DateTimeZone.UTC : DateTimeZone.forID(pick(ZONES));
                    String text = formatter.withZone(zone).print(31536000000L + (long)(random.nextDouble() * 1.9e12));
                    lines.add("t\t" + field(text));
                    lines.add("t\t" + field(damaged(text)));
                }
            } catch (RuntimeException e) {
                continue;
            }
        }
    }

    public static void main(String[] arguments) throws IOException {
        List<String> lines = new ArrayList<>();
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line; (line = in.readLine()) != null;)
            lines.add(line);
        Locale.setDefault(Locale.ENGLISH);
        DateTimeUtils.setCurrentMillisFixed(NOW);
        random = new Random(Long.parseLong(arguments[0]));
        generate(Integer.parseInt(arguments[1]), lines);
        PrintStream out = new PrintStream(new FileOutputStream(FileDescriptor.out), false, "UTF-8");
        out.println("now\t" + NOW);
        for (String zone : ZONES) {
            DateTimeZone.setDefault(DateTimeZone.forID(zone));
            out.println("z\t" + zone);
            DateTimeFormatter formatter = null;
            for (String line : lines) {
                if (line.startsWith("p\t")) {
                    try {
                        formatter = DateTimeFormat.forPattern(line.substring(2));
                    } catch (RuntimeException e) {
                        formatter = null;
                    }
                    boolean reads = formatter != null && formatter.isParser();
                    formatter = reads ? formatter : null;
                    out.println(line + (reads ? "\t=" : "\t!"));
                } else if (line.startsWith("t\t") && formatter != null) {
                    String answer = "!";
                    try {
                        long ms = formatter.parseDateTime(line.substring(2)).getMillis();
                        if (!zone.equals("UTC") && (Math.abs(ms) > MOST || zone.equals("Asia/Kolkata") && ms < KOLKATA))
                            continue;
                        answer = "=\t" + ms;
                    } catch (RuntimeException e) {
                        // it throws
                    }
                    out.println(line + "\t" + answer);
                }
            }
        }
        out.flush();
    }
}
