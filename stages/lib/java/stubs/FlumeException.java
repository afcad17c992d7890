package org.apache.flume;

public class FlumeException extends RuntimeException {
    public FlumeException(String message) {}
    public FlumeException(Throwable cause) {}
    public FlumeException(String message, Throwable cause) {}
}
