#include "tests/support/hive_value.h"

#include "stages/lib/orc/decimal.h"
#include "stages/lib/date/calendar.h"
#include "tests/support/support.h"

#include <inttypes.h>
#include <math.h>
#include <time.h>

static void print_day(FILE *out, int64_t days)
{
    time_t seconds = (time_t)(days * 86400);
    struct tm parts;
    gmtime_r(&seconds, &parts);
    fprintf(out, "%s%04d-%02d-%02d", parts.tm_year < -1900 ? "-" : "", abs(parts.tm_year + 1900),
            parts.tm_mon + 1, parts.tm_mday);
}

static void print_timestamp(FILE *out, const struct ps_orc_value *value)
{
    int64_t days = ps_floor_div(value->seconds, 86400), rest = value->seconds - days * 86400;
    char fraction[16];
    int length = snprintf(fraction, sizeof(fraction), ".%09u", value->nanoseconds);
    while (fraction[length - 1] == '0')
        length--;
    print_day(out, days);
    fprintf(out, " %02d:%02d:%02d%.*s", (int)(rest / 3600), (int)(rest / 60 % 60), (int)(rest % 60),
            fraction[length - 1] == '.' ? 0 : length, fraction);
}

static void print_real(FILE *out, double value)
{
    if (isnan(value))
        fputs("NaN", out);
    else if (isinf(value))
        fputs(value < 0 ? "-Infinity" : "Infinity", out);
    else
        fprintf(out, "%.17g", value);
}

static void print_bytes(FILE *out, const struct ps_orc_value *value)
{
    putc('[', out);
    for (uint32_t i = 0; i < value->length; i++)
        fprintf(out, "%s%d", i == 0 ? "" : ", ", (int)(signed char)value->bytes[i]);
    putc(']', out);
}

static void print_items(FILE *out, const struct ps_orc_type *type, const struct ps_orc_value *value)
{
    bool is_map = type->kind == PS_ORC_MAP;
    putc(is_map ? '{' : '[', out);
    for (uint32_t i = 0; i < value->item_count; i++) {
        uint32_t child = type->kind == PS_ORC_ARRAY ? 0 : is_map ? i % 2 : i;
        fputs(i == 0 ? "" : is_map && i % 2 == 1 ? "=" : ", ", out);
        hive_value_print(out, type->children[child], &value->items[i]);
    }
    putc(is_map ? '}' : ']', out);
}

void hive_value_print(FILE *out, const struct ps_orc_type *type, const struct ps_orc_value *value)
{
    char text[PS_ORC_DECIMAL_TEXT_BYTES];
    if (value->null) {
        fputs("null", out);
        return;
    }
    switch (type->kind) {
    case PS_ORC_BOOLEAN:
        fputs(value->integer != 0 ? "true" : "false", out);
        break;
    case PS_ORC_TINYINT:
    case PS_ORC_SMALLINT:
    case PS_ORC_INT:
    case PS_ORC_BIGINT:
        fprintf(out, "%" PRId64, value->integer);
        break;
    case PS_ORC_FLOAT:
        print_real(out, (double)(float)value->real);
        break;
    case PS_ORC_DOUBLE:
        print_real(out, value->real);
        break;
    case PS_ORC_DATE:
        print_day(out, value->integer);
        break;
    case PS_ORC_TIMESTAMP:
        print_timestamp(out, value);
        break;
    case PS_ORC_DECIMAL:
        fprintf(out, "%.*s", (int)ps_orc_decimal_text(value->decimal, type->scale, text), text);
        break;
    case PS_ORC_STRING:
    case PS_ORC_VARCHAR:
    case PS_ORC_CHAR:
        fprintf(out, "<%.*s>", (int)value->length, value->length > 0 ? value->bytes : "");
        break;
    case PS_ORC_BINARY:
        print_bytes(out, value);
        break;
    case PS_ORC_ARRAY:
    case PS_ORC_MAP:
    case PS_ORC_STRUCT:
        print_items(out, type, value);
        break;
    }
}

char *hive_value_text(const struct ps_orc_type *type, const struct ps_orc_value *value)
{
    char *text;
    size_t length;
    FILE *out = ps_must_open_text(&text, &length, "a value");
    hive_value_print(out, type, value);
    fclose(out);
    return text;
}

struct ps_orc_type *hive_type_of(const char *text)
{
    struct ps_err err;
    struct ps_orc_type *type = ps_orc_type_parse(text, &err);
    assert_non_null(type);
    return type;
}
