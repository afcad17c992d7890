/* Computes the view of top from two scrapes. Samples are matched by their whole label text, which the exporter writes the
 * same way each time. */
#include "commands/top/top.h"

#include "core/clock.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define LABEL_BYTES 600U
#define BUCKETS_MAX 64U

struct look {
    struct top_view *view;
    const struct ps_scrape *before, *now; /* before: NULL when there is no earlier scrape */
    double seconds;                       /* time between the scrapes */
};

/* ---- samples ---- */

static double rate_of(const struct look *look, const char *name, const char *labels)
{
    if (look->before == NULL || look->seconds <= 0)
        return 0;
    double now = ps_scrape_value(look->now, name, labels, 0),
           before = ps_scrape_value(look->before, name, labels, 0);
    return now > before ? (now - before) / look->seconds : 0;
}

/* Copies the raw `component="..."` of a sample's labels, escapes kept, into `text`. */
static bool component_label(const char *labels, char *text, size_t room)
{
    const char *from = strstr(labels, "component=\"");
    if (from == NULL)
        return false;
    const char *end = from + strlen("component=\"");
    while (*end != '\0' && *end != '"')
        end += *end == '\\' && end[1] != '\0' ? 2 : 1;
    size_t length = (size_t)(end - from) + 1;
    if (*end != '"' || length >= room)
        return false;
    memcpy(text, from, length);
    text[length] = '\0';
    return true;
}

static const char *label_text(struct ps_arena *arena, const struct ps_scrape_sample *sample,
                              const char *label)
{
    char text[LABEL_BYTES];
    return ps_scrape_label(sample, label, text, sizeof text) ? ps_arena_text(arena, text) : "";
}

static bool is_up(const struct look *look, const char *kind, const char *component)
{
    char labels[LABEL_BYTES + 32];
    snprintf(labels, sizeof labels, "kind=\"%s\",%s", kind, component);
    return ps_scrape_value(look->now, "penstock_component_up", labels, 1) > 0;
}

/* ---- latency ---- */

struct bucket {
    double limit_s, count; /* the count includes all lower buckets; an infinite limit: all events */
};

static int bucket_compare(const void *left, const void *right)
{
    double a = ((const struct bucket *)left)->limit_s, b = ((const struct bucket *)right)->limit_s;
    return a < b ? -1 : a > b;
}

static size_t buckets_read(const struct look *look, const char *component, struct bucket *buckets)
{
    static const char name[] = "penstock_sink_latency_seconds_bucket";
    size_t count = 0, length = strlen(component);
    for (unsigned i = 0; i < look->now->count && count < BUCKETS_MAX; i++) {
        const struct ps_scrape_sample *sample = &look->now->samples[i];
        char limit[32];
        if (strcmp(sample->name, name) != 0 || strncmp(sample->labels, component, length) != 0 ||
            sample->labels[length] != ',' || !ps_scrape_label(sample, "le", limit, sizeof limit))
            continue;
        double before = look->before != NULL ? ps_scrape_value(look->before, name, sample->labels, 0) : 0;
        buckets[count++] = (struct bucket){strcmp(limit, "+Inf") == 0 ? INFINITY : strtod(limit, NULL),
                                           sample->value - before};
    }
    qsort(buckets, count, sizeof *buckets, bucket_compare);
    return count;
}

/* Returns a percentile; assumes that events are spread evenly between two limits. */
static double percentile(const struct bucket *buckets, size_t count, double share)
{
    double all = count > 0 ? buckets[count - 1].count : 0, lower_s = 0, below = 0;
    for (size_t i = 0; i < count && all > 0; i++) {
        if (buckets[i].count >= share * all) {
            double within = buckets[i].count - below;
            return isinf(buckets[i].limit_s)
                       ? INFINITY
                       : lower_s + (buckets[i].limit_s - lower_s) *
                                       (within > 0 ? (share * all - below) / within : 1);
        }
        lower_s = buckets[i].limit_s;
        below = buckets[i].count;
    }
    return -1;
}

/* ---- components ---- */

#define LIST_PUSH(view, items, count)                                                                        \
    ((view)->items = ps_arena_grow((view)->arena, (view)->items, (view)->count, sizeof *(view)->items),      \
     &(view)->items[(view)->count++])

static void source_read(const struct look *look, const char *name, const char *type, const char *labels,
                        double instances)
{
    struct top_source *source = LIST_PUSH(look->view, sources, source_count);
    double waits =
        rate_of(look, "penstock_source_blocked_seconds_total", labels) / (instances > 0 ? instances : 1);
    *source = (struct top_source){
        .name = name,
        .type = type,
        .up = is_up(look, "source", labels),
        .received_s = rate_of(look, "penstock_source_events_received_total", labels),
        .bytes_s = rate_of(look, "penstock_source_bytes_total", labels),
        .dropped_s = rate_of(look, "penstock_source_events_dropped_total", labels) +
                     rate_of(look, "penstock_source_events_kernel_dropped_total", labels),
        .failed_s = rate_of(look, "penstock_source_events_malformed_total", labels) +
                    rate_of(look, "penstock_source_event_read_failures_total", labels) +
                    rate_of(look, "penstock_source_channel_write_failures_total", labels) +
                    rate_of(look, "penstock_source_processing_failures_total", labels),
        .waits = waits < 1 ? waits : 1,
        .connections = ps_scrape_value(look->now, "penstock_source_open_connections", labels, 0),
    };
}

