#include <string.h>
#include <strings.h>

#include "stages/lib/date/joda/internal.h"

struct reader {
    const char *p, *end;
    struct ps_joda_fields fields;
    const struct ps_time_zone *zone;
    bool has_offset;
    int32_t offset_ms;
};

static bool is_digit(const char *p)
{
    return *p >= '0' && *p <= '9';
}

static bool take_value(struct reader *r, enum ps_joda_field field, int64_t value)
{
    if (value < INT32_MIN || value > INT32_MAX)
        return false;
    r->fields.all[r->fields.count++] = (struct ps_joda_value){field, (int32_t)value};
    return true;
}

/* Reads digits up to `end`; stops adding digits above INT32_MAX. */
static int64_t number_of(const char *p, const char *end)
{
    int64_t value = 0;
    for (; p < end; p++)
        value = value > INT32_MAX ? value : value * 10 + (*p - '0');
    return value;
}

static bool read_number(struct reader *r, const struct item *item)
{
    ptrdiff_t room = r->end - r->p, most = (ptrdiff_t)item->digits_max;
    const char *start = r->p;
    bool has_sign = item->is_signed && room > 0 && most > 1 && (*start == '-' || *start == '+');
    if (has_sign) {
        if (room < 2 || !is_digit(start + 1))
            return false;
        start++;
    }
    const char *end = start;
    while (end < r->end && end - start < most && is_digit(end))
        end++;
    if (end == start)
        return false;
    int64_t value = number_of(start, end);
    if (has_sign && *r->p == '-')
        value = -value;
    r->p = end;
    return take_value(r, item->field, value);
}

static bool two_digit_year(struct reader *r, const struct item *item, int pivot)
{
    if (r->end - r->p < 2 || !is_digit(r->p) || !is_digit(r->p + 1))
        return false;
    int year = (int)number_of(r->p, r->p + 2), low = pivot - 50;
    int of_century = low >= 0 ? low % 100 : 99 + (low + 1) % 100;
    r->p += 2;
    return take_value(r, item->field, year + low + (year < of_century ? 100 : 0) - of_century);
}

/* Reads a year: two digits without a sign are expanded, anything else is the year itself. */
static bool read_two_digit_year(struct reader *r, const struct item *item, int pivot)
{
    if (!item->lenient)
        return two_digit_year(r, item, pivot);
    bool has_sign = false, negative = false;
    while (r->p < r->end && *r->p == '+') { /* Joda-Time accepts several plus signs */
        has_sign = true;
        r->p++;
    }
    const char *start = r->p;
    if (start < r->end && *start == '-') {
        has_sign = negative = true;
        start++;
    }
    const char *end = start;
    while (end < r->end && is_digit(end))
        end++;
    if (end == start && (!negative || start == r->end))
        return false;
    /* like a bug of Joda-Time: the next character counts as a digit and is not consumed */
    if (end == start) {
        r->p = start;
        return take_value(r, item->field, '0' - *start);
    }
    if (!has_sign && end - start == 2)
        return two_digit_year(r, item, pivot);
    r->p = end;
    int64_t value = number_of(start, end);
    return take_value(r, item->field, negative ? -value : value);
}

static bool read_fraction(struct reader *r, const struct item *item)
{
    int32_t value = 0, unit = 100;
    const char *start = r->p;
    for (; r->p < r->end && (size_t)(r->p - start) < item->digits_max && is_digit(r->p); r->p++, unit /= 10)
        value += (*r->p - '0') * unit;
    return r->p > start && take_value(r, item->field, value);
}

struct names {
    const char *const *names;
    int count, first, repeat; /* values count up from `first` and start again after `repeat` names */
};

static const char *const eras[] = {"BC", "AD", "BCE", "CE"};
static const char *const halves[] = {"AM", "PM"};

static struct names names_of(enum ps_joda_field field)
{
    switch (field) {
    case PS_JODA_ERA:
        return (struct names){eras, 4, 0, 2};
    case PS_JODA_HALFDAY:
        return (struct names){halves, 2, 0, 2};
    case PS_JODA_DAY_OF_WEEK:
        return (struct names){ps_day_names, 14, 1, 7};
    default:
        return (struct names){ps_month_names, 24, 1, 12};
    }
}

/* Returns true when the text is the name as written, all lower case or all upper case. */
static bool is_name(const char *text, const char *name, size_t length)
{
    if (strncasecmp(text, name, length) != 0)
        return false;
    bool as_written = true, small = true, capital = true;
    for (size_t i = 0; i < length; i++) {
        as_written = as_written && text[i] == name[i];
        small = small && text[i] >= 'a';
        capital = capital && text[i] <= 'Z';
    }
    return as_written || small || capital;
}

