/* The problems of bad rules files: compares tests/regex/data/rules/<name>.rules with <name>.problems, line
 * for line. With PENSTOCK_GOLDEN=write the .problems files are written instead. The reason for a bad expression
 * belongs to regex/java/java.c and is left out here; its place is compared. */
#include "tests/support/source_tree.h"
#include "tests/support/support.h"

#include <glob.h>
#include <stdio.h>
#include <unistd.h>

#include "regex/rules/rules.h"

/* Writes a line; "f:1:2: error: bad expression: ..." ends after its colon. */
static void line_write(FILE *to, const char *line)
{
    static const char *const cuts[] = {"bad expression:", "bad replacement:"};
    for (size_t i = 0; i < PS_COUNT_OF(cuts); i++) {
        const char *found = strstr(line, cuts[i]);
        if (found != NULL) {
            fprintf(to, "%.*s\n", (int)(found - line + (long)strlen(cuts[i])), line);
            return;
        }
    }
    fprintf(to, "%s\n", line);
}

static char *problems_of(const char *path)
{
    struct ps_rules_problems *problems = calloc(1, sizeof *problems);
    char *text = NULL;
    size_t length = 0;
    FILE *to = open_memstream(&text, &length);
    problems->arena = ps_arena_create();
    struct ps_rules *rules = ps_rules_load(path, problems);
    for (size_t i = 0; i < ps_rules_problems_kept(problems); i++)
        line_write(to, ps_rules_problem_text(problems->arena, &problems->items[i]));
    fprintf(to, "%zu errors, %zu warnings\n", problems->errors, problems->warnings);
    assert_int_equal(rules == NULL, problems->errors > 0);
    fclose(to);
    ps_rules_destroy(rules);
    ps_arena_destroy(problems->arena);
    free(problems);
    return text;
}

static char *file_text(const char *path)
{
    char *text = calloc(1, 65536);
    FILE *file = fopen(path, "r");
    if (file != NULL) {
        assert_in_range(fread(text, 1, 65535, file), 0, 65534);
        fclose(file);
    }
    return text;
}

static void expect_file(const char *path)
{
    char golden[256];
    snprintf(golden, sizeof golden, "%.*s.problems", (int)(strlen(path) - strlen(".rules")), path);
    char *found = problems_of(path);
    if (getenv("PENSTOCK_GOLDEN") != NULL) {
        FILE *file = fopen(golden, "w");
        assert_non_null(file);
        fputs(found, file);
        fclose(file);
    }
    char *expected = file_text(golden);
    if (strcmp(found, expected) != 0)
        print_message("%s:\n%s", path, found);
    assert_string_equal(found, expected);
    free(expected);
    free(found);
}

static void test_corpus(void **state)
{
    glob_t files;
    assert_int_equal(chdir(ps_test_source_path("tests/regex/data/rules")), 0);
    assert_int_equal(glob("*.rules", 0, NULL, &files), 0);
    assert_in_range(files.gl_pathc, 9, 1000);
    for (size_t i = 0; i < files.gl_pathc; i++)
        expect_file(files.gl_pathv[i]);
    globfree(&files);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_corpus)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
