import java.nio.charset.StandardCharsets;
import java.util.Enumeration;
import javax.jms.BytesMessage;
import javax.jms.Connection;
import javax.jms.Destination;
import javax.jms.Message;
import javax.jms.MessageProducer;
import javax.jms.Session;
import org.apache.activemq.ActiveMQConnectionFactory;

/** A client of the broker, see the script activemq. Arguments: the URL, the verb, and the verb's. */
class Messages {
    public static void main(String[] words) throws Exception {
        Connection connection = new ActiveMQConnectionFactory(words[0]).createConnection();
        try {
            if (words[1].equals("subscribe"))
                connection.setClientID(words[3]);
            connection.start();
            boolean sends = words[1].equals("send");
            Session session = connection.createSession(sends, sends ? Session.SESSION_TRANSACTED : Session.AUTO_ACKNOWLEDGE);
            if (words[1].equals("subscribe"))
                session.createDurableSubscriber(session.createTopic(words[2]), words[4], "", true).close(); // as Flume does: another one would replace it;
            else if (words[1].equals("left"))
                System.out.println(left(session, words[3]));
            else
                send(session, words[2].equals("topic") ? session.createTopic(words[3]) : session.createQueue(words[3]),
                    Integer.parseInt(words[4]), Integer.parseInt(words[5]));
        } finally {
            connection.close();
        }
    }

    private static int left(Session session, String queue) throws Exception {
        int count = 0;
        for (Enumeration<?> messages = session.createBrowser(session.createQueue(queue)).getEnumeration(); messages.hasMoreElements(); count++)
            messages.nextElement();
        return count;
    }

    private static void send(Session session, Destination to, int first, int count) throws Exception {
        MessageProducer producer = session.createProducer(to);
        for (int i = first; i < first + count; i++) {
            Message message = message(session, i);
            message.setIntProperty("number", i);
            message.setStringProperty("parity", i % 2 == 0 ? "even" : "odd");
            producer.send(message);
            if ((i - first) % 500 == 499)
                session.commit();
        }
        session.commit();
    }

    private static Message message(Session session, int i) throws Exception {
        String text = "message " + i + " äöü";
        if (i % 10 == 4) {
            BytesMessage bytes = session.createBytesMessage();
            bytes.writeBytes(text.getBytes(StandardCharsets.UTF_8));
            return bytes;
        }
        return i % 10 == 7 ? session.createObjectMessage(text) : session.createTextMessage(text);
    }
}
