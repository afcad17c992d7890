/* Each argument of a field accepts the last number within its limit, and refuses the next one; at both ends, and if
 * it is one of several. */
#include "bench/load/content/template.h"
#include "tests/support/support.h"

#include <stdlib.h>
#include <string.h>

static struct ps_template *template;
static struct ps_arena *arena;
static struct ps_err err;

static bool parses(const char *text)
{
    memset(template, 0, sizeof *template);
    err.length = 0;
    return ps_template_parse(template, arena, text, &err) == PS_OK;
}

static int setup(void **state)
{
    template = calloc(1, sizeof *template);
    arena = ps_arena_create();
    return template == NULL;
}

static int teardown(void **state)
{
    ps_arena_destroy(arena);
    free(template);
    return 0;
}

/* ---- whether it is taken ---- */

static void test_taken(void **state)
{
    static const struct {
        const char *text;
        bool taken;
    } rows[] = {
        {"{seq:width=1}", true},
        {"{seq:width=0}", false},
        {"{seq:width=18}", true},
        {"{seq:width=19}", false},
        {"{seq:width=+1}", true},
        {"{seq:width=1-}", false},
        {"{seq:width=}", false},
        {"{int:0..9,width=1}", true},
        {"{int:0..10,width=1}", false},
        {"{int:-1..9,width=1}", false},
        {"{int:0,width=1}", true},
        {"{int:999999999999999999,width=18}", true},
        {"{int:1000000000000000000,width=18}", false},
        {"{int:-9223372036854775808..9223372036854775807}", true},
        {"{int:-9223372036854775809..0}", false},
        {"{int:0..9223372036854775808}", false},
        {"{int:5..5}", true},
        {"{int:5..4}", false},
        {"{float:5..5}", true},
        {"{float:5..4.9}", false},
        {"{float:5..x}", false},
        {"{float:x..5}", false},
        {"{float:9e15}", true},
        {"{float:9.0000000000000001e15}", true}, /* the same number */
        {"{float:9000000000000002}", false},
        {"{float:-9000000000000000}", true},
        {"{float:-9000000000000002}", false},
        {"{float:inf}", false},
        {"{float:0x10}", false},
        {"{float:0..1,digits=0}", true},
        {"{float:0..1,digits=-1}", false},
        {"{float:0..1,digits=9}", true},
        {"{float:0..9e8,digits=9}", true},
        {"{float:0..900000001,digits=9}", false},
        {"{float:-9e8..0,digits=9}", true},
        {"{float:-900000001..0,digits=9}", false},
        {"{int:zipf:1..5,s=10}", true},
        {"{int:zipf:1..5,s=10.01}", false},
        {"{int:zipf:1..5,s=0.001}", true},
        {"{int:zipf:1..5,s=0}", false},
        {"{int:zipf:1..5,s=x}", false},
        {"{int:zipf:1..281474976710656}", true}, /* 2^48 */
        {"{int:zipf:0..281474976710656}", false},
        {"{int:zipf:-9223372036854775808..9223372036854775807}", false}, /* 2^64: the count is 0 */
        {"{int:normal:mean=5,sd=0}", true},
        {"{int:normal:mean=5,sd=-0.1}", false},
        {"{int:normal:sd=1}", false},
        {"{int:normal:mean=5,sd=1,min=x}", false},
        {"{int:normal:mean=5,sd=1,max=x}", false},
        {"{int:normal:mean=5,sd=1,min=7,max=7}", true},
        {"{int:normal:mean=5,sd=1,min=7.1,max=7}", false},
        {"{int:normal:mean=8e15,sd=1e15}", false},  /* it reaches too far up */
        {"{int:normal:mean=-8e15,sd=1e15}", false}, /* and down */
        {"{int:choice:5=0.5}", true},
        {"{int:choice:5=0}", false},
        {"{int:choice:5=-1}", false},
        {"{int:choice:5=x}", false},
        {"{int:choice:5,6,7.5}", false},
        {"{float:choice:5,6,7.5}", true},
        {"{int:choice:width=3}", false}, /* nothing to choose from */
        {"{int:choice:5,width=3}", true},
        {"{choice:a=0.1,b=0}", false},
        {"{choice:a=0.1,b=1,c=-1}", false},
        {"{hex:1}", true},
        {"{hex:1024}", true},
        {"{hex:1025}", false},
        {"{hex:x}", false},
        {"{ip:10.0.0.0/0}", true},
        {"{ip:10.0.0.0/32}", true},
        {"{ip:10.0.0.0/-1}", false},
        {"{ip:10.0.0.0/}", false},
        {"{ip:10.0.0.256/8}", false},
        {"{words:1..1000}", true},
        {"{words:1..1001}", false},
        {"{words:0..1}", false},
        {"{size:1..16777216}", true},
        {"{size:1..16777217}", false},
        {"{size:0..16777216}", false},
        {"{size:16777216}", true},
        {"{size:0}", false},
        {"{size:normal:mean=5,sd=100}", true}, /* the tail below 1 is cut off */
        {"{size:normal:mean=5,sd=100,max=0}", false},
        {"{size:normal:mean=5,sd=100,max=1}", true},
        {"{time:%aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa}", true},   /* 64 bytes */
        {"{time:%aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa}", false}, /* 65 */
        {"{time:x%s}", false},
        {"{time:epoch_s}", true},
        {"{time:epoch}", false},
        {"{time:rfc3339,zone=local}", true},
        {"{time:zone=UTC}", true},
    };
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++)
        if (parses(rows[i].text) != rows[i].taken)
            fail_msg("%s: %s", rows[i].text, rows[i].taken ? err.text : "taken");
}

