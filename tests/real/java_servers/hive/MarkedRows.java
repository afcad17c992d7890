package example;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Collection;
import org.apache.flume.Context;
import org.apache.flume.Event;
import org.apache.flume.sink.hive.HiveEventSerializer;
import org.apache.hive.hcatalog.streaming.DelimitedInputWriter;
import org.apache.hive.hcatalog.streaming.HiveEndPoint;
import org.apache.hive.hcatalog.streaming.RecordWriter;
import org.apache.hive.hcatalog.streaming.StreamingException;
import org.apache.hive.hcatalog.streaming.TransactionBatch;

/** Makes a row of each event: id is the first word of the body, and rest is what follows it, behind `serializer.mark`. */
public class MarkedRows implements HiveEventSerializer {
    private String mark;

    @Override
    public void configure(Context context) {
        mark = context.getString("serializer.mark");
    }

    private byte[] row(byte[] body) {
        String[] words = new String(body, StandardCharsets.UTF_8).split(" ", 2);
        return (words[0] + "\t" + mark + " " + (words.length > 1 ? words[1] : "")).getBytes(StandardCharsets.UTF_8);
    }

    @Override
    public void write(TransactionBatch transactions, Event event) throws StreamingException, IOException, InterruptedException {
        transactions.write(row(event.getBody()));
    }

    @Override
    public void write(TransactionBatch transactions, Collection<byte[]> bodies) throws StreamingException, IOException, InterruptedException {
        for (byte[] body : bodies)
            transactions.write(row(body));
    }

    @Override
    public RecordWriter createRecordWriter(HiveEndPoint table) throws StreamingException, IOException, ClassNotFoundException {
        return new DelimitedInputWriter(new String[] {"id", "rest"}, "\t", table);
    }
}
