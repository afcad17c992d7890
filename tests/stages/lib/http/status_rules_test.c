/* Rules by status: a rule for one status takes precedence over one for its class (hundred), in any order; each kind
 * of rule has its own bits; a number outside the range of statuses has no effect. */
#include "stages/lib/http/status_rules.h"
#include "tests/support/support.h"

static struct ps_http_status_rules rules;

#define SET(bit, fallback, ...)                                                                              \
    do {                                                                                                     \
        const struct ps_pair pairs[] = {__VA_ARGS__};                                                        \
        ps_http_status_rules_set(&rules, bit,                                                                \
                                 &(struct ps_pairs){PS_COUNT_OF(pairs), (struct ps_pair *)(uintptr_t)pairs}, \
                                 fallback);                                                                  \
    } while (0)

/* Checks that the bit is set from `first` to `last` and nowhere else. */
static void expect_only(uint8_t bit, unsigned first, unsigned last)
{
    for (unsigned status = 0; status < PS_HTTP_STATUSES; status++) {
        if (((rules.bits[status] & bit) != 0) != (status >= first && status <= last))
            fail_msg("status %u", status);
    }
}

static void test_hundreds(void **unused)
{
    rules = (struct ps_http_status_rules){{0}};
    SET(PS_HTTP_BACKS_OFF, false, {.key = "5XX", .value = "true"});
    expect_only(PS_HTTP_BACKS_OFF, 500, 599);
    expect_only(PS_HTTP_ROLLS_BACK, 1, 0);
    rules = (struct ps_http_status_rules){{0}};
    SET(PS_HTTP_BACKS_OFF, false, {.key = "1XX", .value = "TRUE"}, {.key = "9XX", .value = "yes"});
    expect_only(PS_HTTP_BACKS_OFF, 100, 199); /* Flume's Boolean: everything except true is false */
    rules = (struct ps_http_status_rules){{0}};
    SET(PS_HTTP_BACKS_OFF, false, {.key = "9XX", .value = "true"});
    expect_only(PS_HTTP_BACKS_OFF, 900, 999);
}

static void test_exact(void **unused)
{
    for (unsigned turned = 0; turned < 2; turned++) {
        rules = (struct ps_http_status_rules){{0}};
        if (turned)
            SET(PS_HTTP_ROLLS_BACK, true, {.key = "503", .value = "true"}, {.key = "5XX", .value = "false"});
        else
            SET(PS_HTTP_ROLLS_BACK, true, {.key = "5XX", .value = "false"}, {.key = "503", .value = "true"});
        for (unsigned status = 0; status < PS_HTTP_STATUSES; status++)
            assert_int_equal((rules.bits[status] & PS_HTTP_ROLLS_BACK) != 0,
                             status < 500 || status == 503 || status > 599);
    }
    rules = (struct ps_http_status_rules){{0}};
    SET(PS_HTTP_IS_COUNTED, false, {.key = "100", .value = "true"});
    expect_only(PS_HTTP_IS_COUNTED, 100, 100);
    SET(PS_HTTP_ROLLS_BACK, false, {.key = "999", .value = "true"});
    expect_only(PS_HTTP_ROLLS_BACK, 999, 999);
    expect_only(PS_HTTP_IS_COUNTED, 100, 100); /* another kind of rule */
    SET(PS_HTTP_IS_COUNTED, false, {.key = "100", .value = "false"});
    expect_only(PS_HTTP_IS_COUNTED, 1, 0);
    expect_only(PS_HTTP_ROLLS_BACK, 999, 999);
}

static void test_no_status(void **unused)
{
    static const char *const keys[] = {"",    "5",   "50",   "5X",  "5xx", "5Xx", "5XXX", "0XX",
                                       "XXX", "099", "1000", "50X", "5X3", "5 3", "-50",  "50a"};
    for (size_t i = 0; i < PS_COUNT_OF(keys); i++) {
        rules = (struct ps_http_status_rules){{0}};
        SET(PS_HTTP_BACKS_OFF, false, {.key = keys[i], .value = "true"});
        for (unsigned status = 0; status < PS_HTTP_STATUSES; status++) {
            if (rules.bits[status] != 0)
                fail_msg("\"%s\" has an effect on %u", keys[i], status);
        }
    }
}

/* The keys that `check` complains of, separated by blanks; ! stands before one whose value is neither true nor false. */
static void note_key(const struct ps_context *context, enum ps_log_level severity, const char *key,
                     const char *message)
{
    char *said = context->argument;
    assert_int_equal(severity, PS_LOG_WARN);
    bool odd_value = strstr(message, "neither true nor false") != NULL;
    assert_true(odd_value != (strstr(message, "has no effect") != NULL));
    strcat(strcat(strcat(said, odd_value ? "!" : ""), key), " ");
}

static void test_check(void **unused)
{
    static const struct ps_pair pairs[] = {{.key = "503", .value = "true"}, {.key = "50", .value = "true"},
                                           {.key = "5XX", .value = "x"},    {.key = "4XX", .value = "FALSE"},
                                           {.key = "5xx", .value = "true"}, {.key = "999", .value = "x"},
                                           {.key = "0XX", .value = "x"}};
    char said[256] = "";
    const struct ps_context context = {.report = note_key, .argument = said};
    ps_http_status_rules_check(&context, "backoff.",
                               &(struct ps_pairs){PS_COUNT_OF(pairs), (struct ps_pair *)(uintptr_t)pairs});
    assert_string_equal(said, "backoff.50 !backoff.5XX backoff.5xx !backoff.999 backoff.0XX ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_hundreds), cmocka_unit_test(test_exact),
                                       cmocka_unit_test(test_no_status), cmocka_unit_test(test_check)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
