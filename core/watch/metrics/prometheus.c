/* Prometheus text format 0.0.4. The families come in a fixed order, each with one HELP and one TYPE line.
 * Names follow Prometheus' conventions: base units, _total for counters. */
#include "core/text/ends.h"
#include "core/watch/metrics/foreign.h"
#include "core/watch/metrics/metrics.h"
#include "version.h"

#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define KIND(kind) (1U << PS_KIND_##kind)
#define EVERY_KIND (KIND(SOURCE) | KIND(INTERCEPTOR) | KIND(SELECTOR) | KIND(CHANNEL) | KIND(SINK))

struct family {
    enum ps_counter counter;
    unsigned kinds; /* bits: these kinds always get a sample; other kinds only if it is not 0 */
    const char *name;
    double scale; /* factor to the base unit; 0: an integer, not scaled */
    bool gauge;
    const char *help;
};

#define C(name) PS_COUNTER_##name

static const struct family families[] = {
    {C(EventReceivedCount), KIND(SOURCE), "events_received", 0, false, "Events received"},
    {C(EventAcceptedCount), KIND(SOURCE), "events_accepted", 0, false,
     "Events put into all required channels"},
    {C(AppendReceivedCount), KIND(SOURCE), "append_received", 0, false, "Single-event calls received"},
    {C(AppendAcceptedCount), KIND(SOURCE), "append_accepted", 0, false, "Single-event calls accepted"},
    {C(AppendBatchReceivedCount), KIND(SOURCE), "append_batches_received", 0, false, "Batches received"},
    {C(AppendBatchAcceptedCount), KIND(SOURCE), "append_batches_accepted", 0, false, "Batches accepted"},
    {C(OpenConnectionCount), KIND(SOURCE), "open_connections", 0, true, "Open connections"},
    {C(EventReadFail), KIND(SOURCE), "event_read_failures", 0, false, "Failures to read an event"},
    {C(ChannelWriteFail), KIND(SOURCE), "channel_write_failures", 0, false,
     "Failures to put a batch into a channel"},
    {C(GenericProcessingFail), KIND(SOURCE), "processing_failures", 0, false,
     "Other failures to handle input"},
    {C(KafkaEventGetTimer), 0, "kafka_get_seconds", 1e-3, false, "Seconds spent waiting for records"},
    {C(KafkaCommitTimer), 0, "kafka_commit_seconds", 1e-3, false, "Seconds spent committing offsets"},
    {C(KafkaEmptyCount), 0, "kafka_empty_polls", 0, false, "Polls that returned no record"},
    {C(ConnectionCreatedCount), KIND(SINK), "connections_created", 0, false, "Connections opened"},
    {C(ConnectionClosedCount), KIND(SINK), "connections_closed", 0, false, "Connections closed"},
    {C(ConnectionFailedCount), KIND(SINK), "connections_failed", 0, false, "Connections that failed"},
    {C(BatchEmptyCount), KIND(SINK), "batches_empty", 0, false, "Takes from an empty channel"},
    {C(BatchUnderflowCount), KIND(SINK), "batches_underflow", 0, false,
     "Batches smaller than the batch size"},
    {C(BatchCompleteCount), KIND(SINK), "batches_complete", 0, false, "Batches of the full batch size"},
    {C(EventDrainAttemptCount), KIND(SINK), "events_attempted", 0, false,
     "Events that a sink tried to deliver"},
    {C(EventDrainSuccessCount), KIND(SINK), "events_delivered", 0, false, "Events delivered"},
    {C(EventWriteFail), KIND(SINK), "event_write_failures", 0, false, "Failures to write"},
    {C(ChannelReadFail), KIND(SINK), "channel_read_failures", 0, false, "Failures to take from the channel"},
    {C(KafkaEventSendTimer), 0, "kafka_send_seconds", 1e-3, false,
     "Seconds from produce to delivery report, added up"},
    {C(RollbackCount), KIND(SINK), "rollbacks", 0, false, "Batches returned to the channel"},
    {C(EventPutAttemptCount), KIND(CHANNEL), "events_put_attempted", 0, false,
     "Events offered to the channel"},
    {C(EventPutSuccessCount), KIND(CHANNEL), "events_put", 0, false, "Events put into the channel"},
    {C(EventTakeAttemptCount), KIND(CHANNEL), "events_take_attempted", 0, false,
     "Events that sinks requested"},
    {C(EventTakeSuccessCount), KIND(CHANNEL), "events_taken", 0, false,
     "Events settled and removed from the channel"},
    {C(bytes), KIND(SOURCE) | KIND(SINK), "bytes", 0, false, "Bytes of bodies received or delivered"},
    {C(batches), KIND(SOURCE) | KIND(SINK), "batches", 0, false,
     "Batches put into channels (sources), leases settled (sinks)"},
    {C(dropped), EVERY_KIND, "events_dropped", 0, false,
     "Events dropped by an interceptor, without a route, or by a full optional channel"},
    {C(malformed), KIND(SOURCE), "events_malformed", 0, false, "Inputs that could not be parsed"},
    {C(discarded), KIND(SOURCE) | KIND(CHANNEL), "events_discarded", 0, false,
     "Inputs that were thrown away for their form, without a dead letter"},
    {C(kernel_dropped), KIND(SOURCE), "events_kernel_dropped", 0, false,
     "Datagrams that the kernel dropped before they were read"},
    {C(retried), KIND(SINK), "events_retried", 0, false, "Events sent again"},
    {C(refused), KIND(SINK), "events_refused", 0, false,
     "Events that the destination refused; they are retried"},
    {C(duplicated), KIND(SINK), "events_duplicated", 0, false, "Events that may have been delivered twice"},
    {C(deadletter), KIND(SOURCE) | KIND(SINK), "events_deadletter", 0, false,
     "Events and inputs that were given up and written to the dead letters"},
    {C(blocked_ns), KIND(SOURCE), "blocked_seconds", 1e-9, false, "Seconds spent waiting for a full channel"},
    {C(failures), KIND(SOURCE) | KIND(SINK), "failures", 0, false,
     "Failures to open the component, and failures while it was open; the agent opens it again after 3 s"},
};

