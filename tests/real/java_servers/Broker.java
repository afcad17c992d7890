import org.apache.activemq.broker.BrokerService;
import org.apache.activemq.store.kahadb.KahaDBPersistenceAdapter;

/** One ActiveMQ broker. Arguments: the folder of its data, and its port. */
class Broker {
    public static void main(String[] words) throws Exception {
        KahaDBPersistenceAdapter store = new KahaDBPersistenceAdapter();
        store.setDirectory(new java.io.File(words[0], "store"));
        BrokerService broker = new BrokerService();
        broker.setBrokerName("real");
        broker.setDataDirectory(words[0]);
        broker.setPersistenceAdapter(store);
        broker.setUseJmx(false);
        broker.addConnector("tcp://127.0.0.1:" + words[1]);
        broker.start();
        broker.waitUntilStopped();
    }
}
