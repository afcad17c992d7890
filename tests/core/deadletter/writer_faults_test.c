/* The writer of dead letters while the system fails: each of its calls and allocations once, at every point of a small
 * workload. A letter that is reported as written is in a file, whole; none is there more than twice; and a second failure is
 * treated like the first. */
#include "core/deadletter/writer.h"
#include "core/log/log.h"
#include "tests/support/allocations.h"
#include "tests/support/folder.h"
#include "tests/support/system_calls.h"

#include <glob.h>

#define LETTERS 6U

/* Counts how often each letter is in the files of the folder. A line that is not whole may only be the last one of its file. */
static void count_letters(unsigned *times)
{
    char pattern[512], line[1024];
    glob_t files;
    memset(times, 0, LETTERS * sizeof *times);
    snprintf(pattern, sizeof pattern, "%s/dead/*.jsonl", ps_test_folder());
    if (glob(pattern, 0, NULL, &files) != 0)
        return;
    for (size_t i = 0; i < files.gl_pathc; i++) {
        bool torn = false;
        FILE *in = fopen(files.gl_pathv[i], "r");
        assert_non_null(in);
        while (fgets(line, sizeof line, in) != NULL) {
            assert_false(torn);
            const char *body = strstr(line, "\"body\":\"letter ");
            torn = strchr(line, '\n') == NULL;
            if (torn)
                continue;
            assert_non_null(body);
            unsigned long number = strtoul(body + strlen("\"body\":\"letter "), NULL, 10);
            assert_true(number < LETTERS);
            times[number]++;
        }
        fclose(in);
    }
    globfree(&files);
}

static uint64_t put(struct ps_dead_letter_queue *queue, unsigned number)
{
    char body[32];
    int length = snprintf(body, sizeof body, "letter %u", number);
    return ps_dead_letter_queue_put(queue, &(struct ps_dead_letter){.component = "sink k",
                                                                    .reason = {"test", "a test", 1},
                                                                    .bytes = body,
                                                                    .length = (size_t)length});
}

/* Makes the call with number `call`, or the allocation with number `allocation`, counted from here, fail. */
static void fail_at(uint64_t call, uint64_t allocation, int error)
{
    ps_test_call_error = error;
    ps_test_call_failed = NULL;
    ps_test_call_fails = call;
    ps_test_allocation_fails = allocation;
}

/* Returns whether the failure is still to come, and cancels it. */
static bool is_pending(void)
{
    bool pending = ps_test_call_fails > 0 || ps_test_allocation_fails > 0;
    ps_test_call_fails = ps_test_allocation_fails = 0;
    return pending;
}

/* Writes all letters; the queue is opened before the failure is armed, or after. Returns false when the failure did not come. */
static bool run(uint64_t call, uint64_t allocation, int error, bool opened_before)
{
    unsigned times[LETTERS];
    struct ps_err err = {0};
    char directory[256];
    assert_int_equal(ps_test_folder_setup(NULL), 0);
    snprintf(directory, sizeof directory, "%s/dead", ps_test_folder());
    struct ps_dead_letters *letters = ps_dead_letters_create(true);
    struct ps_dead_letter_queue *queue = NULL;
    if (!opened_before)
        fail_at(call, allocation, error);
    for (unsigned tries = 0; queue == NULL; tries++) {
        assert_true(tries < 3);
        queue = ps_dead_letter_queue_open(letters, directory, "a", -1, &err);
        assert_true(queue != NULL || err.length > 0);
    }
    if (opened_before)
        fail_at(call, allocation, error);
    for (unsigned number = 0; number < LETTERS; number++) {
        for (unsigned tries = 0; put(queue, number) == 0; tries++)
            assert_true(tries < 3);
        for (unsigned tries = 0; ps_dead_letter_queue_written(queue) <= number; tries++)
            assert_true(tries < 3);
        uint64_t left = ps_test_call_fails, left_allocations = ps_test_allocation_fails;
        ps_test_call_fails = ps_test_allocation_fails = 0; /* not those of this test */
        count_letters(times);
        for (unsigned one = 0; one < LETTERS; one++) {
            if (times[one] < (one <= number ? 1U : 0U) || times[one] > 2)
                fail_msg("letter %u is there %u times after %u were written; %s failed", one, times[one],
                         number + 1, ps_test_call_failed != NULL ? ps_test_call_failed : "an allocation");
        }
        ps_test_call_fails = left;
        ps_test_allocation_fails = left_allocations;
    }
    bool pending = is_pending();
    ps_dead_letter_queue_close(queue);
    ps_dead_letters_destroy(letters);
    assert_int_equal(ps_test_folder_teardown(NULL), 0);
    return !pending;
}

static void test_each_call_fails(void **unused)
{
    static const int errors[] = {EIO, ENOSPC, EACCES};
    for (size_t i = 0; i < PS_COUNT_OF(errors); i++) {
        uint64_t nth = 1;
        for (; run(nth, 0, errors[i], false); nth++)
            ;
        assert_in_range(nth, 10, 200);
    }
}

/* Fails the allocations of a letter: without memory while a stage is opened the engine ends the process. */
static void test_each_allocation_fails(void **unused)
{
    uint64_t nth = 1;
    for (; PS_TEST_ALLOCATIONS && run(0, nth, ENOMEM, true); nth++)
        ;
    assert_true(!PS_TEST_ALLOCATIONS || nth > LETTERS);
}

static size_t count_files(void)
{
    char pattern[512];
    glob_t files;
    snprintf(pattern, sizeof pattern, "%s/dead/*", ps_test_folder());
    size_t count = glob(pattern, 0, NULL, &files) == 0 ? files.gl_pathc : 0;
    globfree(&files);
    return count;
}