static void number(struct ps_page *page, uint64_t value, double scale)
{
    if (scale == 0)
        ps_page_format(page, " %llu\n", (unsigned long long)value);
    else
        ps_page_format(page, " %.9g\n", (double)value * scale);
}

static void sample(struct ps_page *page, const char *name, const struct ps_metrics_component *component,
                   uint64_t value, double scale)
{
    ps_page_sample(page, name, "component", component->name, NULL);
    number(page, value, scale);
}

static void family_write(struct ps_page *page, const struct ps_metrics *metrics, enum ps_kind kind,
                         const struct family *family)
{
    char name[128];
    bool begun = false;
    snprintf(name, sizeof name, "penstock_%s_%s%s", ps_stage_kind_word(kind), family->name,
             family->gauge ? "" : "_total");
    for (size_t i = 0; i < metrics->component_count; i++) {
        const struct ps_metrics_component *component = &metrics->components[i];
        uint64_t value = component->counters[family->counter];
        bool shown = component->kind == kind && ((family->kinds & (1U << kind)) != 0 || value != 0);
        if (!shown)
            continue;
        if (!begun)
            ps_page_family(page, name, family->gauge ? "gauge" : "counter", family->help);
        begun = true;
        sample(page, name, component, value, family->scale);
    }
}

/* ---- counters of one stage type (ps_stage_ops.counters) ---- */

struct extra {
    char name[128];
    double scale;
    bool gauge;
};

/* Removes the end of a name. Returns false if the name ends otherwise. */
static bool cut_end(char *name, const char *end)
{
    if (!ps_text_ends(name, end))
        return false;
    name[strlen(name) - strlen(end)] = '\0';
    return true;
}

