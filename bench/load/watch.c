#include "bench/load/watch.h"
#include "bench/load/summary.h"

#include <stdlib.h>
#include <string.h>

#define SHOWN_MIN_NS (500 * PS_NS_PER_MS)
#define WINDOW_MIN_NS (250 * PS_NS_PER_MS)

void ps_load_watch_init(struct ps_load_watch *watch)
{
    const struct ps_load_config *config = watch->config;
    watch->next_ns = watch->config->every_ns;
    if (!watch->shape->poisson)
        return;
    watch->due_schedules =
        ps_must_alloc(config->connections, sizeof *watch->due_schedules, "schedules of connections");
    for (uint32_t i = 0; i < config->connections; i++) {
        struct ps_schedule_config due_schedule = {
            .shape = watch->shape,
            .lane = i,
            .lane_count = config->connections,
            .event_max = config->event_max,
            .end_ns = config->shape.duration_ns > 0 ? config->shape.duration_ns : PS_NEVER,
            .seed = config->seed,
        };
        ps_schedule_init(&watch->due_schedules[i], &due_schedule);
    }
}

void ps_load_watch_fini(struct ps_load_watch *watch)
{
    free(watch->due_schedules);
}

uint64_t ps_load_watch_due(struct ps_load_watch *watch, uint64_t since_ns)
{
    const struct ps_load_config *config = watch->config;
    if (watch->due_schedules != NULL) {
        for (uint32_t i = 0; i < config->connections; i++)
            watch->due_counted += ps_schedule_skip(&watch->due_schedules[i], since_ns);
        return watch->due_counted;
    }
    uint64_t until_ns = since_ns + 1;
    if (config->shape.duration_ns > 0 && until_ns > config->shape.duration_ns)
        until_ns = config->shape.duration_ns;
    uint64_t due = ps_shape_event_count(watch->shape, until_ns);
    return config->event_max > 0 && due > config->event_max ? config->event_max : due;
}

static void total_take(struct ps_load_watch *watch)
{
    memset(&watch->total, 0, offsetof(struct ps_statistics, latency_ns));
    for (uint32_t i = 0; i < watch->sender_count; i++)
        ps_statistics_count(&watch->total, &watch->senders[i]->statistics);
}

/* Stores a sample. When the buffer is full it drops every other sample: the run is long then. */
static void sample_add(struct ps_load_watch *watch, struct ps_load_sample sample)
{
    if (watch->sample_count == PS_LOAD_SAMPLES_MAX) {
        for (uint64_t i = 0; i < watch->sample_count / 2; i++)
            watch->samples[i] = watch->samples[2 * i + 1];
        watch->sample_count /= 2;
    }
    watch->samples[watch->sample_count++] = sample;
}

static void show(struct ps_load_watch *watch, uint64_t now_ns, uint64_t due, uint64_t backlog)
{
    char reason[PS_SENDER_REASON_BYTES] = "";
    struct ps_statistics *total = &watch->total;
    double between_s = (double)(now_ns - watch->shown_ns) / 1e9;
    bool outage = total->memory_down > 0 || total->downs > watch->downs_before;
    for (uint32_t i = 0; i < watch->sender_count && reason[0] == '\0'; i++) {
        if (outage || total->reasons > watch->reasons_before)
            ps_sender_last_reason(watch->senders[i], reason, sizeof reason);
    }
    memset(&total->latency_ns, 0, sizeof total->latency_ns);
    for (uint32_t i = 0; i < watch->sender_count; i++)
        ps_histogram_add(&total->latency_ns, &watch->senders[i]->statistics.latency_ns);
    ps_statistics_since(&total->latency_ns, &watch->latency_before, &watch->latency_between);
    struct ps_load_progress progress = {
        .t = (double)(now_ns - watch->start_ns) / 1e9,
        .asked_rate = watch->shape->closed ? -1 : (double)(due - watch->due_before) / between_s,
        .rate = (double)(total->completed - watch->completed_before) / between_s,
        .due = due,
        .sent = total->sent,
        .completed = total->completed,
        .failed = total->failed,
        .backlog = backlog,
        .bytes = total->bytes,
        .memory_up = total->memory_up,
        .lanes = watch->config->connections,
        .latency_ns = &watch->latency_between,
        .outage = outage,
        .error = reason[0] != '\0' ? reason : NULL,
    };
    watch->completed_before = total->completed;
    watch->due_before = due;
    watch->downs_before = total->downs;
    watch->reasons_before = total->reasons;
    watch->shown_ns = now_ns;
    ps_summary_progress(watch->live, &progress);
}

void ps_load_watch_look(struct ps_load_watch *watch, uint64_t now_ns)
{
    if (now_ns <= watch->start_ns)
        return;
    uint64_t since_ns = now_ns - watch->start_ns;
    if (watch->shown_ns == 0)
        watch->shown_ns = watch->start_ns;
    total_take(watch);
    const struct ps_statistics *total = &watch->total;
    uint64_t done = total->completed + total->failed;
    uint64_t due = watch->shape->closed
                       ? total->sent
                       : ps_load_watch_due(watch, since_ns < watch->end_ns ? since_ns : watch->end_ns);
    uint64_t backlog = due > total->sent ? due - total->sent : 0;
    if (since_ns <= watch->end_ns)
        sample_add(watch, (struct ps_load_sample){since_ns, due, due > done ? due - done : 0});
    if (backlog > watch->backlog_max)
        watch->backlog_max = backlog;
    if (since_ns < watch->next_ns)
        return;
    watch->next_ns = (since_ns / watch->config->every_ns + 1) * watch->config->every_ns;
    show(watch, now_ns, due, backlog);
}

void ps_load_watch_end(struct ps_load_watch *watch, uint64_t now_ns)
{
    if (watch->shown_ns == 0 || now_ns - watch->shown_ns < SHOWN_MIN_NS)
        return;
    watch->next_ns = 0;
    ps_load_watch_look(watch, now_ns);
}

uint64_t ps_load_watch_growth(const struct ps_load_watch *watch)
{
    if (watch->sample_count == 0)
        return 0;
    uint64_t last_ns = watch->samples[watch->sample_count - 1].since_ns, window_ns = last_ns / 100;
    uint64_t before = UINT64_MAX, after = UINT64_MAX;
    if (window_ns < WINDOW_MIN_NS)
        window_ns = WINDOW_MIN_NS;
    for (uint64_t i = 0; i < watch->sample_count; i++) {
        const struct ps_load_sample *sample = &watch->samples[i];
        uint64_t *least = sample->since_ns + window_ns < last_ns ? &before : &after;
        if (sample->outstanding < *least)
            *least = sample->outstanding;
    }
    if (before == UINT64_MAX)
        before = 0;
    return after > before && after != UINT64_MAX ? after - before : 0;
}
