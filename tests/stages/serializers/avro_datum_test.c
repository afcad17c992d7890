/* Serializer avro_datum: bodies are in Avro files unchanged; schemas by text, by URL and by key; events that wait, need
 * another file, or are refused. Files are read back with the container's reader. */
#include "stages/lib/avro/container.h"
#include "stages/lib/avro/codec/codec.h"
#include "stages/lib/byte_buffer.h"
#include "tests/support/allocations.h"
#include "tests/support/stage.h"

#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define TEXT_SCHEMA "{\"type\": \"string\"}"
#define RECORD_SCHEMA "{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"a\",\"type\":\"long\"}]}"

struct file {
    struct ps_output output;
    struct ps_byte_buffer bytes;
};

static bool file_write(struct ps_output *output, const void *data, size_t length)
{
    return ps_byte_buffer_append(&((struct file *)(void *)output)->bytes, data, length);
}

struct fixture {
    struct ps_test_stage stage;
    struct file file;
};

static void begin(struct fixture *fixture)
{
    ps_byte_buffer_clear(&fixture->file.bytes, 0);
    assert_true(fixture->stage.ops->serializer->begin(fixture->stage.plan, fixture->stage.state,
                                                      &fixture->file.output));
}

static void fixture_init(struct fixture *fixture, const char *const *keys)
{
    *fixture = (struct fixture){.file.output.write = file_write};
    ps_test_stage_start(&fixture->stage, &ps_serializer_avro_datum, keys);
    begin(fixture);
}

static void fixture_fini(struct fixture *fixture)
{
    ps_test_stage_fini(&fixture->stage);
    ps_byte_buffer_clear(&fixture->file.bytes, 0);
}

/* Writes the event if it is ready. */
static enum ps_serializer_answer add(struct fixture *fixture, struct ps_test_event event)
{
    const struct ps_serializer_ops *ops = fixture->stage.ops->serializer;
    struct ps_lease *lease = ps_test_lease(&fixture->stage, &event, 1);
    const struct ps_event *one = ps_lease_event(lease, 0);
    enum ps_serializer_answer answer =
        ops->ready(fixture->stage.plan, fixture->stage.state, lease->batch, one, &fixture->stage.err);
    assert_true(ops->event(fixture->stage.plan, fixture->stage.state, lease->batch, one,
                           &fixture->file.output) == (answer == PS_SERIALIZER_READY) ||
                answer == PS_SERIALIZER_NEW_FILE);
    ps_test_stage_recycle(&fixture->stage);
    return answer;
}

static enum ps_serializer_answer ask(struct fixture *fixture, struct ps_test_event event)
{
    struct ps_lease *lease = ps_test_lease(&fixture->stage, &event, 1);
    enum ps_serializer_answer answer =
        fixture->stage.ops->serializer->ready(fixture->stage.plan, fixture->stage.state, lease->batch,
                                              ps_lease_event(lease, 0), &fixture->stage.err);
    ps_test_stage_recycle(&fixture->stage);
    return answer;
}

static void flush(struct fixture *fixture)
{
    assert_true(fixture->stage.ops->serializer->flush(fixture->stage.plan, fixture->stage.state,
                                                      &fixture->file.output));
}

/* Asserts that the file has this schema and one block of these bytes. */
static void assert_file(struct fixture *fixture, const char *schema, const char *codec, int64_t count,
                        const char *records)
{
    struct ps_avro_container container;
    struct ps_avro_block block;
    struct ps_slice value;
    const uint8_t *bytes = (const uint8_t *)fixture->file.bytes.data;
    size_t length = fixture->file.bytes.length;
    assert_int_equal(ps_avro_container_open(bytes, length, &container), PS_AVRO_CONTAINER_OK);
    assert_true(ps_avro_container_meta(&container, "avro.schema", &value));
    assert_int_equal(value.length, strlen(schema));
    assert_memory_equal(value.data, schema, value.length);
    assert_true(ps_avro_container_meta(&container, "avro.codec", &value));
    assert_int_equal(value.length, strlen(codec));
    assert_memory_equal(value.data, codec, value.length);
    assert_int_equal(ps_avro_container_block(&container, bytes + container.length, length - container.length,
                                             SIZE_MAX / 2, &block),
                     PS_AVRO_CONTAINER_OK);
    assert_int_equal(block.record_count, count);
    assert_int_equal(container.length + block.length, length);
    if (strcmp(codec, "null") == 0) {
        assert_int_equal(block.data_length, strlen(records));
        assert_memory_equal(block.data, records, block.data_length);
    }
}

