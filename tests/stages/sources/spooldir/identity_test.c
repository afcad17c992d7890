/* Source spooldir whose events have identities, in random histories: files are put into the directory, read in part, delivered in part, and
 * written over while the agent is down; it is killed, and started again with the same or with other settings of the deserializer. Two events
 * never have the same identity; an event that comes again has the one that it had, unless the settings were changed. */
#include "stages/lib/spool/numbers.h"
#include "tests/support/folder.h"
#include "tests/support/stage.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define ROUNDS 4U
#define STEPS 60U
#define LINES_MAX 8192U

static struct ps_test_stage stage;
static uint64_t state;

static uint64_t draw(uint64_t below)
{
    return ps_test_random(&state) % below;
}

static struct {
    char identity[64]; /* "": it did not come */
    unsigned settings; /* how often the settings were changed before it came */
} lines[LINES_MAX];
static unsigned line_count, settings_count, file_count, came_again, chars_max = 100;

/* ---- the directory ---- */

static void write_lines(const char *path, unsigned count)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    for (; count > 0 && line_count < LINES_MAX; count--)
        fprintf(file, "%u\n", 10000 + line_count++);
    assert_int_equal(fclose(file), 0);
}

static void put_file(void)
{
    char from[512], name[32];
    snprintf(from, sizeof from, "%s", ps_test_folder_path(".put"));
    write_lines(from, (unsigned)draw(draw(4) == 0 ? 2000 : 20));
    snprintf(name, sizeof name, "file%04u", file_count++);
    assert_int_equal(rename(from, ps_test_folder_path(name)), 0);
}

/* Writes a file over that is not retired yet, with as many bytes and the same time of modification. */
static void write_over(void)
{
    DIR *directory = opendir(ps_test_folder());
    assert_non_null(directory);
    for (const struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        struct stat status;
        const char *path = ps_test_folder_path(entry->d_name);
        if (strncmp(entry->d_name, "file", 4) != 0 || strlen(entry->d_name) != 8 || draw(2) == 0)
            continue;
        assert_int_equal(stat(path, &status), 0);
        write_lines(path, (unsigned)status.st_size / 6);
        const struct timespec times[2] = {status.st_mtim, status.st_mtim};
        assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
    }
    closedir(directory);
}

/* ---- events ---- */

static void take(void)
{
    for (size_t i = 0; i < stage.event_count; i++) {
        const struct ps_test_event *event = &stage.events[i];
        if (event->length == 0) { /* of an empty file */
            assert_string_not_equal(event->identity, "");
            continue;
        }
        unsigned number = (unsigned)strtoul(event->body, NULL, 10) - 10000;
        assert_true(number < line_count);
        assert_int_equal(strncmp(event->identity, "spooldir:", 9), 0);
        for (unsigned other = 0; other < line_count; other++)
            if (other != number && strcmp(lines[other].identity, event->identity) == 0)
                fail_msg("lines %u and %u have the identity %s", other, number, event->identity);
        if (lines[number].identity[0] == '\0' || lines[number].settings != settings_count) {
            snprintf(lines[number].identity, sizeof lines[number].identity, "%s", event->identity);
            lines[number].settings = settings_count;
        } else {
            came_again++;
            assert_string_equal(event->identity, lines[number].identity);
        }
    }
    ps_test_source_clear(&stage);
}

static void work(unsigned calls)
{
    for (; calls > 0; calls--) {
        if (ps_test_source_work(&stage) == PS_IDLE)
            usleep(300);
        ps_test_stage_pass_ms(&stage, draw(2) == 0 ? 1 : 20);
        if (draw(3) == 0)
            ps_test_source_close_batch(&stage);
    }
    take();
}

static void start(void)
{
    char length[16];
    snprintf(length, sizeof length, "%u", chars_max);
    ps_test_stage_start_identities(&stage, &ps_source_spooldir,
                                   PS_KEYS("spoolDir", ps_test_folder(), "pollDelay", "10", "batchSize", "30",
                                           "penstock.onFileError", "skip", "deserializer.maxLineLength",
                                           length));
}

/* The process dies: what it has read and not delivered, or not written to the meta file, is read again. */
static void kill_and_start(void)
{
    for (uint64_t calls = draw(6); calls > 0; calls--)
        if (ps_test_source_work(&stage) == PS_IDLE)
            usleep(300);
    ps_test_source_close_batch(&stage); /* delivered, and not written to the meta file yet */
    take();
    ps_test_stage_fini(&stage);
    if (draw(4) == 0)
        write_over();
    if (draw(4) == 0) {
        chars_max++;
        settings_count++;
    }
    start();
}

static void test_histories(void **unused)
{
    state = ps_test_seed() | 1;
    came_again = 0;
    /* On a busy machine the thread that opens files may have opened none before each kill of a round. */
    for (unsigned round = 0; round < ROUNDS || (came_again == 0 && round < 20 * ROUNDS); round++) {
        assert_int_equal(ps_test_folder_setup(NULL), 0);
        memset(lines, 0, sizeof lines);
        line_count = settings_count = file_count = 0;
        chars_max = 100;
        start();
        for (unsigned step = 0; step < STEPS; step++) {
            uint64_t what = draw(10);
            if (what < 4)
                put_file();
            else if (what < 9)
                work((unsigned)draw(30));
            else
                kill_and_start();
        }
        ps_test_stage_fini(&stage);
        assert_int_equal(ps_test_folder_teardown(NULL), 0);
    }
    assert_true(came_again > 0);
}

