/* The probes of a reload and of `penstock check --probe`: directories, and the remaining time. */
#include "tests/support/support.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/probe.h"

struct outcome {
    enum ps_probed result;
    char key[64], text[512];
};

static void on_tried(const struct ps_probe *probe, enum ps_probed result, const char *key, const char *what,
                     const char *cause, const char *cure)
{
    struct outcome *outcome = probe->argument;
    outcome->result = result;
    snprintf(outcome->key, sizeof outcome->key, "%s", key != NULL ? key : "");
    snprintf(outcome->text, sizeof outcome->text, "%s: %s; %s", what, cause != NULL ? cause : "",
             cure != NULL ? cure : "");
}

static struct outcome directory_tried(const char *path, bool local)
{
    struct outcome outcome = {.text = ""};
    const struct ps_probe probe = {
        .component = "sink k1", .local = local, .tried = on_tried, .argument = &outcome};
    ps_probe_directory(&probe, "dir", path);
    return outcome;
}

static void test_directories(void **state)
{
    char folder[] = "/tmp/probe_test.XXXXXX", path[64], expected[256];
    assert_non_null(mkdtemp(folder));
    for (int local = 0; local < 2; local++) {
        struct outcome outcome = directory_tried(folder, local);
        assert_int_equal(outcome.result, PS_PROBED_OK);
        snprintf(path, sizeof path, "%s/none", folder);
        outcome = directory_tried(path, local);
        snprintf(expected, sizeof expected,
                 "dir: directory %s: No such file or directory; create it, or set another directory", path);
        assert_int_equal(outcome.result, PS_PROBED_FAILED);
        assert_string_equal(outcome.key, "dir");
        assert_string_equal(outcome.text, expected);
        outcome = directory_tried("/dev/null", local);
        assert_int_equal(outcome.result, PS_PROBED_FAILED);
        assert_string_equal(outcome.text, "dir: directory /dev/null: Not a directory; set a directory");
        if (geteuid() != 0) { /* root may write there */
            assert_int_equal(chmod(folder, 0555), 0);
            outcome = directory_tried(folder, local);
            assert_int_equal(chmod(folder, 0755), 0);
            assert_int_equal(outcome.result, PS_PROBED_FAILED);
            assert_non_null(strstr(outcome.text, ": Permission denied; let this user write there"));
        }
    }
    assert_int_equal(rmdir(folder), 0);
}

/* A reload on a full disk is not a mistake of the configuration. */
static void test_room(void **state)
{
    static const char full[] = "/proc"; /* has no blocks at all */
    struct statvfs system;
    if (faccessat(AT_FDCWD, full, W_OK, AT_EACCESS) != 0 || statvfs(full, &system) != 0 ||
        system.f_bavail != 0)
        ps_test_skip("no directory without room that this user may write");
    struct outcome outcome = directory_tried(full, false);
    assert_int_equal(outcome.result, PS_PROBED_FAILED);
    assert_non_null(strstr(outcome.text, "are free, and at least 64 MiB are needed"));
    assert_int_equal(directory_tried(full, true).result, PS_PROBED_OK);
}

/* A component must leave some room: `check` reports that there is less, with and without --probe. A reload does
 * not. */
static void test_room_that_must_be_left(void **state)
{
    static const struct {
        bool local, files_only;
    } looks[] = {{.local = false}, {.local = true, .files_only = true}, {.local = true}};
    for (size_t i = 0; i < PS_COUNT_OF(looks); i++) {
        struct outcome outcome = {.result = PS_PROBED_OK, .text = ""};
        const struct ps_probe probe = {.local = looks[i].local,
                                       .files_only = looks[i].files_only,
                                       .tried = on_tried,
                                       .argument = &outcome};
        ps_probe_room(&probe, "least", "/tmp/none/deeper", 1, "free space");
        assert_string_equal(outcome.text, "");
        ps_probe_room(&probe, "least", "/tmp/none/deeper", UINT64_MAX, "free space");
        bool reload = looks[i].local && !looks[i].files_only;
        assert_int_equal(outcome.result, reload ? PS_PROBED_OK : PS_PROBED_FAILED);
        assert_string_equal(outcome.key, reload ? "" : "least");
        assert_true(reload || strstr(outcome.text, "; free space") != NULL);
    }
}

