/* Keeps what is put into a durable channel in a store (stages/keeper/store.h: a log on disk, or a database), on a thread of
 * its own, and feeds its consumers from there.
 *
 *   producers   put leases into rings; the thread writes all that came while the last sync ran, and syncs once for all of
 *               them: then their leases go home, which is the promise (docs/decisions/0023-put-and-promised.md)
 *   consumers   take places of frames from one ring; each reads its frame into a batch of its own, and says when it was
 *               delivered: the thread records that, and removes what nobody needs any more
 *
 * When the store cannot be read, nothing is lost and nothing is passed over: the next frame is read again every few seconds.
 * When it cannot be written, nothing is promised: refusable leases are given up after the keep-alive, the others
 * are kept and written when it works again. */
#pragma once

#include "core/stage.h"
#include "stages/keeper/store.h"

struct ps_keeper;

struct ps_keeper_settings {
    const char *component; /* for the log; lives as long as the keeper, as all pointers here do */
    const struct ps_store_ops *store;
    const void *store_settings; /* what the store says they are */
    uint64_t capacity;          /* events; 0: unlimited */
    bool sync_each;             /* promise only what is synced; else what is written */
    uint64_t sync_every_ms;     /* the latter: time between syncs */
    uint64_t keep_alive_ms;     /* how long a refusable lease waits for a store that cannot be written */
    uint64_t quota_bytes;       /* of memory, for leases that wait to be written; 0: unlimited */
    unsigned producers, consumers;
};

struct ps_keeper *ps_keeper_create(const struct ps_keeper_settings *settings);
/* After ps_keeper_strip, or if it was never started. */
void ps_keeper_destroy(struct ps_keeper *keeper);

/* The channel's functions, with the meaning and the threads of struct ps_channel_ops. */
void ps_keeper_start(struct ps_keeper *keeper);
enum ps_put ps_keeper_put(struct ps_keeper *keeper, unsigned producer, struct ps_lease **lease);
uint64_t ps_keeper_tick(struct ps_keeper *keeper, unsigned producer, struct ps_port *port);
struct ps_lease *ps_keeper_take(struct ps_keeper *keeper, unsigned consumer, struct ps_port *port,
                                const struct ps_now *now);
uint64_t ps_keeper_consumer_tick(struct ps_keeper *keeper, unsigned consumer, struct ps_port *port,
                                 const struct ps_now *now);
void ps_keeper_done(struct ps_keeper *keeper, unsigned consumer, struct ps_lease **lease,
                    struct ps_port *port);
void ps_keeper_untake(struct ps_keeper *keeper, unsigned consumer, struct ps_lease **lease);
void ps_keeper_leave(struct ps_keeper *keeper, unsigned consumer, struct ps_port *port);
bool ps_keeper_hungry(const struct ps_keeper *keeper, unsigned producer);
void ps_keeper_fill(const struct ps_keeper *keeper, struct ps_fill *fill);
void ps_keeper_ring(const struct ps_keeper *keeper, unsigned producer, struct ps_fill *fill);
/* ps_keeper_fill tells what stays in the store then. */
struct ps_lease *ps_keeper_strip(struct ps_keeper *keeper);
void ps_keeper_restore(struct ps_keeper *keeper, struct ps_lease *list);
void ps_keeper_set_quota(struct ps_keeper *keeper, uint64_t quota_bytes);

/* For channels that put only some of their leases here. */

/* Returns whether the log is open; its contents are known then. It stays open. Thread: any. */
bool ps_keeper_is_open(const struct ps_keeper *keeper);

/* Whether all that was ever put, and all that was found in the log, was delivered. A producer that gets true has nothing
 * of its own here. false until the log is open. Thread: any. */
bool ps_keeper_is_clear(const struct ps_keeper *keeper);
/* Events that were put, or found, and not delivered yet. Thread: any. */
uint64_t ps_keeper_undelivered(const struct ps_keeper *keeper);
/* Whether this consumer gave leases back that it has not taken again. Thread: the consumer's worker. */
bool ps_keeper_has_back(const struct ps_keeper *keeper, unsigned consumer);
/* Whether this lease is of a batch that the keeper made for this consumer. Thread: the consumer's worker. */
bool ps_keeper_made(const struct ps_keeper *keeper, unsigned consumer, const struct ps_lease *lease);
/* Keeps the next frame for this consumer's next ps_keeper_take; false: there is none. Everything that its producer did
 * before it put it is visible to the caller then. Thread: the consumer's worker. */
bool ps_keeper_claim(struct ps_keeper *keeper, unsigned consumer, struct ps_port *port);
/* Has the thread write and promise this list, too, as its last work before ps_keeper_strip returns: those written are in
 * that list, settled; the others, too. false: the disk cannot be written, and the list stays with the caller. Once.
 * Thread: control, while no worker runs, before ps_keeper_strip. */
bool ps_keeper_add_last(struct ps_keeper *keeper, struct ps_lease *list);

/* Returns whether the store is not open yet, cannot be written or read at the moment, or part of it is held back for want of a key;
 * writes the reason, one line. Thread: any. */
bool ps_keeper_trouble(struct ps_keeper *keeper, char *text, size_t room);