/* "queueSize_now" -> penstock_sink_queue_size (gauge); "rtt_us" -> penstock_sink_rtt_seconds_total. */
static struct extra extra_named(enum ps_kind kind, const char *text)
{
    static const struct {
        const char *end;
        double scale;
    } units[] = {{"_ns", 1e-9}, {"_us", 1e-6}, {"_ms", 1e-3}};
    struct extra extra = {0};
    char snake[64];
    size_t length = 0;
    for (const char *at = text; *at != '\0' && length < sizeof snake - 2; at++) {
        if (isupper((unsigned char)*at) && at > text && islower((unsigned char)at[-1]))
            snake[length++] = '_';
        snake[length++] = isalnum((unsigned char)*at) ? (char)tolower((unsigned char)*at) : '_';
    }
    snake[length] = '\0';
    extra.gauge = cut_end(snake, "_now");
    cut_end(snake, "_total");
    const char *unit = "";
    for (size_t i = 0; i < PS_COUNT_OF(units) && extra.scale == 0; i++) {
        if (cut_end(snake, units[i].end)) {
            extra.scale = units[i].scale;
            unit = "_seconds";
        }
    }
    snprintf(extra.name, sizeof extra.name, "penstock_%s_%s%s%s", ps_stage_kind_word(kind), snake, unit,
             extra.gauge ? "" : "_total");
    return extra;
}

/* Returns the help of this counter from the first component that has help for it. */
static const char *extra_help(const struct ps_metrics *metrics, enum ps_kind kind, const char *text,
                              bool gauge)
{
    for (size_t i = 0; i < metrics->component_count; i++) {
        const struct ps_metrics_component *component = &metrics->components[i];
        if (component->kind != kind || component->extra == NULL || component->extra_help == NULL)
            continue;
        for (unsigned own = 0; component->extra[own] != NULL && component->extra_help[own] != NULL; own++) {
            if (strcmp(component->extra[own], text) == 0)
                return component->extra_help[own];
        }
    }
    return gauge ? "Gauge of this component type, see its page"
                 : "Counter of this component type, see its page";
}

/* Writes a family of stage counters with the samples of all components, unless an earlier component has the
 * same counter: then the family is already written. */
static void extra_family(struct ps_page *page, const struct ps_metrics *metrics, size_t first,
                         const char *text)
{
    enum ps_kind kind = metrics->components[first].kind;
    struct extra extra = extra_named(kind, text);
    for (size_t i = 0; i < metrics->component_count; i++) {
        const struct ps_metrics_component *component = &metrics->components[i];
        if (component->kind != kind || component->extra == NULL)
            continue;
        for (unsigned own = 0; component->extra[own] != NULL; own++) {
            if (strcmp(component->extra[own], text) != 0)
                continue;
            if (i < first)
                return;
            if (i == first)
                ps_page_family(page, extra.name, extra.gauge ? "gauge" : "counter",
                               extra_help(metrics, kind, text, extra.gauge));
            sample(page, extra.name, component, component->counters[PS_COUNTER_extra + own], extra.scale);
        }
    }
}

static void extras_write(struct ps_page *page, const struct ps_metrics *metrics)
{
    for (size_t i = 0; i < metrics->component_count; i++) {
        const char *const *extra = metrics->components[i].extra;
        for (unsigned own = 0; extra != NULL && extra[own] != NULL; own++)
            extra_family(page, metrics, i, extra[own]);
    }
}

/* ---- numbers with a label ---- */

static bool series_written(const struct ps_metrics *metrics, size_t component, size_t number)
{
    const struct ps_metrics_component *mine = &metrics->components[component];
    for (size_t i = 0; i <= component; i++) {
        const struct ps_metrics_component *other = &metrics->components[i];
        size_t end = i == component ? number : other->series_count;
        for (size_t k = 0; k < end && other->kind == mine->kind; k++) {
            if (strcmp(other->series[k].name, mine->series[number].name) == 0)
                return true;
        }
    }
    return false;
}

/* Writes all series of one name, of components of one kind, from component `first` on. */
static void series_family(struct ps_page *page, const struct ps_metrics *metrics, size_t first,
                          const struct ps_series *series)
{
    char name[128];
    enum ps_kind kind = metrics->components[first].kind;
    snprintf(name, sizeof name, "penstock_%s_%s%s", ps_stage_kind_word(kind), series->name,
             series->gauge ? "" : "_total");
    ps_page_family(page, name, series->gauge ? "gauge" : "counter", series->help);
    for (size_t i = first; i < metrics->component_count; i++) {
        const struct ps_metrics_component *component = &metrics->components[i];
        for (size_t k = 0; k < component->series_count && component->kind == kind; k++) {
            const struct ps_series *item = &component->series[k];
            if (strcmp(item->name, series->name) != 0)
                continue;
            ps_page_sample(page, name, "component", component->name, item->label, item->label_value, NULL);
            ps_page_format(page, " %.15g\n", item->value);
        }
    }
}

