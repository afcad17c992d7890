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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_left_in_a_slot),
        cmocka_unit_test(test_what_is_handed_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
