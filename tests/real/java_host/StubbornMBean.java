package example;

/** The figure of Stubborn. */
public interface StubbornMBean {
    long getFigure();
}
