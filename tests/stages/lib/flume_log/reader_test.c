/* Reads from a Flume file channel the events that were committed and not taken, in order; damaged records are reported
 * and skipped. */
#include "stages/lib/flume_log/reader.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/flume_log.h"
#include "tests/support/folder.h"
#include "tests/support/support.h"

static char reports[64][1024];
static unsigned report_count;

static void note(void *argument, const char *text)
{
    if (report_count < PS_COUNT_OF(reports))
        snprintf(reports[report_count], sizeof reports[0], "%s", text);
    report_count++;
}

static bool reported(const char *text)
{
    for (unsigned i = 0; i < report_count && i < PS_COUNT_OF(reports); i++)
        if (strstr(reports[i], text) != NULL)
            return true;
    return false;
}

/* ---- keys ---- */

static const uint8_t *key_bytes = ps_flume_writer_key; /* the bytes of the only key; NULL: there is no key */

static const struct ps_key *find_key(void *argument, const char *name, struct ps_err *err)
{
    static struct ps_key key;
    if (key_bytes == NULL || strcmp(name, PS_FLUME_WRITER_KEY_NAME) != 0) {
        ps_err_set(err, "there is no key %s", name);
        return NULL;
    }
    key = (struct ps_key){.length = sizeof ps_flume_writer_key};
    snprintf(key.name, sizeof key.name, "%s", name);
    memcpy(key.bytes, key_bytes, key.length);
    return &key;
}

static struct ps_flume_log *open_folder(struct ps_err *err)
{
    static const char *directories[1];
    directories[0] = ps_test_folder();
    report_count = 0;
    struct ps_flume_log_options options = {
        .directories = {1, directories}, .report = note, .keys = {.find = find_key}};
    return ps_flume_log_open(&options, err);
}

/* Returns the bodies of all events, separated by commas. */
static const char *read_all(struct ps_flume_log_found *found)
{
    static char text[4096];
    struct ps_err err = {0};
    struct ps_flume_event event;
    struct ps_flume_log *log = open_folder(&err);
    if (log == NULL)
        fail_msg("%s", err.text);
    text[0] = 0;
    while (ps_flume_log_next(log, &event))
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%.*s", text[0] ? "," : "",
                 (int)event.body.length, event.body.data);
    ps_flume_log_found(log, found);
    ps_flume_log_close(log);
    return text;
}

static uint32_t put(struct ps_flume_writer *writer, uint64_t transaction, const char *body)
{
    return ps_flume_write_put(writer, transaction, body, strlen(body), NULL, NULL);
}

static void test_committed_and_not_taken(void **state)
{
    struct ps_flume_writer one = {.log = 1}, two = {.log = 2};
    struct ps_flume_log_found found;
    uint32_t a = put(&one, 10, "a"), b = put(&one, 10, "b");
    ps_flume_write_end(&one, 10, 1);
    put(&one, 11, "rolled back");
    ps_flume_write_end(&one, 11, 0);
    put(&one, 12, "c");
    put(&one, 13, "open");
    two.order = one.order;
    ps_flume_write_take(&two, 14, 1, a);
    ps_flume_write_end(&two, 14, 2);
    ps_flume_write_take(&two, 15, 1, b);
    ps_flume_write_end(&two, 15, 0);
    put(&two, 16, "d");
    ps_flume_write_end(&two, 16, 1);
    ps_flume_write_end(&two, 12, 1);
    ps_flume_write_take(&two, 17, 1, b); /* not committed */
    ps_flume_writer_save(&one, ps_test_folder(), 100);
    ps_flume_writer_save(&two, ps_test_folder(), 1 << 20);
    assert_string_equal(read_all(&found), "b,d,c"); /* the order of the commits */
    assert_int_equal(found.events, 3);
    assert_int_equal(found.logs, 2);
    assert_int_equal(found.uncommitted, 1);
    assert_int_equal(found.uncertain, 0);
    assert_int_equal(found.damages, 0);
    assert_int_equal(found.events_lost, 0);
    assert_true(reported("the checkpoint is not used: no directory with a checkpoint was named"));
    ps_flume_writer_fini(&one);
    ps_flume_writer_fini(&two);
}

/* The records of two directories are merged by their order. */
static void test_logs_are_merged(void **state)
{
    struct ps_flume_writer one = {.log = 1}, two = {.log = 2};
    struct ps_flume_log_found found;
    char expected[512] = "", body[16];
    for (unsigned i = 0; i < 40; i++) {
        struct ps_flume_writer *to = i * i % 7 < 4 ? &one : &two;
        to->order = 10 * i;
        snprintf(body, sizeof body, "%u", i);
        put(to, i, body);
        ps_flume_write_end(to, i, 1);
        snprintf(expected + strlen(expected), sizeof expected - strlen(expected), "%s%u", i ? "," : "", i);
    }
    ps_flume_writer_save(&one, ps_test_folder(), 0);
    ps_flume_writer_save(&two, ps_test_folder(), 0);
    assert_string_equal(read_all(&found), expected);
    ps_flume_writer_fini(&one);
    ps_flume_writer_fini(&two);
}

