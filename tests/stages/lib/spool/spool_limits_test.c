/* Limits of a spooling directory: its depth, its number of files, and the settings that a start refuses. */
#include "core/log/log.h"
#include "stages/lib/spool/spool.h"
#include "tests/stages/lib/spool/spool_support.h"
#include "tests/support/folder.h"
#include "tests/support/support.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_BYTES 512U
#define SUFFIX ".DONE"

/* Returns how many files the first fetch of 16 opens. */
static unsigned first_fetch(const struct ps_spool_settings *settings, char *first, size_t room)
{
    struct ps_err err = {.length = 0};
    struct ps_tail_thread none = {.helper = NULL};
    struct ps_spool *spool = ps_spool_create(settings, &err);
    assert_non_null(spool);
    struct ps_spool_fetch *fetch = ps_spool_fetch_of(spool);
    fetch->wanted = PS_SPOOL_FETCH_MAX;
    fetch->list = true;
    for (unsigned i = 0; i < PS_SPOOL_FETCH_MAX; i++)
        fetch->files[i] = &ps_spool_files(spool)[i];
    ps_spool_fetch_prepare(fetch, spool, answer);
    fetch->job.run(&fetch->job);
    unsigned found = fetch->found;
    if (found > 0)
        snprintf(first, room, "%s", fetch->files[0]->path);
    ps_spool_leave(spool, &none);
    return found;
}

/* Directories are searched down to depth 64; each of 300 files has its turn. */
static void test_depth_and_count(void **unused)
{
    char path[PATH_BYTES], first[PATH_BYTES];
    assert_int_equal(ps_test_folder_setup(NULL), 0);
    const struct ps_spool_settings settings = {.component = "source s",
                                               .directory = ps_test_folder(),
                                               .tracker = ".track",
                                               .suffix = SUFFIX,
                                               .include = "^.*$",
                                               .ignore = "^$",
                                               .decompress = PS_SPOOL_DECOMPRESS_NEVER,
                                               .recursive = true,
                                               .marks = true};
    size_t length = (size_t)snprintf(path, sizeof path, "%s", ps_test_folder());
    for (unsigned depth = 1; depth <= 65; depth++) {
        length += (size_t)snprintf(path + length, sizeof path - length, "/d");
        assert_int_equal(mkdir(path, 0755), 0);
        if (depth < 64)
            continue;
        snprintf(path + length, sizeof path - length, "/file");
        FILE *file = fopen(path, "w");
        assert_non_null(file);
        fclose(file);
        assert_int_equal(first_fetch(&settings, first, sizeof first), 1);
        if (depth == 64)
            assert_string_equal(first, path);
        else
            assert_string_not_equal(first, path);
        path[length] = '\0';
    }
    for (unsigned i = 0; i < 300; i++) {
        char name[16];
        snprintf(name, sizeof name, "f%03u", i);
        ps_test_folder_append(name, "x", 1);
    }
    struct ps_err err = {.length = 0};
    struct ps_tail_thread none = {.helper = NULL};
    struct ps_spool *spool = ps_spool_create(&settings, &err);
    assert_non_null(spool);
    struct ps_spool_fetch *fetch = ps_spool_fetch_of(spool);
    unsigned found = 0;
    do {
        fetch->wanted = PS_SPOOL_FETCH_MAX;
        fetch->list = false;
        for (unsigned i = 0; i < PS_SPOOL_FETCH_MAX; i++)
            fetch->files[i] = &ps_spool_files(spool)[i];
        ps_spool_fetch_prepare(fetch, spool, answer);
        fetch->job.run(&fetch->job);
        found += fetch->found;
        for (unsigned i = 0; i < fetch->found; i++) {
            close(fetch->files[i]->fd);
            fetch->files[i]->fd = -1;
            ps_spool_retire_prepare(fetch->files[i], answer);
            fetch->files[i]->job.run(&fetch->files[i]->job);
            assert_int_equal(fetch->files[i]->end, PS_SPOOL_RETIRED);
        }
    } while (fetch->more);
    assert_int_equal(found, 301);
    ps_spool_leave(spool, &none);
    assert_int_equal(first_fetch(&settings, first, sizeof first), 0); /* all have markers of completion */
    assert_int_equal(ps_test_folder_teardown(NULL), 0);
}

