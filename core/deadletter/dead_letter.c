#include "core/deadletter/dead_letter.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/text/base64.h"
#include "core/text/utf8.h"

/* A text that grows; `bytes` is NULL after an allocation has failed. */
struct text {
    char *bytes;
    size_t length, room;
};

static bool text_reserve(struct text *text, size_t more)
{
    if (text->bytes == NULL || more <= text->room - text->length)
        return text->bytes != NULL;
    size_t room = 2 * text->room > text->length + more ? 2 * text->room : text->length + more;
    char *bytes = realloc(text->bytes, room);
    if (bytes == NULL) {
        free(text->bytes);
        text->bytes = NULL;
        return false;
    }
    text->bytes = bytes;
    text->room = room;
    return true;
}

static void add(struct text *text, const char *bytes, size_t length)
{
    if (!text_reserve(text, length))
        return;
    memcpy(text->bytes + text->length, bytes, length);
    text->length += length;
}

static void add_text(struct text *text, const char *more)
{
    add(text, more, strlen(more));
}

/* Adds a JSON string of well-formed UTF-8. */
static void add_string(struct text *text, const char *bytes, size_t length)
{
    add(text, "\"", 1);
    size_t begun = 0;
    for (size_t i = 0; i < length; i++) {
        unsigned char byte = (unsigned char)bytes[i];
        if (byte >= 0x20 && byte != '"' && byte != '\\')
            continue;
        char escaped[8];
        int used = byte == '"' || byte == '\\' ? snprintf(escaped, sizeof escaped, "\\%c", byte)
                                               : snprintf(escaped, sizeof escaped, "\\u%04x", byte);
        add(text, bytes + begun, i - begun);
        add(text, escaped, (size_t)used);
        begun = i + 1;
    }
    add(text, bytes + begun, length - begun);
    add(text, "\"", 1);
}

static void add_base64(struct text *text, const char *bytes, size_t length)
{
    if (!text_reserve(text, (length + 2) / 3 * 4 + 2))
        return;
    char *to = text->bytes + text->length;
    *to++ = '"';
    to += ps_base64_encode(to, bytes, length);
    *to++ = '"';
    text->length = (size_t)(to - text->bytes);
}

/* Returns whether every JSON reader takes the bytes as a string: many refuse a zero byte. */
static bool is_plain(const char *bytes, size_t length)
{
    return length == 0 || (memchr(bytes, 0, length) == NULL && ps_utf8_valid_length(bytes, length) == length);
}

static void add_member(struct text *text, const char *name, const char *value)
{
    size_t length = strlen(value);
    add_text(text, ",\"");
    add_text(text, name);
    add_text(text, "\":");
    add_string(text, value, is_plain(value, length) ? length : ps_utf8_valid_length(value, length));
}

void ps_dead_letter_print_time(char *stamp, int64_t time_ms)
{
    size_t used = ps_utc_print(stamp, PS_DEAD_LETTER_TIME_BYTES, "%Y-%m-%dT%H:%M:%S", time_ms / 1000);
    snprintf(stamp + used, PS_DEAD_LETTER_TIME_BYTES - used, ".%03dZ", (int)(time_ms % 1000));
}

static void add_time(struct text *text, int64_t time_ms)
{
    char stamp[PS_DEAD_LETTER_TIME_BYTES];
    ps_dead_letter_print_time(stamp, time_ms);
    add_member(text, "time", stamp);
}

static bool header_is_plain(const struct ps_header *header)
{
    return is_plain(header->name->text, header->name->length) &&
           is_plain(header->value, header->value_length);
}

static void add_headers(struct text *text, const struct ps_dead_letter *letter)
{
    const struct ps_header *header;
    size_t plain = 0, other = 0;
    struct ps_header_cursor cursor = ps_headers_begin(letter->batch, letter->event);
    add_text(text, ",\"headers\":{");
    while ((header = ps_headers_next(&cursor)) != NULL) {
        if (!header_is_plain(header)) {
            other++;
            continue;
        }
        add_text(text, plain++ > 0 ? "," : "");
        add_string(text, header->name->text, header->name->length);
        add_text(text, ":");
        add_string(text, header->value, header->value_length);
    }
    add_text(text, "}");
    if (other == 0)
        return;
    cursor = ps_headers_begin(letter->batch, letter->event);
    add_text(text, ",\"headers_base64\":[");
    while ((header = ps_headers_next(&cursor)) != NULL) {
        if (header_is_plain(header))
            continue;
        add_text(text, "[");
        add_base64(text, header->name->text, header->name->length);
        add_text(text, ",");
        add_base64(text, header->value, header->value_length);
        add_text(text, --other > 0 ? "]," : "]");
    }
    add_text(text, "]");
}

char *ps_dead_letter_encode(const struct ps_dead_letter *letter, size_t head_bytes, size_t *length)
{
    const char *bytes = letter->event != NULL ? letter->event->body : letter->bytes;
    size_t count = letter->event != NULL ? letter->event->body_length : letter->length;
    struct text text = {.length = head_bytes, .room = head_bytes + 512 + count + count / 2};
    text.bytes = malloc(text.room);
    char number[32];
    add_text(&text, "{\"v\":1");
    add_time(&text, letter->time_ms);
    add_member(&text, "agent", letter->agent);
    add_member(&text, "component", letter->component);
    add_member(&text, "reason", letter->reason.code);
    add_member(&text, "text", letter->reason.text);
    snprintf(number, sizeof number, ",\"attempts\":%" PRIu32, letter->reason.attempts);
    add_text(&text, number);
    if (letter->event != NULL)
        add_headers(&text, letter);
    bool plain = is_plain(bytes, count);
    add_text(&text, plain ? ",\"body\":" : ",\"body_base64\":");
    if (plain)
        add_string(&text, bytes, count);
    else
        add_base64(&text, bytes, count);
    add_text(&text, "}\n");
    *length = text.length - head_bytes;
    return text.bytes;
}
