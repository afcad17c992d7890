/* The two syslog parsers, including headers, and splitting at newlines alone. One iteration is one message of
 * 120 bytes. */
#include <stdio.h>
#include <string.h>

#include "bench/suite/harness.h"
#include "bench/suite/micro/micro.h"
#include "stages/lib/syslog/multi.h"
#include "stages/lib/syslog/single.h"

#define MESSAGES 1000
#define MESSAGE_BYTES 120

/* The head of a message has one of 8 priorities and one of `hosts` hosts, in turn. */
static const char *const heads[2] = {"<%u>Nov 20 09:00:00 web-%02u app[812]: ",
                                     "<%u>1 2026-11-20T09:00:00.123Z web-%02u app 812 - - "};

struct harness {
    struct ps_bench_harness memory;
    struct ps_syslog_single_rules single;
    struct ps_syslog_multi_rules multi;
    char text[MESSAGES * MESSAGE_BYTES];
};

static void harness_make(struct harness *harness, unsigned format, unsigned hosts, bool multi)
{
    bool known;
    char head[MESSAGE_BYTES];
    memset(harness, 0, sizeof *harness);
    ps_bench_harness_init(&harness->memory, UINT64_C(64) << 20);
    const struct ps_time_zone *zone = ps_time_zone_load(harness->memory.arena, "UTC", &known);
    if (multi) {
        ps_syslog_names_init(&harness->multi.names, true);
        harness->multi.zone = zone;
        harness->multi.size_max = 2500;
    } else {
        ps_syslog_names_init(&harness->single.names, false);
        harness->single.zone = zone;
        harness->single.size_max = 2500;
    }
    for (unsigned i = 0; i < MESSAGES; i++) {
        char *message = harness->text + (size_t)i * MESSAGE_BYTES;
        memset(message, 'x', MESSAGE_BYTES);
        int length = snprintf(head, sizeof head, heads[format], 128 + (hosts > 1 ? i % 8 : 6), i / 8 % hosts);
        memcpy(message, head, (size_t)length);
        message[MESSAGE_BYTES - 1] = '\n';
    }
}

/* Works as a source does: the bytes from `from` on are written into the block, then parsed in place. */
static struct ps_batch *batch_read(struct harness *harness, uint32_t from, char **bytes)
{
    uint32_t room, length = (uint32_t)sizeof harness->text - from;
    struct ps_batch *batch = ps_batch_take(&harness->memory.bump, (struct ps_now){0, 0});
    PS_ASSERT(batch != NULL);
    *bytes = ps_batch_reserve(batch, length, &room);
    PS_ASSERT(*bytes != NULL);
    memcpy(*bytes, harness->text + from, length);
    ps_batch_commit(batch, length);
    return batch;
}

static void run_single(struct ps_micro *micro, unsigned format, unsigned hosts, unsigned keep)
{
    struct harness harness;
    struct ps_syslog_single parser;
    harness_make(&harness, format, hosts, false);
    harness.single.keep = keep;
    PS_ASSERT(ps_syslog_single_init(&parser, &harness.single));
    ps_syslog_time_now(&parser.time, 1795165362859);
    while (ps_micro_batch(micro, MESSAGES)) {
        uint32_t from = 0, used;
        while (from < sizeof harness.text) { /* once, or twice if many headers fill a block */
            char *bytes;
            struct ps_batch *batch = batch_read(&harness, from, &bytes);
            while (from < sizeof harness.text &&
                   ps_syslog_single_next(&parser, batch, bytes, (uint32_t)sizeof harness.text - from, NULL,
                                         &used) == PS_PARSED_ADDED) {
                bytes += used;
                from += used;
            }
            PS_ASSERT(batch->count > 0);
            ps_batch_give(batch);
        }
    }
    ps_micro_bytes(micro, MESSAGE_BYTES);
    ps_syslog_single_fini(&parser);
    ps_bench_harness_fini(&harness.memory);
}

static void bench_single_3164(struct ps_micro *micro)
{
    run_single(micro, 0, 1, 0);
}

