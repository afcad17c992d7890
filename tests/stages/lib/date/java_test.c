#include "tests/support/support.h"

#include "core/arena.h"
#include "stages/lib/date/java.h"

static void test_parse(void **unused)
{
    static const struct {
        const char *pattern, *text;
        int64_t ms; /* as SimpleDateFormat, zone Europe/Berlin; -1: ParseException */
    } cases[] = {
        {"dd/MMM/yyyy:HH:mm:ss Z", "11/Oct/2003:22:14:15 +0200", 1065903255000},
        {"dd/MMM/yyyy:HH:mm:ss Z", "11/Oct/2003:22:14:15 +02:00", -1},
        {"yyyy-MM-dd HH:mm:ss", "2003-10-11 22:14:15 and more", 1065903255000},
        {"yyyy-MM-dd HH:mm:ss", "2003-10-11T22:14:15", -1},
        {"yyyy-MM-dd'T'HH:mm:ss.SSSX", "2003-10-11T22:14:15.5Z", 1065910455005},
        {"yyyy-MM-dd'T'HH:mm:ss.SSSXXX", "2003-10-11T22:14:15.123+02:00", 1065903255123},
        {"yyyyMMddHHmmss", "20031011221415", 1065903255000},
        /* the last number may be shorter */
        {"yyyyMMddHHmmss", "2003101122141", 1065903241000},
        {"yy-M-d", "03-10-11", 1065823200000},
        {"EEE, d MMM yyyy hh:mm a", "Sat, 11 Oct 2003 10:14 PM", 1065903240000},
        {"yyyy-MM-dd hh:mm a", "2003-10-11 12:30 AM", 1065825000000},
        {"yyyy-MM-dd hh:mm a", "2003-10-11 12:30 PM", 1065868200000},
        {"yyyy-MM-dd KK:mm a", "2003-10-11 00:30 PM", 1065868200000},
        {"yyyy-MM-dd KK:mm a", "2003-10-11 12:30 AM",
         1065868200000}, /* lenient: twelve hours after midnight */
        {"yyyy-MM-dd kk:mm", "2003-10-11 24:30", 1065825000000},
        {"d MMMM yyyy", "11 october 2003", 1065823200000},
        {"yyyy DDD", "2003 284", 1065823200000},
        {"yyyy-MM-dd", "2003-13-45", 1076713200000},
        {"MMM d HH:mm:ss", "Jan 1 00:00:00", -3600000},
        {"yyyy-MM-dd HH:mm z", "2003-10-11 22:14 GMT", 1065910440000},
    };
    struct ps_arena *arena = ps_arena_create();
    bool known;
    const struct ps_time_zone *zone = ps_time_zone_load(arena, "Europe/Berlin", &known);
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        struct ps_err err = {.length = 0};
        struct ps_java_date *date = ps_java_date_create(cases[i].pattern, &err);
        int64_t ms = -1;
        assert_non_null(date);
        if (!ps_java_date_parse(date, zone, 1700000000000, cases[i].text, strlen(cases[i].text), &ms))
            ms = -1;
        if (ms != cases[i].ms)
            fail_msg("%s of %s: %lld", cases[i].pattern, cases[i].text, (long long)ms);
        ps_java_date_destroy(date);
    }
    ps_arena_destroy(arena);
}

static void test_bad_patterns(void **unused)
{
    static const char *const bad[] = {"yyyy'T", "b", "yyyy-ww", "GG"};
    for (size_t i = 0; i < PS_COUNT_OF(bad); i++) {
        struct ps_err err = {.length = 0};
        assert_null(ps_java_date_create(bad[i], &err));
        assert_non_null(strstr(err.text, bad[i]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_parse), cmocka_unit_test(test_bad_patterns)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
