/* Types and functions that only the files of the durable queue use. */
#pragma once

#include <pthread.h>

#include "core/flow/channel.h"
#include "rings/alarm.h"
#include "rings/credit.h"
#include "rings/flag.h"
#include "rings/inbox.h"
#include "rings/park.h"
#include "rings/spmc.h"
#include "rings/spsc.h"
#include "stages/lib/queue/given_back.h"
#include "stages/lib/queue/queue.h"
#include "stages/lib/queue/segment/events.h"

/* Maximum number of leases of one producer that wait to be written. More would only use memory. */
#define PS_QUEUE_RING_LEASES 1024U
/* Maximum number of bytes of all producers that wait to be written: as many as a few syncs write. More bytes
 * would only wait longer. */
#define PS_QUEUE_WAITING_BYTES_MAX (UINT64_C(16) << 20)
/* Frames that are read ahead take a fourth of the channel's share of memory, but no more bytes than are useful. */
#define PS_QUEUE_READ_AHEAD_PART 4U
#define PS_QUEUE_READ_AHEAD_MAX_BYTES (UINT64_C(32) << 20)
/* A frame that waits for consumers counts at least as this many bytes. */
#define PS_QUEUE_FRAME_COST_MIN_BYTES UINT64_C(4096)

/* A frame in the consumers' ring or with a consumer. */
struct ps_queue_ticket {
    struct ps_store_frame frame;
    struct ps_inbox_node node; /* node of the inbox by which it returns to the thread */
    /* bytes for which the ticket counts in the read-ahead while it is in the ring */
    uint64_t cost_bytes;
    bool damaged; /* the consumer could not decode the frame */
    struct ps_queue_ticket *next_free, *next_made;
};

/* Numbers that one thread updates and any thread reads. */
struct ps_queue_tally {
    uint64_t events, bytes;
};

struct ps_queue_producer {
    struct ps_spsc *ring; /* leases from the worker to the thread */
    struct ps_queue_tally put;
    /* memory of the leases that are not returned yet; only the worker uses this field */
    uint64_t memory_bytes;
    struct ps_inbox promised; /* leases from the thread to the worker */
    struct ps_alarm alarm;    /* wakes the worker */
    bool news;                /* used by the thread: `promised` is not empty */
    /* Used by the thread: a lease of this producer waits and is not given up, so later leases also wait. */
    bool waits;
} PS_ALIGNED_GAP;

struct ps_queue_consumer {
    struct ps_queue_tally taken;
    /* events of the leases and tickets that it gave back, less those of others' that it took: the sum of all consumers
     * is what is in `given_back` and `unclaimed`. It writes this, any thread reads it */
    uint64_t gave_events;
    bool found_nothing;            /* by its last take */
    struct ps_queue_ticket *stuck; /* a ticket whose frame could not be read, or had no memory */
    uint64_t retry_ns;             /* time at which `stuck` is read again; 0: immediately */
    /* why the frame of `stuck` cannot be read; empty: it can be read. Guarded by the durable queue's lock */
    char unreadable[512];
    struct ps_readback *readback; /* NULL: the consumer has not taken anything yet */
    struct ps_queue *queue;
    struct ps_alarm alarm; /* wakes the worker; set when the worker found no frame */
} PS_ALIGNED_GAP;

/* A lease that the thread writes. The entries are in the order of writing. */
struct ps_queue_entry {
    struct ps_lease *lease;
    unsigned producer;
    bool written;         /* all frames of the lease were appended */
    bool refused;         /* the store can never keep it: nothing of it is written */
    uint64_t first, last; /* numbers of the lease's frames; 0: it has none yet */
    uint64_t since_ns;
};

struct ps_queue {
    struct ps_queue_settings settings;
    struct ps_queue_producer *producers;
    struct ps_queue_consumer *consumers;
    struct ps_inbox given_back; /* leases that a consumer gave back; any consumer takes them (given_back.h) */
    struct ps_inbox unclaimed;  /* tickets that a consumer had claimed and gave up again, for any consumer */
    struct ps_spmc *feed;       /* tickets to the consumers */
    struct ps_credit credit;    /* bytes of the tickets in `feed` */
    struct ps_inbox delivered;  /* tickets from the consumers */
    /* Number of events in the store when it was opened, less the events that were lost. The thread counts. */
    struct ps_queue_tally found;
    struct ps_queue_tally kept; /* promised events in the store when it was closed */
    struct ps_park park;
    pthread_t thread;
    bool started;
    /* When the first producer starts the thread again, which could not be started; 0: that is not needed. Control writes it
     * before workers run and after they have stopped, that producer's worker meanwhile, like `started` and `park`. */
    uint64_t start_ns;
    int start_error; /* the errno that was logged last */
    bool orphaned;   /* there is no producer: the first consumer serves the leases that a reload restored */
    struct ps_flag stop;
    uint64_t read_ahead_bytes; /* see ps_queue_read_ahead_bytes. Atomic */
    uint64_t put_bytes_max;    /* limit of the memory of leases that wait to be written; control sets it */
    bool writable;             /* a lease that is put now will be written. Atomic */
    struct ps_depot *depot;    /* memory for reading ahead; the first consumer sets it. Atomic */
    struct ps_mark opened;     /* 1: `found` is set */
    struct ps_mark delivered_events; /* number of events whose delivery the thread has recorded */

