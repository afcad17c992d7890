/* The parts of a client, for client.c (sending, answers) and lookup.c (masters, the table, tablets). Thread: the worker of the client. */
#pragma once

#include "stages/lib/hadoop/key_ranges.h"
#include "stages/lib/kudu/client.h"
#include "stages/lib/kudu/message.h"

#define PS_KUDU_CLIENT_ID_BYTES 32U

enum ps_kudu_master_state { PS_KUDU_MASTER_TO_ASK, PS_KUDU_MASTER_ASKED, PS_KUDU_MASTER_NO };

/* What is asked of the masters; one question at a time. */
struct ps_kudu_question {
    bool wants_table, wants_tablet;
    bool sent, sent_table;     /* sent_table: it is about the table */
    struct ps_byte_buffer key; /* wants_tablet: partition key of a row */
    uint64_t rest_ns;          /* none begins before */
    unsigned failures;
    char reason[PS_KUDU_REASON_BYTES];
};

/* Keys that no server takes now: no tablet has them, or it has no leader. */
struct ps_kudu_blocked {
    struct ps_byte_buffer keys; /* the first one, and the first one behind them, if there is one */
    size_t start_length;
    uint64_t until_ns;
    bool has_end;
    const char *reason;
};

struct ps_kudu_client {
    struct ps_framed_client framed; /* must be first */
    struct ps_kudu_client_settings settings;
    struct ps_framed_server *leader;
    struct {
        struct ps_framed_server *server;
        enum ps_kudu_master_state state;
    } masters[PS_KUDU_MASTERS_MAX];
    struct ps_kudu_table *table; /* NULL: not open */
    struct ps_byte_buffer token; /* of the table */
    struct ps_key_ranges tablets;
    struct ps_kudu_blocked blocked;
    struct ps_kudu_question question;
    struct ps_kudu_batch *known;
    struct ps_kudu_client_counts counts;
    uint64_t requests; /* number of the last write */
    char id[PS_KUDU_CLIENT_ID_BYTES + 1];
};

static inline uint64_t ps_kudu_now_ns(const struct ps_kudu_client *client)
{
    return ps_framed_client_now_ns(&client->framed);
}

static inline uint64_t ps_kudu_call_ms(const struct ps_kudu_client *client)
{
    return client->settings.call_ns / PS_NS_PER_MS;
}

static inline void ps_kudu_change_all(struct ps_kudu_client *client)
{
    ps_framed_client_change_all(&client->framed);
}

/* ---- lookup.c ---- */

/* Asks for the table: it is not open, or may have changed. */
void ps_kudu_want_table(struct ps_kudu_client *client);
/* Returns the tablet of a row; NULL: it is being looked up, or *reason says why there is none now. */
struct ps_key_range *ps_kudu_tablet_of(struct ps_kudu_client *client, struct ps_kudu_batch *batch,
                                       const struct ps_kudu_row *row, const char **reason);
/* Sends the question, when the leader is known and connected. */
void ps_kudu_go_on_asking(struct ps_framed_client *client);
/* `call`: what the call belongs to. Returns whether it is a question to a master. */
bool ps_kudu_take_master(struct ps_kudu_client *client, void *call, const struct ps_kudu_answer *answer);
/* A call got no answer. Returns whether it was a question. */
bool ps_kudu_miss_master(struct ps_kudu_client *client, void *call, const char *reason);
/* The connection to a server is lost, which may be a master. */
void ps_kudu_lose_master(struct ps_kudu_client *client, const struct ps_framed_server *server,
                         const char *reason);
/* Ends what is asked. */
void ps_kudu_close_lookup(struct ps_kudu_client *client);
