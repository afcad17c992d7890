/* The dump: a snapshot as lines for the log. It has names, states and counts, never events or values. */
#include "core/watch/metrics/metrics.h"
#include "core/quantity.h"
#include "core/text/ends.h"

#include <string.h>

static struct ps_quantity_text duration(uint64_t ns)
{
    return ps_quantity_print_ns(ns);
}

static struct ps_quantity_text size(uint64_t bytes)
{
    return ps_quantity_print_bytes(bytes);
}

static struct ps_quantity_text number(uint64_t value)
{
    return ps_quantity_print_count(value);
}

static void process_lines(const struct ps_metrics *metrics, struct ps_page *page)
{
    const struct ps_metrics_process *process = &metrics->process;
    ps_page_format(page, "agent %s%s: %zu worker%s, last order: %s\n",
                   process->agent != NULL ? process->agent : "", process->stopping ? ", stopping" : "",
                   metrics->worker_count, metrics->worker_count == 1 ? "" : "s",
                   process->orders != NULL ? process->orders : "none");
    ps_page_format(page, "memory: %s of the budget of %s are used\n", size(process->used_bytes).text,
                   size(process->budget_bytes).text);
    ps_page_format(page, "reloads: %s carried out, %s failed\n", number(process->reload_count).text,
                   number(process->reload_failed_count).text);
    if (process->reload_failure != NULL)
        ps_page_format(page, "the last reload failed: %s\n", process->reload_failure);
    if (process->dropped != NULL)
        ps_page_text(page, process->dropped);
}

static void worker_line(const struct ps_metrics_worker *worker, uint64_t mono_ns, struct ps_page *page)
{
    uint64_t quiet_ns = mono_ns > worker->heartbeat_ns ? mono_ns - worker->heartbeat_ns : 0;
    ps_page_format(page, "worker %u", worker->id);
    if (worker->cpu >= 0)
        ps_page_format(page, " on CPU %d", worker->cpu);
    if (worker->doing != NULL)
        ps_page_format(page, ": in %s", worker->doing);
    else
        ps_page_text(page, worker->parked ? ": parked" : ": between components");
    ps_page_format(page, "; %s cycles, the last began %s ago, the longest took %s",
                   number(worker->cycles).text, duration(quiet_ns).text, duration(worker->cycle_max_ns).text);
    if (!worker->parked && quiet_ns >= PS_METRICS_STUCK_NS)
        ps_page_text(page, " (it is stuck)");
    ps_page_format(page, "; parked %s %s, busy %s; %s %s out, %s free %s, ",
                   number(worker->parked_count).text, ps_quantity_word(worker->parked_count, "time", "times"),
                   duration(worker->busy_ns).text, number(worker->batches_out).text,
                   ps_quantity_word(worker->batches_out, "batch of its pool is", "batches of its pool are"),
                   number(worker->blocks_cached).text,
                   ps_quantity_word(worker->blocks_cached, "block", "blocks"));
    ps_page_format(page, "%s %s no memory%s\n", number(worker->memory_waits).text,
                   ps_quantity_word(worker->memory_waits, "time", "times"),
                   worker->behind ? "; has not carried out the last order yet" : "");
}

/* "source r1 (netcat) on workers 0, 2: " */
static void component_head(const struct ps_metrics_component *component, struct ps_page *page)
{
    ps_page_format(page, "%s %s (%s)", ps_stage_kind_word(component->kind), component->name, component->type);
    const char *before = component->workers & (component->workers - 1) ? " on workers " : " on worker ";
    for (unsigned i = 0; i < 64; i++) {
        if ((component->workers >> i & 1) == 0)
            continue;
        ps_page_format(page, "%s%u", before, i);
        before = ", ";
    }
    ps_page_text(page, ": ");
}

/* ": port 514 is in use; cure" of an error of several lines. */
static void one_line(const char *error, struct ps_page *page)
{
    ps_page_text(page, ": ");
    for (const char *end; (end = strchr(error, '\n')) != NULL; error = end + 1) {
        ps_page_append(page, error, (size_t)(end - error));
        ps_page_text(page, "; ");
    }
    ps_page_text(page, error);
}

/* "not open: port 514 is in use" */
static void state_words(const struct ps_metrics *metrics, const struct ps_metrics_component *component,
                        struct ps_page *page)
{
    static const char *const words[] = {[PS_METRICS_OPEN] = "open",
                                        [PS_METRICS_OPENING] = "not open",
                                        [PS_METRICS_CLOSED] = "closed",
                                        [PS_METRICS_HALTED] = "halted"};
    static const char *const waits[] = {
        [PS_METRICS_WAITS_FOR_CHANNEL] = "waits for a full channel",
        [PS_METRICS_WAITS_FOR_MEMORY] = "waits for memory",
        [PS_METRICS_WAITS_FOR_CHAIN] = "waits for an interceptor or the selector",
    };
    ps_page_text(page, words[component->state]);
    if (component->lack != PS_LACK_NONE)
        ps_page_format(page, ", %s", ps_lack_text(component->lack, component->kind == PS_KIND_SINK));
    if ((component->state != PS_METRICS_OPEN || component->lack != PS_LACK_NONE) && component->error != NULL)
        one_line(component->error, page);
    if (component->state == PS_METRICS_OPEN && component->stuck_ms != 0)
        ps_page_text(page, "; tries some events in vain");
    if (component->rest_ns > 0)
        ps_page_format(page, "; backs off for %s more", duration(component->rest_ns).text);
    if (component->waits_for != PS_METRICS_WAITS_NOT)
        ps_page_format(page, "; %s", waits[component->waits_for]);
    if (component->wait_ns > 0)
        ps_page_format(page, " for %s", duration(component->wait_ns).text);
    if (component->stalled_ns >= PS_NS_PER_S)
        ps_page_format(page, "; has had events for %s without delivering any%s",
                       duration(component->stalled_ns).text,
                       ps_metrics_component_is_up(metrics, component) ? "" : " (not ready)");
}

