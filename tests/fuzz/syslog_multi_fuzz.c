/* The multi-port syslog parser: any bytes, any keepFields, eventSize and character set. It must stay
 * inside the bytes and consume all of them except an unfinished line. Input: keepFields and character set
 * (1 byte), eventSize (1), then the bytes. */
#include <stdlib.h>
#include <string.h>

#include "core/flow/bump.h"
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

static volatile uint8_t sink;

/* Reads every byte of an event. */
static void look(const struct ps_batch *batch)
{
    for (uint32_t i = 0; i < batch->count; i++) {
        const struct ps_event *event = &batch->events[i];
        for (uint32_t k = 0; k < event->body_length; k++)
            sink = (uint8_t)event->body[k];
        unsigned headers = 0;
        for (const struct ps_header *header = event->headers; header != NULL; header = header->next) {
            for (uint32_t k = 0; k < header->value_length; k++)
                sink = (uint8_t)header->value[k];
            headers++;
        }
        PS_ASSERT(headers >= 1 && headers <= 7);
    }
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
    uint32_t length = (uint32_t)size - 2, at = 0;
    uint64_t failed = 0;
    struct ps_syslog_multi parser;
    struct ps_bump bump;
    char *copy = malloc(length + 1U);
    PS_ASSERT(copy != NULL);
    memcpy(copy, data + 2, length);
    ps_syslog_multi_init(&parser, &rules);
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
        if (parsed == PS_PARSED_ADDED || parsed == PS_PARSED_DROPPED) {
            PS_ASSERT(used > 0);
            continue;
        }
        PS_ASSERT(batch->count > 0 && used == 0);
        look(batch);
        ps_batch_give(batch);
        batch = ps_batch_take(&bump, (struct ps_now){0, 0});
    }
    PS_ASSERT(length - at < rules.size_max);
    look(batch);
    ps_batch_give(batch);
    ps_bump_fini(&bump);
    free(copy);
    return 0;
}
