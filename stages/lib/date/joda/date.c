#include <string.h>
#include <strings.h>

#include "stages/lib/date/joda/date.h"
#include "stages/lib/date/calendar.h"
#include "stages/lib/date/joda/fields.h"
#include "stages/lib/date/joda/zones.h"
#include "stages/lib/date/time_zone.h"

enum item_kind {
    ITEM_TEXT,
    ITEM_NUMBER,
    ITEM_TWO_DIGIT_YEAR,
    ITEM_FRACTION,
    ITEM_NAME,
    ITEM_OFFSET,
    ITEM_ZONE_NAME,
    ITEM_ZONE_ID
};

struct item {
    enum item_kind kind;
    enum ps_joda_field field;
    unsigned digits_max;
    bool is_signed, lenient; /* is_signed: for numbers; lenient: for two-digit years */
    struct ps_slice text;
};

struct ps_joda_date {
    struct item items[PS_JODA_FIELDS_MAX];
    size_t count;
    int pivot_year, pivot_weekyear;
    const struct ps_time_zone *zone;
    const struct ps_joda_zones *zones; /* NULL: the pattern contains no zone */
};

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

#define DIGITS_MAX 9 /* digits of a year that no number follows */

/* ---- the pattern ---- */

/* Reads a run of one letter, or literal text up to the next letter outside ' marks (`text` has room for it).
 * Returns the end of the token. */
