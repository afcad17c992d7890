/* The events of a directory that inotify reports: written files, new and lost names, renames with the former name, and
 * the end of the directory itself. */
#include "stages/lib/tail/notify.h"
#include "tests/support/folder.h"
#include "tests/support/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int fd, watch;
static char said[2048];

static void happened(void *argument, int of, unsigned what, const char *name, const char *from)
{
    size_t used = strlen(said);
    assert_ptr_equal(argument, said);
    snprintf(said + used, sizeof said - used, "%s%s%s%s%s%s%s%s;", of == watch ? "" : "?",
             what & PS_TAIL_WRITTEN ? "written " : "", what & PS_TAIL_NAMES ? "names " : "",
             what & PS_TAIL_GONE_AWAY ? "gone " : "", what & PS_TAIL_MISSED ? "missed " : "",
             name != NULL ? name : "-", from != NULL ? " from " : "", from != NULL ? from : "");
}

/* Collects the reports since the last call. inotify queues an event before the call that causes it returns. */
static const char *reported(void)
{
    said[0] = '\0';
    bool any = ps_tail_notify_read(fd, happened, said);
    assert_int_equal(any, said[0] != '\0');
    return said;
}

static int setup(void **state)
{
    ps_test_folder_setup(state);
    assert_int_equal(mkdir(ps_test_folder_path("d"), 0700), 0);
    assert_int_equal(mkdir(ps_test_folder_path("e"), 0700), 0);
    fd = ps_tail_notify_open();
    assert_true(fd >= 0);
    watch = ps_tail_notify_add(fd, ps_test_folder_path("d"), false);
    assert_true(watch >= 0);
    return 0;
}

static int teardown(void **state)
{
    close(fd);
    return ps_test_folder_teardown(state);
}

static void move(const char *from, const char *to)
{
    assert_int_equal(rename(ps_test_folder_path(from), ps_test_folder_path(to)), 0);
}

static void test_files(void **unused)
{
    assert_string_equal(reported(), "");
    ps_test_folder_append("d/a", "x", 1);
    assert_string_equal(reported(), "names a;written a;");
    ps_test_folder_append("d/a", "x", 1);
    assert_string_equal(reported(), "written a;");
    assert_int_equal(truncate(ps_test_folder_path("d/a"), 0), 0);
    assert_string_equal(reported(), "written a;");
    assert_int_equal(unlink(ps_test_folder_path("d/a")), 0);
    assert_string_equal(reported(), "names a;");
    assert_string_equal(reported(), "");
}

/* Only renames within the directory have a former name, each the right one. */
static void test_renames(void **unused)
{
    ps_test_folder_append("d/a", "x", 1);
    ps_test_folder_append("d/b", "x", 1);
    ps_test_folder_append("e/c", "x", 1);
    (void)reported();
    move("d/a", "d/a.1");
    move("d/b", "d/b.1");
    assert_string_equal(reported(), "names a;names a.1 from a;names b;names b.1 from b;");
    move("d/a.1", "e/a");
    move("e/c", "d/c");
    assert_string_equal(reported(), "names a.1;names c;");
    move("e/a", "d/a");
    move("d/a", "d/a.2");
    move("d/a.2", "d/c"); /* over another file */
    assert_string_equal(reported(), "names a;names a;names a.2 from a;names a.2;names c from a.2;");
}

/* A directory that is removed or renamed, or is none. */
static void test_directory(void **unused)
{
    ps_test_folder_append("f", "x", 1);
    assert_int_equal(ps_tail_notify_add(fd, ps_test_folder_path("f"), false), -1);
    assert_int_equal(ps_tail_notify_add(fd, ps_test_folder_path("missing"), false), -1);
    move("d", "g");
    assert_string_equal(reported(), "gone -;");
    ps_tail_notify_remove(fd, watch);
    assert_string_equal(reported(), "gone -;");
    watch = ps_tail_notify_add(fd, ps_test_folder_path("e"), false);
    assert_int_equal(rmdir(ps_test_folder_path("e")), 0);
    assert_string_equal(reported(), "gone -;gone -;");
}

/* The target of a link: only writes are reported. */
static void test_target(void **unused)
{
    ps_test_folder_append("f", "x", 1);
    watch = ps_tail_notify_add(fd, ps_test_folder_path("f"), true);
    assert_true(watch >= 0);
    ps_test_folder_append("f", "x", 1);
    assert_string_equal(reported(), "written -;");
    assert_int_equal(chmod(ps_test_folder_path("f"), 0600), 0);
    assert_string_equal(reported(), "");
}

static void renamed(void *count_, int of, unsigned what, const char *name, const char *from)
{
    unsigned *count = count_;
    assert_int_equal(of, watch);
    assert_int_equal(what, PS_TAIL_NAMES);
    if (from == NULL)
        return;
    assert_int_equal(strtoul(from + 1, NULL, 10), *count);
    assert_int_equal(strtoul(name + 1, NULL, 10), ++*count);
}

/* More events than one read takes: none is lost, not even of a rename whose two events come in different reads. */
static void test_many(void **unused)
{
    enum { MANY = 6000 };
    unsigned count = 0;
    ps_test_folder_append("d/n0", "x", 1);
    (void)reported();
    for (unsigned i = 0; i < MANY; i++) {
        char from[32], to[300];
        snprintf(from, sizeof from, "d/n%u", i);
        snprintf(to, sizeof to, "%s/d/n%u", ps_test_folder(), i + 1);
        assert_int_equal(rename(ps_test_folder_path(from), to), 0);
        if (i % 2000 == 1999)
            while (ps_tail_notify_read(fd, renamed, &count)) {
            }
    }
    assert_int_equal(count, MANY);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)
    const struct CMUnitTest tests[] = {TEST(files), TEST(renames), TEST(directory), TEST(target), TEST(many)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
