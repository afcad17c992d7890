/* A client of Kudu that writes to one table: finds the master that leads, opens the table, finds the tablets of rows, sends the rows of a
 * batch to the servers that lead their tablets, a Write for each tablet, and says of each row what became of it.
 *
 * It sends nothing twice: the owner submits a batch again, of which only the rows that are not decided are sent; those of a write whose
 * outcome is not known go under the number that they had, so that a server that has carried it out says so again. A tablet that is elsewhere
 * is looked up again then; a server that cannot be reached, or is too busy, rests, and its rows end as AGAIN at once.
 *
 * Thread: the worker of the loop. Never blocks. */
#pragma once

#include "stages/lib/kudu/batch.h"

#define PS_KUDU_MASTERS_MAX 16U

struct ps_kudu_client;

struct ps_kudu_master {
    const char *host;
    unsigned port;
};

/* Constant; the texts belong to the owner and must outlive the client. */
struct ps_kudu_client_settings {
    struct ps_kudu_master masters[PS_KUDU_MASTERS_MAX];
    unsigned master_count;
    const char *table, *user;
    uint64_t connect_ns, call_ns, rest_max_ns; /* rest_max_ns: longest rest of a server */
    size_t write_bytes;                        /* of the rows of a Write; a longer row goes alone */
    bool ignores_duplicates;                   /* a row whose key is there counts as delivered */
    struct ps_port *port;
    void (*done)(struct ps_kudu_batch *batch); /* called from a turn: no row is WAITING or SENT */
};

struct ps_kudu_client_counts {
    uint64_t lookups;    /* questions to a master for the place of a tablet */
    uint64_t relocated;  /* rows whose tablet was elsewhere */
    uint64_t overloaded; /* rows for which a server was too busy */
    uint64_t duplicates; /* rows whose key was there */
};

enum ps_status ps_kudu_client_open(struct ps_kudu_client **client,
                                   const struct ps_kudu_client_settings *settings, struct ps_err *err);
/* NULL is allowed. Batches that are submitted are forgotten. */
void ps_kudu_client_close(struct ps_kudu_client *client);

/* Makes a batch known, once, before it is submitted. It must live as long as the client. */
void ps_kudu_client_know(struct ps_kudu_client *client, struct ps_kudu_batch *batch);
/* Sends the rows that are neither DELIVERED nor REJECTED. A batch without a table gets it: `done` is called when it has one, or when
 * `is_refused` and the first of `reasons` say why not. */
void ps_kudu_client_submit(struct ps_kudu_client *client, struct ps_kudu_batch *batch);
/* Forgets what was submitted. */
void ps_kudu_client_withdraw(struct ps_kudu_client *client, struct ps_kudu_batch *batch);
/* Returns whether rows made for the batch's table can be sent; else they must be made again. */
bool ps_kudu_client_fits(const struct ps_kudu_client *client, const struct ps_kudu_batch *batch);

/* Asks for the table again: the owner cannot make rows for it. */
void ps_kudu_client_refresh(struct ps_kudu_client *client);

/* Goes on. Returns the mono_ns at which it must be called again at the latest, or PS_NEVER. */
uint64_t ps_kudu_client_turn(struct ps_kudu_client *client, const struct ps_now *now);

const struct ps_kudu_client_counts *ps_kudu_client_counts(const struct ps_kudu_client *client);
