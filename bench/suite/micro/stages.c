/* The cost of interceptors and selectors per event. One iteration is one event. */
#include <stdio.h>
#include <string.h>

#include "bench/suite/harness.h"
#include "bench/suite/micro/micro.h"
#include "core/engine/runner.h"

#define EVENTS 250
#define BODY_BYTES 120
#define LINE_BYTES 256
#define LOG_LINES 4096 /* too many for branch predictors to learn them */
#define ROUTES 4

/* the channels of selectors */
static const char *const channel_names[ROUTES] = {"c1", "c2", "c3", "c4"};
static const struct ps_texts channels = {ROUTES, channel_names};

/* Makes events with three headers, one of which, `h`, has four values. */
static struct ps_batch *batch_make(struct ps_bench_harness *harness, bool headers)
{
    static const char body[BODY_BYTES] = "body";
    static const char *const values[] = {"alpha", "beta", "gamma", "delta"};
    struct ps_batch *batch = ps_batch_take(&harness->bump, harness->now);
    PS_ASSERT(batch != NULL);
    for (unsigned i = 0; i < EVENTS; i++) {
        struct ps_event *event = ps_batch_add_copy(batch, body, BODY_BYTES);
        PS_ASSERT(event != NULL);
        if (!headers)
            continue;
        const char *value = values[i * 7 / 3 % 4];
        PS_ASSERT(ps_batch_header_add(batch, event, ps_name_intern("h"), value, (uint32_t)strlen(value)) &&
                  ps_batch_header_add(batch, event, ps_name_intern("timestamp"), "1700000000000", 13) &&
                  ps_batch_header_add(batch, event, ps_name_intern("host"), "web1.example.org", 16));
    }
    ps_batch_close(batch);
    return batch;
}

/* ---- interceptors: each iteration makes a new batch; that cost is measured separately, to be subtracted
 * ---- */

static struct ps_batch *plain_make(struct ps_bench_harness *harness)
{
    return batch_make(harness, false);
}

static void chain_run(struct ps_micro *micro, const char *name, const char *const *keys,
                      struct ps_batch *(*make)(struct ps_bench_harness *harness))
{
    struct ps_bench_harness harness;
    ps_bench_harness_init(&harness, UINT64_C(64) << 20);
    if (name != NULL)
        ps_bench_harness_open(&harness, PS_KIND_INTERCEPTOR, name, channels, keys);
    while (ps_micro_batch(micro, EVENTS)) {
        struct ps_batch *batch = make(&harness);
        if (name != NULL)
            PS_ASSERT(harness.ops->interceptor->work(harness.plan, harness.state, ps_batch_chain(batch),
                                                     &harness.now) == PS_DONE);
        ps_batch_give(batch);
    }
    ps_bench_harness_fini(&harness);
}

static void interceptor_run(struct ps_micro *micro, const char *name, const char *const *keys)
{
    chain_run(micro, name, keys, plain_make);
}

static void bench_no_interceptor(struct ps_micro *micro)
{
    interceptor_run(micro, NULL, NULL);
}

static void bench_timestamp(struct ps_micro *micro)
{
    interceptor_run(micro, "timestamp", (const char *const[]){NULL});
}

static unsigned drawn(uint64_t *random, unsigned limit)
{
    *random = *random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)((*random >> 33) % limit);
}

/* Writes log lines; of their levels 4 % are WARN, of their statuses half are 200 or 404. */
static void log_write(char *lines)
{
    static const unsigned statuses[] = {200, 200, 200, 404, 204, 301, 304, 500};
    static const char *const services[] = {"checkout", "payment", "inventory", "shipping"};
    static const char *const words[] = {"request", "from",    "cache",   "was",   "taken", "after",
                                        "retry",   "reading", "timeout", "shard", "flush", "worker"};
    uint64_t random = 20261120;
    for (unsigned i = 0; i < LOG_LINES; i++) {
        char *line = lines + (size_t)i * (LINE_BYTES + 1), text[2 * LINE_BYTES];
        size_t length = (size_t)snprintf(
            text, sizeof text,
            "time=2026-11-20T09:%02u:%02u.%03uZ level=%s host=web%u.eu.example path=/items/%u user=%s "
            "status=%u "
            "service=%s ms=%u msg=\"",
            drawn(&random, 60), drawn(&random, 60), drawn(&random, 1000),
            drawn(&random, 25) == 0 ? "WARN" : "INFO", drawn(&random, 40), drawn(&random, 10000),
            words[drawn(&random, PS_COUNT_OF(words))], statuses[drawn(&random, PS_COUNT_OF(statuses))],
            services[drawn(&random, PS_COUNT_OF(services))], drawn(&random, 1000));
        while (length < LINE_BYTES)
            length += (size_t)snprintf(text + length, sizeof text - length, "%s ",
                                       words[drawn(&random, PS_COUNT_OF(words))]);
        memcpy(line, text, LINE_BYTES);
        line[LINE_BYTES] = '\n';
    }
}

