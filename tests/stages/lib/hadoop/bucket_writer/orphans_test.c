/* Files that an agent left in use when it was killed, on the local disk, and in a file system in memory that says who writes them. */
#include "tests/support/bucket_files.h"
#include "tests/support/folder.h"
#include "tests/support/hash_tables.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define ORPHANS (PS_COUNTER_extra + 4)
#define ENDLESS "hdfs.rollInterval", "0", "hdfs.rollSize", "0", "hdfs.rollCount", "0"
#define LEFT "1699999999999" /* the number of a file that was begun before the start */

extern const struct ps_stage_ops ps_sink_hdfs;

static char url[400];

static int begin(void **state)
{
    return ps_test_folder_setup(state);
}

static void start(struct ps_test_stage *stage, const char *below, const char *prefix, const char *orphans)
{
    snprintf(url, sizeof url, "file://%s%s", ps_test_folder(), below);
    ps_test_stage_start(stage, &ps_sink_hdfs,
                        PS_KEYS("hdfs.path", url, "hdfs.fileType", "DataStream", "hdfs.filePrefix", prefix,
                                "penstock.orphans", orphans, ENDLESS));
}

static void pass(struct ps_test_stage *stage, uint64_t ms)
{
    ps_test_stage_pass_ms(stage, ms);
    for (int i = 0; i < 100; i++)
        (void)ps_test_sink_tick(stage);
}

static void leave(const char *name)
{
    ps_test_folder_append(name, "old\n", 4);
}

static void make(const char *name)
{
    assert_int_equal(mkdir(ps_test_folder_path(name), 0777), 0);
}

static bool is_there(const char *name)
{
    return access(ps_test_folder_path(name), F_OK) == 0;
}

/* No more events come: the directory of the last hour is not written to again. */
static void test_without_an_event(void **unused)
{
    struct ps_test_stage stage;
    make("10");
    make("11");
    make("11/a");
    make("11/a/b");
    leave("10/f." LEFT ".tmp");
    leave("11/f." LEFT ".tmp");
    leave("11/a/f." LEFT ".tmp");
    leave("f." LEFT ".tmp");
    start(&stage, "/%H", "f", "recover");
    pass(&stage, 1);
    assert_true(is_there("10/f." LEFT) && is_there("11/f." LEFT));
    assert_true(is_there("f." LEFT));             /* where an earlier hdfs.path may have led */
    assert_true(is_there("11/a/f." LEFT ".tmp")); /* deeper than hdfs.path leads */
    assert_int_equal(ps_test_stage_counter(&stage, ORPHANS), 3);
    assert_null(ps_test_sink_recall(&stage));
    ps_test_stage_fini(&stage);
}

static void test_reported(void **unused)
{
    struct ps_test_stage stage;
    make("10");
    leave("10/f." LEFT ".tmp");
    start(&stage, "/%H", "f", "report");
    pass(&stage, 1);
    assert_true(is_there("10/f." LEFT ".tmp"));
    assert_int_equal(ps_test_stage_counter(&stage, ORPHANS), 1);
    ps_test_stage_fini(&stage);
}

/* A header's value may have slashes; a prefix with an escape is any text. */
static void test_escapes(void **unused)
{
    struct ps_test_stage stage;
    make("x");
    make("x/y");
    leave("x/y/web-1.2." LEFT ".tmp");
    leave("x/y/web-." LEFT ".tmp");
    leave("x/y/we." LEFT ".tmp");
    leave("x/y/web-1" LEFT ".tmp");
    start(&stage, "/%{h}", "web-%{n}", "recover");
    pass(&stage, 1);
    assert_true(is_there("x/y/web-1.2." LEFT) && is_there("x/y/web-." LEFT));
    assert_true(is_there("x/y/we." LEFT ".tmp") && is_there("x/y/web-1" LEFT ".tmp"));
    ps_test_stage_fini(&stage);
}

