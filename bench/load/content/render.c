/* The render loop: executes the ops of a compiled template, event by event. It allocates nothing; an event
 * depends only on seed, source, sequence and due time.
 *
 * Copies are made in pieces that may reach past the end of the text (PS_CONTENT_SLACK), but never past the
 * end of the buffer: an event that may not fit is rendered into the writer's scratch first. */
#include <math.h>

#include "bench/load/content/internal.h"
#include "bench/load/content/digits.h"
#include "bench/support/stamp.h"
#include "core/clock.h"

/* An event being rendered. */
struct event {
    char *at;        /* where the next byte goes */
    char *run;       /* the run that contains the fixed fields */
    char *stamp;     /* NULL: not written yet */
    char *cover_end; /* NULL: the end of the event */
    /* The padding goes here after the rest is written; NULL: the padding is written, or there is none. */
    char *pad;
    uint64_t base; /* seed of the event's random numbers */
};

static inline uint64_t random_of(const struct event *event, const uint64_t *keys)
{
    return ps_mix(event->base ^ keys[0], (event->base << 32 | event->base >> 32) ^ keys[1]);
}

/* Copies `length` bytes; may write up to 15 bytes too many. */
static inline void copy_over(char *to, const char *from, size_t length)
{
    if (length > 128) {
        memcpy(to, from, length);
        return;
    }
    size_t at = 0;
    do
        memcpy(to + at, from + at, 16);
    while ((at += 16) < length);
}

/* Writes exactly `length` bytes; for short texts. */
static inline void copy_few(char *to, const char *from, size_t length)
{
    if (length > 16)
        memcpy(to, from, length);
    else if (length >= 8) {
        uint64_t front, back;
        memcpy(&front, from, 8);
        memcpy(&back, from + length - 8, 8);
        memcpy(to, &front, 8);
        memcpy(to + length - 8, &back, 8);
    } else if (length >= 4) {
        uint32_t front, back;
        memcpy(&front, from, 4);
        memcpy(&back, from + length - 4, 4);
        memcpy(to, &front, 4);
        memcpy(to + length - 4, &back, 4);
    } else {
        to[0] = from[0];
        to[length / 2] = from[length / 2];
        to[length - 1] = from[length - 1];
    }
}

/* ---- fields ---- */

static void hex_put(char *to, uint32_t digits, uint64_t random)
{
    for (unsigned used = 0; digits > 0; used++) {
        if (used == 8) {
            random = ps_mix_next(random);
            used = 0;
        }
        const char *pair = ps_hex_pairs + (size_t)2 * (random >> (8 * used) & 255);
        if (digits == 1) {
            *to = *pair;
            return;
        }
        memcpy(to, pair, 2);
        to += 2;
        digits -= 2;
    }
}

/* RFC 4122 4.4: version 4, variant 10. */
static void uuid_put(char *to, uint64_t random)
{
    uint64_t high = (random & ~UINT64_C(0x00f0000000000000)) | UINT64_C(0x0040000000000000);
    uint64_t low = (ps_mix_next(random) & ~UINT64_C(0xc0)) | UINT64_C(0x80);
    hex_put(to, 8, high);
    hex_put(to + 9, 4, high >> 32);
    hex_put(to + 14, 4, high >> 48 | high << 16);
    hex_put(to + 19, 4, low);
    hex_put(to + 24, 12, low >> 16);
    to[8] = to[13] = to[18] = to[23] = '-';
}

static char *float_write(char *to, const struct ps_template_part *part, uint64_t random)
{
    static const double scales[] = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9};
    double drawn = ps_distribution_draw_real(&part->distribution, random) * scales[part->digits];
    int64_t scaled = (int64_t)rint(drawn);
    uint64_t value = scaled < 0 ? 0 - (uint64_t)scaled : (uint64_t)scaled;
    if (scaled < 0)
        *to++ = '-';
    if (part->digits == 0)
        return ps_digits_write(to, value);
    uint64_t scale = ps_digit_limits[part->digits];
    to = ps_digits_write(to, value / scale);
    *to++ = '.';
    ps_digits_put(to, value % scale, part->digits);
    return to + part->digits;
}