/* As many files as may be open are opened, each once, though each fetch lists the directory anew. */
static void test_all_open(void **unused)
{
    char name[16];
    bool seen[PS_SPOOL_FILES_MAX] = {false};
    assert_int_equal(ps_test_folder_setup(NULL), 0);
    const struct ps_spool_settings settings = {.component = "source s",
                                               .directory = ps_test_folder(),
                                               .tracker = ".track",
                                               .suffix = SUFFIX,
                                               .include = "^.*$",
                                               .ignore = "^$",
                                               .order = PS_SPOOL_RANDOM,
                                               .decompress = PS_SPOOL_DECOMPRESS_NEVER};
    for (unsigned i = 0; i < PS_SPOOL_FILES_MAX; i++) {
        snprintf(name, sizeof name, "%u", i);
        ps_test_folder_append(name, "x", 1);
    }
    struct ps_err err = {.length = 0};
    struct ps_tail_thread none = {.helper = NULL};
    struct ps_spool *spool = ps_spool_create(&settings, &err);
    assert_non_null(spool);
    struct ps_spool_fetch *fetch = ps_spool_fetch_of(spool);
    for (unsigned open = 0; open < PS_SPOOL_FILES_MAX; open += fetch->found) {
        fetch->wanted = PS_SPOOL_FILES_MAX - open < 15 ? PS_SPOOL_FILES_MAX - open : 15;
        fetch->list = true;
        for (unsigned i = 0; i < fetch->wanted; i++)
            fetch->files[i] = &ps_spool_files(spool)[open + i];
        ps_spool_fetch_prepare(fetch, spool, answer);
        fetch->job.run(&fetch->job);
        assert_int_equal(fetch->found, fetch->wanted);
        for (unsigned i = 0; i < fetch->found; i++) {
            unsigned long number = strtoul(fetch->files[i]->name, NULL, 10);
            assert_false(seen[number]);
            seen[number] = true;
        }
    }
    ps_spool_leave(spool, &none);
    assert_int_equal(ps_test_folder_teardown(NULL), 0);
}

/* Many files are left alone in one run: none of them is opened again in it, and all are in the next one. */
static void test_many_left_alone(void **unused)
{
    enum { COUNT = 300 };
    char name[16], first[PATH_BYTES];
    assert_int_equal(ps_test_folder_setup(NULL), 0);
    const struct ps_spool_settings settings = {.component = "source s",
                                               .directory = ps_test_folder(),
                                               .tracker = ".track",
                                               .suffix = SUFFIX,
                                               .include = "^.*$",
                                               .ignore = "^$",
                                               .decompress = PS_SPOOL_DECOMPRESS_NEVER};
    for (unsigned i = 0; i < COUNT; i++) {
        snprintf(name, sizeof name, "f%03u", i);
        ps_test_folder_append(name, "x", 1);
    }
    struct ps_err err = {.length = 0};
    struct ps_tail_thread none = {.helper = NULL};
    struct ps_spool *spool = ps_spool_create(&settings, &err);
    assert_non_null(spool);
    struct ps_spool_fetch *fetch = ps_spool_fetch_of(spool);
    bool seen[COUNT] = {false};
    for (unsigned found = 0; found < COUNT; found += fetch->found) {
        fetch->wanted = PS_SPOOL_FETCH_MAX;
        fetch->list = true;
        for (unsigned i = 0; i < PS_SPOOL_FETCH_MAX; i++)
            fetch->files[i] = &ps_spool_files(spool)[i];
        ps_spool_fetch_prepare(fetch, spool, answer);
        fetch->job.run(&fetch->job);
        assert_true(fetch->found > 0);
        for (unsigned i = 0; i < fetch->found; i++) {
            struct ps_spool_file *file = fetch->files[i];
            unsigned long number = strtoul(file->name + 1, NULL, 10);
            assert_true(number < COUNT && !seen[number]);
            seen[number] = true;
            close(file->fd);
            file->fd = -1;
            file->end = PS_SPOOL_VIOLATED;
            ps_spool_retire_prepare(file, answer);
            file->job.run(&file->job);
        }
    }
    ps_spool_leave(spool, &none);
    assert_int_equal(first_fetch(&settings, first, sizeof first), PS_SPOOL_FETCH_MAX);
    assert_int_equal(ps_test_folder_teardown(NULL), 0);
}

