/* The parts of `penstock demo`. Generator, broker, agent and verifier are processes of their own, so that the
 * agent's CPU time is its own; they share one anonymous mapping of plain counters, each written by one of
 * them. Nothing of it is used by the agent. */
#pragma once

#include "core/histogram.h"
#include "core/status.h"
#include "rings/flag.h"

#define DEMO_CONNECTIONS_MAX 64U
#define DEMO_GROUPS 2U /* errors, rest: a topic each */
#define DEMO_PARTITIONS 8U
#define DEMO_ERROR_EVERY 10U /* one event in so many is an error */

extern const char *const demo_topics[DEMO_GROUPS];

struct demo {
    /* Set before anybody is started. */
    unsigned connections, seconds;
    uint64_t rate;    /* events a second, all connections together */
    uint64_t planned; /* events of a connection that are checked */
    uint16_t port;
    char brokers[256];
    char run_id[17]; /* marks the events of this run */
    bool keep;       /* goes on slowly after the load, until told to finish */

    /* The broker's; sets `brokers` first. */
    PS_ALIGNED_GAP struct ps_flag broker_ready;

    /* The generator's. */
    PS_ALIGNED_GAP uint64_t sent;
    struct ps_flag sent_all, sent_failed;

    /* The parent's. */
    PS_ALIGNED_GAP struct ps_flag finish;

    /* The verifier's. */
    PS_ALIGNED_GAP struct ps_flag verifier_ready, verifier_failed;
    uint64_t delivered; /* different events seen */
    uint64_t duplicated, reordered;
    uint64_t discarded; /* records the broker threw away before they were read: gaps in the offsets */
    uint64_t foreign;   /* records that are none of this run's events */
    struct ps_histogram latency_ns; /* from when an event was due to when it was read at the far end */
};

static inline uint64_t demo_read(const uint64_t *counter)
{
    return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

/* Thread: the one writer's. */
static inline void demo_add(uint64_t *counter, uint64_t amount)
{
    __atomic_store_n(counter, *counter + amount, __ATOMIC_RELAXED);
}

/* The bodies of the processes: return the exit code. */
int demo_broker(struct demo *demo);
int demo_generate(struct demo *demo);
int demo_verify(struct demo *demo);

/* One event's text after the syslog head: "demo RUN c=CC k=K n=NNNNNNNNNNNNNNNN d=DDDDDDDDDDDDDDDD ",
 * hexadecimal: connection, group, number of this connection and group from 0, monotonic nanoseconds when it
 * was due. */
#define DEMO_STAMP_BYTES 68U
struct demo_stamp {
    unsigned connection, group;
    uint64_t number, due_ns;
};
void demo_stamp_write(const struct demo *demo, const struct demo_stamp *stamp, char *text);
/* False: not one of this run's. `text` may have anything before and after the stamp. */
bool demo_stamp_read(const struct demo *demo, const char *text, size_t length, struct demo_stamp *stamp);
