package org.apache.flume.node;

import org.apache.flume.conf.FlumeConfiguration;

public abstract class AbstractConfigurationProvider {
    public AbstractConfigurationProvider(String agentName) {}
    protected abstract FlumeConfiguration getFlumeConfiguration();
    public native MaterializedConfiguration getConfiguration();
}
