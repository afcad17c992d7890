/* The Universal Scalability Law fitted to points made from known parameters. */
#include <math.h>

#include "bench/plan/scaling.h"
#include "tests/support/support.h"

static unsigned make(const struct ps_scaling *law, unsigned from, unsigned to, double noise, uint64_t *random,
                     struct ps_scaling_point *points)
{
    unsigned count = 0;
    for (unsigned workers = from; workers <= to; workers++) {
        double chance = (double)(ps_test_random(random) >> 11) / 9007199254740992.0;
        points[count++] = (struct ps_scaling_point){workers, ps_scaling_rate(law, workers) *
                                                                 (1 + noise * (2 * chance - 1))};
    }
    return count;
}

static void assert_near(double found, double expected, double within)
{
    if (!(fabs(found - expected) <= within))
        fail_msg("%.9g, expected %.9g within %.3g", found, expected, within);
}

static void test_known_parameters(void **state)
{
    static const double sigmas[] = {0, 0.01, 0.05, 0.3}, kappas[] = {0, 0.0001, 0.005, 0.02};
    uint64_t random = 1;
    for (size_t s = 0; s < PS_COUNT_OF(sigmas); s++) {
        for (size_t k = 0; k < PS_COUNT_OF(kappas); k++) {
            struct ps_scaling law = {.lambda = 123456, .sigma = sigmas[s], .kappa = kappas[k]}, found;
            struct ps_scaling_point points[PS_SCALING_POINTS_MAX];
            unsigned count = make(&law, 1, 8, 0, &random, points);
            assert_true(ps_scaling_fit(points, count, &found));
            assert_near(found.lambda, law.lambda, 1);
            assert_near(found.sigma, law.sigma, 1e-6);
            assert_near(found.kappa, law.kappa, 1e-7);
            assert_near(found.error, 0, 1e-6);
            if (law.kappa > 0)
                assert_near(found.peak_workers, sqrt((1 - law.sigma) / law.kappa), 0.1);
        }
    }
}

/* No coefficient is negative, whatever the noise; the error is about as large as the noise. */
static void test_noise(void **state)
{
    uint64_t random = ps_test_seed();
    for (unsigned i = 0; i < 1000; i++) {
        struct ps_scaling law = {.lambda = 1000, .sigma = 0.03 * (i % 3), .kappa = 0.001 * (i % 5)}, found;
        struct ps_scaling_point points[PS_SCALING_POINTS_MAX];
        unsigned count = make(&law, 1, 2 + i % 15, 0.02, &random, points);
        assert_true(ps_scaling_fit(points, count, &found));
        assert_true(found.sigma >= 0 && found.kappa >= 0 && found.lambda > 0);
        assert_true(found.error <= 0.04);
        assert_near(found.lambda, law.lambda, 60);
    }
}

static void test_few_points(void **state)
{
    struct ps_scaling found;
    const struct ps_scaling_point one[] = {{2, 1000}};
    assert_true(ps_scaling_fit(one, 1, &found));
    assert_near(found.lambda, 500, 1e-6);
    assert_true(found.sigma == 0 && found.kappa == 0 && found.free_count == 1 && found.peak_workers == 0);

    const struct ps_scaling_point two[] = {{1, 1000}, {2, 1600}};
    assert_true(ps_scaling_fit(two, 2, &found));
    assert_near(found.lambda, 1000, 1e-6);
    assert_near(found.sigma, 0.25, 1e-9);
    assert_true(found.kappa == 0 && found.free_count == 2);
    assert_near(found.error, 0, 1e-9);

    /* Better than linear: nothing is negative, and the error shows it. */
    const struct ps_scaling_point super[] = {{1, 1000}, {2, 2400}};
    assert_true(ps_scaling_fit(super, 2, &found));
    assert_true(found.sigma == 0 && found.kappa == 0 && found.error > 0.05);

    const struct ps_scaling_point bad[] = {{1, 1000}, {2, 0}}, none[] = {{0, 1000}};
    assert_false(ps_scaling_fit(bad, 2, &found));
    assert_false(ps_scaling_fit(none, 1, &found));
    assert_false(ps_scaling_fit(one, 0, &found));
}

/* A lower limit is not a measurement: a fit through it would have an error of 0 and mean nothing. */
static void test_lower_limits_are_not_fitted(void **state)
{
    struct ps_scaling found;
    struct ps_scaling_point points[] = {{1, 1000, false}, {2, 1900, false}, {3, 2000, true}};
    assert_true(ps_scaling_fit(points, 2, &found));
    assert_false(ps_scaling_fit(points, 3, &found));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_parameters),
        cmocka_unit_test(test_noise),
        cmocka_unit_test(test_few_points),
        cmocka_unit_test(test_lower_limits_are_not_fitted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
