package org.apache.flume;

public interface Transaction {
    enum TransactionState { Started, Committed, RolledBack, Closed }
    void begin();
    void commit();
    void rollback();
    void close();
}
