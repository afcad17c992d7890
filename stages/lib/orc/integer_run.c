#include "stages/lib/orc/integer_run.h"

#include "stages/lib/varint.h"

#define REPEAT_MIN 3U
#define REPEAT_MAX 10U
/* Fewer equal values than this do not end a run of other values: the headers would cost more than they save. */
#define REPEAT_BREAK 8U

enum encoding { SHORT_REPEAT = 0, DIRECT = 1, PATCHED_BASE = 2, DELTA = 3 };

/* A run of steps in one direction. */
struct delta {
    int64_t first; /* step */
    unsigned width;
    size_t length; /* bytes of the whole run; SIZE_MAX: not applicable */
};

unsigned ps_orc_width_round(unsigned bits)
{
    if (bits == 0)
        return 1;
    if (bits <= 24)
        return bits;
    if (bits <= 32)
        return (bits + 1) / 2 * 2;
    return (bits + 7) / 8 * 8;
}

unsigned ps_orc_width_align(unsigned bits)
{
    if (bits <= 2)
        return bits == 0 ? 1 : bits;
    return bits <= 4 ? 4 : (bits + 7) / 8 * 8;
}

unsigned ps_orc_width_code(unsigned bits)
{
    if (bits <= 24)
        return bits == 0 ? 0 : bits - 1;
    if (bits <= 32)
        return 24 + (bits - 26) / 2;
    return 28 + (bits - 40) / 8;
}

void ps_orc_pack_bits(struct ps_orc_stream *stream, const uint64_t *values, size_t count, unsigned width)
{
    uint8_t bytes[PS_ORC_RUN_MAX * sizeof(uint64_t)];
    size_t length = 0;
    unsigned __int128 waiting = 0;
    unsigned bits = 0;
    PS_ASSERT(count <= PS_ORC_RUN_MAX);
    for (size_t i = 0; i < count; i++) {
        waiting = waiting << width | values[i];
        for (bits += width; bits >= 8; bits -= 8)
            bytes[length++] = (uint8_t)(waiting >> (bits - 8));
    }
    if (bits > 0)
        bytes[length++] = (uint8_t)(waiting << (8 - bits));
    ps_orc_stream_write(stream, bytes, length);
}

static void write_header(struct ps_orc_stream *stream, enum encoding encoding, unsigned width_code,
                         size_t count)
{
    ps_orc_stream_byte(stream, (uint8_t)((unsigned)encoding << 6 | width_code << 1 | (count - 1) >> 8));
    ps_orc_stream_byte(stream, (uint8_t)(count - 1));
}

static uint64_t raw_of(const struct ps_orc_integer_run *run, int64_t value)
{
    return run->is_signed ? ps_zigzag(value) : (uint64_t)value;
}

static void write_repeat(struct ps_orc_integer_run *run, int64_t value, size_t count)
{
    if (count > REPEAT_MAX) { /* a delta run whose step is 0 */
        write_header(run->stream, DELTA, 0, count);
        ps_orc_stream_varint(run->stream, raw_of(run, value));
        ps_orc_stream_varint(run->stream, 0);
        return;
    }
    uint64_t raw = raw_of(run, value);
    unsigned bytes = raw == 0 ? 1 : (ps_orc_bits_of(raw) + 7) / 8;
    ps_orc_stream_byte(run->stream, (uint8_t)((bytes - 1) << 3 | (count - REPEAT_MIN)));
    for (unsigned i = bytes; i-- > 0;)
        ps_orc_stream_byte(run->stream, (uint8_t)(raw >> 8 * i));
}

static struct delta measure_delta(const struct ps_orc_integer_run *run, const int64_t *values, size_t count)
{
    struct delta delta = {.length = SIZE_MAX};
    uint64_t steps = 0;
    bool same = true;
    if (count < 2 || __builtin_sub_overflow(values[1], values[0], &delta.first) || delta.first == 0)
        return delta;
    for (size_t i = 2; i < count; i++) {
        int64_t step;
        if (__builtin_sub_overflow(values[i], values[i - 1], &step) || step == INT64_MIN ||
            (step != 0 && (step < 0) != (delta.first < 0)))
            return delta;
        same = same && step == delta.first;
        steps |= (uint64_t)(step < 0 ? -step : step);
    }
    /* In a delta run the code of width 1 means that all steps are the same, so other steps have at least 2 bits. */
    delta.width = same ? 0 : ps_orc_width_align(ps_orc_bits_of(steps) < 2 ? 2 : ps_orc_bits_of(steps));
    delta.length = 2 + ps_varint_length(raw_of(run, values[0])) + ps_varint_length(ps_zigzag(delta.first)) +
                   ((count - 2) * delta.width + 7) / 8;
    return delta;
}

static void write_delta(struct ps_orc_integer_run *run, const struct delta *delta, const int64_t *values,
                        size_t count)
{
    uint64_t steps[PS_ORC_RUN_MAX];
    write_header(run->stream, DELTA, ps_orc_width_code(delta->width), count);
    ps_orc_stream_varint(run->stream, raw_of(run, values[0]));
    ps_orc_stream_varint(run->stream, ps_zigzag(delta->first));
    if (delta->width == 0)
        return;
    for (size_t i = 2; i < count; i++)
        steps[i - 2] =
            (uint64_t)(values[i] < values[i - 1] ? values[i - 1] - values[i] : values[i] - values[i - 1]);
    ps_orc_pack_bits(run->stream, steps, count - 2, delta->width);
}

static void write_varied(struct ps_orc_integer_run *run, const int64_t *values, size_t count)
{
    uint64_t raw[PS_ORC_RUN_MAX], all = 0;
    for (size_t i = 0; i < count; i++)
        all |= raw[i] = raw_of(run, values[i]);
    unsigned width = ps_orc_width_align(ps_orc_bits_of(all));
    size_t direct = 2 + (count * width + 7) / 8;
    struct delta delta = measure_delta(run, values, count);
    struct ps_orc_patched patched = ps_orc_patched_measure(values, count);
    if (delta.length <= direct && delta.length <= patched.length) {
        write_delta(run, &delta, values, count);
    } else if (patched.length < direct) {
        ps_orc_patched_write(run->stream, &patched, values, count);
    } else {
        write_header(run->stream, DIRECT, ps_orc_width_code(width), count);
        ps_orc_pack_bits(run->stream, raw, count, width);
    }
}

static size_t equal_count(const int64_t *values, size_t count)
{
    size_t equal = 1;
    while (equal < count && values[equal] == values[0])
        equal++;
    return equal;
}

/* Returns the number of values before a long repeat or the end. */
static size_t varied_count(const int64_t *values, size_t count)
{
    size_t at = 0;
    while (at < count) {
        size_t equal = equal_count(values + at, count - at);
        if (equal >= REPEAT_BREAK)
            break;
        at += equal;
    }
    return at;
}

void ps_orc_integer_end(struct ps_orc_integer_run *run)
{
    for (size_t at = 0; at < run->count;) {
        size_t count = equal_count(run->values + at, run->count - at);
        if (count >= REPEAT_MIN) {
            write_repeat(run, run->values[at], count);
        } else {
            count = varied_count(run->values + at, run->count - at);
            write_varied(run, run->values + at, count);
        }
        at += count;
    }
    run->count = 0;
}

void ps_orc_integer_position(const struct ps_orc_integer_run *run, struct ps_orc_positions *positions)
{
    ps_orc_stream_position(run->stream, positions);
    ps_orc_positions_add(positions, run->count);
}
