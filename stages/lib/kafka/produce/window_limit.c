#include "stages/lib/kafka/produce/window_limit.h"

#include "core/clock.h"

#define REST_NS (10 * PS_NS_PER_S)
#define WINDOWS 3U  /* waves of a measurement, as a multiple of the waves in flight */
#define FASTER 1.1  /* the gain that more waves need to be kept */
#define SLOWER 0.95 /* the loss that fewer waves may have to be kept */

static uint32_t least_waves(const struct ps_kafka_window_limit *limit)
{
    return limit->waves_max < PS_KAFKA_WAVES_LEAST ? limit->waves_max : PS_KAFKA_WAVES_LEAST;
}

void ps_kafka_window_limit_init(struct ps_kafka_window_limit *limit, uint64_t bytes_max)
{
    uint64_t waves = bytes_max / PS_KAFKA_WAVE_BYTES;
    *limit = (struct ps_kafka_window_limit){.from_wave = 1};
    limit->waves_max = waves < 1 ? 1 : waves > UINT32_MAX ? UINT32_MAX : (uint32_t)waves;
    limit->waves = least_waves(limit);
    limit->to_wave = limit->from_wave + WINDOWS * limit->waves;
}

/* Measures the waves that begin from now on. */
static void measure(struct ps_kafka_window_limit *limit, uint64_t newest)
{
    limit->from_wave = newest + 1;
    limit->to_wave = limit->from_wave + WINDOWS * limit->waves;
    limit->lease_count = limit->held_ns = 0;
    limit->limited = false;
}

static void rest(struct ps_kafka_window_limit *limit, uint64_t now_ns)
{
    limit->trial = PS_KAFKA_TRIAL_NONE;
    limit->rest_until_ns = now_ns + REST_NS;
}

static void try_more(struct ps_kafka_window_limit *limit, double speed)
{
    uint32_t more = limit->waves + limit->waves / 2 + 1;
    limit->trial = PS_KAFKA_TRIAL_MORE;
    limit->speed_before = speed;
    limit->waves_before = limit->waves;
    limit->waves = more < limit->waves_max ? more : limit->waves_max;
}

static void try_less(struct ps_kafka_window_limit *limit, uint64_t now_ns)
{
    uint32_t less = limit->waves - limit->waves / 4;
    if (limit->waves <= PS_KAFKA_WAVES_LEAST) {
        rest(limit, now_ns);
        return;
    }
    limit->trial = PS_KAFKA_TRIAL_LESS;
    limit->waves_before = limit->waves;
    limit->waves = less > PS_KAFKA_WAVES_LEAST ? less : PS_KAFKA_WAVES_LEAST;
}

/* Returns the bytes in flight divided by their time in flight (Little's law). This varies less than the deliveries
 * in an interval, which come in bursts. */
static double speed_of(const struct ps_kafka_window_limit *limit)
{
    return (double)limit->waves * (double)limit->lease_count / (double)(limit->held_ns + 1);
}

static void judge(struct ps_kafka_window_limit *limit, uint64_t now_ns)
{
    double speed = speed_of(limit);
    switch (limit->trial) {
    case PS_KAFKA_TRIAL_NONE:
        if (limit->limited && now_ns >= limit->rest_until_ns)
            try_more(limit, speed);
        break;
    case PS_KAFKA_TRIAL_MORE:
        if (limit->limited && speed >= FASTER * limit->speed_before) {
            try_more(limit, speed);
            break;
        }
        limit->waves = limit->waves_before;
        try_less(limit, now_ns);
        break;
    case PS_KAFKA_TRIAL_LESS:
        if (limit->limited && speed < SLOWER * limit->speed_before)
            limit->waves = limit->waves_before;
        rest(limit, now_ns);
        break;
    }
}

void ps_kafka_window_limit_delivered(struct ps_kafka_window_limit *limit, uint64_t wave, uint64_t newest,
                                     uint64_t held_ns, uint64_t now_ns)
{
    if (wave < limit->from_wave)
        return;
    limit->held_ns += held_ns;
    limit->lease_count++;
    if (wave < limit->to_wave)
        return;
    if (ps_kafka_window_limit_is_long(limit)) {
        judge(limit, now_ns);
    } else {
        limit->trial = PS_KAFKA_TRIAL_NONE;
        limit->waves = least_waves(limit);
    }
    measure(limit, newest);
}
