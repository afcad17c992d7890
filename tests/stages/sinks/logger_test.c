/* Sink logger: lines like those of a real EventHelper.dumpEvent (data/dumps.txt, recorded by
 * tests/real/flume_tables). */
#include "core/flow/identity.h"
#include "tests/support/allocations.h"
#include "tests/support/source_tree.h"
#include "tests/support/stage.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* Returns what was logged while `stage` handled one event: the part after "test t1: ". */
static char *logged(struct ps_test_stage *stage, struct ps_lease *lease, enum ps_log_level level)
{
    char path[] = "/tmp/penstock-logger-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(ps_log_open(path, NULL), PS_OK);
    ps_log_set_level(level);
    assert_int_equal(ps_test_sink_work(stage, &lease), PS_DONE);
    ps_log_set_level(PS_LOG_INFO);
    assert_int_equal(ps_log_open(NULL, NULL), PS_OK);
    static char text[1 << 16];
    ssize_t length = read(fd, text, sizeof text - 1);
    assert_true(length >= 0);
    text[length] = '\0';
    close(fd);
    unlink(path);
    char *start = strstr(text, "test t1: ");
    return start != NULL ? start + 9 : text;
}

static void unhex(const char *hex, char *body, uint32_t *length)
{
    *length = (uint32_t)strlen(hex) / 2;
    for (uint32_t i = 0; i < *length; i++) {
        unsigned byte;
        assert_int_equal(sscanf(hex + 2 * i, "%2x", &byte), 1);
        body[i] = (char)byte;
    }
}

/* "\n" as two characters becomes a newline. */
static void unescape(char *text)
{
    char *to = text;
    for (; *text != '\0'; text++, to++) {
        *to = *text;
        if (text[0] == '\\' && text[1] == 'n') {
            *to = '\n';
            text++;
        }
    }
    *to = '\0';
}

static void test_as_flume(void **unused)
{
    char line[16384];
    FILE *file = fopen(ps_test_source_path("tests/stages/data/dumps.txt"), "r");
    assert_non_null(file);
    assert_non_null(fgets(line, sizeof line, file)); /* the comment */
    size_t cases = 0;
    while (fgets(line, sizeof line, file) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        char *rest = line, *fields[4], body[1024];
        for (size_t i = 0; i < 4; i++)
            assert_non_null(fields[i] = strsep(&rest, "\t"));
        unescape(fields[3]);
        const char *headers[16];
        size_t used = 0;
        for (char *pair = strtok(fields[0], ","); pair != NULL; pair = strtok(NULL, ",")) {
            char *value = strchr(pair, '=');
            *value = '\0';
            headers[used++] = pair;
            headers[used++] = value + 1;
        }
        headers[used] = NULL;
        struct ps_test_event event = {.body = body, .headers = headers};
        unhex(fields[1], body, &event.length);
        struct ps_test_stage stage;
        ps_test_stage_start(&stage, &ps_sink_logger, PS_KEYS("maxBytesToLog", fields[2]));
        char expected[16384];
        snprintf(expected, sizeof expected, "Event: %s\n", fields[3]);
        assert_string_equal(logged(&stage, ps_test_lease(&stage, &event, 1), PS_LOG_INFO), expected);
        ps_test_stage_fini(&stage);
        cases++;
    }
    assert_int_equal(cases, 60);
    fclose(file);
}

static void test_odd_values(void **unused)
{
    static const char *const values[] = {"many", "-1", "99999999999", "16x"};
    for (size_t i = 0; i < PS_COUNT_OF(values); i++) {
        struct ps_test_stage stage;
        ps_test_stage_start(&stage, &ps_sink_logger, PS_KEYS("maxBytesToLog", values[i]));
        assert_true(ps_test_stage_reported(&stage, PS_LOG_WARN, "16 is used"));
        struct ps_lease *lease = PS_LEASE(&stage, PS_BODY("0123456789abcdefghij"));
        assert_non_null(strstr(logged(&stage, lease, PS_LOG_INFO), "0123456789abcdef }"));
        ps_test_stage_fini(&stage);
    }
}

/* A header from outside cannot send terminal codes or fake a log line. */
static void test_control_characters(void **unused)
{
    struct ps_test_stage stage;
    ps_test_stage_start(&stage, &ps_sink_logger, NULL);
    struct ps_lease *lease = PS_LEASE(&stage, PS_EVENT("x", "a\nb", "\x1b[31m\r\t\x7f"));
    assert_string_equal(logged(&stage, lease, PS_LOG_INFO),
                        "Event: { headers:{a\\nb=\\x1b[31m\\r\\t\\x7f} body: 78"
                        "                                              x }\n");
    ps_test_stage_fini(&stage);
}