static char *ip_write(char *to, const struct ps_template_part *part, uint64_t random)
{
    uint32_t address = part->network;
    if (part->host_bits > 0)
        address |= (uint32_t)(random >> (64 - part->host_bits));
    for (int shift = 24; shift >= 0; shift -= 8)
        to = ps_digits_octet(to, address >> shift & 255);
    return to - 1;
}

static char *words_write(char *to, const struct ps_words *words, const struct ps_template_part *part,
                         uint64_t random)
{
    int64_t count = ps_distribution_draw(&part->distribution, random);
    for (unsigned used = 8; count > 0; count--, used++) {
        if (used == 8) {
            random = ps_mix_next(random);
            used = 0;
        }
        unsigned word = random >> (8 * used) & 255;
        memcpy(to, words->entries[word], 8);
        to += words->lengths[word];
    }
    return to - 1;
}

/* Writes `length` bytes of text that begins and ends in a letter, or begins with a blank when `blank`. Unless
 * `exact`, it may write up to 63 bytes too many. */
static inline void pad_put(char *to, const struct ps_words *words, size_t length, bool blank, bool exact,
                           uint64_t random)
{
    if (length == 0)
        return;
    const char *from = words->text + (random % PS_WORDS_STARTS) * 16;
    if (PS_UNLIKELY(exact || length > 512)) {
        size_t done = 0;
        for (; length - done > PS_WORDS_PIECE; done += PS_WORDS_PIECE)
            memcpy(to + done, from, PS_WORDS_PIECE);
        memcpy(to + done, from, length - done);
        to[0] = blank && length > 1 ? ' ' : to[0] == ' ' ? 'a' : to[0];
        if (to[length - 1] == ' ')
            to[length - 1] = 's';
        return;
    }
    /* The first byte is corrected in a register and the last by choosing the cut (blanks are single), not by
     * storing a byte: the stamp's checksum reads words and would stall on a byte store. */
    from += from[length - 1] == ' ';
    uint64_t head;
    memcpy(&head, from, 8);
    char first = *from == ' ' ? 'a' : *from;
    first = blank && length > 1 ? ' ' : first;
    head = (head & ~UINT64_C(0xff)) | (uint8_t)first;
    for (size_t done = 0; done < length; done += 64)
        memcpy(to + done, from + done, 64);
    memcpy(to, &head, 8);
}

/* ---- events ---- */

static void pad_do(const struct ps_content *content, const struct ps_content_op *op, struct event *event,
                   const char *start, uint64_t body)
{
    if (PS_UNLIKELY(op->length == UINT32_MAX)) {
        event->pad = event->at;
        return;
    }
    size_t done = (size_t)(event->at - start) + op->length;
    if (done >= body)
        return;
    pad_put(event->at, &content->words, body - done, op->blank, false, random_of(event, op->keys));
    event->at += body - done;
}

/* Inserts the padding when the text after it is already written, because the length of the padding is known only then.
 * That text moves. */
static void pad_insert(const struct ps_content *content, struct event *event, const char *start,
                       uint64_t body)
{
    const struct ps_content_op *op = content->ops;
    size_t length = (size_t)(event->at - start);
    if (length >= body)
        return;
    while (op->kind != PS_OP_PAD)
        op++;
    size_t more = body - length;
    memmove(event->pad + more, event->pad, (size_t)(event->at - event->pad));
    if (event->stamp != NULL && event->stamp >= event->pad)
        event->stamp += more;
    if (event->cover_end != NULL && event->cover_end >= event->pad)
        event->cover_end += more;
    pad_put(event->pad, &content->words, more, op->blank, true, random_of(event, op->keys));
    event->at += more;
}

