/* The snapshot and Flume's JSON. Health is in core/watch/health.c, Prometheus' text is in
 * core/watch/metrics/prometheus.c. */
#include "core/watch/metrics/metrics.h"

#include "core/arena.h"
#include "core/watch/metrics/foreign.h"

#include <string.h>

static const char *text_copy(const struct ps_metrics *metrics, const char *text)
{
    return text != NULL ? ps_arena_text(metrics->arena, text) : NULL;
}

static void *bytes_copy(const struct ps_metrics *metrics, const void *bytes, size_t length)
{
    return length > 0 ? ps_arena_copy(metrics->arena, bytes, length) : NULL;
}

static const struct ps_histogram *histogram_copy(const struct ps_metrics *metrics,
                                                 const struct ps_histogram *histogram)
{
    if (histogram == NULL)
        return NULL;
    struct ps_histogram *copy = ps_arena_alloc(metrics->arena, sizeof *copy);
    ps_histogram_add(copy, histogram);
    return copy;
}

/* Copies a list that ends with NULL: a plug-in that has a component's texts may be unloaded while the snapshot is
 * served. */
static const char *const *words_copy(const struct ps_metrics *metrics, const char *const *words)
{
    if (words == NULL)
        return NULL;
    size_t count = 0;
    while (words[count] != NULL)
        count++;
    const char **copy = ps_arena_alloc(metrics->arena, (count + 1) * sizeof *copy);
    for (size_t i = 0; i < count; i++)
        copy[i] = text_copy(metrics, words[i]);
    return copy;
}

static const enum ps_counter *counters_copy(const struct ps_metrics *metrics, const enum ps_counter *counters)
{
    size_t count = 0;
    while (counters != NULL && counters[count++] != PS_COUNTER_COUNT)
        ;
    return bytes_copy(metrics, counters, count * sizeof *counters);
}

/* Returns a copy of a text; `copy_before` if the series before has the same text, as many series in a row do. */
static const char *shared_copy(const struct ps_metrics *metrics, const char *text, const char *before,
                               const char *copy_before)
{
    return text == before ? copy_before : text_copy(metrics, text);
}

static const struct ps_series *series_copy(const struct ps_metrics *metrics, const struct ps_series *series,
                                           size_t count)
{
    struct ps_series *copy = bytes_copy(metrics, series, count * sizeof *series);
    const struct ps_series none = {.name = NULL}, *before = &none, *copied = &none;
    for (size_t i = 0; i < count; i++, before = &series[i - 1], copied = &copy[i - 1]) {
        copy[i].name = shared_copy(metrics, series[i].name, before->name, copied->name);
        copy[i].help = shared_copy(metrics, series[i].help, before->help, copied->help);
        copy[i].label = shared_copy(metrics, series[i].label, before->label, copied->label);
        copy[i].label_value = text_copy(metrics, series[i].label_value);
    }
    return copy;
}

static void take_process(void *argument, const struct ps_metrics_process *process)
{
    struct ps_metrics *metrics = argument;
    metrics->process = *process;
    metrics->process.agent = text_copy(metrics, process->agent);
    metrics->process.reload_failure = text_copy(metrics, process->reload_failure);
    metrics->process.dropped = text_copy(metrics, process->dropped);
}

static void take_component(void *argument, const struct ps_metrics_component *component)
{
    struct ps_metrics *metrics = argument;
    metrics->components =
        ps_arena_grow(metrics->arena, metrics->components, metrics->component_count, sizeof *component);
    struct ps_metrics_component *copy = &metrics->components[metrics->component_count++];
    *copy = *component;
    copy->name = text_copy(metrics, component->name);
    copy->type = text_copy(metrics, component->type);
    copy->error = text_copy(metrics, component->error);
    copy->outdated = text_copy(metrics, component->outdated);
    copy->group = text_copy(metrics, component->group);
    copy->extra = words_copy(metrics, component->extra);
    copy->extra_help = words_copy(metrics, component->extra_help);
    copy->json_counters = counters_copy(metrics, component->json_counters);
    copy->latency_ns = histogram_copy(metrics, component->latency_ns);
    copy->send_latency_ns = histogram_copy(metrics, component->send_latency_ns);
    copy->batch_events = histogram_copy(metrics, component->batch_events);
    copy->series = series_copy(metrics, component->series, component->series_count);
}

