#include "stages/lib/kafka/producer/window.h"

#define SLOT(number) ((number) & (PS_KAFKA_WINDOW_LEASES_MAX - 1))

/* Returns true if the next lease begins a new wave. */
static bool wave_is_over(const struct ps_kafka_window *window, uint64_t now_ns, uint64_t linger_ns)
{
    return window->lease_count == 0 || window->wave_bytes >= PS_KAFKA_WAVE_BYTES ||
           now_ns >= window->wave_ns + linger_ns;
}

bool ps_kafka_window_may_add(struct ps_kafka_window *window, uint64_t now_ns, uint64_t linger_ns)
{
    if (linger_ns == 0 || !wave_is_over(window, now_ns, linger_ns) || window->lease_count == 0)
        return true;
    uint64_t waves = window->wave - window->waves[SLOT(window->done_count)] + 1;
    return ps_kafka_window_limit_allows(&window->limit, waves, window->bytes);
}

void ps_kafka_window_add(struct ps_kafka_window *window, struct ps_lease **lease, uint64_t now_ns,
                         uint64_t linger_ns)
{
    struct ps_lease *taken = *lease;
    *lease = NULL;
    PS_ASSERT(!ps_kafka_window_is_full(window));
    taken->next = NULL;
    taken->pending = 0;
    taken->cursor = 0;
    if (window->tail != NULL)
        window->tail->next = taken;
    else
        window->head = taken;
    window->tail = taken;
    if (window->next == NULL)
        window->next = taken;
    if (wave_is_over(window, now_ns, linger_ns)) {
        window->wave++;
        window->wave_ns = now_ns;
        window->wave_bytes = 0;
    }
    window->wave_bytes += taken->bytes;
    window->bytes += taken->bytes;
    window->waves[SLOT(window->taken_count)] = window->wave;
    window->lease_count++;
    window->taken_ns[SLOT(window->taken_count++)] = now_ns;
}

void ps_kafka_window_report(struct ps_kafka_window *window, void *const *tokens, uint32_t count,
                            bool delivered)
{
    PS_ASSERT(window->in_flight >= count);
    window->in_flight -= count;
    for (uint32_t i = 0; i < count; i++) {
        struct ps_lease *lease = ps_kafka_token_lease(tokens[i]);
        PS_ASSERT(lease->pending > 0);
        lease->pending--;
        if (PS_LIKELY(delivered))
            ps_lease_settle(lease, ps_kafka_token_position(tokens[i]));
    }
}

void ps_kafka_window_rewind(struct ps_kafka_window *window)
{
    PS_ASSERT(window->in_flight == 0);
    for (struct ps_lease *lease = window->head; lease != NULL; lease = lease->next) {
        PS_ASSERT(lease->pending == 0);
        lease->cursor = 0;
    }
    window->next = window->head;
}

struct ps_lease *ps_kafka_window_pop(struct ps_kafka_window *window)
{
    struct ps_lease *lease = window->head;
    if (lease == NULL)
        return NULL;
    PS_ASSERT(lease->pending == 0);
    window->head = lease->next;
    if (window->head == NULL)
        window->tail = NULL;
    if (window->next == lease)
        window->next = window->head;
    lease->next = NULL;
    window->lease_count--;
    window->bytes -= lease->bytes;
    window->done_count++;
    return lease;
}

struct ps_lease *ps_kafka_window_pop_settled(struct ps_kafka_window *window, uint64_t now_ns,
                                             uint64_t *held_ns)
{
    struct ps_lease *lease = window->head;
    if (lease == NULL || lease->settled != lease->count)
        return NULL;
    uint64_t taken_ns = window->taken_ns[SLOT(window->done_count)];
    *held_ns = now_ns > taken_ns ? now_ns - taken_ns : 0;
    ps_kafka_window_limit_delivered(&window->limit, window->waves[SLOT(window->done_count)], window->wave,
                                    *held_ns, now_ns);
    return ps_kafka_window_pop(window);
}
