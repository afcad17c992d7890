/* A client of Hive's metastore: Thrift over a socket without frames, one call at a time, as the metastore answers them. Calls
 * queue up; each callback is called once, from a turn of the loop and from nowhere else.
 *
 * The connection is made when there is a call, to the first address that takes it, and kept. A call that could not be sent is
 * tried at the next address, until its time has passed. One that was sent and not answered is not sent again: it may have taken
 * effect, and the owner knows whether it may be repeated.
 *
 * Versions: Hive 1 to 4. Where a call is missing the older way is taken: get_table for get_table_req; before Hive 3 a
 * transaction's id is its write id.
 *
 * Thread: the worker of the loop. Never blocks. */
#pragma once

#include "stages/hadoop/loop.h"
#include "stages/hive/message.h"
#include "stages/hive/security.h"

#define PS_METASTORE_ADDRESSES_MAX 8U

struct ps_metastore;

/* Copied, but for `security`, which lives longer. */
struct ps_metastore_settings {
    const char
        *addresses; /* "thrift://host:9083,thrift://..": Flume's hive.metastore, Hive's hive.metastore.uris */
    uint64_t call_timeout_ns; /* from the moment that a call is the first of the queue; Flume's callTimeout */
    uint64_t connect_ns;      /* for each attempt */
    const struct ps_hive_security *security; /* NULL: none */
};

/* The answer, its slices included, is valid during the callback. It may begin further calls, and not close the client. */
typedef void ps_metastore_done(void *argument, const struct ps_hive_answer *answer);

/* Connects to nobody yet. PS_FAIL: what is wrong with the addresses, or no memory. The loop lives longer. */
enum ps_status ps_metastore_open(const struct ps_metastore_settings *settings, struct ps_hadoop_loop *loop,
                                 struct ps_metastore **metastore, struct ps_err *err);
/* Callbacks are not called any more. NULL is allowed. */
void ps_metastore_close(struct ps_metastore *metastore);

/* Begins a call; what the request points to is copied. Not GET_TABLE_OLD: that is taken where it is needed. `has_write_ids` is
 * set by the client. */
void ps_metastore_call(struct ps_metastore *metastore, enum ps_hive_call call,
                       const struct ps_hive_request *request, ps_metastore_done *done, void *argument);

/* Checks addresses as ps_metastore_open does, for `check`. */
enum ps_status ps_metastore_check_addresses(const char *addresses, struct ps_err *err);
