/* A client of HBase that writes to one table: finds hbase:meta by ZooKeeper (registry.h) and regions by hbase:meta (key_ranges.h), sends the
 * mutations of a batch to the servers that have their regions, a Multi for each, and says of each mutation what became of it.
 *
 * It sends nothing twice: the owner submits a batch again, of which only the mutations that are not delivered are sent. A region that is
 * elsewhere is looked up again then; a server that cannot be reached, or is too busy, rests, and its mutations end as AGAIN at once.
 *
 * Thread: the worker of the loop. Never blocks. */
#pragma once

#include "core/probe.h"
#include "stages/lib/hbase/batch.h"
#include "stages/lib/hbase/registry.h"
#include "stages/lib/hbase/security.h"
#include "stages/lib/hadoop/framed.h"

struct ps_hbase_client;

/* Constant; the texts belong to the owner and must outlive the client. */
struct ps_hbase_client_settings {
    const struct ps_zookeeper_quorum *quorum;
    const char *znode, *table, *user;
    uint64_t connect_ns, call_ns, rest_max_ns; /* rest_max_ns: longest rest of a server */
    uint64_t nonce_group;
    const struct ps_hbase_security *security; /* NULL: no Kerberos */
    struct ps_port *port;
    void (*done)(struct ps_hbase_batch *batch); /* called from a turn: no mutation is WAITING or SENT */
};

struct ps_hbase_client_counts {
    uint64_t lookups;    /* questions to hbase:meta */
    uint64_t relocated;  /* mutations whose region was elsewhere */
    uint64_t overloaded; /* mutations for which a server was too busy */
};

enum ps_status ps_hbase_client_open(struct ps_hbase_client **client,
                                    const struct ps_hbase_client_settings *settings, struct ps_err *err);
/* NULL is allowed. Batches that are submitted are forgotten. */
void ps_hbase_client_close(struct ps_hbase_client *client);

/* Sends the mutations that are neither DELIVERED nor REJECTED. The batch must live until `done`, or until it is withdrawn. */
void ps_hbase_client_submit(struct ps_hbase_client *client, struct ps_hbase_batch *batch);
/* Forgets a batch. */
void ps_hbase_client_withdraw(struct ps_hbase_client *client, struct ps_hbase_batch *batch);

/* Goes on. Returns the mono_ns at which it must be called again at the latest, or PS_NEVER. */
uint64_t ps_hbase_client_turn(struct ps_hbase_client *client, const struct ps_now *now);

/* For `probe`: asks ZooKeeper for hbase:meta, hbase:meta for the first region of the table, and its server whether it has the family. Thread:
 * as of `probe`. */
void ps_hbase_probe_table(const struct ps_probe *probe, const struct ps_hbase_client_settings *settings,
                          const char *family);

const struct ps_hbase_client_counts *ps_hbase_client_counts(const struct ps_hbase_client *client);
