/* Samples and limits of a rule compared with a model: a list of keys in the order of their last use, each with its
 * tokens. */
#include "stages/lib/rules/set_internal.h"

#include "tests/support/support.h"

#include <stdio.h>

#define KEYS 5U

struct model_key {
    char text[24];
    bool is_absent; /* the event has no such header */
    double tokens;
    uint64_t filled_ns;
};

static struct {
    struct model_key keys[KEYS]; /* the one used last comes last */
    unsigned count;
    uint64_t replaced;
} model;
static uint64_t random_state;
static unsigned refused; /* in all draws */

static uint64_t pick(uint64_t below)
{
    return ps_test_random(&random_state) % below;
}

/* Moves the key to the end of the list, with a full bucket if it is new. */
static struct model_key *model_use(const struct rules_meter_spec *spec, const char *text, uint64_t now_ns)
{
    struct model_key key = {.is_absent = text == NULL, .tokens = spec->burst, .filled_ns = now_ns};
    unsigned at = 0;
    snprintf(key.text, sizeof key.text, "%s", text != NULL ? text : "");
    while (at < model.count && (strcmp(model.keys[at].text, key.text) != 0))
        at++;
    if (at < model.count)
        key = model.keys[at];
    else if (model.count < spec->key_count)
        model.count++;
    else {
        at = 0;
        model.replaced++;
    }
    memmove(&model.keys[at], &model.keys[at + 1], (model.count - 1 - at) * sizeof key);
    model.keys[model.count - 1] = key;
    return &model.keys[model.count - 1];
}

static bool model_take(const struct rules_meter_spec *spec, const char *text, uint64_t now_ns)
{
    struct model_key *key = model_use(spec, spec->per_key ? text : "", now_ns);
    if (now_ns > key->filled_ns) {
        key->tokens += (double)(now_ns - key->filled_ns) / 1e9 * spec->per_second;
        key->tokens = key->tokens > spec->burst ? spec->burst : key->tokens;
        key->filled_ns = now_ns;
    }
    if (key->tokens < 1)
        return false;
    key->tokens -= 1;
    return true;
}

/* Random keys (up to twice as many as there is room for, some longer than a word, one absent), and a clock that stops, goes on a
 * little or much, and once goes back. Rates and bursts are sums of powers of two: the model computes the same numbers. */
static void draw(const struct rules_meter_spec *spec)
{
    static const char *const texts[] = {
        "a", "b", "12345678", "123456789", "1234567890123456", "12345678901234567", "c", "d", "a\x01", NULL};
    struct rules_meter *meter = ps_rules_meter_create(spec);
    uint64_t now_ns = UINT64_C(1) << 40, replaced = 7;
    unsigned taken = 0;
    assert_non_null(meter);
    memset(&model, 0, sizeof model);
    for (unsigned step = 0; step < 3000; step++) {
        const char *text = texts[pick(1 + pick(PS_COUNT_OF(texts)))];
        const struct ps_slice key = {text, text != NULL ? (uint32_t)strlen(text) : 0};
        now_ns += pick(3) == 0 ? 0 : pick(20) == 0 ? 3000000000 : 125000000;
        now_ns -= pick(50) == 0 ? 250000000 : 0;
        bool expected = model_take(spec, text, now_ns);
        assert_int_equal(ps_rules_meter_take(meter, text != NULL ? &key : NULL, now_ns, &replaced), expected);
        assert_int_equal(replaced, 7 + model.replaced);
        taken += expected;
    }
    assert_true(taken > 100);
    refused += 3000 - taken;
    ps_rules_meter_destroy(meter);
}

static void test_limits(void **state)
{
    random_state = ps_test_seed() | 1;
    for (uint32_t keys = 1; keys <= KEYS; keys++) {
        draw(&(struct rules_meter_spec){
            .is_limit = true, .per_key = true, .per_second = 1, .burst = 4, .key_count = keys});
        draw(&(struct rules_meter_spec){
            .is_limit = true, .per_key = true, .per_second = 0.5, .burst = 1, .key_count = keys});
    }
    draw(&(struct rules_meter_spec){.is_limit = true, .per_second = 4, .burst = 2.5, .key_count = 1});
    assert_true(refused > 1000);
}

/* An empty value and an absent header are one key; a value with the same beginning, or with a NUL after it, is
 * another. */
static void test_near_keys(void **state)
{
    const struct rules_meter_spec spec = {
        .is_limit = true, .per_key = true, .per_second = 1, .burst = 1, .key_count = 16};
    static const struct ps_slice keys[] = {{"", 0},
                                           {"\0", 1},
                                           {"x", 1},
                                           {"x\0", 2},
                                           {"\0x", 2},
                                           {"1234567", 7},
                                           {"1234567\0", 8},
                                           {"12345678", 8},
                                           {"12345678\0", 9},
                                           {"12345678x", 9},
                                           {"x12345678", 9},
                                           {"\0"
                                            "12345678",
                                            9}};
    struct rules_meter *meter = ps_rules_meter_create(&spec);
    uint64_t replaced = 0;
    assert_non_null(meter);
    for (size_t i = 0; i < PS_COUNT_OF(keys); i++) {
        assert_true(ps_rules_meter_take(meter, &keys[i], 1, &replaced));
        assert_false(ps_rules_meter_take(meter, &keys[i], 1, &replaced));
    }
    assert_false(ps_rules_meter_take(meter, NULL, 1, &replaced));
    assert_int_equal(replaced, 0);
    ps_rules_meter_destroy(meter);
}

static void test_samples(void **state)
{
    for (uint64_t one_in = 1; one_in <= 5; one_in++) {
        struct rules_meter *meter =
            ps_rules_meter_create(&(struct rules_meter_spec){.one_in = one_in, .key_count = 1});
        assert_non_null(meter);
        for (uint64_t i = 0; i < 4 * one_in; i++)
            assert_int_equal(ps_rules_meter_sample(meter), i % one_in == 0);
        ps_rules_meter_destroy(meter);
    }
}

/* A changed set of rules keeps a meter only if each number is the same. */
static void test_same(void **state)
{
    const struct rules_meter_spec limit = {
        .is_limit = true, .per_key = true, .per_second = 2, .burst = 3, .key_count = 4};
    const struct rules_meter_spec sample = {.one_in = 3};
    struct rules_meter *limits = ps_rules_meter_create(&limit), *samples = ps_rules_meter_create(&sample);
    assert_non_null(limits);
    assert_non_null(samples);
    assert_true(ps_rules_meter_same(limits, &limit));
    assert_true(ps_rules_meter_same(samples, &sample));
    assert_false(ps_rules_meter_same(limits, &sample));
    assert_false(ps_rules_meter_same(samples, &limit));
    for (int sign = -1; sign <= 1; sign += 2) {
        struct rules_meter_spec other = limit;
        other.per_second += sign * 0.25;
        assert_false(ps_rules_meter_same(limits, &other));
        other = limit;
        other.burst += sign * 0.25;
        assert_false(ps_rules_meter_same(limits, &other));
        other = sample;
        other.one_in += (uint64_t)(int64_t)sign;
        assert_false(ps_rules_meter_same(samples, &other));
    }
    struct rules_meter_spec other = limit;
    other.per_key = false;
    assert_false(ps_rules_meter_same(limits, &other));
    ps_rules_meter_destroy(limits);
    ps_rules_meter_destroy(samples);
    ps_rules_meter_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_near_keys),
        cmocka_unit_test(test_samples),
        cmocka_unit_test(test_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
