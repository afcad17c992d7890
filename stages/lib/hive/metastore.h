/* A client of Hive's metastore: Thrift over a socket without frames. Calls are queued and sent one at a time, because the
 * metastore answers them one at a time. Each callback is called once, only from a turn of the loop.
 *
 * The client connects when there is a call, to the first address that accepts, and keeps the connection. A call that could not
 * be sent is tried at the next address until its time-out. A call that was sent and not answered is not sent again: it may have
 * taken effect, and only the owner knows whether it may be repeated.
 *
 * Versions: Hive 1 to 4. If the metastore lacks a call, an older one replaces it: get_table for get_table_req; before
 * Hive 3 a transaction's id is its write id.
 *
 * Thread: the worker of the loop. Never blocks. */
#pragma once

#include "stages/lib/hadoop/loop.h"
#include "stages/lib/hive/message.h"
#include "stages/lib/hive/security.h"

#define PS_METASTORE_ADDRESSES_MAX 8U

struct ps_metastore;

/* Copied, except for `security`, which must outlive the client. */
struct ps_metastore_settings {
    const char
        *addresses; /* "thrift://host:9083,thrift://..": Flume's hive.metastore, Hive's hive.metastore.uris */
    /* time limit of a call, from the moment at which the call is first in the queue; Flume's callTimeout */
    uint64_t call_timeout_ns;
    uint64_t connect_ns;                     /* time limit of each attempt to connect */
    const struct ps_hive_security *security; /* NULL: none */
};

/* Called with the answer; the answer and its slices are valid during the callback. The callback may begin
 * further calls, but not close the client. */
typedef void ps_metastore_done(void *argument, const struct ps_hive_answer *answer);

/* Opens a client without connecting. Returns PS_FAIL if the addresses are wrong or there is no memory. The loop must outlive the client. */
enum ps_status ps_metastore_open(const struct ps_metastore_settings *settings, struct ps_hadoop_loop *loop,
                                 struct ps_metastore **metastore, struct ps_err *err);
/* Closes the client without calling the callbacks of its calls. NULL is allowed. */
void ps_metastore_close(struct ps_metastore *metastore);

/* Begins a call; copies the request's data. The caller must not use GET_TABLE_OLD, which the client itself
 * uses. The client sets `has_write_ids`. */
void ps_metastore_call(struct ps_metastore *metastore, enum ps_hive_call call,
                       const struct ps_hive_request *request, ps_metastore_done *done, void *argument);

/* Checks addresses as ps_metastore_open does; for `check`. */
enum ps_status ps_metastore_check_addresses(const char *addresses, struct ps_err *err);