static void series_write(struct ps_page *page, const struct ps_metrics *metrics)
{
    for (size_t i = 0; i < metrics->component_count; i++) {
        const struct ps_metrics_component *component = &metrics->components[i];
        for (size_t k = 0; k < component->series_count; k++) {
            /* Series of one name are adjacent or alternate in a short pattern, so this search ends early. */
            if (!series_written(metrics, i, k))
                series_family(page, metrics, i, &component->series[k]);
        }
    }
}

/* ---- histograms ---- */

static void histogram_write(struct ps_page *page, const char *name,
                            const struct ps_metrics_component *component,
                            const struct ps_histogram *histogram, const uint64_t *limits, size_t count,
                            double scale)
{
    struct ps_page label = {0};
    ps_page_text(&label, "component=");
    ps_page_label(&label, component->name);
    for (size_t i = 0; i < count; i++)
        ps_page_format(page, "%s_bucket{%s,le=\"%.9g\"} %llu\n", name, label.text, (double)limits[i] * scale,
                       (unsigned long long)ps_histogram_count_upto(histogram, limits[i]));
    unsigned long long all = ps_histogram_count_upto(histogram, UINT64_MAX);
    ps_page_format(page, "%s_bucket{%s,le=\"+Inf\"} %llu\n", name, label.text, all);
    ps_page_format(page, "%s_sum{%s} %.9g\n%s_count{%s} %llu\n", name, label.text,
                   (double)histogram->sum * scale, name, label.text, all);
    ps_page_fini(&label);
}

struct histogram_family {
    const char *name, *help; /* the name follows "penstock_sink_" and the like */
    size_t at;               /* of the pointer in struct ps_metrics_component */
    const uint64_t *limits;
    size_t limit_count;
    double scale;
};

static void histogram_family_write(struct ps_page *page, const struct ps_metrics *metrics, enum ps_kind kind,
                                   const struct histogram_family *family)
{
    char name[64];
    bool begun = false;
    snprintf(name, sizeof name, "penstock_%s_%s", ps_stage_kind_word(kind), family->name);
    for (size_t i = 0; i < metrics->component_count; i++) {
        const struct ps_metrics_component *component = &metrics->components[i];
        const struct ps_histogram *histogram;
        memcpy(&histogram, (const char *)component + family->at, sizeof histogram);
        if (component->kind != kind || histogram == NULL)
            continue;
        if (!begun)
            ps_page_family(page, name, "histogram", family->help);
        begun = true;
        histogram_write(page, name, component, histogram, family->limits, family->limit_count, family->scale);
    }
}

static void histograms_write(struct ps_page *page, const struct ps_metrics *metrics, enum ps_kind kind)
{
    static const uint64_t latencies_ns[] = {100000,      250000,      500000,     1000000,    2500000,
                                            5000000,     10000000,    25000000,   50000000,   100000000,
                                            250000000,   500000000,   1000000000, 2500000000, 5000000000,
                                            10000000000, 30000000000, 60000000000};
    static const uint64_t sizes[] = {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024};
    static const struct histogram_family histograms[] = {
        {"latency_seconds", "Seconds from reading an event to its delivery",
         offsetof(struct ps_metrics_component, latency_ns), latencies_ns, PS_COUNT_OF(latencies_ns), 1e-9},
        {"send_latency_seconds",
         "Seconds from reading an event to the last byte of its request in the socket; of the events of a "
         "request that are for one partition the oldest one",
         offsetof(struct ps_metrics_component, send_latency_ns), latencies_ns, PS_COUNT_OF(latencies_ns),
         1e-9},
        {"batch_events", "Events per batch", offsetof(struct ps_metrics_component, batch_events), sizes,
         PS_COUNT_OF(sizes), 1},
    };
    for (size_t i = 0; i < PS_COUNT_OF(histograms); i++)
        histogram_family_write(page, metrics, kind, &histograms[i]);
}