static void take_link(void *argument, const struct ps_metrics_link *link)
{
    struct ps_metrics *metrics = argument;
    metrics->links = ps_arena_grow(metrics->arena, metrics->links, metrics->link_count, sizeof *link);
    metrics->links[metrics->link_count++] = (struct ps_metrics_link){
        link->kind, text_copy(metrics, link->component), text_copy(metrics, link->channel)};
}

static void take_ring(void *argument, const struct ps_metrics_ring *ring)
{
    struct ps_metrics *metrics = argument;
    metrics->rings = ps_arena_grow(metrics->arena, metrics->rings, metrics->ring_count, sizeof *ring);
    struct ps_metrics_ring *copy = &metrics->rings[metrics->ring_count++];
    *copy = *ring;
    copy->channel = text_copy(metrics, ring->channel);
}

static void take_worker(void *argument, const struct ps_metrics_worker *worker)
{
    struct ps_metrics *metrics = argument;
    metrics->workers = ps_arena_grow(metrics->arena, metrics->workers, metrics->worker_count, sizeof *worker);
    struct ps_metrics_worker *copy = &metrics->workers[metrics->worker_count++];
    *copy = *worker;
    copy->doing = text_copy(metrics, worker->doing);
}

void ps_metrics_take(struct ps_metrics *metrics, const struct ps_metrics_source *source)
{
    *metrics = (struct ps_metrics){.arena = ps_arena_create()};
    const struct ps_metrics_visitor visitor = {
        .argument = metrics,
        .process = take_process,
        .component = take_component,
        .link = take_link,
        .ring = take_ring,
        .worker = take_worker,
    };
    source->visit(source->argument, &visitor);
}

void ps_metrics_fini(struct ps_metrics *metrics)
{
    ps_arena_destroy(metrics->arena);
    *metrics = (struct ps_metrics){0};
}

/* ---- Flume's JSON ---- */

static void json_number(struct ps_page *page, const char *name, uint64_t value)
{
    ps_page_format(page, ",\"%s\":\"%llu\"", name, (unsigned long long)value);
}

static void json_counters(struct ps_page *page, const struct ps_metrics_component *component,
                          const enum ps_counter *counters)
{
    for (; *counters != PS_COUNTER_COUNT; counters++)
        json_number(page, ps_counter_name(*counters), component->counters[*counters]);
}

/* Writes the failure counters of Flume's general classes (SourceCounter, SinkCounter), or those of Flume's class for
 * this component. */
static void json_failures(struct ps_page *page, const struct ps_metrics_component *component,
                          const enum ps_counter *general)
{
    json_counters(page, component, component->json_counters != NULL ? component->json_counters : general);
}

#define C(name) PS_COUNTER_##name

static void json_source(struct ps_page *page, const struct ps_metrics_component *component)
{
    static const enum ps_counter common[] = {C(EventReceivedCount),       C(EventAcceptedCount),
                                             C(AppendReceivedCount),      C(AppendAcceptedCount),
                                             C(AppendBatchReceivedCount), C(AppendBatchAcceptedCount),
                                             C(OpenConnectionCount),      C(COUNT)};
    static const enum ps_counter failures[] = {C(EventReadFail), C(ChannelWriteFail),
                                               C(GenericProcessingFail), C(COUNT)};
    json_counters(page, component, common);
    json_failures(page, component, failures);
}