static void test_headers_and_large_bodies(void **state)
{
    static char large[3 << 20];
    struct ps_flume_writer one = {.log = 1};
    struct ps_err err = {0};
    struct ps_flume_event event;
    for (size_t i = 0; i < sizeof large; i++)
        large[i] = (char)(i * 31 % 251);
    ps_flume_write_put(&one, 1, large, sizeof large, "h\303\244", "w\342\202\254rt");
    ps_flume_write_put(&one, 1, "", 0, "empty", NULL);
    ps_flume_write_end(&one, 1, 1);
    ps_flume_writer_save(&one, ps_test_folder(), 7);
    struct ps_flume_log *log = open_folder(&err);
    assert_non_null(log);
    assert_true(ps_flume_log_next(log, &event));
    assert_int_equal(event.body.length, sizeof large);
    assert_memory_equal(event.body.data, large, sizeof large);
    assert_int_equal(event.header_count, 1);
    assert_int_equal(event.headers[0].name.length, 3);
    assert_memory_equal(event.headers[0].name.data, "h\303\244", 3);
    assert_memory_equal(event.headers[0].value.data, "w\342\202\254rt", 6);
    assert_true(ps_flume_log_next(log, &event));
    assert_int_equal(event.body.length, 0);
    assert_int_equal(event.headers[0].value.length, 0);
    assert_false(ps_flume_log_next(log, &event));
    ps_flume_log_close(log);
    ps_flume_writer_fini(&one);
}

/* ---- damage ---- */

static void test_damaged_body_is_left_out(void **state)
{
    struct ps_flume_writer one = {.log = 1};
    struct ps_flume_log_found found;
    put(&one, 1, "first");
    uint32_t bad = put(&one, 1, "second");
    put(&one, 1, "third");
    ps_flume_write_end(&one, 1, 1);
    ((uint8_t *)memmem(one.bytes + bad, 100, "second", 6))[2] ^= 1;
    ps_flume_writer_save(&one, ps_test_folder(), 50);
    assert_string_equal(read_all(&found), "first,third");
    assert_int_equal(found.damages, 1);
    char text[64];
    snprintf(text, sizeof text, "log-1, byte %u,", bad);
    assert_true(reported(text));
    assert_true(reported("wrong checksum"));
    ps_flume_writer_fini(&one);
}

/* The commit is missing, so it is unknown whether the events were committed: they count as events of the channel. */
static void test_damaged_commit_keeps_events(void **state)
{
    struct ps_flume_writer one = {.log = 1};
    struct ps_flume_log_found found;
    put(&one, 1, "a");
    uint32_t bad = ps_flume_write_end(&one, 1, 1);
    put(&one, 2, "b");
    ps_flume_write_end(&one, 2, 1);
    put(&one, 3, "open");
    one.bytes[bad + 5] ^= 0x40;
    ps_flume_writer_save(&one, ps_test_folder(), 50);
    assert_string_equal(read_all(&found), "b,a");
    assert_int_equal(found.uncertain, 1);
    assert_int_equal(found.uncommitted, 1);
    ps_flume_writer_fini(&one);
}

static void test_integrity_tool_leaves_noops(void **state)
{
    struct ps_flume_writer one = {.log = 1};
    struct ps_flume_log_found found;
    put(&one, 1, "a");
    uint32_t gone = put(&one, 1, "gone");
    put(&one, 1, "b");
    ps_flume_write_end(&one, 1, 1);
    one.bytes[gone] = 0;
    ps_flume_writer_save(&one, ps_test_folder(), 50);
    assert_string_equal(read_all(&found), "a,b");
    assert_int_equal(found.damages, 0);
    ps_flume_writer_fini(&one);
}

/* One byte of a log is changed, each in turn: at most one event is missing, and it is reported unless the byte was one
 * that Flume does not protect (numbers of transactions and records). Each event that is read has one of the bodies. */
