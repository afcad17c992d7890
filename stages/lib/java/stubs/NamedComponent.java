package org.apache.flume;

public interface NamedComponent {
    void setName(String name);
    String getName();
}
