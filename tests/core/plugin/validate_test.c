/* The rules for a plug-in's table of stages: penstock's own stages keep them, and a copy of a good stage with one fault each is
 * refused with the stage's name, the reason and a cure. What lies behind a table is memory that cannot be read. */
#include "core/plugin/validate.h"
#include "stages/table.h"
#include "tests/support/support.h"

#include <string.h>
#include <sys/mman.h>

struct plan {
    const char *path;
    int64_t count;
    int mode;
    uint64_t built;
};

static enum ps_status build(void *plan, struct ps_context *context, struct ps_err *err)
{
    return PS_OK;
}

static enum ps_result work(const void *plan, void *state, struct ps_lease **lease, const struct ps_now *now)
{
    return PS_DONE;
}

static const struct ps_sink_ops functions = {.work = work};
static struct ps_option rows[4];
static const char *const names[] = {"org.example.Good", NULL}, *const words[] = {"one", "two", NULL};
static struct ps_stage_ops stage;

static void make_good(void)
{
    rows[0] = (struct ps_option){"path", PS_OPTION_TEXT, offsetof(struct plan, path), .help = "a path"};
    rows[1] = (struct ps_option){"count", PS_OPTION_INT, offsetof(struct plan, count), "3", 1, 9, "events"};
    rows[2] = (struct ps_option){"mode", PS_OPTION_ENUM, offsetof(struct plan, mode), .words = words};
    rows[3] = (struct ps_option)PS_OPTION_END;
    stage =
        (struct ps_stage_ops){PS_STAGE(PS_KIND_SINK),  .name = "good",    .aliases = names,
                              .summary = "a good one", .options = rows,   .plan_size = sizeof(struct plan),
                              .build = build,          .sink = &functions};
}

