package org.apache.flume.event;

import java.util.Map;
import org.apache.flume.Event;

public class SimpleEvent implements Event {
    public SimpleEvent() {}
    public native Map<String, String> getHeaders();
    public native void setHeaders(Map<String, String> headers);
    public native byte[] getBody();
    public native void setBody(byte[] body);
}
