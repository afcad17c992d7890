/* The parser of command lines: spellings, bounds, subcommands, and what it refuses. */
#include "commands/line/line.h"
#include "tests/support/support.h"

struct wish {
    bool json, force;
    const char *file, *pace;
    uint64_t count, wait_ns, bytes;
    uint32_t threads;
    double rate, share;
    char taken[32];
};

static enum ps_status take(void *target, const struct ps_command_row *row, const char *text,
                           struct ps_err *err)
{
    struct wish *wish = target;
    if (text[0] == '!')
        return ps_err_set(err, "--%s: no %s", row->name, text);
    snprintf(wish->taken, sizeof wish->taken, "%s", text);
    return PS_OK;
}

#define PS_ROW_TARGET struct wish

static const struct ps_command_row rows[] = {
    {"json", 'j', NULL, PS_ROW_FLAG(json), .help = "objects"},
    {"force", 'f', NULL, PS_ROW_FLAG(force), .help = "always", .only = "repair import"},
    {"file", 'i', "FILE", PS_ROW_TEXT(file), .help = "what is read"},
    {"pace", 0, "spin|sleep", PS_ROW_WORD(pace), .help = "how to wait"},
    {"count", 'n', "N", PS_ROW_COUNT(count), .help = "how many events", .min = 1, .max = 1000},
    {"wait", 0, "D", PS_ROW_DURATION(wait_ns), .help = "how long", .min = 1000000, .max = 60000000000},
    {"bytes", 0, "BYTES", PS_ROW_BYTES(bytes), .help = "memory", .min = 1},
    {"threads", 0, "N", PS_ROW_COUNT32(threads), .help = "how many run", .min = 1},
    {"rate", 0, "R", PS_ROW_RATE(rate), .help = "in a second"},
    {"share", 0, "SHARE", PS_ROW_SHARE(share), .help = "a part"},
    {"taken", 't', "X", PS_ROW_TAKE(take), .help = "anything"},
    {"old", 'o', "X", PS_ROW_IGNORED, .help = "not used"},
    {NULL, 0, "note", PS_ROW_NOTE, .help = "a line of the help"},
    {.help = NULL},
};
static struct ps_command_line line = {.name = "test", .usage = "", .rows = rows, .ends = ""};

static struct wish wish;
static char *words[32];
static int operands;

/* Parses words separated by blanks. */
static int parse(const char *text)
{
    static char copy[256];
    char *rest = copy;
    int count = 1;
    snprintf(copy, sizeof copy, "%s", text);
    words[0] = copy + sizeof copy - 1;
    for (char *word; (word = strsep(&rest, " ")) != NULL;)
        if (word[0] != '\0')
            words[count++] = word;
    wish = (struct wish){.count = 7};
    return ps_command_line_parse(&line, &wish, count, words, &operands);
}

static void test_stores_every_kind(void **state)
{
    assert_int_equal(parse("--json --file a --pace sleep --count 12 --wait 1s --bytes 64KiB --threads 3 "
                           "--rate 50k --share 10% --taken x --old y"),
                     -1);
    assert_true(wish.json);
    assert_false(wish.force);
    assert_string_equal(wish.file, "a");
    assert_string_equal(wish.pace, "sleep");
    assert_int_equal(wish.count, 12);
    assert_int_equal(wish.wait_ns, 1000000000);
    assert_int_equal(wish.bytes, 65536);
    assert_int_equal(wish.threads, 3);
    assert_true(wish.rate == 50000 && wish.share > 0.0999 && wish.share < 0.1001);
    assert_string_equal(wish.taken, "x");
    assert_int_equal(operands, 0);
}

static void test_takes_the_spellings_of_getopt(void **state)
{
    static const char *const spellings[] = {"-n 5 -j", "-n5 -j", "-jn5", "--count=5 --json", "--cou 5 --js"};
    for (size_t i = 0; i < PS_COUNT_OF(spellings); i++) {
        assert_int_equal(parse(spellings[i]), -1);
        assert_true(wish.json && wish.count == 5);
    }
    assert_int_equal(parse("--file="), -1);
    assert_string_equal(wish.file, "");
    assert_int_equal(parse("--file --json"), -1); /* as getopt_long: the next word is the value */
    assert_string_equal(wish.file, "--json");
}

static void test_moves_operands_to_the_front(void **state)
{
    assert_int_equal(parse("a -j b - --count 3 -- --json -n"), -1);
    assert_int_equal(operands, 5);
    const char *const expected[] = {"a", "b", "-", "--json", "-n"};
    for (int i = 0; i < operands; i++)
        assert_string_equal(words[1 + i], expected[i]);
    assert_int_equal(wish.count, 3);
}

static void test_refuses(void **state)
{
    static const char *const bad[] = {
        "--jsan",    "--count 0",   "--count 1001", "--count x",    "--count",      "-n",
        "-x",        "--json=1",    "--pace slep",  "--wait 61s",   "--wait 999us", "--wait x",
        "--bytes 0", "--threads 0", "--rate 0",     "--share 101%", "--taken !",    "--threads 4294967296",
        "--t 1", /* threads or taken */
    };
    for (size_t i = 0; i < PS_COUNT_OF(bad); i++)
        assert_int_equal(parse(bad[i]), 2);
    assert_int_equal(parse("--count 1000 --wait 60s --pace spin --threads 4294967295"), -1);
    assert_int_equal(parse("--wait 1ms --count 1 --bytes 1"), -1);
}

/* The first operand is the subcommand, or the line names it: then the options of other subcommands are unknown. */
static void test_knows_options_of_subcommands(void **state)
{
    assert_int_equal(parse("repair -f"), -1);
    assert_int_equal(parse("-f import"), -1);
    assert_int_equal(parse("--force inspect"), 2);
    assert_int_equal(parse("rep --force"), 2);
    assert_int_equal(parse("inspect --json"), -1);
    line.subcommand = "inspect";
    assert_int_equal(parse("--force x"), 2);
    assert_int_equal(parse("-f"), 2);
    line.subcommand = "import";
    assert_int_equal(parse("--force x"), -1);
    line.subcommand = NULL;
}

static void test_prints_every_option_once(void **state)
{
    char *text = NULL;
    size_t bytes;
    FILE *to = open_memstream(&text, &bytes);
    ps_command_line_usage(to, &line);
    fclose(to);
    for (const struct ps_command_row *row = rows; row->help != NULL; row++) {
        const char *found = strstr(text, row->help);
        assert_non_null(found);
        assert_null(strstr(found + 1, row->help));
    }
    assert_non_null(strstr(text, "  -n, --count N"));
    assert_non_null(strstr(text, "      --pace spin|sleep"));
    assert_non_null(strstr(text, "  -h, --help"));
    free(text);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stores_every_kind),
        cmocka_unit_test(test_takes_the_spellings_of_getopt),
        cmocka_unit_test(test_moves_operands_to_the_front),
        cmocka_unit_test(test_refuses),
        cmocka_unit_test(test_knows_options_of_subcommands),
        cmocka_unit_test(test_prints_every_option_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
