/* The framing of the syslog sources over TCP with the single-port parser: any bytes, cut anywhere, each penstock.framing
 * and eventSize. It must stay inside the bytes, use all of them except an unfinished message, make the same events wherever
 * they are cut, unless a sender lost count or its framing is guessed from a line without an end, and name the length of a message before it is parsed as it is then used. Input: the framing (1 byte),
 * eventSize (1), where to cut (1), then the bytes. If the first byte has its high bit, the bytes are the texts of right frames behind their lengths, and each is
 * a message wherever the bytes are cut. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/flow/bump.h"
#include "core/fnv.h"
#include "stages/lib/syslog/framing.h"
#include "stages/lib/syslog/single.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define HEAD_BYTES_MAX 16U /* of a length, a blank and a priority */

static struct {
    struct ps_arena *arena;
    const struct ps_time_zone *zone;
    struct ps_depot *depot;
    struct ps_pool *pool;
    struct ps_syslog_names names;
} made;

static void make(void)
{
    bool known;
    made.arena = ps_arena_create();
    made.zone = ps_time_zone_load(made.arena, "UTC", &known);
    made.depot = ps_depot_create(UINT64_C(16) << 20, NULL);
    made.pool = ps_pool_create(made.depot, 0);
    ps_syslog_names_init(&made.names, false);
}

struct run {
    struct ps_syslog_framing framing;
    struct ps_syslog_single parser;
    uint32_t bits; /* the connection's */
    struct ps_batch *batch;
    uint64_t hash;
    uint32_t events;
    bool lost; /* a frame was not where it was due: what is done then depends on what has come */
    bool
        guessed; /* so does where a message ends, if NULs or frames stand in a line without an end, or lines in a frame */
};

static void mix_batch(struct run *run)
{
    for (uint32_t i = 0; i < run->batch->count; i++) {
        const struct ps_event *event = &run->batch->events[i];
        run->hash = ps_fnv64(ps_fnv64(run->hash, event->body, event->body_length), &event->body_length,
                             sizeof event->body_length);
        for (const struct ps_header *header = event->headers; header != NULL; header = header->next)
            run->hash = ps_fnv64(run->hash, header->value, header->value_length);
    }
    run->events += run->batch->count;
}

/* As the sources' feed does. */
static enum ps_parsed next(struct run *run, char *data, uint32_t length, uint32_t *used)
{
    struct ps_syslog_frame frame;
    uint32_t took = 0, bytes = 0;
    bool known = ps_syslog_message_bytes(&run->framing, run->bits, data, length, &bytes);
    PS_ASSERT(bytes <= length);
    if (ps_syslog_is_line(&run->framing, run->bits, data, length))
        return ps_syslog_single_next(&run->parser, run->batch, data, length, NULL, used);
    ps_syslog_frame_find(&run->framing, run->bits, data, length, &frame);
    PS_ASSERT(frame.skip <= length);
    *used = frame.skip;
    if (frame.found == PS_SYSLOG_MORE)
        return PS_PARSED_PARTIAL;
    enum ps_parsed parsed;
    if (frame.found == PS_SYSLOG_MESSAGE) {
        PS_ASSERT(frame.taken <= length && known && frame.taken == bytes && frame.taken > 0);
        PS_ASSERT(frame.skip + frame.length <= frame.taken && frame.length <= run->framing.size_max);
        parsed = frame.length == 0 ? PS_PARSED_ADDED
                                   : ps_syslog_single_message(&run->parser, run->batch, data + frame.skip,
                                                              frame.length, frame.cut, NULL);
        PS_ASSERT(parsed != PS_PARSED_PARTIAL);
    } else {
        parsed = ps_syslog_single_next(&run->parser, run->batch, data + frame.skip, length - frame.skip, NULL,
                                       &took);
    }
    bool over = parsed == PS_PARSED_ADDED || parsed == PS_PARSED_DROPPED;
    *used = parsed == PS_PARSED_PARTIAL        ? frame.skip + took
            : !over                            ? 0
            : frame.found == PS_SYSLOG_MESSAGE ? frame.taken
                                               : frame.skip + took;
    run->guessed |= ((run->bits | frame.bits) & (PS_SYSLOG_NULS | PS_SYSLOG_HIDDEN | PS_SYSLOG_LINES)) != 0;
    if (over)
        run->bits = frame.bits;
    run->lost |= over && frame.lost;
    return parsed;
}

