/* Looks at directories: what becomes of files that are new, renamed, gone, or in another directory, when the next look is due, and which group and
 * which directory a file belongs to. */
#include "stages/lib/tail/tailer/internal.h"
#include "stages/lib/tail/trouble.h"
#include "tests/support/folder.h"
#include "tests/support/support.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define HOUR_NS (3600 * PS_NS_PER_S)

static struct ps_counters counters;
static struct ps_port port = {.component = "source t1", .counters = &counters, .epoll_fd = -1, .wake_fd = -1};
static char folders[2][512];
static struct ps_tail_group groups[3];
static struct ps_tail_settings settings;
static struct ps_tailer *tailer;

static int wake_fd; /* written for each job that has run */
static bool cache;
static bool no_inotify; /* only the test decides about looks */

/* Replaces libc's function. */
int inotify_init1(int flags)
{
    if (!no_inotify)
        return (int)syscall(SYS_inotify_init1, flags);
    errno = EMFILE;
    return -1;
}

static void start(size_t group_count)
{
    struct ps_err err = {.length = 0};
    settings = (struct ps_tail_settings){.groups = groups,
                                         .group_count = group_count,
                                         .position_path = "/nowhere/positions.json",
                                         .trouble = ps_tail_trouble_create(),
                                         .cache = cache,
                                         .poll_ns = HOUR_NS};
    counters = (struct ps_counters){{0}};
    tailer = ps_must_alloc(1, sizeof *tailer, "a test");
    tailer->settings = &settings;
    tailer->port = &port;
    tailer->draining = true; /* no file is opened */
    tailer->now_ns = 1000 * PS_NS_PER_S;
    wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    assert_true(wake_fd >= 0);
    assert_int_equal(ps_tail_thread_start(&tailer->thread, "t-look", wake_fd, tailer, &err), PS_OK);
    assert_int_equal(ps_tail_places_open(tailer, &err), PS_OK);
}

static void stop(void)
{
    ps_tail_logs_free(tailer);
    ps_tail_thread_stop(&tailer->thread, PS_TEST_PATIENCE_MS);
    ps_tail_places_close(tailer);
    ps_tail_fingerprint_index_free(&tailer->fingerprints);
    ps_tail_notes_free(&tailer->saves.notes);
    free(tailer);
    close(wake_fd);
    wake_fd = -1;
    ps_tail_trouble_destroy(settings.trouble);
}

static int setup(void **state)
{
    ps_test_folder_setup(state);
    no_inotify = cache = false;
    for (size_t i = 0; i < 2; i++) {
        snprintf(folders[i], sizeof folders[i], "%s", ps_test_folder_path(i == 0 ? "a" : "b"));
        assert_int_equal(mkdir(folders[i], 0700), 0);
    }
    groups[0] = (struct ps_tail_group){.name = "f", .directory = folders[0], .pattern = "app.*"};
    groups[1] = (struct ps_tail_group){.name = "s", .directory = folders[1], .pattern = "app.*"};
    groups[2] = (struct ps_tail_group){.name = "t", .directory = folders[0], .pattern = "app.*|more.*"};
    return 0;
}

/* Looks at this directory alone, and reads its names. */
static void look(unsigned number)
{
    tailer->now_ns += 1000 * PS_NS_PER_S; /* later than any rest */
    for (unsigned i = 0; i < tailer->place_count; i++) {
        tailer->places[i].look_ns = i == number ? 0 : PS_NEVER;
        tailer->places[i].names = i == number;
    }
    (void)ps_tail_places_tick(tailer);
    assert_true(tailer->places[number].looking);
    assert_int_equal(ps_tail_thread_wait(&tailer->thread, PS_TEST_PATIENCE_MS), 1);
    assert_false(tailer->places[number].looking);
}

static void append(const char *name, const char *text)
{
    ps_test_folder_append(name, text, strlen(text));
}

