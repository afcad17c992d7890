#include "stages/lib/hive/field.h"

#include "stages/lib/orc/decimal.h"
#include "stages/lib/date/calendar.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define REAL_BYTES_MAX 1024U /* a longer number is null */
#define DIGITS_MAX 80U       /* digits of a decimal that are read; further digits are too small to matter */
#define EXPONENT_MAX 99      /* a decimal with a greater exponent is null */
#define WHOLE_DIGITS_MAX 38  /* digits before the point of a decimal, whatever the exponent */

struct cursor {
    const char *at, *end;
};

static struct ps_orc_value null_value(void)
{
    return (struct ps_orc_value){.null = true};
}

static bool is_digit(const struct cursor *text)
{
    return text->at < text->end && *text->at >= '0' && *text->at <= '9';
}

static bool take(struct cursor *text, char wanted)
{
    if (text->at == text->end || *text->at != wanted)
        return false;
    text->at++;
    return true;
}

/* Reads a sign, if there is one. Returns whether it is a minus. */
static bool take_sign(struct cursor *text)
{
    return take(text, '-') || (take(text, '+') && false);
}

static size_t take_digits(struct cursor *text)
{
    const char *from = text->at;
    while (is_digit(text))
        text->at++;
    return (size_t)(text->at - from);
}

/* Removes blanks and control characters at both ends, like String.trim. */
static struct cursor trim(struct cursor text)
{
    while (text.at < text.end && (unsigned char)*text.at <= ' ')
        text.at++;
    while (text.at < text.end && (unsigned char)text.end[-1] <= ' ')
        text.end--;
    return text;
}

