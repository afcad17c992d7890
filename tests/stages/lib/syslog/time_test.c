/* A parser of stamps that has been used for long gives the same result as a new parser: its caches of the last stamp, the last minute and the
 * current year have no effect. tests/stages/lib/syslog/parsers_test.c compares new parsers with Flume's classes. */
#include "tests/support/stage.h"

#include "stages/lib/syslog/time.h"

#include <stdio.h>

enum { STAMPS = 24, STEPS = 200000 };

struct stamp {
    char text[40];
    uint32_t length;
};

static struct stamp short_stamps[STAMPS], long_stamps[STAMPS];

static unsigned below(uint64_t *random, unsigned limit)
{
    return (unsigned)(ps_test_random(random) % limit);
}

/* Few different stamps, so that each soon comes again, and after one that differs in one place. */
static void draw_stamps(uint64_t *random)
{
    static const char *const months[] = {"Jan", "Feb", "Mar", "Oct", "Dec", "dec", "Foo"};
    static const char *const zones[] = {"",       "Z",      ".5Z",       ".123",  ".123456Z",
                                        "+02:00", "-11:30", ".25-01:00", "+2:00", "x"};
    for (unsigned i = 0; i < STAMPS; i++) {
        struct stamp *stamp = &short_stamps[i];
        stamp->length = (uint32_t)snprintf(
            stamp->text, sizeof stamp->text, "%s %2u %02u:%02u:%02u", months[below(random, 7)],
            1 + below(random, 31), below(random, 3) * 11, below(random, 2) * 59, below(random, 3) * 29);
        stamp = &long_stamps[i];
        stamp->length = (uint32_t)snprintf(
            stamp->text, sizeof stamp->text, "%04u-%02u-%02uT%02u:%02u:%02u%s", 2023 + below(random, 3),
            below(random, 2) ? 3 : 1 + below(random, 13), below(random, 2) ? 29 : below(random, 32),
            below(random, 4), below(random, 3) * 29 + below(random, 2),
            below(random, 4) * 20 + below(random, 2), zones[below(random, 10)]);
    }
}

/* Prints the result of one stamp by one of the four rules. */
static void parse(struct ps_syslog_time *time, unsigned rule, const struct stamp *stamp, char *out,
                  size_t room)
{
    int64_t ms = 0;
    bool good = true;
    char *copy = malloc(stamp->length); /* a sanitizer detects reads past the end */
    assert_non_null(copy);
    memcpy(copy, stamp->text, stamp->length);
    switch (rule) {
    case 0:
        good = ps_syslog_time_local3164(time, copy, stamp->length, &ms);
        break;
    case 1:
        ms = ps_syslog_time_utc3164(time, copy, stamp->length);
        break;
    case 2:
        good = ps_syslog_time_local5424(time, copy, stamp->length, &ms);
        break;
    default:
        good = ps_syslog_time_utc5424(time, copy, stamp->length, &ms);
        break;
    }
    free(copy);
    if (good)
        snprintf(out, room, "%lld", (long long)ms);
    else
        snprintf(out, room, "no time");
}

static void test_caches_do_not_show(void **unused)
{
    static const int64_t clocks_ms[] = {
        1704067199999, 1704067200000, /* the last moment of 2023 in UTC, the first of 2024 */
        1704063599000, 1704063600000, /* the same in Berlin */
        1709210096789, 1711846800000, /* February 29; the clocks go forward in Berlin */
        1735689599000, 1767225600000};
    uint64_t random = ps_test_seed();
    struct ps_test_stage stage;
    static const struct ps_stage_ops none = {.name = "none"};
    ps_test_stage_init(&stage, &none);
    bool known;
    const struct ps_time_zone *zone = ps_time_zone_load(stage.arena, "Europe/Berlin", &known);
    assert_true(known);
    struct ps_syslog_time old;
    ps_syslog_time_init(&old, zone);
    int64_t now_ms = 0;
    uint64_t different = 0;
    char last[32] = "";
    for (unsigned step = 0; step < STEPS; step++) {
        if (step % 5000 == 0)
            draw_stamps(&random);
        if (step == 0 || below(&random, 8) == 0)
            now_ms = clocks_ms[below(&random, PS_COUNT_OF(clocks_ms))] + (int64_t)below(&random, 3) * 700;
        unsigned rule = below(&random, 4);
        const struct stamp *stamp =
            &(rule < 2 ? short_stamps : long_stamps)[below(&random, below(&random, 2) ? 3 : STAMPS)];
        struct ps_syslog_time fresh;
        ps_syslog_time_init(&fresh, zone);
        ps_syslog_time_now(&fresh, now_ms);
        ps_syslog_time_now(&old, now_ms);
        char expected[32], made[32];
        parse(&fresh, rule, stamp, expected, sizeof expected);
        parse(&old, rule, stamp, made, sizeof made);
        if (strcmp(made, expected) != 0)
            fail_msg("step %u, rule %u, now %lld, %.*s: a new parser gives %s, the old one %s", step, rule,
                     (long long)now_ms, (int)stamp->length, stamp->text, expected, made);
        different += strcmp(expected, last) != 0;
        strcpy(last, expected);
    }
    assert_true(different > STEPS / 4); /* otherwise the stamps were all alike */
    ps_test_stage_fini(&stage);
}

/* At the beginning of a second the stamp is exactly eleven months old, and its year is the last one; a millisecond later it is older, and gets this
 * year. */
static void test_begin_of_a_second(void **unused)
{
    static const char stamp[] = "Feb  1 00:00:00";
    static const struct {
        int64_t now_ms, expected_ms;
    } steps[] = {
        {1704063600700, 1706742000000}, {1704063600000, 1675206000000}, {1704063600001, 1706742000000}};
    struct ps_test_stage stage;
    static const struct ps_stage_ops none = {.name = "none"};
    struct ps_syslog_time time;
    bool known;
    ps_test_stage_init(&stage, &none);
    ps_syslog_time_init(&time, ps_time_zone_load(stage.arena, "Europe/Berlin", &known));
    for (size_t i = 0; i < PS_COUNT_OF(steps); i++) {
        int64_t ms;
        ps_syslog_time_now(&time, steps[i].now_ms);
        assert_true(ps_syslog_time_local3164(&time, stamp, sizeof stamp - 1, &ms));
        assert_int_equal(ms, steps[i].expected_ms);
    }
    ps_test_stage_fini(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_caches_do_not_show),
                                       cmocka_unit_test(test_begin_of_a_second)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
