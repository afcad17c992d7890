import com.sun.management.OperatingSystemMXBean;
import java.lang.management.ManagementFactory;
import java.util.Arrays;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FSDataOutputStream;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;

/**
 * Hadoop's own client, for bench/hdfs_flume: lines of BYTES times 0x7F into one file of HDFS, with an hflush after each batch.
 *
 * HdfsWrite URL BYTES BATCH WARM EVENTS [RATE]: WARM events do not count, EVENTS do. Prints seconds and CPU seconds of the whole process. With a
 * RATE (events per second) each batch has a time at which it is complete: prints milliseconds from then to its acknowledged hflush, p50 and p99.
 */
public class HdfsWrite {
    public static void main(String[] args) throws Exception {
        Path path = new Path(args[0]);
        int bytes = Integer.parseInt(args[1]), batch = Integer.parseInt(args[2]);
        long warm = Long.parseLong(args[3]), events = Long.parseLong(args[4]), rate = args.length > 5 ? Long.parseLong(args[5]) : 0;
        byte[] line = new byte[bytes + 1];
        Arrays.fill(line, (byte) 0x7f);
        line[bytes] = '\n';
        OperatingSystemMXBean process = (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
        try (FileSystem files = path.getFileSystem(new Configuration()); FSDataOutputStream out = files.create(path, false)) {
            write(out, line, batch, warm, rate);
            long began = System.nanoTime(), cpu = process.getProcessCpuTime();
            long[] waits = write(out, line, batch, events, rate);
            double seconds = (System.nanoTime() - began) / 1e9, used = (process.getProcessCpuTime() - cpu) / 1e9;
            Arrays.sort(waits);
            System.out.println("{\"seconds\":" + seconds + ",\"cpu_seconds\":" + used + ",\"p50_ms\":" + waits[waits.length / 2] / 1e6
                + ",\"p99_ms\":" + waits[waits.length * 99 / 100] / 1e6 + "}");
        }
    }

    /** Nanoseconds of each batch from its time (without a rate: its first byte) to the end of its hflush. */
    private static long[] write(FSDataOutputStream out, byte[] line, int batch, long events, long rate) throws Exception {
        long[] waits = new long[(int) ((events + batch - 1) / batch)];
        long began = System.nanoTime();
        for (int i = 0; i < waits.length; i++) {
            long count = Math.min(batch, events - (long) i * batch);
            long due = rate > 0 ? began + (long) (((double) i * batch + count) / rate * 1e9) : System.nanoTime();
            while (rate > 0 && System.nanoTime() < due)
                Thread.sleep(0, 100_000);
            for (long k = 0; k < count; k++)
                out.write(line);
            out.hflush();
            waits[i] = System.nanoTime() - due;
        }
        return waits;
    }
}