/* Returns whether the byte is a blank in decimals: FastHiveDecimalImpl.isBlank of Hive 4.0.1. */
static bool is_blank(char byte)
{
    return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

static struct cursor trim_blanks(struct cursor text)
{
    while (text.at < text.end && is_blank(*text.at))
        text.at++;
    while (text.at < text.end && is_blank(text.end[-1]))
        text.end--;
    return text;
}

/* ---- numbers ---- */

/* Reads an integer like LazyInteger.parse: after a point there may only be digits, which are dropped. */
static struct ps_orc_value read_integer(struct cursor text, int64_t least, int64_t most)
{
    bool is_negative = take_sign(&text), lost = false;
    int64_t value = 0;
    size_t digits = 0;
    for (; is_digit(&text); digits++) {
        int digit = *text.at++ - '0';
        lost = lost || __builtin_mul_overflow(value, 10, &value) ||
               __builtin_add_overflow(value, is_negative ? -digit : digit, &value);
    }
    if (take(&text, '.'))
        digits += take_digits(&text);
    if (lost || digits == 0 || text.at != text.end || value < least || value > most)
        return null_value();
    return (struct ps_orc_value){.integer = value};
}

static bool equals(struct cursor text, const char *word)
{
    return (size_t)(text.end - text.at) == strlen(word) && memcmp(text.at, word, strlen(word)) == 0;
}

/* Returns whether the text has the grammar of Double.valueOf: decimal digits with a point and an exponent, or hexadecimal ones with
 * a binary exponent; then f, F, d or D. */
static bool is_real(struct cursor text)
{
    take_sign(&text);
    if (equals(text, "NaN") || equals(text, "Infinity"))
        return true;
    bool is_hexadecimal =
        text.end - text.at > 2 && text.at[0] == '0' && (text.at[1] == 'x' || text.at[1] == 'X');
    size_t digits = 0;
    text.at += is_hexadecimal ? 2 : 0;
    const char *digit = is_hexadecimal ? "0123456789abcdefABCDEF" : "0123456789";
    for (unsigned part = 0; part < 2; part++) {
        while (text.at < text.end && *text.at != '\0' && strchr(digit, *text.at) != NULL) {
            text.at++;
            digits++;
        }
        if (part == 1 || !take(&text, '.'))
            break;
    }
    bool has_exponent =
        is_hexadecimal ? take(&text, 'p') || take(&text, 'P') : take(&text, 'e') || take(&text, 'E');
    if (has_exponent) {
        take_sign(&text);
        if (take_digits(&text) == 0)
            return false;
    }
    if (text.at < text.end && *text.at != '\0' && strchr("fFdD", *text.at) != NULL)
        text.at++;
    return digits > 0 && (has_exponent || !is_hexadecimal) && text.at == text.end;
}

static struct ps_orc_value read_real(struct cursor text, bool is_float)
{
    char copy[REAL_BYTES_MAX];
    text = trim(text);
    size_t length = (size_t)(text.end - text.at);
    if (length >= sizeof(copy) || !is_real(text))
        return null_value();
    memcpy(copy, text.at, length);
    copy[length] = '\0'; /* strtod stops at the suffix */
    return (struct ps_orc_value){.real = is_float ? (double)strtof(copy, NULL) : strtod(copy, NULL)};
}

/* A decimal's digits without leading zeros, and how many of them are before the point. */
struct digits {
    char all[DIGITS_MAX];
    size_t count;
    long point;
};

static void add_digits(struct cursor *text, struct digits *digits, bool before)
{
    for (; is_digit(text); text->at++) {
        bool leads = digits->count == 0 && *text->at == '0';
        if (!leads && digits->count < DIGITS_MAX)
            digits->all[digits->count++] = *text->at;
        digits->point += before ? !leads : -(long)leads;
    }
}

static bool read_digits(struct cursor text, struct digits *digits)
{
    const char *from = text.at;
    long exponent = 0;
    add_digits(&text, digits, true);
    size_t seen = (size_t)(text.at - from);
    if (digits->point > WHOLE_DIGITS_MAX)
        return false;
    if (take(&text, '.')) {
        from = text.at;
        add_digits(&text, digits, false);
        seen += (size_t)(text.at - from);
    }
    if (seen > 0 && (take(&text, 'e') || take(&text, 'E'))) {
        bool is_negative = take_sign(&text);
        from = text.at;
        for (; is_digit(&text); text.at++)
            exponent = exponent <= EXPONENT_MAX ? exponent * 10 + (*text.at - '0') : exponent;
        seen = exponent <= EXPONENT_MAX ? (size_t)(text.at - from) : 0;
        exponent = is_negative ? -exponent : exponent;
    }
    digits->point += exponent;
    return seen > 0 && text.at == text.end;
}

/* Rounds half up to the type's scale, as HiveDecimal does; null if the integer part is too long. */
static struct ps_orc_value read_decimal(const struct ps_orc_type *type, struct cursor text)
{
    struct digits digits = {.count = 0};
    __int128 value = 0;
    text = trim_blanks(text);
    bool is_negative = take_sign(&text);
    if (!read_digits(text, &digits) ||
        (digits.count > 0 && digits.point > (long)type->precision - (long)type->scale))
        return null_value();
    long kept = digits.point + (long)type->scale;
    for (long i = 0; digits.count > 0 && i < kept; i++)
        value = value * 10 + (i < (long)digits.count ? digits.all[i] - '0' : 0);
    if (kept >= 0 && kept < (long)digits.count && digits.all[kept] >= '5')
        value++;
    if (!ps_orc_decimal_fits(value, type->precision))
        return null_value();
    return (struct ps_orc_value){.decimal = is_negative ? -value : value};
}

/* ---- days and times ---- */

/* Takes one or two digits with a value of at most `most`. Returns -1 if there are none, or the value is greater. */
static int take_small(struct cursor *text, int most)
{
    int value = 0;
    const char *from = text->at;
    while (is_digit(text) && text->at - from < 2)
        value = value * 10 + (*text->at++ - '0');
    return text->at == from || value > most ? -1 : value;
}

/* Takes yyyy-[m]m-[d]d of a valid day in the proleptic Gregorian calendar. */
static bool take_day(struct cursor *text, int64_t *days)
{
    bool is_negative = take(text, '-');
    const char *from = text->at;
    int64_t year = 0;
    while (is_digit(text) && text->at - from < 4)
        year = year * 10 + (*text->at++ - '0');
    bool is_year = text->at - from == 4 && take(text, '-');
    int month = is_year ? take_small(text, 12) : -1;
    int day = month > 0 && take(text, '-') ? take_small(text, 31) : -1;
    if (day <= 0)
        return false;
    year = is_negative ? -year : year;
    *days = ps_gregorian_days(year, month - 1, day);
    return day <= ps_month_days(year, month - 1);
}

/* Ignores the text after the day, unless it begins with a digit (Date.valueOf of Hive 4). */
static struct ps_orc_value read_date(struct cursor text)
{
    int64_t days;
    text = trim(text);
    if (!take_day(&text, &days) || is_digit(&text))
        return null_value();
    return (struct ps_orc_value){.integer = days};
}

static struct ps_orc_value read_timestamp(struct cursor text)
{
    int64_t days;
    uint32_t nanoseconds = 0;
    text = trim(text);
    if (!take_day(&text, &days) || !(take(&text, ' ') || take(&text, 'T')))
        return null_value();
    int hour = take_small(&text, 23), minute = take(&text, ':') ? take_small(&text, 59) : -1;
    int second = take(&text, ':') ? take_small(&text, 59) : -1;
    if (hour < 0 || minute < 0 || second < 0)
        return null_value();
    if (take(&text, '.')) {
        uint32_t unit = 100000000;
        if (!is_digit(&text))
            return null_value();
        for (; is_digit(&text) && unit > 0; unit /= 10)
            nanoseconds += unit * (uint32_t)(*text.at++ - '0');
    }
    if (text.at != text.end)
        return null_value();
    return (struct ps_orc_value){.seconds = days * 86400 + hour * 3600 + minute * 60 + second,
                                 .nanoseconds = nanoseconds};
}

/* ---- fields ---- */

bool ps_hive_field_knows(const struct ps_orc_type *type)
{
    return type->child_count == 0 && type->kind != PS_ORC_BINARY && type->kind != PS_ORC_STRUCT;
}

static struct ps_orc_value read_boolean(struct cursor text)
{
    size_t length = (size_t)(text.end - text.at);
    if (length == 4 && strncasecmp(text.at, "true", 4) == 0)
        return (struct ps_orc_value){.integer = 1};
    if (length == 5 && strncasecmp(text.at, "false", 5) == 0)
        return (struct ps_orc_value){.integer = 0};
    return null_value();
}

struct ps_orc_value ps_hive_field_read(const struct ps_orc_type *type, const char *text, uint32_t length)
{
    struct cursor cursor = {text, text + length};
    PS_ASSERT(ps_hive_field_knows(type));
    if (length == 2 && text[0] == '\\' && text[1] == 'N')
        return null_value();
    switch (type->kind) {
    case PS_ORC_BOOLEAN:
        return read_boolean(cursor);
    case PS_ORC_TINYINT:
        return read_integer(cursor, INT8_MIN, INT8_MAX);
    case PS_ORC_SMALLINT:
        return read_integer(cursor, INT16_MIN, INT16_MAX);
    case PS_ORC_INT:
        return read_integer(cursor, INT32_MIN, INT32_MAX);
    case PS_ORC_BIGINT:
        return read_integer(cursor, INT64_MIN, INT64_MAX);
    case PS_ORC_FLOAT:
        return read_real(cursor, true);
    case PS_ORC_DOUBLE:
        return read_real(cursor, false);
    case PS_ORC_DATE:
        return read_date(cursor);
    case PS_ORC_TIMESTAMP:
        return read_timestamp(cursor);
    case PS_ORC_DECIMAL:
        return read_decimal(type, cursor);
    default:
        return (struct ps_orc_value){.bytes = text, .length = length};
    }
}