/* Returns the end of a page behind which nothing can be read. */
static char *end_of_memory(void)
{
    static char *end;
    if (end == NULL) {
        char *pages = mmap(NULL, 2 * 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        assert_true(pages != MAP_FAILED);
        assert_int_equal(mprotect(pages + 65536, 65536, PROT_NONE), 0);
        end = pages + 65536;
    }
    memset(end - 65536, 0, 65536);
    return end;
}

static void *at_end_of_memory(const void *bytes, size_t length)
{
    return memcpy(end_of_memory() - length, bytes, length);
}

static const char *check(const struct ps_stage_ops *const *stages, size_t count, const char **cure)
{
    static struct ps_err err;
    err.length = 0;
    *cure = NULL;
    if (ps_plugin_validate(stages, count, cure, &err) == PS_OK)
        return NULL;
    assert_true(err.length > 0);
    assert_non_null(*cure);
    return err.text;
}

/* ---- the faults ---- */

static void name_missing(void)
{
    stage.name = NULL;
}
static void name_empty(void)
{
    stage.name = "";
}
static void name_wild(void)
{
    stage.name = (const char *)(uintptr_t)0x123;
}
static void name_unreadable(void)
{
    stage.name = end_of_memory();
}
static void name_endless(void)
{
    stage.name = memset(end_of_memory() - 20, 'x', 20);
}
static void name_long(void)
{
    static char text[200];
    stage.name = memset(text, 'x', sizeof text - 1);
}
static void alias_wild(void)
{
    static const char *const wild[] = {(const char *)8, NULL};
    stage.aliases = wild;
}
static void aliases_endless(void)
{
    stage.aliases = at_end_of_memory(names, sizeof names[0]);
}
static void summary_wild(void)
{
    stage.summary = (const char *)1;
}
static void contract_missing(void)
{
    stage.contract.version = 0;
}
static void contract_old(void)
{
    stage.contract.version--;
}
static void functions_wild(void)
{
    stage.sink = (const void *)(uintptr_t)64;
}
static void functions_short(void)
{
    stage.sink = (const void *)(end_of_memory() - 8);
}
static void work_missing(void)
{
    static const struct ps_sink_ops none;
    stage.sink = &none;
}
static void plan_short(void)
{
    stage.plan_size = offsetof(struct plan, count) + 4;
}
static void plan_none(void)
{
    stage.plan_size = 0;
}
static void plan_endless(void)
{
    stage.plan_size = SIZE_MAX;
}
static void state_endless(void)
{
    stage.state_size = SIZE_MAX;
}
static void offset_endless(void)
{
    rows[1].offset = SIZE_MAX - 3;
}
static void offset_odd(void)
{
    rows[1].offset = 1;
}
static void type_unknown(void)
{
    rows[1].type = (enum ps_option_type)99;
}
static void type_negative(void)
{
    rows[1].type = (enum ps_option_type) - 1;
}
static void flags_unknown(void)
{
    rows[1].flags = 1U << 30;
}
static void reload_unknown(void)
{
    rows[1].reload = (enum ps_reload)7;
}
static void key_empty(void)
{
    rows[1].key = "";
}
static void key_wild(void)
{
    rows[1].key = (const char *)(uintptr_t)0xffffffffffffff00;
}
static void default_wild(void)
{
    rows[1].fallback = (const char *)3;
}
static void help_wild(void)
{
    rows[0].help = (const char *)3;
}
static void words_missing(void)
{
    rows[2].words = NULL;
}
static void words_empty(void)
{
    rows[2].words = words + 2;
}
static void words_wild(void)
{
    rows[2].words = (const void *)(uintptr_t)16;
}
static void limits_crossed(void)
{
    rows[1].min = 10;
}
static void map_without_dot(void)
{
    rows[0].type = PS_OPTION_MAP, rows[0].offset = 0;
}
static void rows_wild(void)
{
    stage.options = (const void *)(uintptr_t)24;
}
static void rows_endless(void)
{
    stage.options = at_end_of_memory(rows, 3 * sizeof rows[0]);
}
static void rows_too_many(void)
{
    static struct ps_option many[2000];
    for (size_t i = 0; i < PS_COUNT_OF(many); i++)
        many[i] = rows[0];
    stage.options = many;
}
static const char *counters[18];
static void set_counters(size_t count)
{
    for (size_t i = 0; i < count; i++)
        counters[i] = "own";
    counters[count] = NULL;
    stage.counters = counters;
}
static void counters_too_many(void)
{
    set_counters(17);
}

#define CASE(name, what, cure)                                                                               \
    {                                                                                                        \
#name, name, what, cure                                                                              \
    }

static void test_faults(void **unused)
{
    static const struct {
        const char *name;
        void (*make)(void);
        const char *what, *cure;
    } cases[] = {
        CASE(name_missing, "a stage without a name", "CONTRACT.md"),
        CASE(name_empty, "a stage without a name", "CONTRACT.md"),
        CASE(name_wild, "a stage without a name", "CONTRACT.md"),
        CASE(name_unreadable, "a stage without a name", "CONTRACT.md"),
        CASE(name_endless, "a stage without a name", "CONTRACT.md"),
        CASE(name_long, "less than 128 bytes", "CONTRACT.md"),
        CASE(alias_wild, "stage good whose aliases", "CONTRACT.md"),
        CASE(aliases_endless, "stage good whose aliases", "CONTRACT.md"),
        CASE(summary_wild, "stage good that lacks a summary", "CONTRACT.md"),
        CASE(contract_missing, "without PS_STAGE(kind)", "CONTRACT.md"),
        CASE(contract_old, "stage good was made for version", "build it again"),
        CASE(functions_wild, "stage good that lacks the functions", "CONTRACT.md"),
        CASE(functions_short, "stage good that lacks the functions", "CONTRACT.md"),
        CASE(work_missing, "stage good that lacks work", "CONTRACT.md"),
        CASE(plan_short,
             "stage good whose plan_size is 12, and the value of option `count` has 8 bytes from 8 on", ""),
        CASE(plan_none, "stage good whose plan_size is 0, and the value of option `path`", ""),
        CASE(plan_endless, "stage good whose plan_size or state_size is more than 67108864 bytes", ""),
        CASE(state_endless, "stage good whose plan_size or state_size is more than 67108864 bytes", ""),
        CASE(offset_endless, "the value of option `count` has 8 bytes from 18446744073709551612 on", ""),
        CASE(offset_odd, "stage good whose option `count` has the offset 1", ""),
        CASE(type_unknown, "stage good whose option row 2, `count`, has an unknown type; ", ""),
        CASE(type_negative,
             "option row 2, `count`, has an unknown type; if it is no row of yours, is PS_OPTION_END", ""),
        CASE(flags_unknown, "option row 2, `count`, has unknown flags", ""),
        CASE(reload_unknown, "option row 2, `count`, has an unknown reload", ""),
        CASE(key_empty, "option row 2, ``, has an empty name", ""),
        CASE(key_wild, "stage good whose option row 2 has a key that is no text; is PS_OPTION_END missing?",
             ""),
        CASE(default_wild, "option row 2, `count`, has a default, unit or help that is no text", ""),
        CASE(help_wild, "option row 1, `path`, has a default, unit or help that is no text", ""),
        CASE(words_missing, "option row 3, `mode`, is an ENUM without words", ""),
        CASE(words_empty, "option row 3, `mode`, is an ENUM without words", ""),
        CASE(words_wild, "option row 3, `mode`, has aliases or words that do not end", ""),
        CASE(limits_crossed, "option row 2, `count`, has a min above its max", ""),
        CASE(map_without_dot, "option row 1, `path`, is a MAP, and its name does not end in '.'", ""),
        CASE(rows_wild, "stage good whose option rows do not end after 0; is PS_OPTION_END missing?", ""),
        CASE(rows_endless, "stage good whose option rows do not end after 3; is PS_OPTION_END missing?", ""),
        CASE(rows_too_many, "stage good whose option rows do not end after 1000; is PS_OPTION_END", ""),
        CASE(counters_too_many, "stage good with 17 counters of its own; it may have 16", "CONTRACT.md"),
    };
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        const struct ps_stage_ops *const stages[] = {&stage, NULL};
        const char *cure;
        make_good();
        if (check(stages, 1, &cure) != NULL)
            fail_msg("a good stage is refused: %s", check(stages, 1, &cure));
        cases[i].make();
        const char *what = check(stages, 1, &cure);
        if (what == NULL || strstr(what, cases[i].what) == NULL || strstr(cure, cases[i].cure) == NULL)
            fail_msg("%s: \"%s\" (%s) instead of \"%s\" (%s)", cases[i].name,
                     what != NULL ? what : "accepted", cure != NULL ? cure : "", cases[i].what,
                     cases[i].cure);
    }
}

