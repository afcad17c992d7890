/* The two syslog parsers, including headers, and splitting at newlines alone. One iteration is one message of
 * 120 bytes. */
#include <stdio.h>
#include <string.h>

#include "core/flow/bump.h"
#include "bench/suite/micro/micro.h"
#include "stages/lib/syslog/multi.h"
#include "stages/lib/syslog/single.h"

#define MESSAGES 200
#define MESSAGE_BYTES 120

static const char *const heads[2] = {"<134>Nov 20 09:00:00 web-01 app[812]: ",
                                     "<134>1 2026-11-20T09:00:00.123Z web-01 app 812 - - "};

struct bed {
    struct ps_arena *arena;
    struct ps_depot *depot;
    struct ps_pool *pool;
    struct ps_bump bump;
    struct ps_syslog_single_rules single;
    struct ps_syslog_multi_rules multi;
    char text[MESSAGES * MESSAGE_BYTES];
};

static void bed_make(struct bed *bed, unsigned format, bool multi)
{
    bool known;
    memset(bed, 0, sizeof *bed);
    bed->arena = ps_arena_create();
    bed->depot = ps_depot_create(UINT64_C(64) << 20, NULL);
    bed->pool = ps_pool_create(bed->depot, 0);
    PS_ASSERT(bed->pool != NULL);
    ps_bump_init(&bed->bump, bed->pool);
    const struct ps_time_zone *zone = ps_time_zone_load(bed->arena, "UTC", &known);
    if (multi) {
        ps_syslog_names_init(&bed->multi.names, true);
        bed->multi.zone = zone;
        bed->multi.size_max = 2500;
    } else {
        ps_syslog_names_init(&bed->single.names, false);
        bed->single.zone = zone;
        bed->single.size_max = 2500;
    }
    for (unsigned i = 0; i < MESSAGES; i++) {
        char *message = bed->text + (size_t)i * MESSAGE_BYTES;
        memset(message, 'x', MESSAGE_BYTES);
        memcpy(message, heads[format], strlen(heads[format]));
        message[MESSAGE_BYTES - 1] = '\n';
    }
}

static void bed_free(struct bed *bed)
{
    ps_bump_fini(&bed->bump);
    ps_pool_destroy(bed->pool);
    ps_depot_destroy(bed->depot);
    ps_arena_destroy(bed->arena);
}

/* Works as a source does: the bytes are written into the block, then parsed in place. */
static struct ps_batch *batch_read(struct bed *bed, char **bytes)
{
    uint32_t room;
    struct ps_batch *batch = ps_batch_take(&bed->bump, (struct ps_now){0, 0});
    PS_ASSERT(batch != NULL);
    *bytes = ps_batch_reserve(batch, sizeof bed->text, &room);
    PS_ASSERT(*bytes != NULL);
    memcpy(*bytes, bed->text, sizeof bed->text);
    ps_batch_commit(batch, sizeof bed->text);
    return batch;
}

static void run_single(struct ps_micro *micro, unsigned format)
{
    struct bed bed;
    struct ps_syslog_single parser;
    bed_make(&bed, format, false);
    PS_ASSERT(ps_syslog_single_init(&parser, &bed.single));
    ps_syslog_time_now(&parser.time, 1795165362859);
    while (ps_micro_batch(micro, MESSAGES)) {
        char *bytes;
        struct ps_batch *batch = batch_read(&bed, &bytes);
        for (uint32_t at = 0, used; at < sizeof bed.text; at += used)
            PS_ASSERT(ps_syslog_single_next(&parser, batch, bytes + at, (uint32_t)sizeof bed.text - at, NULL,
                                            &used) != PS_PARSED_FULL);
        PS_ASSERT(batch->count == MESSAGES);
        ps_batch_give(batch);
    }
    ps_micro_bytes(micro, MESSAGE_BYTES);
    ps_syslog_single_fini(&parser);
    bed_free(&bed);
}

static void bench_single_3164(struct ps_micro *micro)
{
    run_single(micro, 0);
}

static void bench_single_5424(struct ps_micro *micro)
{
    run_single(micro, 1);
}

static void run_multi(struct ps_micro *micro, unsigned format)
{
    struct bed bed;
    struct ps_syslog_multi parser;
    struct ps_charset charset;
    struct ps_transcoder transcoder;
    uint64_t failed = 0;
    bed_make(&bed, format, true);
    PS_ASSERT(ps_charset_find("UTF-8", &charset, NULL) == PS_OK);
    PS_ASSERT(ps_transcoder_open(&transcoder, &charset, NULL) == PS_OK);
    ps_syslog_multi_init(&parser, &bed.multi);
    ps_syslog_time_now(&parser.time, 1795165362859);
    while (ps_micro_batch(micro, MESSAGES)) {
        char *bytes;
        struct ps_batch *batch = batch_read(&bed, &bytes);
        for (uint32_t at = 0, used; at < sizeof bed.text; at += used)
            PS_ASSERT(ps_syslog_multi_next(&parser, batch, &transcoder, bytes + at,
                                           (uint32_t)sizeof bed.text - at, NULL, &used,
                                           &failed) == PS_PARSED_ADDED);
        PS_ASSERT(batch->count == MESSAGES && failed == 0);
        ps_batch_give(batch);
    }
    ps_micro_bytes(micro, MESSAGE_BYTES);
    ps_transcoder_close(&transcoder);
    bed_free(&bed);
}

static void bench_multi_3164(struct ps_micro *micro)
{
    run_multi(micro, 0);
}

static void bench_multi_5424(struct ps_micro *micro)
{
    run_multi(micro, 1);
}

/* The cost of splitting alone: memchr over the same bytes. */
static void bench_split(struct ps_micro *micro)
{
    struct bed bed;
    bed_make(&bed, 0, false);
    while (ps_micro_batch(micro, MESSAGES)) {
        char *bytes;
        struct ps_batch *batch = batch_read(&bed, &bytes);
        char *at = bytes, *end = bytes + sizeof bed.text, *newline;
        while ((newline = memchr(at, '\n', (size_t)(end - at))) != NULL) {
            PS_ASSERT(ps_batch_add(batch, at, (uint32_t)(newline - at)) != NULL);
            at = newline + 1;
        }
        ps_batch_give(batch);
    }
    ps_micro_bytes(micro, MESSAGE_BYTES);
    bed_free(&bed);
}

void ps_micro_syslog(void)
{
    ps_micro_add("syslog/copy_and_split", bench_split);
    ps_micro_add("syslog/single_rfc3164", bench_single_3164);
    ps_micro_add("syslog/single_rfc5424", bench_single_5424);
    ps_micro_add("syslog/multi_rfc3164", bench_multi_3164);
    ps_micro_add("syslog/multi_rfc5424", bench_multi_5424);
}
