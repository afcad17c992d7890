/* Every way of changing files, noticed with inotify events and without them. */
#include "tests/support/folder.h"
#include "tests/support/support.h"

#include "core/clock.h"
#include "stages/lib/rules/live/watch.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define QUIET_MS 100

static struct ps_rules_watch *watch;

static void begin(bool events)
{
    bool limited;
    watch = ps_rules_watch_create(events, &limited);
    if (limited) {
        print_message("SKIP: no inotify\n");
        exit(77);
    }
    assert_int_equal(ps_rules_watch_fd(watch) >= 0, events);
}

static void end(void)
{
    ps_rules_watch_destroy(watch);
    watch = NULL;
}

static void follow(const char *name)
{
    const char *path = ps_test_folder_path(name);
    ps_rules_watch_files(watch, &path, 1);
}

static void touched(void)
{
    struct pollfd ready = {.fd = ps_rules_watch_fd(watch), .events = POLLIN};
    uint64_t until_ns = ps_test_patience_end_ns();
    while (ps_test_patient_ns() < until_ns) {
        if (poll(&ready, 1, 100) > 0 && ps_rules_watch_touched(watch))
            return;
    }
    fail_msg("nothing was noticed");
}

static void quiet(void)
{
    usleep(QUIET_MS * 1000);
    assert_false(ps_rules_watch_touched(watch));
}

static void write_file(const char *name, const char *text)
{
    FILE *file = fopen(ps_test_folder_path(name), "we");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void rename_file(const char *from, const char *to)
{
    assert_int_equal(rename(ps_test_folder_path(from), ps_test_folder_path(to)), 0);
}

static void link_file(const char *target, const char *name)
{
    assert_int_equal(symlink(target, ps_test_folder_path(name)), 0);
}

static void make_folder(const char *name)
{
    assert_int_equal(mkdir(ps_test_folder_path(name), 0755), 0);
}

static void test_written(void **state)
{
    write_file("a.rules", "1");
    write_file("other", "1");
    begin(true);
    follow("a.rules");
    quiet();
    write_file("other", "2"); /* not ours */
    quiet();
    write_file("a.rules", "2");
    touched();
    quiet();
    assert_int_equal(unlink(ps_test_folder_path("a.rules")), 0);
    touched();
    write_file("a.rules", "3");
    touched();
    rename_file("other", "a.rules");
    touched();
    rename_file("a.rules", "other");
    touched();
    end();
}

/* The watcher waits for a writer that has not finished. */
static void test_half_written(void **state)
{
    write_file("a.rules", "whole");
    begin(true);
    follow("a.rules");
    int fd = open(ps_test_folder_path("a.rules"), O_WRONLY | O_TRUNC | O_CLOEXEC);
    assert_true(fd >= 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(write(fd, "part", 4), 4);
        quiet();
    }
    assert_int_equal(close(fd), 0);
    touched();
    end();
}

/* A file changes as in Kubernetes: a.rules -> ..data/a.rules, ..data -> ..1. */
static void test_config_map(void **state)
{
    make_folder("..1");
    make_folder("..2");
    write_file("..1/a.rules", "1");
    write_file("..2/a.rules", "2");
    link_file("..1", "..data");
    link_file("..data/a.rules", "a.rules");
    begin(true);
    follow("a.rules");
    quiet();
    link_file("..2", "..data_next");
    quiet();
    rename_file("..data_next", "..data");
    touched();
    assert_true(ps_rules_watch_look(watch)); /* the name leads to another file now */
    follow("a.rules");
    write_file("..1/a.rules", "old"); /* this file is no longer watched */
    quiet();
    write_file("..2/a.rules", "in place");
    touched();
    end();
}

/* A link to a release folder, and an absolute link to another place. */
static void test_links(void **state)
{
    char target[4096];
    make_folder("r1");
    make_folder("r2");
    make_folder("r1/sub");
    make_folder("r2/sub");
    write_file("r1/sub/a.rules", "1");
    write_file("r2/sub/a.rules", "2");
    snprintf(target, sizeof target, "%s", ps_test_folder_path("r1"));
    link_file(target, "current");
    begin(true);
    follow("current/sub/../sub/a.rules");
    quiet();
    write_file("r1/sub/a.rules", "in place");
    touched();
    link_file("r2", "next");
    rename_file("next", "current");
    touched();
    assert_true(ps_rules_watch_look(watch));
    end();
}

static void test_folders(void **state)
{
    begin(true);
    follow("deep/er/a.rules"); /* not even the folder exists */
    make_folder("deep");
    touched();
    follow("deep/er/a.rules");
    make_folder("deep/er");
    touched();
    follow("deep/er/a.rules");
    write_file("deep/er/a.rules", "1");
    touched();
    follow("deep/er/a.rules");
    quiet();
    rename_file("deep/er", "deep/gone");
    touched();
    follow("deep/er/a.rules");
    rename_file("deep/gone", "deep/er");
    touched();
    follow("deep/er/a.rules");
    assert_int_equal(unlink(ps_test_folder_path("deep/er/a.rules")), 0);
    touched();
    assert_int_equal(rmdir(ps_test_folder_path("deep/er")), 0);
    touched();
    end();
}

/* Circles of links and names that are too long, many times: no harm, and no watches are left. */
static void test_bounded(void **state)
{
    char path[8192];
    const char *name = path;
    link_file("two", "one");
    link_file("one", "two");
    begin(true);
    follow("one");
    assert_false(ps_rules_watch_look(watch));
    memset(path, 'x', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    ps_rules_watch_files(watch, &name, 1);
    for (size_t i = 255; i < sizeof path - 1; i += 256)
        path[i] = '/';
    ps_rules_watch_files(watch, &name, 1);
    write_file("a.rules", "1");
    for (int i = 0; i < 20000; i++) /* more than the usual limit of watches */
        follow("a.rules");
    quiet();
    write_file("a.rules", "2");
    touched();
    end();
}

static void test_without_events(void **state)
{
    begin(false);
    follow("a.rules");
    assert_false(ps_rules_watch_look(watch));
    write_file("a.rules", "1");
    assert_false(ps_rules_watch_touched(watch));
    assert_true(ps_rules_watch_look(watch));
    assert_false(ps_rules_watch_look(watch));
    write_file("a.rules", "22");
    assert_true(ps_rules_watch_look(watch));
    write_file("b.rules", "22");
    rename_file("b.rules", "a.rules");
    assert_true(ps_rules_watch_look(watch));
    assert_int_equal(unlink(ps_test_folder_path("a.rules")), 0);
    assert_true(ps_rules_watch_look(watch));
    assert_false(ps_rules_watch_look(watch));
    end();
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, ps_test_folder_setup, ps_test_folder_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_written), TEST(test_half_written), TEST(test_config_map),     TEST(test_links),
        TEST(test_folders), TEST(test_bounded),      TEST(test_without_events),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
