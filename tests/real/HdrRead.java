import java.io.File;
import java.io.PrintStream;
import org.HdrHistogram.EncodableHistogram;
import org.HdrHistogram.Histogram;
import org.HdrHistogram.HistogramLogReader;

/**
 * Reads a histogram log with HdrHistogram itself. Prints a line for each histogram: its tag, its start, its number of values, its maximum,
 * p50, p99 and p99.9. With a tag: the percentiles of that histogram in ms, as outputPercentileDistribution prints them.
 */
public class HdrRead {
    public static void main(String[] arguments) throws Exception {
        HistogramLogReader reader = new HistogramLogReader(new File(arguments[0]));
        while (reader.hasNext()) {
            EncodableHistogram next = reader.nextIntervalHistogram();
            if (next == null)
                continue;
            Histogram histogram = (Histogram) next;
            if (arguments.length > 1) {
                if (arguments[1].equals(histogram.getTag()))
                    histogram.outputPercentileDistribution(new PrintStream(System.out), 5, 1e6);
                continue;
            }
            System.out.printf("%s %.3f %d %d %d %d %d%n", histogram.getTag(), histogram.getStartTimeStamp() / 1000.0, histogram.getTotalCount(),
                    histogram.getMaxValue(), histogram.getValueAtPercentile(50), histogram.getValueAtPercentile(99),
                    histogram.getValueAtPercentile(99.9));
        }
    }
}
