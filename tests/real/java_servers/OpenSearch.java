import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.Collections;
import java.util.concurrent.CountDownLatch;
import org.opensearch.common.settings.Settings;
import org.opensearch.node.InternalSettingsPreparer;
import org.opensearch.node.Node;
import org.opensearch.transport.Netty4Plugin;

/** One node of OpenSearch 2 out of its jars. Arguments: its folder, and the port of HTTP. */
class OpenSearch extends Node {
    private OpenSearch(Settings settings, Path folder) {
        super(InternalSettingsPreparer.prepareEnvironment(settings, Collections.emptyMap(), folder.resolve("config"), () -> "real"),
            Collections.singletonList(Netty4Plugin.class), false);
    }

    public static void main(String[] words) throws Exception {
        new OpenSearch(Settings.builder()
            .put("path.home", words[0]).put("cluster.name", "real").put("discovery.type", "single-node")
            .put("http.type", "netty4").put("http.host", "127.0.0.1").put("http.port", words[1])
            .put("transport.type", "netty4").put("transport.host", "127.0.0.1").put("transport.port", "0")
            .put("cluster.routing.allocation.disk.threshold_enabled", false).build(), Paths.get(words[0])).start();
        new CountDownLatch(1).await();
    }
}
