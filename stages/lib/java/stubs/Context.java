package org.apache.flume;

import java.util.Map;

public class Context {
    public Context() {}
    public Context(Map<String, String> parameters) {}
    public native Map<String, String> getSubProperties(String prefix);
}
