/* Arrivals of sources, counted in steps. */
#include "bench/verify/account.h"
#include "tests/support/support.h"

#include <malloc.h>

#define STEP_NS UINT64_C(100)

static json_int_t count_of(const json_t *object, size_t group, size_t step)
{
    const json_t *counts = json_array_get(json_object_get(object, "received"), group);
    return json_integer_value(json_array_get(counts, step));
}

static void test_steps(void **state)
{
    struct ps_arrivals arrivals;
    ps_arrivals_init(&arrivals, STEP_NS, 5000);
    ps_arrivals_add(&arrivals, 0, 5250);
    ps_arrivals_add(&arrivals, 0, 5299);
    ps_arrivals_add(&arrivals, 2, 5300);
    ps_arrivals_add(&arrivals, 66, 5301); /* with source 2 */
    ps_arrivals_add(&arrivals, 1, 5500);
    ps_arrivals_add(&arrivals, 1, 5210); /* an earlier step */
    json_t *object = ps_arrivals_json(&arrivals, 1000000);
    assert_int_equal(json_integer_value(json_object_get(object, "start_unix_ns")), 1000200);
    assert_int_equal(json_integer_value(json_object_get(object, "step_ns")), STEP_NS);
    assert_int_equal(json_array_size(json_object_get(object, "received")), 3);
    static const json_int_t expected[3][4] = {{2, 0, 0, 0}, {1, 0, 0, 1}, {0, 2, 0, 0}};
    for (size_t group = 0; group < 3; group++)
        for (size_t step = 0; step < 4; step++)
            assert_int_equal(count_of(object, group, step), expected[group][step]);
    json_decref(object);
    ps_arrivals_fini(&arrivals);
}

/* Without arrivals there is no step. An arrival before the start belongs to the first step; one after the last possible
 * step does not count. */
static void test_edges(void **state)
{
    struct ps_arrivals arrivals;
    ps_arrivals_init(&arrivals, STEP_NS, 5000);
    json_t *object = ps_arrivals_json(&arrivals, 0);
    assert_int_equal(json_array_size(json_object_get(object, "received")), 0);
    json_decref(object);
    ps_arrivals_add(&arrivals, 0, 4000);
    ps_arrivals_add(&arrivals, 0, 5000 + STEP_NS * PS_ARRIVALS_STEPS);
    assert_int_equal(arrivals.count, 1);
    ps_arrivals_add(&arrivals, 0, 5000 + STEP_NS * PS_ARRIVALS_STEPS - 1);
    assert_int_equal(arrivals.count, PS_ARRIVALS_STEPS);
    object = ps_arrivals_json(&arrivals, 0);
    assert_int_equal(count_of(object, 0, 0), 1);
    assert_int_equal(count_of(object, 0, PS_ARRIVALS_STEPS - 1), 1);
    json_decref(object);
    ps_arrivals_fini(&arrivals);
}

/* New memory is not zeroed, but steps without arrivals must count zero. */
static void test_steps_without_arrivals(void **state)
{
    struct ps_arrivals arrivals;
    ps_arrivals_init(&arrivals, STEP_NS, 5000);
    mallopt(M_MMAP_THRESHOLD, 256 << 20);
    mallopt(M_PERTURB, 0x5a); /* malloc fills new memory with its complement */
    for (uint64_t step = 0; step < 5000; step += 7)
        ps_arrivals_add(&arrivals, 1, 5000 + STEP_NS * step);
    mallopt(M_PERTURB, 0);
    json_t *object = ps_arrivals_json(&arrivals, 0);
    for (size_t step = 0; step < arrivals.count; step++) {
        assert_int_equal(count_of(object, 0, step), 0);
        assert_int_equal(count_of(object, 1, step), step % 7 == 0);
    }
    json_decref(object);
    ps_arrivals_fini(&arrivals);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_steps), cmocka_unit_test(test_edges),
                                       cmocka_unit_test(test_steps_without_arrivals)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