    /* The thread and other threads read and write these fields under the lock. */
    struct {
        pthread_mutex_t lock;
        char trouble[512];          /* why the store cannot be written; empty: it can be written */
        char held[512];             /* the part of the store whose key is missing; empty: none is missing */
        char unreadable[512];       /* why the next frame cannot be read; empty: it can be read */
        struct ps_log_backoff said; /* the trouble that is logged, without its numbers */
        struct ps_lease *last;      /* leases of ps_queue_add_last until the thread takes them */
    } told;

    /* Used only by the thread: */
    void *store;                  /* NULL: not opened yet */
    struct ps_block_cache blocks; /* blocks of the depot, once `depot` is set */
    struct ps_events_encoder encoder;
    struct {
        struct ps_queue_entry *entries; /* `room` of them; the first is at `first` */
        size_t first, count, room;
    } ring;
    struct ps_queue_ticket *free_tickets, *made_tickets;
    struct ps_lease *restored;
    bool broken;  /* the last write or sync failed */
    bool crowded; /* the store has too little free space */
    struct {
        uint64_t retry_ns, space_ns; /* times of the next try, and of the next check of free space */
        uint64_t sync_ns, news_ns;   /* times of the next sync, and of the next write of deliveries */
        /* length of the wait after the last failure; 0: the last try succeeded */
        uint64_t retry_wait_ns;
        uint64_t feed_ns; /* when feeding continues after a failed read; 0: immediately */
    } due;
    uint64_t frames_lost; /* the store's frames_lost when `found` was last corrected */
    uint64_t
        seen_events; /* events put, less those recorded as delivered, as far as the thread has seen them */
    bool unsynced;   /* bytes were written since the last sync */
    bool has_news;   /* there are deliveries that are not written yet */
};

void *ps_queue_main(void *argument);

static inline void ps_queue_count(struct ps_queue_tally *tally, uint64_t events, uint64_t bytes)
{
    __atomic_store_n(&tally->events, tally->events + events, __ATOMIC_RELAXED);
    __atomic_store_n(&tally->bytes, tally->bytes + bytes, __ATOMIC_RELAXED);
}

/* Returns the number of bytes of frames below which one more frame is read ahead. A reload may change it. Thread: any. */
static inline uint64_t ps_queue_read_ahead_bytes(const struct ps_queue *queue)
{
    return __atomic_load_n(&queue->read_ahead_bytes, __ATOMIC_RELAXED);
}

/* Returns the leases of an inbox (newest first) as a list with the oldest first. */
static inline struct ps_lease *ps_queue_oldest_first(struct ps_inbox_node *node)
{
    struct ps_lease *list = NULL;
    while (node != NULL) {
        struct ps_lease *lease = ps_lease_homeward(node);
        node = node->next;
        lease->next = list;
        list = lease;
    }
    return list;
}

/* Of thread.c: the leases that the thread writes, the oldest at position 0. */
struct ps_queue_entry *ps_queue_entry_at(struct ps_queue *queue, size_t position);
void ps_queue_entry_pop(struct ps_queue *queue);

/* ---- functions of the queue's thread (feed.c) ---- */

/* Puts frames into the consumers' ring: up to the read-ahead, and at most store->round_frames. Returns whether
 * it put any. */
bool ps_queue_feed(struct ps_queue *queue);
/* Returns whether the first consumer has set the memory for reading ahead, but the thread has not used it yet. */
bool ps_queue_has_new_memory(const struct ps_queue *queue);
/* Frees the tickets in the ring, after the last consumer has stopped. Their frames stay in the store. */
void ps_queue_release_fed(struct ps_queue *queue);
void ps_queue_ticket_free(struct ps_queue *queue, struct ps_queue_ticket *ticket);

/* ---- what keeps the queue from its work (trouble.c) ---- */

/* Sets why the store cannot be written, and logs a new reason. Thread: the queue's. */
void ps_queue_set_trouble(struct ps_queue *queue, const char *text);
/* Sets whether puts are accepted. Wakes waiting producers when puts are accepted again. Thread: the queue's. */
void ps_queue_set_writable(struct ps_queue *queue);
/* Sets the time of the next try after a failure. Returns the longest interval between tries. Thread: the queue's. */
uint64_t ps_queue_next_retry_ns(struct ps_queue *queue);
/* Notes that the store has to be renewed, and sets the time of the next try. Thread: the queue's. */
void ps_queue_store_failed(struct ps_queue *queue, const struct ps_err *err);
/* Copies to `text`, which belongs to this queue or one of its consumers, the reason why frames cannot be read
 * now, and logs a new reason. `reason` NULL: frames can be read. Thread: the owner of `text`. */
void ps_queue_note_unreadable(struct ps_queue *queue, char text[512], const char *reason);

/* Called when there was no memory for a frame. Returns whether one of its events is so long that there may
 * never be enough memory; then sets `err`. */
bool ps_queue_is_too_long(const struct ps_store_frame *frame, const struct ps_depot *depot,
                          struct ps_err *err);
