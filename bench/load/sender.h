/* A sender: one thread with some of the lanes. Each cycle renders the due events, gives them to the lanes'
 * targets and calls the targets' work. Tests call ps_sender_cycle() directly, with any clock; ps_sender_run()
 * is the thread.
 *
 * Thread: one thread calls everything but ps_sender_create/destroy and the orders. Orders and statistics
 * cross threads as single words (relaxed). Nothing else is shared while it runs, except the reason of the
 * last error, which a lock protects. */
#pragma once

#include "bench/load/pacer.h"
#include "bench/load/schedule.h"
#include "bench/load/statistics.h"
#include "bench/load/target/target.h"

#include <pthread.h>

#define PS_SENDER_REASON_BYTES 200U
#define PS_SENDER_REASONS 8U /* kinds of failure that are counted separately */
#define PS_SENDER_OUTAGES 64U

struct ps_sender_config {
    const struct ps_target_ops *ops;
    const void *plan; /* the target's */
    const struct ps_content *content;
    const struct ps_shape *shape;
    /* this sender's lanes are first, first + step ... below total */
    uint32_t lane_first, lane_step, lane_total;
    uint32_t source_first; /* source number of lane 0 */
    uint64_t event_max;    /* of all lanes; 0: no limit */
    uint64_t duration_ns;  /* PS_NEVER: no end */
    uint64_t seed;
    uint64_t connect_over_ns; /* time from the first lane's opening to the last lane's */
    uint64_t block_bytes;
    bool spin;
    int cpu;                           /* -1: not pinned */
    uint64_t (*clock)(void *argument); /* NULL: the monotonic clock */
    void *clock_argument;
};

enum ps_sender_phase {
    PS_SENDER_CONNECTING, /* until every lane was up once */
    PS_SENDER_READY,      /* until the start time is known */
    PS_SENDER_RUNNING,    /* until every event of the schedule was given to a target */
    PS_SENDER_FINISHING,  /* until all events are completed */
    PS_SENDER_DONE,
    PS_SENDER_FAILED, /* a target cannot be opened */
};

struct ps_outage {
    uint64_t from_ns, to_ns; /* monotonic; to_ns 0: it has not ended */
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
    /* One time per lane, in arrays, so that a cycle can check thousands of lanes quickly. PS_NEVER: no such
     * time. */
    uint64_t *due_ns;           /* when the next event is due, if a block is free for it */
    uint64_t *work_ns;          /* when the target wants its work to be called */
    uint64_t next_due_ns;       /* the earliest of all lanes; computed by the cycle */
    struct ps_load_block *free; /* last in, first out: a block that is still in the cache */
    void *memory;
    size_t memory_bytes;
    uint32_t blocks_per_lane;
    struct ps_content_writer *writer;
    uint64_t *wall_ns;             /* scratch for one block */
    uint64_t created_ns, start_ns; /* monotonic; start_ns 0: not known yet */
    uint64_t start_wall_ns;
    uint64_t down_since_ns; /* since when some lane is down; 0: none is */
    uint32_t down_count;
    struct ps_pacer pacer;

    struct ps_outage outages[PS_SENDER_OUTAGES];
    uint32_t outage_count; /* may be more than are stored */
    struct ps_sender_reason reasons[PS_SENDER_REASONS];
    struct ps_err failure; /* with PS_SENDER_FAILED */

    pthread_mutex_t lock; /* protects last_reason */
    char last_reason[PS_SENDER_REASON_BYTES];

    struct ps_statistics statistics PS_ALIGNED_GAP;
    uint64_t phase; /* enum ps_sender_phase; written by the sender */
    uint64_t target_gone;
    /* Orders; only the main thread writes them. */
    uint64_t order_start_ns PS_ALIGNED_GAP; /* monotonic; 0: not given yet */
    uint64_t order_start_wall_ns;           /* the wall clock at the start; 0: not given yet */
    uint64_t order_cut_ns;                  /* end of the schedule; PS_NEVER: not cut */
    uint64_t order_stop;                    /* stop immediately */
};

enum ps_status ps_sender_create(struct ps_sender **sender, const struct ps_sender_config *config,
                                struct ps_err *err);
/* The blocks of all lanes, those in use and the free ones. Call it after the sender's thread has ended. */
uint64_t ps_sender_block_count(const struct ps_sender *sender);
const struct ps_load_block *ps_sender_block(const struct ps_sender *sender, uint64_t index);
/* Call it after the sender's thread has ended. */
void ps_sender_destroy(struct ps_sender *sender);

/* Sends the events that are due at now_ns, once for each lane. Returns when there will be work again; sets
 * next_due_ns to when the next event is due that can be sent. */
uint64_t ps_sender_cycle(struct ps_sender *sender, uint64_t now_ns);
/* Runs cycles until the sender is done, failed or stopped, then closes the lanes. Has the signature of a
 * thread's start routine. */
void *ps_sender_run(void *sender);
/* Closes the lanes' targets. ps_sender_run calls it; a caller of ps_sender_cycle must call it itself. */
void ps_sender_close(struct ps_sender *sender);

/* Orders. Thread: the main one. */
void ps_sender_start(struct ps_sender *sender, uint64_t start_ns, uint64_t start_wall_ns);
void ps_sender_cut(struct ps_sender *sender, uint64_t end_ns);
void ps_sender_stop(struct ps_sender *sender);
enum ps_sender_phase ps_sender_phase(const struct ps_sender *sender);
/* Returns true when a target reported that it will never accept events again. */
bool ps_sender_target_gone(const struct ps_sender *sender);
/* Copies the last error's reason; returns false when there was no error. Thread: any. */
bool ps_sender_last_reason(struct ps_sender *sender, char *reason, size_t room);
