/* Loads rules from files: bad files, includes, files cut off at any byte, very many problems. */
#include "tests/support/support.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "regex/rules/rules.h"
#include "tests/support/folder.h"

struct fixture {
    struct ps_rules_problems problems;
    struct ps_rules *rules;
};

static struct fixture *fixture_new(void)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    fixture->problems.arena = ps_arena_create();
    return fixture;
}

static struct fixture *load(const char *path)
{
    struct fixture *fixture = fixture_new();
    fixture->rules = ps_rules_load(path, &fixture->problems);
    assert_int_equal(fixture->rules == NULL, fixture->problems.errors > 0);
    return fixture;
}

static struct fixture *parse(const char *name, const char *text, size_t length)
{
    struct fixture *fixture = fixture_new();
    fixture->rules = ps_rules_parse(name, text, length, &fixture->problems);
    assert_int_equal(fixture->rules == NULL, fixture->problems.errors > 0);
    return fixture;
}

static void fixture_free(struct fixture *fixture)
{
    ps_rules_destroy(fixture->rules);
    ps_arena_destroy(fixture->problems.arena);
    free(fixture);
}

static const char *write_file(const char *name, const char *text)
{
    ps_test_folder_append(name, text, strlen(text));
    return ps_test_folder_path(name);
}

/* Compares the first problem, without the folder. */
static void expect_first(struct fixture *fixture, const char *expected)
{
    assert_in_range(fixture->problems.count, 1, 1000);
    const char *text = ps_rules_problem_text(fixture->problems.arena, &fixture->problems.items[0]);
    size_t folder = strlen(ps_test_folder());
    if (strncmp(text, ps_test_folder(), folder) == 0)
        text += folder + 1;
    assert_string_equal(text, expected);
}

static void expect_bytes(const char *text, size_t length, const char *expected)
{
    struct fixture *fixture = parse("f", text, length);
    assert_null(fixture->rules);
    expect_first(fixture, expected);
    fixture_free(fixture);
}

static void test_bytes(void **state)
{
    expect_bytes("", 0, "f: error: the file is empty");
    expect_bytes("\xef\xbb\xbf", 3, "f: error: the file is empty");
    expect_bytes("  \n\n", 4, "f: error: there is nothing in this file");
    expect_bytes("# a\n# b", 7, "f: error: there is nothing in this file");
    expect_bytes("mode all\nrule \0", 15, "f:2:6: error: a NUL byte; in a string write \\x00");
    expect_bytes("# \xc3\xa4\xc3\xa4 \xe9\n", 8,
                 "f:1:6: error: this is not UTF-8; save the file as UTF-8; other bytes are written \\xHH in "
                 "strings");
    expect_bytes("\xff\xfer\0u\0", 6,
                 "f:1:1: error: this is not UTF-8; it looks like UTF-16: save it as UTF-8");
}

static void test_not_a_file(void **state)
{
    struct fixture *fixture = load("/nonexistent/x.rules");
    expect_first(fixture, "/nonexistent/x.rules: error: cannot read /nonexistent/x.rules: No such file or "
                          "directory");
    assert_int_equal(fixture->problems.file_count, 1);
    assert_string_equal(fixture->problems.files[0].name, "/nonexistent/x.rules");
    assert_true(fixture->problems.files[0].hash == 0);
    fixture_free(fixture);

    fixture = load("/dev/zero");
    expect_first(fixture, "/dev/zero: error: cannot read /dev/zero: it is not a regular file");
    fixture_free(fixture);

    const char *fifo = ps_test_folder_path("fifo");
    assert_int_equal(mkfifo(fifo, 0600), 0);
    fixture = load(fifo);
    assert_non_null(strstr(fixture->problems.items[0].what, "it is not a regular file"));
    fixture_free(fixture);

    fixture = load(ps_test_folder());
    assert_non_null(strstr(fixture->problems.items[0].what, "it is a directory"));
    fixture_free(fixture);
}

