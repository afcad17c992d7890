/* Read errors of the disk with Flume's channel: each read fails once, and the import fails with the file's name. A read error is
 * never taken for damage, for the end of a log or for a missing checkpoint: either all events come, or an error. */
#include "stages/lib/flume_log/reader.h"

#include <errno.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/support/flume_log.h"
#include "tests/support/folder.h"
#include "tests/support/support.h"

static unsigned reads, fail_at;
static unsigned report_count;

/* Replaces libc's pread: the reader is linked with this program. */
ssize_t pread(int fd, void *to, size_t length, off_t offset)
{
    if (++reads == fail_at) {
        errno = EIO;
        return -1;
    }
    return syscall(SYS_pread64, fd, to, length, offset);
}

ssize_t __pread_chk(int fd, void *to, size_t length, off_t offset, size_t room);
ssize_t __pread_chk(int fd, void *to, size_t length, off_t offset, size_t room)
{
    assert_true(length <= room);
    return pread(fd, to, length, offset);
}

static void note(void *argument, const char *text)
{
    report_count++;
}

#define EVENTS 300U
#define BODY_BYTES 3000U /* a log is longer than what is read at once */

static void make_logs(bool encrypted)
{
    static char body[BODY_BYTES];
    for (uint32_t number = 1; number <= 2; number++) {
        struct ps_flume_writer writer = {.log = number, .order = number * 100000};
        for (unsigned i = 0; i < EVENTS; i++) {
            snprintf(body, sizeof body, "%u of log %u", i, number);
            (void)ps_flume_write_put(&writer, 1000 * number + i, body, sizeof body, "name", "value");
            (void)ps_flume_write_end(&writer, 1000 * number + i, 1);
        }
        if (encrypted)
            ps_flume_writer_encrypt(&writer);
        ps_flume_writer_save(&writer, ps_test_folder(), 5000);
        ps_flume_writer_fini(&writer);
    }
}

static const struct ps_key *find_key(void *argument, const char *name, struct ps_err *err)
{
    static struct ps_key key = {.length = sizeof ps_flume_writer_key};
    snprintf(key.name, sizeof key.name, "%s", name);
    memcpy(key.bytes, ps_flume_writer_key, key.length);
    return &key;
}

/* Returns how many events came; sets *whole if there was no error. */
static unsigned read_all(bool *whole, struct ps_err *err)
{
    static const char *directories[1];
    directories[0] = ps_test_folder();
    struct ps_flume_log_options options = {
        .directories = {1, directories}, .report = note, .keys = {.find = find_key}};
    unsigned count = 0;
    reads = report_count = 0;
    struct ps_flume_event event;
    struct ps_flume_log *log = ps_flume_log_open(&options, err);
    *whole = log != NULL;
    if (log == NULL)
        return 0;
    while (ps_flume_log_next(log, &event)) {
        assert_int_equal(event.body.length, BODY_BYTES);
        count++;
    }
    *whole = ps_flume_log_end(log, err) == PS_OK;
    struct ps_flume_log_found found;
    ps_flume_log_found(log, &found);
    assert_int_equal(found.damages + found.events_lost, 0);
    ps_flume_log_close(log);
    return count;
}

static void each_read_fails(bool encrypted)
{
    struct ps_err err = {0};
    bool whole = false;
    make_logs(encrypted);
    fail_at = 0;
    assert_int_equal(read_all(&whole, &err), 2 * EVENTS);
    assert_true(whole);
    unsigned all = reads;
    assert_true(all > 10);
    for (fail_at = 1; fail_at <= all; fail_at++) {
        unsigned count = read_all(&whole, &err);
        if (whole && count != 2 * EVENTS)
            fail_msg("read %u fails: %u events came without a word", fail_at, count);
        if (!whole && strstr(err.text, "cannot be read: Input/output error") == NULL)
            fail_msg("read %u fails: %s", fail_at, err.text);
        assert_true(report_count <= 1); /* the missing checkpoint */
    }
}

static void test_plain(void **state)
{
    each_read_fails(false);
}

static void test_encrypted(void **state)
{
    each_read_fails(true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_plain, ps_test_folder_setup, ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_encrypted, ps_test_folder_setup, ps_test_folder_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