static void test_a_stage_that_is_no_memory(void **unused)
{
    const struct ps_stage_ops *stages[] = {(const void *)(uintptr_t)8, NULL};
    const char *cure;
    assert_non_null(strstr(check(stages, 1, &cure), "has a stage that is no memory"));
    make_good();
    stages[0] = at_end_of_memory(&stage, sizeof stage - 8);
    assert_non_null(strstr(check(stages, 1, &cure), "has a stage good that ends too early"));
}

static void test_as_many_counters_as_there_may_be(void **unused)
{
    const struct ps_stage_ops *const stages[] = {&stage, NULL};
    const char *cure;
    make_good();
    set_counters(16);
    assert_null(check(stages, 1, &cure));
}

static void test_one_stage_twice(void **unused)
{
    const char *cure;
    make_good();
    struct ps_stage_ops other = stage;
    const struct ps_stage_ops *stages[] = {&stage, &stage, NULL};
    assert_string_equal(check(stages, 2, &cure), "has sink `good` twice");
    assert_non_null(strstr(cure, "PS_PLUGIN"));
    stages[1] = &other;
    other.name = "other";
    assert_string_equal(check(stages, 2, &cure), "has sink `org.example.Good` twice");
    other.aliases = PS_WORDS("GOOD");
    assert_string_equal(check(stages, 2, &cure), "has sink `GOOD` twice");
    other.aliases = NULL;
    assert_null(check(stages, 2, &cure));
}

/* Each stage is checked, and compared with each one before it. */
static void test_several_stages(void **unused)
{
    const char *cure;
    make_good();
    struct ps_stage_ops second = stage, third = stage;
    const struct ps_stage_ops *stages[] = {&stage, &second, &third, NULL};
    second.name = "second";
    third.name = "third";
    second.aliases = third.aliases = NULL;
    assert_null(check(stages, 3, &cure));
    third.summary = NULL;
    assert_string_equal(check(stages, 3, &cure), "has a stage third that lacks a summary");
    assert_null(check(stages, 2, &cure)); /* the third one is not looked at */
    second.summary = NULL;
    assert_string_equal(check(stages, 3, &cure), "has a stage second that lacks a summary");
    second.summary = third.summary = "a summary";
    third.name = "second";
    assert_string_equal(check(stages, 3, &cure), "has sink `second` twice");
    third.name = "good";
    assert_string_equal(check(stages, 3, &cure), "has sink `good` twice");
    third.name = "third";
    third.aliases = PS_WORDS("fourth", "second");
    assert_string_equal(check(stages, 3, &cure), "has sink `second` twice");
    third.aliases = PS_WORDS("fourth", "org.example.Good");
    assert_string_equal(check(stages, 3, &cure), "has sink `org.example.Good` twice");
    third.aliases = NULL;
    assert_null(check(stages, 3, &cure));
}

/* The name of a stage or of a key may be as long as the limit. */
static void test_the_longest_names(void **unused)
{
    char text[PS_PLUGIN_NAME_BYTES_MAX + 2];
    const struct ps_stage_ops *const stages[] = {&stage};
    for (size_t length = PS_PLUGIN_NAME_BYTES_MAX; length <= PS_PLUGIN_NAME_BYTES_MAX + 1; length++) {
        for (unsigned of_key = 0; of_key < 2; of_key++) {
            const char *cure;
            make_good();
            memset(text, 'x', length);
            text[length] = '\0';
            *(of_key ? &rows[0].key : &stage.name) = text;
            assert_int_equal(check(stages, 1, &cure) == NULL, length <= PS_PLUGIN_NAME_BYTES_MAX);
        }
    }
}

static void test_own_stages_are_good(void **unused)
{
    size_t count = 0;
    const char *cure;
    while (ps_stages[count] != NULL)
        count++;
    assert_true(count > 20);
    const char *what = check(ps_stages, count, &cure);
    if (what != NULL)
        fail_msg("%s", what);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_faults),
        cmocka_unit_test(test_a_stage_that_is_no_memory),
        cmocka_unit_test(test_as_many_counters_as_there_may_be),
        cmocka_unit_test(test_one_stage_twice),
        cmocka_unit_test(test_several_stages),
        cmocka_unit_test(test_the_longest_names),
        cmocka_unit_test(test_own_stages_are_good),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
