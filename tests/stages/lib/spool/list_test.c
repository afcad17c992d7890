/* The files of a spooling directory, in order: random names, directories, links, times and markers, and files that are open or left alone, compared with a
 * model. Many files have the same time, so that their names decide. */
#include "stages/lib/spool/spool_internal.h"
#include "stages/lib/tail/identity.h"
#include "tests/support/folder.h"
#include "tests/support/support.h"
#include "tests/support/system_calls.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define ROUNDS 60U
#define FILES_MAX 60U

static uint64_t state;

static uint64_t draw(uint64_t below)
{
    return ps_test_random(&state) % below;
}

static struct file {
    char path[512]; /* as the source writes it */
    const char *name;
    int64_t ms;
    uint64_t device, inode;
    bool wanted;
} files[FILES_MAX];
static unsigned file_count;
static struct ps_spool *spool;

/* Directories of the tree. Those below the first are listed if subdirectories are searched, unless the name is
 * ignored or begins with a dot. */
static const struct {
    const char *path;
    bool read, read_below;
} folders[] = {{"", true, true},        {"/a", false, true},         {"/a/d.DONE", false, true},
               {"/a/.c", false, false}, {"/skip.tmp", false, false}, {"/z", false, true}};
/* Names, and whether a file of this name is read: an expression is for all of it. */
static const struct {
    const char *name;
    bool read;
} names[] = {{"a", true},        {"b", true},       {"B", true},        {"a.log", true},    {"a-log", true},
             {"\xC3\xA4", true}, {"x.DONE", false}, {".DONE", false},   {".hidden", false}, {"y.tmp", false},
             {"y.tmpx", true},   {"other", false},  {"b.DONE.1", true}, {"b.DON", true},    {"aDONE", true},
             {"~", true},        {"c!", false},     {"tmp", true},      {"x.tmp.log", true}};

static void spool_open(bool recursive, bool marks, enum ps_spool_order order)
{
    struct ps_err err = {.length = 0};
    const struct ps_spool_settings settings = {.component = "source s",
                                               .directory = ps_test_folder(),
                                               .tracker = ".track",
                                               .suffix = ".DONE",
                                               .include = "(?!other).*[^!]",
                                               .ignore = ".*\\.tmp",
                                               .order = order,
                                               .recursive = recursive,
                                               .marks = marks};
    spool = ps_spool_create(&settings, &err);
    assert_non_null(spool);
    for (size_t i = 1; i < PS_COUNT_OF(folders); i++) {
        char path[512];
        snprintf(path, sizeof path, "%s%s", ps_test_folder(), folders[i].path);
        assert_true(mkdir(path, 0755) == 0);
    }
}

/* Makes the file's marker, and markers that do not apply to it: one of its name in another directory, and one whose
 * name only begins with its name. */