static void bench_single_5424(struct ps_micro *micro)
{
    run_single(micro, 1, 1, 0);
}

static void bench_single_whole(struct ps_micro *micro)
{
    run_single(micro, 0, 1, PS_KEEP_ALL);
}

static void bench_single_64_heads(struct ps_micro *micro)
{
    run_single(micro, 0, 8, 0);
}

static void bench_single_512_heads(struct ps_micro *micro)
{
    run_single(micro, 0, 64, 0);
}

static void bench_single_5424_512_heads(struct ps_micro *micro)
{
    run_single(micro, 1, 64, 0);
}

static void run_multi(struct ps_micro *micro, unsigned format, unsigned hosts)
{
    struct harness harness;
    struct ps_syslog_multi parser;
    struct ps_charset charset;
    struct ps_transcoder transcoder;
    uint64_t failed = 0;
    harness_make(&harness, format, hosts, true);
    PS_ASSERT(ps_charset_find("UTF-8", &charset, NULL) == PS_OK);
    PS_ASSERT(ps_transcoder_open(&transcoder, &charset, NULL) == PS_OK);
    ps_syslog_multi_init(&parser, &harness.multi);
    ps_syslog_time_now(&parser.time, 1795165362859);
    while (ps_micro_batch(micro, MESSAGES)) {
        uint32_t from = 0, used;
        while (from < sizeof harness.text) {
            char *bytes;
            struct ps_batch *batch = batch_read(&harness, from, &bytes);
            while (from < sizeof harness.text &&
                   ps_syslog_multi_next(&parser, batch, &transcoder, bytes,
                                        (uint32_t)sizeof harness.text - from, NULL, &used,
                                        &failed) == PS_PARSED_ADDED) {
                bytes += used;
                from += used;
            }
            PS_ASSERT(batch->count > 0 && failed == 0);
            ps_batch_give(batch);
        }
    }
    ps_micro_bytes(micro, MESSAGE_BYTES);
    ps_transcoder_close(&transcoder);
    ps_bench_harness_fini(&harness.memory);
}

static void bench_multi_3164(struct ps_micro *micro)
{
    run_multi(micro, 0, 1);
}

static void bench_multi_5424(struct ps_micro *micro)
{
    run_multi(micro, 1, 1);
}

static void bench_multi_512_heads(struct ps_micro *micro)
{
    run_multi(micro, 0, 64);
}

/* The cost of splitting alone: memchr over the same bytes. */
static void bench_split(struct ps_micro *micro)
{
    struct harness harness;
    harness_make(&harness, 0, 1, false);
    while (ps_micro_batch(micro, MESSAGES)) {
        char *bytes;
        struct ps_batch *batch = batch_read(&harness, 0, &bytes);
        char *at = bytes, *end = bytes + sizeof harness.text, *newline;
        while ((newline = memchr(at, '\n', (size_t)(end - at))) != NULL) {
            PS_ASSERT(ps_batch_add(batch, at, (uint32_t)(newline - at)) != NULL);
            at = newline + 1;
        }
        ps_batch_give(batch);
    }
    ps_micro_bytes(micro, MESSAGE_BYTES);
    ps_bench_harness_fini(&harness.memory);
}

void ps_micro_syslog(void)
{
    ps_micro_add("syslog/copy_and_split", bench_split);
    ps_micro_add("syslog/single_rfc3164", bench_single_3164);
    ps_micro_add("syslog/single_rfc5424", bench_single_5424);
    ps_micro_add("syslog/single_rfc3164_keep_all", bench_single_whole);
    ps_micro_add("syslog/single_rfc3164_64_heads", bench_single_64_heads);
    ps_micro_add("syslog/single_rfc3164_512_heads", bench_single_512_heads);
    ps_micro_add("syslog/single_rfc5424_512_heads", bench_single_5424_512_heads);
    ps_micro_add("syslog/multi_rfc3164_512_heads", bench_multi_512_heads);
    ps_micro_add("syslog/multi_rfc3164", bench_multi_3164);
    ps_micro_add("syslog/multi_rfc5424", bench_multi_5424);
}