static void flip_each(bool encrypted)
{
    struct ps_flume_writer one = {.log = 1};
    struct ps_flume_log_found found;
    for (uint64_t i = 1; i <= 4; i++) {
        char body[8];
        snprintf(body, sizeof body, "body%u", (unsigned)i);
        put(&one, i, body);
        ps_flume_write_end(&one, i, 1);
    }
    if (encrypted)
        ps_flume_writer_encrypt(&one);
    for (size_t at = 0; at < one.length; at++) {
        uint8_t was = one.bytes[at];
        one.bytes[at] ^= (uint8_t)(1U << at % 8);
        ps_flume_writer_save(&one, ps_test_folder(), 64);
        char *text = (char *)read_all(&found), *rest = NULL;
        unsigned count = 0;
        for (char *word = strtok_r(text, ",", &rest); word != NULL; word = strtok_r(NULL, ",", &rest)) {
            assert_memory_equal(word, "body", 4);
            count++;
        }
        if (count < 3)
            print_message("byte %zu: %s / %s\n", at, text, reports[1]);
        assert_in_range(count, 3, 4);
        if (count < 4 && found.damages == 0 && found.uncommitted == 0)
            fail_msg("byte %zu: an event is gone without a word", at);
        one.bytes[at] = was;
    }
    ps_flume_writer_fini(&one);
}

static void test_flipped_bytes(void **state)
{
    flip_each(false);
}

/* A log that is cut off anywhere is read up to there. */
static void test_cut_logs(void **state)
{
    struct ps_flume_writer one = {.log = 1};
    struct ps_flume_log_found found;
    put(&one, 1, "a");
    ps_flume_write_end(&one, 1, 1);
    size_t first = one.length;
    put(&one, 2, "b");
    ps_flume_write_end(&one, 2, 1);
    size_t whole = one.length;
    for (size_t length = 0; length <= whole; length++) {
        one.length = length;
        ps_flume_writer_save(&one, ps_test_folder(), 0);
        const char *text = read_all(&found);
        if (length == whole)
            assert_string_equal(text, "a,b");
        else if (length >= first)
            assert_memory_equal(text, "a", 1);
    }
    ps_flume_writer_fini(&one);
}

/* ---- encrypted logs ---- */

static void test_encrypted_logs_are_read(void **state)
{
    static char large[300000]; /* longer than a window, and than the first piece of the cipher's stream */
    struct ps_flume_writer one = {.log = 1}, two = {.log = 2};
    struct ps_flume_log_found found;
    struct ps_flume_event event;
    struct ps_err err = {0};
    for (size_t i = 0; i < sizeof large; i++)
        large[i] = (char)(i * 31 % 251);
    uint32_t a = put(&one, 1, "a");
    put(&one, 1, "b");
    uint32_t gone = put(&one, 1, "gone");
    put(&one, 1, "c");
    ps_flume_write_end(&one, 1, 1);
    two.order = one.order;
    ps_flume_write_take(&two, 2, 1, a);
    ps_flume_write_end(&two, 2, 2);
    ps_flume_write_put(&two, 3, large, sizeof large, "name", "value");
    ps_flume_write_end(&two, 3, 1);
    ps_flume_writer_encrypt(&one);
    one.bytes[gone] = 0; /* as Flume's integrity tool does */
    ps_flume_writer_save(&one, ps_test_folder(), 1 << 20);
    ps_flume_writer_save(&two, ps_test_folder(), 1 << 20); /* encryption was switched off after log 1 */
    for (unsigned encrypted = 1; encrypted <= 2; encrypted++) {
        struct ps_flume_log *log = open_folder(&err);
        assert_non_null(log);
        assert_true(ps_flume_log_next(log, &event) && event.body.length == 1 && event.body.data[0] == 'b');
        assert_true(ps_flume_log_next(log, &event) && event.body.length == 1 && event.body.data[0] == 'c');
        assert_true(ps_flume_log_next(log, &event));
        assert_int_equal(event.body.length, sizeof large);
        assert_memory_equal(event.body.data, large, sizeof large);
        assert_memory_equal(event.headers[0].value.data, "value", 5);
        assert_false(ps_flume_log_next(log, &event));
        ps_flume_log_found(log, &found);
        assert_int_equal(found.encrypted_logs, encrypted);
        assert_int_equal(found.damages, 0);
        ps_flume_log_close(log);
        if (encrypted == 1)
            ps_flume_writer_encrypt(&two);
        ps_flume_writer_save(&two, ps_test_folder(), 1 << 20);
    }
    ps_flume_writer_fini(&one);
    ps_flume_writer_fini(&two);
}

static void test_flipped_encrypted_bytes(void **state)
{
    flip_each(true);
}

/* A log whose first record was half written does not prove a wrong key while another log can be read. */
static void test_torn_encrypted_log(void **state)
{
    struct ps_flume_writer one = {.log = 1}, two = {.log = 2};
    struct ps_flume_log_found found;
    put(&one, 1, "a");
    ps_flume_write_end(&one, 1, 1);
    put(&two, 2, "b");
    ps_flume_writer_encrypt(&one);
    ps_flume_writer_encrypt(&two);
    two.length -= 5;
    ps_flume_writer_save(&one, ps_test_folder(), 100);
    ps_flume_writer_save(&two, ps_test_folder(), 100);
    assert_string_equal(read_all(&found), "a");
    assert_int_equal(found.damages, 1);
    ps_flume_writer_fini(&one);
    ps_flume_writer_fini(&two);
}

