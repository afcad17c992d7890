/* The histogram compared with sorted arrays of the recorded values. */
#include "core/watch/histogram.h"
#include "tests/support/support.h"

#include <math.h>

#define VALUES 100000U

static struct ps_histogram histogram, total;
static uint64_t values[VALUES];

static int setup(void **state)
{
    memset(&histogram, 0, sizeof histogram);
    memset(&total, 0, sizeof total);
    return 0;
}

static int by_value(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    return left < right ? -1 : left > right;
}

static void test_buckets(void **state)
{
    for (uint32_t bucket = 0; bucket < PS_HISTOGRAM_BUCKETS; bucket++) {
        uint64_t last = ps_histogram_bucket_max(bucket);
        assert_int_equal(ps_histogram_bucket(last), bucket);
        if (bucket + 1 < PS_HISTOGRAM_BUCKETS)
            assert_int_equal(ps_histogram_bucket(last + 1), bucket + 1);
    }
    assert_int_equal(ps_histogram_bucket(0), 0);
    assert_int_equal(ps_histogram_bucket(UINT64_MAX), PS_HISTOGRAM_BUCKETS - 1);
}

static void test_empty(void **state)
{
    assert_int_equal(ps_histogram_percentile(&histogram, 50), 0);
    assert_int_equal(ps_histogram_percentile(&histogram, 100), 0);
    assert_int_equal(ps_histogram_count_upto(&histogram, UINT64_MAX), 0);
}

/* Each percentile is that of the sorted array, rounded up by less than 1/128 of it. */
static void test_percentiles(void **state)
{
    static const double percentiles[] = {0, 1, 25, 50, 90, 99, 99.9, 99.99, 99.999, 100};
    uint64_t seed = ps_test_seed();
    for (int spread = 4; spread <= 42; spread += 19) {
        memset(&histogram, 0, sizeof histogram);
        uint64_t sum = 0;
        for (size_t i = 0; i < VALUES; i++) {
            values[i] = ps_test_random(&seed) >> (64 - 1 - ps_test_random(&seed) % (unsigned)spread);
            sum += values[i];
            ps_histogram_record(&histogram, values[i], 1);
        }
        qsort(values, VALUES, sizeof values[0], by_value);
        for (size_t i = 0; i < PS_COUNT_OF(percentiles); i++) {
            uint64_t rank = (uint64_t)ceil(percentiles[i] * VALUES / 100 - 1e-6);
            uint64_t exact = values[rank == 0 ? 0 : rank - 1];
            uint64_t got = ps_histogram_percentile(&histogram, percentiles[i]);
            assert_true(got >= exact);
            assert_true(got <= exact + exact / 128);
        }
        assert_int_equal(ps_histogram_percentile(&histogram, 100), values[VALUES - 1]);
        assert_int_equal(histogram.count, VALUES);
        assert_int_equal(histogram.sum, sum);
        assert_int_equal(histogram.max, values[VALUES - 1]);
        assert_int_equal(ps_histogram_count_upto(&histogram, values[VALUES - 1]), VALUES);
    }
}

static void test_times_and_huge(void **state)
{
    ps_histogram_record(&histogram, 1000, 999);
    ps_histogram_record(&histogram, UINT64_MAX / 4, 1);
    assert_true(ps_histogram_percentile(&histogram, 99.9) <= 1007);
    assert_int_equal(ps_histogram_percentile(&histogram, 99.95), UINT64_MAX / 4);
    assert_int_equal(ps_histogram_count_upto(&histogram, 1007), 999);
    assert_int_equal(ps_histogram_count_upto(&histogram, 500), 0);
}

/* The sum of two histograms equals the histogram of all values. */
static void test_add(void **state)
{
    static struct ps_histogram other, whole;
    uint64_t seed = ps_test_seed();
    for (int i = 0; i < 10000; i++) {
        uint64_t value = ps_test_random(&seed) >> 30;
        ps_histogram_record(i % 3 ? &histogram : &other, value, 2);
        ps_histogram_record(&whole, value, 2);
    }
    ps_histogram_add(&total, &histogram);
    ps_histogram_add(&total, &other);
    assert_memory_equal(&total, &whole, sizeof whole);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_buckets, setup),     cmocka_unit_test_setup(test_empty, setup),
        cmocka_unit_test_setup(test_percentiles, setup), cmocka_unit_test_setup(test_times_and_huge, setup),
        cmocka_unit_test_setup(test_add, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
