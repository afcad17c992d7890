package example;

import org.apache.flume.sink.AbstractSink;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** A sink that logs and prints words with letters beyond ASCII. */
public class Words extends AbstractSink {
    private static final Logger log = LoggerFactory.getLogger(Words.class);
    private static final String WORDS = "gr\u00fc\u00dfe \u6f22\u5b57 \ud83d\ude00";

    @Override
    public synchronized void start() {
        log.warn("logs {}\nand in a second line {}", WORDS, WORDS);
        System.out.println("prints " + WORDS);
        log.error("throws", new IllegalStateException("with " + WORDS));
    }

    @Override
    public Status process() {
        return Status.BACKOFF;
    }
}