/* ---- refusals ---- */

static void refuses(const char *reason)
{
    struct ps_err err = {0};
    struct ps_flume_log *log = open_folder(&err);
    if (log != NULL || strstr(err.text, reason) == NULL)
        fail_msg("expected \"%s\", got \"%s\"", reason, err.text);
}

static void save_meta(uint32_t version, int encrypted)
{
    uint8_t meta[128];
    remove(ps_test_folder_path("log-1.meta"));
    ps_test_folder_append("log-1.meta", meta, ps_flume_write_meta(meta, version, 1, encrypted));
}

static void test_old_logs_are_refused(void **state)
{
    struct ps_flume_writer one = {.log = 1};
    struct ps_flume_log_found found;
    put(&one, 1, "a");
    ps_flume_write_end(&one, 1, 1);
    ps_flume_writer_save(&one, ps_test_folder(), 0);
    save_meta(2, 0);
    refuses("the log has version 2");
    remove(ps_test_folder_path("log-1.meta"));
    ps_test_folder_append("log-1.meta", "x", 1);
    assert_string_equal(read_all(&found), "a");
    assert_true(reported("its .meta file is damaged"));
    ps_flume_writer_fini(&one);
}

static void test_wrong_keys_are_refused(void **state)
{
    static const uint8_t another[sizeof ps_flume_writer_key] = "another";
    struct ps_flume_writer one = {.log = 1}, empty = {.log = 2};
    uint8_t meta[128];
    put(&one, 1, "a");
    ps_flume_write_end(&one, 1, 1);
    ps_flume_writer_encrypt(&one);
    ps_flume_writer_save(&one, ps_test_folder(), 100);
    ps_flume_writer_encrypt(&empty); /* a log without records shows nothing about its key */
    ps_flume_writer_save(&empty, ps_test_folder(), 100);
    ps_flume_writer_fini(&empty);
    key_bytes = NULL;
    refuses("the log is encrypted (AESCTRNOPADDING, key key-0): there is no key key-0");
    key_bytes = another;
    refuses("no record of it can be read: key key-0 is not the key of Flume");
    key_bytes = ps_flume_writer_key;
    size_t length = ps_flume_write_meta(meta, 3, 1, 1);
    memcpy(memmem(meta, length, "AESCTR", 6), "AESECB", 6);
    remove(ps_test_folder_path("log-1.meta"));
    ps_test_folder_append("log-1.meta", meta, length);
    refuses("the log is encrypted with AESECBNOPADDING; only AESCTRNOPADDING is read");
    ps_flume_writer_fini(&one);
}

static void test_other_directories_are_refused(void **state)
{
    refuses("has no Flume file channel");
    ps_test_folder_append("checkpoint.meta", "", 0);
    refuses("has no log of a Flume file channel");
}

static void test_channel_in_use_is_refused(void **state)
{
    struct ps_flume_writer one = {.log = 1};
    struct ps_flume_log_found found;
    int ready[2], status;
    char byte, text[64];
    put(&one, 1, "a");
    ps_flume_write_end(&one, 1, 1);
    ps_flume_writer_save(&one, ps_test_folder(), 0);
    ps_flume_writer_fini(&one);
    assert_string_equal(read_all(&found), "a");
    assert_int_not_equal(access(ps_test_folder_path("in_use.lock"), F_OK), 0);
    assert_int_equal(pipe(ready), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) { /* a lock like that of Java's FileChannel.tryLock */
        struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
        int fd = open(ps_test_folder_path("in_use.lock"), O_RDWR | O_CREAT, 0644);
        if (fcntl(fd, F_SETLK, &lock) != 0 || write(ready[1], "x", 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    snprintf(text, sizeof text, "is in use by process %ld", (long)child);
    refuses(text);
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_string_equal(read_all(&found), "a");
    assert_int_equal(access(ps_test_folder_path("in_use.lock"), F_OK), 0); /* Flume's lock file stays */
    close(ready[0]);
    close(ready[1]);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, ps_test_folder_setup, ps_test_folder_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_committed_and_not_taken),
        TEST(test_logs_are_merged),
        TEST(test_headers_and_large_bodies),
        TEST(test_damaged_body_is_left_out),
        TEST(test_damaged_commit_keeps_events),
        TEST(test_integrity_tool_leaves_noops),
        TEST(test_flipped_bytes),
        TEST(test_cut_logs),
        TEST(test_encrypted_logs_are_read),
        TEST(test_flipped_encrypted_bytes),
        TEST(test_torn_encrypted_log),
        TEST(test_old_logs_are_refused),
        TEST(test_wrong_keys_are_refused),
        TEST(test_other_directories_are_refused),
        TEST(test_channel_in_use_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
