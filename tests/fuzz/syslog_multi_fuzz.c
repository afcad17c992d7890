/* The multi-port syslog parser: any bytes, any keepFields, eventSize and character set. It must stay
 * inside the bytes and consume all of them except an unfinished line. Input: keepFields and character set
 * (1 byte), eventSize (1), then the bytes. */
#include <stdlib.h>
#include <string.h>

#include "core/flow/bump.h"
#include "core/fnv.h"
#include "stages/lib/syslog/multi.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHARSETS 6

static struct {
    struct ps_arena *arena;
    const struct ps_time_zone *zone;
    struct ps_depot *depot;
    struct ps_pool *pool;
    struct ps_syslog_names names;
    struct ps_charset charsets[CHARSETS];
    struct ps_transcoder transcoders[CHARSETS];
} made;

static void make(void)
{
    static const char *const names[CHARSETS] = {"UTF-8",  "ISO-8859-1", "US-ASCII",
                                                "UTF-16", "Shift_JIS",  "UTF-16LE"};
    bool known;
    made.arena = ps_arena_create();
    made.zone = ps_time_zone_load(made.arena, "Asia/Kolkata", &known);
    made.depot = ps_depot_create(UINT64_C(16) << 20, NULL);
    made.pool = ps_pool_create(made.depot, 0);
    ps_syslog_names_init(&made.names, true);
    for (int i = 0; i < CHARSETS; i++) {
        PS_ASSERT(ps_charset_find(names[i], &made.charsets[i], NULL) == PS_OK);
        PS_ASSERT(ps_transcoder_open(&made.transcoders[i], &made.charsets[i], NULL) == PS_OK);
    }
}

/* Reads every byte of the events. Returns a sum of them. */
static uint64_t look(uint64_t sum, const struct ps_batch *batch)
{
    for (uint32_t i = 0; i < batch->count; i++) {
        const struct ps_event *event = &batch->events[i];
        sum = ps_fnv64(sum, event->body, event->body_length);
        unsigned headers = 0;
        for (const struct ps_header *header = event->headers; header != NULL; header = header->next) {
            sum = ps_fnv64(sum, header->name->text, header->name->length);
            sum = ps_fnv64(sum, header->value, header->value_length);
            headers++;
        }
        PS_ASSERT(headers >= 1 && headers <= 7);
    }
    return sum;
}

/* Parses the bytes. `alone`: each event has a batch of its own. Returns a sum of the events. */
static uint64_t run(const struct ps_syslog_multi_rules *rules, struct ps_transcoder *transcoder,
                    const char *bytes, uint32_t length, bool alone)
{
    uint32_t at = 0;
    uint64_t failed = 0, sum = 1;
    struct ps_syslog_multi parser;
    struct ps_bump bump;
    char *copy = malloc(length + 1U);
    PS_ASSERT(copy != NULL);
    memcpy(copy, bytes, length);
    ps_syslog_multi_init(&parser, rules);
    ps_syslog_time_now(&parser.time, 1700000000000);
    ps_bump_init(&bump, made.pool);
    struct ps_batch *batch = ps_batch_take(&bump, (struct ps_now){0, 0});
    for (;;) {
        uint32_t used = 0;
        enum ps_parsed parsed =
            ps_syslog_multi_next(&parser, batch, transcoder, copy + at, length - at, NULL, &used, &failed);
        PS_ASSERT(used <= length - at);
        at += used;
        if (parsed == PS_PARSED_PARTIAL)
            break;
        bool taken = parsed == PS_PARSED_ADDED || parsed == PS_PARSED_DROPPED;
        PS_ASSERT(taken ? used > 0 : batch->count > 0 && used == 0);
        if (taken && !alone)
            continue;
        sum = look(sum, batch);
        ps_batch_give(batch);
        batch = ps_batch_take(&bump, (struct ps_now){0, 0});
    }
    PS_ASSERT(length - at < rules->size_max);
    sum = look(sum, batch);
    ps_batch_give(batch);
    ps_bump_fini(&bump);
    free(copy);
    return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (made.pool == NULL)
        make();
    if (size < 2 || size > 65536)
        return 0;
    const struct ps_syslog_multi_rules rules = {
        .names = made.names,
        .zone = made.zone,
        .keep = data[0] & 31,
        .size_max = data[1] == 0 ? 1 : data[1] * 4U,
    };
    struct ps_transcoder *transcoder = &made.transcoders[(data[0] >> 5) % CHARSETS];
    const char *bytes = (const char *)data + 2;
    uint32_t length = (uint32_t)size - 2;
    PS_ASSERT(run(&rules, transcoder, bytes, length, false) == run(&rules, transcoder, bytes, length, true));
    return 0;
}
