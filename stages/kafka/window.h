/* The leases a Kafka sink holds, oldest first: what is sent, what is still to be sent, what is settled.
 *
 * A token names one event of one lease: the lease's address and the event's position, packed into a pointer's
 * width, so that a delivery report settles exactly its event without any search.
 *
 * Thread: the sink's worker. No allocation. */
#pragma once

#include "core/stage.h"

#define PS_KAFKA_WINDOW_LEASES_MAX 4096U /* a power of two */
#define PS_KAFKA_TOKEN_POSITION_BITS 10U
_Static_assert(PS_BATCH_EVENTS_MAX <= 1U << PS_KAFKA_TOKEN_POSITION_BITS, "a position fits a token");

struct ps_kafka_window {
    struct ps_lease *head, *tail;
    struct ps_lease *next; /* the first that is not sent in full; NULL: all are */
    uint32_t lease_count;
    uint64_t in_flight; /* events sent and not reported */
    uint64_t taken_count, done_count;
    uint64_t taken_ns[PS_KAFKA_WINDOW_LEASES_MAX]; /* when each lease came, by its number */
    /* Leases that came close together (ps_kafka_window_may_add). */
    uint64_t wave, wave_ns, wave_bytes;         /* the newest: number, when it began, bodies in it */
    uint64_t waves[PS_KAFKA_WINDOW_LEASES_MAX]; /* of each lease, by its number */
};

#define PS_KAFKA_WAVES_MAX                                                                                   \
    3U /* measured: 2, 3, 4, no limit: 3.2, 2.8, 2.5, 2.1 M events per CPU-second; 1.7, 2.0, 2.3, 2.1 M/s */
#define PS_KAFKA_WAVE_BYTES (UINT64_C(1) << 20)

/* Whether another lease may be taken now. librdkafka 2.0.2 has one request of an idempotent producer's
 * partition in flight (it limits messages where it means requests), and when more is ready to be sent it does
 * not wait for the answer but asks again and again whether it may: a good part of a CPU. So no more is handed
 * over than is sent soon: a few waves, each of what comes within `linger_ns` and is no larger than a request.
 * `linger_ns` 0: no such limit. */
bool ps_kafka_window_may_add(const struct ps_kafka_window *window, uint64_t now_ns, uint64_t linger_ns);

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

static inline bool ps_kafka_window_is_full(const struct ps_kafka_window *window)
{
    return window->lease_count == PS_KAFKA_WINDOW_LEASES_MAX;
}

/* Takes the lease (and nulls it). Not when full. */
void ps_kafka_window_add(struct ps_kafka_window *window, struct ps_lease **lease, uint64_t now_ns,
                         uint64_t linger_ns);

/* `count` events of the lease at the head of what is to be sent were accepted. */
static inline void ps_kafka_window_sent(struct ps_kafka_window *window, uint32_t count)
{
    window->next->pending += count;
    window->in_flight += count;
}

/* The lease at `next` has nothing left to be sent. */
static inline void ps_kafka_window_advance(struct ps_kafka_window *window)
{
    window->next = window->next->next;
}

/* Reports came in for these tokens. */
void ps_kafka_window_report(struct ps_kafka_window *window, void *const *tokens, uint32_t count,
                            bool delivered);

/* Everything not settled is to be sent again, from the first. Only with nothing in flight. */
void ps_kafka_window_rewind(struct ps_kafka_window *window);

/* The oldest lease if it is settled in full, taken out; else NULL. *held_ns: how long it was here. */
struct ps_lease *ps_kafka_window_pop_settled(struct ps_kafka_window *window, uint64_t now_ns,
                                             uint64_t *held_ns);

/* The oldest lease whatever its state, taken out; else NULL. Only with nothing in flight. */
struct ps_lease *ps_kafka_window_pop(struct ps_kafka_window *window);
