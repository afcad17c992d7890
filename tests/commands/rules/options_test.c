/* The command line of `penstock rules`: values at the edges of what is possible, lists and headers that are named several times, and the
 * operands of each subcommand. */
#include "commands/rules/rules.h"
#include "tests/support/support.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static struct ps_rules_command command;

static int setup(void **state)
{
    memset(&command, 0, sizeof command);
    return 0;
}

static int teardown(void **state)
{
    if (command.arena != NULL)
        ps_arena_destroy(command.arena);
    command.arena = NULL;
    return 0;
}

/* Parses the words, of which the first one is the subcommand. Returns -1 if they are good. What is said about wrong ones is
 * dropped. */
static int parse(const char *const *words)
{
    static char texts[16][64];
    char *argv[PS_COUNT_OF(texts) + 1] = {NULL};
    const struct ps_command_line *line = NULL;
    int count = 0;
    (void)teardown(NULL);
    command = (struct ps_rules_command){.name = words[0], .arena = ps_arena_create()};
    for (size_t i = 0; (line = ps_rules_line(i)) != NULL && strcmp(line->subcommand, words[0]) != 0; i++)
        continue;
    assert_non_null(line);
    for (; words[count] != NULL; count++) {
        assert_in_range(count, 0, PS_COUNT_OF(texts) - 1);
        snprintf(texts[count], sizeof texts[count], "%s", words[count]);
        argv[count] = texts[count];
    }
    int before = dup(2), nothing = open("/dev/null", O_WRONLY | O_CLOEXEC);
    assert_true(before >= 0 && dup2(nothing, 2) == 2);
    int code = ps_rules_command_parse(&command, line, count, argv);
    assert_int_equal(dup2(before, 2), 2);
    close(before);
    close(nothing);
    return code;
}

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})
#define IS(value, wanted) assert_true((value) >= (wanted) && (value) <= (wanted))

static void test_defaults(void **state)
{
    assert_int_equal(parse(WORDS("bench", "a.rules", "--sample", "log")), -1);
    IS(command.seconds, 2);
    assert_true(command.coverage_min < 0);
    assert_int_equal(command.compile_memory_bytes, PS_MATCHER_COMPILE_MEMORY_BYTES);
    assert_int_equal(command.compile_time_ms, PS_MATCHER_COMPILE_TIME_MS);
    assert_int_equal(command.files.count, 1);
    assert_string_equal(command.files.items[0], "a.rules");
    assert_string_equal(command.sample, "log");
    assert_false(command.json || command.strict || command.verbose || command.all);
}

static void test_numbers(void **state)
{
    static const struct {
        const char *name, *text;
        bool good;
    } rows[] = {
        {"--coverage-min", "0", true},        {"--coverage-min", "100", true},
        {"--coverage-min", "99.5", true},     {"--coverage-min", "100.1", false},
        {"--coverage-min", "-0.1", false},    {"--coverage-min", "80%", false},
        {"--coverage-min", "", false},        {"--coverage-min", "nan", false},
        {"--compile-time", "1", true},        {"--compile-time", "0.9", false},
        {"--compile-time", "1000000", true},  {"--compile-time", "1000001", false},
        {"--compile-memory", "1M", true},     {"--compile-memory", "1024k", true},
        {"--compile-memory", "1023k", false}, {"--compile-memory", "2G", true},
        {"--compile-memory", "x", false},     {"--compile-memory", "", false},
    };
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        if (parse(WORDS("test", "a.rules", rows[i].name, rows[i].text)) != (rows[i].good ? -1 : 2))
            fail_msg("%s %s", rows[i].name, rows[i].text);
    }
    assert_int_equal(parse(WORDS("test", "a.rules", "--coverage-min", "99.5", "--compile-time", "1.5",
                                 "--compile-memory", "3M")),
                     -1);
    IS(command.coverage_min, 99.5);
    assert_int_equal(command.compile_time_ms, 1500);
    assert_int_equal(command.compile_memory_bytes, 3 << 20);
}

/* An option that is named several times adds to its list; the other list stays as it is. */
static void test_lists(void **state)
{
    assert_int_equal(parse(WORDS("check", "a.rules", "--channels", "c1,c2", "--channels", "c3")), -1);
    assert_int_equal(command.channels.count, 3);
    assert_string_equal(command.channels.items[0], "c1");
    assert_string_equal(command.channels.items[1], "c2");
    assert_string_equal(command.channels.items[2], "c3");
    assert_int_equal(command.agent_files.count, 0);
    assert_int_equal(parse(WORDS("check", "a.rules", "-n", "a1", "-f", "x,y", "--source", "r1")), -1);
    assert_int_equal(command.agent_files.count, 2);
    assert_string_equal(command.agent_files.items[1], "y");
    assert_int_equal(command.channels.count, 0);
    assert_string_equal(command.agent, "a1");
    assert_string_equal(command.source, "r1");
}

static void test_headers(void **state)
{
    static const char *const wrong[] = {"", "=", "=v", "name"};
    assert_int_equal(
        parse(WORDS("explain", "a.rules", "--header", "a=1", "--header", "b=", "--header", "c=x=y")), -1);
    static const char *const wanted[][2] = {{"a", "1"}, {"b", ""}, {"c", "x=y"}};
    assert_int_equal(command.headers.count, PS_COUNT_OF(wanted));
    for (size_t i = 0; i < PS_COUNT_OF(wanted); i++) {
        assert_string_equal(command.headers.items[i].key, wanted[i][0]);
        assert_string_equal(command.headers.items[i].value, wanted[i][1]);
    }
    for (size_t i = 0; i < PS_COUNT_OF(wrong); i++)
        assert_int_equal(parse(WORDS("explain", "a.rules", "--header", wrong[i])), 2);
}

/* Each subcommand takes its own options and its own number of operands. */
static void test_operands(void **state)
{
    static const struct {
        const char *words[6];
        int code;
    } rows[] = {
        {{"check", NULL}, 2},
        {{"check", "a", NULL}, -1},
        {{"check", "a", "b", NULL}, 2},
        {{"bench", "a", "b", NULL}, 2},
        {{"test", NULL}, 2},
        {{"test", "a", "b", "c", NULL}, -1},
        {{"explain", NULL}, 2},
        {{"explain", "a", NULL}, -1},
        {{"explain", "a", "text", NULL}, -1},
        {{"explain", "a", "two", "words", NULL}, 2},
        {{"check", "-n", "a1", NULL}, -1},
        {{"check", "a", "--strict", "-j", NULL}, -1},
        {{"test", "a", "--strict", NULL}, 2},
        {{"explain", "a", "--all", "--why", "r", NULL}, -1},
        {{"check", "a", "--all", NULL}, 2},
        {{"check", "a", "--coverage-min", "5", NULL}, 2},
        {{"test", "a", "--header", "a=1", NULL}, 2},
        {{"bench", "a", "--header", "a=1", NULL}, -1},
    };
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        if (parse(rows[i].words) != rows[i].code)
            fail_msg("row %zu: %s %s", i, rows[i].words[0], rows[i].words[1]);
    }
    assert_null(ps_rules_line(4));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {TEST(test_defaults), TEST(test_numbers), TEST(test_lists),
                                       TEST(test_headers), TEST(test_operands)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