static void mark(const struct file *file)
{
    char marker[1024], near[1100];
    assert_true(ps_spool_marker(spool, file->path, marker, sizeof marker));
    char command[2200];
    snprintf(command, sizeof command, "mkdir -p \"$(dirname '%s')\" && touch '%s'", marker, marker);
    assert_int_equal(system(command), 0);
    snprintf(near, sizeof near, "%sx", marker);
    close(open(near, O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
}

static void leave_alone(const struct file *file)
{
    if (spool->aside_count == spool->aside_room) {
        spool->aside_room = 2 * spool->aside_room + 1;
        spool->aside = ps_must_realloc(spool->aside, spool->aside_room * sizeof *spool->aside, "a test");
    }
    spool->aside[spool->aside_count++] = (struct ps_spool_left){
        .device = file->device, .inode = file->inode, .born_ns = ps_tail_path_born_ns(file->path)};
}

/* Draws why a file that would be read is not: it is open, or left alone, or has a marker. Similar files on another
 * device do not count. */
static void draw_known(struct file *file, unsigned *slots, bool marks)
{
    const struct file other = {.device = file->device + 1, .inode = file->inode};
    switch (draw(8)) {
    case 0:
        leave_alone(file);
        file->wanted = false;
        break;
    case 1:
        leave_alone(&other);
        break;
    case 2:
        if (*slots == PS_SPOOL_FILES_MAX)
            break;
        spool->files[*slots].in_flight = draw(2) == 0;
        spool->files[*slots].inode = file->inode;
        spool->files[*slots].device = file->device + (draw(3) == 0);
        file->wanted &= !spool->files[*slots].in_flight || spool->files[*slots].device != file->device;
        *slots += 1;
        break;
    case 3:
        if (draw(3) > 0)
            break;
        mark(file);
        file->wanted &= !marks;
        break;
    default:
        break;
    }
}

static void draw_files(bool recursive, bool marks)
{
    unsigned slots = 0;
    file_count = 0;
    for (unsigned i = 0; i < FILES_MAX; i++) {
        size_t folder = draw(PS_COUNT_OF(folders)), name = draw(PS_COUNT_OF(names));
        struct file *file = &files[file_count];
        struct stat status;
        snprintf(file->path, sizeof file->path, "%s%s/%s", ps_test_folder(), folders[folder].path,
                 names[name].name);
        if (lstat(file->path, &status) == 0)
            continue;
        file->name = strrchr(file->path, '/') + 1;
        file->ms = 1700000000000 + (int64_t)draw(3);
        unsigned kind = (unsigned)draw(
            10); /* 0, 1: a link to a file that is not in the tree, and to nothing; 2: a FIFO */
        if (kind == 0)
            assert_int_equal(symlink("/etc/passwd", file->path), 0);
        else if (kind == 1)
            assert_int_equal(symlink("/nowhere", file->path), 0);
        else if (kind == 2)
            assert_int_equal(mkfifo(file->path, 0644), 0);
        else
            close(open(file->path, O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
        const struct timespec time = {.tv_sec = file->ms / 1000,
                                      .tv_nsec = file->ms % 1000 * 1000000 + (long)draw(999999)};
        if (kind > 2)
            assert_int_equal(utimensat(AT_FDCWD, file->path, (const struct timespec[]){time, time}, 0), 0);
        file->wanted = names[name].read && (recursive ? folders[folder].read_below : folders[folder].read) &&
                       kind != 1 && kind != 2;
        if (stat(file->path, &status) == 0) {
            file->device = status.st_dev;
            file->inode = status.st_ino;
            file->ms = (int64_t)status.st_mtim.tv_sec * 1000 + status.st_mtim.tv_nsec / 1000000;
        }
        if (kind > 2)
            draw_known(file, &slots, marks);
        file_count++;
    }
}

/* The file of the model that comes next; NULL: none is left. */
static struct file *next_of(enum ps_spool_order order)
{
    struct file *best = NULL;
    for (unsigned i = 0; i < file_count; i++) {
        struct file *file = &files[i];
        if (!file->wanted)
            continue;
        int64_t later = best == NULL               ? 0
                        : order == PS_SPOOL_OLDEST ? file->ms - best->ms
                                                   : best->ms - file->ms;
        int by_name = best == NULL ? -1 : strcmp(file->name, best->name);
        if (by_name == 0)
            by_name = strcmp(file->path, best->path);
        if (best == NULL || later < 0 || (later == 0 && by_name < 0))
            best = file;
    }
    return best;
}

static void expect_listed(const struct ps_spool_candidate *listed, const struct file *file)
{
    assert_string_equal(listed->path, file->path);
    assert_string_equal(listed->path + listed->name_at, file->name);
    assert_int_equal(listed->device, file->device);
    assert_int_equal(listed->inode, file->inode);
    assert_int_equal(listed->modified_ms, file->ms);
}

static void compare(enum ps_spool_order order)
{
    for (unsigned again = 0; again < 2; again++) { /* nothing is left of the listing before */
        bool wanted[FILES_MAX];
        assert_true(ps_spool_list(spool));
        assert_false(spool->lacks);
        for (unsigned i = 0; i < file_count; i++)
            wanted[i] = files[i].wanted;
        for (size_t at = 0; at < spool->count; at++) {
            struct file *file = next_of(order);
            if (order == PS_SPOOL_RANDOM)
                for (unsigned i = 0; i < file_count; i++)
                    file = files[i].wanted && strcmp(files[i].path, spool->list[at].path) == 0 ? &files[i]
                                                                                               : file;
            if (file == NULL)
                fail_msg("%s is read", spool->list[at].path);
            expect_listed(&spool->list[at], file);
            file->wanted = false;
        }
        const struct file *missing = next_of(order);
        if (missing != NULL)
            fail_msg("%s is not read", missing->path);
        for (unsigned i = 0; i < file_count; i++)
            files[i].wanted = wanted[i];
    }
}

static void test_drawn(void **unused)
{
    static const enum ps_spool_order orders[] = {PS_SPOOL_OLDEST, PS_SPOOL_YOUNGEST, PS_SPOOL_RANDOM};
    for (unsigned round = 0; round < ROUNDS; round++) {
        enum ps_spool_order order = orders[round % PS_COUNT_OF(orders)];
        bool recursive = draw(2) == 0, marks = draw(2) == 0;
        assert_int_equal(ps_test_folder_setup(NULL), 0);
        spool_open(recursive, marks, order);
        draw_files(recursive, marks);
        compare(order);
        for (size_t i = 0; i < PS_SPOOL_FILES_MAX; i++)
            spool->files[i].in_flight = false;
        struct ps_tail_thread none = {.helper = NULL};
        ps_spool_leave(spool, &none);
        ps_test_folder_teardown(NULL);
    }
}

/* Each call of the system fails once: the listing says that it is not whole, and the next one is. */
static void test_each_call_fails(void **unused)
{
    static const char *const paths[] = {"one", "two", "a/three", "a/b/four"};
    struct ps_tail_thread none = {.helper = NULL};
    assert_int_equal(ps_test_folder_setup(NULL), 0);
    spool_open(true, false, PS_SPOOL_OLDEST);
    assert_int_equal(mkdir(ps_test_folder_path("a/b"), 0755), 0);
    for (size_t i = 0; i < PS_COUNT_OF(paths); i++)
        ps_test_folder_append(paths[i], "x", 1);
    ps_test_call_count = 0;
    assert_true(ps_spool_list(spool));
    assert_int_equal(spool->count, PS_COUNT_OF(paths));
    uint64_t calls = ps_test_call_count;
    assert_true(calls > PS_COUNT_OF(paths));
    for (uint64_t nth = 1; nth <= calls; nth++) {
        ps_test_call_fails = nth;
        bool whole = ps_spool_list(spool) && !spool->lacks;
        assert_int_equal(ps_test_call_fails, 0);
        if (whole)
            fail_msg("call %u, %s, failed, and the listing counts as whole", (unsigned)nth,
                     ps_test_call_failed);
        assert_in_range(spool->count, 0, PS_COUNT_OF(paths));
        assert_true(ps_spool_list(spool));
        assert_int_equal(spool->count, PS_COUNT_OF(paths));
    }
    ps_spool_leave(spool, &none);
    ps_test_folder_teardown(NULL);
}

/* Leaves alone a file that was opened under the first name, and had the inode of the file that has the second one now. */
static void retire_violated(const char *name, const char *inode_of, uint64_t born_ns)
{
    struct ps_spool_file *file = &spool->files[0];
    struct stat status;
    assert_int_equal(stat(ps_test_folder_path(inode_of), &status), 0);
    free(file->path);
    file->path = strdup(ps_test_folder_path(name));
    file->device = status.st_dev;
    file->inode = status.st_ino;
    file->born_ns = born_ns;
    file->end = PS_SPOOL_VIOLATED;
    file->in_flight = true;
    ps_spool_retire_run(&file->job);
}

/* Lists the directory. Returns whether the list has the file. */
static bool has(const char *name)
{
    bool found = false;
    assert_true(ps_spool_list(spool));
    for (size_t i = 0; i < spool->count; i++)
        found |= strcmp(spool->list[i].path + spool->list[i].name_at, name) == 0;
    return found;
}

/* A file that was left alone is gone, and another one has its inode: it is read. Where times of birth are not known, it is read if it has
 * another name. */
static void test_inode_of_a_file_left_alone(void **unused)
{
    struct ps_tail_thread none = {.helper = NULL};
    assert_int_equal(ps_test_folder_setup(NULL), 0);
    spool_open(false, false, PS_SPOOL_OLDEST);
    for (char name[] = "p"; name[0] <= 't'; name[0]++)
        ps_test_folder_append(name, "x", 1);
    const uint64_t born_p = ps_tail_path_born_ns(ps_test_folder_path("p")),
                   born_q = ps_tail_path_born_ns(ps_test_folder_path("q"));
    retire_violated("p", "p", born_p);
    assert_false(has("p"));
    if (born_q != 0) {
        retire_violated("q", "q", born_q - 1);
        assert_true(has("q"));
    }
    retire_violated("r", "r", 0);
    assert_false(has("r"));
    retire_violated("gone", "s", 0);
    assert_true(has("s"));
    assert_true(has("t"));
    assert_false(has("p"));
    assert_false(has("r"));
    ps_spool_leave(spool, &none);
    ps_test_folder_teardown(NULL);
}

/* Files that are left alone come and go: those that are gone are forgotten, but not by a listing that is not whole. */
static void test_files_left_alone_go(void **unused)
{
    struct ps_tail_thread none = {.helper = NULL};
    assert_int_equal(ps_test_folder_setup(NULL), 0);
    spool_open(false, false, PS_SPOOL_OLDEST);
    ps_test_folder_append("stays", "x", 1);
    retire_violated("stays", "stays", ps_tail_path_born_ns(ps_test_folder_path("stays")));
    for (unsigned i = 0; i < 100; i++) {
        ps_test_folder_append("goes", "x", 1);
        retire_violated("goes", "goes", ps_tail_path_born_ns(ps_test_folder_path("goes")));
        assert_int_equal(spool->aside_count, 2);
        if (i % 2 == 0) {
            assert_false(has("goes"));
            assert_int_equal(spool->aside_count, 2);
        }
        assert_int_equal(unlink(ps_test_folder_path("goes")), 0);
        ps_test_call_broken = i % 4 < 2 ? "readdir" : "stat";
        assert_false(ps_spool_list(spool) && !spool->lacks);
        ps_test_call_broken = NULL;
        assert_int_equal(spool->aside_count, 2);
        assert_false(has("stays"));
        assert_int_equal(spool->aside_count, 1);
    }
    ps_spool_leave(spool, &none);
    ps_test_folder_teardown(NULL);
}

/* Returns how many files of checks are in the directory. */
static unsigned checks_left(void)
{
    static const char begins[] = ".flume-spooldir-perm-check-";
    unsigned left = 0;
    DIR *directory = opendir(ps_test_folder());
    assert_non_null(directory);
    for (const struct dirent *entry; (entry = readdir(directory)) != NULL;)
        left += strncmp(entry->d_name, begins, sizeof begins - 1) == 0;
    closedir(directory);
    return left;
}

/* The file by which a source checks the directory at its start is no file of events. If the process ends before the file is deleted, as
 * by SIGKILL, the file stays; here it cannot be deleted. */
static void test_file_of_the_check(void **unused)
{
    struct ps_tail_thread none = {.helper = NULL};
    struct ps_err err = {.length = 0};
    assert_int_equal(ps_test_folder_setup(NULL), 0);
    const struct ps_spool_settings settings = {.component = "source s",
                                               .directory = ps_test_folder(),
                                               .tracker = ".track",
                                               .suffix = ".DONE",
                                               .include = ".*",
                                               .ignore = "^$"};
    ps_test_call_broken = "unlink";
    assert_null(ps_spool_create(&settings, &err));
    ps_test_call_broken = NULL;
    assert_non_null(strstr(err.text, "Unable to read and modify files"));
    assert_int_equal(checks_left(), 1);
    spool = ps_spool_create(&settings, &err);
    assert_non_null(spool);
    assert_true(ps_spool_list(spool));
    if (spool->count > 0)
        fail_msg("%s is read", spool->list[0].path);
    ps_spool_leave(spool, &none);
    ps_test_folder_teardown(NULL);
}

/* The first listing removes the files of checks that earlier processes left, and nothing else. The file of Flume's own check is no file of
 * events either; names that are only near are. */
static void test_files_of_earlier_checks(void **unused)
{
    static const char *const kept[] = {
        ".flume-spooldir-perm-check-1.canaryx", ".flume-spooldir-perm-chec-1.canary",
        "flume-spooldir-perm-check-27.canary",  "x.flume-spooldir-perm-check-1.canary",
        "flume-spooldir-perm-check-1.canar",    "flume-spooldir-perm-chec-1.canary"};
    struct ps_tail_thread none = {.helper = NULL};
    struct ps_err err = {.length = 0};
    assert_int_equal(ps_test_folder_setup(NULL), 0);
    const struct ps_spool_settings settings = {.component = "source s",
                                               .directory = ps_test_folder(),
                                               .tracker = ".track",
                                               .suffix = ".DONE",
                                               .include = ".*",
                                               .ignore = "^$"};
    for (size_t i = 0; i < PS_COUNT_OF(kept); i++)
        ps_test_folder_append(kept[i], "x", 1);
    ps_test_folder_append(".flume-spooldir-perm-check-Ab3dE6.canary", "x", 1);
    ps_test_folder_append(".flume-spooldir-perm-check-zzzzzz.canary", "", 0);
    assert_int_equal(mkdir(ps_test_folder_path(".flume-spooldir-perm-check-folder.canary"), 0755), 0);
    assert_int_equal(symlink("/nowhere", ps_test_folder_path(".flume-spooldir-perm-check-link.canary")), 0);
    spool = ps_spool_create(&settings, &err);
    assert_non_null(spool);
    assert_true(ps_spool_list(spool));
    assert_int_equal(checks_left(), 2 + 1); /* the directory, the link and the first of `kept` */
    for (size_t i = 0; i < PS_COUNT_OF(kept); i++)
        if (access(ps_test_folder_path(kept[i]), F_OK) != 0)
            fail_msg("%s was removed", kept[i]);
    for (size_t i = 0; i < spool->count; i++)
        assert_string_not_equal(spool->list[i].path + spool->list[i].name_at, kept[2]);
    assert_int_equal(spool->count, 3);
    ps_test_folder_append(".flume-spooldir-perm-check-Bc4eF7.canary", "x",
                          1); /* of an agent that starts now */
    assert_true(ps_spool_list(spool));
    assert_int_equal(checks_left(), 2 + 1 + 1);
    ps_spool_leave(spool, &none);
    ps_test_folder_teardown(NULL);
}

static bool other_starts; /* another agent starts while this one checks, and removes the file of its check */

int mkostemps(char *name, int suffix_length, int flags)
{
    int fd = PS_TEST_REAL(mkostemps)(name, suffix_length, flags);
    if (other_starts)
        assert_int_equal(PS_TEST_REAL(unlink)(name), 0);
    return fd;
}

static void test_file_of_the_check_is_removed(void **unused)
{
    struct ps_tail_thread none = {.helper = NULL};
    assert_int_equal(ps_test_folder_setup(NULL), 0);
    other_starts = true;
    spool_open(false, false, PS_SPOOL_OLDEST);
    other_starts = false;
    ps_spool_leave(spool, &none);
    ps_test_folder_teardown(NULL);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {cmocka_unit_test(test_drawn),
                                              cmocka_unit_test(test_each_call_fails),
                                              cmocka_unit_test(test_file_of_the_check),
                                              cmocka_unit_test(test_files_of_earlier_checks),
                                              cmocka_unit_test(test_file_of_the_check_is_removed),
                                              cmocka_unit_test(test_inode_of_a_file_left_alone),
                                              cmocka_unit_test(test_files_left_alone_go)};
    state = ps_test_seed() | 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
