package org.apache.flume.interceptor;

public class InterceptorBuilderFactory {
    public static native Interceptor.Builder newInstance(String name)
        throws ClassNotFoundException, InstantiationException, IllegalAccessException;
}