static void test_too_long(void **state)
{
    const char *path = write_file("long.rules", "rule a { when true drop }\n");
    assert_int_equal(truncate(path, (off_t)PS_RULES_FILE_BYTES_MAX + 1), 0);
    struct fixture *fixture = load(path);
    assert_non_null(strstr(fixture->problems.items[0].what, "64 MiB"));
    assert_true(fixture->problems.files[0].hash == 0);
    fixture_free(fixture);
    assert_int_equal(truncate(path, 100), 0); /* now it contains NUL bytes */
    fixture = load(path);
    expect_first(fixture, "long.rules:2:1: error: a NUL byte; in a string write \\x00");
    assert_true(fixture->problems.files[0].hash != 0);
    fixture_free(fixture);
}

static void test_includes(void **state)
{
    char folder[512];
    snprintf(folder, sizeof folder, "%s/d", ps_test_folder());
    assert_int_equal(mkdir(folder, 0700), 0);
    const char *first =
        "mode all\nrule a { when true tag a }\ninclude \"d/b.rules\"\nrule c { when true tag c }\n";
    char path[512];
    snprintf(path, sizeof path, "%s", write_file("a.rules", first));
    write_file("d/b.rules", "rule b { when body ~ /b/ tag b }\ninclude \"e.rules\"\n");
    write_file("d/e.rules", "# only a comment\n");
    struct fixture *fixture = load(path);
    assert_non_null(fixture->rules);
    assert_int_equal(fixture->rules->rule_count, 3);
    assert_string_equal(fixture->rules->rules[1].name, "b"); /* in place of the include */
    assert_string_equal(fixture->rules->rules[2].name, "c");
    assert_int_equal(fixture->rules->file_count, 3);
    assert_string_equal(fixture->rules->files[0], path);
    assert_non_null(strstr(fixture->rules->files[2], "/d/e.rules"));
    assert_int_equal(fixture->problems.file_count, 3);
    assert_true(fixture->problems.files[0].hash == ps_rules_hash(PS_RULES_HASH, first, strlen(first)));
    fixture_free(fixture);
    /* Includes of a text in memory are relative to its name. */
    static const char ring[] = "include \"d/b.rules\"\ninclude \"a.rules\"\n";
    fixture = parse(path, ring, sizeof ring - 1);
    assert_null(fixture->rules);
    assert_int_equal(fixture->problems.errors, 1);
    assert_non_null(strstr(fixture->problems.items[0].what, "files include each other in a cycle"));
    fixture_free(fixture);
}

/* A missing include must also be watched, although there are no rules. */
static void test_missing_include(void **state)
{
    char path[512];
    snprintf(path, sizeof path, "%s",
             write_file("m.rules", "rule a { when true tag a }\ninclude \"later.rules\"\n"));
    struct fixture *fixture = load(path);
    assert_null(fixture->rules);
    assert_int_equal(fixture->problems.errors, 1);
    assert_int_equal(fixture->problems.items[0].place.line, 2);
    assert_int_equal(fixture->problems.items[0].place.column, 9);
    assert_int_equal(fixture->problems.file_count, 2);
    assert_non_null(strstr(fixture->problems.files[1].name, "/later.rules"));
    assert_true(fixture->problems.files[1].hash == 0);
    fixture_free(fixture);
    write_file("later.rules", "rule b { when true tag b }\n");
    fixture = load(path);
    assert_non_null(fixture->rules);
    fixture_free(fixture);
}

static void test_depth(void **state)
{
    char name[64], text[64];
    for (int i = 0; i < 20; i++) {
        snprintf(name, sizeof name, "deep%d.rules", i);
        snprintf(text, sizeof text, "include \"deep%d.rules\"\n", i + 1);
        write_file(name, text);
    }
    struct fixture *fixture = load(ps_test_folder_path("deep0.rules"));
    assert_null(fixture->rules);
    assert_int_equal(fixture->problems.errors, 1);
    assert_string_equal(fixture->problems.items[0].what, "includes are nested more than 16 deep");
    assert_non_null(strstr(fixture->problems.items[0].place.file, "deep16.rules"));
    fixture_free(fixture);
}

static bool ends_with(const char *text, size_t length, const char *end)
{
    size_t end_length = strlen(end);
    return length >= end_length && memcmp(text + length - end_length, end, end_length) == 0;
}