/* Files of another sink with the same prefix or suffix, and files that do not have their names in use. */
static void test_names_that_look_alike(void **unused)
{
    static const char *const others[] = {
        "fa." LEFT ".tmp", "f.a." LEFT ".tmp", "f-2." LEFT ".tmp", "af." LEFT ".tmp",
        "F." LEFT ".tmp",  "f" LEFT ".tmp",    "f." LEFT ".tmp2",  "f." LEFT "x.tmp",
        "f." LEFT ".",     "f.." LEFT ".tmp",  "f." LEFT ".a.tmp", "_f." LEFT ".tmp",
        "f.tmp",           "f..tmp",           "f.-1.tmp",
    };
    struct ps_test_stage stage;
    for (size_t i = 0; i < PS_COUNT_OF(others); i++)
        leave(others[i]);
    make("f.1.tmp");
    leave("f." LEFT ".tmp");
    start(&stage, "", "f", "recover");
    pass(&stage, 1);
    assert_true(is_there("f." LEFT));
    for (size_t i = 0; i < PS_COUNT_OF(others); i++) {
        if (!is_there(others[i]))
            fail_msg("%s was taken", others[i]);
    }
    assert_true(is_there("f.1.tmp"));
    assert_int_equal(ps_test_stage_counter(&stage, ORPHANS), 1);
    ps_test_stage_fini(&stage);
}

/* Another agent still writes the file. */
static void test_locked(void **unused)
{
    struct ps_test_stage stage;
    leave("f." LEFT ".tmp");
    int fd = open(ps_test_folder_path("f." LEFT ".tmp"), O_WRONLY);
    assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
    start(&stage, "", "f", "recover");
    for (int i = 0; i < 12; i++)
        pass(&stage, 10000);
    assert_true(is_there("f." LEFT ".tmp"));
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_extra + 1), 0); /* the file is released */
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_ConnectionFailedCount), 0);
    close(fd);
    ps_test_stage_fini(&stage);
}

/* The writer of the file is killed a moment after this start. */
static void test_unlocked_later(void **unused)
{
    struct ps_test_stage stage;
    leave("f." LEFT ".tmp");
    int fd = open(ps_test_folder_path("f." LEFT ".tmp"), O_WRONLY);
    assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
    start(&stage, "", "f", "recover");
    pass(&stage, 20000);
    close(fd);
    pass(&stage, 10000);
    assert_true(is_there("f." LEFT));
    ps_test_stage_fini(&stage);
}

/* Another sink of the same directory is at work. */
static void test_two_sinks(void **unused)
{
    struct ps_test_stage one, two;
    start(&one, "", "f", "recover");
    struct ps_lease *lease = PS_LEASE(&one, PS_BODY("1"));
    assert_int_equal(ps_test_sink_work(&one, &lease), PS_TAKEN);
    pass(&one, 1);
    assert_true(is_there("f.1700000000001.tmp"));
    start(&two, "", "f", "recover");
    pass(&two, 20000); /* starts with this clock */
    for (int i = 0; i < 12; i++)
        pass(&two, 10000);
    assert_int_equal(ps_test_stage_counter(&two, ORPHANS), 1);
    assert_true(is_there("f.1700000000001.tmp"));
    assert_null(ps_test_sink_recall(&one));
    assert_true(is_there("f.1700000000001"));
    assert_int_equal(ps_test_stage_counter(&one, PS_COUNTER_ConnectionFailedCount), 0);
    ps_test_stage_fini(&one);
    ps_test_stage_fini(&two);
}

/* A directory that is looked at long after the start: files that were begun since then have a writer, this sink or another one. A time
 * to come is of a run whose clock was an hour ahead. */
