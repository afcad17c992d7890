/* One of several data directories does not exist when the log is opened: its file system is not mounted, or its disk is lost. The log
 * is not opened as long as promised frames may be in it; when it is back, every frame is fed, and when somebody creates it, the
 * channel goes on without them. */
#include "stages/lib/queue/store.h"

#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/folder.h"
#include "tests/support/support.h"

#define SEGMENT_BYTES 1024U /* three frames of 200 bytes */
#define FRAMES 12U

static struct ps_log_store_settings settings;
static struct ps_segment_files files; /* the machine's, with writes of any length */
static const char *directories[2];
static char first[512], second[512], away[512], checkpoint[512];
static struct ps_err err;
static uint64_t lost;

static int set_up(void **state)
{
    assert_int_equal(ps_test_folder_setup(state), 0);
    snprintf(first, sizeof first, "%s/first", ps_test_folder());
    snprintf(second, sizeof second, "%s/mount/second", ps_test_folder());
    snprintf(away, sizeof away, "%s/away", ps_test_folder());
    snprintf(checkpoint, sizeof checkpoint, "%s/checkpoint", ps_test_folder());
    directories[0] = first;
    directories[1] = second;
    files = ps_segment_disk;
    files.open_direct = NULL;
    settings = (struct ps_log_store_settings){.data_directories = {2, directories},
                                              .state_directory = checkpoint,
                                              .segment_bytes = SEGMENT_BYTES,
                                              .files = &files};
    return 0;
}

static void *open_store(void)
{
    err = (struct ps_err){.length = 0};
    return ps_log_store.open(&settings, "channel c1", &err);
}

static void put_more(unsigned number, unsigned count)
{
    void *store = open_store();
    assert_non_null(store);
    for (unsigned end = number + count; number < end; number++) {
        char payload[200];
        uint64_t got;
        memset(payload, (int)number, sizeof payload);
        assert_int_equal(ps_log_store.append(store, payload, sizeof payload, 1, 1, &got, &err), PS_OK);
        assert_int_equal(got, number);
        assert_int_equal(ps_log_store.sync(store, &err), PS_OK);
    }
    ps_log_store.close(store);
}

static void put_all(void)
{
    put_more(1, FRAMES);
}

/* Feeds, loads and takes all frames. Returns their number. */
static unsigned take_all(void *store)
{
    struct ps_store_frame frame;
    struct ps_segment_fill fill;
    unsigned count = 0;
    while (ps_log_store.feed(store, &frame, &err) == PS_STORE_FED) {
        char payload[200];
        assert_int_equal(ps_log_store.load(&settings, &frame, payload, &err), PS_SEGMENT_READ_WHOLE);
        assert_int_equal(payload[0], (char)frame.place.number);
        ps_log_store.take(store, &frame);
        count++;
    }
    ps_log_store.fill(store, &fill);
    lost = fill.frames_lost;
    return count;
}

static void expect_refused(void)
{
    for (unsigned tries = 0; tries < 3; tries++) {
        assert_null(open_store());
        assert_non_null(strstr(err.text, second));
        assert_int_not_equal(access(second, F_OK), 0);
    }
}

static void test_comes_back(void **state)
{
    put_all();
    assert_int_equal(rename(second, away), 0);
    expect_refused();
    assert_int_equal(rename(away, second), 0);
    void *store = open_store();
    assert_non_null(store);
    assert_int_equal(take_all(store), FRAMES);
    assert_int_equal(lost, 0);
    ps_log_store.close(store);
}

static unsigned calls_left; /* the process ends at the last of these calls; 0: it does not end */

#define KILLED 9

static void count_call(void)
{
    if (calls_left > 0 && --calls_left == 0)
        _exit(KILLED);
}

static int dying_open(void *argument, const char *path, bool create)
{
    count_call();
    return ps_segment_disk.open(argument, path, create);
}

static ssize_t dying_read(void *argument, int fd, void *to, size_t length, uint64_t offset)
{
    count_call();
    return ps_segment_disk.read(argument, fd, to, length, offset);
}

