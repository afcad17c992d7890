package org.apache.flume;

public interface EventDrivenSource extends Source {}
