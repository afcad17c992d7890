package example;

import org.apache.flume.Context;
import org.apache.flume.conf.BatchSizeSupported;

/** A FileSink that tells its batch size. */
public class SizedSink extends FileSink implements BatchSizeSupported {
    private long batchSize;

    @Override
    public void configure(Context context) {
        super.configure(context);
        batchSize = context.getLong("batchSize");
    }

    @Override
    public long getBatchSize() {
        return batchSize;
    }
}