static int dying_list(void *argument, const char *path, void (*name)(void *to, const char *name), void *to)
{
    count_call();
    return ps_segment_disk.list(argument, path, name, to);
}

static int dying_close(void *argument, int fd)
{
    count_call();
    return ps_segment_disk.close(argument, fd);
}

/* Opens the store in another process, which ends at this call. Returns whether it ended there. */
static bool is_killed_at(unsigned call)
{
    int status;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        calls_left = call;
        void *store = open_store();
        if (store != NULL)
            ps_log_store.close(store);
        _exit(store != NULL);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status) == KILLED;
}

static void let_it_die(void)
{
    files.open = dying_open;
    files.read = dying_read;
    files.list = dying_list;
    files.close = dying_close;
}

/* The process is killed while it finds out that the directory is needed: later processes do not open the log either. */
static void test_killed_while_it_is_away(void **state)
{
    unsigned call = 1;
    put_all();
    assert_int_equal(rename(second, away), 0);
    let_it_die();
    for (; is_killed_at(call); call++)
        expect_refused();
    assert_true(call > FRAMES / 3 / 2); /* at least one call for each file that is there */
    assert_int_equal(rename(away, second), 0);
    void *store = open_store();
    assert_non_null(store);
    assert_int_equal(take_all(store), FRAMES);
    assert_int_equal(lost, 0);
    ps_log_store.close(store);
}

/* The same when a new directory is named: at last it is made. */
static void test_killed_while_it_is_added(void **state)
{
    unsigned call = 1;
    settings.data_directories.count = 1;
    put_all();
    settings.data_directories.count = 2;
    let_it_die();
    while (is_killed_at(call))
        call++;
    assert_true(call > FRAMES / 3);
    void *store = open_store();
    assert_non_null(store);
    assert_int_equal(take_all(store), FRAMES);
    assert_int_equal(lost, 0);
    ps_log_store.close(store);
    assert_int_equal(access(second, F_OK), 0);
}

static int mounting_list(void *argument, const char *path, void (*name)(void *to, const char *name), void *to)
{
    int result = ps_segment_disk.list(argument, path, name, to);
    (void)rename(away, second);
    return result;
}

/* The directory is not needed, and comes back while the log is opened: the next try reads it. */
static void test_comes_back_meanwhile(void **state)
{
    put_all();
    void *store = open_store();
    assert_non_null(store);
    assert_int_equal(take_all(store), FRAMES);
    assert_int_equal(ps_log_store.sync(store, &err), PS_OK);
    ps_log_store.close(store);
    put_more(FRAMES + 1, 1); /* in the first directory */
    assert_int_equal(rename(second, away), 0);
    files.list = mounting_list;
    assert_null(open_store());
    assert_non_null(strstr(err.text, "second appeared"));
    store = open_store();
    assert_non_null(store);
    assert_int_equal(take_all(store), 1);
    assert_int_equal(lost, 0);
    ps_log_store.close(store);
}

/* A new data directory in which the directory of the state is made: the first try opens the log. */
static void test_has_the_state(void **state)
{
    char inside[600];
    snprintf(inside, sizeof inside, "%s/checkpoint", second);
    settings.state_directory = inside;
    assert_int_equal(mkdir(first, 0750), 0);
    put_all();
    void *store = open_store();
    assert_non_null(store);
    assert_int_equal(take_all(store), FRAMES);
    ps_log_store.close(store);
}

/* A directory that is made at last is locked like the others. */
static void test_is_locked(void **state)
{
    char other[512];
    assert_int_equal(mkdir(first, 0750), 0);
    void *store = open_store();
    assert_non_null(store);
    snprintf(other, sizeof other, "%s/other", ps_test_folder());
    for (unsigned i = 0; i < 2; i++) {
        struct ps_log_store_settings others = settings;
        others.data_directories = (struct ps_texts){1, &directories[i]};
        others.state_directory = other;
        err = (struct ps_err){.length = 0};
        assert_null(ps_log_store.open(&others, "channel c2", &err));
        assert_non_null(strstr(err.text, directories[i]));
        assert_non_null(strstr(err.text, "in use by another channel"));
    }
    ps_log_store.close(store);
}

