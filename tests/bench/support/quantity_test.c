#include "tests/support/support.h"

#include "bench/support/quantity.h"
#include "core/clock.h"

static void rates(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        double rate; /* 0: refused */
    } cases[] = {{"1000", 1000}, {"50k", 50000}, {"1.5M", 1.5e6}, {"2e6", 2e6}, {"1G/s", 1e9}, {"7/s", 7},
                 {"0.5", 0.5},   {"0", 0},       {"-1", 0},       {"fast", 0},  {"", 0},       {"10x", 0},
                 {"0x10", 0},    {"inf", 0},     {"nan", 0},      {"1e13", 0},  {"1e999", 0},  {"1 k", 0},
                 {".", 0},       {"k", 0},       {"1kk", 0},      {".5k", 500}, {"100 000", 0}};
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        double rate = -1;
        struct ps_err err = {0};
        enum ps_status status = ps_quantity_rate("--rate", cases[i].text, &rate, &err);
        if (cases[i].rate > 0) {
            assert_int_equal(status, PS_OK);
            assert_true(rate == cases[i].rate);
        } else {
            assert_int_equal(status, PS_FAIL);
            assert_non_null(strstr(err.text, "--rate"));
            assert_non_null(strstr(err.text, cases[i].text));
        }
    }
}

static void counts(void **state)
{
    (void)state;
    uint64_t count;
    struct ps_err err = {0};
    assert_int_equal(ps_quantity_count("--events", "1.5k", 1, 1000000, &count, &err), PS_OK);
    assert_int_equal(count, 1500);
    assert_int_equal(ps_quantity_count("--events", "1.5", 1, 10, &count, &err), PS_FAIL);
    assert_int_equal(ps_quantity_count("--events", "11", 1, 10, &count, &err), PS_FAIL);
    assert_non_null(strstr(err.text, "from 1 to 10"));
    assert_int_equal(ps_quantity_count("--events", "0", 1, 10, &count, &err), PS_FAIL);
    assert_int_equal(ps_quantity_count("--events", "ten", 1, 10, &count, &err), PS_FAIL);
}

static void durations(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t ns;
    } cases[] = {{"10s", 10 * PS_NS_PER_S},
                 {"500ms", 500 * PS_NS_PER_MS},
                 {"1h30m", 5400 * PS_NS_PER_S},
                 {"2", 2 * PS_NS_PER_S},
                 {"1.5s", 1500 * PS_NS_PER_MS},
                 {"7d", 604800 * PS_NS_PER_S},
                 {"250us", 250000},
                 {"3ns", 3}};
    static const char *const bad[] = {"", "s", "10x", "1h30", "-1s", "1e300d", "ten"};
    struct ps_err err = {0};
    uint64_t ns;
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        assert_int_equal(ps_quantity_duration("--duration", cases[i].text, &ns, &err), PS_OK);
        assert_int_equal(ns, cases[i].ns);
    }
    for (size_t i = 0; i < PS_COUNT_OF(bad); i++)
        assert_int_equal(ps_quantity_duration("--duration", bad[i], &ns, &err), PS_FAIL);
}

static void sizes_and_shares(void **state)
{
    (void)state;
    struct ps_err err = {0};
    uint64_t bytes;
    double share;
    assert_int_equal(ps_quantity_bytes("--size", "64KiB", &bytes, &err), PS_OK);
    assert_int_equal(bytes, 65536);
    assert_int_equal(ps_quantity_bytes("--size", "1.5MB", &bytes, &err), PS_OK);
    assert_int_equal(bytes, 1500000);
    assert_int_equal(ps_quantity_bytes("--size", "12 cows", &bytes, &err), PS_FAIL);
    assert_int_equal(ps_quantity_share("--goal", "0.1%", &share, &err), PS_OK);
    assert_true(share > 0.00099 && share < 0.00101);
    assert_int_equal(ps_quantity_share("--goal", "1", &share, &err), PS_OK);
    assert_int_equal(ps_quantity_share("--goal", "5", &share, &err), PS_FAIL);
    assert_non_null(strstr(err.text, "did you mean 5%"));
}

static void for_people(void **state)
{
    (void)state;
    char text[32];
    assert_string_equal(ps_quantity_print_count(0, text, sizeof text), "0");
    assert_string_equal(ps_quantity_print_count(999, text, sizeof text), "999");
    assert_string_equal(ps_quantity_print_count(1234567, text, sizeof text), "1,234,567");
    assert_string_equal(ps_quantity_print_count(UINT64_MAX, text, sizeof text), "18,446,744,073,709,551,615");
    assert_string_equal(ps_quantity_print_rate(812345, text, sizeof text), "812 k/s");
    assert_string_equal(ps_quantity_print_rate(1234567, text, sizeof text), "1.23 M/s");
    assert_string_equal(ps_quantity_print_rate(999.6e3, text, sizeof text), "1.00 M/s");
    assert_string_equal(ps_quantity_print_rate(0.5, text, sizeof text), "0.50 /s");
    assert_string_equal(ps_quantity_print_ns(999, text, sizeof text), "999 ns");
    assert_string_equal(ps_quantity_print_ns(18400000, text, sizeof text), "18.4 ms");
    assert_string_equal(ps_quantity_print_ns(999999, text, sizeof text), "1.00 ms");
    assert_string_equal(ps_quantity_print_ns(61 * PS_NS_PER_S, text, sizeof text), "61.0 s");
    assert_string_equal(ps_quantity_print_bytes(64, text, sizeof text), "64 B");
    assert_string_equal(ps_quantity_print_bytes(64 * 1048576, text, sizeof text), "64.0 MiB");
    assert_string_equal(ps_quantity_print_bytes(1048575, text, sizeof text), "1.00 MiB");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(rates), cmocka_unit_test(counts),
                                       cmocka_unit_test(durations), cmocka_unit_test(sizes_and_shares),
                                       cmocka_unit_test(for_people)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
