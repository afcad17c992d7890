/* A sender: one thread with some of the lanes. Each cycle renders what is due, gives it to the lanes' targets
 * and lets these go on. ps_sender_cycle() can be called by hand, with any clock; ps_sender_run() is the
 * thread.
 *
 * Thread: everything but ps_sender_create/destroy and the orders is called by one thread. Orders and
 * statistics cross threads as single words (relaxed): nothing else is shared while it runs, but the reason of
 * the last error, which has a lock. */
#pragma once

#include "bench/load/pacer.h"
#include "bench/load/schedule.h"
#include "bench/load/statistics.h"
#include "bench/load/target.h"

#include <pthread.h>

#define PS_SENDER_REASON_BYTES 200U
#define PS_SENDER_REASONS 8U /* kinds of failure that are told apart */
#define PS_SENDER_OUTAGES 64U

struct ps_sender_config {
    const struct ps_target_ops *ops;
    const void *plan; /* the target's */
    const struct ps_content *content;
    const struct ps_shape *shape;
    uint32_t lane_first, lane_step, lane_total; /* this sender's are first, first + step ... below total */
    uint32_t source_first;                      /* source number of lane 0 */
    uint64_t event_max;                         /* of all lanes; 0: no limit */
    uint64_t duration_ns;                       /* PS_NEVER: no end */
    uint64_t seed;
    uint64_t connect_over_ns; /* from the first to the last lane's opening */
    uint64_t block_bytes;
    bool spin;
    int cpu;                           /* -1: not pinned */
    uint64_t (*clock)(void *argument); /* NULL: the monotonic clock */
    void *clock_argument;
};

enum ps_sender_phase {
    PS_SENDER_CONNECTING, /* until every lane was up once */
    PS_SENDER_READY,      /* and until the start is known */
    PS_SENDER_RUNNING,    /* until every event of the schedule was given */
    PS_SENDER_FINISHING,  /* until all are completed */
    PS_SENDER_DONE,
    PS_SENDER_FAILED, /* a target cannot be opened */
};

struct ps_outage {
    uint64_t from_ns, to_ns; /* monotonic; to 0: it lasts */
    char reason[PS_SENDER_REASON_BYTES];
};

struct ps_sender_reason {
    char text[PS_SENDER_REASON_BYTES];
    uint64_t count;
};

struct ps_sender {
    struct ps_sender_config config;
    struct ps_lane *lanes;
    uint32_t lane_count, opened, finished;
    /* A time for each lane, in arrays, so that a cycle looks at thousands of them quickly. PS_NEVER: not at
     * all. */
    uint64_t *due_ns;           /* the next event, when a block is free for it */
    uint64_t *work_ns;          /* when the target wants to go on */
    uint64_t next_due_ns;       /* of all lanes; found by the cycle */
    struct ps_load_block *free; /* last in, first out: warm in the cache */
    void *memory;
    size_t memory_bytes;
    uint32_t blocks_per_lane;
    struct ps_content_writer *writer;
    uint64_t *wall_ns;             /* scratch for one block */
    uint64_t created_ns, start_ns; /* monotonic; start 0: not yet */
    uint64_t start_wall_ns;
    uint64_t down_since_ns; /* some lane is down; 0: none */
    uint32_t down_count;
    struct ps_pacer pacer;

    struct ps_outage outages[PS_SENDER_OUTAGES];
    uint32_t outage_count; /* may be more than are kept */
    struct ps_sender_reason reasons[PS_SENDER_REASONS];
    struct ps_err failure; /* with PS_SENDER_FAILED */

    pthread_mutex_t lock; /* of `last_reason` */
    char last_reason[PS_SENDER_REASON_BYTES];

    struct ps_statistics statistics PS_ALIGNED_GAP;
    uint64_t phase; /* enum ps_sender_phase; written by the sender */
    uint64_t hopeless;
    /* Orders; written by the main thread. */
    uint64_t order_start_ns PS_ALIGNED_GAP; /* monotonic; 0: wait */
    uint64_t order_start_wall_ns;           /* the wall clock then; 0: wait */
    uint64_t order_cut_ns;                  /* of the schedule; PS_NEVER: none */
    uint64_t order_stop;                    /* at once */
};

enum ps_status ps_sender_create(struct ps_sender **sender, const struct ps_sender_config *config,
                                struct ps_err *err);
/* After its thread ended. */
void ps_sender_destroy(struct ps_sender *sender);

/* Does what is due at now_ns, once for each lane. Returns when there will be something to do again;
 * next_due_ns is when the next event is due that can be sent. */
uint64_t ps_sender_cycle(struct ps_sender *sender, uint64_t now_ns);
/* Cycles until it is done, failed or stopped; then closes the lanes. The argument and result of a thread. */
void *ps_sender_run(void *sender);
/* Closes the lanes' targets. Called by ps_sender_run; by hand after cycles by hand. */
void ps_sender_close(struct ps_sender *sender);

/* Orders. Thread: the main one. */
void ps_sender_start(struct ps_sender *sender, uint64_t start_ns, uint64_t start_wall_ns);
void ps_sender_cut(struct ps_sender *sender, uint64_t end_ns);
void ps_sender_stop(struct ps_sender *sender);
enum ps_sender_phase ps_sender_phase(const struct ps_sender *sender);
/* A target said that it will never take events again. */
bool ps_sender_hopeless(const struct ps_sender *sender);
/* The last error's reason; false: there was none. Thread: any. */
bool ps_sender_last_reason(struct ps_sender *sender, char *reason, size_t room);