/* ---- components, channels, rings, workers ---- */

static void components_write(struct ps_page *page, const struct ps_metrics *metrics)
{
    ps_page_family(page, "penstock_component_info", "gauge", "Components and their types");
    for (size_t i = 0; i < metrics->component_count; i++) {
        const struct ps_metrics_component *component = &metrics->components[i];
        char instances[16];
        snprintf(instances, sizeof instances, "%u", component->instances);
        ps_page_sample(page, "penstock_component_info", "kind", ps_stage_kind_word(component->kind),
                       "component", component->name, "type", component->type, "instances", instances, NULL);
        number(page, 1, 0);
    }
    ps_page_family(
        page, "penstock_component_up", "gauge",
        "1 if the component is open and works: a sink delivers, a source reaches its input, a channel can "
        "write; else 0");
    for (size_t i = 0; i < metrics->component_count; i++) {
        const struct ps_metrics_component *component = &metrics->components[i];
        ps_page_sample(page, "penstock_component_up", "kind", ps_stage_kind_word(component->kind),
                       "component", component->name, NULL);
        number(page, ps_metrics_component_is_up(metrics, component), 0);
    }
}

/* Writes the state of each source: 1 for the state that it has, 0 for the others. */
static void states_write(struct ps_page *page, const struct ps_metrics *metrics)
{
    static const char *const states[] = {"reads", "nothing_to_read", "never_reached", "lost",
                                         "gone",  "not_open",        "halted",        "closed"};
    ps_page_family(page, "penstock_source_state", "gauge",
                   "1 for the state that the source has, 0 for the others");
    for (size_t i = 0; i < metrics->component_count; i++) {
        const struct ps_metrics_component *is = &metrics->components[i];
        size_t state = is->state == PS_METRICS_OPENING  ? 5
                       : is->state == PS_METRICS_HALTED ? 6
                       : is->state == PS_METRICS_CLOSED ? 7
                                                        : (size_t)is->lack;
        for (size_t k = 0; k < PS_COUNT_OF(states) && is->kind == PS_KIND_SOURCE; k++) {
            ps_page_sample(page, "penstock_source_state", "component", is->name, "state", states[k], NULL);
            number(page, state == k, 0);
        }
    }
}

/* Writes the roles of sinks in their groups. */
static void members_write(struct ps_page *page, const struct ps_metrics *metrics)
{
    static const char *const names[] = {"penstock_sink_group_active", "penstock_sink_group_penalty_seconds"};
    static const char *const helps[] = {
        "1 if the sink processor gives events to this sink as long as no sink of the group fails; else 0",
        "Remaining seconds for which the sink is left out of its group after a failure"};
    for (unsigned which = 0; which < 2; which++) {
        bool begun = false;
        for (size_t i = 0; i < metrics->component_count; i++) {
            const struct ps_metrics_component *component = &metrics->components[i];
            if (component->group == NULL)
                continue;
            if (!begun)
                ps_page_family(page, names[which], "gauge", helps[which]);
            begun = true;
            ps_page_sample(page, names[which], "group", component->group, "component", component->name, NULL);
            if (which == 0)
                number(page, component->member == PS_METRICS_MEMBER_ACTIVE, 0);
            else
                number(page, component->penalty_ns, 1e-9);
        }
    }
}

static void links_write(struct ps_page *page, const struct ps_metrics *metrics)
{
    if (metrics->link_count > 0)
        ps_page_family(page, "penstock_component_channel_info", "gauge",
                       "Channels that a source puts into, or a sink takes from");
    for (size_t i = 0; i < metrics->link_count; i++) {
        const struct ps_metrics_link *link = &metrics->links[i];
        ps_page_sample(page, "penstock_component_channel_info", "kind", ps_stage_kind_word(link->kind),
                       "component", link->component, "channel", link->channel, NULL);
        number(page, 1, 0);
    }
}