static void json_sink(struct ps_page *page, const struct ps_metrics_component *component)
{
    static const enum ps_counter common[] = {
        C(ConnectionCreatedCount), C(ConnectionClosedCount),  C(ConnectionFailedCount),
        C(BatchEmptyCount),        C(BatchUnderflowCount),    C(BatchCompleteCount),
        C(EventDrainAttemptCount), C(EventDrainSuccessCount), C(COUNT)};
    static const enum ps_counter failures[] = {C(EventWriteFail), C(ChannelReadFail), C(COUNT)};
    json_counters(page, component, common);
    json_failures(page, component, failures);
}

static void json_channel(struct ps_page *page, const struct ps_metrics_component *component)
{
    static const enum ps_counter counters[] = {C(EventPutAttemptCount), C(EventPutSuccessCount),
                                               C(EventTakeAttemptCount), C(EventTakeSuccessCount), C(COUNT)};
    const struct ps_fill *fill = &component->fill;
    json_number(page, "ChannelSize", fill->size);
    json_number(page, "ChannelCapacity", fill->capacity);
    ps_page_text(page, ",\"ChannelFillPercentage\":\"");
    /* ChannelCounter.getChannelFillPercentage: Double.MAX_VALUE without a capacity. */
    ps_page_java_double(page, fill->capacity != 0 ? (double)fill->size / (double)fill->capacity * 100
                                                  : __DBL_MAX__);
    ps_page_text(page, "\"");
    json_counters(page, component, counters);
    if (component->json_counters != NULL)
        json_counters(page, component, component->json_counters);
}

/* Writes an object with the attributes that another process has reported about the component. */
static void json_foreign(struct ps_page *page, const char *name, const char *attributes)
{
    const char *key, *value, *between = "";
    size_t key_length, value_length;
    ps_page_json(page, name, strlen(name));
    ps_page_text(page, ":{");
    while (ps_foreign_next(&attributes, &key, &key_length, &value, &value_length)) {
        ps_page_text(page, between);
        ps_page_json(page, key, key_length);
        ps_page_text(page, ":");
        ps_page_json(page, value, value_length);
        between = ",";
    }
    ps_page_text(page, "}");
}

static void json_component(struct ps_page *page, const char *type, const char *key,
                           const struct ps_metrics_component *component,
                           void (*fields)(struct ps_page *page, const struct ps_metrics_component *component))
{
    ps_page_json(page, key, strlen(key));
    ps_page_format(page, ":{\"Type\":\"%s\"", type);
    json_number(page, "StartTime", (uint64_t)component->start_ms);
    json_number(page, "StopTime", (uint64_t)component->stop_ms);
    fields(page, component);
    ps_page_text(page, "}");
}

void ps_metrics_json(const struct ps_metrics *metrics, struct ps_page *page)
{
    static const struct {
        const char *type;
        void (*fields)(struct ps_page *page, const struct ps_metrics_component *component);
    } kinds[PS_KIND_COUNT] = {
        [PS_KIND_SOURCE] = {"SOURCE", json_source},
        [PS_KIND_CHANNEL] = {"CHANNEL", json_channel},
        [PS_KIND_SINK] = {"SINK", json_sink},
    };
    struct ps_foreign foreign;
    const char *between = "";
    ps_foreign_take(&foreign);
    ps_page_text(page, "{");
    for (size_t i = 0; i < metrics->component_count; i++) {
        const struct ps_metrics_component *component = &metrics->components[i];
        const char *type = kinds[component->kind].type;
        struct ps_page key = {0};
        if (type == NULL)
            continue;
        ps_page_format(&key, "%s.%s", type, component->name);
        if (ps_foreign_find(&foreign, key.text) == NULL) { /* otherwise it follows below, with the metrics of
                                                            * its class */
            ps_page_text(page, between);
            json_component(page, type, key.text, component, kinds[component->kind].fields);
            between = ",";
        }
        ps_page_fini(&key);
    }
    for (size_t i = 0; i < foreign.component_count; i++, between = ",") {
        ps_page_text(page, between);
        json_foreign(page, foreign.components[i].name, foreign.components[i].attributes);
    }
    ps_page_text(page, "}");
    ps_foreign_fini(&foreign);
}