static inline void varying_do(const struct ps_content_writer *writer, const struct ps_content_op *op,
                              struct event *event, uint32_t source, uint64_t sequence)
{
    const struct ps_content *content = writer->content;
    const struct ps_template_part *part = op->part;
    switch (op->kind) {
    case PS_OP_INT:
        event->at = ps_digits_write_signed(
            event->at, ps_distribution_draw(&part->distribution, random_of(event, op->keys)));
        break;
    case PS_OP_FLOAT:
        event->at = float_write(event->at, part, random_of(event, op->keys));
        break;
    case PS_OP_SEQ:
        event->at = ps_digits_write(event->at, sequence);
        break;
    case PS_OP_SOURCE:
        event->at = ps_digits_write(event->at, source);
        break;
    case PS_OP_CHOICE: {
        const struct ps_slice *text = &part->texts[ps_alias_draw(&part->alias, random_of(event, op->keys))];
        copy_over(event->at, text->data, text->length);
        event->at += text->length;
        break;
    }
    case PS_OP_STRFTIME:
        copy_over(event->at, writer->strftime_texts[part->width], writer->strftime_lengths[part->width]);
        event->at += writer->strftime_lengths[part->width];
        break;
    case PS_OP_IP:
        event->at = ip_write(event->at, part, random_of(event, op->keys));
        break;
    case PS_OP_WORDS:
        event->at = words_write(event->at, &content->words, part, random_of(event, op->keys));
        break;
    case PS_OP_LINE: {
        struct ps_slice line = ps_lines_get(&content->lines, sequence);
        memcpy(event->at, line.data, line.length);
        event->at += line.length;
        break;
    }
    default:
        break;
    }
}

/* Writes everything but the stamp. event->at becomes the end. */
static inline void body_write(const struct ps_content_writer *writer, struct event *event, uint32_t source,
                              uint64_t sequence, uint32_t second_part_ns, uint64_t body)
{
    const struct ps_content *content = writer->content;
    const char *start = event->at;
    for (const struct ps_content_op *op = content->ops, *end = op + content->op_count; op < end; op++) {
        char *fixed = event->run + op->offset;
        switch (op->kind) {
        case PS_OP_RUN:
            event->run = event->at;
            copy_over(event->at, writer->skeleton + op->offset, op->length);
            event->at += op->length;
            break;
        case PS_OP_FIXED_INT:
            ps_digits_put(fixed,
                          (uint64_t)ps_distribution_draw(&op->part->distribution, random_of(event, op->keys)),
                          op->length);
            break;
        case PS_OP_FIXED_SEQ:
            ps_digits_put(fixed, sequence, op->length);
            break;
        case PS_OP_FIXED_CHOICE: {
            const struct ps_slice *texts = op->part->texts;
            copy_few(fixed, texts[ps_alias_draw(&op->part->alias, random_of(event, op->keys))].data,
                     op->length);
            break;
        }
        case PS_OP_SUBSECOND:
            ps_digits_put(fixed,
                          op->length == 3   ? second_part_ns / 1000000
                          : op->length == 6 ? second_part_ns / 1000
                                            : second_part_ns,
                          op->length);
            break;
        case PS_OP_UUID:
            uuid_put(fixed, random_of(event, op->keys));
            break;
        case PS_OP_HEX:
            hex_put(fixed, op->length, random_of(event, op->keys));
            break;
        case PS_OP_STAMP:
            event->stamp = fixed;
            break;
        case PS_OP_COVER_END:
            event->cover_end = fixed;
            break;
        case PS_OP_PAD:
            pad_do(content, op, event, start, body);
            break;
        default:
            varying_do(writer, op, event, source, sequence);
        }
    }
    if (PS_UNLIKELY(event->pad != NULL))
        pad_insert(content, event, start, body);
}

/* Returns the size of this event's body in bytes; 0: the natural size. */
static inline uint64_t body_bytes(const struct ps_content *content, const struct event *event)
{
    if (PS_LIKELY(content->size == NULL))
        return content->body_bytes;
    int64_t size = ps_distribution_draw(content->size, random_of(event, content->size_keys));
    uint32_t body = ps_content_body(content->framing, (uint32_t)size);
    return body > 0 ? body : 1;
}

