#include <string.h>

#include "stages/lib/date/joda/internal.h"

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