static void channel_read(const struct look *look, const char *name, const char *type, const char *labels)
{
    struct top_channel *channel = LIST_PUSH(look->view, channels, channel_count);
    *channel = (struct top_channel){
        .name = name,
        .type = type,
        .size = ps_scrape_value(look->now, "penstock_channel_size_events", labels, 0),
        .capacity = ps_scrape_value(look->now, "penstock_channel_capacity_events", labels, 0),
        .put_s = rate_of(look, "penstock_channel_events_put_total", labels),
        .taken_s = rate_of(look, "penstock_channel_events_taken_total", labels),
    };
}

static void sink_read(const struct look *look, const char *name, const char *type, const char *labels)
{
    struct bucket buckets[BUCKETS_MAX];
    size_t count = buckets_read(look, labels, buckets);
    struct top_sink *sink = LIST_PUSH(look->view, sinks, sink_count);
    *sink = (struct top_sink){
        .name = name,
        .type = type,
        .up = is_up(look, "sink", labels),
        .delivered_s = rate_of(look, "penstock_sink_events_delivered_total", labels),
        .bytes_s = rate_of(look, "penstock_sink_bytes_total", labels),
        .retried_s = rate_of(look, "penstock_sink_events_retried_total", labels),
        .failed_s = rate_of(look, "penstock_sink_event_write_failures_total", labels) +
                    rate_of(look, "penstock_sink_events_refused_total", labels) +
                    rate_of(look, "penstock_sink_channel_read_failures_total", labels) +
                    rate_of(look, "penstock_sink_connections_failed_total", labels),
        .p50_s = percentile(buckets, count, 0.5),
        .p99_s = percentile(buckets, count, 0.99),
    };
}

static void components_read(const struct look *look)
{
    struct ps_arena *arena = look->view->arena;
    for (unsigned i = 0; i < look->now->count; i++) {
        const struct ps_scrape_sample *sample = &look->now->samples[i];
        char labels[LABEL_BYTES];
        bool info = strcmp(sample->name, "penstock_component_info") == 0;
        bool link = strcmp(sample->name, "penstock_component_channel_info") == 0;
        if ((!info && !link) || !component_label(sample->labels, labels, sizeof labels))
            continue;
        const char *kind = label_text(arena, sample, "kind"), *name = label_text(arena, sample, "component");
        if (link) {
            struct top_link *found = LIST_PUSH(look->view, links, link_count);
            *found =
                (struct top_link){strcmp(kind, "source") == 0, name, label_text(arena, sample, "channel")};
            continue;
        }
        const char *type = label_text(arena, sample, "type");
        if (strcmp(kind, "source") == 0)
            source_read(look, name, type, labels, strtod(label_text(arena, sample, "instances"), NULL));
        else if (strcmp(kind, "channel") == 0)
            channel_read(look, name, type, labels);
        else if (strcmp(kind, "sink") == 0)
            sink_read(look, name, type, labels);
    }
}

/* ---- the process ---- */

static void workers_read(const struct look *look)
{
    struct top_view *view = look->view;
    for (unsigned i = 0; i < look->now->count; i++) {
        const struct ps_scrape_sample *sample = &look->now->samples[i];
        if (strcmp(sample->name, "penstock_worker_busy_seconds_total") != 0)
            continue;
        double busy = rate_of(look, sample->name, sample->labels);
        view->worker_count++;
        if (view->busiest_worker != NULL && busy <= view->busiest)
            continue;
        view->busiest = busy < 1 ? busy : 1;
        view->busiest_worker = label_text(view->arena, sample, "worker");
    }
}

void ps_top_view(struct top_view *view, struct ps_arena *arena, const struct ps_scrape *before,
                 const struct ps_scrape *now)
{
    double started = ps_scrape_value(now, "process_start_time_seconds", NULL, 0);
    if (before != NULL && ps_scrape_value(before, "process_start_time_seconds", NULL, 0) != started)
        before = NULL; /* another process: its counters began at 0 */
    const struct look look = {view, before, now, before != NULL ? now->at_s - before->at_s : 0};
    const struct ps_scrape_sample *build = ps_scrape_find(now, "penstock_build_info", NULL);
    *view = (struct top_view){
        .arena = arena,
        .agent = build != NULL ? label_text(arena, build, "agent") : "",
        .version = build != NULL ? label_text(arena, build, "version") : "",
        .cpu = rate_of(&look, "process_cpu_seconds_total", NULL),
        .used_bytes = ps_scrape_value(now, "penstock_memory_used_bytes", NULL, 0),
        .budget_bytes = ps_scrape_value(now, "penstock_memory_budget_bytes", NULL, 0),
        .reloads_failed = ps_scrape_value(now, "penstock_reloads_total", "result=\"failed\"", 0),
        .log_errors = ps_scrape_value(now, "penstock_log_lines_total", "level=\"error\"", 0),
        .log_warnings = ps_scrape_value(now, "penstock_log_lines_total", "level=\"warn\"", 0),
    };
    double up_s = (double)ps_clock_now().wall_ms / 1000 - started;
    view->uptime_s = up_s > 0 ? up_s : 0; /* the agent's clock may differ from this machine's */
    components_read(&look);
    workers_read(&look);
}