static void test_begun_since_the_start(void **unused)
{
    struct ps_test_stage stage;
    start(&stage, "/%{h}", "f", "recover");
    pass(&stage, 1);
    pass(&stage, 60000);
    make("a");
    leave("a/f." LEFT ".tmp");
    leave("a/f.1700000000001.tmp");
    leave("a/f.1700000030000.tmp");
    leave("a/f.1700003600000.tmp");
    struct ps_lease *lease = PS_LEASE(&stage, PS_EVENT("1", "h", "a"));
    assert_int_equal(ps_test_sink_work(&stage, &lease), PS_TAKEN);
    for (int i = 0; i < 12; i++)
        pass(&stage, 10000);
    assert_true(is_there("a/f." LEFT));
    assert_true(is_there("a/f.1700000000001.tmp") && is_there("a/f.1700000030000.tmp"));
    assert_true(is_there("a/f.1700003600000"));
    assert_int_equal(ps_test_stage_counter(&stage, ORPHANS), 2);
    assert_null(ps_test_sink_recall(&stage));
    ps_test_stage_fini(&stage);
}

/* The first event has no header, and goes to the directory with which the scan begins: it goes on below. */
static void test_an_event_where_the_scan_begins(void **unused)
{
    struct ps_test_stage stage;
    make("x");
    leave("x/f." LEFT ".tmp");
    leave("f." LEFT ".tmp");
    start(&stage, "/%{h}", "f", "recover");
    struct ps_lease *lease = PS_LEASE(&stage, PS_BODY("1"));
    assert_int_equal(ps_test_sink_work(&stage, &lease), PS_TAKEN);
    pass(&stage, 1);
    pass(&stage, 1000);
    assert_true(is_there("f." LEFT));
    assert_true(is_there("x/f." LEFT));
    assert_int_equal(ps_test_stage_counter(&stage, ORPHANS), 2);
    assert_null(ps_test_sink_recall(&stage));
    ps_test_stage_fini(&stage);
}

/* Thousands are recovered little by little. */
static void test_many(void **unused)
{
    struct ps_test_stage stage;
    char name[64];
    for (unsigned i = 0; i < 1000; i++) {
        snprintf(name, sizeof name, "f.%u.tmp", 1000 + i);
        leave(name);
    }
    start(&stage, "", "f", "recover");
    for (int i = 0; i < 20; i++)
        pass(&stage, 1000);
    for (unsigned i = 0; i < 1000; i++) {
        snprintf(name, sizeof name, "f.%u", 1000 + i);
        assert_true(is_there(name));
    }
    assert_int_equal(ps_test_stage_counter(&stage, ORPHANS), 1000);
    ps_test_stage_fini(&stage);
}

/* The namenode does not answer yet. */
static void test_no_answer(void **unused)
{
    ps_test_files_setup(NULL);
    ps_test_bucket_setup(NULL);
    ps_test_files_fail(PS_TEST_LIST, 0, 2, PS_FILE_UNAVAILABLE);
    ps_test_bucket_start();
    ps_test_bucket_pass(1);
    ps_test_bucket_pass(10000);
    assert_int_equal(ps_test_files_count(PS_TEST_LIST), 2);
    ps_test_bucket_pass(10000);
    assert_int_equal(ps_test_files_count(PS_TEST_LIST), 3);
    ps_test_bucket_pass(100000);
    assert_int_equal(ps_test_files_count(PS_TEST_LIST), 3);
    ps_test_bucket_finish();
}

static struct ps_bucket_writer *the_sink(void)
{
    return *(struct ps_bucket_writer **)ps_test_bucket_stage.state;
}

/* Returns whether a file that is begun in the directory makes the sink list it. */
static bool lists_directory(const char *directory)
{
    char text[PS_TEST_COLLIDING_ROOM + 2];
    unsigned before = ps_test_files_count(PS_TEST_LIST);
    int length = snprintf(text, sizeof text, "%s/f", directory);
    const struct ps_bucket_name name = {text, (uint32_t)length, (uint32_t)length - 2};
    ps_bucket_writer_look(the_sink(), &name);
    return ps_test_files_count(PS_TEST_LIST) > before;
}

static bool lists(unsigned number)
{
    char directory[32];
    snprintf(directory, sizeof directory, "/d/%u", number);
    return lists_directory(directory);
}

