// Logs through the Flume appenders of a log4j 2 configuration: levels, exceptions, the thread context, structured data, markers, text
// that is not ASCII, empty and long messages.
//
//   java -Dlog4j.configurationFile=FILE Log4j2 EVENTS
import java.util.Collections;
import org.apache.logging.log4j.Level;
import org.apache.logging.log4j.LogManager;
import org.apache.logging.log4j.Logger;
import org.apache.logging.log4j.MarkerManager;
import org.apache.logging.log4j.ThreadContext;
import org.apache.logging.log4j.message.StructuredDataMessage;

public class Log4j2 {
    public static void main(String[] args) {
        Logger logger = LogManager.getLogger("shop.cart");
        Level[] levels = {Level.TRACE, Level.DEBUG, Level.INFO, Level.WARN, Level.ERROR, Level.FATAL};
        int events = Integer.parseInt(args[0]);
        for (int i = 0; i < events; i++) {
            ThreadContext.put("request", "r-" + i);
            ThreadContext.put("user", "Jürgen Groß");
            Level level = levels[i % levels.length];
            switch (i % 5) {
            case 0:
                logger.log(level, "order {} paid: {} €", i, i * 1.5);
                break;
            case 1:
                logger.log(level, "order " + i, new IllegalStateException("no stock", new RuntimeException("cause")));
                break;
            case 2:
                StructuredDataMessage message = new StructuredDataMessage("Order@32473", "order " + i, "Audit");
                message.put("sum", "1] \"2\"");
                message.put("Ort", "Köln");
                logger.log(level, MarkerManager.getMarker("EVENT"), message);
                break;
            case 3:
                logger.log(level, MarkerManager.getMarker("PAID"), i + " " + String.join("", Collections.nCopies(300, "long ")));
                break;
            default:
                logger.log(level, "");
            }
        }
        LogManager.shutdown();
        System.exit(0);
    }
}
