#include "core/log/backoff.h"

#include "core/clock.h"
#include "tests/support/support.h"

/* Tries of one second; returns how many of them are logged. */
static unsigned say(struct ps_log_backoff *repeated, const char *text, unsigned from_s, unsigned to_s)
{
    unsigned said = 0;
    for (unsigned s = from_s; s < to_s; s++)
        said += ps_log_backoff_says(repeated, text, s * PS_NS_PER_S);
    return said;
}

static void test_intervals_grow(void **unused)
{
    struct ps_log_backoff repeated = {0};
    char text[PS_LOG_BACKOFF_BYTES];
    assert_true(ps_log_backoff_says(&repeated, "down", 0));
    assert_string_equal(ps_log_backoff_text(&repeated, 0, text), "");
    assert_int_equal(say(&repeated, "down", 1, 60), 0);
    assert_true(ps_log_backoff_says(&repeated, "down", 60 * PS_NS_PER_S));
    assert_string_equal(ps_log_backoff_text(&repeated, 60 * PS_NS_PER_S, text),
                        "; tries so far: 61, for 1 min");
    assert_int_equal(say(&repeated, "down", 61, 180), 0);
    assert_int_equal(say(&repeated, "down", 180, 24 * 3600),
                     5 + 22); /* 180, 420, 900, 1860, 3780 s; then each hour */
}

static void test_another_text_is_said_at_once(void **unused)
{
    struct ps_log_backoff repeated = {0};
    assert_int_equal(say(&repeated, "down", 0, 100), 2);
    assert_true(ps_log_backoff_says(&repeated, "denied", 100 * PS_NS_PER_S));
    assert_int_equal(repeated.tries, 1);
    assert_int_equal(say(&repeated, "denied", 101, 160), 0);
    repeated = (struct ps_log_backoff){0}; /* the outage is over */
    assert_int_equal(say(&repeated, "denied", 160, 161), 1);
}

/* A try within the gap belongs to the same outage, and one after it to another. */
static void test_outages(void **unused)
{
    struct ps_log_backoff repeated = {0};
    char text[PS_LOG_BACKOFF_BYTES];
    uint64_t at_ns = 100 * PS_NS_PER_S, gap_ns = 20 * PS_NS_PER_S;
    for (unsigned outage = 0; outage < 2; outage++) {
        assert_true(ps_log_backoff_says_outage(&repeated, "down", at_ns, gap_ns));
        assert_string_equal(ps_log_backoff_text(&repeated, at_ns, text), "");
        assert_false(ps_log_backoff_says_outage(&repeated, "down", at_ns += PS_NS_PER_S, gap_ns));
        assert_false(ps_log_backoff_says_outage(&repeated, "down", at_ns += gap_ns, gap_ns)); /* exactly */
        assert_string_equal(ps_log_backoff_text(&repeated, at_ns, text), "; tries so far: 3, for 21 s");
        at_ns += gap_ns + 1;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_intervals_grow),
        cmocka_unit_test(test_another_text_is_said_at_once),
        cmocka_unit_test(test_outages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
