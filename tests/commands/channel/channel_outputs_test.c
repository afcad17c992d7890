/* Whole outputs of `penstock channel`: data/channel.txt, data/usage.txt. */
#include "stages/lib/queue/segment/events.h"
#include "stages/lib/queue/segment/log.h"
#include "tests/support/flume_log.h"
#include "tests/commands/penstock.h"
#include "tests/support/folder.h"
#include "tests/support/support.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static void append(struct ps_segment_log *log, struct ps_events_encoder *encoder, unsigned number)
{
    struct ps_segment_place place;
    struct ps_err err = {0};
    char body[32];
    ps_events_begin(encoder);
    ps_events_shared(encoder, "host", 4, "web\"1", 5);
    for (unsigned i = 0; i < 2; i++) {
        int length = snprintf(body, sizeof body, "%u.%u", number, i);
        ps_events_add(encoder, number == 2 && i == 1 ? "\xff\0\xfe" : body,
                      number == 2 && i == 1 ? 3 : (uint32_t)length, i + 1);
        ps_events_header(encoder, "number", 6, body, (uint32_t)length);
        if (i == 1) /* the event's own value instead of the shared one; no text in the third frame */
            ps_events_header(encoder, "host", 4, number == 3 ? "\xff" : "own", number == 3 ? 1 : 3);
    }
    const char *payload = ps_events_end(encoder);
    assert_int_equal(ps_segment_log_append(log, payload, (uint32_t)encoder->length, encoder->count,
                                           encoder->body_bytes, &place, &err),
                     PS_OK);
    assert_int_equal(ps_segment_log_sync(log, &err), PS_OK);
}

/* `make DIR FRAMES TAKEN`: a channel with frames of two events, of which the first TAKEN were delivered. */
static int make(int argc, char **argv)
{
    char data[256], checkpoint[256];
    const char *directories[1] = {data};
    struct ps_err err = {0};
    struct ps_segment_place place;
    struct ps_events_encoder encoder = {0};
    snprintf(data, sizeof data, "%s/data", argv[1]);
    snprintf(checkpoint, sizeof checkpoint, "%s/checkpoint", argv[1]);
    assert_true(mkdir(argv[1], 0750) == 0 && mkdir(data, 0750) == 0 && mkdir(checkpoint, 0750) == 0);
    const struct ps_segment_options options = {.directories = {1, directories},
                                               .state_directory = checkpoint,
                                               .segment_bytes = 1024,
                                               .files = &ps_segment_disk};
    struct ps_segment_log *log = ps_segment_log_open(&options, &err);
    assert_non_null(log);
    for (int number = 1; number <= atoi(argv[2]); number++)
        append(log, &encoder, (unsigned)number);
    for (int i = 0; i < atoi(argv[3]); i++) {
        assert_int_equal(ps_segment_log_feed(log, &place, NULL), PS_SEGMENT_FED);
        ps_segment_log_take(log, &place);
    }
    ps_segment_log_close(log);
    ps_events_encoder_fini(&encoder);
    return 0;
}

/* `flume DIR [damaged|encrypted]`: a file channel of Flume: three events, one of them taken, and one that was never committed. */
static int flume(int argc, char **argv)
{
    struct ps_flume_writer writer = {.log = 1};
    assert_int_equal(mkdir(argv[1], 0750), 0);
    uint32_t first = ps_flume_write_put(&writer, 1, "one", 3, "host", "h1");
    ps_flume_write_put(&writer, 1, "two", 3, NULL, NULL);
    ps_flume_write_put(&writer, 1, "three", 5, "host", "h3");
    ps_flume_write_end(&writer, 1, 1);
    ps_flume_write_take(&writer, 2, 1, first);
    ps_flume_write_end(&writer, 2, 2);
    ps_flume_write_put(&writer, 3, "open", 4, NULL, NULL);
    if (argc > 2 && strcmp(argv[2], "damaged") == 0)
        writer.bytes[writer.length / 3] ^= 0xff;
    if (argc > 2 && strcmp(argv[2], "encrypted") == 0)
        ps_flume_writer_encrypt(&writer);
    ps_flume_writer_save(&writer, argv[1], 100);
    ps_flume_writer_fini(&writer);
    return 0;
}

/* `flip FILE BYTE`: changes one byte. */
static int flip(int argc, char **argv)
{
    char byte;
    int fd = open(argv[1], O_RDWR);
    off_t at = atol(argv[2]);
    assert_true(fd >= 0 && pread(fd, &byte, 1, at) == 1);
    byte = (char)~byte;
    assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    return close(fd);
}

/* `cut FILE LENGTH` */
static int cut(int argc, char **argv)
{
    return truncate(argv[1], atol(argv[2])) == 0 ? 0 : 1;
}

/* `key FILE`: a key of 16 bytes. */
static int key(int argc, char **argv)
{
    int fd = open(argv[1], O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_int_equal(write(fd, ps_flume_writer_key, sizeof ps_flume_writer_key), sizeof ps_flume_writer_key);
    return close(fd);
}

/* `copy FROM TO` */
static int copy(int argc, char **argv)
{
    static char bytes[1 << 20];
    FILE *from = fopen(argv[1], "re"), *to = fopen(argv[2], "we");
    assert_true(from != NULL && to != NULL);
    size_t length = fread(bytes, 1, sizeof bytes, from);
    assert_int_equal(fwrite(bytes, 1, length, to), length);
    return fclose(from) + fclose(to);
}

static int drop(int argc, char **argv)
{
    return unlink(argv[1]);
}

static const struct ps_test_output_command commands[] = {{"penstock", ps_test_penstock},
                                                         {"make", make},
                                                         {"flume", flume},
                                                         {"flip", flip},
                                                         {"cut", cut},
                                                         {"copy", copy},
                                                         {"drop", drop},
                                                         {"key", key},
                                                         {NULL, NULL}};

static void test_channel(void **state)
{
    ps_test_outputs("tests/commands/channel/data/channel.txt", commands);
}

static void test_import(void **state)
{
    ps_test_outputs("tests/commands/channel/data/import.txt", commands);
}

static void test_usage(void **state)
{
    ps_test_outputs("tests/commands/channel/data/usage.txt", commands);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, ps_test_folder_setup, ps_test_folder_teardown)
    const struct CMUnitTest tests[] = {TEST(test_channel), TEST(test_import), TEST(test_usage)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
