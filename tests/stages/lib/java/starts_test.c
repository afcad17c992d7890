/* Since when the instances of a class start, and why, compared with a model of each instance. */
#include "stages/lib/java/starts.h"

#include "core/clock.h"
#include "tests/support/support.h"

#include <stdio.h>

#define INSTANCES 64U

static uint64_t state;

static uint64_t draw(uint64_t below)
{
    return ps_test_random(&state) % below;
}

static struct {
    enum ps_java_start start;
    uint64_t begun_ns; /* before this start was noted */
    unsigned order;
    bool explained;
} model[INSTANCES];

/* Returns the instance that has been starting for the longest time, or INSTANCES. */
static unsigned longest(void)
{
    unsigned found = INSTANCES;
    for (unsigned i = 0; i < INSTANCES; i++)
        if (model[i].start != PS_JAVA_NO_START && (found == INSTANCES || model[i].order < model[found].order))
            found = i;
    return found;
}

static void expect(const struct ps_java_starts *starts)
{
    uint64_t since_ns = 1;
    enum ps_java_start start = ps_java_starts_longest(starts, &since_ns);
    unsigned which = longest();
    if (which == INSTANCES) {
        assert_int_equal(start, PS_JAVA_NO_START);
        assert_int_equal(since_ns, 0);
        return;
    }
    assert_int_equal(start, model[which].start);
    assert_in_range(since_ns + 3, model[which].begun_ns, ps_clock_now().mono_ns + 3);
}

static void expect_why(struct ps_java_starts *starts, const char *latest)
{
    char why[300];
    bool waits = false;
    for (unsigned i = 0; i < INSTANCES; i++)
        waits |= model[i].explained;
    assert_int_equal(ps_java_starts_why(starts, why, sizeof why), waits);
    assert_string_equal(why, waits ? latest : "");
}

static void test_drawn(void **unused)
{
    struct ps_java_starts *starts = ps_java_starts_create();
    char latest[32] = "";
    unsigned order = 0;
    expect(starts);
    expect_why(starts, latest);
    for (unsigned step = 0; step < 5000; step++) {
        unsigned instance = draw(2) == 0 ? (unsigned)draw(4) : (unsigned)draw(INSTANCES);
        if (draw(5) == 0) {
            snprintf(latest, sizeof latest, "reason %u", step);
            ps_java_starts_explain(starts, instance, latest);
            model[instance].explained = true;
        } else {
            enum ps_java_start start = draw(2) == 0 ? PS_JAVA_NO_START : (enum ps_java_start)draw(3);
            uint64_t now_ns = ps_clock_now().mono_ns;
            while (ps_clock_now().mono_ns <
                   now_ns + 8) /* the stored time lacks its lowest bits: they alone must not differ */
                ;
            if (model[instance].start == PS_JAVA_NO_START) {
                model[instance].begun_ns = now_ns;
                model[instance].order = order++;
            }
            ps_java_starts_note(starts, instance, start);
            model[instance].start = start;
            model[instance].explained &= start != PS_JAVA_NO_START;
        }
        expect(starts);
        expect_why(starts, latest);
    }
    ps_java_starts_destroy(starts);
}

/* A reason that is exactly as long as its room, and longer ones. */
static void test_long_reasons(void **unused)
{
    char reason[400], why[400], little[10];
    for (size_t length = 290; length < 310; length++) {
        struct ps_java_starts *starts = ps_java_starts_create();
        memset(reason, 'r', length);
        reason[length] = '\0';
        ps_java_starts_explain(starts, 1, reason);
        assert_true(ps_java_starts_why(starts, why, sizeof why));
        assert_int_equal(strlen(why), length < 299 ? length : 299);
        assert_true(ps_java_starts_why(starts, little, sizeof little));
        assert_int_equal(strlen(little), sizeof little - 1);
        ps_java_starts_destroy(starts);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_drawn), cmocka_unit_test(test_long_reasons)};
    state = ps_test_seed() | 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