/* The namenode answers neither the scan nor the first events' directory: both are listed when it answers. */
static void test_no_answer_for_a_bucket(void **unused)
{
    ps_test_files_setup(NULL);
    ps_test_bucket_setup(NULL);
    ps_test_files_fail(PS_TEST_LIST, 0, 2, PS_FILE_TIMEOUT);
    ps_test_files_fail(PS_TEST_CREATE, 0, 1, PS_FILE_TIMEOUT);
    ps_test_bucket_start();
    TAKE(PS_BODY("one"));
    for (unsigned i = 0; i < 6; i++)
        ps_test_bucket_pass(10000);
    assert_int_equal(ps_test_files_count(PS_TEST_LIST), 3);
    ps_test_bucket_finish();
}

/* A directory whose listing had no answer is listed with a file that is begun 10 s later; one that was listed, or does not exist, is not. */
static void test_a_bucket_is_listed_again(void **unused)
{
    ps_test_files_setup(NULL);
    ps_test_bucket_setup(NULL);
    ps_test_bucket_start();
    ps_test_bucket_pass(1);
    ps_test_files_fail(PS_TEST_LIST, 0, 2, PS_FILE_UNAVAILABLE);
    for (unsigned i = 0; i < 3; i++) {
        assert_true(lists(7));
        ps_test_bucket_pass(1);
        assert_false(lists(7));
        ps_test_bucket_pass(10000);
    }
    assert_false(lists(7));
    ps_test_files_fail(PS_TEST_LIST, 0, 1, PS_FILE_DENIED);
    assert_true(lists(8));
    ps_test_bucket_pass(1);
    assert_false(lists(8));
    ps_test_bucket_finish();
}

/* The scan comes to a directory while that is listed for its first event, and gets no answer. */
static void test_a_bucket_before_the_scan(void **unused)
{
    ps_test_files_setup(NULL);
    ps_test_bucket_setup(NULL);
    ps_test_files_hold(PS_TEST_LIST, "/d");
    ps_test_bucket_start();
    TAKE(PS_BODY("one"));
    for (unsigned i = 0; i < 3; i++)
        ps_test_bucket_pass(1000);
    assert_int_equal(ps_test_files_count(PS_TEST_LIST), 1);
    ps_test_files_fail(PS_TEST_LIST, 0, 1, PS_FILE_UNAVAILABLE);
    ps_test_files_hold(PS_TEST_LIST, NULL);
    ps_test_bucket_pass(1);
    for (unsigned i = 0; i < 6; i++)
        ps_test_bucket_pass(10000);
    assert_in_range(ps_test_files_count(PS_TEST_LIST), 2, 3);
    ps_test_bucket_finish();
}

/* A namenode that is down for hours at the start. */
static void test_no_answer_for_hours(void **unused)
{
    enum { TRIES = 1500 };
    ps_test_files_setup(NULL);
    ps_test_bucket_setup(NULL);
    ps_test_files_fail(PS_TEST_LIST, 0, TRIES, PS_FILE_UNAVAILABLE);
    ps_test_bucket_start();
    for (unsigned i = 0; i < TRIES + 100; i++)
        ps_test_bucket_pass(10000);
    assert_int_equal(ps_test_files_count(PS_TEST_LIST), TRIES + 1);
    ps_test_bucket_finish();
}

/* Files go to more and more directories: each new one is listed, and those that were listed first are forgotten; one that is being
 * listed is not. */
static void test_many_directories(void **unused)
{
    ps_test_bucket_setup(NULL);
    ps_test_bucket_start();
    ps_test_bucket_pass(1);
    ps_test_files_hold(PS_TEST_LIST, "/d/0");
    for (unsigned i = 0; i < PS_BUCKET_LOOKS_MAX + 500; i++) {
        if (!lists(i))
            fail_msg("directory %u is not listed", i);
        if (i % 100 == 0)
            ps_test_bucket_pass(1);
    }
    ps_test_bucket_pass(1);
    assert_false(lists(0));
    assert_true(lists(1));
    assert_false(lists(1000));
    assert_false(lists(PS_BUCKET_LOOKS_MAX + 499));
    ps_test_files_hold(PS_TEST_LIST, NULL);
    ps_test_bucket_pass(1);
    ps_test_bucket_finish();
}

