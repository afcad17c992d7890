/* stages/lib/date/time_zone.h compared with the C library, and Java's unusual zone ids. */
#include "stages/lib/date/calendar.h"
#include "stages/lib/date/time_zone.h"
#include "tests/support/support.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

static void test_against_libc(void **unused)
{
    static const char *const zones[] = {"UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata",
                                        "Asia/Kathmandu", "Australia/Lord_Howe", "America/St_Johns",
                                        "Africa/Casablanca", "Pacific/Apia", "America/Sao_Paulo",
                                        /* their rules for years to come have hours below 0 or above 24 */
                                        "America/Nuuk", "Asia/Gaza", "Asia/Jerusalem"};
    uint64_t random = ps_test_seed();
    const char *before = getenv("TZ");
    char *kept = before != NULL ? strdup(before) : NULL;
    struct ps_arena *arena = ps_arena_create();
    for (size_t z = 0; z < PS_COUNT_OF(zones); z++) {
        bool known;
        const struct ps_time_zone *zone = ps_time_zone_load(arena, zones[z], &known);
        if (!known) {
            char path[256];
            snprintf(path, sizeof path, "/usr/share/zoneinfo/%s", zones[z]);
            if (access(path, F_OK) == 0)
                fail_msg("%s was not read", path);
            print_message("SKIP: no time zone file for %s\n", zones[z]);
            continue;
        }
        setenv("TZ", zones[z], 1);
        tzset();
        for (int i = 0; i < 3000; i++) {
            time_t at = (time_t)(ps_test_random(&random) % 6000000000U) - 2000000000; /* 1906 to 2096 */
            struct tm expected;
            assert_non_null(localtime_r(&at, &expected));
            int32_t offset = ps_time_zone_offset(zone, at);
            if (offset != expected.tm_gmtoff)
                fail_msg("%s at %lld: %d, not %ld", zones[z], (long long)at, offset, expected.tm_gmtoff);
            struct ps_civil civil;
            ps_civil_from_wall(at + offset, &civil);
            assert_int_equal(civil.year, expected.tm_year + 1900);
            assert_int_equal(civil.month, expected.tm_mon + 1);
            assert_int_equal(civil.day, expected.tm_mday);
            assert_int_equal(civil.hour, expected.tm_hour);
            assert_int_equal(civil.minute, expected.tm_min);
            assert_int_equal(civil.second, expected.tm_sec);
            assert_int_equal(civil.week_day, expected.tm_wday);
            assert_int_equal(civil.year_day, expected.tm_yday + 1);
            /* The way back gives the same time, except in the hour that comes twice. */
            int64_t back = ps_time_zone_from_wall(zone, at + offset);
            assert_int_equal(back + ps_time_zone_offset(zone, back), at + offset);
            assert_true(back >= at);
        }
    }
    if (kept != NULL)
        setenv("TZ", kept, 1);
    else
        unsetenv("TZ");
    tzset();
    free(kept);
    ps_arena_destroy(arena);
}

static void test_java_ids(void **unused)
{
    static const struct {
        const char *id;
        int32_t offset;
        bool known;
    } ids[] = {
        {"GMT+8", 28800, true},     {"GMT-03:30", -12600, true},
        {"GMT+0545", 20700, true},  {"GMT+23:59", 86340, true},
        {"GMT+24", 0, false},       {"GMT+1:2", 0, false},
        {"GMT+123456", 0, false},   {"GMT+", 0, false},
        {"Nowhere/Else", 0, false}, {"../../etc/passwd", 0, false},
        {"+8", 0, false},           {"GMT+8x", 0, false},
        {"PST", -28800, true},      {"IST", 19800, true},
        {"EST", -18000, true},      {"CTT", 28800, true},
        {"pst", 0, false},
    };
    struct ps_arena *arena = ps_arena_create();
    for (size_t i = 0; i < PS_COUNT_OF(ids); i++) {
        bool known;
        const struct ps_time_zone *zone = ps_time_zone_load(arena, ids[i].id, &known);
        if (known != ids[i].known || ps_time_zone_offset(zone, 1700000000) != ids[i].offset)
            fail_msg("%s: %s, %d", ids[i].id, known ? "known" : "unknown",
                     ps_time_zone_offset(zone, 1700000000));
    }
    ps_arena_destroy(arena);
}

/* The process's own zone: TZ as a file name or as a rule. */
static void test_own_zone(void **unused)
{
    const char *before = getenv("TZ");
    char *kept = before != NULL ? strdup(before) : NULL;
    static const struct {
        const char *tz;
        int32_t winter, summer;
    } zones[] = {{"CET-1CEST,M3.5.0,M10.5.0/3", 3600, 7200},
                 {"UTC0", 0, 0},
                 {"<+0330>-3:30", 12600, 12600},
                 {"NZST-12NZDT,M9.5.0,M4.1.0/3", 46800, 43200},
                 {"Asia/Kolkata", 19800, 19800}};
    struct ps_arena *arena = ps_arena_create();
    for (size_t i = 0; i < PS_COUNT_OF(zones); i++) {
        bool known;
        setenv("TZ", zones[i].tz, 1);
        const struct ps_time_zone *zone = ps_time_zone_load(arena, NULL, &known);
        assert_true(known);
        assert_int_equal(ps_time_zone_offset(zone, 1705276800), zones[i].winter); /* 2024-01-15 */
        assert_int_equal(ps_time_zone_offset(zone, 1721001600), zones[i].summer); /* 2024-07-15 */
    }
    if (kept != NULL)
        setenv("TZ", kept, 1);
    else
        unsetenv("TZ");
    free(kept);
    ps_arena_destroy(arena);
}

