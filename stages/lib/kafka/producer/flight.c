#include "stages/lib/kafka/producer/flight.h"

#include "core/clock.h"

#define REST_NS (10 * PS_NS_PER_S)
#define WINDOWS 3U  /* a measurement takes this many times the bytes in flight */
#define FASTER 1.1  /* by so much at least, to keep more waves */
#define SLOWER 0.95 /* by so much at most, to keep fewer */

static uint32_t least_waves(const struct ps_kafka_flight *flight)
{
    return flight->waves_max < PS_KAFKA_WAVES_LEAST ? flight->waves_max : PS_KAFKA_WAVES_LEAST;
}

void ps_kafka_flight_init(struct ps_kafka_flight *flight, uint64_t bytes_max)
{
    uint64_t waves = bytes_max / PS_KAFKA_WAVE_BYTES;
    *flight = (struct ps_kafka_flight){.from_wave = 1};
    flight->waves_max = waves < 1 ? 1 : waves > UINT32_MAX ? UINT32_MAX : (uint32_t)waves;
    flight->waves = least_waves(flight);
    flight->to_wave = flight->from_wave + WINDOWS * flight->waves;
}

/* Measures the waves that begin from now on. */
static void measure(struct ps_kafka_flight *flight, uint64_t newest)
{
    flight->from_wave = newest + 1;
    flight->to_wave = flight->from_wave + WINDOWS * flight->waves;
    flight->lease_count = flight->held_ns = 0;
    flight->limited = false;
}

static void rest(struct ps_kafka_flight *flight, uint64_t now_ns)
{
    flight->trial = PS_KAFKA_TRIAL_NONE;
    flight->rest_until_ns = now_ns + REST_NS;
}

static void try_more(struct ps_kafka_flight *flight, double speed)
{
    uint32_t more = flight->waves + flight->waves / 2 + 1;
    flight->trial = PS_KAFKA_TRIAL_MORE;
    flight->speed_before = speed;
    flight->waves_before = flight->waves;
    flight->waves = more < flight->waves_max ? more : flight->waves_max;
}

static void try_less(struct ps_kafka_flight *flight, uint64_t now_ns)
{
    uint32_t less = flight->waves - flight->waves / 4;
    if (flight->waves <= PS_KAFKA_WAVES_LEAST) {
        rest(flight, now_ns);
        return;
    }
    flight->trial = PS_KAFKA_TRIAL_LESS;
    flight->waves_before = flight->waves;
    flight->waves = less > PS_KAFKA_WAVES_LEAST ? less : PS_KAFKA_WAVES_LEAST;
}

/* The bytes in flight divided by their time in flight (Little's law). This varies less than the deliveries in
 * an interval, which come in bursts. */
static double speed_of(const struct ps_kafka_flight *flight)
{
    return (double)flight->waves * (double)flight->lease_count / (double)(flight->held_ns + 1);
}

static void judge(struct ps_kafka_flight *flight, uint64_t now_ns)
{
    double speed = speed_of(flight);
    switch (flight->trial) {
    case PS_KAFKA_TRIAL_NONE:
        if (flight->limited && now_ns >= flight->rest_until_ns)
            try_more(flight, speed);
        break;
    case PS_KAFKA_TRIAL_MORE:
        if (flight->limited && speed >= FASTER * flight->speed_before) {
            try_more(flight, speed);
            break;
        }
        flight->waves = flight->waves_before;
        try_less(flight, now_ns);
        break;
    case PS_KAFKA_TRIAL_LESS:
        if (flight->limited && speed < SLOWER * flight->speed_before)
            flight->waves = flight->waves_before;
        rest(flight, now_ns);
        break;
    }
}

void ps_kafka_flight_delivered(struct ps_kafka_flight *flight, uint64_t wave, uint64_t newest,
                               uint64_t held_ns, uint64_t now_ns)
{
    if (wave < flight->from_wave)
        return;
    flight->held_ns += held_ns;
    flight->lease_count++;
    if (wave < flight->to_wave)
        return;
    if (ps_kafka_flight_is_long(flight)) {
        judge(flight, now_ns);
    } else {
        flight->trial = PS_KAFKA_TRIAL_NONE;
        flight->waves = least_waves(flight);
    }
    measure(flight, newest);
}