static void move(const char *from, const char *to)
{
    assert_int_equal(rename(ps_test_folder_path(from), ps_test_folder_path(to)), 0);
}

static struct ps_tail_log *log_of(const char *name)
{
    struct stat status;
    assert_int_equal(stat(ps_test_folder_path(name), &status), 0);
    return ps_tail_log_by_inode(&tailer->table, status.st_dev, status.st_ino);
}

/* ---- directories ---- */

/* A directory is looked at once, whatever the number of its groups is; a file belongs to the first group that has its name. */
static void test_groups(void **unused)
{
    append("a/app.1", "x");
    append("a/more.1", "x");
    append("b/app.1", "x");
    append("b/more.1", "x");
    start(3);
    assert_int_equal(tailer->place_count, 2);
    assert_string_equal(tailer->places[0].path, folders[0]);
    assert_string_equal(tailer->places[1].path, folders[1]);
    look(0);
    look(1);
    assert_int_equal(tailer->table.count, 3);
    assert_int_equal(log_of("a/app.1")->group, 0);
    assert_int_equal(log_of("a/more.1")->group, 2);
    assert_int_equal(log_of("b/app.1")->group, 1);
    assert_int_equal(log_of("b/app.1")->directory, 1);
    assert_null(log_of("b/more.1"));
    stop();
}

/* An expression that is none: the reason, and nothing is left. */
static void test_wrong_expression(void **unused)
{
    struct ps_err err = {.length = 0};
    groups[1].pattern = "(";
    start(1);
    stop();
    settings = (struct ps_tail_settings){
        .groups = groups, .group_count = 2, .position_path = "/x", .trouble = ps_tail_trouble_create()};
    tailer = ps_must_alloc(1, sizeof *tailer, "a test");
    tailer->settings = &settings;
    tailer->port = &port;
    assert_int_equal(ps_tail_thread_start(&tailer->thread, "t-look", -1, tailer, &err), PS_OK);
    assert_int_equal(ps_tail_places_open(tailer, &err), PS_FAIL);
    assert_true(err.length > 0);
    assert_int_equal(tailer->place_count, 1);
    stop();
}

/* The trouble of an earlier opening is over when the directory was not looked at yet. */
static void test_trouble_of_an_earlier_opening(void **unused)
{
    char text[256];
    start(1);
    ps_tail_trouble_set(settings.trouble, PS_TAIL_TROUBLE_DIRECTORY, "no disk");
    struct ps_tailer *first = tailer;
    struct ps_err err = {.length = 0};
    tailer = ps_must_alloc(1, sizeof *tailer, "a test");
    tailer->settings = &settings;
    tailer->port = &port;
    assert_int_equal(ps_tail_places_open(tailer, &err), PS_OK);
    assert_false(ps_tail_trouble_get(settings.trouble, text, sizeof text));
    ps_tail_places_close(tailer);
    free(tailer);
    tailer = first;
    stop();
}

/* ---- times ---- */

/* Where the system reports changes, the next look is due after 5 s; else after the interval of the configuration. A change during a look is looked at at
 * once. */
static void test_times(void **unused)
{
    start(1);
    struct ps_tail_place *place = &tailer->places[0];
    look(0);
    assert_true(place->looked && place->looked_ns == tailer->now_ns);
    assert_true(place->watch >= 0);
    assert_true(place->look_ns >= tailer->now_ns + 5 * PS_NS_PER_S &&
                place->look_ns < tailer->now_ns + HOUR_NS);
    uint64_t looked_ns = place->looked_ns;
    append("a/app.1", "x"); /* which is reported */
    tailer->now_ns += PS_NS_PER_S;
    (void)ps_tail_places_tick(tailer);
    assert_true(place->names || place->looking);
    look(0);
    assert_int_equal(place->looked_ns, looked_ns); /* that of the first look */
    stop();
    no_inotify = true;
    start(1);
    place = &tailer->places[0];
    look(0);
    assert_int_equal(place->look_ns, tailer->now_ns + HOUR_NS);
    assert_int_equal(ps_tail_places_tick(tailer), tailer->now_ns + HOUR_NS);
    assert_false(place->looking);
    tailer->now_ns += 1000 * PS_NS_PER_S;
    place->look_ns = 0;
    (void)ps_tail_places_tick(tailer);
    place->names = true; /* a change is reported while the thread looks */
    assert_int_equal(ps_tail_thread_wait(&tailer->thread, PS_TEST_PATIENCE_MS), 1);
    assert_int_equal(place->look_ns, tailer->now_ns);
    stop();
}

