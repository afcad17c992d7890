/* What a client asks a master of Kudu: whether it leads, a table, and where tablets are.
 *
 * Source: Kudu's master.proto. Thread: any; no state. */
#pragma once

#include "stages/lib/kudu/message.h"
#include "stages/lib/kudu/table.h"

/* MasterErrorPB.Code: those that mean something of their own. */
enum ps_kudu_master_error {
    PS_KUDU_MASTER_NO_TABLE = 3,
    PS_KUDU_MASTER_NOT_READY = 6,
    PS_KUDU_MASTER_NOT_LEADER = 7,
    PS_KUDU_MASTER_TABLET_NOT_RUNNING = 9,
    PS_KUDU_MASTER_TABLE_DELETED = 16
};

/* Each appends a request, and returns false if there is no memory. */
bool ps_kudu_put_connect(struct ps_byte_buffer *buffer, uint32_t call, uint64_t timeout_ms);
bool ps_kudu_put_open(struct ps_byte_buffer *buffer, uint32_t call, uint64_t timeout_ms, const char *table);
/* Asks for the tablet with this partition key, and those after it. */
bool ps_kudu_put_locate(struct ps_byte_buffer *buffer, uint32_t call, uint64_t timeout_ms,
                        const struct ps_kudu_table *table, const char *key, size_t length);

/* The error of an answer. */
struct ps_kudu_master_answer {
    unsigned error; /* MasterErrorPB.Code; 0: none */
    struct ps_kudu_status status;
};

/* Each reads an answer. Returns false if it is none. */
bool ps_kudu_parse_connected(const uint8_t *bytes, size_t length, struct ps_kudu_master_answer *answer,
                             bool *is_leader);
/* `*table`: NULL with an error, or with the reason, static. `*token`: by which servers know what the client may do; may be empty. */
bool ps_kudu_parse_opened(const uint8_t *bytes, size_t length, struct ps_kudu_master_answer *answer,
                          struct ps_kudu_table **table, struct ps_slice *token, const char **reason);

/* A tablet; the texts point into the answer. */
struct ps_kudu_tablet {
    struct ps_slice id, start, end; /* `end` of length 0: there is none */
    struct ps_slice host;           /* of its leader; of length 0: it has none now */
    unsigned port;
};

/* Calls `each` for each tablet, in the order of their keys. */
bool ps_kudu_parse_located(const uint8_t *bytes, size_t length, struct ps_kudu_master_answer *answer,
                           void (*each)(void *owner, const struct ps_kudu_tablet *tablet), void *owner);
