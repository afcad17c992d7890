/* ${date:...}: the letters of java.text.SimpleDateFormat, with the smallest and largest value of each. */
#include "conf/properties/date.h"
#include "core/arena.h"
#include "tests/support/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define AFTER_MIDNIGHT_MS INT64_C(1699920306007) /* Tuesday 2023-11-14 00:05:06.007 UTC */
#define EVENING_MS INT64_C(1700000000123)        /* the same day, 22:13:20.123 */
#define NEW_YEAR_MS INT64_C(1735646400000)       /* Tuesday 2024-12-31 12:00:00: the first week of 2025 */

static struct ps_arena *arena;

struct expected {
    const char *pattern, *text; /* NULL: the pattern is refused */
};

static void expect(int64_t ms, const struct expected *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const char *text = ps_date_format(arena, cases[i].pattern, ms);
        if ((text == NULL) != (cases[i].text == NULL) || (text != NULL && strcmp(text, cases[i].text) != 0))
            fail_msg("%s: %s, not %s", cases[i].pattern, text != NULL ? text : "refused",
                     cases[i].text != NULL ? cases[i].text : "refused");
    }
}

static void zone(const char *name)
{
    setenv("TZ", name, 1);
    tzset();
}

static void test_letters(void **state)
{
    static const struct expected midnight[] = {
        {"yyyy-MM-dd HH:mm:ss.SSS", "2023-11-14 00:05:06.007"},
        {"H k K h", "0 24 0 12"},
        {"HH kk KK hh", "00 24 00 12"},
        {"a", "AM"},
        {"yy yyyy YY YYYY", "23 2023 23 2023"},
        {"M MM MMM MMMM", "11 11 Nov November"},
        {"E EEE EEEE u", "Tue Tue Tuesday 2"},
        {"D d F W w", "318 14 2 3 46"},
        {"S SSSS", "7 0007"},
        {"G", "AD"},
        {"Z X XX XXX", "+0000 Z Z Z"},
        {"'it''s' ''", "it's '"},
        {"'open", NULL},
        {"XXXX", NULL},
        {"j", NULL},
        {"", "11/14/23, 12:05 AM"},
    };
    static const struct expected evening[] = {{"H k K h a", "22 22 10 10 PM"}};
    static const struct expected new_year[] = {{"yyyy YYYY w W", "2024 2025 1 5"}};
    static const struct expected before_1970[] = {{"yyyy-MM-dd HH:mm:ss.SSS", "1969-12-31 23:59:59.999"}};
    zone("UTC0");
    expect(AFTER_MIDNIGHT_MS, midnight, PS_COUNT_OF(midnight));
    expect(EVENING_MS, evening, PS_COUNT_OF(evening));
    expect(NEW_YEAR_MS, new_year, PS_COUNT_OF(new_year));
    expect(-1, before_1970, PS_COUNT_OF(before_1970));
}

static void test_zones(void **state)
{
    static const struct expected india[] = {{"HH:mm Z X XX XXX", "05:35 +0530 +05 +0530 +05:30"}};
    static const struct expected newfoundland[] = {{"HH:mm Z X XX XXX", "20:35 -0330 -03 -0330 -03:30"}};
    zone("IST-5:30");
    expect(AFTER_MIDNIGHT_MS, india, 1);
    zone("NST3:30");
    expect(AFTER_MIDNIGHT_MS, newfoundland, 1);
}

/* ---- weeks, compared with a calendar that counts days ---- */

static bool is_leap(int year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

/* The day's number, from Thursday 1970-01-01 on, of the first day of a year. */
static int64_t begin_of(int year)
{
    int64_t day = 0;
    for (int other = 1970; other < year; other++)
        day += is_leap(other) ? 366 : 365;
    return day;
}

static int64_t sunday_before(int64_t day)
{
    return day - (day + 4) % 7;
}

/* Every day of years that begin on each day of the week, leap years among them: weeks begin on Sunday, and the week with January 1 is
 * the first one of its year. */
static void test_every_day(void **state)
{
    static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    zone("UTC0");
    for (int year = 1970; year < 2042; year++) {
        int64_t day = begin_of(year);
        for (int month = 0; month < 12; month++) {
            int64_t first = day, end = day + lengths[month] + (month == 1 && is_leap(year));
            for (; day < end; day++) {
                int64_t sunday = sunday_before(day), next = begin_of(year + 1);
                int week_year = sunday + 6 >= next ? year + 1 : year;
                char expected[128];
                snprintf(expected, sizeof expected, "%d %d %d %d %d %d %d %d %d", year, week_year, month + 1,
                         (int)((sunday - sunday_before(begin_of(week_year))) / 7 + 1),
                         (int)((sunday - sunday_before(first)) / 7 + 1), (int)(day - begin_of(year)) + 1,
                         (int)(day - first) + 1, (int)(day - first) / 7 + 1, (int)(day + 3) % 7 + 1);
                const struct expected one = {"yyyy YYYY M w W D d F u", expected};
                expect(day * 86400000 + (day % 2) * 86399999, &one, 1);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_letters), cmocka_unit_test(test_zones),
                                       cmocka_unit_test(test_every_day)};
    arena = ps_arena_create();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    ps_arena_destroy(arena);
    return failed;
}
