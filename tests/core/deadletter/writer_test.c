/* The writer of dead letters with threads: letters that count as written are in a file, in the order of each queue; a
 * directory that fails holds up only its own letters, and loses none. */
#include "core/deadletter/writer.h"
#include "core/log/log.h"
#include "tests/support/folder.h"
#include "tests/support/support.h"

#include <glob.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define PATIENCE_MS PS_TEST_PATIENCE_MS

static uint64_t put(struct ps_dead_letter_queue *queue, const char *component, unsigned number)
{
    char body[32];
    int length = snprintf(body, sizeof body, "%u", number);
    return ps_dead_letter_queue_put(queue, &(struct ps_dead_letter){.component = component,
                                                                    .reason = {"test", "a test", 1},
                                                                    .bytes = body,
                                                                    .length = (size_t)length});
}

static void await_written(const struct ps_dead_letter_queue *queue, uint64_t number)
{
    for (unsigned ms = 0; ps_dead_letter_queue_written(queue) < number; ms++) {
        assert_true(ms < PATIENCE_MS);
        usleep(1000);
    }
}

/* Checks that the component's letters in the directory are 0, 1, .. in order. Returns how many there are. While the writer
 * writes for others, a file may end in a part of a line: the kernel shows a write page by page. */
static unsigned count_letters_now(const char *directory, const char *component, bool others_write)
{
    char pattern[512], want[64], line[1024];
    unsigned count = 0;
    glob_t files;
    snprintf(pattern, sizeof pattern, "%s/*.jsonl", directory);
    snprintf(want, sizeof want, "\"component\":\"%s\"", component);
    if (glob(pattern, 0, NULL, &files) != 0)
        return 0;
    for (size_t i = 0; i < files.gl_pathc; i++) {
        FILE *in = fopen(files.gl_pathv[i], "r");
        assert_non_null(in);
        while (fgets(line, sizeof line, in) != NULL) {
            if (others_write && strchr(line, '\n') == NULL)
                break;
            const char *body = strstr(line, "\"body\":\"");
            assert_non_null(body);
            assert_non_null(strstr(line, "}\n"));
            if (strstr(line, want) != NULL)
                assert_int_equal(strtoul(body + 8, NULL, 10), count++);
        }
        fclose(in);
    }
    globfree(&files);
    return count;
}

static unsigned count_letters(const char *directory, const char *component)
{
    return count_letters_now(directory, component, false);
}

struct producer {
    struct ps_dead_letters *letters;
    char directory[256], name[32];
    unsigned count;
};

static void *produce(void *argument)
{
    struct producer *producer = argument;
    struct ps_err err = {0};
    int wake = eventfd(0, EFD_NONBLOCK);
    struct ps_dead_letter_queue *queue =
        ps_dead_letter_queue_open(producer->letters, producer->directory, "a", wake, &err);
    assert_non_null(queue);
    for (unsigned i = 0; i < producer->count; i++) {
        while (!ps_dead_letter_queue_has_room(queue))
            usleep(100);
        assert_int_equal(put(queue, producer->name, i), i + 1);
        assert_int_equal(ps_dead_letter_queue_sent(queue), i + 1);
    }
    while (ps_dead_letter_queue_written(queue) <
           producer->count / 2) { /* the rest is closed with the queue */
        struct pollfd fd = {.fd = wake, .events = POLLIN};
        uint64_t news;
        assert_int_equal(poll(&fd, 1, PATIENCE_MS), 1);
        assert_int_equal(read(wake, &news, sizeof news), sizeof news);
    }
    assert_true(count_letters_now(producer->directory, producer->name, true) >= producer->count / 2);
    ps_dead_letter_queue_close(queue);
    close(wake);
    return NULL;
}

static void test_threads(void **state)
{
    struct producer producers[6];
    pthread_t threads[6];
    struct ps_dead_letters *letters = ps_dead_letters_create(false);
    for (unsigned i = 0; i < PS_COUNT_OF(producers); i++) {
        struct producer *producer = &producers[i];
        *producer = (struct producer){.letters = letters, .count = 3000};
        snprintf(producer->name, sizeof producer->name, "sink k%u", i);
        snprintf(producer->directory, sizeof producer->directory, "%s",
                 ps_test_folder_path(i % 2 == 0 ? "even" : "odd"));
        assert_int_equal(pthread_create(&threads[i], NULL, produce, producer), 0);
    }
    for (unsigned i = 0; i < PS_COUNT_OF(producers); i++)
        pthread_join(threads[i], NULL);
    ps_dead_letters_destroy(letters);
    for (unsigned i = 0; i < PS_COUNT_OF(producers); i++)
        assert_int_equal(count_letters(producers[i].directory, producers[i].name), producers[i].count);
}