/* ---- watches ---- */

/* Returns whether an event makes the next look at this directory read its names. No look begins. */
static bool is_reported(unsigned number)
{
    for (unsigned i = 0; i < tailer->place_count; i++) {
        tailer->places[i].rest_until_ns = PS_NEVER;
        tailer->places[i].names = false;
    }
    (void)ps_tail_places_tick(tailer);
    for (unsigned i = 0; i < tailer->place_count; i++)
        tailer->places[i].rest_until_ns = 0;
    return tailer->places[number].names;
}

/* The path is a link that leads to another directory now: events of that one are reported, and those of the former one only if another
 * group has it. */
static void test_directory_switched(void **unused)
{
    char path[512], next[512];
    snprintf(path, sizeof path, "%s", ps_test_folder_path("link"));
    snprintf(next, sizeof next, "%s", ps_test_folder_path("next"));
    groups[0].directory = path;
    groups[1].directory = folders[0];
    for (unsigned shared = 0; shared < 2; shared++) {
        assert_int_equal(symlink("a", path), 0);
        start(1 + shared);
        for (unsigned i = 0; i <= shared; i++)
            look(i);
        int watch = tailer->places[0].watch;
        assert_true(watch >= 0 && tailer->places[shared].watch == watch);
        assert_int_equal(symlink("b", next), 0);
        assert_int_equal(rename(next, path), 0);
        look(0);
        (void)is_reported(0);
        append("b/app.1", "x");
        assert_true(is_reported(0));
        append("a/app.2", "x");
        assert_false(is_reported(0));
        append("a/app.3", "x");
        assert_int_equal(is_reported(shared), shared);
        assert_int_equal(inotify_rm_watch(tailer->notify_fd, watch), shared ? 0 : -1);
        stop();
        assert_int_equal(unlink(path), 0);
        for (unsigned i = 0; i < 3; i++)
            assert_int_equal(
                unlink(ps_test_folder_path((const char *[]){"a/app.2", "a/app.3", "b/app.1"}[i])), 0);
    }
}

