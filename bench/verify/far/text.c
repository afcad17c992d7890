/* Splits bytes into records: lines, or frames with a length prefix (RFC 6587). Complete records are handed
 * over without a copy; only a record that crosses the end of the given bytes is copied. */
#include "bench/verify/far/records.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DIGITS_MAX 9U

void ps_far_text_init(struct ps_far_text *text, enum ps_far_framing framing)
{
    *text = (struct ps_far_text){.framing = framing};
}

void ps_far_text_fini(struct ps_far_text *text)
{
    free(text->carry);
    text->carry = NULL;
    text->carried = text->room = 0;
}

/* Appends to the carried bytes, up to the longest record; anything more is discarded and counted as one
 * cut. */
static void keep(struct ps_far_text *text, const char *data, size_t length)
{
    size_t free_bytes = PS_FAR_RECORD_BYTES_MAX - text->carried;
    if (length > free_bytes) {
        length = free_bytes;
        text->cut_count += text->skipping ? 0 : 1;
        text->skipping = true;
    }
    if (length == 0)
        return;
    if (text->carried + length > text->room) {
        size_t room = text->room == 0 ? 512 : text->room;
        while (room < text->carried + length)
            room *= 2;
        text->carry = ps_must_realloc(text->carry, room, "the end of a line");
        text->room = room;
    }
    memcpy(text->carry + text->carried, data, length);
    text->carried += length;
}

/* Hands over the record that ends with data[length), together with the carried bytes. */
static void finish(struct ps_far_text *text, const char *data, size_t length, struct ps_far_hand *hand)
{
    if (text->carried > 0 || length > PS_FAR_RECORD_BYTES_MAX) {
        keep(text, data, length);
        data = text->carry;
        length = text->carried;
    }
    text->carried = 0;
    text->skipping = false;
    if (length > 1 || (length == 1 && *data != '\r'))
        ps_far_hand_over(hand, data, length);
}

static void feed_lines(struct ps_far_text *text, const char *at, const char *end, struct ps_far_hand *hand)
{
    while (at < end) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        if (newline == NULL) {
            keep(text, at, (size_t)(end - at));
            return;
        }
        finish(text, at, (size_t)(newline - at), hand);
        at = newline + 1;
    }
}

/* Called when the bytes are not a length: from here on reads lines, of which the first begins with the digits that were
 * already read. */
static void fall_back(struct ps_far_text *text)
{
    char digits[24];
    text->framing = PS_FAR_LINES;
    if (text->digits > 0)
        keep(text, digits,
             (size_t)snprintf(digits, sizeof digits, "%0*llu", (int)text->digits,
                              (unsigned long long)text->number));
    text->digits = 0;
    text->number = 0;
}

/* Reads one byte of a length. Returns false when the byte cannot be part of a length. */
static bool length_byte(struct ps_far_text *text, char byte)
{
    if (byte >= '0' && byte <= '9' && text->digits < DIGITS_MAX) {
        text->number = text->number * 10 + (uint64_t)(byte - '0');
        text->digits++;
        return true;
    }
    if (byte == ' ' && text->digits > 0) {
        text->wanted = text->number;
        text->number = 0;
        text->digits = 0;
        return true;
    }
    /* some senders end frames with a newline */
    return text->digits == 0 && (byte == '\n' || byte == '\r');
}

static void feed_octets(struct ps_far_text *text, const char *at, const char *end, struct ps_far_hand *hand)
{
    while (at < end) {
        if (text->wanted == 0) {
            if (!length_byte(text, *at)) {
                fall_back(text);
                feed_lines(text, at, end, hand);
                return;
            }
            at++;
            continue;
        }
        size_t there = (size_t)(end - at);
        if (there < text->wanted) {
            keep(text, at, there);
            text->wanted -= there;
            return;
        }
        finish(text, at, text->wanted, hand);
        at += text->wanted;
        text->wanted = 0;
    }
}

static void feed_known(struct ps_far_text *text, const char *data, size_t length, struct ps_far_hand *hand)
{
    if (text->framing == PS_FAR_OCTETS)
        feed_octets(text, data, data + length, hand);
    else
        feed_lines(text, data, data + length, hand);
}

/* Returns PS_FAR_DETECT while `head` may be either framing. */
static enum ps_far_framing detect(const char *head, unsigned length)
{
    unsigned digits = 0;
    while (digits < length && head[digits] >= '0' && head[digits] <= '9')
        digits++;
    if (digits > DIGITS_MAX || (length > 0 && (digits == 0 || head[0] == '0')))
        return PS_FAR_LINES;
    if (digits == length)
        return PS_FAR_DETECT;
    if (head[digits] != ' ')
        return PS_FAR_LINES;
    if (digits + 1 == length)
        return PS_FAR_DETECT;
    return head[digits + 1] == '<' ? PS_FAR_OCTETS : PS_FAR_LINES;
}

void ps_far_text_feed(struct ps_far_text *text, const char *data, size_t length, struct ps_far_hand *hand)
{
    if (PS_UNLIKELY(text->framing == PS_FAR_DETECT)) {
        enum ps_far_framing framing = PS_FAR_DETECT;
        while (framing == PS_FAR_DETECT && length > 0) {
            text->head[text->headed++] = *data++;
            length--;
            framing = detect(text->head, text->headed);
        }
        if (framing == PS_FAR_DETECT)
            return;
        text->framing = framing;
        feed_known(text, text->head, text->headed, hand);
        text->headed = 0;
    }
    feed_known(text, data, length, hand);
}

void ps_far_text_end(struct ps_far_text *text, struct ps_far_hand *hand)
{
    if (text->framing == PS_FAR_DETECT)
        keep(text, text->head, text->headed);
    finish(text, NULL, 0, hand);
    text->headed = 0;
    text->wanted = text->number = 0;
    text->digits = 0;
}