/* Makes a batch of the next lines of the log, one after the other with newlines between, as sources leave them. */
static struct ps_batch *lines_make(struct ps_bench_harness *harness)
{
    static char lines[LOG_LINES * (LINE_BYTES + 1)];
    static unsigned at;
    if (lines[0] == '\0')
        log_write(lines);
    at = at + EVENTS > LOG_LINES ? 0 : at;
    uint32_t taken;
    struct ps_batch *batch =
        ps_bench_harness_batch(harness, lines + (size_t)at * (LINE_BYTES + 1), LINE_BYTES, EVENTS, &taken);
    PS_ASSERT(taken == EVENTS);
    at += EVENTS;
    return batch;
}

static void lines_run(struct ps_micro *micro, const char *name, const char *const *keys)
{
    chain_run(micro, name, keys, lines_make);
    ps_micro_bytes(micro, LINE_BYTES);
}

static void bench_no_interceptor_lines(struct ps_micro *micro)
{
    lines_run(micro, NULL, NULL);
}

static void filter_run(struct ps_micro *micro, const char *regex, const char *exclude)
{
    lines_run(micro, "regex_filter", (const char *const[]){"regex", regex, "excludeEvents", exclude, NULL});
}

static void bench_filter_none(struct ps_micro *micro)
{
    filter_run(micro, "/healthz", "true");
}

/* 4 % */
static void bench_filter_few(struct ps_micro *micro)
{
    filter_run(micro, "level=WARN", "true");
}

static void bench_filter_half(struct ps_micro *micro)
{
    filter_run(micro, "status=(200|404)", "false");
}

static void extractor_run(struct ps_micro *micro, const char *regex)
{
    lines_run(micro, "regex_extractor",
              (const char *const[]){"regex", regex, "serializers", "u s v m", "serializers.u.name", "user",
                                    "serializers.s.name", "status", "serializers.v.name", "service",
                                    "serializers.m.name", "ms", NULL});
}

static void bench_extractor_all(struct ps_micro *micro)
{
    extractor_run(micro, "user=([a-z]+) status=([0-9]+) service=([a-z]+) ms=([0-9]+)");
}

static void bench_extractor_none(struct ps_micro *micro)
{
    extractor_run(micro, "owner=([a-z]+) code=([0-9]+) unit=([a-z]+) took=([0-9]+)");
}

/* ---- selectors ---- */

static void selector_run(struct ps_micro *micro, const char *name, const char *const *keys)
{
    struct ps_bench_harness harness;
    ps_bench_harness_init(&harness, UINT64_C(64) << 20);
    ps_bench_harness_open(&harness, PS_KIND_SELECTOR, name, channels, keys);
    struct ps_batch *batch = batch_make(&harness, true);
    while (ps_micro_batch(micro, EVENTS)) {
        struct ps_route *route = ps_route_create(ROUTES);
        PS_ASSERT(harness.ops->selector->work(harness.plan, harness.state, ps_batch_chain(batch), route,
                                              &harness.now) == PS_DONE);
        ps_route_destroy(route);
    }
    ps_batch_give(batch);
    ps_bench_harness_fini(&harness);
}

static void bench_replicating(struct ps_micro *micro)
{
    selector_run(micro, "replicating", (const char *const[]){NULL});
}

static void bench_multiplexing(struct ps_micro *micro)
{
    selector_run(micro, "multiplexing",
                 (const char *const[]){"header", "h", "mapping.alpha", "c1", "mapping.beta", "c2",
                                       "mapping.gamma", "c3", "default", "c4", NULL});
}

void ps_micro_stages(void)
{
    ps_micro_add("interceptor/none_new_batch", bench_no_interceptor);
    ps_micro_add("interceptor/timestamp_new_batch", bench_timestamp);
    ps_micro_add("interceptor/none_new_lines", bench_no_interceptor_lines);
    ps_micro_add("interceptor/regex_filter_none_match", bench_filter_none);
    ps_micro_add("interceptor/regex_filter_few_match", bench_filter_few);
    ps_micro_add("interceptor/regex_filter_half_match", bench_filter_half);
    ps_micro_add("interceptor/regex_extractor_all_match", bench_extractor_all);
    ps_micro_add("interceptor/regex_extractor_none_match", bench_extractor_none);
    ps_micro_add("selector/replicating", bench_replicating);
    ps_micro_add("selector/multiplexing", bench_multiplexing);
}
