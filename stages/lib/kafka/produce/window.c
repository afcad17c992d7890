#include "stages/lib/kafka/produce/window.h"

#include "stages/lib/least.h"

#define SLOT(number) ((number) & (PS_KAFKA_WINDOW_LEASES_MAX - 1))

void ps_kafka_window_init(struct ps_kafka_window *window, uint64_t bytes_max)
{
    ps_held_init(&window->held, PS_KAFKA_WINDOW_LEASES_MAX);
    window->waves_max = bytes_max < PS_KAFKA_WAVE_BYTES ? 1 : bytes_max / PS_KAFKA_WAVE_BYTES;
}

/* Returns true if the next lease begins a new wave. */
static bool wave_is_over(const struct ps_kafka_window *window, uint64_t now_ns, uint64_t linger_ns)
{
    return window->held.count == 0 || window->wave_bytes >= PS_KAFKA_WAVE_BYTES ||
           now_ns >= window->wave_ns + linger_ns;
}

uint64_t ps_kafka_window_waves_max(const struct ps_kafka_window *window)
{
    return window->far ? window->waves_max : ps_least(window->waves_max, PS_KAFKA_WAVES_NEAR);
}

bool ps_kafka_window_may_add(const struct ps_kafka_window *window, uint64_t now_ns, uint64_t linger_ns)
{
    if (linger_ns == 0 || !wave_is_over(window, now_ns, linger_ns) || window->held.count == 0)
        return true;
    uint64_t waves = window->wave - window->waves[SLOT(window->done_count)] + 1;
    return waves < ps_kafka_window_waves_max(window) && (window->far || window->bytes < PS_KAFKA_NEAR_BYTES);
}

void ps_kafka_window_add(struct ps_kafka_window *window, struct ps_lease **lease, uint64_t now_ns,
                         uint64_t linger_ns)
{
    if (wave_is_over(window, now_ns, linger_ns)) {
        window->wave++;
        window->wave_ns = now_ns;
        window->wave_bytes = 0;
    }
    window->wave_bytes += (*lease)->bytes;
    window->bytes += (*lease)->bytes;
    window->waves[SLOT(window->taken_count)] = window->wave;
    window->taken_ns[SLOT(window->taken_count++)] = now_ns;
    ps_held_add(&window->held, lease);
}

void ps_kafka_window_report(struct ps_kafka_window *window, void *const *tokens, uint32_t count,
                            bool delivered)
{
    PS_ASSERT(window->held.in_flight >= count);
    window->held.in_flight -= count;
    for (uint32_t i = 0; delivered && i < count; i++)
        ps_lease_settle(ps_kafka_token_lease(tokens[i]), ps_kafka_token_position(tokens[i]));
}

struct ps_lease *ps_kafka_window_pop_settled(struct ps_kafka_window *window, uint64_t now_ns,
                                             uint64_t *held_ns)
{
    struct ps_lease *lease = ps_held_pop_oldest(&window->held);
    if (lease == NULL)
        return NULL;
    uint32_t slot = SLOT(window->done_count++);
    uint64_t taken_ns = window->taken_ns[slot];
    *held_ns = now_ns > taken_ns ? now_ns - taken_ns : 0;
    window->bytes -= lease->bytes;
    return lease;
}

uint64_t ps_kafka_window_age_ns(const struct ps_kafka_window *window, uint64_t now_ns)
{
    uint64_t taken_ns = window->taken_ns[SLOT(window->done_count)];
    return window->held.count > 0 && now_ns > taken_ns ? now_ns - taken_ns : 0;
}

void ps_kafka_window_give_back(struct ps_kafka_window *window, struct ps_lease **back)
{
    PS_ASSERT(window->held.in_flight == 0);
    ps_held_give_back(&window->held, back);
    window->done_count = window->taken_count;
    window->bytes = 0;
}