static void channels_write(struct ps_page *page, const struct ps_metrics *metrics)
{
    static const struct {
        const char *name, *help;
        size_t offset;
    } fields[] = {
        {"penstock_channel_size_events", "Events in the channel", offsetof(struct ps_fill, size)},
        {"penstock_channel_capacity_events", "Capacity in events", offsetof(struct ps_fill, capacity)},
        {"penstock_channel_size_bytes", "Bytes of bodies in the channel", offsetof(struct ps_fill, bytes)},
        {"penstock_channel_capacity_bytes", "Capacity in bytes of bodies, 0: no limit of its own",
         offsetof(struct ps_fill, bytes_capacity)},
    };
    for (size_t field = 0; field < PS_COUNT_OF(fields); field++) {
        ps_page_family(page, fields[field].name, "gauge", fields[field].help);
        for (size_t i = 0; i < metrics->component_count; i++) {
            const struct ps_metrics_component *component = &metrics->components[i];
            uint64_t value;
            memcpy(&value, (const char *)&component->fill + fields[field].offset, sizeof value);
            if (component->kind == PS_KIND_CHANNEL)
                sample(page, fields[field].name, component, value, 0);
        }
    }
}

static void rings_write(struct ps_page *page, const struct ps_metrics *metrics)
{
    static const char *const names[] = {"penstock_ring_size_leases", "penstock_ring_capacity_leases"};
    static const char *const helps[] = {"Leases in a ring between two workers",
                                        "Capacity of the ring in leases"};
    for (unsigned which = 0; which < 2 && metrics->ring_count > 0; which++) {
        ps_page_family(page, names[which], "gauge", helps[which]);
        for (size_t i = 0; i < metrics->ring_count; i++) {
            const struct ps_metrics_ring *ring = &metrics->rings[i];
            ps_page_format(page, "%s{channel=", names[which]);
            ps_page_label(page, ring->channel);
            ps_page_format(page, ",producer=\"%u\",consumer=\"%u\"}", ring->producer, ring->consumer);
            number(page, which == 0 ? ring->size : ring->capacity, 0);
        }
    }
}

static void workers_write(struct ps_page *page, const struct ps_metrics *metrics)
{
    static const struct {
        const char *name, *type, *help;
        size_t offset;
        double scale;
    } fields[] = {
        {"penstock_worker_cycles_total", "counter", "Duty cycles", offsetof(struct ps_metrics_worker, cycles),
         0},
        {"penstock_worker_busy_seconds_total", "counter", "Seconds spent working",
         offsetof(struct ps_metrics_worker, busy_ns), 1e-9},
        {"penstock_worker_idle_seconds_total", "counter", "Seconds spent spinning, yielding or parked",
         offsetof(struct ps_metrics_worker, idle_ns), 1e-9},
        {"penstock_worker_cycle_max_seconds", "gauge", "Seconds of the longest duty cycle since the start",
         offsetof(struct ps_metrics_worker, cycle_max_ns), 1e-9},
        {"penstock_worker_slow_cycles_total", "counter", "Duty cycles that took more than a millisecond",
         offsetof(struct ps_metrics_worker, slow_cycles), 0},
        {"penstock_worker_parks_total", "counter", "Times the worker parked",
         offsetof(struct ps_metrics_worker, parked_count), 0},
        {"penstock_worker_wakes_total", "counter", "Times the worker woke another one that was parked",
         offsetof(struct ps_metrics_worker, wake_count), 0},
        {"penstock_worker_batches_out", "gauge", "Batches of the worker's pool in use",
         offsetof(struct ps_metrics_worker, batches_out), 0},
        {"penstock_worker_blocks_cached", "gauge", "Free blocks in the worker's cache",
         offsetof(struct ps_metrics_worker, blocks_cached), 0},
    };
    for (size_t field = 0; field < PS_COUNT_OF(fields) && metrics->worker_count > 0; field++) {
        ps_page_family(page, fields[field].name, fields[field].type, fields[field].help);
        for (size_t i = 0; i < metrics->worker_count; i++) {
            const struct ps_metrics_worker *worker = &metrics->workers[i];
            uint64_t value;
            memcpy(&value, (const char *)worker + fields[field].offset, sizeof value);
            ps_page_format(page, "%s{worker=\"%u\",cpu=\"%d\"}", fields[field].name, worker->id, worker->cpu);
            number(page, value, fields[field].scale);
        }
    }
}