/* Thousands of directories whose names a client has chosen to have one hash are in many chains, and the list of all is not walked. */
static void test_directories_of_one_hash(void **unused)
{
    char name[PS_TEST_COLLIDING_ROOM];
    ps_test_bucket_setup(NULL);
    ps_test_bucket_start();
    ps_test_bucket_pass(1);
    struct ps_bucket_orphans *orphans = &the_sink()->orphans;
    for (unsigned i = 0; i < PS_TEST_COLLIDING_NAMES; i++) {
        (void)ps_test_colliding_name(name, "/d/", i);
        assert_true(lists_directory(name));
        if (i % 100 == 0)
            ps_test_bucket_pass(1);
    }
    ps_test_bucket_pass(1);
    assert_in_range(PS_TEST_CHAINS_IN_USE(orphans->look_chains, PS_BUCKET_NAME_CHAINS), 900,
                    PS_BUCKET_NAME_CHAINS);
    const struct ps_bucket_looks looks = orphans->looks;
    orphans->looks.tqh_first = ps_test_nowhere();
    for (unsigned i = 0; i < PS_TEST_COLLIDING_NAMES; i++) {
        (void)ps_test_colliding_name(name, "/d/", i);
        assert_false(lists_directory(name));
    }
    orphans->looks = looks;
    ps_test_bucket_finish();
}

/* More files than hash chains: a client has chosen the names of their directories so that the paths have one hash. A third of the names is
 * removed. */
static void test_names(void **unused)
{
    enum { FILES = 3000 };
    struct ps_bucket_writer *sink = calloc(1, sizeof *sink);
    struct ps_bucket_file *files = calloc(FILES, sizeof *files);
    assert_true(sink != NULL && files != NULL);
    for (unsigned i = 0; i < FILES; i++) {
        char directory[PS_TEST_COLLIDING_ROOM];
        (void)ps_test_colliding_name(directory, "/d/", i);
        files[i].sink = sink;
        assert_true(asprintf(&files[i].path, "%s/f." LEFT, directory) > 0);
        assert_false(ps_bucket_name_is_known(sink, files[i].path));
        ps_bucket_name_add(&files[i]);
    }
    assert_in_range(PS_TEST_CHAINS_IN_USE(sink->names, PS_BUCKET_NAME_CHAINS), 900, PS_BUCKET_NAME_CHAINS);
    for (unsigned i = 0; i < FILES; i += 3)
        ps_bucket_name_remove(&files[i]);
    for (unsigned i = 0; i < FILES; i++) {
        assert_int_equal(ps_bucket_name_is_known(sink, files[i].path), i % 3 != 0);
        ps_bucket_name_remove(&files[i]); /* a second removal does nothing */
        free(files[i].path);
    }
    free(files);
    free(sink);
}

int main(void)
{
#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, begin, ps_test_folder_teardown)
    const struct CMUnitTest tests[] = {
        IN_FOLDER(test_without_an_event),
        IN_FOLDER(test_reported),
        IN_FOLDER(test_escapes),
        IN_FOLDER(test_names_that_look_alike),
        IN_FOLDER(test_locked),
        IN_FOLDER(test_unlocked_later),
        IN_FOLDER(test_begun_since_the_start),
        IN_FOLDER(test_two_sinks),
        IN_FOLDER(test_an_event_where_the_scan_begins),
        IN_FOLDER(test_many),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_no_answer),
        cmocka_unit_test(test_no_answer_for_a_bucket),
        cmocka_unit_test(test_a_bucket_is_listed_again),
        cmocka_unit_test(test_a_bucket_before_the_scan),
        cmocka_unit_test(test_no_answer_for_hours),
        cmocka_unit_test(test_many_directories),
        cmocka_unit_test(test_directories_of_one_hash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
