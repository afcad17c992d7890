/* For the tests of the source taildir: a source of the files app.* of the test's folder. */
#pragma once

#include "tests/support/folder.h"
#include "tests/support/stage.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static struct ps_test_stage stage;
static char pattern[512], positions[512];

static inline int setup(void **state)
{
    ps_test_folder_setup(state);
    snprintf(pattern, sizeof pattern, "%s/app.*", ps_test_folder());
    snprintf(positions, sizeof positions, "%s/state/positions.json", ps_test_folder());
    return 0;
}

static inline void append(const char *name, const char *text)
{
    ps_test_folder_append(name, text, strlen(text));
}

static inline void move(const char *from, const char *to)
{
    assert_int_equal(rename(ps_test_folder_path(from), ps_test_folder_path(to)), 0);
}

/* PS_START("key", "value", ..): the source of all files app.*, with further keys. */
static inline void start_with(const char *const *keys)
{
    const char *all[64] = {NULL};
    size_t count = 0;
    for (; *keys != NULL; keys++) /* the first value of a key counts */
        all[count++] = *keys;
    const char *const usual[] = {"filegroups", "g", "filegroups.g", pattern, "positionFile", positions};
    memcpy(&all[count], usual, sizeof usual);
    ps_test_stage_start(&stage, &ps_source_taildir, all);
}
#define PS_START(...) start_with(PS_KEYS(__VA_ARGS__))

static inline void restart(void)
{
    ps_test_stage_close(&stage);
    ps_test_source_clear(&stage);
    assert_int_equal(ps_test_stage_open(&stage), PS_OK);
}

/* Waits for these lines, separated by blanks, and forgets them. */
static inline void expect(const char *lines)
{
    char text[4096] = "";
    size_t count = 0;
    for (const char *at = lines; *at != '\0'; at++)
        count += at == lines || *at == ' ';
    ps_test_source_wait(&stage, count, PS_TEST_PATIENCE_MS);
    for (size_t i = 0; i < stage.event_count; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s", i > 0 ? " " : "",
                 stage.events[i].body);
    assert_string_equal(text, lines);
    ps_test_source_clear(&stage);
}

/* Works until this many files are open. */
static inline void wait_for_open(unsigned count)
{
    uint64_t until = ps_test_patience_end_ns();
    while (ps_test_stage_counter(&stage, PS_COUNTER_extra + 1) != count) {
        ps_test_source_settle(&stage, 0, 10);
        assert_true(ps_test_patient_ns() < until);
    }
}

static inline void expect_nothing(void)
{
    ps_test_source_settle(&stage, 0, 100);
}

static inline char *read_positions(void)
{
    static char text[4096];
    FILE *file = fopen(positions, "r");
    assert_non_null(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    return text;
}

static inline void write_positions(const char *text)
{
    (void)mkdir(ps_test_folder_path("state"), 0700);
    FILE *file = fopen(positions, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

/* Sets the position file's modification time, and the time in the identities. */
static inline void positions_are_of(time_t saved)
{
    static char text[1 << 20];
    const struct timespec times[2] = {{.tv_sec = saved}, {.tv_sec = saved}};
    const char *path = ps_test_folder_path("state/positions.json.identities");
    FILE *file = fopen(path, "r+");
    assert_non_null(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    char *written = strstr(text, "\"written\":");
    assert_non_null(written);
    snprintf(written, (size_t)(text + sizeof text - written), "\"written\":%lld000}]\n", (long long)saved);
    rewind(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(utimensat(AT_FDCWD, positions, times, 0), 0);
}

/* The same, and the positions become those of a version that does not write when their files were made. */
static inline void positions_are_of_older_version(time_t saved)
{
    static char text[1 << 20];
    const char *path = ps_test_folder_path("state/positions.json.identities");
    positions_are_of(saved);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    for (char *born; (born = strstr(text, ",\"born\":")) != NULL;) {
        const char *after = born + 1 + strcspn(born + 1, ",}");
        memmove(born, after, strlen(after) + 1);
    }
    file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static inline unsigned long inode_of(const char *name)
{
    struct stat status;
    assert_int_equal(stat(ps_test_folder_path(name), &status), 0);
    return (unsigned long)status.st_ino;
}

/* Works, and delivers what is read, until the saved position of the file is its end. */
static inline void await_saved(const char *name)
{
    char wanted[700];
    struct stat status;
    uint64_t until = ps_test_patience_end_ns();
    assert_int_equal(stat(ps_test_folder_path(name), &status), 0);
    snprintf(wanted, sizeof wanted, "\"pos\":%lld,\"file\":\"%s\"", (long long)status.st_size,
             ps_test_folder_path(name));
    while (access(positions, F_OK) != 0 || strstr(read_positions(), wanted) == NULL) {
        ps_test_stage_pass_ms(&stage, 10);
        (void)ps_test_source_work(&stage);
        ps_test_source_close_batch(&stage);
        usleep(500);
        assert_true(ps_test_patient_ns() < until);
    }
}

/* Works until the counter has reached this value; the open batch is not delivered. */
static inline void work_until(enum ps_counter counter, uint64_t value)
{
    uint64_t until = ps_test_patience_end_ns();
    while (ps_test_stage_counter(&stage, counter) < value) {
        ps_test_stage_real_clock(&stage);
        (void)ps_test_source_work(&stage);
        assert_true(ps_test_patient_ns() < until);
    }
}