/* The disk cannot sync for a long time, recovers, and fails again: the letters that wait leave no file each time, and the second failure
 * costs as many calls and files as the first one. */
static void test_fails_recovers_and_fails_again(void **unused)
{
    unsigned times[LETTERS];
    struct ps_err err = {0};
    char directory[256];
    uint64_t calls[2];
    size_t files[2];
    snprintf(directory, sizeof directory, "%s/dead", ps_test_folder());
    struct ps_dead_letters *letters = ps_dead_letters_create(true);
    struct ps_dead_letter_queue *queue = ps_dead_letter_queue_open(letters, directory, "a", -1, &err);
    assert_non_null(queue);
    assert_int_equal(put(queue, 0), 1);
    for (unsigned round = 0; round < 2; round++) {
        uint64_t before = ps_test_call_count;
        size_t files_before = count_files();
        ps_test_call_error = EIO;
        ps_test_call_broken = "fdatasync";
        assert_int_equal(put(queue, 1 + round), 2 + round);
        for (unsigned tries = 0; tries < 20; tries++)
            assert_int_equal(ps_dead_letter_queue_written(queue), 1 + round);
        ps_test_call_broken = NULL;
        assert_int_equal(ps_dead_letter_queue_written(queue), 2 + round);
        calls[round] = ps_test_call_count - before;
        files[round] = count_files() - files_before;
    }
    assert_int_equal(calls[0], calls[1]);
    assert_int_equal(files[0], files[1]);
    assert_in_range(files[0], 1, 2);
    count_letters(times);
    for (unsigned one = 0; one < 3; one++)
        assert_in_range(times[one], 1, 2);
    ps_dead_letter_queue_close(queue);
    ps_dead_letters_destroy(letters);
}

/* A directory whose name could not be synced is made again by the next try. */
static void test_directory_whose_name_is_not_synced(void **unused)
{
    struct ps_err err = {0};
    char directory[256];
    snprintf(directory, sizeof directory, "%s/dead", ps_test_folder());
    struct ps_dead_letters *letters = ps_dead_letters_create(true);
    ps_test_call_error = EIO; /* not EACCES, which does not count as a failure of the directory above */
    ps_test_call_broken = "fsync";
    assert_null(ps_dead_letter_queue_open(letters, directory, "a", -1, &err));
    ps_test_call_broken = NULL;
    assert_int_equal(access(directory, F_OK), -1);
    struct ps_dead_letter_queue *queue = ps_dead_letter_queue_open(letters, directory, "a", -1, &err);
    assert_non_null(queue);
    ps_dead_letter_queue_close(queue);
    ps_dead_letters_destroy(letters);
}

static bool said(const char *text)
{
    char log[4096];
    FILE *in = fopen(ps_test_folder_path("log"), "r");
    assert_non_null(in);
    log[fread(log, 1, sizeof log - 1, in)] = '\0';
    fclose(in);
    return strstr(log, text) != NULL;
}

/* Letters that could not be written until the end are counted, for each directory. */
static void test_not_written_at_the_end(void **unused)
{
    static const struct {
        unsigned letters[2];
        const char *text[2];
    } rows[] = {{{1, 0}, {"1 dead letter was not written into", NULL}},
                {{2, 3}, {"2 dead letters were not written into", "3 dead letters were not written into"}}};
    for (size_t i = 0; i < 2 * PS_COUNT_OF(rows); i++) {
        struct ps_err err = {0};
        char directories[2][256], away[2][300], line[600];
        struct ps_dead_letter_queue *queues[2];
        assert_int_equal(ps_test_folder_setup(NULL), 0);
        struct ps_dead_letters *letters = ps_dead_letters_create(i % 2 == 0);
        for (unsigned d = 0; d < 2; d++) {
            snprintf(directories[d], sizeof directories[d], "%s/dead%u", ps_test_folder(), d);
            snprintf(away[d], sizeof away[d], "%s.away", directories[d]);
            queues[d] = ps_dead_letter_queue_open(letters, directories[d], "a", -1, &err);
            assert_non_null(queues[d]);
            assert_int_equal(rename(directories[d], away[d]), 0);
            ps_test_folder_append(d == 0 ? "dead0" : "dead1", "", 0); /* a file has its name */
        }
        ps_log_set_level(PS_LOG_ERROR);
        assert_int_equal(ps_log_open(ps_test_folder_path("log"), &err), PS_OK);
        for (unsigned d = 0; d < 2; d++) {
            for (unsigned number = 0; number < rows[i / 2].letters[d]; number++)
                assert_int_equal(put(queues[d], number), number + 1);
            ps_dead_letter_queue_close(queues[d]);
        }
        ps_dead_letters_destroy(letters);
        assert_int_equal(ps_log_open(NULL, &err), PS_OK);
        ps_log_set_level(PS_LOG_OFF);
        for (unsigned d = 0; d < 2; d++) {
            const char *text = rows[i / 2].text[d];
            snprintf(line, sizeof line, "%s %s\n", text != NULL ? text : "not written into", directories[d]);
            if (said(line) != (text != NULL))
                fail_msg("%u letters: %s", rows[i / 2].letters[d], line);
        }
        assert_int_equal(ps_test_folder_teardown(NULL), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_call_fails),
        cmocka_unit_test(test_each_allocation_fails),
        cmocka_unit_test(test_not_written_at_the_end),
        cmocka_unit_test_setup_teardown(test_directory_whose_name_is_not_synced, ps_test_folder_setup,
                                        ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_fails_recovers_and_fails_again, ps_test_folder_setup,
                                        ps_test_folder_teardown),
    };
    ps_log_set_level(PS_LOG_OFF);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
