/* What `penstock check` asks of a spooling directory: one from which files are renamed or deleted must be written, one whose files
 * are marked in a tracker directory only be read. */
#include "tests/support/folder.h"
#include "tests/support/probed.h"
#include "tests/support/stage.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static struct ps_test_probed directory, tracker; /* what was said of spoolDir, and of trackerDir */

static void note(const struct ps_probe *probe, enum ps_probed result, const char *key, const char *what,
                 const char *cause, const char *cure)
{
    bool first = directory.count == 0;
    const struct ps_probe to = {.argument = first ? &directory : &tracker};
    ps_test_probed_note(&to, result, key, what, cause, cure);
}

/* Only binds the keys: the stage is not opened, so that it makes no directory. */
static void probe_of(const char *policy, const char *deletes)
{
    struct ps_test_stage stage;
    const struct ps_probe asked = {.local = true, .tried = note};
    directory = tracker = (struct ps_test_probed){.count = 0};
    ps_test_stage_init(&stage, &ps_source_spooldir);
    assert_int_equal(ps_test_stage_bind(&stage, PS_KEYS("spoolDir", ps_test_folder_path("spool"),
                                                        "trackingPolicy", policy, "deletePolicy", deletes,
                                                        "trackerDir", ps_test_folder_path("tracker"))),
                     PS_OK);
    ps_source_spooldir.probe(stage.plan, &stage.context, &asked);
    ps_test_stage_fini(&stage);
}

static void probe(const char *policy)
{
    probe_of(policy, "never");
}

static const char *const renames[] = {"rename", "RENAME"}, *const marks[] = {"tracker_dir", "TRACKER_DIR",
                                                                             "Tracker_Dir"};

static void test_writes_only_to_rename(void **state)
{
    assert_int_equal(mkdir(ps_test_folder_path("spool"), 0700), 0);
    for (size_t i = 0; i < PS_COUNT_OF(renames); i++) {
        probe(renames[i]);
        ps_test_probed_expect(&directory, PS_PROBED_OK, "", "");
        assert_non_null(strstr(directory.what, "spool: can be read and written"));
        assert_int_equal(tracker.count, 1);
    }
    for (size_t i = 0; i < PS_COUNT_OF(marks); i++) {
        probe(marks[i]);
        ps_test_probed_expect(&directory, PS_PROBED_OK, "", "");
        assert_non_null(strstr(directory.what, "spool: can be read"));
        assert_null(strstr(directory.what, "written"));
        assert_int_equal(tracker.count, 1);
        probe_of(marks[i], "Immediate");
        assert_non_null(strstr(directory.what, "spool: can be read and written"));
    }
}

/* The same by what the system permits. */
static void test_directory_that_cannot_be_written(void **state)
{
    if (geteuid() == 0)
        ps_test_skip("root may write to every directory");
    assert_int_equal(mkdir(ps_test_folder_path("spool"), 0700), 0);
    assert_int_equal(chmod(ps_test_folder_path("spool"), 0500), 0);
    for (size_t i = 0; i < PS_COUNT_OF(marks); i++) {
        probe(marks[i]);
        ps_test_probed_expect(&directory, PS_PROBED_OK, "", "");
    }
    for (size_t i = 0; i < PS_COUNT_OF(renames); i++) {
        probe(renames[i]);
        ps_test_probed_expect(&directory, PS_PROBED_FAILED, "Permission denied",
                              "trackingPolicy = tracker_dir");
        assert_int_equal(tracker.count, 0);
    }
    assert_int_equal(chmod(ps_test_folder_path("spool"), 0700), 0);
}

/* Nothing is said of a tracker directory if the spooling directory is missing, because it may be below. */
static void test_directory_that_is_missing(void **state)
{
    probe("rename");
    ps_test_probed_expect(&directory, PS_PROBED_FAILED, "No such file or directory", "make the directory");
    assert_string_equal(directory.key, "spoolDir");
    assert_int_equal(directory.count, 1);
    assert_int_equal(tracker.count, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, ps_test_folder_setup, ps_test_folder_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_writes_only_to_rename),
        TEST(test_directory_that_cannot_be_written),
        TEST(test_directory_that_is_missing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