static void test_identity(void **unused)
{
    static const struct ps_identity identity = {
        .system = "kafka", .name = {"topic", 5}, .part = 3, .position = 1042};
    struct ps_test_stage stage;
    ps_test_stage_start(&stage, &ps_sink_logger, PS_KEYS("penstock.identity", "true"));
    struct ps_lease *lease = PS_LEASE(&stage, PS_BODY("a"), PS_BODY("b"));
    assert_true(ps_batch_origin(lease->batch, &identity, 1));
    const char *lines = logged(&stage, lease, PS_LOG_INFO);
    const char *first = strstr(lines, " a } -\n"), *second = strstr(lines, " b } kafka:topic/3/1042\n");
    assert_true(first != NULL && second > first);
    ps_test_stage_fini(&stage);
}

static void test_level(void **unused)
{
    struct ps_test_stage stage;
    ps_test_stage_start(&stage, &ps_sink_logger, NULL);
    assert_string_equal(logged(&stage, PS_LEASE(&stage, PS_BODY("x")), PS_LOG_WARN), "");
    ps_test_stage_fini(&stage);
}

/* Nobody reads the log: the event waits, and is logged once when the log is read again. */
static void test_nobody_reads(void **unused)
{
    char path[64];
    snprintf(path, sizeof path, "/tmp/penstock-fifo-%d", (int)getpid());
    assert_int_equal(mkfifo(path, 0600), 0);
    int fd = open(path, O_RDWR | O_NONBLOCK);
    assert_true(fd >= 0);
    char filler[4096];
    memset(filler, '.', sizeof filler);
    while (write(fd, filler, sizeof filler) > 0)
        ;
    assert_int_equal(ps_log_open(path, NULL), PS_OK);
    struct ps_test_stage stage;
    ps_test_stage_start(&stage, &ps_sink_logger, NULL);
    struct ps_lease *lease = PS_LEASE(&stage, PS_BODY("first"), PS_BODY("second"));
    assert_int_equal(ps_test_sink_work(&stage, &lease), PS_LATER);
    assert_int_equal(lease->settled, 0);
    while (read(fd, filler, sizeof filler) > 0)
        ;
    assert_int_equal(ps_test_sink_work(&stage, &lease), PS_DONE);
    assert_int_equal(ps_log_open(NULL, NULL), PS_OK);
    ssize_t length = read(fd, filler, sizeof filler - 1);
    assert_true(length > 0);
    filler[length] = '\0';
    char *first = strstr(filler, "first }\n"), *second = strstr(filler, "second }\n");
    assert_true(first != NULL && second > first);
    assert_null(strstr(first + 1, "first }"));
    ps_test_stage_fini(&stage);
    close(fd);
    unlink(path);
}

static unsigned count_of(const char *text, const char *part)
{
    unsigned count = 0;
    for (; (text = strstr(text, part)) != NULL; text += strlen(part))
        count++;
    return count;
}

/* There is no memory for the second event's text: the lease waits, without a rollback, and with one line. Each event is logged
 * once. */
static void test_no_memory_for_a_text(void **unused)
{
    static char body[20000], text[1 << 18];
    struct ps_test_stage stage;
    char path[] = "/tmp/penstock-logger-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    memset(body, 'x', sizeof body - 1);
    ps_test_stage_start(&stage, &ps_sink_logger,
                        PS_KEYS("maxBytesToLog", "20000", "penstock.identity", "true"));
    struct ps_lease *lease = PS_LEASE(&stage, PS_BODY("first"), PS_BODY(body), PS_BODY("last"));
    assert_int_equal(ps_log_open(path, NULL), PS_OK);
    for (unsigned i = 0; PS_TEST_ALLOCATIONS && i < 5; i++) {
        ps_test_allocation_fails = i == 0 ? 2 : 1; /* the first one is that of the first event */
        assert_int_equal(ps_test_sink_work(&stage, &lease), PS_LATER);
        assert_int_equal(ps_test_allocation_fails, 0);
        assert_int_equal(lease->settled, 1);
    }
    assert_int_equal(ps_test_sink_work(&stage, &lease), PS_DONE);
    assert_int_equal(ps_log_open(NULL, NULL), PS_OK);
    ssize_t length = read(fd, text, sizeof text - 1);
    assert_true(length >= 0);
    text[length] = '\0';
    close(fd);
    unlink(path);
    assert_int_equal(count_of(text, "first }"), 1);
    assert_int_equal(count_of(text, "last }"), 1);
    assert_int_equal(count_of(text, "Event: "), 3);
    assert_int_equal(count_of(text, "no memory for the text of an event"), PS_TEST_ALLOCATIONS);
    ps_test_stage_fini(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_as_flume),
        cmocka_unit_test(test_odd_values),
        cmocka_unit_test(test_control_characters),
        cmocka_unit_test(test_level),
        cmocka_unit_test(test_nobody_reads),
        cmocka_unit_test(test_identity),
        cmocka_unit_test(test_no_memory_for_a_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