/* Writes one event with its framing. Returns its end. */
static char *event_write(struct ps_content_writer *writer, const struct ps_content_order *order, uint32_t i,
                         char *to)
{
    const struct ps_content *content = writer->content;
    uint64_t sequence = order->first_sequence + i, due_ns = order->due_wall_ns[i];
    bool counted = content->framing == PS_FRAMING_OCTET_COUNTED;
    char *start = to + (counted ? writer->prefix + 1 : 0);
    struct event event = {.at = start, .run = start};
    uint64_t mixed = ps_mix(sequence ^ writer->seeds[0], writer->seeds[1]);
    event.base = ps_mix(mixed ^ UINT64_C(0x2d358dccaa6c78a5), writer->seeds[0] ^ (mixed << 17 | mixed >> 47));
    if (PS_UNLIKELY(due_ns - writer->second_ns >= PS_NS_PER_S))
        ps_content_clock_set(writer, due_ns / PS_NS_PER_S);
    body_write(writer, &event, order->source, sequence, (uint32_t)(due_ns - writer->second_ns),
               body_bytes(content, &event));
    if (event.stamp != NULL) {
        size_t covered =
            (size_t)((event.cover_end != NULL ? event.cover_end : event.at) - event.stamp) - PS_STAMP_BYTES;
        struct ps_stamp stamp = {
            .run = content->run,
            .source = order->source,
            .sequence = sequence,
            .due_us = due_ns / 1000,
            .covered = covered < PS_STAMP_COVERED_MAX ? (uint32_t)covered : PS_STAMP_COVERED_MAX,
            .last = sequence == order->last_sequence,
        };
        ps_stamp_write(&stamp, event.stamp);
    }
    if (content->framing == PS_FRAMING_NEWLINE)
        *event.at++ = '\n';
    if (counted) {
        uint64_t length = (uint64_t)(event.at - start);
        unsigned digits = ps_digits_count(length);
        if (PS_UNLIKELY(digits != writer->prefix)) {
            memmove(to + digits + 1, start, length);
            event.at = to + digits + 1 + length;
            writer->prefix = digits;
        }
        ps_digits_put(to, length, digits);
        to[digits] = ' ';
    }
    return event.at;
}

/* Writes the source's texts and seeds. */
static void source_set(struct ps_content_writer *writer, uint32_t source)
{
    const struct ps_content *content = writer->content;
    writer->source = source;
    writer->seeds[0] = ps_mix_next(content->seed ^ ((source + UINT64_C(1)) * UINT64_C(0x9e3779b97f4a7c15)));
    writer->seeds[1] = ps_mix_next(writer->seeds[0] + content->seed) | 1;
    for (uint32_t i = 0; i < content->source_count; i++) {
        const struct ps_content_patch *patch = &content->source[i];
        char *to = writer->skeleton + patch->offset;
        if (patch->part->kind == PS_TEMPLATE_HOST)
            ps_digits_put(to + PS_HOST_BYTES - 6, source, 6);
        else
            ps_digits_put(to, source, patch->part->width);
    }
}

uint32_t ps_content_render(struct ps_content_writer *writer, const struct ps_content_order *order, char *to,
                           size_t room, uint32_t *ends)
{
    const size_t event_max = (size_t)writer->content->event_max + PS_CONTENT_SLACK;
    char *at = to, *end = to + (room < UINT32_MAX ? room : UINT32_MAX);
    uint32_t i;
    if (order->source != writer->source)
        source_set(writer, order->source);
    for (i = 0; i < order->count; i++) {
        if (PS_LIKELY((size_t)(end - at) >= event_max)) {
            at = event_write(writer, order, i, at);
        } else {
            size_t length = (size_t)(event_write(writer, order, i, writer->scratch) - writer->scratch);
            if (length > (size_t)(end - at))
                break;
            memcpy(at, writer->scratch, length);
            at += length;
        }
        ends[i] = (uint32_t)(at - to);
    }
    return i;
}
