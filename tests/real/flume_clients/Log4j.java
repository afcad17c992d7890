// Logs through two of Flume's own appenders for log4j 1, to two ports: the same text, and objects as Avro by reflection.
//
//   Log4j EVENTS PORT PORT
import org.apache.flume.clients.log4jappender.Log4jAppender;
import org.apache.log4j.Level;
import org.apache.log4j.Logger;
import org.apache.log4j.PatternLayout;

public class Log4j {
    public static class Order {
        public int number;
        public String place;
    }

    public static void main(String[] args) {
        Logger logger = Logger.getLogger("shop.cart");
        logger.setLevel(Level.ALL);
        for (int i = 1; i < args.length; i++) {
            Log4jAppender appender = new Log4jAppender();
            appender.setHostname("127.0.0.1");
            appender.setPort(Integer.parseInt(args[i]));
            appender.setTimeout(120000);
            appender.setAvroReflectionEnabled(true);
            appender.setLayout(new PatternLayout("%d %p %c %m"));
            appender.activateOptions();
            logger.addAppender(appender);
        }
        Level[] levels = {Level.TRACE, Level.DEBUG, Level.INFO, Level.WARN, Level.ERROR, Level.FATAL};
        int events = Integer.parseInt(args[0]);
        for (int i = 0; i < events; i++) {
            Object message = "Bestellung " + i + " für Köln: 数据";
            if (i % 2 == 1) {
                Order order = new Order();
                order.number = i;
                order.place = "Köln";
                message = order;
            }
            logger.log(levels[i % levels.length], message);
        }
        Logger.getRootLogger().getLoggerRepository().shutdown();
        System.exit(0);
    }
}
