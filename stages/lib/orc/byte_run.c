#include "stages/lib/orc/byte_run.h"

#define REPEAT_MIN 3U
#define REPEAT_MAX 130U

static void write_literals(struct ps_orc_byte_run *run, unsigned count)
{
    if (count == 0)
        return;
    ps_orc_stream_byte(run->stream, (uint8_t)(256U - count));
    ps_orc_stream_write(run->stream, run->bytes, count);
}

static void write_repeat(struct ps_orc_byte_run *run, uint8_t byte)
{
    ps_orc_stream_byte(run->stream, (uint8_t)(run->repeat - REPEAT_MIN));
    ps_orc_stream_byte(run->stream, byte);
}

void ps_orc_byte_end(struct ps_orc_byte_run *run)
{
    if (run->repeat >= REPEAT_MIN)
        write_repeat(run, run->bytes[0]); /* the literals before the repeat are written already */
    else
        write_literals(run, run->count);
    run->count = run->repeat = 0;
}

/* Called when the last three bytes are equal: writes the bytes before them, and begins a repeat. */
static void begin_repeat(struct ps_orc_byte_run *run, uint8_t byte)
{
    write_literals(run, run->count - REPEAT_MIN);
    run->bytes[0] = byte;
    run->count = REPEAT_MIN;
}

void ps_orc_byte_add(struct ps_orc_byte_run *run, uint8_t byte)
{
    bool repeats = run->repeat >= REPEAT_MIN;
    uint8_t last = repeats || run->count == 0 ? run->bytes[0] : run->bytes[run->count - 1];
    if (repeats && (byte != last || run->repeat == REPEAT_MAX)) {
        ps_orc_byte_end(run);
        repeats = false;
    }
    run->repeat = run->count > 0 && byte == last ? run->repeat + 1 : 1;
    if (repeats) {
        run->count++;
        return;
    }
    run->bytes[run->count++] = byte;
    if (run->repeat == REPEAT_MIN)
        begin_repeat(run, byte);
    else if (run->count >= PS_ORC_BYTE_LITERALS_MAX)
        ps_orc_byte_end(run);
}

void ps_orc_byte_position(const struct ps_orc_byte_run *run, struct ps_orc_positions *positions)
{
    ps_orc_stream_position(run->stream, positions);
    ps_orc_positions_add(positions, run->count);
}

void ps_orc_bit_add(struct ps_orc_bits *bits, bool bit)
{
    bits->byte = (uint8_t)(bits->byte | (unsigned)bit << (7 - bits->count));
    if (++bits->count == 8) {
        ps_orc_byte_add(&bits->bytes, bits->byte);
        bits->byte = 0;
        bits->count = 0;
    }
}

void ps_orc_bits_end(struct ps_orc_bits *bits)
{
    if (bits->count > 0)
        ps_orc_byte_add(&bits->bytes, bits->byte);
    bits->byte = 0;
    bits->count = 0;
    ps_orc_byte_end(&bits->bytes);
}

void ps_orc_bits_position(const struct ps_orc_bits *bits, struct ps_orc_positions *positions)
{
    ps_orc_byte_position(&bits->bytes, positions);
    ps_orc_positions_add(positions, bits->count);
}
