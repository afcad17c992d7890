/* Compares the output for every tests/conf/<name>.properties with <name>.expected: all problems, the
 * components, the summary. The first line of a file may give the command line:
 *
 *     #: -n a1 -Dkey=value -f <name>.properties -f other.properties
 *
 * (without it: -n a1 -f <name>.properties). The environment has PENSTOCK_TEST=from-environment and
 * STAGE=PROD. PENSTOCK_UPDATE=1 rewrites the expected files: review them before committing. */
#include "tests/support/support.h"

#include "conf/command/command.h"
#include "conf/conf.h"
#include "conf/file.h"
#include "conf/report.h"
#include "conf/text.h"
#include "tests/conf/fake_stages.h"

#include <glob.h>
#include <stdio.h>
#include <unistd.h>

/* Returns the command line of a file, after the subcommand. */
static struct ps_texts arguments(struct ps_arena *arena, const char *name)
{
    struct ps_file file;
    struct ps_err err;
    assert_int_equal(ps_file_read(name, 1 << 20, &file, &err), PS_OK);
    const char *line = ps_arena_format(arena, "-n a1 -f %s", name);
    if (strncmp(file.bytes, "#: ", 3) == 0)
        line = ps_arena_copy(arena, file.bytes + 3, strcspn(file.bytes + 3, "\r\n"));
    ps_file_free(&file);
    return ps_text_split_blanks(arena, line);
}

/* Returns the output of check for a file, without the engine's part. */
static char *outcome(const char *name)
{
    struct ps_arena *arena = ps_arena_create();
    struct ps_texts words = arguments(arena, name);
    char **argv = ps_arena_alloc(arena, (words.count + 2) * sizeof *argv);
    argv[0] = ps_arena_text(arena, "check");
    for (size_t i = 0; i < words.count; i++)
        argv[i + 1] = ps_arena_text(arena, words.items[i]);
    char *text = NULL;
    size_t length = 0;
    FILE *memory = open_memstream(&text, &length);
    assert_non_null(memory);
    struct ps_command command;
    struct ps_err err = {.length = 0};
    struct ps_conf *conf = NULL;
    if (ps_command_parse(&command, (int)words.count + 1, argv, &err) != PS_OK) {
        fprintf(memory, "command line: %s\n", err.text);
    } else {
        command.dry_run = true;
        enum ps_status status = ps_conf_load(&command, fake_table(), &conf);
        assert_int_equal(status == PS_OK, conf->problems.errors == 0);
        ps_report_problems(memory, conf, false);
        if (status == PS_OK)
            ps_report_agent(memory, conf);
        ps_report_summary(memory, conf);
    }
    fclose(memory);
    ps_conf_destroy(conf);
    ps_command_fini(&command);
    ps_arena_destroy(arena);
    return text;
}

static bool expected_matches(const char *name)
{
    char expected[512];
    struct ps_file file = {0};
    snprintf(expected, sizeof expected, "%.*s.expected", (int)(strlen(name) - strlen(".properties")), name);
    char *got = outcome(name);
    bool same = ps_file_read(expected, 1 << 20, &file, NULL) == PS_OK && strcmp(file.bytes, got) == 0;
    if (!same && getenv("PENSTOCK_UPDATE") != NULL) {
        FILE *out = fopen(expected, "w");
        assert_non_null(out);
        fputs(got, out);
        assert_int_equal(fclose(out), 0);
        same = true;
    }
    if (!same)
        printf("---- %s: expected\n%s---- got\n%s----\n", name,
               file.bytes != NULL ? file.bytes : "(no file)\n", got);
    ps_file_free(&file);
    free(got);
    return same;
}

static void every_file_gives_the_expected_output(void **state)
{
    const char *source = getenv("PENSTOCK_SOURCE");
    assert_non_null(source);
    char directory[1024];
    snprintf(directory, sizeof directory, "%s/tests/conf", source);
    assert_int_equal(chdir(directory), 0);
    setenv("PENSTOCK_TEST", "from-environment", 1);
    setenv("STAGE", "PROD", 1);
    unsetenv("PENSTOCK_NOT_SET");
    unsetenv("FLUME_JAVA_OPTS");
    glob_t files;
    assert_int_equal(glob("[0-9]*.properties", 0, NULL, &files), 0);
    size_t wrong = 0;
    for (size_t i = 0; i < files.gl_pathc; i++)
        wrong += !expected_matches(files.gl_pathv[i]);
    printf("%zu files, %zu differ\n", (size_t)files.gl_pathc, wrong);
    assert_true(files.gl_pathc >= 60);
    globfree(&files);
    assert_int_equal(wrong, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_file_gives_the_expected_output)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
