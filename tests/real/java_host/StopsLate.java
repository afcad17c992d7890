package example;

import java.io.File;
import org.apache.flume.Context;
import org.apache.flume.sink.RollingFileSink;

/** A sink with Flume's counters whose stop() returns when a file exists. */
public class StopsLate extends RollingFileSink {
    private File awaited;

    @Override
    public void configure(Context context) {
        super.configure(context);
        awaited = new File(context.getString("awaited"));
    }

    @Override
    public void stop() {
        super.stop();
        while (!awaited.exists()) {
            try {
                Thread.sleep(10);
            } catch (InterruptedException goesOn) {
                continue;
            }
        }
        System.out.println("StopsLate: has stopped");
    }
}
