package org.apache.flume.conf;

import java.util.Map;

public class FlumeConfiguration {
    public FlumeConfiguration(Map<String, String> properties) {}
}
