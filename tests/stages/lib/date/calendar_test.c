/* The calendar that java.util.GregorianCalendar has, compared with one that counts days: each day of the years -400 to
 * 2800, with the ten days that 1582 lacks; and months and days out of their range. */
#include "stages/lib/date/calendar.h"
#include "tests/support/support.h"

#include <inttypes.h>
#include <stdio.h>

static int64_t length_of(int64_t year, int64_t month, bool julian)
{
    static const int64_t lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (julian || year % 100 != 0 || year % 400 == 0);
    return lengths[month] + (month == 1 && leap);
}

/* Counts days forwards from 1970. */
static void test_gregorian(void **unused)
{
    int64_t days = 0;
    for (int64_t year = 1970; year < 2800; year++) {
        for (int64_t month = 0; month < 12; month++) {
            for (int64_t day = 1; day <= length_of(year, month, false); day++, days++) {
                assert_int_equal(ps_gregorian_days(year, month, day), days);
                assert_int_equal(ps_days_from_java(year, month, day), days);
            }
        }
    }
}

/* Counts days backwards from 1970, over the change of calendars. */
static void test_backwards(void **unused)
{
    int64_t days = 0, gregorian = 0;
    for (int64_t year = 1969; year >= -400; year--) {
        for (int64_t month = 11; month >= 0; month--) {
            bool julian = year < 1582 || (year == 1582 && month < 9);
            for (int64_t day = length_of(year, month, false); day >= 1; day--)
                assert_int_equal(ps_gregorian_days(year, month, day), --gregorian);
            for (int64_t day = length_of(year, month, julian); day >= 1; day--) {
                if (year == 1582 && month == 9 && day > 4 && day < 15)
                    continue; /* these days never existed */
                assert_int_equal(ps_days_from_java(year, month, day), --days);
            }
        }
    }
}

/* Month 12 is January of the next year, month -1 December of the last one, day 0 the day before the first. */
static void test_out_of_range(void **unused)
{
    static const int64_t years[] = {-5, 1, 1581, 1583, 1899, 1900, 1999, 2000, 2024};
    for (size_t i = 0; i < PS_COUNT_OF(years); i++) {
        int64_t year = years[i];
        for (int64_t month = 0; month < 12; month++) {
            int64_t first = ps_days_from_java(year, month, 1);
            for (int64_t more = -3; more <= 3; more++)
                assert_int_equal(ps_days_from_java(year + more, month - 12 * more, 1), first);
            for (int64_t more = -200; more <= 60; more++) {
                if (year != 1583 && year != 1581)
                    assert_int_equal(ps_days_from_java(year, month, 1 + more), first + more);
            }
        }
    }
    assert_int_equal(ps_floor_div(-1, 12), -1);
    assert_int_equal(ps_floor_div(-12, 12), -1);
    assert_int_equal(ps_floor_div(-13, 12), -2);
    assert_int_equal(ps_floor_div(11, 12), 0);
    assert_int_equal(ps_floor_div(12, 12), 1);
}

static void test_render(void **unused)
{
    uint64_t state = ps_test_seed() | 1;
    for (unsigned i = 0; i < 2000; i++) {
        static const int64_t limits[] = {0,
                                         1,
                                         -1,
                                         9,
                                         10,
                                         -10,
                                         INT64_MAX,
                                         INT64_MIN,
                                         INT64_MIN + 1,
                                         999999999999,
                                         1000000000000,
                                         9999999999999,
                                         10000000000000,
                                         1000099999999,
                                         1000100000000,
                                         1764000000009,
                                         -1764000000009};
        int64_t value = i < PS_COUNT_OF(limits)
                            ? limits[i]
                            : (int64_t)(ps_test_random(&state) >> (ps_test_random(&state) % 64));
        if (i % 4 == 0 && i >= PS_COUNT_OF(limits)) /* times from 2001 to 2286 */
            value = 1000000000000 + (int64_t)(ps_test_random(&state) % 9000000000000);
        if (i % 2 == 1 && i >= PS_COUNT_OF(limits))
            value = value > 0 ? -value : value;
        char text[24], expected[24];
        uint32_t length = ps_time_render(value, text);
        assert_int_equal(length, snprintf(expected, sizeof expected, "%" PRId64, value));
        assert_memory_equal(text, expected, length);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_gregorian), cmocka_unit_test(test_backwards),
                                       cmocka_unit_test(test_out_of_range), cmocka_unit_test(test_render)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
