import java.util.Collections;
import java.util.concurrent.CountDownLatch;
import org.elasticsearch.common.settings.Settings;
import org.elasticsearch.node.InternalSettingsPreparer;
import org.elasticsearch.node.Node;
import org.elasticsearch.transport.Netty4Plugin;

/** One node of Elasticsearch 5 out of its jars. Arguments: its folder, and the port of HTTP. */
class Elasticsearch extends Node {
    private Elasticsearch(Settings settings) {
        super(InternalSettingsPreparer.prepareEnvironment(settings, null), Collections.singletonList(Netty4Plugin.class));
    }

    public static void main(String[] words) throws Exception {
        new Elasticsearch(Settings.builder()
            .put("path.home", words[0]).put("cluster.name", "real").put("network.host", "127.0.0.1")
            .put("transport.type", "netty4").put("transport.tcp.port", "0").put("http.type", "netty4").put("http.port", words[1])
            .put("discovery.zen.ping.unicast.hosts", "").put("cluster.routing.allocation.disk.threshold_enabled", false).build()).start();
        new CountDownLatch(1).await();
    }
}
