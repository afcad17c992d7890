/* Health: what /livez, /readyz and penstock_component_up say about a snapshot. */
#include "core/watch/metrics/metrics.h"
#include "core/quantity.h"

#include <string.h>

bool ps_metrics_live(const struct ps_metrics *metrics, uint64_t mono_ns, struct ps_page *page)
{
    bool live = true;
    for (size_t i = 0; i < metrics->worker_count; i++) {
        const struct ps_metrics_worker *worker = &metrics->workers[i];
        uint64_t quiet_ns = mono_ns > worker->heartbeat_ns ? mono_ns - worker->heartbeat_ns : 0;
        if (worker->parked || quiet_ns < PS_METRICS_STUCK_NS)
            continue;
        live = false;
        ps_page_format(page, "worker %u is stuck: it has completed no cycle for %s\n", worker->id,
                       ps_quantity_print_ns(quiet_ns).text);
    }
    return live;
}

static bool component_is_stalled(const struct ps_metrics *metrics,
                                 const struct ps_metrics_component *component)
{
    uint64_t limit_ns = metrics->process.stall_limit_ns;
    return limit_ns > 0 && component->stalled_ns >= limit_ns;
}

/* Failures in a row that are ordinary: a server restarts, a connection ends. */
#define TROUBLES_MAX 2U

static bool component_is_failing(const struct ps_metrics_component *component)
{
    return component->trouble_count > TROUBLES_MAX || component->stuck_ms != 0;
}

/* A server that restarts is gone for some seconds, and the events of its sink wait. */
#define SINK_LACK_NS (10 * PS_NS_PER_S)

static bool component_lacks(const struct ps_metrics *metrics, const struct ps_metrics_component *component)
{
    if (component->lack <= PS_LACK_INPUT)
        return false;
    return component->kind != PS_KIND_SINK ||
           (metrics->process.stall_limit_ns > 0 && component->lack_ns >= SINK_LACK_NS);
}

bool ps_metrics_component_is_up(const struct ps_metrics *metrics,
                                const struct ps_metrics_component *component)
{
    bool refuses = component->kind == PS_KIND_CHANNEL && component->outdated != NULL;
    return component->state == PS_METRICS_OPEN && !component_lacks(metrics, component) && !refuses &&
           !component_is_failing(component) && !component_is_stalled(metrics, component);
}

static const char *what_it_is(enum ps_metrics_state state)
{
    return state == PS_METRICS_OPENING  ? "is not open"
           : state == PS_METRICS_HALTED ? "has stopped reading"
                                        : "is closed";
}

/* Appends " (since 2026-11-29T16:00:00Z)"; nothing for 0. */
static void since(int64_t wall_ms, struct ps_page *page)
{
    char text[32];
    if (wall_ms != 0 && ps_utc_print(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", wall_ms / 1000) > 0)
        ps_page_format(page, " (since %s)", text);
}

/* Appends the line of a component that lacks something. */
static void lack_line(const struct ps_metrics_component *component, struct ps_page *page)
{
    ps_page_format(page, "%s %s %s", ps_stage_kind_word(component->kind), component->name,
                   ps_lack_text(component->lack, component->kind == PS_KIND_SINK));
    ps_page_format(page, "%s%s", component->error != NULL ? ": " : "",
                   component->error != NULL ? component->error : "");
    since(component->since_ms, page);
    ps_page_text(page, "\n");
}

/* Appends the words about a sink whose attempts fail, for the rest of its line. */
static void failing_words(const struct ps_metrics_component *component, struct ps_page *page)
{
    const char *reason = component->error != NULL ? component->error : "no reason is known";
    if (component->trouble_count > TROUBLES_MAX) {
        ps_page_format(page, "has failed %u %s in a row: %s", component->trouble_count,
                       ps_quantity_word(component->trouble_count, "time", "times"), reason);
        return;
    }
    ps_page_format(page, "delivers events, but tries some in vain: %s", reason);
    since(component->stuck_ms, page);
}

static void component_problem(const struct ps_metrics_component *component, struct ps_page *page)
{
    if (component->kind == PS_KIND_CHANNEL && component->outdated != NULL)
        return; /* it has its line */
    if (component->state == PS_METRICS_OPEN && component->lack > PS_LACK_INPUT) {
        lack_line(component, page);
        return;
    }
    ps_page_format(page, "%s %s ", ps_stage_kind_word(component->kind), component->name);
    if (component->state == PS_METRICS_OPEN && component_is_failing(component))
        failing_words(component, page);
    else if (component->state == PS_METRICS_OPEN)
        ps_page_format(page, "has events, but has delivered none for %s",
                       ps_quantity_print_ns(component->stalled_ns).text);
    else {
        ps_page_format(page, "%s%s%s", what_it_is(component->state), component->error != NULL ? ": " : "",
                       component->error != NULL ? component->error : "");
        since(component->since_ms, page);
    }
    ps_page_text(page, "\n");
}

/* Returns whether another sink of this sink's group can deliver the events that this sink cannot deliver. */
static bool group_delivers(const struct ps_metrics *metrics, const struct ps_metrics_component *component)
{
    for (size_t i = 0; i < metrics->component_count && component->group != NULL; i++) {
        const struct ps_metrics_component *other = &metrics->components[i];
        if (other != component && other->group != NULL && strcmp(other->group, component->group) == 0 &&
            other->member != PS_METRICS_MEMBER_PENALISED && ps_metrics_component_is_up(metrics, other))
            return true;
    }
    return false;
}

/* Appends a line when the sink is left out. A failed sink is open while it is tried again, but a group whose sinks have
 * all failed becomes ready only when one of them delivers. Returns whether the sink's group delivers. */
static bool member_note(const struct ps_metrics *metrics, const struct ps_metrics_component *component,
                        struct ps_page *page)
{
    if (component->member != PS_METRICS_MEMBER_PENALISED)
        return true;
    bool delivers = group_delivers(metrics, component);
    ps_page_format(page, "sink %s is left out of group %s, because the sink failed; %s\n", component->name,
                   component->group,
                   delivers ? "another sink of the group delivers" : "no other sink of the group delivers");
    return delivers;
}

bool ps_metrics_ready(const struct ps_metrics *metrics, uint64_t mono_ns, struct ps_page *page)
{
    bool ready = !metrics->process.stopping;
    if (!ready)
        ps_page_text(page, "the agent is stopping\n");
    if (metrics->process.reload_failure != NULL) {
        ready = false;
        ps_page_format(page, "the last reload failed; the agent still runs the previous configuration: %s\n",
                       metrics->process.reload_failure);
    }
    /* A component that is left out gets only a line, and is not a failure, if its channel has other sources and sinks
     * (`cut` is false). */
    if (metrics->process.dropped != NULL)
        ps_page_text(page, metrics->process.dropped);
    ready &= !metrics->process.cut;
    for (size_t i = 0; i < metrics->component_count; i++) {
        const struct ps_metrics_component *component = &metrics->components[i];
        if (component->outdated != NULL) {
            ready = false;
            ps_page_format(page, "%s %s: %s\n", ps_stage_kind_word(component->kind), component->name,
                           component->outdated);
        }
        if (ps_metrics_component_is_up(metrics, component)) {
            ready &= member_note(metrics, component, page);
            if (component->lack != PS_LACK_NONE)
                lack_line(component, page);
            continue;
        }
        ready &= group_delivers(metrics, component);
        component_problem(component, page);
    }
    return ps_metrics_live(metrics, mono_ns, page) && ready;
}
