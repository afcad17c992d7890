/* The note at the end of a slot is used only if its events are the next ones that the Java host has to hand over. */
#include "stages/lib/java/exchange/credit.h"

#include "rings/word.h"
#include "stages/lib/java/exchange/message.h"
#include "tests/support/support.h"

static void test_what_is_left_in_a_slot(void **state)
{
    struct {
        char bytes[64];
        struct ps_java_promised noted;
    } slot = {.bytes = ""};
    static const struct {
        uint64_t used, first;
        bool counts;
    } cases[] = {
        {0, 0, true},
        {0, 1, false}, /* an event is missing */
        {10, 10, true},
        {10, 9, false}, /* handed over before: the slot was used before */
        {10, 0, false},
        {10, 11, false},
        {10, UINT64_MAX, false},
        {UINT64_C(1) << 33, UINT64_C(1) << 33, true},
        {UINT64_C(1) << 33, 0, false},
    };
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        const struct ps_java_credit credit = {
            .most = UINT64_MAX, .used = cases[i].used, .put = cases[i].used};
        uint32_t bytes = 0, events = 0;
        ps_word_set(&slot.noted.first, cases[i].first);
        ps_word_set(&slot.noted.size, UINT64_C(3) << 32 | 4096);
        bool counts = ps_java_credit_left(&credit, (const char *)(&slot + 1), &bytes, &events);
        if (counts != cases[i].counts || (counts && (bytes != 4096 || events != 3)))
            fail_msg("case %zu: %d, %u bytes, %u events", i, counts, bytes, events);
    }
}

/* Events are taken in order, and not more than the channels have room for. */
static void test_what_is_handed_over(void **state)
{
    struct ps_java_credit credit = {.most = 10};
    assert_false(ps_java_credit_use(&credit, 1, 1)); /* not the next one */
    assert_false(ps_java_credit_use(&credit, 0, 11));
    assert_true(ps_java_credit_use(&credit, 0, 4));
    assert_false(ps_java_credit_use(&credit, 0, 4)); /* the same events again */
    assert_false(ps_java_credit_use(&credit, 4, 7));
    assert_true(ps_java_credit_use(&credit, 4, 6));
    assert_false(ps_java_credit_use(&credit, 10, 1));
    assert_true(ps_java_credit_use(&credit, 10, 0));
}

static struct ps_now at_ms(uint64_t ms)
{
    return (struct ps_now){.mono_ns = ms * PS_NS_PER_MS};
}

/* Room in advance is wanted after 16 calls without a pause of 100 ms. */
static void test_when_it_is_wanted(void **state)
{
    struct ps_java_credit credit = {.last_ns = at_ms(1000).mono_ns};
    struct ps_now now = at_ms(1000);
    ps_java_credit_calls(&credit, 15, &now);
    assert_int_equal(ps_java_credit_wanted(&credit), 0);
    now = at_ms(1099);
    ps_java_credit_calls(&credit, 1, &now);
    assert_int_equal(ps_java_credit_wanted(&credit), 4096);
    now = at_ms(1199); /* exactly the pause */
    ps_java_credit_calls(&credit, 15, &now);
    assert_int_equal(ps_java_credit_wanted(&credit), 0);
    ps_java_credit_calls(&credit, 1, &now);
    assert_int_equal(ps_java_credit_wanted(&credit), 4096);
}

/* Of large events there are fewer: 8 MiB. What is promised already stays promised. */
static void test_how_much_is_wanted(void **state)
{
    static const struct {
        uint64_t event_bytes, wanted;
    } rows[] = {{0, 4096}, {2048, 4096}, {2049, 4094}, {4096, 2048}, {8 << 20, 1}, {(8 << 20) + 1, 0}};
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        struct ps_java_credit credit = {.calls = 16, .event_bytes = rows[i].event_bytes};
        assert_int_equal(ps_java_credit_wanted(&credit), rows[i].wanted);
        credit.most = 100000;
        credit.put = 95000;
        assert_int_equal(ps_java_credit_wanted(&credit), 5000);
        credit.put = 100000;
        assert_int_equal(ps_java_credit_wanted(&credit), rows[i].wanted);
    }
}

/* `most` never shrinks, and grows only while the class makes calls and the host was not asked to stop. */
static void test_what_is_given(void **state)
{
    struct ps_java_credit credit = {.calls = 15, .most = 50, .used = 30, .put = 20};
    ps_java_credit_given(&credit, 100);
    assert_int_equal(credit.most, 50);
    credit.calls = 16;
    ps_java_credit_given(&credit, 30); /* as many as are promised */
    assert_int_equal(credit.most, 50);
    ps_java_credit_given(&credit, 31);
    assert_int_equal(credit.most, 51);
    ps_java_credit_ask(&credit);
    assert_int_equal(credit.calls, 0);
    credit.calls = 16;
    ps_java_credit_given(&credit, 100);
    assert_int_equal(credit.most, 51);
    assert_int_equal(ps_java_credit_wanted(&credit), 31);
}

/* The host is asked once, after the pause, and its answer must be what it has handed over. */
static void test_what_is_returned(void **state)
{
    struct ps_java_credit credit = {.most = 10, .used = 4, .put = 4, .last_ns = at_ms(1000).mono_ns};
    struct ps_now now = at_ms(1099);
    uint64_t due_ns = PS_NEVER;
    assert_false(ps_java_credit_is_idle(&credit, &now, &due_ns));
    assert_int_equal(due_ns, at_ms(1100).mono_ns);
    due_ns = at_ms(1050).mono_ns; /* something else is due before */
    assert_false(ps_java_credit_is_idle(&credit, &now, &due_ns));
    assert_int_equal(due_ns, at_ms(1050).mono_ns);
    assert_false(ps_java_credit_return(&credit, 4)); /* nobody has asked */
    now = at_ms(1100);
    assert_true(ps_java_credit_is_idle(&credit, &now, &due_ns));
    ps_java_credit_ask(&credit);
    assert_false(ps_java_credit_is_idle(&credit, &now, &due_ns));
    assert_false(ps_java_credit_return(&credit, 3));
    assert_false(ps_java_credit_return(&credit, 5));
    assert_true(ps_java_credit_return(&credit, 4));
    assert_int_equal(credit.most, 4);
    assert_false(ps_java_credit_return(&credit, 4));              /* once */
    assert_false(ps_java_credit_is_idle(&credit, &now, &due_ns)); /* nothing is left */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_left_in_a_slot), cmocka_unit_test(test_what_is_handed_over),
        cmocka_unit_test(test_when_it_is_wanted),      cmocka_unit_test(test_how_much_is_wanted),
        cmocka_unit_test(test_what_is_given),          cmocka_unit_test(test_what_is_returned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
