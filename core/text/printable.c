/* See printable.h. */
#include "core/text/printable.h"

#include "core/text/utf8.h"

#include <string.h>

static const char digits[] = "0123456789abcdef";

size_t ps_printable_byte(char out[4], unsigned char byte)
{
    if (byte >= 0x20 && byte != 0x7f) {
        out[0] = (char)byte;
        return 1;
    }
    out[0] = '\\';
    if (byte == '\n' || byte == '\r' || byte == '\t') {
        out[1] = byte == '\n' ? 'n' : byte == '\r' ? 'r' : 't';
        return 2;
    }
    out[1] = 'x';
    out[2] = digits[byte >> 4];
    out[3] = digits[byte & 15];
    return 4;
}

/* U+0080 to U+009F: the bytes c2 80 to c2 9f. */
static bool is_c1(const char *text, size_t length)
{
    const unsigned char *bytes = (const unsigned char *)text;
    return length >= 2 && bytes[0] == 0xc2 && bytes[1] >= 0x80 && bytes[1] < 0xa0;
}

void ps_printable_write(FILE *to, const char *text, size_t length)
{
    size_t good = 0; /* the bytes before this index are well-formed */
    for (size_t i = 0; i < length; i++) {
        unsigned char byte = (unsigned char)text[i];
        char form[4];
        if (i >= good)
            good = i + ps_utf8_valid_length(text + i, length - i);
        if (is_c1(text + i, length - i))
            fprintf(to, "\\x%02x\\x%02x", byte, (unsigned char)text[++i]);
        else if (i >= good && byte >= 0x80)
            fprintf(to, "\\x%02x", byte);
        else
            fwrite(form, 1, ps_printable_byte(form, byte), to);
    }
}

size_t ps_printable_copy(char *to, size_t room, const char *text, size_t length)
{
    size_t at = 0;
    for (size_t i = 0; i < length && at < room - 1; i++) {
        bool two = is_c1(text + i, length - i);
        to[at++] = two || (unsigned char)text[i] < ' ' || text[i] == 0x7f ? ' ' : text[i];
        i += two;
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
        } else if (is_c1(text, strnlen(text, 2))) {
            *to++ = '?';
            text++;
        } else {
            *to++ = *text;
        }
    }
    *to = '\0';
    return copy;
}
