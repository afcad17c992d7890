/* The cost of the small stages per event: interceptors, selectors, serializers, escapes. One iteration is one
 * event. */
#include <stdio.h>
#include <string.h>

#include "bench/suite/harness.h"
#include "bench/suite/micro/micro.h"
#include "core/engine/runner.h"
#include "stages/lib/text/escape.h"

#define EVENTS 250
#define BODY_BYTES 120
#define LINE_BYTES 256
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

static void bench_uuid(struct ps_micro *micro)
{
    interceptor_run(micro, "uuid", (const char *const[]){NULL});
}

/* Makes log lines one after the other with newlines between, as sources leave them. */
static struct ps_batch *lines_make(struct ps_bench_harness *harness)
{
    static char lines[EVENTS * (LINE_BYTES + 1)];
    if (lines[0] == '\0') {
        memset(lines, '.', sizeof lines);
        for (unsigned i = 0; i < EVENTS; i++) {
            char *line = lines + (size_t)i * (LINE_BYTES + 1), head[200];
            int length = snprintf(head, sizeof head,
                                  "2024-05-06T07:08:09Z web%u app[%u]: method=GET path=/items/%u status=%u "
                                  "bytes=%u user=u%u ",
                                  i % 4, 1000 + i, i * 37, i % 8 == 0 ? 404 : 201, i * 101, i % 50);
            memcpy(line, head, (size_t)length);
            line[LINE_BYTES] = '\n';
        }
    }
    struct ps_batch *batch = ps_batch_take(&harness->bump, harness->now);
    PS_ASSERT(batch != NULL);
    uint32_t room;
    char *bytes = ps_batch_reserve(batch, sizeof lines, &room);
    PS_ASSERT(bytes != NULL);
    memcpy(bytes, lines, sizeof lines);
    ps_batch_commit(batch, sizeof lines);
    for (unsigned i = 0; i < EVENTS; i++)
        PS_ASSERT(ps_batch_add(batch, bytes + (size_t)i * (LINE_BYTES + 1), LINE_BYTES) != NULL);
    ps_batch_close(batch);
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

/* One event in eight is kept. */
static void bench_one_filter(struct ps_micro *micro)
{
    lines_run(micro, "regex_filter", (const char *const[]){"regex", "status=(200|404)", NULL});
}

static void extractor4_run(struct ps_micro *micro, const char *regex)
{
    lines_run(micro, "regex_extractor",
              (const char *const[]){"regex", regex, "serializers", "s1 s2 s3 s4", "serializers.s1.name",
                                    "method", "serializers.s2.name", "path", "serializers.s3.name", "status",
                                    "serializers.s4.name", "bytes", NULL});
}

static void bench_extractor4(struct ps_micro *micro)
{
    extractor4_run(micro, "method=(\\w+) path=(\\S+) status=(\\d+) bytes=(\\d+)");
}

static void bench_extractor4_no_match(struct ps_micro *micro)
{
    extractor4_run(micro, "method=(\\w+) path=(\\S+) status=(5\\d+) bytes=(\\d+)");
}

/* One event in eight is changed. */
static void bench_search_replace(struct ps_micro *micro)
{
    lines_run(micro, "search_replace",
              (const char *const[]){"searchPattern", "status=404", "replaceString", "status=gone", NULL});
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

/* ---- serializers ---- */

static bool count_bytes(struct ps_output *, const void *, size_t)
{
    return true;
}

static void serializer_run(struct ps_micro *micro, const char *name, const char *const *keys)
{
    struct ps_bench_harness harness;
    ps_bench_harness_init(&harness, UINT64_C(64) << 20);
    ps_bench_harness_open(&harness, PS_KIND_SERIALIZER, name, channels, keys);
    const struct ps_serializer_ops *ops = harness.ops->serializer;
    struct ps_output output = {.write = count_bytes};
    struct ps_batch *batch = batch_make(&harness, true);
    PS_ASSERT(ops->begin == NULL || ops->begin(harness.plan, harness.state, &output));
    while (ps_micro_batch(micro, EVENTS)) {
        for (unsigned i = 0; i < EVENTS; i++)
            PS_ASSERT(ops->event(harness.plan, harness.state, batch, &batch->events[i], &output));
        PS_ASSERT(ops->flush == NULL || ops->flush(harness.plan, harness.state, &output));
    }
    ps_micro_bytes(micro, BODY_BYTES);
    ps_batch_give(batch);
    ps_bench_harness_fini(&harness);
}

static void bench_text(struct ps_micro *micro)
{
    serializer_run(micro, "text", (const char *const[]){NULL});
}

static void bench_header_and_text(struct ps_micro *micro)
{
    serializer_run(micro, "header_and_text", (const char *const[]){NULL});
}

static void bench_avro(struct ps_micro *micro)
{
    serializer_run(micro, "avro_event", (const char *const[]){NULL});
}

static void bench_avro_snappy(struct ps_micro *micro)
{
    serializer_run(micro, "avro_event", (const char *const[]){"compressionCodec", "snappy", NULL});
}

/* ---- escapes ---- */

static void escape_run(struct ps_micro *micro, const char *pattern)
{
    struct ps_bench_harness harness;
    ps_bench_harness_init(&harness, UINT64_C(64) << 20);
    struct ps_err err;
    const struct ps_escape *escape = ps_escape_compile(harness.arena, pattern, NULL, &err);
    PS_ASSERT(escape != NULL);
    struct ps_escape_cache *cache = ps_arena_alloc(harness.arena, sizeof *cache);
    struct ps_batch *batch = batch_make(&harness, true);
    while (ps_micro_batch(micro, EVENTS)) {
        for (unsigned i = 0; i < EVENTS; i++) {
            char out[256];
            uint32_t length;
            PS_ASSERT(ps_escape_expand(escape, cache, batch, &batch->events[i], &harness.now, out, sizeof out,
                                       &length) == PS_ESCAPE_OK);
        }
    }
    ps_batch_give(batch);
    ps_bench_harness_fini(&harness);
}

static void bench_escape_header(struct ps_micro *micro)
{
    escape_run(micro, "topic-%{h}");
}

static void bench_escape_times(struct ps_micro *micro)
{
    escape_run(micro, "logs/%{host}/%Y-%m-%d/%H%M");
}

void ps_micro_stages(void)
{
    ps_micro_add("interceptor/none_new_batch", bench_no_interceptor);
    ps_micro_add("interceptor/timestamp_new_batch", bench_timestamp);
    ps_micro_add("interceptor/uuid_new_batch", bench_uuid);
    ps_micro_add("interceptor/none_new_lines", bench_no_interceptor_lines);
    ps_micro_add("interceptor/one_filter_new_lines", bench_one_filter);
    ps_micro_add("interceptor/extractor4_new_lines", bench_extractor4);
    ps_micro_add("interceptor/extractor4_no_match_new_lines", bench_extractor4_no_match);
    ps_micro_add("interceptor/search_replace_new_lines", bench_search_replace);
    ps_micro_add("selector/replicating", bench_replicating);
    ps_micro_add("selector/multiplexing", bench_multiplexing);
    ps_micro_add("serializer/text", bench_text);
    ps_micro_add("serializer/header_and_text", bench_header_and_text);
    ps_micro_add("serializer/avro_event", bench_avro);
    ps_micro_add("serializer/avro_event_snappy", bench_avro_snappy);
    ps_micro_add("escape/topic_header", bench_escape_header);
    ps_micro_add("escape/path_with_times", bench_escape_times);
}