/* All frames of the missing directory were delivered: the log is opened without it. */
static void test_is_not_needed(void **state)
{
    put_all();
    void *store = open_store();
    assert_non_null(store);
    assert_int_equal(take_all(store), FRAMES);
    assert_int_equal(ps_log_store.sync(store, &err), PS_OK);
    ps_log_store.close(store);
    put_more(FRAMES + 1, 1); /* in the first directory */
    assert_int_equal(rename(second, away), 0);
    store = open_store();
    assert_non_null(store);
    assert_int_equal(take_all(store), 1);
    assert_int_equal(lost, 0);
    ps_log_store.close(store);
    assert_int_equal(access(second, F_OK), 0);
}

/* Somebody creates the directory, because its disk is lost: the frames in it are given up. */
static void test_is_created(void **state)
{
    put_all();
    assert_int_equal(rename(second, away), 0);
    expect_refused();
    assert_int_equal(mkdir(second, 0750), 0);
    void *store = open_store();
    assert_non_null(store);
    assert_int_equal(take_all(store), FRAMES / 2);
    assert_int_equal(lost, FRAMES / 2);
    ps_log_store.close(store);
}

/* A directory that is added to those of a log with a backlog is made. */
static void test_is_added(void **state)
{
    settings.data_directories.count = 1;
    put_all();
    settings.data_directories.count = 2;
    void *store = open_store();
    assert_non_null(store);
    assert_int_equal(take_all(store), FRAMES);
    assert_int_equal(lost, 0);
    ps_log_store.close(store);
    assert_int_equal(access(second, F_OK), 0);
}

/* The newest segment is in it, alone or after another one. */
static void expect_newest_comes_back(unsigned before)
{
    put_more(1, 9); /* segments 1 to 3 */
    void *store = open_store();
    assert_non_null(store);
    assert_int_equal(take_all(store), 9);
    assert_int_equal(ps_log_store.sync(store, &err), PS_OK); /* in segment 4 */
    ps_log_store.close(store);
    if (before > 0) { /* segments 5 and 6 */
        put_more(10, 3);
        put_more(13, 3);
    }
    put_more(10 + before, 3); /* in the second directory, like all segments with odd numbers */
    assert_int_equal(rename(second, away), 0);
    expect_refused();
    assert_int_equal(rename(away, second), 0);
    store = open_store();
    assert_non_null(store);
    assert_int_equal(take_all(store), before + 3);
    assert_int_equal(lost, 0);
    ps_log_store.close(store);
}

static void test_has_the_newest(void **state)
{
    expect_newest_comes_back(6);
}

static void test_has_all(void **state)
{
    expect_newest_comes_back(0);
}

/* The free space of a directory that is there counts, although nothing is known of another one. */
static void test_space_beside_it(void **state)
{
    char text[1024] = "";
    assert_int_equal(mkdir(first, 0750), 0);
    for (unsigned swap = 0; swap < 2; swap++) {
        directories[swap] = first;
        directories[1 - swap] = second;
        settings.least_free_bytes = 1;
        assert_false(ps_log_store.crowded(&settings, text, sizeof text));
        settings.least_free_bytes = UINT64_MAX;
        assert_true(ps_log_store.crowded(&settings, text, sizeof text));
        assert_ptr_equal(strstr(text, first), text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_comes_back, set_up, ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_comes_back_meanwhile, set_up, ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_has_all, set_up, ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_has_the_newest, set_up, ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_has_the_state, set_up, ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_is_added, set_up, ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_is_created, set_up, ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_is_locked, set_up, ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_is_not_needed, set_up, ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_killed_while_it_is_added, set_up, ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_killed_while_it_is_away, set_up, ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_space_beside_it, set_up, ps_test_folder_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