/* ---- what it means ---- */

static const struct ps_template_part *part_of(const char *text)
{
    if (!parses(text))
        fail_msg("%s: %s", text, err.text);
    assert_int_equal(template->count, 1);
    return &template->parts[0];
}

static void test_ranges(void **state)
{
    static const struct {
        const char *text;
        int64_t min, max;
    } rows[] = {
        {"{int:7}", 7, 7},
        {"{int:-3..4}", -3, 4},
        {"{int:uniform:-3..4}", -3, 4},
        {"{int:choice:9,3,5}", 3, 9},
        {"{int:choice:3,9=2,5}", 3, 9},
        {"{int:choice:-3}", -3, -3},
        {"{int:normal:mean=5,sd=1,min=2,max=7}", 2, 7},
        {"{words}", 3, 8},
        {"{words:2..5}", 2, 5},
        {"{size:normal:mean=5,sd=100,max=300}", 1, 300},
    };
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        const struct ps_distribution *distribution = &part_of(rows[i].text)->distribution;
        if (distribution->min != rows[i].min || distribution->max != rows[i].max)
            fail_msg("%s: %lld to %lld", rows[i].text, (long long)distribution->min,
                     (long long)distribution->max);
        if (distribution->kind == PS_DISTRIBUTION_UNIFORM)
            assert_int_equal(distribution->span, rows[i].max - rows[i].min + 1);
        if (distribution->kind == PS_DISTRIBUTION_CHOICE)
            assert_true(distribution->low == (double)rows[i].min &&
                        distribution->high == (double)rows[i].max);
    }
    const struct ps_distribution *real = &part_of("{float:-1.5..2.5}")->distribution;
    assert_true(real->low == -1.5 && real->high == 2.5);
    real = &part_of("{float:choice:3.5,1.25,2}")->distribution;
    assert_true(real->low == 1.25 && real->high == 3.5);
}