static void test_literal(void **unused)
{
    struct fixture fixture;
    fixture_init(&fixture, NULL);
    struct ps_test_event one = PS_EVENT("\x06one", "flume.avro.schema.literal", TEXT_SCHEMA);
    assert_int_equal(add(&fixture, one), PS_SERIALIZER_READY);
    assert_int_equal(add(&fixture, PS_BODY("\x06two")), PS_SERIALIZER_READY); /* without a schema of its own:
                                                                               * that of the file counts */
    flush(&fixture);
    assert_file(&fixture, TEXT_SCHEMA, "null", 2, "\x06one\x06two");
    fixture_fini(&fixture);
}

static void test_another_schema(void **unused)
{
    struct fixture fixture;
    fixture_init(&fixture, PS_KEYS("compressionCodec", "deflate"));
    assert_int_equal(add(&fixture, PS_EVENT("\x06one", "flume.avro.schema.literal", TEXT_SCHEMA)),
                     PS_SERIALIZER_READY);
    flush(&fixture);
    assert_int_equal(ask(&fixture, PS_EVENT("\x02", "flume.avro.schema.literal", RECORD_SCHEMA)),
                     PS_SERIALIZER_NEW_FILE);
    assert_file(&fixture, TEXT_SCHEMA, "deflate", 1, "");
    begin(&fixture);
    assert_int_equal(add(&fixture, PS_EVENT("\x02", "flume.avro.schema.literal", RECORD_SCHEMA)),
                     PS_SERIALIZER_READY);
    flush(&fixture);
    assert_file(&fixture, RECORD_SCHEMA, "deflate", 1, "");
    fixture_fini(&fixture);
}

static void test_refused(void **unused)
{
    struct fixture fixture;
    fixture_init(&fixture, NULL);
    assert_int_equal(add(&fixture, PS_BODY("x")), PS_SERIALIZER_REFUSED);
    assert_non_null(strstr(fixture.stage.err.text, "flume.avro.schema.url"));
    assert_int_equal(add(&fixture, PS_EVENT("x", "flume.avro.schema.literal", "{\"type\":")),
                     PS_SERIALIZER_REFUSED);
    assert_int_equal(add(&fixture, PS_EVENT("x", "flume.avro.schema.literal", "")), PS_SERIALIZER_REFUSED);
    assert_int_equal(fixture.file.bytes.length, 0);
    assert_int_equal(add(&fixture, PS_EVENT("\x06one", "flume.avro.schema.literal", TEXT_SCHEMA)),
                     PS_SERIALIZER_READY);
    fixture_fini(&fixture);
}

/* Without memory for the text of a schema the event waits. */
static void test_no_memory_for_a_schema(void **unused)
{
    const struct ps_test_event one = PS_EVENT("\x06one", "flume.avro.schema.literal", TEXT_SCHEMA);
    struct fixture fixture;
    if (!PS_TEST_ALLOCATIONS)
        ps_test_skip("the sanitizer has its own allocator");
    fixture_init(&fixture, NULL);
    uint64_t before = ps_test_allocation_count;
    assert_int_equal(ask(&fixture, one), PS_SERIALIZER_READY);
    uint64_t all = ps_test_allocation_count - before; /* the last one is the copy of the text */
    fixture_fini(&fixture);
    fixture_init(&fixture, NULL);
    ps_test_allocation_fails = all;
    assert_int_equal(ask(&fixture, one), PS_SERIALIZER_LATER);
    assert_int_equal(ps_test_allocation_fails, 0);
    assert_int_equal(ask(&fixture, one), PS_SERIALIZER_READY);
    fixture_fini(&fixture);
}