/* A wall time that occurs twice is taken as standard time, and one that does not exist as an hour later, as in
 * java.util.GregorianCalendar. */
static void test_hours_of_change(void **unused)
{
    static const struct {
        int64_t wall_s, utc_s; /* Europe/Berlin */
    } cases[] = {
        {1698537600 + 3600, 1698537600 - 3600},        /* 2023-10-29 01:00, summer */
        {1698541200 + 3600 + 1800, 1698541200 + 1800}, /* 02:30, the second one */
        {1698541200 + 7200, 1698541200 + 3600},        /* 03:00 */
        {1679792400 + 3600 + 1800, 1679792400 + 1800}, /* 2023-03-26 02:30 does not exist: 03:30 */
        {1679792400 + 7200, 1679792400},               /* 03:00, summer */
        {1679792400 + 3599, 1679792400 - 1},           /* 01:59:59 */
    };
    struct ps_arena *arena = ps_arena_create();
    bool known;
    const struct ps_time_zone *zone = ps_time_zone_load(arena, "Europe/Berlin", &known);
    assert_true(known);
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++)
        assert_int_equal(ps_time_zone_from_wall(zone, cases[i].wall_s), cases[i].utc_s);
    ps_arena_destroy(arena);
}

static unsigned char *put(unsigned char *at, int64_t number, unsigned width)
{
    for (unsigned i = 0; i < width; i++)
        *at++ = (unsigned char)((uint64_t)number >> 8 * (width - 1 - i));
    return at;
}

/* Writes a header and its block with times of `width` bytes: `before` until 1970, `offset` until 2001. All six counts differ from 0. */
static unsigned char *block_write(unsigned char *at, char version, unsigned width, int32_t before,
                                  int32_t offset)
{
    enum { TIMES = 2, TYPES = 2, NAMES = 8 };
    at = mempcpy(at, "TZif", 4);
    at = put(at, version, 1);
    at = put(put(at, 0, 8), 0, 7);                                   /* not used */
    const int64_t counts[] = {TYPES, TYPES, 1, TIMES, TYPES, NAMES}; /* UT, standard time, leap seconds, .. */
    for (size_t i = 0; i < PS_COUNT_OF(counts); i++)
        at = put(at, counts[i], 4);
    at = put(put(at, 0, width), 1000000000, width);
    at = put(put(at, 1, 1), 0, 1); /* their types */
    at = put(put(at, before, 4), 0, 2);
    at = put(put(at, offset, 4), 4, 2);
    at = mempcpy(at, "ONE\0TWO", NAMES);
    at = put(put(at, 78796800, width), 1, 4); /* the first leap second */
    return put(at, 0, 2 * TYPES);
}

/* The versions of RFC 9636: a reader takes the first block, whose times have 32 bits, of a file of version 1 alone. A later version may have any
 * number that is not known yet. */
static void test_versions_of_files(void **unused)
{
    static const struct {
        char version;
        int32_t until_1970, until_2001, later;
    } rows[] = {{0, 100, 200, 100},
                {'2', 300, 400, 18000},
                {'3', 300, 400, 18000},
                {'4', 300, 400, 18000},
                {'9', 300, 400, 18000}};
    struct ps_arena *arena = ps_arena_create();
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        unsigned char bytes[512], *end = block_write(bytes, rows[i].version, 4, 100, 200);
        if (rows[i].version != 0)
            end = mempcpy(block_write(end, rows[i].version, 8, 300, 400), "\n<+05>-5\n", 10);
        char path[] = "/tmp/penstock-zone-XXXXXX";
        int fd = mkstemp(path);
        assert_true(fd >= 0);
        assert_int_equal(write(fd, bytes, (size_t)(end - bytes)), end - bytes);
        close(fd);
        bool known;
        const struct ps_time_zone *zone = ps_time_zone_load(arena, path, &known);
        unlink(path);
        assert_true(known);
        const int32_t offsets[] = {ps_time_zone_offset(zone, -1), ps_time_zone_offset(zone, 0),
                                   ps_time_zone_offset(zone, 999999999),
                                   ps_time_zone_offset(zone, 1000000000)};
        if (offsets[0] != rows[i].until_1970 || offsets[1] != rows[i].until_2001 ||
            offsets[2] != rows[i].until_2001 || offsets[3] != rows[i].later)
            fail_msg("version %d: %d, %d, %d, %d", rows[i].version, offsets[0], offsets[1], offsets[2],
                     offsets[3]);
    }
    ps_arena_destroy(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_libc),      cmocka_unit_test(test_java_ids),
        cmocka_unit_test(test_own_zone),          cmocka_unit_test(test_hours_of_change),
        cmocka_unit_test(test_versions_of_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
