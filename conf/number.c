/* See number.h. */
#include "conf/number.h"

#include "conf/bind.h"
#include "conf/text.h"
#include "core/quantity.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Returns whether the text is a whole number, with a sign or none and blanks around it; `*begin` is where it begins. */
static bool is_integer(const char *text, const char **begin)
{
    while (*text != '\0' && (unsigned char)*text <= ' ')
        text++;
    *begin = text;
    const char *digits = text + (*text == '-' || *text == '+');
    size_t count = strspn(digits, "0123456789");
    const char *rest = digits + count;
    while (*rest != '\0' && (unsigned char)*rest <= ' ')
        rest++;
    return count > 0 && *rest == '\0';
}

bool ps_parse_int(const char *text, int64_t *value)
{
    const char *begin;
    if (!is_integer(text, &begin))
        return false;
    errno = 0;
    *value = strtoll(begin, NULL, 10);
    return errno == 0;
}

bool ps_parse_size(const char *text, int64_t *value)
{
    char *end;
    errno = 0;
    long long number = strtoll(text, &end, 10);
    if (end == text || errno != 0 || number < 0)
        return false;
    while (*end == ' ')
        end++;
    int letter = tolower((unsigned char)*end);
    unsigned shift = letter == 'k' ? 10 : letter == 'm' ? 20 : letter == 'g' ? 30 : 0;
    if (shift != 0) {
        end++;
        end += tolower((unsigned char)*end) == 'i' && tolower((unsigned char)end[1]) == 'b';
        end += tolower((unsigned char)*end) == 'b';
    }
    if (*end != '\0' || number > INT64_MAX >> shift)
        return false;
    *value = number << shift;
    return true;
}

static uint64_t unit_ns(const char *unit)
{
    if (unit == NULL)
        return 0;
    return strcmp(unit, "ms") == 0 ? 1000000 : strcmp(unit, "s") == 0 ? 1000000000 : 0;
}

/* Parses a number of a key that Flume does not know: "5s" and "1m30s" where the key is a time, "10k" where it is a
 * number of things. Returns false if the text has no unit that fits, or is not a whole number of the key's own unit. */
static bool read_with_unit(const struct ps_option *option, const char *text, int64_t *value)
{
    struct ps_err unused;
    uint64_t number, ns = unit_ns(option->unit);
    if (!(option->flags & PS_OPTION_EXTENSION))
        return false;
    if (ns == 0) {
        if (ps_quantity_count(option->key, text, 0, INT64_MAX, &number, &unused) != PS_OK)
            return false;
    } else {
        /* a number alone is of the key's unit, and so a whole one: to ps_quantity_duration it would be of seconds */
        if (*text == '\0' || !isalpha((unsigned char)text[strlen(text) - 1]))
            return false;
        if (ps_quantity_duration(option->key, text, &number, &unused) != PS_OK || number % ns != 0)
            return false;
        number /= ns;
    }
    *value = (int64_t)number;
    return true;
}

bool ps_number_read(struct ps_arena *arena, const struct ps_option *option, const char *text, int64_t *value)
{
    if (option->type == PS_OPTION_SIZE)
        return ps_parse_size(text, value);
    return ps_parse_int(text, value) || read_with_unit(option, ps_text_trim(arena, text), value);
}

bool ps_number_is_digits(const char *text)
{
    const char *begin;
    return is_integer(text, &begin);
}

const char *ps_number_cure(struct ps_arena *arena, const struct ps_option *option)
{
    if (option->type == PS_OPTION_SIZE)
        return "write a number of bytes, or one with k, m, g, KiB, MiB or GiB (powers of 1024)";
    if (!(option->flags & PS_OPTION_EXTENSION))
        return "write only decimal digits";
    if (unit_ns(option->unit) == 0)
        return "write a whole number, or one with k, M or G (thousands)";
    return ps_arena_format(arena, "write a whole number of %s, or a time with its unit: 500ms, 5s, 2m",
                           option->unit);
}
