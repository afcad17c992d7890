#include "stages/lib/hive/text/internal.h"

#include "stages/lib/date/calendar.h"
#include "stages/lib/orc/decimal.h"

#include <inttypes.h>
#include <math.h>
#include <openssl/evp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define NUMBER_BYTES 64U
#define DAY_S 86400

bool ps_hive_text_wrong(struct ps_err *err, const char *column, const char *format, ...)
{
    char reason[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(reason, sizeof reason, format, arguments);
    va_end(arguments);
    ps_err_set(err, "column %s: %s", column, reason);
    return false;
}

bool ps_hive_plain_is_text(const struct ps_orc_type *type)
{
    return type->kind == PS_ORC_STRING || type->kind == PS_ORC_VARCHAR || type->kind == PS_ORC_CHAR;
}

bool ps_hive_plain_is_bare(const struct ps_orc_type *type)
{
    switch (type->kind) {
    case PS_ORC_BOOLEAN:
    case PS_ORC_TINYINT:
    case PS_ORC_SMALLINT:
    case PS_ORC_INT:
    case PS_ORC_BIGINT:
    case PS_ORC_FLOAT:
    case PS_ORC_DOUBLE:
    case PS_ORC_DECIMAL:
        return true;
    default:
        return false;
    }
}

/* Prints the fewest digits from which the same number is read. */
static int print_real(char text[NUMBER_BYTES], double value, bool is_float)
{
    int length = 0;
    if (isnan(value))
        return snprintf(text, NUMBER_BYTES, "NaN");
    if (isinf(value))
        return snprintf(text, NUMBER_BYTES, "%sInfinity", value < 0 ? "-" : "");
    for (int digits = is_float ? 6 : 15; digits <= (is_float ? 9 : 17); digits++) {
        length = snprintf(text, NUMBER_BYTES, "%.*g", digits, value);
        if ((is_float ? (double)strtof(text, NULL) : strtod(text, NULL)) == value)
            break;
    }
    return length;
}

/* Prints a day of the proleptic Gregorian calendar, as the reader expects. */
static int print_day(char text[NUMBER_BYTES], int64_t days)
{
    struct ps_civil day;
    ps_civil_from_wall(days * DAY_S, &day);
    return snprintf(text, NUMBER_BYTES, "%04" PRId64 "-%02u-%02u", day.year, day.month, day.day);
}

static int print_time(char text[NUMBER_BYTES], const struct ps_orc_value *value)
{
    int64_t days = value->seconds / DAY_S - (value->seconds % DAY_S < 0);
    int second = (int)(value->seconds - days * DAY_S);
    int length = print_day(text, days);
    length += snprintf(text + length, NUMBER_BYTES - (size_t)length, " %02d:%02d:%02d", second / 3600,
                       second / 60 % 60, second % 60);
    if (value->nanoseconds == 0)
        return length;
    length += snprintf(text + length, NUMBER_BYTES - (size_t)length, ".%09" PRIu32, value->nanoseconds);
    while (text[length - 1] == '0')
        length--;
    return length;
}

static bool append_base64(const struct ps_orc_value *value, struct ps_byte_buffer *line)
{
    size_t room = ((size_t)value->length + 2) / 3 * 4;
    if (!ps_byte_buffer_reserve(line, room + 1)) /* EVP_EncodeBlock adds a 0 */
        return false;
    line->length += (size_t)EVP_EncodeBlock((unsigned char *)line->data + line->length,
                                            (const unsigned char *)value->bytes, (int)value->length);
    return true;
}

bool ps_hive_plain_append(const struct ps_orc_type *type, const struct ps_orc_value *value,
                          struct ps_byte_buffer *line)
{
    char text[NUMBER_BYTES];
    uint32_t characters = type->maximum_length;
    int length = 0;
    switch (type->kind) {
    case PS_ORC_STRING:
        return ps_byte_buffer_append(line, value->bytes, value->length);
    case PS_ORC_VARCHAR:
    case PS_ORC_CHAR:
        return ps_byte_buffer_append(line, value->bytes,
                                     ps_orc_text_bytes(value->bytes, value->length, &characters));
    case PS_ORC_BINARY:
        return append_base64(value, line);
    case PS_ORC_BOOLEAN:
        length = snprintf(text, sizeof text, "%s", value->integer != 0 ? "true" : "false");
        break;
    case PS_ORC_FLOAT:
    case PS_ORC_DOUBLE:
        length = print_real(text, value->real, type->kind == PS_ORC_FLOAT);
        break;
    case PS_ORC_DECIMAL:
        length = (int)ps_orc_decimal_text(value->decimal, type->scale, text);
        break;
    case PS_ORC_DATE:
        length = print_day(text, value->integer);
        break;
    case PS_ORC_TIMESTAMP:
        length = print_time(text, value);
        break;
    default:
        length = snprintf(text, sizeof text, "%" PRIi64, value->integer);
        break;
    }
    return ps_byte_buffer_append(line, text, (size_t)length);
}
