/* Limits the number of waves of leases that a Kafka sink may have in flight: three small waves, and more when
 * the round trip to the brokers is long (docs/decisions/0004-waves.md).
 *
 * When the round trip is long, the speed is the bytes in flight divided by the round trip, until something else
 * limits the speed: the network, the brokers, or the requests in flight of partitions and connections. The
 * right limit cannot be computed here, so the sink makes trials: it tries 50 % more waves, and keeps that limit
 * if the speed rises by 10 %. If not, it tries 25 % fewer waves, and keeps that limit if the speed does not
 * fall. Then the limit stays for ten seconds.
 *
 * The round trip is measured by the library, from a request's last byte to the answer (statistics.interval.ms):
 * the time for which records wait in the library is not part of it. Until the round trip is known, and while it
 * is short, there are at most three waves, and another wave begins only while fewer than PS_KAFKA_SHORT_BYTES
 * are in flight. More records would wait in the library, which spins meanwhile.
 *
 * Thread: the sink's worker. */
#pragma once

#include "core/base.h"

/* Size of a wave in bytes of bodies: about one request for each of a few partitions. */
#define PS_KAFKA_WAVE_BYTES (UINT64_C(1) << 20)
/* Measured without a round trip, with at most 2, 3 and 4 waves and without a limit: 3.2, 2.8, 2.5, 2.1 M events
 * per CPU-second and 1.7, 2.0, 2.3, 2.1 M events/s. */
#define PS_KAFKA_WAVES_LEAST 3U
/* When the round trip is short, a wave begins only while fewer bytes of bodies than this are in flight.
 * Measured with a real broker beside the sink, with 0.5, 1 and 1.5 MiB and without a limit: 3.4, 4.5, 4.8, 3.4
 * M events per CPU-second and 0.7, 1.0, 1.3, 1.5 M events/s. */
#define PS_KAFKA_SHORT_BYTES (PS_KAFKA_WAVE_BYTES * 3 / 2)

enum ps_kafka_trial {
    PS_KAFKA_TRIAL_NONE,
    PS_KAFKA_TRIAL_MORE,
    PS_KAFKA_TRIAL_LESS,
};

struct ps_kafka_window_limit {
    uint32_t waves, waves_max;
    uint64_t round_trip_ns; /* 0: not known */
    enum ps_kafka_trial trial;
    uint32_t waves_before; /* the limit before the trial, to which a failed trial returns */
    double speed_before;   /* the speed before the trial */
    uint64_t rest_until_ns;
    /* The speed is measured with the leases of these waves. */
    uint64_t from_wave, to_wave;
    uint64_t lease_count, held_ns; /* number of delivered leases, and the sum of their times in flight */
    bool limited;                  /* the limit kept a lease out meanwhile */
};

/* `bytes_max`: maximum number of bytes in flight; it is rounded down to whole waves, but is at least one wave. */
void ps_kafka_window_limit_init(struct ps_kafka_window_limit *limit, uint64_t bytes_max);

/* Notes that the library measured the round trip to its brokers. */
static inline void ps_kafka_window_limit_measured(struct ps_kafka_window_limit *limit, uint64_t round_trip_ns)
{
    limit->round_trip_ns = round_trip_ns;
}

/* Below this round trip more than three waves are not faster, or cost more CPU time. */
#define PS_KAFKA_LONG_NS UINT64_C(10000000)

static inline bool ps_kafka_window_limit_is_long(const struct ps_kafka_window_limit *limit)
{
    return limit->round_trip_ns >= PS_KAFKA_LONG_NS;
}

/* Returns whether another wave may begin while `waves` are in flight, with `bytes` of bodies. */
static inline bool ps_kafka_window_limit_allows(struct ps_kafka_window_limit *limit, uint64_t waves,
                                                uint64_t bytes)
{
    bool allowed =
        waves < limit->waves && (bytes < PS_KAFKA_SHORT_BYTES || ps_kafka_window_limit_is_long(limit));
    limit->limited |= !allowed;
    return allowed;
}

/* Notes that a lease of `wave` was delivered, `held_ns` after it was taken; `newest` is the number of the wave
 * that began last. */
void ps_kafka_window_limit_delivered(struct ps_kafka_window_limit *limit, uint64_t wave, uint64_t newest,
                                     uint64_t held_ns, uint64_t now_ns);