/* The other directory has the same time of modification: its names are read all the same. */
static void test_switched_to_the_same_time(void **unused)
{
    const struct timespec times[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
    char path[512], next[512];
    snprintf(path, sizeof path, "%s", ps_test_folder_path("link"));
    snprintf(next, sizeof next, "%s", ps_test_folder_path("next"));
    groups[0].directory = path;
    cache = true;
    append("a/app.1", "x");
    append("b/app.2", "x");
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(utimensat(AT_FDCWD, folders[i], times, 0), 0);
    assert_int_equal(symlink("a", path), 0);
    start(1);
    look(0);
    assert_non_null(log_of("a/app.1"));
    assert_int_equal(symlink("b", next), 0);
    assert_int_equal(rename(next, path), 0);
    tailer->now_ns += 1000 * PS_NS_PER_S;
    (void)ps_tail_places_tick(tailer);
    assert_int_equal(ps_tail_thread_wait(&tailer->thread, PS_TEST_PATIENCE_MS), 1);
    assert_non_null(log_of("b/app.2"));
    assert_false(log_of("a/app.1")->named);
    stop();
}

/* The directory is removed and made anew after the thread has looked at it, and before the look is answered. */
static void test_directory_made_anew(void **unused)
{
    start(1);
    struct ps_tail_place *place = &tailer->places[0];
    for (unsigned round = 0; round < 10; round++) {
        uint64_t wakes;
        struct pollfd run = {.fd = wake_fd, .events = POLLIN};
        look(0);
        (void)!read(wake_fd, &wakes, sizeof wakes);
        tailer->now_ns += 1000 * PS_NS_PER_S;
        place->look_ns = 0;
        (void)ps_tail_places_tick(tailer);
        assert_true(place->looking);
        assert_int_equal(poll(&run, 1, PS_TEST_PATIENCE_MS), 1);
        assert_int_equal(rmdir(folders[0]), 0);
        assert_int_equal(mkdir(folders[0], 0700), 0);
        (void)ps_tail_places_tick(tailer);
        assert_true(place->watch < 0 && place->names);
        assert_int_equal(ps_tail_thread_wait(&tailer->thread, PS_TEST_PATIENCE_MS), 1);
        look(0);
        append("a/app.1", "x");
        assert_true(is_reported(0));
        assert_int_equal(unlink(ps_test_folder_path("a/app.1")), 0);
    }
    stop();
}

/* A change happens after the look has made the watch, and before the look is answered: the next look comes at once. */
static void test_change_before_the_answer(void **unused)
{
    start(1);
    struct ps_tail_place *place = &tailer->places[0];
    (void)ps_tail_places_tick(tailer);
    assert_true(place->looking && place->watch < 0);
    uint64_t until_ns = ps_test_patience_end_ns();
    while (!place->names) {
        append("a/app.1", "x");
        usleep(1000);
        (void)ps_tail_places_tick(tailer);
        assert_true(ps_test_patient_ns() < until_ns);
    }
    assert_int_equal(ps_tail_thread_wait(&tailer->thread, PS_TEST_PATIENCE_MS), 1);
    assert_int_equal(place->look_ns, tailer->now_ns);
    stop();
}

/* ---- files ---- */

/* What the first look finds was there at the start, with the size that it has then; what comes later was not. */
static void test_found(void **unused)
{
    append("a/app.1", "12345");
    assert_int_equal(symlink("app.1", ps_test_folder_path("a/app.0")), 0);
    assert_int_equal(symlink("../b/other", ps_test_folder_path("a/app.link")), 0);
    append("b/other", "x");
    start(1);
    look(0);
    struct ps_tail_log *first = log_of("a/app.1"), *linked = log_of("b/other");
    assert_true(first->found_at_start && first->start_bytes == 5 && !first->link);
    assert_true(linked->found_at_start && linked->start_bytes == 1 && linked->link);
    assert_true(tailer->links.has[linked->number] && !tailer->links.has[first->number]);
    append("a/app.2", "123");
    append("a/app.1", "6");
    look(0);
    struct ps_tail_log *second = log_of("a/app.2");
    assert_true(!second->found_at_start && second->start_bytes == 3);
    assert_true(first->found_at_start && first->start_bytes == 5 && first->size == 6);
    assert_int_equal(tailer->table.count, 3);
    stop();
}

/* A file loses the name that matches, gets it back, and is gone. It is the last name that matched that counts for its lines. */
static void test_renamed(void **unused)
{
    char path[600];
    append("a/app.1", "12345");
    start(1);
    look(0);
    struct ps_tail_log *log = log_of("a/app.1");
    snprintf(path, sizeof path, "%s/app.1", folders[0]);
    move("a/app.1", "a/old.1");
    look(0); /* inotify has reported from where to where */
    assert_true(log->named && !log->matches && log->matched && log->left_group);
    assert_string_equal(log->name, "old.1");
    assert_string_equal(log->path, path);
    assert_true(tailer->loose.has[log->number]);
    move("a/old.1", "a/old.2");
    look(0);
    assert_false(log->left_group); /* it had left the group before */
    move("a/old.2", "a/app.3");
    look(0);
    assert_true(log->named && log->matches && !log->left_group);
    snprintf(path, sizeof path, "%s/app.3", folders[0]);
    assert_string_equal(log->path, path);
    assert_int_equal(unlink(ps_test_folder_path("a/app.3")), 0);
    look(0);
    assert_true(!log->named && !log->matches && log->matched);
    assert_int_equal(log->gone_ns, tailer->now_ns);
    assert_string_equal(log->path, path);
    assert_int_equal(tailer->table.count, 1); /* until it was idle */
    stop();
}

/* ---- two directories ---- */

struct way {
    const char
        *next; /* name in the second directory before the first one is looked at; NULL: it is deleted there */
    bool stays;   /* the first name stays, as of a link */
    bool matches; /* at the end */
};

/* A file gets a name in a second directory, which is looked at before the first one misses it: it belongs to the second one when the first name is
 * gone, with the name that it has there then. */
static void test_moved(void **unused)
{
    static const struct way ways[] = {{"app.y", false, true}, {"app.z", false, true}, {"other", false, false},
                                      {NULL, false, false},   {"app.y", true, true},  {"app.z", true, true},
                                      {NULL, true, true}};
    for (size_t i = 0; i < PS_COUNT_OF(ways); i++) {
        const struct way *way = &ways[i];
        char path[600], from[64];
        append("a/app.x", "12345");
        no_inotify = true;
        start(2);
        look(0);
        look(1);
        struct ps_tail_log *log = log_of("a/app.x");
        if (way->stays)
            assert_int_equal(link(ps_test_folder_path("a/app.x"), ps_test_folder_path("b/app.y")), 0);
        else
            move("a/app.x", "b/app.y");
        look(1);
        assert_true(log->directory == 0 && log->named && log->group == 0);
        assert_string_equal(log->name, "app.x");
        assert_string_equal(log->other_name, "app.y");
        assert_true(log->other_directory == 1 && log->other_group == 1);
        snprintf(from, sizeof from, "b/%s", way->next != NULL ? way->next : "");
        if (way->next == NULL)
            assert_int_equal(unlink(ps_test_folder_path("b/app.y")), 0);
        else if (strcmp(way->next, "app.y") != 0)
            move("b/app.y", from);
        look(1);
        assert_int_equal(log->other_name != NULL, way->next != NULL);
        if (way->next != NULL)
            assert_string_equal(log->other_name, way->next);
        look(0);
        if (way->stays) { /* it has both names */
            assert_true(log->directory == 0 && log->named);
            assert_string_equal(log->name, "app.x");
            assert_int_equal(unlink(ps_test_folder_path("a/app.x")), 0);
            look(0);
        }
        assert_int_equal(log->named, way->next != NULL);
        assert_int_equal(log->matches, way->matches && way->next != NULL);
        assert_null(log->other_name);
        assert_int_equal(log->directory, way->next != NULL);
        assert_int_equal(log->group, way->next != NULL && way->matches);
        if (way->next != NULL)
            assert_string_equal(log->name, way->next);
        snprintf(path, sizeof path, "%s/%s", folders[log->matches], log->matches ? way->next : "app.x");
        assert_string_equal(log->path, path);
        assert_int_equal(tailer->table.count, 1);
        if (way->next != NULL)
            assert_int_equal(unlink(ps_test_folder_path(from)), 0);
        stop();
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, setup, ps_test_folder_teardown)
    const struct CMUnitTest tests[] = {TEST(groups),
                                       TEST(wrong_expression),
                                       TEST(trouble_of_an_earlier_opening),
                                       TEST(times),
                                       TEST(directory_switched),
                                       TEST(switched_to_the_same_time),
                                       TEST(directory_made_anew),
                                       TEST(change_before_the_answer),
                                       TEST(found),
                                       TEST(renamed),
                                       TEST(moved)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
