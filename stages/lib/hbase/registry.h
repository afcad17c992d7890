/* Asks ZooKeeper which region server has hbase:meta: the node "meta-region-server" below `znodeParent`. Questions are rare, because clients
 * learn all other places from hbase:meta.
 *
 * The node's value: 0xff, length of the writer's name in four bytes, the name, "PBUF", the message MetaRegionServer.
 *
 * Source: HBase's ZooKeeper.proto, RecoverableZooKeeper. Thread: the worker of the loop. */
#pragma once

#include "stages/lib/zookeeper/zookeeper.h"

struct ps_hbase_registry;

struct ps_hbase_registry_answer {
    bool found;
    char host[PS_HOST_NAME_BYTES]; /* of the server that has hbase:meta */
    unsigned port;
    char reason[256]; /* one line, if nothing was found */
};

struct ps_hbase_registry_settings {
    struct ps_hadoop_loop *loop;
    const struct ps_zookeeper_quorum *quorum;
    const char *znode; /* "/hbase" */
    uint64_t timeout_ns;
    void (*answered)(void *owner, const struct ps_hbase_registry_answer *answer); /* called from a turn */
    void *owner;
};

/* Returns NULL if there is no memory. */
struct ps_hbase_registry *ps_hbase_registry_open(const struct ps_hbase_registry_settings *settings);
void ps_hbase_registry_close(struct ps_hbase_registry *registry);
/* Asks; `answered` is called once. Does nothing while a question is under way. */
void ps_hbase_registry_ask(struct ps_hbase_registry *registry);

/* Reads the node's value. Returns false if it is none. Thread: any. */
bool ps_hbase_registry_parse(const uint8_t *bytes, size_t length, struct ps_hbase_registry_answer *answer);