static void test_file_systems_of_the_kernel(void **state)
{
    if (access("/proc/self", F_OK) != 0)
        ps_test_skip("no /proc");
    struct outcome outcome = {.text = ""};
    const struct ps_probe probe = {.local = true, .tried = on_tried, .argument = &outcome};
    ps_probe_directory_to_make(&probe, "dir", "/proc/none/deeper");
    assert_int_equal(outcome.result, PS_PROBED_FAILED);
    assert_non_null(strstr(outcome.text, "dir: directory /proc/none/deeper: it cannot be made"));
}

/* What need not be there yet: a directory whose parents are made too, one of which only the last part is made, and a file whose directory is made. Each
 * failure has the key, and the path that is to blame. */
static void test_what_is_made(void **state)
{
    typedef void probe_function(const struct ps_probe *probe, const char *key, const char *path);
    static const struct {
        probe_function *probe;
        const char *path, *reason; /* reason NULL: it can be made */
    } rows[] = {
        {ps_probe_directory_to_make, "", NULL},
        {ps_probe_directory_to_make, "/a", NULL},
        {ps_probe_directory_to_make, "/a/b/c", NULL},
        {ps_probe_directory_to_make, "/file", "/file: Not a directory"},
        {ps_probe_directory_to_make, "/file/a/b", "/file: Not a directory"},
        {ps_probe_directory_to_make_last, "", NULL},
        {ps_probe_directory_to_make_last, "/a", NULL},
        {ps_probe_directory_to_make_last, "/a///", NULL},
        {ps_probe_directory_to_make_last, "/a/b", "/a: No such file or directory"},
        {ps_probe_directory_to_make_last, "/file", "/file: Not a directory"},
        {ps_probe_file_to_make, "/a", NULL},
        {ps_probe_file_to_make, "/file", NULL},
        {ps_probe_file_to_make, "/a/b/c", NULL},
        {ps_probe_file_to_make, "", ": it is not a regular file; name a file"},
        {ps_probe_file_to_make, "/file/a", "/file: Not a directory"},
    };
    char folder[] = "/tmp/probe_test.XXXXXX", path[128];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/file", folder);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    close(fd);
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        struct outcome outcome = {.text = ""};
        const struct ps_probe probe = {.component = "sink k1", .tried = on_tried, .argument = &outcome};
        snprintf(path, sizeof path, "%s%s", folder, rows[i].path);
        rows[i].probe(&probe, "key", path);
        assert_int_equal(outcome.result, rows[i].reason == NULL ? PS_PROBED_OK : PS_PROBED_FAILED);
        if (rows[i].reason != NULL) {
            snprintf(path, sizeof path, "%s%s", folder, rows[i].reason);
            if (strcmp(outcome.key, "key") != 0 || strncmp(outcome.text, "key: ", 5) != 0 ||
                strstr(outcome.text, path) == NULL)
                fail_msg("row %zu: %s, not %s", i, outcome.text, path);
        }
    }
    struct outcome outcome = {.text = ""};
    const struct ps_probe probe = {.component = "sink k1", .tried = on_tried, .argument = &outcome};
    ps_probe_file_to_make(&probe, "key", "/proc/none/file");
    assert_non_null(strstr(outcome.text, "key: directory /proc/none: it cannot be made"));
    snprintf(path, sizeof path, "%s/file", folder);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(folder), 0); /* nothing was made */
}

static void test_files_to_read(void **state)
{
    char path[] = "/tmp/probe_test.XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(ps_file_unreadable(path), 0);
    if (geteuid() != 0) { /* root may read it */
        assert_int_equal(chmod(path, 0), 0);
        assert_int_equal(ps_file_unreadable(path), EACCES);
    }
    assert_int_equal(unlink(path), 0);
    assert_int_equal(ps_file_unreadable(path), ENOENT);
    assert_int_equal(ps_file_unreadable("/tmp"), EISDIR);
}

static void test_time_left(void **state)
{
    uint64_t now_ns = ps_clock_now().mono_ns;
    struct ps_probe probe = {.timeout_ms = 5000};
    assert_int_equal(ps_probe_left_ms(&probe), 5000);
    probe.until_ns = now_ns + 60 * PS_NS_PER_S;
    assert_int_equal(ps_probe_left_ms(&probe), 5000);
    probe.timeout_ms = 100000;
    assert_in_range(ps_probe_left_ms(&probe), 30000, 60000);
    probe.until_ns = now_ns;
    assert_int_equal(ps_probe_left_ms(&probe), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_directories),
        cmocka_unit_test(test_room),
        cmocka_unit_test(test_room_that_must_be_left),
        cmocka_unit_test(test_file_systems_of_the_kernel),
        cmocka_unit_test(test_what_is_made),
        cmocka_unit_test(test_files_to_read),
        cmocka_unit_test(test_time_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
