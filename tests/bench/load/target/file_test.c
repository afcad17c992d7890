/* Target file: appending, rotation, and a full disk. */
#include "bench/load/targets.h"
#include "tests/support/fake_lane.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct ps_test_event_size size = {80, 200};
static char folder[64], path[128];
static struct ps_lane lane;

static int begin(void **state)
{
    strcpy(folder, "/tmp/penstock-test-XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/log", folder);
    lane = (struct ps_lane){0};
    return 0;
}

static int end(void **state)
{
    char name[512];
    DIR *directory = opendir(folder);
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        snprintf(name, sizeof name, "%s/%s", folder, entry->d_name);
        unlink(name);
    }
    closedir(directory);
    return rmdir(folder);
}

static void open_lane(const char *keys)
{
    char url[256];
    snprintf(url, sizeof url, "file://%s%s", path, keys);
    ps_test_lane_open(&lane, &ps_target_file, url);
}

/* Reads PATH[.number]: its events must be first, first + 1, ..; returns the sequence after the last. 0 bytes
 * or no file: first. */
static uint64_t check_file(unsigned number, uint64_t first, uint64_t *bytes)
{
    char name[256], line[512], wanted[512];
    struct stat status;
    snprintf(name, sizeof name, number > 0 ? "%s.%u" : "%s", path, number); /* NOLINT: of this file */
    *bytes = 0;
    FILE *file = fopen(name, "r");
    if (file == NULL)
        return first;
    assert_int_equal(fstat(fileno(file), &status), 0);
    *bytes = (uint64_t)status.st_size;
    while (fgets(line, sizeof line, file) != NULL) {
        uint32_t length = ps_test_lane_event(first, size, PS_FRAMING_NEWLINE, wanted);
        wanted[length] = '\n';
        wanted[length + 1] = '\0';
        assert_string_equal(line, wanted);
        first++;
    }
    fclose(file);
    return first;
}

static bool exists(unsigned number)
{
    char name[256];
    snprintf(name, sizeof name, "%s.%u", path, number);
    return access(name, F_OK) == 0;
}

static void test_appends(void **state)
{
    uint64_t bytes;
    open_lane("");
    ps_test_lane_turn(&lane, 0);
    assert_true(lane.up);
    assert_true(ps_test_lane_send(&lane, 5000, 300, size, PS_TEST_PATIENCE_MS));
    assert_int_equal(lane.completed, 5000);
    assert_true(ps_test_lane_finish(&lane, PS_TEST_PATIENCE_MS));
    ps_test_lane_close(&lane);
    assert_int_equal(check_file(0, 0, &bytes), 5000);
    assert_false(exists(1));
    /* Another run appends to the file. */
    open_lane("?fsync=true");
    assert_true(ps_test_lane_send(&lane, 1, 1, size, PS_TEST_PATIENCE_MS));
    ps_test_lane_close(&lane);
    uint64_t more;
    FILE *file = fopen(path, "r");
    fseek(file, 0, SEEK_END);
    more = (uint64_t)ftell(file);
    fclose(file);
    assert_in_range(more, bytes + size.low, bytes + size.high);
}

static void rotates(const char *keys, uint64_t limit)
{
    uint64_t bytes, next = 0;
    open_lane(keys);
    assert_true(ps_test_lane_send(&lane, 2000, 170, size, PS_TEST_PATIENCE_MS));
    assert_int_equal(lane.completed, 2000);
    ps_test_lane_close(&lane);
    for (unsigned number = 40; number-- > 0;) {
        next = check_file(number, next, &bytes);
        assert_true(bytes <= limit);
        if (number > 0 && exists(number + 1))
            assert_true(bytes > limit - size.high);
    }
    assert_int_equal(next, 2000);
}

static void test_rotates_by_rename(void **state)
{
    rotates("?rotate=rename&size=10KiB&keep=40", 10240);
    assert_true(exists(20));
}

static void test_rotates_by_copy(void **state)
{
    int fd = open(path, O_CREAT | O_RDONLY, 0644);
    struct stat before, after;
    fstat(fd, &before);
    rotates("?rotate=copytruncate&size=10KiB&keep=40", 10240);
    assert_int_equal(stat(path, &after), 0);
    assert_int_equal(before.st_ino, after.st_ino); /* the same file throughout */
    assert_true(exists(20));
    close(fd);
}

static void test_keeps_so_many(void **state)
{
    open_lane("?rotate=rename&size=5KiB&keep=3&fsync=true");
    assert_true(ps_test_lane_send(&lane, 1000, 100, size, PS_TEST_PATIENCE_MS));
    ps_test_lane_close(&lane);
    assert_true(exists(3));
    assert_false(exists(4));
}

/* A tailing reader that keeps its descriptor sees every line of the renamed file to its end. */
static void test_a_reader_may_keep_the_renamed_file(void **state)
{
    char text[65536];
    open_lane("?rotate=rename&size=20KiB");
    assert_true(ps_test_lane_send(&lane, 10, 10, size, PS_TEST_PATIENCE_MS));
    int fd = open(path, O_RDONLY);
    assert_true(ps_test_lane_send(&lane, 500, 10, size, PS_TEST_PATIENCE_MS));
    ssize_t length = read(fd, text, sizeof text);
    assert_in_range(length, 20480 - size.high, 20480);
    assert_int_equal(text[length - 1], '\n');
    close(fd);
    ps_test_lane_close(&lane);
}

