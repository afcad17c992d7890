package org.apache.flume.node;

import java.util.Map;
import org.apache.flume.Channel;
import org.apache.flume.SinkRunner;
import org.apache.flume.SourceRunner;

public interface MaterializedConfiguration {
    Map<String, SourceRunner> getSourceRunners();
    Map<String, SinkRunner> getSinkRunners();
    Map<String, Channel> getChannels();
}
