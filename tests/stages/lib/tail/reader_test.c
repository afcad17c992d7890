#include "stages/lib/tail/reader.h"
#include "stages/lib/tail/identity.h"
#include "stages/lib/tail/notify.h"
#include "tests/support/folder.h"
#include "tests/support/support.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

static struct ps_tail_thread thread;
static struct ps_tail_reader reader;
static int wake_fd;

static int setup(void **state)
{
    struct ps_err err;
    ps_test_folder_setup(state);
    wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    assert_true(wake_fd >= 0);
    assert_int_equal(ps_tail_thread_start(&thread, "tail", wake_fd, NULL, &err), PS_OK);
    ps_tail_reader_init(&reader, &thread);
    return 0;
}

static int teardown(void **state)
{
    ps_tail_thread_stop(&thread, PS_THREAD_PATIENT);
    close(wake_fd);
    return ps_test_folder_teardown(state);
}

static char *make_content(const char *name, size_t length)
{
    char *content = malloc(length);
    assert_non_null(content);
    for (size_t i = 0; i < length; i++)
        content[i] = (char)('a' + i % 23);
    ps_test_folder_append(name, content, length);
    return content;
}

static struct ps_tail_file open_file(const char *name, bool by_thread)
{
    struct ps_tail_file file;
    int fd = ps_tail_open(ps_test_folder_path(name));
    assert_true(fd >= 0);
    ps_tail_file_set(&file, fd, by_thread ? PS_TAIL_THREAD : ps_tail_way_of(fd));
    return file;
}

/* Reads, and waits for the thread. */
static ssize_t read_patiently(struct ps_tail_file *file, char *to, size_t room, uint64_t offset)
{
    ssize_t length;
    while ((length = ps_tail_read(&reader, file, to, room, offset)) < 0 && errno == EAGAIN)
        assert_true(ps_tail_thread_wait(&thread, PS_TEST_PATIENCE_MS) > 0);
    return length;
}

static void read_all(bool by_thread)
{
    size_t size = 3 * PS_TAIL_FETCH_BYTES + 12345, at = 0;
    char *content = make_content("file", size), *back = malloc(size);
    struct ps_tail_file file = open_file("file", by_thread);
    assert_non_null(back);
    while (at < size) {
        ssize_t length = read_patiently(&file, back + at, size - at < 100000 ? size - at : 100000, at);
        assert_true(length > 0);
        at += (size_t)length;
        assert_true(at == size || !file.ended); /* the end of a part is not the end of the file */
    }
    assert_memory_equal(content, back, size);
    assert_int_equal(read_patiently(&file, back, 10, size), 0);
    ps_test_folder_append("file", "more", 4);
    assert_int_equal(read_patiently(&file, back, 10, size), 4);
    assert_memory_equal(back, "more", 4);
    /* a lower offset */
    assert_int_equal(read_patiently(&file, back, 10, 5), 10);
    assert_memory_equal(back, content + 5, 10);
    ps_tail_file_close(&reader, &file);
    assert_int_equal(file.fd, -1);
    free(content);
    free(back);
}

static void test_reads_from_memory(void **unused)
{
    read_all(false);
}

static void test_reads_on_the_thread(void **unused)
{
    read_all(true);
}

static void test_error_of_the_thread(void **unused)
{
    char byte;
    struct ps_tail_file file;
    ps_tail_file_set(&file, open(ps_test_folder(), O_RDONLY | O_CLOEXEC), PS_TAIL_THREAD);
    assert_int_equal(read_patiently(&file, &byte, 1, 0), -1);
    assert_int_equal(errno, EISDIR);
    ps_tail_file_close(&reader, &file);
}

static void test_many_fetches(void **unused)
{
    char byte;
    struct ps_tail_file files[PS_TAIL_FETCHES_MAX + 1];
    free(make_content("file", 100));
    for (size_t i = 0; i < PS_COUNT_OF(files); i++)
        files[i] = open_file("file", true);
    for (size_t i = 0; i < PS_COUNT_OF(files); i++) {
        assert_int_equal(ps_tail_read(&reader, &files[i], &byte, 1, 0), -1);
        assert_int_equal(errno, EAGAIN);
    }
    assert_true(reader.crowded);
    for (size_t i = 0; i < PS_COUNT_OF(files); i++) {
        assert_int_equal(read_patiently(&files[i], &byte, 1, 0), 1);
        assert_int_equal(byte, 'a');
        ps_tail_file_close(&reader, &files[i]); /* frees its fetch */
    }
    assert_int_equal(reader.fetch_count, 0);
}

static void test_closed_while_it_is_read(void **unused)
{
    char byte;
    free(make_content("file", 100));
    struct ps_tail_file file = open_file("file", true);
    assert_int_equal(ps_tail_read(&reader, &file, &byte, 1, 0), -1);
    ps_tail_file_close(&reader, &file);
    while (!ps_tail_thread_is_idle(&thread))
        ps_tail_thread_wait(&thread, PS_TEST_PATIENCE_MS);
    assert_int_equal(reader.fetch_count, 0);
}

static void count_answer(void *owner, struct ps_tail_job *job)
{
    (*(unsigned *)(void *)(job + 1))++;
    free(job);
}

static void count_run(struct ps_tail_job *job)
{
}

static void count_discard(struct ps_tail_job *job)
{
    free(job);
}

