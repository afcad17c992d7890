/* The in-flight window: the leases that a Kafka sink holds (core/flow/held.h), the time at which each came, and
 * the limit of leases in flight (docs/decisions/0004-waves.md).
 *
 * A token names one event of one lease: the lease's address and the event's position, packed into the width of
 * a pointer. So no search is needed to settle the event of a delivery report.
 *
 * Thread: the sink's worker. No allocation. */
#pragma once

#include "core/flow/held.h"

#define PS_KAFKA_WINDOW_LEASES_MAX 4096U /* a power of two */
/* Size of a wave in bytes of bodies: about one request for each of a few partitions. */
#define PS_KAFKA_WAVE_BYTES (UINT64_C(1) << 20)
/* Waves in flight to brokers that are near. Measured without a round trip, with at most 2, 3 and 4 waves and without a
 * limit: 3.2, 2.8, 2.5, 2.1 M events per CPU-second and 1.7, 2.0, 2.3, 2.1 M events/s. */
#define PS_KAFKA_WAVES_NEAR 3U
/* A wave to brokers that are near begins only while fewer bytes of bodies than this are in flight.
 * Measured with a real broker beside the sink, with 0.5, 1 and 1.5 MiB and without a limit: 3.4, 4.5, 4.8, 3.4
 * M events per CPU-second and 0.7, 1.0, 1.3, 1.5 M events/s. */
#define PS_KAFKA_NEAR_BYTES (PS_KAFKA_WAVE_BYTES * 3 / 2)
/* Below this round trip more than three waves are not faster, or cost more CPU time. */
#define PS_KAFKA_FAR_NS UINT64_C(10000000)
#define PS_KAFKA_TOKEN_POSITION_BITS 10U
_Static_assert(PS_BATCH_EVENTS_MAX <= 1U << PS_KAFKA_TOKEN_POSITION_BITS, "a position fits a token");

struct ps_kafka_window {
    /* the leases; events are in flight until they are reported */
    struct ps_held held;
    uint64_t bytes; /* of bodies, in all leases */
    uint64_t taken_count, done_count;
    uint64_t taken_ns[PS_KAFKA_WINDOW_LEASES_MAX]; /* when each lease came, by its number */
    /* Waves: leases that came close together. */
    uint64_t waves_max; /* the operator's limit */
    bool far;           /* the last round trip was PS_KAFKA_FAR_NS or longer; false: it is not known yet */
    /* the newest wave: its number, its beginning, bytes of bodies in it */
    uint64_t wave, wave_ns, wave_bytes;
    uint64_t waves[PS_KAFKA_WINDOW_LEASES_MAX]; /* the wave of each lease, by the lease's number */
};

/* Returns whether another lease may be taken now. librdkafka 2.0.2 has only one request in flight per partition
 * of an idempotent producer (it applies the limit of requests to messages). When more requests are ready, the
 * library does not wait for the answer, but checks again and again whether it may send, which costs a good part
 * of a CPU. So the window takes only leases that can be sent soon: a few waves, or, when brokers are far, as many
 * as the operator allows. A wave has the leases that come within `linger_ns`, and is no larger than a request.
 * `linger_ns` 0: any lease may be taken while the window has room. */
bool ps_kafka_window_may_add(const struct ps_kafka_window *window, uint64_t now_ns, uint64_t linger_ns);
/* Returns how many waves may be in flight. */
uint64_t ps_kafka_window_waves_max(const struct ps_kafka_window *window);

static inline void *ps_kafka_token(const struct ps_lease *lease, uint32_t position)
{
    uintptr_t address = (uintptr_t)lease;
    PS_ASSERT(address >> 48 == 0);
    return (void *)(address << PS_KAFKA_TOKEN_POSITION_BITS | position);
}

static inline struct ps_lease *ps_kafka_token_lease(const void *token)
{
    return (struct ps_lease *)((uintptr_t)token >> PS_KAFKA_TOKEN_POSITION_BITS);
}

static inline uint32_t ps_kafka_token_position(const void *token)
{
    return (uint32_t)((uintptr_t)token & ((1U << PS_KAFKA_TOKEN_POSITION_BITS) - 1));
}

/* `bytes_max`: maximum number of bytes in flight; it is rounded down to whole waves, but is at least one wave. */
void ps_kafka_window_init(struct ps_kafka_window *window, uint64_t bytes_max);

/* Takes the lease (and sets the caller's pointer to NULL). The window must not be full. */
void ps_kafka_window_add(struct ps_kafka_window *window, struct ps_lease **lease, uint64_t now_ns,
                         uint64_t linger_ns);

/* Handles reported tokens: their events are no longer in flight, and are settled if they were delivered. */
void ps_kafka_window_report(struct ps_kafka_window *window, void *const *tokens, uint32_t count,
                            bool delivered);

/* Takes out and returns the oldest lease if all its events are settled; else NULL. *held_ns: for how long the
 * window held the lease. */
struct ps_lease *ps_kafka_window_pop_settled(struct ps_kafka_window *window, uint64_t now_ns,
                                             uint64_t *held_ns);

/* Returns for how long the window has held its oldest lease; 0: it holds none. */
uint64_t ps_kafka_window_age_ns(const struct ps_kafka_window *window, uint64_t now_ns);

/* Appends all leases to `*back`, oldest first. Nothing may be in flight. */
void ps_kafka_window_give_back(struct ps_kafka_window *window, struct ps_lease **back);