static void test_an_event_larger_than_a_file(void **state)
{
    uint64_t bytes, next = 0;
    open_lane("?rotate=rename&size=10&keep=100");
    assert_true(ps_test_lane_send(&lane, 50, 7, size, PS_TEST_PATIENCE_MS));
    ps_test_lane_close(&lane);
    for (unsigned number = 60; number-- > 0;)
        next = check_file(number, next, &bytes);
    assert_int_equal(next, 50); /* one in each */
}

static bool is_down(void *argument)
{
    return lane.downs > 0 && !lane.up;
}

static void test_a_full_disk_is_an_outage(void **state)
{
    ps_test_lane_open(&lane, &ps_target_file, "file:///dev/full");
    ps_test_lane_give(&lane, 10, size);
    assert_true(ps_test_lane_run(&lane, PS_TEST_PATIENCE_MS, is_down, NULL));
    assert_non_null(strstr(lane.reason, "No space left"));
    assert_int_equal(lane.completed, 0);
    assert_false(lane.ops->finish(lane.state, 0));
    ps_test_lane_close(&lane);
}

/* Writing stops within a line and continues there when there is room again. */
static void test_goes_on_within_a_line(void **state)
{
    struct rlimit limit, small;
    uint64_t bytes;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    small = limit;
    small.rlim_cur = 10001;
    open_lane("");
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    ps_test_lane_give(&lane, 200, size);
    assert_true(ps_test_lane_run(&lane, PS_TEST_PATIENCE_MS, is_down, NULL));
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    assert_in_range(lane.completed, 10001 / size.high - 1, 10001 / size.low);
    assert_non_null(strstr(lane.reason, "File too large"));
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_size, 10001);
    assert_true(ps_test_lane_run(&lane, PS_TEST_PATIENCE_MS, NULL, NULL));
    assert_true(lane.up);
    ps_test_lane_close(&lane);
    assert_int_equal(check_file(0, 0, &bytes), 200);
}

static void test_nowhere_to_write(void **state)
{
    char name[256];
    snprintf(name, sizeof name, "file://%s/missing/log?rotate=rename", folder);
    ps_test_lane_open(&lane, &ps_target_file, name);
    ps_test_lane_give(&lane, 10, size);
    assert_true(ps_test_lane_run(&lane, PS_TEST_PATIENCE_MS, is_down, NULL));
    assert_non_null(strstr(lane.reason, "No such file"));
    snprintf(name, sizeof name, "%s/missing", folder);
    assert_int_equal(mkdir(name, 0755), 0);
    assert_true(ps_test_lane_run(&lane, PS_TEST_PATIENCE_MS, NULL, NULL));
    assert_int_equal(lane.completed, 10);
    assert_true(lane.up);
    assert_true(lane.failures_max > 0);
    ps_test_lane_close(&lane);
    snprintf(name, sizeof name, "%s/missing/log", folder);
    assert_int_equal(unlink(name), 0);
    snprintf(name, sizeof name, "%s/missing", folder);
    assert_int_equal(rmdir(name), 0);
}

/* A success ends the series of failures: the wait after the next one is as long as after the first. */
static void test_failures_in_a_row(void **state)
{
    struct rlimit limit, small;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    small = limit;
    open_lane("");
    for (unsigned outage = 1; outage <= 3; outage++) {
        struct stat status;
        small.rlim_cur = stat(path, &status) == 0 ? (rlim_t)status.st_size : 0;
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
        ps_test_lane_give(&lane, 10, size);
        for (int i = 0; i < 1000 && lane.downs < outage; i++)
            ps_test_lane_turn(&lane, 1);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
        assert_int_equal(lane.downs, outage);
        assert_true(ps_test_lane_run(&lane, PS_TEST_PATIENCE_MS, NULL, NULL));
        assert_true(lane.up);
    }
    assert_int_equal(lane.failures_max, 1);
    ps_test_lane_close(&lane);
}

static void test_urls_that_cannot_be(void **state)
{
    ps_test_lane_refused(&ps_target_file, "file://tmp/log", "three slashes");
    ps_test_lane_refused(&ps_target_file, "file://", "file:///PATH");
    ps_test_lane_refused(&ps_target_file, "file:///tmp/x?rotate=daily", "copytruncate");
    ps_test_lane_refused(&ps_target_file, "file:///tmp/x?size=0", "size");
    ps_test_lane_refused(&ps_target_file, "file:///tmp/x?keep=0", "keep");
    ps_test_lane_refused(&ps_target_file, "file:///tmp/x?kepe=3", "keep");
    ps_test_lane_refused(&ps_target_file, "file:///dev/null?rotate=rename", "not a regular file");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_appends, begin, end),
        cmocka_unit_test_setup_teardown(test_rotates_by_rename, begin, end),
        cmocka_unit_test_setup_teardown(test_rotates_by_copy, begin, end),
        cmocka_unit_test_setup_teardown(test_keeps_so_many, begin, end),
        cmocka_unit_test_setup_teardown(test_a_reader_may_keep_the_renamed_file, begin, end),
        cmocka_unit_test_setup_teardown(test_an_event_larger_than_a_file, begin, end),
        cmocka_unit_test_setup_teardown(test_a_full_disk_is_an_outage, begin, end),
        cmocka_unit_test_setup_teardown(test_goes_on_within_a_line, begin, end),
        cmocka_unit_test_setup_teardown(test_nowhere_to_write, begin, end),
        cmocka_unit_test_setup_teardown(test_failures_in_a_row, begin, end),
        cmocka_unit_test(test_urls_that_cannot_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