static void test_networks(void **state)
{
    static const struct {
        const char *text;
        uint32_t network, bits;
    } rows[] = {
        {"{ip}", 0x0A000000, 24},
        {"{ip:192.168.7.9}", 0xC0A80709, 0},
        {"{ip:192.168.7.9/32}", 0xC0A80709, 0},
        {"{ip:192.168.7.9/31}", 0xC0A80708, 1},
        {"{ip:192.168.7.9/1}", 0x80000000, 31},
        {"{ip:192.168.7.9/0}", 0, 32},
    };
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        const struct ps_template_part *part = part_of(rows[i].text);
        assert_int_equal(part->network, rows[i].network);
        assert_int_equal(part->host_bits, rows[i].bits);
    }
}

static void test_widths(void **state)
{
    assert_int_equal(part_of("{hex}")->width, 16);
    assert_int_equal(part_of("{hex:3}")->width, 3);
    assert_int_equal(part_of("{seq}")->width, 0);
    assert_int_equal(part_of("{int:1..5,width=3}")->width, 3);
    assert_int_equal(part_of("{int:width=3,1..5}")->width, 3);
    assert_int_equal(part_of("{float:1}")->digits, 2);
    assert_int_equal(part_of("{float:1,digits=0}")->digits, 0);
    assert_int_equal(part_of("{float:digits=4,1}")->digits, 4);
}

static void test_times(void **state)
{
    static const struct {
        const char *text;
        enum ps_template_time time;
    } rows[] = {
        {"{time}", PS_TIME_RFC3339},
        {"{time:rfc3339}", PS_TIME_RFC3339},
        {"{time:rfc3339_us}", PS_TIME_RFC3339_US},
        {"{time:rfc3164}", PS_TIME_RFC3164},
        {"{time:clf}", PS_TIME_CLF},
        {"{time:epoch_s}", PS_TIME_EPOCH_S},
        {"{time:epoch_ms}", PS_TIME_EPOCH_MS},
        {"{time:epoch_us}", PS_TIME_EPOCH_US},
        {"{time:epoch_ns}", PS_TIME_EPOCH_NS},
        {"{time:%H}", PS_TIME_STRFTIME},
    };
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++)
        assert_int_equal(part_of(rows[i].text)->time, rows[i].time);
    assert_false(parses("{time:rfc3339us}"));
    assert_non_null(strstr(err.text, "did you mean rfc3339_us?"));
    assert_false(parses("{time:quarter}"));
    assert_non_null(strstr(err.text, "use rfc3339, rfc3339_us"));
}

/* Returns `begin`, `count` times `one`, and `end` as one text. The caller frees it. */
static char *repeated(const char *begin, const char *one, unsigned count, const char *end)
{
    size_t length = strlen(one);
    char *text = malloc(strlen(begin) + count * length + strlen(end) + 1), *at = stpcpy(text, begin);
    for (unsigned i = 0; i < count; i++)
        at = stpcpy(at, one);
    stpcpy(at, end);
    return text;
}

static bool parses_repeated(const char *begin, const char *one, unsigned count, const char *end)
{
    char *text = repeated(begin, one, count, end);
    bool taken = parses(text);
    free(text);
    return taken;
}

static void test_many(void **state)
{
    assert_true(parses_repeated("{int:choice:1", ",2", 4095, "}"));
    assert_false(parses_repeated("{int:choice:1", ",2", 4096, "}"));
    assert_non_null(strstr(err.text, "more than 4096 values"));
    assert_true(parses_repeated("", "{seq}", PS_TEMPLATE_PARTS_MAX, ""));
    assert_int_equal(template->count, PS_TEMPLATE_PARTS_MAX);
    assert_false(parses_repeated("", "{seq}", PS_TEMPLATE_PARTS_MAX + 1, ""));
    assert_true(parses_repeated("", "a", PS_TEMPLATE_BYTES_MAX, ""));
    assert_false(parses_repeated("", "a", PS_TEMPLATE_BYTES_MAX + 1, ""));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_taken),  TEST(test_ranges), TEST(test_networks),
        TEST(test_widths), TEST(test_times),  TEST(test_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
