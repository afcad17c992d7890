package org.apache.flume.lifecycle;

public enum LifecycleState { IDLE, START, STOP, ERROR }
