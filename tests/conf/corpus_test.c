/* Compares the output for every tests/conf/<name>.properties with <name>.expected: all problems, the
 * components, the summary. The first line of a file may give the command line:
 *
 *     #: -n a1 -Dkey=value -f <name>.properties -f other.properties
 *
 * (without it: -n a1 -f <name>.properties). The environment has PENSTOCK_TEST=from-environment and
 * STAGE=PROD. PENSTOCK_UPDATE=1 rewrites the expected files: review them before committing. */
#include "tests/conf/corpus.h"

#include <glob.h>
#include <unistd.h>

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

static void test_every_file_gives_the_expected_output(void **state)
{
    const char *source = getenv("PENSTOCK_SOURCE");
    assert_non_null(source);
    char directory[1024];
    snprintf(directory, sizeof directory, "%s/tests/conf", source);
    assert_int_equal(chdir(directory), 0);
    corpus_environment();
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
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_file_gives_the_expected_output)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
