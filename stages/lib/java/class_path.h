/* Finding and running components that are Java classes: conf/java/class_path.c finds Java and the class path, as
 * bin/flume-ng does, and stages/lib/java/launch.c starts the Java host with it. Const after the configuration was
 * checked. */
#pragma once

#include "core/option.h"

/* The first text is the `type` of a component that is a whole flow (conf/validate/flow.h). The second one is a key of
 * a Java source: the number of its first interceptors that run in the same process (conf/validate/engine.h).
 * PS_JAVA_CAPACITIES_KEY has the transactionCapacity of each channel of a Java source or sink, as names and numbers
 * ("c1 100 c2 1000"): the host compares them with the batch size of the class, as Flume does. The host's Java code
 * has the same texts. */
#define PS_JAVA_FLOW_CLASS "org.apache.flume.node.Application"
#define PS_JAVA_CHAIN_KEY "penstock.interceptors"
#define PS_JAVA_CAPACITIES_KEY "penstock.transactionCapacities"
/* Of a sink with dead letters or rests of its own: penstock.retry.max, the rest after one failure and the longest one in milliseconds,
 * and whether it has dead letters ("0 1000 5000 1"). The class does not get it. */
#define PS_JAVA_RETRIES_KEY "penstock.retries"
/* penstock.ready.stall of the agent in milliseconds, for the host of a flow that runs in Java as a whole; the class
 * does not get it. */
#define PS_JAVA_STALL_KEY "penstock.ready.stall"

struct ps_class_path {
    const char *java;        /* the program; NULL: there is none */
    const char *java_lacks;  /* if `java` is NULL: what is wrong, and the cure */
    struct ps_texts options; /* for the JVM, in order */
    /* The levels that the user's log4j files give to loggers of Java classes: "NAME=LEVEL" for each logger whose
     * level is not INFO, and "=LEVEL" for the root logger. */
    struct ps_texts log_levels;
    /* The class path, in the order of flume-ng. An entry is the name of a folder or of a jar, or "FOLDER/" and a star
     * for all jars of the folder. An empty entry is the working directory. */
    struct ps_texts entries;
    /* The first folder of plug-ins, or home of a tool, that could not be read, with the reason; `error` is the errno.
     * The jars of this folder are not in `entries`. NULL: every folder could be read. */
    const char *blocked;
    int error;
    const char *library_path; /* folders of native libraries, separated by colons; NULL: none */
    /* The class names of types that are not class names themselves; the key is kind and type: "sink hbase2". */
    struct ps_pairs classes;
};