/* ---- single cases ---- */

static void wait_for(size_t count)
{
    ps_test_source_wait(&stage, count, PS_TEST_PATIENCE_MS);
    assert_int_equal(stage.event_count, count);
}

static const char *numbers_path(void)
{
    return ps_test_folder_path(".flumespool/" PS_SPOOL_NUMBERS_NAME);
}

/* The number is on the disk before an event comes; the position is the number of the event in its file. */
static void test_number_and_position(void **unused)
{
    char text[1024] = "", number[64];
    ps_test_folder_append("file", "one\ntwo\n", 8);
    start();
    wait_for(2);
    assert_string_equal(stage.events[0].identity + 25, "/0");
    assert_string_equal(stage.events[1].identity + 25, "/1");
    assert_int_equal(strncmp(stage.events[0].identity, stage.events[1].identity, 26), 0);
    FILE *file = fopen(numbers_path(), "r");
    assert_non_null(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    snprintf(number, sizeof number, "\"number\":%lld}",
             (long long)strtoull(stage.events[0].identity + 9, NULL, 16));
    assert_non_null(strstr(text, number));
    ps_test_stage_fini(&stage);
}

/* Without a sink that reads identities there are none, and no file for the numbers. */
static void test_nobody_asked(void **unused)
{
    ps_test_folder_append("file", "one\n", 4);
    ps_test_stage_start(&stage, &ps_source_spooldir,
                        PS_KEYS("spoolDir", ps_test_folder(), "pollDelay", "10"));
    wait_for(1);
    assert_string_equal(stage.events[0].identity, "");
    assert_int_equal(access(numbers_path(), F_OK), -1);
    ps_test_stage_fini(&stage);
}

/* The file of the numbers cannot be written: events come without identities. */
static void test_cannot_be_written(void **unused)
{
    assert_int_equal(mkdir(ps_test_folder_path(".flumespool"), 0755), 0);
    assert_int_equal(mkdir(numbers_path(), 0755), 0);
    ps_test_folder_append("file1", "one\n", 4);
    start();
    wait_for(1);
    assert_string_equal(stage.events[0].identity, "");
    assert_int_equal(rmdir(numbers_path()), 0);
    ps_test_folder_append(".put", "two\n", 4);
    char from[512];
    snprintf(from, sizeof from, "%s", ps_test_folder_path(".put"));
    assert_int_equal(rename(from, ps_test_folder_path("file2")), 0);
    wait_for(2);
    assert_string_equal(stage.events[1].identity + 25, "/0");
    ps_test_stage_fini(&stage);
}

/* Two links of one file share a number; neither has one that is not on the disk. */
static void test_links_without_number(void **unused)
{
    assert_int_equal(mkdir(ps_test_folder_path(".flumespool"), 0755), 0);
    assert_int_equal(mkdir(numbers_path(), 0755), 0);
    ps_test_folder_append("file1", "one\n", 4);
    char from[512];
    snprintf(from, sizeof from, "%s", ps_test_folder_path("file1"));
    assert_int_equal(link(from, ps_test_folder_path("file2")), 0);
    start();
    wait_for(2);
    assert_string_equal(stage.events[0].identity, "");
    assert_string_equal(stage.events[1].identity, "");
    ps_test_stage_fini(&stage);
}

/* The text of the file: what was printed is parsed; a mistake ends it. */
static void test_text(void **unused)
{
    char *text;
    size_t length;
    struct ps_spool_number items[] = {{1, 2, {3, 4}, 5, 6}, {7, UINT64_MAX, {8, 9}, 10, UINT64_MAX - 1}};
    struct ps_spool_numbers numbers = {.items = items, .count = 2}, parsed = {.items = NULL};
    FILE *out = open_memstream(&text, &length);
    ps_spool_numbers_print(&numbers, out);
    assert_int_equal(fclose(out), 0);
    ps_spool_numbers_parse(&parsed, text, length);
    assert_int_equal(parsed.count, 2);
    assert_memory_equal(parsed.items, items, sizeof items);
    ps_spool_numbers_free(&parsed);
    for (size_t cut = 0; cut < length; cut++) {
        ps_spool_numbers_parse(&parsed, text, cut);
        assert_true(parsed.count <= 2 && (cut + 3 < length || parsed.count >= 1));
        ps_spool_numbers_free(&parsed);
    }
    free(text);
    static const char newer[] =
        "[{\"more\":[{}],\"device\":1,\"inode\":2,\"size\":3,\"changed\":4,\"settings\":5,\"number\":6}]";
    ps_spool_numbers_parse(&parsed, newer, strlen(newer));
    assert_int_equal(parsed.count, 1);
    ps_spool_numbers_free(&parsed);
    static const char older[] = "[{\"device\":1,\"inode\":2,\"size\":3,\"changed\":4,\"number\":6}]";
    ps_spool_numbers_parse(&parsed, older, strlen(older));
    assert_int_equal(parsed.count, 0);
    ps_spool_numbers_free(&parsed);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, ps_test_folder_setup, ps_test_folder_teardown)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_histories), TEST(test_number_and_position),  TEST(test_nobody_asked),
        TEST(test_cannot_be_written),     TEST(test_links_without_number), cmocka_unit_test(test_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
