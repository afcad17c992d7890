/* See printable.h. */
#include "core/text/printable.h"

#include "core/text/utf8.h"

#include <string.h>

static const char digits[] = "0123456789abcdef";

static size_t spell_out(char *out, unsigned char byte)
{
    out[0] = '\\';
    out[1] = 'x';
    out[2] = digits[byte >> 4];
    out[3] = digits[byte & 15];
    return 4;
}

size_t ps_printable_byte(char out[4], unsigned char byte)
{
    if (byte >= 0x20 && byte != 0x7f) {
        out[0] = (char)byte;
        return 1;
    }
    if (byte != '\n' && byte != '\r' && byte != '\t')
        return spell_out(out, byte);
    out[0] = '\\';
    out[1] = byte == '\n' ? 'n' : byte == '\r' ? 'r' : 't';
    return 2;
}

size_t ps_printable_hidden(const char *text, size_t length)
{
    static const struct {
        uint32_t first, last;
    } hidden[] = {{0x80, 0x9F},     {0xAD, 0xAD},     {0x61C, 0x61C},   {0x180E, 0x180E}, {0x200B, 0x200F},
                  {0x2028, 0x202E}, {0x2060, 0x206F}, {0xFEFF, 0xFEFF}, {0xFFF9, 0xFFFB}, {0xE0000, 0xE007F}};
    uint32_t code;
    size_t bytes = length > 0 ? ps_utf8_get(text, length, &code) : 0;
    for (size_t i = 0; bytes > 1 && i < PS_COUNT_OF(hidden); i++) {
        if (code >= hidden[i].first && code <= hidden[i].last)
            return bytes;
    }
    return 0;
}

size_t ps_printable_next(char out[16], size_t *out_length, const char *text, size_t length, size_t *good)
{
    unsigned char byte = (unsigned char)text[0];
    size_t hidden = ps_printable_hidden(text, length);
    if (*good == 0)
        *good = ps_utf8_valid_length(text, length);
    *out_length = 0;
    if (hidden == 0 && (*good > 0 || byte < 0x80)) {
        *out_length = ps_printable_byte(out, byte);
        *good -= *good > 0;
        return 1;
    }
    if (hidden == 0 || *good < hidden) /* not UTF-8 */
        hidden = 1;
    for (size_t i = 0; i < hidden; i++)
        *out_length += spell_out(out + *out_length, (unsigned char)text[i]);
    *good -= *good < hidden ? *good : hidden;
    return hidden;
}

void ps_printable_write(FILE *to, const char *text, size_t length)
{
    char form[16];
    for (size_t at = 0, good = 0, size; at < length;) {
        at += ps_printable_next(form, &size, text + at, length - at, &good);
        fwrite(form, 1, size, to);
    }
}

size_t ps_printable_put(char *out, const char *text, size_t length)
{
    size_t used = 0;
    for (size_t at = 0, good = 0, size; at < length; used += size) {
        char form[16];
        at += ps_printable_next(form, &size, text + at, length - at, &good);
        memcpy(out + used, form, size);
    }
    return used;
}

size_t ps_printable_copy(char *to, size_t room, const char *text, size_t length)
{
    size_t at = 0;
    for (size_t i = 0; i < length && at < room - 1; i++) {
        size_t hidden = ps_printable_hidden(text + i, length - i);
        to[at++] = hidden > 0 || (unsigned char)text[i] < ' ' || text[i] == 0x7f ? ' ' : text[i];
        i += hidden > 0 ? hidden - 1 : 0;
    }
    to[at] = '\0';
    return at;
}

char *ps_printable_line(struct ps_arena *arena, const char *text)
{
    if (text == NULL)
        return NULL;
    char *copy = ps_arena_alloc(arena, strlen(text) * 2 + 1);
    char *to = copy;
    for (; *text != '\0'; text++) {
        unsigned char byte = (unsigned char)*text;
        if (byte == '\n') {
            to = stpcpy(to, "; ");
        } else if (byte < ' ' || byte == 0x7f) {
            *to++ = '?';
        } else if (ps_printable_hidden(text, strnlen(text, 4)) > 0) {
            *to++ = '?';
            text += ps_printable_hidden(text, strnlen(text, 4)) - 1;
        } else {
            *to++ = *text;
        }
    }
    *to = '\0';
    return copy;
}
