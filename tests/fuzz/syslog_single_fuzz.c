/* The single-port syslog parser: any bytes, cut anywhere, any keepFields and eventSize. It must stay inside
 * the bytes, consume all of them, and make the same events wherever they are cut, and whether an event has the head of
 * the one before it or a batch of its own. Input: keepFields and
 * mode (1 byte), eventSize (1), where to cut (1), then the bytes. */
#include <stdlib.h>
#include <string.h>

#include "core/fnv.h"
#include "core/flow/bump.h"
#include "stages/lib/syslog/single.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct {
    struct ps_arena *arena;
    const struct ps_time_zone *zone;
    struct ps_depot *depot;
    struct ps_pool *pool;
    struct ps_syslog_names names;
    struct ps_syslog_format *format;
} made;

static void make(void)
{
    static const struct ps_pair items[] = {
        {.key = "regex", .value = "<(\\d+)>(\\w*) ?\\[([^\\]]*)\\] (\\S+) (.*)"},
        {.key = "search", .value = "([+-]\\d\\d):"},
        {.key = "replace", .value = "$1"},
        {.key = "dateFormat", .value = "dd/MMM/yyyy:HH:mm:ss Z"}};
    const struct ps_pairs pairs = {PS_COUNT_OF(items), items};
    bool known;
    made.arena = ps_arena_create();
    made.zone = ps_time_zone_load(made.arena, "Europe/Berlin", &known);
    made.depot = ps_depot_create(UINT64_C(16) << 20, NULL);
    made.pool = ps_pool_create(made.depot, 0);
    ps_syslog_names_init(&made.names, false);
    made.format = ps_syslog_format_create(&pairs, NULL, NULL);
    PS_ASSERT(made.format != NULL);
}

struct result {
    uint64_t hash;
    uint32_t events, left;
};

static uint64_t mix(uint64_t hash, const char *bytes, size_t length)
{
    return ps_fnv64(ps_fnv64(hash, bytes, length), &length, sizeof length);
}

static uint64_t mix_event(uint64_t hash, const struct ps_event *event)
{
    hash = mix(hash, event->body, event->body_length);
    for (const struct ps_header *header = event->headers; header != NULL; header = header->next) {
        hash = mix(hash, header->name->text, header->name->length);
        hash = mix(hash, header->value, header->value_length);
    }
    return hash;
}

static void look(struct result *result, const struct ps_batch *batch)
{
    for (uint32_t i = 0; i < batch->count; i++)
        result->hash = mix_event(result->hash, &batch->events[i]);
    result->events += batch->count;
}

/* Parses `length` bytes, first only up to `cut`, as a stream delivers them. `alone`: each event has a batch of its own. */
static struct result run(const struct ps_syslog_single_rules *rules, const char *bytes, uint32_t length,
                         uint32_t cut, bool alone)
{
    struct result result = {.hash = 1};
    struct ps_syslog_single parser;
    struct ps_bump bump;
    uint32_t at = 0, end = cut;
    char *copy = malloc(length + 1U);
    PS_ASSERT(copy != NULL && ps_syslog_single_init(&parser, rules));
    memcpy(copy, bytes, length);
    ps_syslog_time_now(&parser.time, 1700000000000);
    ps_bump_init(&bump, made.pool);
    struct ps_batch *batch = ps_batch_take(&bump, (struct ps_now){0, 0});
    for (;;) {
        uint32_t used = 0;
        enum ps_parsed parsed = ps_syslog_single_next(&parser, batch, copy + at, end - at, NULL, &used);
        PS_ASSERT(used <= end - at);
        at += used;
        if (parsed == PS_PARSED_FULL || parsed == PS_PARSED_MEMORY)
            PS_ASSERT(batch->count > 0 && used == 0);
        if (parsed == PS_PARSED_FULL || parsed == PS_PARSED_MEMORY || (parsed == PS_PARSED_ADDED && alone)) {
            look(&result, batch);
            ps_batch_give(batch);
            batch = ps_batch_take(&bump, (struct ps_now){0, 0});
        }
        if (parsed == PS_PARSED_FULL || parsed == PS_PARSED_MEMORY)
            continue;
        if (parsed == PS_PARSED_PARTIAL && end < length) {
            end = length;
            continue;
        }
        if (parsed == PS_PARSED_PARTIAL || rules->datagrams)
            break;
    }
    look(&result, batch);
    result.left = end - at;
    PS_ASSERT(rules->datagrams || result.left < rules->size_max);
    ps_batch_give(batch);
    ps_bump_fini(&bump);
    ps_syslog_single_fini(&parser);
    free(copy);
    return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (made.pool == NULL)
        make();
    if (size < 3 || size > 65536)
        return 0;
    const struct ps_syslog_single_rules rules = {
        .names = made.names,
        .zone = made.zone,
        .keep = data[0] & 31,
        .size_max = data[1] < PS_SYSLOG_SIZE_MIN ? PS_SYSLOG_SIZE_MIN : data[1] * 8U,
        .datagrams = data[0] & 32,
        .format = data[0] & 64 ? made.format : NULL,
    };
    uint32_t length = (uint32_t)size - 3, cut = data[2] < length ? data[2] : length;
    const char *bytes = (const char *)data + 3;
    struct result whole = run(&rules, bytes, length, length, false);
    for (int alone = 0; alone < 2 && !rules.datagrams; alone++) {
        struct result parts = run(&rules, bytes, length, cut, alone);
        PS_ASSERT(whole.hash == parts.hash && whole.events == parts.events && whole.left == parts.left);
    }
    return 0;
}