static const char *token_read(const char *p, char *letter, unsigned *count, char *text, uint32_t *length)
{
    *letter = '\0';
    *count = 0;
    *length = 0;
    bool quoted = false;
    if ((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z')) {
        *letter = *p;
        for (; *p == *letter; p++)
            ++*count;
        return p;
    }
    for (; *p != '\0'; p++) {
        if (*p == '\'' && p[1] == '\'')
            text[(*length)++] = *p++;
        else if (*p == '\'')
            quoted = !quoted;
        else if (!quoted && ((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z')))
            break;
        else
            text[(*length)++] = *p;
    }
    return p;
}

static bool is_number(const char *p)
{
    return *p != '\0' &&
           (strchr("cCxyYdhHmsSeDFwWkK", *p) != NULL || (*p == 'M' && (p[1] != 'M' || p[2] != 'M')));
}

static unsigned at_least(unsigned count, unsigned least)
{
    return count < least ? least : count;
}

/* Handles the letters that are a number for any count: sets field and maximum digits. */
static bool plain_number(char letter, struct item *item)
{
    static const struct {
        char letter;
        enum ps_joda_field field;
        unsigned digits;
    } numbers[] = {
        {'d', PS_JODA_DAY_OF_MONTH, 2}, {'h', PS_JODA_CLOCKHOUR_OF_HALFDAY, 2}, {'H', PS_JODA_HOUR, 2},
        {'k', PS_JODA_CLOCKHOUR, 2},    {'K', PS_JODA_HOUR_OF_HALFDAY, 2},      {'m', PS_JODA_MINUTE, 2},
        {'s', PS_JODA_SECOND, 2},       {'e', PS_JODA_DAY_OF_WEEK, 1},          {'D', PS_JODA_DAY_OF_YEAR, 3},
        {'w', PS_JODA_WEEK, 2},
    };
    for (size_t i = 0; i < PS_COUNT_OF(numbers); i++) {
        if (numbers[i].letter == letter) {
            item->kind = ITEM_NUMBER;
            item->field = numbers[i].field;
            item->digits_max = numbers[i].digits;
            return true;
        }
    }
    return false;
}

static void year_item(struct item *item, char letter, unsigned count, bool number_follows)
{
    item->field = letter == 'x' ? PS_JODA_WEEKYEAR : letter == 'Y' ? PS_JODA_YEAR_OF_ERA : PS_JODA_YEAR;
    if (count == 2) {
        item->kind = ITEM_TWO_DIGIT_YEAR;
        item->field = letter == 'x' ? PS_JODA_WEEKYEAR : PS_JODA_YEAR;
        item->lenient = !number_follows;
        return;
    }
    item->kind = ITEM_NUMBER;
    item->is_signed = letter != 'Y';
    item->digits_max = number_follows ? count : at_least(DIGITS_MAX, count);
}

static bool letter_item(struct item *item, char letter, unsigned count, bool number_follows)
{
    if (plain_number(letter, item)) {
        item->digits_max = at_least(item->digits_max, count);
        return true;
    }
    switch (letter) {
    case 'x':
    case 'y':
    case 'Y':
        year_item(item, letter, count, number_follows);
        return true;
    case 'C':
        *item = (struct item){
            .kind = ITEM_NUMBER, .field = PS_JODA_CENTURY_OF_ERA, .digits_max = count, .is_signed = true};
        return true;
    case 'M':
        item->kind = count > 2 ? ITEM_NAME : ITEM_NUMBER;
        item->field = PS_JODA_MONTH;
        item->digits_max = 2;
        return true;
    case 'S':
        *item = (struct item){.kind = ITEM_FRACTION, .field = PS_JODA_MS, .digits_max = count};
        return true;
    case 'G':
    case 'E':
    case 'a':
        item->kind = ITEM_NAME;
        item->field = letter == 'G' ? PS_JODA_ERA : letter == 'E' ? PS_JODA_DAY_OF_WEEK : PS_JODA_HALFDAY;
        return true;
    case 'Z':
        item->kind = count > 2 ? ITEM_ZONE_ID : ITEM_OFFSET;
        return true;
    case 'z':
        item->kind = ITEM_ZONE_NAME;
        return true;
    default:
        return false;
    }
}

static enum ps_status item_add(struct ps_joda_date *date, const char *pattern, const struct item *item,
                               struct ps_err *err)
{
    if (date->count == PS_JODA_FIELDS_MAX)
        return ps_err_set(err, "date pattern \"%s\" has more than %u parts", pattern, PS_JODA_FIELDS_MAX);
    date->items[date->count++] = *item;
    return PS_OK;
}

static enum ps_status pattern_read(struct ps_joda_date *date, struct ps_arena *arena, const char *pattern,
                                   struct ps_err *err)
{
    for (const char *p = pattern, *next; *p != '\0'; p = next) {
        char letter, *text = ps_arena_alloc(arena, strlen(p) + 1);
        unsigned count;
        struct item item = {.text = {text, 0}};
        next = token_read(p, &letter, &count, text, &item.text.length);
        if (letter == '\0' && item.text.length == 0)
            continue;
        if (letter == 'z' && count > 3)
            return ps_err_set(
                err, "date pattern \"%s\": Joda-Time cannot read zzzz (names of time zones), only print them",
                pattern);
        if (letter != '\0' && !letter_item(&item, letter, count, is_number(next)))
            return ps_err_set(
                err, "date pattern \"%s\": %c at %td is not a letter of Joda-Time (put text between ' marks)",
                pattern, letter, p - pattern);
        if (item_add(date, pattern, &item, err) != PS_OK)
            return PS_FAIL;
    }
    return date->count > 0 ? PS_OK : ps_err_set(err, "date pattern \"%s\" is empty", pattern);
}

static bool has_kind(const struct ps_joda_date *date, enum item_kind kind)
{
    for (size_t i = 0; i < date->count; i++) {
        if (date->items[i].kind == kind)
            return true;
    }
    return false;
}

const struct ps_joda_date *ps_joda_date_create(struct ps_arena *arena, const char *pattern, int64_t now_ms,
                                               struct ps_err *err)
{
    struct ps_joda_date *date = ps_arena_alloc(arena, sizeof *date);
    if (pattern_read(date, arena, pattern, err) != PS_OK)
        return NULL;
    bool known;
    date->zone = ps_time_zone_load(arena, NULL, &known);
    int64_t now_s = now_ms / 1000;
    struct ps_joda_years years = ps_joda_years_of((now_s + ps_time_zone_offset(date->zone, now_s)) * 1000);
    date->pivot_year = (int)years.year - 30;
    date->pivot_weekyear = (int)years.weekyear - 30;
    if (has_kind(date, ITEM_ZONE_NAME) || has_kind(date, ITEM_ZONE_ID))
        date->zones = ps_joda_zones_load(arena, has_kind(date, ITEM_ZONE_ID));
    return date;
}
