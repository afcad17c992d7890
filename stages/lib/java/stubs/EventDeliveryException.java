package org.apache.flume;

public class EventDeliveryException extends Exception {
    public EventDeliveryException() {}
    public EventDeliveryException(String message) {}
    public EventDeliveryException(String message, Throwable cause) {}
    public EventDeliveryException(Throwable cause) {}
}
