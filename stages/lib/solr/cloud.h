/* Which nodes of SolrCloud take a collection's documents, by what ZooKeeper has of them:
 *
 *   /live_nodes                      its children are the nodes that live: "10.0.0.1:8983_solr"
 *   /collections/NAME/state.json     shards, their replicas, the node and the state of each, and which one leads
 *   /collections/NAME/state.json/..  with perReplicaState, states and leaders instead: children "core_node3:7:A:L"
 *   /clusterprops.json               urlScheme: https
 *
 * Requests go to live nodes that have the leader of a shard, else to those with an active replica; for a collection that has no such node of
 * ZooKeeper, such as an alias, to all live nodes: any node passes documents on to the leader of their shard. The sink asks ZooKeeper
 * before the first request, each REST_NS, and when a node does not answer. Source: ZkStateReader, DocCollection and PerReplicaStates of Solr 9.
 * Thread: the sink's worker. */
#pragma once

#include "stages/lib/http/sink.h"
#include "stages/lib/zookeeper/zookeeper.h"

struct ps_solr_cloud_plan {
    struct ps_zookeeper_quorum quorum;
    const char *shown;      /* zkHost, for reasons */
    const char *root;       /* what stands before all paths: "/solr", or "" */
    const char *collection; /* its name, or that of an alias */
    uint64_t timeout_ns;
};

/* Reads zkHost: "zk1:2181,zk2:2181/solr". Thread: control. */
enum ps_status ps_solr_cloud_read(struct ps_solr_cloud_plan *plan, const char *zk_host,
                                  const char *collection, struct ps_arena *arena, struct ps_err *err);

struct ps_solr_cloud {
    const struct ps_solr_cloud_plan *plan;
    struct ps_http_sink *sink;
    struct ps_hadoop_loop *loop;
    struct ps_zookeeper *zookeeper;
    bool asks;
    uint64_t asked_ns; /* when the last question was sent */
};

/* For a sink whose plan has `finds_hosts` (stages/lib/http/sink.h). */
enum ps_status ps_solr_cloud_open(struct ps_solr_cloud *cloud, const struct ps_solr_cloud_plan *plan,
                                  struct ps_http_sink *sink, struct ps_port *port, struct ps_err *err);
void ps_solr_cloud_close(struct ps_solr_cloud *cloud);
/* For ps_http_sink_plan.turn. */
uint64_t ps_solr_cloud_turn(struct ps_solr_cloud *cloud);

/* Calls `add` for the URL of each node that gets requests: "http://10.0.0.1:8983/solr". Returns false with the reason if there is none, or
 * ZooKeeper's values are not Solr's. Thread: any. */
bool ps_solr_cloud_nodes(const struct ps_zookeeper_answer *answer,
                         void (*add)(void *argument, const char *url, size_t length), void *argument,
                         struct ps_err *err);

/* For a probe: asks ZooKeeper, waits for it, and calls `add` as above. */
bool ps_solr_cloud_ask(const struct ps_solr_cloud_plan *plan, const struct ps_probe *probe,
                       void (*add)(void *argument, const char *url, size_t length), void *argument,
                       struct ps_err *err);