static void test_more_jobs_than_room(void **unused)
{
    unsigned answers = 0;
    for (unsigned i = 0; i < 2000; i++) {
        struct ps_tail_job *job = calloc(1, sizeof *job + sizeof(unsigned));
        assert_non_null(job);
        *job = (struct ps_tail_job){.run = count_run, .answer = count_answer, .discard = count_discard};
        ps_tail_thread_ask(&thread, job);
    }
    while (answers < 2000) {
        unsigned count = ps_tail_thread_wait(&thread, PS_TEST_PATIENCE_MS);
        assert_true(count > 0);
        answers += count;
    }
    assert_true(ps_tail_thread_is_idle(&thread));
}

static void test_what_is_no_file(void **unused)
{
    assert_int_equal(mkfifo(ps_test_folder_path("fifo"), 0600), 0);
    assert_int_equal(ps_tail_open(ps_test_folder_path("fifo")), -1);
    assert_int_equal(errno, ENOTSUP);
    assert_int_equal(ps_tail_open(ps_test_folder_path("missing")), -1);
    assert_int_equal(errno, ENOENT);
}

static void test_identity(void **unused)
{
    struct ps_tail_identity identity, again;
    int64_t size;
    free(make_content("file", 100));
    free(make_content("copy", 100));
    int fd = ps_tail_open(ps_test_folder_path("file")), copy = ps_tail_open(ps_test_folder_path("copy"));
    assert_true(ps_tail_identity_read(fd, &identity, &size));
    assert_int_equal(size, 100);
    assert_int_equal(identity.head_length, 100);
    assert_true(ps_tail_identity_read(copy, &again, NULL));
    assert_true(again.head == identity.head);
    assert_false(ps_tail_identity_is_inode(&identity, again.device, again.inode));
    assert_int_equal(ps_tail_identity_begins(copy, &identity), PS_TAIL_SEEN_SAME);
    free(make_content("file", 5000)); /* it grows and still begins in the same way */
    assert_int_equal(ps_tail_identity_begins(fd, &identity), PS_TAIL_SEEN_SAME);
    assert_true(ps_tail_identity_read(fd, &identity, NULL));
    assert_int_equal(identity.head_length, PS_TAIL_HEAD_BYTES);
    assert_int_equal(ps_tail_identity_begins(copy, &identity), PS_TAIL_SEEN_OTHER); /* shorter */
    assert_int_equal(truncate(ps_test_folder_path("file"), 0), 0);
    assert_int_equal(ps_tail_identity_begins(fd, &identity), PS_TAIL_SEEN_OTHER);
    ps_test_folder_append("file", "other", 5);
    assert_true(ps_tail_identity_read(fd, &again, NULL));
    assert_true(again.head == ps_tail_head("other", 5));
    close(fd);
    close(copy);
}

static unsigned seen;
static char seen_name[256], seen_from[256];

static void happened(void *argument, int watch, unsigned what, const char *name, const char *from)
{
    assert_int_equal(watch, *(int *)argument);
    if (from != NULL)
        snprintf(seen_from, sizeof seen_from, "%s", from);
    seen |= what;
    if (name != NULL)
        snprintf(seen_name, sizeof seen_name, "%s", name);
}

static void wait_for(int fd, int *watch, unsigned what)
{
    seen = 0;
    while ((seen & what) == 0) {
        struct pollfd ready = {.fd = fd, .events = POLLIN};
        assert_int_equal(poll(&ready, 1, (int)PS_TEST_PATIENCE_MS), 1);
        assert_true(ps_tail_notify_read(fd, happened, watch));
    }
}

static void test_notify(void **unused)
{
    int fd = ps_tail_notify_open();
    if (fd < 0)
        ps_test_skip("inotify: the user has too many instances");
    int watch = ps_tail_notify_add(fd, ps_test_folder(), false);
    assert_true(watch >= 0);
    assert_true(ps_tail_notify_works(ps_test_folder()));
    assert_false(ps_tail_notify_read(fd, happened, &watch));
    ps_test_folder_append("file", "x", 1);
    wait_for(fd, &watch, PS_TAIL_WRITTEN);
    assert_string_equal(seen_name, "file");
    assert_int_equal(truncate(ps_test_folder_path("file"), 0), 0);
    wait_for(fd, &watch, PS_TAIL_WRITTEN);
    assert_int_equal(rename(ps_test_folder_path("file"), ps_test_folder_path("file.1")), 0);
    wait_for(fd, &watch, PS_TAIL_NAMES);
    while (strcmp(seen_name, "file.1") != 0)
        wait_for(fd, &watch, PS_TAIL_NAMES);
    assert_string_equal(seen_from, "file");
    int single = ps_tail_notify_add(fd, ps_test_folder_path("file.1"), true);
    assert_true(single >= 0 && single != watch);
    ps_tail_notify_remove(fd, watch);
    while (ps_tail_notify_read(fd, happened, &watch)) /* the last events of the watch */
        ;
    ps_test_folder_append("file.1", "x", 1);
    wait_for(fd, &single, PS_TAIL_WRITTEN);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_reads_from_memory, setup, teardown),
        cmocka_unit_test_setup_teardown(test_reads_on_the_thread, setup, teardown),
        cmocka_unit_test_setup_teardown(test_error_of_the_thread, setup, teardown),
        cmocka_unit_test_setup_teardown(test_many_fetches, setup, teardown),
        cmocka_unit_test_setup_teardown(test_closed_while_it_is_read, setup, teardown),
        cmocka_unit_test_setup_teardown(test_more_jobs_than_room, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_is_no_file, setup, teardown),
        cmocka_unit_test_setup_teardown(test_identity, setup, teardown),
        cmocka_unit_test_setup_teardown(test_notify, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