/* ---- the process ---- */

static void one(struct ps_page *page, const char *name, const char *type, const char *help, double value)
{
    ps_page_family(page, name, type, help);
    ps_page_format(page, "%s %.15g\n", name, value);
}

static double open_files(void)
{
    DIR *directory = opendir("/proc/self/fd");
    if (directory == NULL)
        return 0;
    double count = -3; /* without ".", ".." and the descriptor of `directory` */
    while (readdir(directory) != NULL)
        count++;
    closedir(directory);
    return count;
}

static double resident_bytes(void)
{
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (file == NULL)
        return 0;
    if (fscanf(file, "%*d %ld", &pages) != 1)
        pages = 0;
    fclose(file);
    return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

static void process_write(struct ps_page *page, const struct ps_metrics_process *process)
{
    static const char *const levels[] = {"trace", "debug", "info", "warn", "error"};
    struct rusage usage;
    struct rlimit files;
    getrusage(RUSAGE_SELF, &usage);
    getrlimit(RLIMIT_NOFILE, &files);
    ps_page_family(page, "penstock_build_info", "gauge", "Version of the program and name of the agent");
    ps_page_sample(page, "penstock_build_info", "version", PS_VERSION, "agent",
                   process->agent != NULL ? process->agent : "", NULL);
    number(page, 1, 0);
    one(page, "penstock_memory_budget_bytes", "gauge", "Bytes of the memory budget",
        (double)process->budget_bytes);
    one(page, "penstock_memory_used_bytes", "gauge", "Bytes used of the memory budget",
        (double)process->used_bytes);
    ps_page_family(page, "penstock_reloads_total", "counter", "Reloads of the configuration, by result");
    ps_page_format(
        page, "penstock_reloads_total{result=\"ok\"} %llu\npenstock_reloads_total{result=\"failed\"} %llu\n",
        (unsigned long long)process->reload_count, (unsigned long long)process->reload_failed_count);
    one(page, "penstock_configuration_reload_successful", "gauge",
        "0 after a failed reload (the previous configuration still runs), else 1",
        process->reload_failure == NULL);
    ps_page_family(page, "penstock_log_lines_total", "counter",
                   "Log lines, including those that the rate limit held back");
    for (unsigned level = PS_LOG_INFO; level <= PS_LOG_ERROR; level++)
        ps_page_format(page, "penstock_log_lines_total{level=\"%s\"} %llu\n", levels[level],
                       (unsigned long long)ps_log_count((enum ps_log_level)level));
    one(page, "penstock_log_messages", "gauge", "Different log messages", (double)ps_log_distinct_count());
    one(page, "process_start_time_seconds", "gauge", "Start time of the agent, in seconds since 1970",
        (double)process->start_ms / 1000);
    one(page, "process_cpu_seconds_total", "counter",
        "Seconds of CPU time of the whole process, user and system",
        (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
            (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6);
    one(page, "process_resident_memory_bytes", "gauge", "Bytes of resident memory", resident_bytes());
    one(page, "process_open_fds", "gauge", "Open file descriptors", open_files());
    one(page, "process_max_fds", "gauge", "Limit of file descriptors", (double)files.rlim_cur);
}

void ps_metrics_prometheus(const struct ps_metrics *metrics, struct ps_page *page)
{
    process_write(page, &metrics->process);
    ps_foreign_prometheus(page);
    components_write(page, metrics);
    states_write(page, metrics);
    members_write(page, metrics);
    links_write(page, metrics);
    for (unsigned kind = 0; kind < PS_KIND_COUNT; kind++) {
        for (size_t i = 0; i < PS_COUNT_OF(families); i++)
            family_write(page, metrics, (enum ps_kind)kind, &families[i]);
        histograms_write(page, metrics, (enum ps_kind)kind);
    }
    extras_write(page, metrics);
    series_write(page, metrics);
    channels_write(page, metrics);
    rings_write(page, metrics);
    workers_write(page, metrics);
}