/* Returns how a process ends in which the nth allocation for the schema fails; its exit status is 0 unless the event is refused. */
static int ask_without_memory(unsigned nth, struct ps_test_event event)
{
    int status;
    fflush(stdout);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct fixture fixture;
        signal(SIGABRT, SIG_DFL); /* cmocka has a handler of its own */
        fixture_init(&fixture, NULL);
        ps_test_allocation_fails = nth;
        enum ps_serializer_answer answer = ask(&fixture, event);
        ps_test_allocation_fails = 0;
        _exit(answer == PS_SERIALIZER_READY || answer == PS_SERIALIZER_LATER ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

/* Without memory in the middle of a schema the process ends: a good schema is never taken for a bad one, which would make a dead
 * letter of its event. */
static void test_no_memory_in_a_schema(void **unused)
{
    static const char schema[] =
        "{\"type\":\"record\",\"name\":\"a_name_that_is_longer_than_a_first_buffer\","
        "\"fields\":[{\"name\":\"a\",\"type\":\"long\",\"default\":12345678901234567},"
        "{\"name\":\"b\",\"type\":{\"type\":\"array\",\"items\":\"string\"}}]}";
    const struct ps_test_event one = PS_EVENT("\x06one", "flume.avro.schema.literal", schema);
    struct fixture fixture;
    unsigned ended = 0;
    if (!PS_TEST_ALLOCATIONS)
        ps_test_skip("the sanitizer has its own allocator");
    fixture_init(&fixture, NULL);
    uint64_t before = ps_test_allocation_count;
    assert_int_equal(ask(&fixture, one), PS_SERIALIZER_READY);
    unsigned all = (unsigned)(ps_test_allocation_count - before);
    fixture_fini(&fixture);
    for (unsigned nth = 1; nth <= all; nth++) {
        int status = ask_without_memory(nth, one);
        bool aborted = WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
        ended += aborted;
        if (!aborted && status != 0)
            fail_msg("allocation %u of %u: status %d", nth, all, status);
    }
    assert_in_range(ended, 1, all - 1);
}

static void write_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_true(file != NULL && fputs(text, file) >= 0 && fclose(file) == 0);
}

/* Asks until the schema is read: the port's wake_fd says when to ask again. */
static void await_answer(struct fixture *fixture, struct ps_test_event event,
                         enum ps_serializer_answer answer)
{
    while (ask(fixture, event) == PS_SERIALIZER_LATER) {
        struct pollfd woken = {.fd = fixture->stage.port.wake_fd, .events = POLLIN};
        assert_int_equal(poll(&woken, 1, PS_TEST_PATIENCE_MS), 1);
    }
    assert_int_equal(ask(fixture, event), answer);
}

static void await_ready(struct fixture *fixture, struct ps_test_event event)
{
    await_answer(fixture, event, PS_SERIALIZER_READY);
}

/* The URL in the key gives the schema; a URL in an event's header overrides it, and the literal in the header. A file
 * is read once. */
static void test_url(void **unused)
{
    struct fixture fixture;
    char folder[] = "/tmp/penstock-avro-datum-XXXXXX", by_key[128], by_header[128], url_key[160],
         url_header[160];
    assert_non_null(mkdtemp(folder));
    (void)snprintf(by_key, sizeof by_key, "%s/key.avsc", folder);
    (void)snprintf(by_header, sizeof by_header, "%s/header.avsc", folder);
    (void)snprintf(url_key, sizeof url_key, "file://%s", by_key);
    (void)snprintf(url_header, sizeof url_header, "file://%s", by_header);
    write_text(by_key, TEXT_SCHEMA);
    write_text(by_header, RECORD_SCHEMA);
    fixture_init(&fixture, PS_KEYS("schemaURL", url_key));
    int own = fixture.stage.port.wake_fd, woken = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    fixture.stage.port.wake_fd = woken;
    await_ready(&fixture, PS_BODY("\x06one"));
    assert_int_equal(add(&fixture, PS_BODY("\x06one")), PS_SERIALIZER_READY);
    flush(&fixture);
    assert_file(&fixture, TEXT_SCHEMA, "null", 1, "\x06one");
    struct ps_test_event two =
        PS_EVENT("\x04", "flume.avro.schema.url", url_header, "flume.avro.schema.literal", TEXT_SCHEMA);
    await_answer(&fixture, two, PS_SERIALIZER_NEW_FILE); /* the file goes on until the other schema is read */
    begin(&fixture);
    await_ready(&fixture, two);
    assert_int_equal(add(&fixture, two), PS_SERIALIZER_READY);
    flush(&fixture);
    assert_file(&fixture, RECORD_SCHEMA, "null", 1, "\x04");
    assert_int_equal(ask(&fixture, PS_BODY("\x06one")), PS_SERIALIZER_NEW_FILE); /* its schema is the key's */
    assert_int_equal(unlink(by_key) | unlink(by_header) | rmdir(folder), 0);
    begin(&fixture);
    assert_int_equal(add(&fixture, PS_BODY("\x06one")), PS_SERIALIZER_READY); /* not read again */
    ps_test_stage_close(&fixture.stage); /* ends the helper, which has a copy of the descriptor */
    fixture.stage.port.wake_fd = own;
    close(woken);
    fixture_fini(&fixture);
}

/* The serializer waits for a schema that cannot be read: no such file, no schema in it, no such scheme. */
static void test_url_unreadable(void **unused)
{
    static const char *const urls[] = {"file:///nonexistent/a.avsc", "file:///etc/hostname",
                                       "ftp://localhost/a", "hdfs://localhost/a.avsc", "no url"};
    for (size_t i = 0; i < PS_COUNT_OF(urls); i++) {
        struct fixture fixture;
        fixture_init(&fixture, PS_KEYS("schemaURL", urls[i]));
        struct ps_test_event event = PS_BODY("x");
        while (fixture.stage.err.length == 0 || fixture.stage.err.text[0] == '\0') {
            assert_int_equal(ask(&fixture, event), PS_SERIALIZER_LATER);
            (void)poll(NULL, 0, 1);
        }
        assert_int_equal(add(&fixture, event), PS_SERIALIZER_LATER);
        assert_int_equal(fixture.file.bytes.length, 0);
        fixture_fini(&fixture);
    }
}

/* `check` reads the same file: %XX of the URL are bytes of its name. */
static void test_url_checked(void **unused)
{
    static const struct {
        const char *form;
        bool warned;
    } urls[] = {{"file://%s/a%%20%%41.avsc", false},
                {"file:%s/a%%20A.avsc", false},
                {"FILE://localhost%s/a%%20A.avsc", false},
                {"file://%s/a%%2520A.avsc", true},
                {"file://%s/b.avsc", true}};
    char folder[] = "/tmp/penstock-avro-datum-XXXXXX", path[128], url[160];
    assert_non_null(mkdtemp(folder));
    (void)snprintf(path, sizeof path, "%s/a A.avsc", folder);
    write_text(path, TEXT_SCHEMA);
    for (size_t i = 0; i < PS_COUNT_OF(urls); i++) {
        struct ps_test_stage stage;
        (void)snprintf(url, sizeof url, urls[i].form, folder);
        ps_test_stage_init(&stage, &ps_serializer_avro_datum);
        assert_int_equal(ps_test_stage_bind(&stage, PS_KEYS("schemaURL", url)), PS_OK);
        assert_int_equal(ps_test_stage_reported(&stage, PS_LOG_WARN, "schemaURL"), urls[i].warned);
        ps_test_stage_fini(&stage);
    }
    assert_int_equal(unlink(path) | rmdir(folder), 0);
}

/* Waits for the helpers: one that is still running at the end of the process would look like a memory leak. */
static int await_helpers(void **unused)
{
    size_t threads = 2;
    for (unsigned waited = 0; threads > 1 && waited < PS_TEST_PATIENCE_MS; waited++) {
        DIR *tasks = opendir("/proc/self/task");
        threads = 0;
        for (const struct dirent *task; (task = readdir(tasks)) != NULL;)
            threads += task->d_name[0] != '.';
        closedir(tasks);
        (void)poll(NULL, 0, 1);
    }
    return threads > 1 ? -1 : 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_literal),
        cmocka_unit_test(test_another_schema),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_url),
        cmocka_unit_test(test_url_unreadable),
        cmocka_unit_test(test_url_checked),
        cmocka_unit_test(test_no_memory_for_a_schema),
        cmocka_unit_test(test_no_memory_in_a_schema),
    };
    return cmocka_run_group_tests(tests, NULL, await_helpers);
}
