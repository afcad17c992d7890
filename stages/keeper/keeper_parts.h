/* For the files of the keeper only. */
#pragma once

#include <pthread.h>

#include "core/flow/channel.h"
#include "rings/alarm.h"
#include "rings/flag.h"
#include "rings/inbox.h"
#include "rings/park.h"
#include "rings/spmc.h"
#include "rings/spsc.h"
#include "stages/keeper/keeper.h"
#include "stages/segment/events.h"

/* Leases of one producer that wait to be written: more would only cost memory. */
#define PS_KEEPER_RING_LEASES 1024U
/* Frames that consumers may take; the store may want fewer. */
#define PS_KEEPER_FEED_FRAMES 128U

/* A frame that is with a consumer, or in the ring to them. */
struct ps_keeper_ticket {
    struct ps_store_frame frame;
    struct ps_inbox_node node; /* on its way back to the thread */
    bool damaged;              /* its consumer could not read it */
    struct ps_keeper_ticket *next_free, *next_made;
};

/* Numbers that one thread counts and any thread reads. */
struct ps_keeper_tally {
    uint64_t events, bytes;
};

struct ps_keeper_producer {
    struct ps_spsc *ring; /* from the worker to the thread */
    struct ps_keeper_tally put;
    uint64_t memory_bytes;    /* of the leases that are not home yet. The worker's */
    struct ps_inbox promised; /* from the thread to the worker */
    struct ps_alarm alarm;    /* of the worker */
    bool news;                /* the thread's: something is in `promised` */
    bool waits;               /* the thread's: a lease of it is not given up, nor are those behind it */
} PS_ALIGNED_GAP;

struct ps_keeper_consumer {
    struct ps_keeper_tally taken;
    struct ps_lease *given_back;    /* first = next to take */
    struct ps_keeper_ticket *stuck; /* there was no memory for its frame, or it could not be read */
    uint64_t retry_ns;              /* when `stuck` is read again; 0: at once */
    char unreadable[512]; /* why `stuck` cannot be read; empty: it can. Guarded by the keeper's lock */
    struct ps_readback *readback; /* NULL: it has not taken anything yet */
    struct ps_keeper *keeper;
    struct ps_alarm alarm; /* of the worker: set when it found nothing */
} PS_ALIGNED_GAP;

/* A lease that the thread has, in the order in which they are written. */
struct ps_keeper_entry {
    struct ps_lease *lease;
    unsigned producer;
    bool written;         /* all frames appended */
    uint64_t first, last; /* its frames; 0: none yet */
    uint64_t since_ns;
};

struct ps_keeper {
    struct ps_keeper_settings settings;
    struct ps_keeper_producer *producers;
    struct ps_keeper_consumer *consumers;
    struct ps_spmc *feed;         /* tickets, to the consumers */
    struct ps_inbox delivered;    /* tickets, from them */
    struct ps_keeper_tally found; /* in the log when it was opened, less what was lost. The thread counts */
    struct ps_keeper_tally kept;  /* in the store when it was closed, and promised */
    struct ps_park park;
    pthread_t thread;
    bool started;
    bool orphaned; /* nobody puts: the first consumer is the producer of what a reload restored */
    struct ps_flag stop;
    struct ps_flag has_more; /* the store has frames for which the consumers' ring had no room */
    bool writable;           /* a lease that is put now will be written. Atomic */
    struct ps_depot *depot;  /* the memory of what is read ahead; the first consumer brings it. Atomic */
    struct ps_mark opened;   /* 1: `found` has what the log had */
    struct ps_mark delivered_events; /* as recorded by the thread */

    pthread_mutex_t lock;  /* guards trouble, held, unreadable, last */
    char trouble[512];     /* why it is not writable; empty: it is */
    char held[512];        /* which part of it cannot be read for want of a key; empty: none */
    char unreadable[512];  /* why the next frame cannot be found; empty: it can */
    struct ps_lease *last; /* of ps_keeper_add_last, until the thread takes it */

    /* The thread's: */
    void *store;                  /* NULL: it could not be opened yet */
    struct ps_block_cache blocks; /* of the depot, when it is there */
    struct ps_events_encoder encoder;
    struct ps_keeper_entry *entries; /* of `entry_room`, from entry_first on, around the end */
    size_t entry_first, entry_count, entry_room;
    struct ps_keeper_ticket *free_tickets, *made_tickets;
    struct ps_lease *restored;
    bool broken;             /* the last write or sync failed */
    bool crowded;            /* the store has too little room */
    uint64_t retry_after_ns; /* the next failure's wait */
    uint64_t retry_ns, space_ns, sync_ns,
        news_ns;          /* when to try, to look, to sync, to write what was delivered */
    uint64_t feed_ns;     /* when to feed again after a read that failed; 0: at once */
    uint64_t frames_lost; /* counted in `found` */
    uint64_t
        seen_events; /* put, less what was recorded as delivered; the accounts as the thread knows them */
    bool unsynced;   /* written since the last sync */
    bool has_news;   /* delivered and not written */
};

void *ps_keeper_main(void *argument);

/* Notes in `text`, of this keeper or one of its consumers, why frames cannot be read at the moment, and logs it when it is new;
 * `reason` NULL: they can. Thread: that of `text`. */
void ps_keeper_note_unreadable(struct ps_keeper *keeper, char text[512], const char *reason);

/* Returns whether the frame, for which there is no memory now, has an event so long that there may never be; sets `err` then. */
bool ps_keeper_is_too_long(const struct ps_store_frame *frame, const struct ps_depot *depot,
                           struct ps_err *err);

static inline void ps_keeper_count(struct ps_keeper_tally *tally, uint64_t events, uint64_t bytes)
{
    __atomic_store_n(&tally->events, tally->events + events, __ATOMIC_RELAXED);
    __atomic_store_n(&tally->bytes, tally->bytes + bytes, __ATOMIC_RELAXED);
}

/* Returns whether consumers have taken so much of what was fed that the thread feeds more, if there is more. Thread: any. */
static inline bool ps_keeper_wants_feed(const struct ps_keeper *keeper)
{
    return ps_flag_get(&keeper->has_more) &&
           ps_spmc_count(keeper->feed) <= keeper->settings.store->feed_frames / 2;
}

struct ps_keeper_entry *ps_keeper_entry_at(struct ps_keeper *keeper, size_t position);
void ps_keeper_entry_add(struct ps_keeper *keeper, struct ps_lease *lease, unsigned producer,
                         uint64_t now_ns);
void ps_keeper_entry_pop(struct ps_keeper *keeper);