/* A file cut off after any byte is either refused, or was cut between two statements. */
static void test_half_written(void **state)
{
    static const char whole[] =
        "mode first\n"
        "default c1, c2\n"
        "rule a priority 5 {\n"
        "  when body ~ m|x\\|(?<g>y)|i and not (header.\"a b\" in (\"1\", 2) or size < 5)\n"
        "  set header.t = \"${g}\\n\"\n"
        "  limit 5/s per header.x burst 7 else route c3\n"
        "}\n"
        "test \"t\" {\n"
        "  body \"a\"\n"
        "  expect rules a\n"
        "}\n";
    char *text = strdup(whole);
    size_t good = 0;
    for (size_t length = 0; length < sizeof whole; length++) {
        struct fixture *fixture = parse("t", text, length);
        bool between = ends_with(text, length, "\n}") || ends_with(text, length, "\n}\n");
        bool plain = length >= 10 && length <= 26; /* `mode` and `default` have no end marker */
        if (fixture->rules != NULL) {
            good++;
            assert_true(between || plain);
        } else {
            assert_false(between);
        }
        fixture_free(fixture);
    }
    assert_in_range(good, 4, 20);
    free(text);
}

static void test_many_problems(void **state)
{
    char *text = NULL;
    size_t length = 0;
    FILE *to = open_memstream(&text, &length);
    for (int i = 0; i < 500; i++)
        fprintf(to, "rule r%d { when header.x == \"%d\" }\n", i, i);
    fputs("rule last { drop }\n", to);
    fclose(to);
    struct fixture *fixture = parse("t", text, length);
    assert_null(fixture->rules);
    assert_int_equal(fixture->problems.count, 501);
    assert_int_equal(fixture->problems.warnings, 500);
    assert_int_equal(fixture->problems.errors, 1);
    assert_int_equal(ps_rules_problems_kept(&fixture->problems), PS_RULES_PROBLEMS_MAX);
    /* The one error is kept, however many warnings there are. */
    const struct ps_rules_problem *last = &fixture->problems.items[PS_RULES_PROBLEMS_MAX - 1];
    assert_int_equal(last->severity, PS_RULES_ERROR);
    assert_int_equal(last->place.line, 501);
    fixture_free(fixture);
    free(text);
}

static void test_too_many_rules(void **state)
{
    char *text = NULL;
    size_t length = 0;
    FILE *to = open_memstream(&text, &length);
    for (unsigned i = 0; i < PS_RULES_MAX + 10; i++)
        fprintf(to, "rule r%u { when not true drop }\n", i);
    fclose(to);
    struct fixture *fixture = parse("t", text, length);
    assert_null(fixture->rules);
    assert_int_equal(fixture->problems.errors, 1);
    assert_string_equal(fixture->problems.items[0].what, "more than 100000 rules");
    fixture_free(fixture);
    free(text);
}

/* Control characters of a hostile file must not reach the terminal. */
static void test_clean_messages(void **state)
{
    struct fixture *fixture = parse("a\x1b[31mb", "ru\x1b[31mle\n", 10);
    for (size_t i = 0; i < ps_rules_problems_kept(&fixture->problems); i++) {
        const char *line = ps_rules_problem_text(fixture->problems.arena, &fixture->problems.items[i]);
        assert_null(strchr(line, '\x1b'));
    }
    assert_in_range(fixture->problems.errors, 1, 5);
    fixture_free(fixture);
}

static void test_file_descriptors(void **state)
{
    const char *path = write_file("fd.rules", "include \"none.rules\"\nrule a { when true tag a }\n");
    int before = dup(0);
    for (int i = 0; i < 50; i++)
        fixture_free(load(path));
    int after = dup(0);
    assert_int_equal(after, before + 1);
    close(before);
    close(after);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_not_a_file),
        cmocka_unit_test(test_too_long),
        cmocka_unit_test(test_includes),
        cmocka_unit_test(test_missing_include),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_half_written),
        cmocka_unit_test(test_many_problems),
        cmocka_unit_test(test_too_many_rules),
        cmocka_unit_test(test_clean_messages),
        cmocka_unit_test(test_file_descriptors),
    };
    return cmocka_run_group_tests(tests, ps_test_folder_setup, ps_test_folder_teardown);
}