/* Returns how many bytes are left. */
static uint32_t run_all(struct run *run, const struct ps_syslog_single_rules *rules, const char *bytes,
                        uint32_t length, uint32_t cut)
{
    struct ps_bump bump;
    uint32_t at = 0, end = cut;
    char *copy = malloc(length + 1U);
    PS_ASSERT(copy != NULL && ps_syslog_single_init(&run->parser, rules));
    memcpy(copy, bytes, length);
    ps_syslog_time_now(&run->parser.time, 1700000000000);
    ps_bump_init(&bump, made.pool);
    run->batch = ps_batch_take(&bump, (struct ps_now){0, 0});
    for (;;) {
        uint32_t used = 0;
        enum ps_parsed parsed = next(run, copy + at, end - at, &used);
        PS_ASSERT(used <= end - at);
        at += used;
        if (parsed == PS_PARSED_FULL || parsed == PS_PARSED_MEMORY) {
            PS_ASSERT(run->batch->count > 0 && used == 0);
            mix_batch(run);
            ps_batch_give(run->batch);
            run->batch = ps_batch_take(&bump, (struct ps_now){0, 0});
        } else if (parsed == PS_PARSED_PARTIAL &&
                   !ps_syslog_look_again(&run->framing, &run->bits, copy + at, end - at, &run->parser.cuts)) {
            if (end == length && (run->bits & PS_SYSLOG_FINAL))
                break;
            run->bits |= end == length ? PS_SYSLOG_FINAL : 0;
            end = length;
        }
    }
    mix_batch(run);
    ps_batch_give(run->batch);
    ps_bump_fini(&bump);
    ps_syslog_single_fini(&run->parser);
    free(copy);
    return length - at;
}

enum { FRAMES_ROOM = 8192 };

/* Makes frames of the texts at data: each begins with its length (1 byte). Returns the number of their bytes. */
static uint32_t make_frames(char *frames, const uint8_t *data, size_t size, uint32_t *count)
{
    uint32_t length = 0;
    for (*count = 0; size > 1 && length + 300 < FRAMES_ROOM; ++*count) {
        size_t text = data[0] % 64 < size - 1 ? data[0] % 64 : size - 1;
        length += (uint32_t)snprintf(frames + length, FRAMES_ROOM - length, "%zu <13>:", text + 6);
        memcpy(frames + length, data + 1, text);
        length += (uint32_t)text;
        frames[length++] = '.';
        data += text + 1;
        size -= text + 1;
    }
    return length;
}

/* Feeds right frames whole, and in two parts. */
static void try_frames(const uint8_t *data, size_t size)
{
    static char frames[FRAMES_ROOM];
    uint32_t count, length = make_frames(frames, data + 3, size - 3, &count);
    const struct ps_syslog_framing framing = {
        .mode = PS_SYSLOG_FRAMING_AUTO, .size_max = 512, .skips_newlines = true};
    const struct ps_syslog_single_rules rules = {
        .names = made.names, .zone = made.zone, .size_max = 512, .asks = true};
    uint32_t cut = length > 0 ? (data[1] * 256U + data[2]) % length : 0;
    struct run whole = {.framing = framing, .hash = 1}, parts = {.framing = framing, .hash = 1};
    PS_ASSERT(run_all(&whole, &rules, frames, length, length) == 0);
    PS_ASSERT(run_all(&parts, &rules, frames, length, cut) == 0);
    PS_ASSERT(!whole.lost && !parts.lost && whole.events == count && parts.events == count);
    PS_ASSERT(whole.hash == parts.hash);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (made.pool == NULL)
        make();
    if (size < 3 || size > 65536)
        return 0;
    if (data[0] & 0x80) {
        try_frames(data, size);
        return 0;
    }
    const struct ps_syslog_single_rules rules = {
        .names = made.names,
        .zone = made.zone,
        .size_max = data[1] < PS_SYSLOG_SIZE_MIN ? PS_SYSLOG_SIZE_MIN : data[1] * 8U,
        .asks = data[0] % 4 == PS_SYSLOG_FRAMING_AUTO,
    };
    const struct ps_syslog_framing framing = {
        .mode = data[0] % 4, .size_max = rules.size_max, .skips_newlines = true};
    uint32_t length = (uint32_t)size - 3, cut = data[2] < length ? data[2] : length;
    struct run whole = {.framing = framing, .hash = 1}, parts = {.framing = framing, .hash = 1};
    uint32_t left = run_all(&whole, &rules, (const char *)data + 3, length, length);
    PS_ASSERT(left < rules.size_max + HEAD_BYTES_MAX);
    uint32_t left_of_parts = run_all(&parts, &rules, (const char *)data + 3, length, cut);
    PS_ASSERT(left_of_parts < rules.size_max + HEAD_BYTES_MAX);
    if (!whole.lost && !parts.lost && !whole.guessed && !parts.guessed)
        PS_ASSERT(left == left_of_parts && whole.hash == parts.hash && whole.events == parts.events);
    return 0;
}
