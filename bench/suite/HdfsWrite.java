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
 * HdfsWrite URL BYTES BATCH WARM EVENTS: WARM events do not count, EVENTS do. Prints seconds and CPU seconds of the whole process.
 */
public class HdfsWrite {
    public static void main(String[] args) throws Exception {
        Path path = new Path(args[0]);
        int bytes = Integer.parseInt(args[1]), batch = Integer.parseInt(args[2]);
        long warm = Long.parseLong(args[3]), events = Long.parseLong(args[4]);
        byte[] line = new byte[bytes + 1];
        Arrays.fill(line, (byte) 0x7f);
        line[bytes] = '\n';
        OperatingSystemMXBean process = (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
        try (FileSystem files = path.getFileSystem(new Configuration()); FSDataOutputStream out = files.create(path, false)) {
            write(out, line, batch, warm);
            long began = System.nanoTime(), cpu = process.getProcessCpuTime();
            write(out, line, batch, events);
            double seconds = (System.nanoTime() - began) / 1e9, used = (process.getProcessCpuTime() - cpu) / 1e9;
            System.out.println("{\"seconds\":" + seconds + ",\"cpu_seconds\":" + used + "}");
        }
    }

    private static void write(FSDataOutputStream out, byte[] line, int batch, long events) throws Exception {
        for (long i = 1; i <= events; i++) {
            out.write(line);
            if (i % batch == 0 || i == events)
                out.hflush();
        }
    }
}
