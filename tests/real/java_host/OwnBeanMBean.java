package example;

/** The figure of OwnBean. */
public interface OwnBeanMBean {
    long getDepth();
}
