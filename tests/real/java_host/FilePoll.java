package example;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.flume.ChannelException;
import org.apache.flume.Context;
import org.apache.flume.Event;
import org.apache.flume.EventDeliveryException;
import org.apache.flume.PollableSource;
import org.apache.flume.conf.Configurable;
import org.apache.flume.event.EventBuilder;
import org.apache.flume.source.AbstractSource;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Polls a file: batchSize lines at a time, each with its number in a header. Keeps its position in a file, as soon as the channel has them. */
public class FilePoll extends AbstractSource implements Configurable, PollableSource {
    private static final Logger log = LoggerFactory.getLogger(FilePoll.class);
    private Path path, positions;
    private int batchSize, throwEvery, largeEvery, largeBytes, polls, refusals;
    private List<String> lines;
    private int position;

    @Override
    public void configure(Context context) {
        path = Paths.get(context.getString("path"));
        positions = context.getString("positions") != null ? Paths.get(context.getString("positions")) : null;
        batchSize = context.getInteger("batchSize", 100);
        throwEvery = context.getInteger("throwEvery", 0);
        largeEvery = context.getInteger("largeEvery", 0);
        largeBytes = context.getInteger("largeBytes", 0);
    }

    @Override
    public synchronized void start() {
        try {
            lines = Files.readAllLines(path, StandardCharsets.UTF_8);
            if (positions != null && Files.exists(positions))
                position = Integer.parseInt(new String(Files.readAllBytes(positions), StandardCharsets.UTF_8));
        } catch (java.io.IOException wrong) {
            throw new IllegalStateException(wrong);
        }
        log.info("begins at line {}", position);
        super.start();
    }

    @Override
    public synchronized void stop() {
        log.info("stops at line {} after {} refusals", position, refusals);
        super.stop();
    }

    private Event event(int number) {
        Map<String, String> headers = new HashMap<>();
        headers.put("number", Integer.toString(number));
        headers.put("straße", "nr " + number % 7);
        byte[] body = lines.get(number).getBytes(StandardCharsets.UTF_8);
        if (largeEvery > 0 && number % largeEvery == largeEvery - 1) {
            body = new byte[largeBytes];
            Arrays.fill(body, (byte) ('a' + number % 26));
        }
        return EventBuilder.withBody(body, headers);
    }

    @Override
    public Status process() throws EventDeliveryException {
        if (position == lines.size())
            return Status.BACKOFF;
        if (throwEvery > 0 && ++polls % throwEvery == 0)
            throw new IllegalStateException("as the test wants it");
        List<Event> events = new ArrayList<>();
        for (int i = 0; i < batchSize && position + i < lines.size(); i++)
            events.add(event(position + i));
        try {
            getChannelProcessor().processEventBatch(events);
        } catch (ChannelException full) {
            if (refusals++ == 0)
                log.info("refused: {}", full.getMessage());
            return Status.BACKOFF;
        }
        position += events.size();
        try {
            if (positions != null) {
                Path fresh = positions.resolveSibling("fresh");
                Files.write(fresh, Integer.toString(position).getBytes(StandardCharsets.UTF_8));
                Files.move(fresh, positions, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
            }
        } catch (java.io.IOException wrong) {
            throw new EventDeliveryException(wrong);
        }
        return Status.READY;
    }

    @Override
    public long getBackOffSleepIncrement() {
        return 20;
    }

    @Override
    public long getMaxBackOffSleepInterval() {
        return 100;
    }
}