static void test_directory_fails(void **state)
{
    struct ps_err err = {0};
    char bad[256], good[256], away[256];
    snprintf(bad, sizeof bad, "%s", ps_test_folder_path("bad"));
    snprintf(good, sizeof good, "%s", ps_test_folder_path("good"));
    snprintf(away, sizeof away, "%s", ps_test_folder_path("away"));
    struct ps_dead_letters *letters = ps_dead_letters_create(false);
    struct ps_dead_letter_queue *first = ps_dead_letter_queue_open(letters, bad, "a", -1, &err);
    struct ps_dead_letter_queue *second = ps_dead_letter_queue_open(letters, good, "a", -1, &err);
    assert_non_null(first);
    assert_non_null(second);
    assert_int_equal(rename(bad, away), 0);
    ps_test_folder_append("bad", "", 0); /* a file in its place */
    for (unsigned i = 0; i < 3000; i++)
        assert_int_equal(put(first, "sink bad", i), i + 1);
    for (unsigned i = 0; i < 10; i++)
        put(second, "sink good", i);
    await_written(second, 10);
    assert_int_equal(ps_dead_letter_queue_written(first), 0);
    assert_int_equal(count_letters(good, "sink good"), 10);
    assert_int_equal(unlink(bad), 0);
    assert_int_equal(rename(away, bad), 0);
    await_written(first, 3000);
    assert_int_equal(count_letters(bad, "sink bad"), 3000);
    ps_dead_letter_queue_close(first);
    ps_dead_letter_queue_close(second);
    ps_dead_letters_destroy(letters);
}

/* The limit counts the waiting bytes. The queue reports it, and does not enforce it. */
static void test_room(void **state)
{
    struct ps_err err = {0};
    char path[256], away[256];
    static char large[1 << 20];
    snprintf(path, sizeof path, "%s", ps_test_folder_path("room"));
    snprintf(away, sizeof away, "%s", ps_test_folder_path("room-away"));
    memset(large, 'x', sizeof large);
    struct ps_dead_letters *letters = ps_dead_letters_create(false);
    struct ps_dead_letter_queue *queue = ps_dead_letter_queue_open(letters, path, "a", -1, &err);
    assert_non_null(queue);
    assert_int_equal(rename(path, away), 0);
    ps_test_folder_append("room", "", 0);
    unsigned count = 0;
    for (; ps_dead_letter_queue_has_room(queue); count++)
        assert_int_not_equal(
            ps_dead_letter_queue_put(queue, &(struct ps_dead_letter){.component = "s",
                                                                     .reason = {"test", "", 0},
                                                                     .bytes = large,
                                                                     .length = sizeof large}),
            0);
    assert_int_equal(count, PS_DEAD_LETTERS_BYTES_MAX / sizeof large);
    assert_int_equal(unlink(path), 0);
    await_written(queue, count);
    assert_true(ps_dead_letter_queue_has_room(queue));
    ps_dead_letter_queue_close(queue);
    ps_dead_letters_destroy(letters);
}

/* A letter that cannot be written at the end does not count as written, and does not hold up the end. */
static void test_ends_without_directory(void **state)
{
    struct ps_err err = {0};
    char path[256], away[256];
    snprintf(path, sizeof path, "%s", ps_test_folder_path("end"));
    snprintf(away, sizeof away, "%s", ps_test_folder_path("end-away"));
    struct ps_dead_letters *letters = ps_dead_letters_create(false);
    struct ps_dead_letter_queue *queue = ps_dead_letter_queue_open(letters, path, "a", -1, &err);
    assert_int_equal(rename(path, away), 0);
    ps_test_folder_append("end", "", 0);
    for (unsigned i = 0; i < 5; i++)
        put(queue, "s", i);
    usleep(20000);
    assert_int_equal(ps_dead_letter_queue_written(queue), 0);
    ps_dead_letter_queue_close(queue);
    ps_dead_letters_destroy(letters);
    assert_int_equal(count_letters(away, "s"), 0);
}

static void test_synchronous(void **state)
{
    struct ps_err err = {0};
    struct ps_dead_letters *letters = ps_dead_letters_create(true);
    struct ps_dead_letter_queue *queue =
        ps_dead_letter_queue_open(letters, ps_test_folder_path("sync"), "a", -1, &err);
    assert_non_null(queue);
    for (unsigned i = 0; i < 3; i++) {
        put(queue, "s", i);
        assert_int_equal(ps_dead_letter_queue_written(queue), i + 1);
        assert_int_equal(count_letters(ps_test_folder_path("sync"), "s"), i + 1);
    }
    ps_dead_letter_queue_close(queue);
    assert_null(ps_dead_letter_queue_open(letters, ps_test_folder_path("no/parent"), "a", -1, &err));
    assert_non_null(strstr(err.text, "penstock.deadletter"));
    ps_dead_letters_destroy(letters);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_threads, ps_test_folder_setup, ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_directory_fails, ps_test_folder_setup, ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_room, ps_test_folder_setup, ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_ends_without_directory, ps_test_folder_setup,
                                        ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_synchronous, ps_test_folder_setup, ps_test_folder_teardown),
    };
    ps_log_set_level(PS_LOG_OFF);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
