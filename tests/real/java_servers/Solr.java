import java.util.concurrent.CountDownLatch;
import org.apache.solr.embedded.JettyConfig;
import org.apache.solr.embedded.JettySolrRunner;

/** One Solr node. Arguments: its home, and its port. */
class Solr {
    public static void main(String[] words) throws Exception {
        JettySolrRunner solr = new JettySolrRunner(words[0], JettyConfig.builder().setContext("/solr").setPort(Integer.parseInt(words[1])).build());
        solr.start();
        new CountDownLatch(1).await();
    }
}