/* Reads the longest short or long name, independent of the letter count in the pattern. */
static bool read_name(struct reader *r, const struct item *item)
{
    struct names names = names_of(item->field);
    size_t longest = 0;
    int value = 0;
    for (int i = 0; i < names.count; i++) {
        size_t length = strlen(names.names[i]);
        if (length > longest && (size_t)(r->end - r->p) >= length && is_name(r->p, names.names[i], length)) {
            longest = length;
            value = names.first + i % names.repeat;
        }
    }
    r->p += longest;
    return longest > 0 && take_value(r, item->field, value);
}

/* Returns the number of digits at r->p, at most `most`. */
static int digits_at(const struct reader *r, int most)
{
    int count = 0;
    while (count < most && r->p + count < r->end && is_digit(r->p + count))
        count++;
    return count;
}

/* Reads "Z", or a sign and hh, hhmm, hhmmss or hhmmssSSS, with all separators (colons, and a point or comma
 * before SSS) or with none. */
static bool read_offset(struct reader *r)
{
    static const int32_t units_ms[] = {3600000, 60000, 1000};
    r->has_offset = true;
    r->offset_ms = 0;
    if (r->p < r->end && (*r->p == 'Z' || *r->p == 'z')) {
        r->p++;
        return true;
    }
    if (r->p == r->end || (*r->p != '+' && *r->p != '-'))
        return false;
    int32_t sign = *r->p++ == '-' ? -1 : 1, sum = 0;
    bool separated = false, more = true;
    for (int part = 0; part < 3 && more; part++) {
        if (part > 0 && r->p == r->end)
            break;
        if (part == 1)
            separated = *r->p == ':';
        if (part > 0 && separated && *r->p++ != ':') {
            r->p--;
            more = false;
            break;
        }
        int count = digits_at(r, 2);
        if (part > 0 && count == 0 && !separated) {
            more = false;
            break;
        }
        if (count < 2)
            return false;
        int32_t value = (int32_t)number_of(r->p, r->p + 2);
        if (value > (part == 0 ? 23 : 59))
            return false;
        sum += value * units_ms[part];
        r->p += 2;
    }
    if (more && r->p < r->end) {
        if (separated && (*r->p == '.' || *r->p == ','))
            r->p++;
        else if (separated)
            goto done;
        int count = digits_at(r, 3);
        if (count == 0 && separated)
            return false;
        for (int32_t unit = 100; count > 0; count--, unit /= 10)
            sum += (*r->p++ - '0') * unit;
    }
done:
    r->offset_ms = sign * sum;
    return true;
}

static bool read_text(struct reader *r, const struct item *item)
{
    if ((size_t)(r->end - r->p) < item->text.length ||
        strncasecmp(r->p, item->text.data, item->text.length) != 0)
        return false;
    r->p += item->text.length;
    return true;
}

static bool read_item(struct reader *r, const struct ps_joda_date *date, const struct item *item)
{
    switch (item->kind) {
    case ITEM_TEXT:
        return read_text(r, item);
    case ITEM_NUMBER:
        return read_number(r, item);
    case ITEM_TWO_DIGIT_YEAR:
        return read_two_digit_year(r, item,
                                   item->field == PS_JODA_YEAR ? date->pivot_year : date->pivot_weekyear);
    case ITEM_FRACTION:
        return read_fraction(r, item);
    case ITEM_NAME:
        return read_name(r, item);
    case ITEM_OFFSET:
        return read_offset(r);
    case ITEM_ZONE_NAME:
    case ITEM_ZONE_ID:
        break;
    }
    size_t length = item->kind == ITEM_ZONE_ID
                        ? ps_joda_zones_id(date->zones, r->p, (size_t)(r->end - r->p), &r->zone)
                        : ps_joda_zones_name(date->zones, r->p, (size_t)(r->end - r->p), &r->zone);
    r->p += length;
    return length > 0;
}

bool ps_joda_date_parse(const struct ps_joda_date *date, const char *text, size_t length, int64_t *ms)
{
    struct reader r = {.p = text, .end = text + length, .zone = date->zone};
    for (size_t i = 0; i < date->count; i++) {
        if (!read_item(&r, date, &date->items[i]))
            return false;
    }
    if (r.p != r.end || !ps_joda_fields_to_ms(&r.fields, ms))
        return false;
    if (r.has_offset) {
        *ms = (int64_t)((uint64_t)*ms - (uint64_t)(int64_t)r.offset_ms);
        return true;
    }
    int64_t utc_s, wall_s = *ms / 1000 - (*ms % 1000 < 0);
    if (!ps_time_zone_from_wall_strict(r.zone, wall_s, &utc_s))
        return false;
    *ms = (int64_t)((uint64_t)*ms + ((uint64_t)utc_s - (uint64_t)wall_s) * 1000);
    return true;
}
