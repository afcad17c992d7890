#include "bench/load/schedule.h"

#include <math.h>

/* SplitMix64: spreads a seed over the generator's words. */
static uint64_t split(uint64_t *state)
{
    uint64_t mixed = *state += UINT64_C(0x9e3779b97f4a7c15);
    mixed = (mixed ^ mixed >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    mixed = (mixed ^ mixed >> 27) * UINT64_C(0x94d049bb133111eb);
    return mixed ^ mixed >> 31;
}

/* Returns the time to the next arrival of a process of rate 1: -ln of a number in (0, 1]. */
static double gap(struct ps_random *random)
{
    return -log(((double)(ps_random_next(random) >> 11) + 1) * 0x1p-53);
}

static void next_find(struct ps_schedule *schedule)
{
    schedule->next_ns = PS_NEVER;
    if (schedule->left == 0)
        return;
    uint64_t next_ns =
        schedule->shape->closed ? 0 : ps_shape_due_ns(schedule->shape, schedule->position, &schedule->piece);
    if (next_ns < schedule->end_ns)
        schedule->next_ns = next_ns;
    else
        schedule->left = 0;
}

static inline void next_step(struct ps_schedule *schedule)
{
    schedule->left--;
    schedule->position +=
        schedule->shape->poisson ? schedule->stride * gap(&schedule->random) : schedule->stride;
    next_find(schedule);
}

void ps_schedule_init(struct ps_schedule *schedule, const struct ps_schedule_config *config)
{
    PS_ASSERT(config->lane < config->lane_count);
    *schedule = (struct ps_schedule){
        .shape = config->shape,
        .end_ns = config->end_ns,
        .position = config->lane,
        .stride = config->lane_count,
        .left = UINT64_MAX,
    };
    if (config->event_max > 0)
        schedule->left =
            config->event_max / config->lane_count + (config->lane < config->event_max % config->lane_count);
    uint64_t state = config->seed * UINT64_C(0x2545f4914f6cdd1d) + config->lane;
    for (unsigned i = 0; i < PS_COUNT_OF(schedule->random.words); i++)
        schedule->random.words[i] = split(&state);
    if (config->shape->poisson)
        schedule->position = schedule->stride * gap(&schedule->random);
    next_find(schedule);
}

/* All events are due now; only their number and the end limit them. */
static uint32_t take_closed(struct ps_schedule *schedule, uint64_t now_ns, uint32_t max, uint64_t *due_ns)
{
    if (now_ns >= schedule->end_ns)
        schedule->left = 0;
    uint32_t count = schedule->left < max ? (uint32_t)schedule->left : max;
    for (uint32_t i = 0; i < count; i++)
        due_ns[i] = now_ns;
    schedule->left -= count;
    if (schedule->left == 0)
        schedule->next_ns = PS_NEVER;
    return count;
}

uint32_t ps_schedule_take(struct ps_schedule *schedule, uint64_t now_ns, uint32_t max, uint64_t *due_ns)
{
    uint32_t count = 0;
    if (schedule->shape->closed)
        return take_closed(schedule, now_ns, max, due_ns);
    while (count < max && schedule->next_ns <= now_ns && schedule->next_ns != PS_NEVER) {
        due_ns[count++] = schedule->next_ns;
        next_step(schedule);
    }
    return count;
}

uint64_t ps_schedule_skip(struct ps_schedule *schedule, uint64_t now_ns)
{
    uint64_t count = 0;
    for (; schedule->next_ns <= now_ns && schedule->next_ns != PS_NEVER; count++)
        next_step(schedule);
    return count;
}

void ps_schedule_cut(struct ps_schedule *schedule, uint64_t end_ns)
{
    if (end_ns < schedule->end_ns)
        schedule->end_ns = end_ns;
    if (schedule->next_ns != PS_NEVER && (schedule->shape->closed || schedule->next_ns >= schedule->end_ns)) {
        schedule->next_ns = PS_NEVER;
        schedule->left = 0;
    }
}