static void letters_words(const struct ps_metrics_component *component, struct ps_page *page)
{
    if (component->counters[PS_COUNTER_deadletter] > 0)
        ps_page_format(page, ", dead letters %s", number(component->counters[PS_COUNTER_deadletter]).text);
}

static void source_words(const struct ps_metrics_component *component, struct ps_page *page)
{
    const uint64_t *counters = component->counters;
    ps_page_format(
        page,
        "; %s %s under way, %s %s in open batches; events received %s, accepted %s, dropped %s, malformed "
        "%s, thrown away %s",
        number(component->held).text, ps_quantity_word(component->held, "batch", "batches"),
        number(component->open_events).text, ps_quantity_word(component->open_events, "event", "events"),
        number(counters[PS_COUNTER_EventReceivedCount]).text,
        number(counters[PS_COUNTER_EventAcceptedCount]).text, number(counters[PS_COUNTER_dropped]).text,
        number(counters[PS_COUNTER_malformed]).text, number(counters[PS_COUNTER_discarded]).text);
    letters_words(component, page);
    if (counters[PS_COUNTER_OpenConnectionCount] > 0)
        ps_page_format(
            page, "; %s %s", number(counters[PS_COUNTER_OpenConnectionCount]).text,
            ps_quantity_word(counters[PS_COUNTER_OpenConnectionCount], "connection", "connections"));
}

/* "; in group g1: left out for 3.2 s more, because it failed" */
static void member_words(const struct ps_metrics_component *component, struct ps_page *page)
{
    static const char *const words[] = {[PS_METRICS_MEMBER_NOT] = "not decided yet",
                                        [PS_METRICS_MEMBER_ACTIVE] = "active",
                                        [PS_METRICS_MEMBER_STANDBY] = "stands by",
                                        [PS_METRICS_MEMBER_PENALISED] = "left out, because it failed"};
    if (component->group == NULL)
        return;
    ps_page_format(page, "; in group %s: %s", component->group, words[component->member]);
    if (component->penalty_ns > 0)
        ps_page_format(page, ", for %s more", duration(component->penalty_ns).text);
}

static void sink_words(const struct ps_metrics_component *component, struct ps_page *page)
{
    const uint64_t *counters = component->counters;
    ps_page_format(
        page, "; holds %s leases; events taken %s, delivered %s, retried %s, refused %s, possibly doubled %s",
        number(component->held).text, number(counters[PS_COUNTER_EventDrainAttemptCount]).text,
        number(counters[PS_COUNTER_EventDrainSuccessCount]).text, number(counters[PS_COUNTER_retried]).text,
        number(counters[PS_COUNTER_refused]).text, number(counters[PS_COUNTER_duplicated]).text);
    letters_words(component, page);
}

/* "; its own: slow_writes 3, write_longest_us 312,000": the counters that are not 0. */
static void own_words(const struct ps_metrics_component *component, struct ps_page *page)
{
    const char *before = "; its own: ";
    for (unsigned own = 0; component->extra != NULL && component->extra[own] != NULL; own++) {
        const char *name = component->extra[own];
        size_t length = strlen(name);
        uint64_t value = component->counters[PS_COUNTER_extra + own];
        if (value == 0)
            continue;
        if (ps_text_ends(name, "_now"))
            length -= strlen("_now");
        ps_page_format(page, "%s%.*s %s", before, (int)length, name, number(value).text);
        before = ", ";
    }
}

static void channel_words(const struct ps_metrics *metrics, const struct ps_metrics_component *component,
                          struct ps_page *page)
{
    const struct ps_fill *fill = &component->fill;
    ps_page_format(page, "%s of %s %s, %s", number(fill->size).text, number(fill->capacity).text,
                   ps_quantity_word(fill->capacity, "event", "events"), size(fill->bytes).text);
    for (size_t i = 0; i < metrics->ring_count; i++) {
        const struct ps_metrics_ring *ring = &metrics->rings[i];
        if (strcmp(ring->channel, component->name) == 0)
            ps_page_format(page, "; ring of producer %u: %s of %s leases", ring->producer,
                           number(ring->size).text, number(ring->capacity).text);
    }
}

static void component_line(const struct ps_metrics *metrics, const struct ps_metrics_component *component,
                           struct ps_page *page)
{
    if (component->kind != PS_KIND_SOURCE && component->kind != PS_KIND_CHANNEL &&
        component->kind != PS_KIND_SINK)
        /* an interceptor or selector has no line: the lines of the workers show which component they call */
        return;
    component_head(component, page);
    if (component->kind == PS_KIND_CHANNEL) {
        channel_words(metrics, component, page);
    } else {
        state_words(metrics, component, page);
        if (component->kind == PS_KIND_SOURCE)
            source_words(component, page);
        else
            sink_words(component, page);
        member_words(component, page);
        own_words(component, page);
    }
    ps_page_text(page, "\n");
}

void ps_metrics_dump(const struct ps_metrics *metrics, uint64_t mono_ns, struct ps_page *page)
{
    process_lines(metrics, page);
    for (size_t i = 0; i < metrics->worker_count; i++)
        worker_line(&metrics->workers[i], mono_ns, page);
    for (size_t i = 0; i < metrics->component_count; i++)
        component_line(metrics, &metrics->components[i], page);
    if (metrics->process.exchanging)
        ps_page_text(page, "a reload replaces sources and sinks now: they are not in this dump\n");
}
