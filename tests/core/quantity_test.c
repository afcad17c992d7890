#include "tests/support/support.h"

#include "core/quantity.h"
#include "core/clock.h"

static void test_rates(void **state)
{
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

static void test_counts(void **state)
{
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

static void test_durations(void **state)
{
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

static void test_sizes_and_shares(void **state)
{
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
    assert_int_equal(ps_quantity_share("--goal", "100%", &share, &err), PS_OK);
    static const char *const wrong[][2] = {
        {"5", "--goal: `5` is more than 100 %; did you mean 5%?"},
        {"100", "--goal: `100` is more than 100 %; did you mean 100%?"},
        {"101", "--goal: `101` is more than 100 %"},
        {"101%", "--goal: `101%` is more than 100 %"},
        {"101%%", "--goal: `101%%` is not a share; write for example 0.1% or 0.001"},
        {"%", "--goal: `%` is not a share; write for example 0.1% or 0.001"},
        {"1%0", "--goal: `1%0` is not a share; write for example 0.1% or 0.001"},
        {"-1%", "--goal: `-1%` is not a share; write for example 0.1% or 0.001"},
    };
    for (size_t i = 0; i < PS_COUNT_OF(wrong); i++) {
        assert_int_equal(ps_quantity_share("--goal", wrong[i][0], &share, &err), PS_FAIL);
        assert_string_equal(err.text, wrong[i][1]);
    }
}

/* Each unit, and each limit from both sides. */
static void test_units_and_limits(void **state)
{
    static const struct {
        const char *text;
        uint64_t value;
    } sizes[] = {{"3", 3},
                 {"3B", 3},
                 {"3k", 3000},
                 {"3kB", 3000},
                 {"3K", 3000},
                 {"3KB", 3000},
                 {"3M", 3000000},
                 {"3MB", 3000000},
                 {"3G", UINT64_C(3000000000)},
                 {"3GB", UINT64_C(3000000000)},
                 {"3T", UINT64_C(3000000000000)},
                 {"3TB", UINT64_C(3000000000000)},
                 {"3KiB", 3 << 10},
                 {"3kiB", 3 << 10},
                 {"3MiB", 3 << 20},
                 {"3GiB", UINT64_C(3) << 30},
                 {"3TiB", UINT64_C(3) << 40},
                 {"9e18", UINT64_C(9000000000000000000)}},
      durations[] = {{"3", 3 * PS_NS_PER_S},
                     {"3ns", 3},
                     {"3us", 3000},
                     {"3ms", 3000000},
                     {"3s", 3 * PS_NS_PER_S},
                     {"3m", 180 * PS_NS_PER_S},
                     {"3min", 180 * PS_NS_PER_S},
                     {"3h", 10800 * PS_NS_PER_S},
                     {"3d", 259200 * PS_NS_PER_S},
                     {"9000000000s", UINT64_C(9000000000000000000)}},
      counts[] = {{"1", 1}, {"10", 10}, {"0.01k", 10}, {"2K", 2000}, {"2M", 2000000}, {"2G", 2000000000}};
    static const char *const long_sizes[] = {"9.1e18", "9100000TB", "3MIB", "3mb", "3 B", "3Bk"},
                             *const long_durations[] = {"9100000000s", "105000d", "3M", "3S", "3mins"};
    struct ps_err err = {0};
    uint64_t value;
    double rate;
    for (size_t i = 0; i < PS_COUNT_OF(sizes); i++) {
        assert_int_equal(ps_quantity_bytes("--size", sizes[i].text, &value, &err), PS_OK);
        assert_int_equal(value, sizes[i].value);
    }
    for (size_t i = 0; i < PS_COUNT_OF(durations); i++) {
        assert_int_equal(ps_quantity_duration("--time", durations[i].text, &value, &err), PS_OK);
        assert_int_equal(value, durations[i].value);
    }
    for (size_t i = 0; i < PS_COUNT_OF(counts); i++) {
        uint64_t count = counts[i].value;
        assert_int_equal(ps_quantity_count("--count", counts[i].text, count, count, &value, &err), PS_OK);
        assert_int_equal(value, count);
        assert_int_equal(ps_quantity_count("--count", counts[i].text, count + 1, count + 1, &value, &err),
                         PS_FAIL);
        assert_int_equal(ps_quantity_count("--count", counts[i].text, 0, count - 1, &value, &err), PS_FAIL);
    }
    for (size_t i = 0; i < PS_COUNT_OF(long_sizes); i++)
        assert_int_equal(ps_quantity_bytes("--size", long_sizes[i], &value, &err), PS_FAIL);
    for (size_t i = 0; i < PS_COUNT_OF(long_durations); i++)
        assert_int_equal(ps_quantity_duration("--time", long_durations[i], &value, &err), PS_FAIL);
    assert_int_equal(ps_quantity_rate("--rate", "1e12", &rate, &err), PS_OK);
    assert_int_equal(ps_quantity_rate("--rate", "50k/s", &rate, &err), PS_OK);
    assert_true(rate == 50000);
    assert_int_equal(ps_quantity_rate("--rate", "1000.1G", &rate, &err), PS_FAIL);
}

static void test_ports(void **state)
{
    static const char *const good[] = {"1", "80", "09092", "65535"};
    static const char *const bad[] = {"", "0", "65536", "99999", "-1", "+1", "8o", "080800", " 80"};
    for (size_t i = 0; i < PS_COUNT_OF(good); i++)
        assert_true(ps_quantity_is_port(good[i], strlen(good[i])));
    for (size_t i = 0; i < PS_COUNT_OF(bad); i++)
        assert_false(ps_quantity_is_port(bad[i], strlen(bad[i])));
    assert_true(ps_quantity_is_port("80,81", 2));
}

static void test_counts_and_rates_for_people(void **state)
{
    assert_string_equal(ps_quantity_print_count(0).text, "0");
    assert_string_equal(ps_quantity_print_count(999).text, "999");
    assert_string_equal(ps_quantity_print_count(1234567).text, "1,234,567");
    assert_string_equal(ps_quantity_print_count(UINT64_MAX).text, "18,446,744,073,709,551,615");
    assert_string_equal(ps_quantity_print_rate(0).text, "0 /s");
    assert_string_equal(ps_quantity_print_rate(0.5).text, "0.5 /s");
    assert_string_equal(ps_quantity_print_rate(12.34).text, "12.3 /s");
    assert_string_equal(ps_quantity_print_rate(9999.4).text, "9,999 /s");
    assert_string_equal(ps_quantity_print_rate(9999.6).text, "10 k/s");
    assert_string_equal(ps_quantity_print_rate(812345).text, "812 k/s");
    assert_string_equal(ps_quantity_print_rate(999.6e3).text, "1 M/s");
    assert_string_equal(ps_quantity_print_rate(1234567).text, "1.23 M/s");
    assert_string_equal(ps_quantity_print_rate(1.5e9).text, "1.5 G/s");
    assert_string_equal(ps_quantity_print_event_rate(0).text, "0 events/s");
    assert_string_equal(ps_quantity_print_event_rate(12.34).text, "12.3 events/s");
    assert_string_equal(ps_quantity_print_event_rate(99.96).text, "100 events/s");
    assert_string_equal(ps_quantity_print_event_rate(812345.4).text, "812,345 events/s");
    assert_string_equal(ps_quantity_print_event_rate(1e30).text, "1,000,000,000,000 events/s");
}

static void test_durations_and_sizes_for_people(void **state)
{
    static const struct {
        uint64_t ns;
        const char *text;
    } times[] = {{0, "0 s"},
                 {999, "999 ns"},
                 {1000, "1 us"},
                 {18400000, "18.4 ms"},
                 {999999, "1 ms"},
                 {500 * PS_NS_PER_MS, "500 ms"},
                 {1500 * PS_NS_PER_MS, "1.5 s"},
                 {30 * PS_NS_PER_S, "30 s"},
                 {59940 * PS_NS_PER_MS, "59.9 s"},
                 {59960 * PS_NS_PER_MS, "1 min"},
                 {61 * PS_NS_PER_S, "1 min 1 s"},
                 {3600 * PS_NS_PER_S, "1 h"},
                 {7529 * PS_NS_PER_S, "2 h 5 min"},
                 {3599600 * PS_NS_PER_MS, "1 h"},
                 {86399 * PS_NS_PER_S, "1 d"},
                 {280800 * PS_NS_PER_S, "3 d 6 h"},
                 {UINT64_MAX, "213504 d"}};
    static const struct {
        uint64_t bytes;
        const char *text;
    } sizes[] = {{0, "0 B"},
                 {64, "64 B"},
                 {1023, "1023 B"},
                 {1536, "1.5 KiB"},
                 {102400, "100 KiB"},
                 {1048575, "1 MiB"},
                 {64 * 1048576, "64 MiB"},
                 {UINT64_C(6324000000), "5.89 GiB"},
                 {UINT64_MAX, "16 EiB"}};
    for (size_t i = 0; i < PS_COUNT_OF(times); i++)
        assert_string_equal(ps_quantity_print_ns(times[i].ns).text, times[i].text);
    for (size_t i = 0; i < PS_COUNT_OF(sizes); i++)
        assert_string_equal(ps_quantity_print_bytes(sizes[i].bytes).text, sizes[i].text);
    assert_string_equal(ps_quantity_print_s(0.0184).text, "18.4 ms");
    assert_string_equal(ps_quantity_print_s(90).text, "1 min 30 s");
    assert_string_equal(ps_quantity_print_s(-1).text, "0 s");
    assert_string_equal(ps_quantity_print_s(1e30).text, "115740 d 18 h");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rates),
                                       cmocka_unit_test(test_ports),
                                       cmocka_unit_test(test_units_and_limits),
                                       cmocka_unit_test(test_counts),
                                       cmocka_unit_test(test_durations),
                                       cmocka_unit_test(test_sizes_and_shares),
                                       cmocka_unit_test(test_counts_and_rates_for_people),
                                       cmocka_unit_test(test_durations_and_sizes_for_people)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