/* Begins a run that opens the only file, at position `start`. */
static struct ps_spool_file *life_begin(const struct ps_spool_settings *settings, uint64_t start)
{
    struct ps_err err = {.length = 0};
    struct ps_spool *spool = ps_spool_create(settings, &err);
    assert_non_null(spool);
    struct ps_spool_fetch *fetch = ps_spool_fetch_of(spool);
    fetch->wanted = 1;
    fetch->list = true;
    fetch->files[0] = ps_spool_files(spool);
    ps_spool_fetch_prepare(fetch, spool, answer);
    fetch->job.run(&fetch->job);
    assert_int_equal(fetch->found, 1);
    assert_int_equal(fetch->files[0]->start, start);
    return fetch->files[0];
}

/* Ends a run after the file was marked at this position or, with `leave`, left alone there. */
static void life_end(struct ps_spool_file *file, uint64_t position, bool leave)
{
    struct ps_tail_thread none = {.helper = NULL};
    struct ps_spool *spool = file->spool;
    struct ps_spool_mark *mark = ps_spool_mark_of(spool);
    if (leave) {
        file->end = PS_SPOOL_VIOLATED;
        file->stop = position;
        ps_spool_retire_prepare(file, answer);
        file->job.run(&file->job);
    } else {
        mark->file = file;
        mark->position = position;
        ps_spool_mark_prepare(mark, spool, answer);
        mark->job.run(&mark->job);
        assert_false(mark->failed);
    }
    ps_spool_leave(spool, &none);
}

/* A file is alternately left alone and continued, over several runs of the agent: the later of its two positions is
 * used, which is the last one of each run. */
static void test_two_positions(void **unused)
{
    char text[100];
    assert_int_equal(ps_test_folder_setup(NULL), 0);
    const struct ps_spool_settings settings = {.component = "source s",
                                               .directory = ps_test_folder(),
                                               .tracker = ".track",
                                               .suffix = SUFFIX,
                                               .include = "^.*$",
                                               .ignore = "^$",
                                               .decompress = PS_SPOOL_DECOMPRESS_NEVER};
    memset(text, 'x', sizeof text);
    ps_test_folder_append("file", text, sizeof text);
    static const struct {
        uint64_t position;
        bool leave;
    } lives[] = {{10, false}, {20, true},  {30, false}, {31, false}, {40, true},
                 {41, true},  {42, false}, {99, true},  {100, false}};
    uint64_t start = 0;
    for (size_t i = 0; i < PS_COUNT_OF(lives); i++) {
        life_end(life_begin(&settings, start), lives[i].position, lives[i].leave);
        start = lives[i].position;
    }
    life_end(life_begin(&settings, start), start, true);
    assert_int_equal(ps_test_folder_teardown(NULL), 0);
}

/* Each wrong directory is refused at the start, and the reason says why. */
static void test_refused(void **unused)
{
    assert_int_equal(ps_test_folder_setup(NULL), 0);
    ps_test_folder_append("file", "x", 1);
    char none[PATH_BYTES], file[PATH_BYTES], below[PATH_BYTES + 8];
    snprintf(none, sizeof none, "%s/none", ps_test_folder());
    snprintf(file, sizeof file, "%s/file", ps_test_folder());
    snprintf(below, sizeof below, "%s/x", file);
    const struct {
        const char *directory, *tracker, *include, *reason;
    } rows[] = {{none, ".t", "^.*$", "Directory does not exist: "},
                {file, ".t", "^.*$", "Path is not a directory: "},
                {below, ".t", "^.*$", "Not a directory"},
                {ps_test_folder(), file, "^.*$", "Specified meta directory is not a directory "},
                {ps_test_folder(), "none/deep", "^.*$", "Unable to mkdir nonexistent meta directory "},
                {ps_test_folder(), ".t", "(", ""}};
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        struct ps_err err = {.length = 0};
        const struct ps_spool_settings settings = {.component = "source s",
                                                   .directory = rows[i].directory,
                                                   .tracker = rows[i].tracker,
                                                   .suffix = SUFFIX,
                                                   .include = rows[i].include,
                                                   .ignore = "^$"};
        assert_null(ps_spool_create(&settings, &err));
        if (strstr(err.text, rows[i].reason) == NULL)
            fail_msg("'%s', not '%s'", err.text, rows[i].reason);
    }
    assert_int_equal(ps_test_folder_teardown(NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_depth_and_count),
                                       cmocka_unit_test(test_all_open),
                                       cmocka_unit_test(test_many_left_alone),
                                       cmocka_unit_test(test_two_positions), cmocka_unit_test(test_refused)};
    ps_log_set_level(PS_LOG_OFF);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
