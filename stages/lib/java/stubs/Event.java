package org.apache.flume;

import java.util.Map;

public interface Event {
    Map<String, String> getHeaders();
    void setHeaders(Map<String, String> headers);
    byte[] getBody();
    void setBody(byte[] body);
}
