/* Reads nodes of ZooKeeper. Each question opens a session with the quorum and closes it after the answer: questions are rare, and a session
 * that stays would cost pings for years.
 *
 * ZooKeeper's own C client (libzookeeper_st, docs/decisions/0182-sink-hbase.md) speaks the protocol; it gets addresses in digits, because it
 * would wait for name servers. Thread: the worker of the loop. */
#pragma once

#include "stages/lib/hadoop/loop.h"

#define PS_ZOOKEEPER_SERVERS_MAX 9U
#define PS_ZOOKEEPER_READS_MAX 8U
#define PS_ZOOKEEPER_PORT 2181

/* "host:2181,host2:2181" after parsing. The texts belong to the owner. */
struct ps_zookeeper_quorum {
    unsigned count;
    struct {
        const char *host;
        unsigned port;
    } servers[PS_ZOOKEEPER_SERVERS_MAX];
};

/* Parses the list. `port`: of a server without one; 0: each must have one, and the same. Thread: control. */
enum ps_status ps_zookeeper_quorum_read(struct ps_zookeeper_quorum *quorum, const char *text, unsigned port,
                                        struct ps_arena *arena, struct ps_err *err);

/* A read of one node. */
struct ps_zookeeper_read {
    char path[512];
    bool children; /* the names of its children, not its value */
};

/* The answer for one node. */
struct ps_zookeeper_node {
    bool is_there;
    const char *value; /* terminated; names of children end with a line feed */
    size_t length;
};

struct ps_zookeeper_answer {
    const char *reason;                    /* one line: why there is no answer; NULL: there is one */
    const struct ps_zookeeper_node *nodes; /* in the order of the reads; valid during the call */
};

struct ps_zookeeper;

struct ps_zookeeper_settings {
    struct ps_hadoop_loop *loop;
    const struct ps_zookeeper_quorum *quorum;
    uint64_t timeout_ns;
    unsigned read_count;
    struct ps_zookeeper_read reads[PS_ZOOKEEPER_READS_MAX];
    void (*answered)(void *owner,
                     const struct ps_zookeeper_answer *answer); /* called from a turn of the loop */
    void *owner;
};

/* Returns NULL if there is no memory. */
struct ps_zookeeper *ps_zookeeper_open(const struct ps_zookeeper_settings *settings);
void ps_zookeeper_close(struct ps_zookeeper *zookeeper);
/* Asks; `answered` is called once. Does nothing while a question is under way. */
void ps_zookeeper_ask(struct ps_zookeeper *zookeeper);
