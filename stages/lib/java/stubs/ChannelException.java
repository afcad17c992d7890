package org.apache.flume;

public class ChannelException extends FlumeException {
    public ChannelException(String message) { super(message); }
    public ChannelException(Throwable cause) { super(cause); }
    public ChannelException(String message, Throwable cause) { super(message, cause); }
}
