/* Source thriftLegacy against a client that sends bytes. (The same bytes into a real Flume: tests/real/flume_oracle_legacy_test.sh.) */
#include "stages/lib/stream/stream.h"
#include "stages/lib/thrift/legacy.h"
#include "tests/support/legacy_rpc.h"
#include "tests/support/net.h"

#include <stdlib.h>
#include <unistd.h>

extern const struct ps_stage_ops ps_source_thriftlegacy;

#define MOST (16U << 20)

static struct ps_test_stage stage;

static int start(void)
{
    ps_test_stage_start(&stage, &ps_source_thriftlegacy, PS_KEYS("host", "127.0.0.1", "port", "0"));
    return ps_test_connect("127.0.0.1", ps_test_tcp_port(&stage, 0));
}

static void finish(int fd)
{
    close(fd);
    ps_test_stage_fini(&stage);
}

static void test_events(void **unused)
{
    uint8_t calls[4096];
    size_t length = 0;
    int fd = start();
    for (uint32_t i = 0; i < 3; i++)
        length += ps_test_legacy_thrift(calls + length, i, i == 0 ? "one" : "", i == 0 ? 3 : 0);
    ps_test_send(fd, calls, length);
    ps_test_source_wait(&stage, 3, PS_TEST_PATIENCE_MS);
    ps_test_expect(&stage.events[0], "one", PS_WORDS(PS_TEST_LEGACY_HEADERS));
    ps_test_expect(&stage.events[2], "", PS_WORDS(PS_TEST_LEGACY_HEADERS));
    length = ps_test_legacy_thrift(calls, 4, "\n\0two", 5);
    for (size_t i = 0; i < length; i++) { /* byte by byte */
        ps_test_send(fd, calls + i, 1);
        ps_test_source_work(&stage);
    }
    ps_test_source_wait(&stage, 4, PS_TEST_PATIENCE_MS);
    assert_int_equal(stage.events[3].length, 5);
    assert_memory_equal(stage.events[3].body, "\n\0two", 5);
    finish(fd);
}

/* A long event goes through the connection's buffer. */
static void test_long(void **unused)
{
    enum { LENGTH = 3 << 20 };
    char *body = malloc(LENGTH);
    uint8_t *call = malloc(LENGTH + 512);
    assert_non_null(body);
    assert_non_null(call);
    memset(body, 'x', LENGTH);
    int fd = start();
    size_t length = ps_test_legacy_thrift(call, 1, body, LENGTH);
    for (size_t sent = 0; sent < length;) {
        size_t part = length - sent < 65536 ? length - sent : 65536;
        ps_test_send(fd, call + sent, part);
        sent += part;
        ps_test_source_work(&stage);
    }
    ps_test_source_wait(&stage, 1, PS_TEST_PATIENCE_MS);
    assert_int_equal(stage.events[0].length, LENGTH);
    free(body);
    free(call);
    finish(fd);
}

static void expect_answer(int fd, enum ps_thrift_message_type type, const char *name, uint32_t number)
{
    bool closed;
    uint8_t expected[128];
    struct ps_thrift_writer out = {.at = expected};
    const struct ps_thrift_message message = {type, number, {name, (uint32_t)strlen(name)}};
    ps_thrift_put_message(&out, &message);
    size_t length = (size_t)(out.at - expected);
    const char *got = ps_test_receive(&stage, fd, length, PS_TEST_PATIENCE_MS, &closed);
    assert_false(closed);
    assert_memory_equal(got, expected, length);
}

static void test_calls(void **unused)
{
    uint8_t call[256];
    bool closed;
    int fd = start();
    ps_test_send(fd, call, ps_test_legacy_thrift_call(call, 7, "close"));
    expect_answer(fd, PS_THRIFT_REPLY, "close", 7);
    assert_int_equal(*ps_test_receive(&stage, fd, 1, PS_TEST_PATIENCE_MS, &closed), PS_THRIFT_STOP);
    ps_test_send(fd, call, ps_test_legacy_thrift_call(call, 8, "getName"));
    expect_answer(fd, PS_THRIFT_EXCEPTION, "getName", 8);
    (void)ps_test_receive(&stage, fd, 7 + 19 + 7 + 1, PS_TEST_PATIENCE_MS, &closed);
    assert_false(closed);
    ps_test_send(fd, call, ps_test_legacy_thrift(call, 9, "one", 3)); /* the connection stays open */
    ps_test_source_wait(&stage, 1, PS_TEST_PATIENCE_MS);
    ps_test_send(fd, call, ps_test_legacy_thrift_call(call, 10, "append")); /* without an event */
    ps_test_receive(&stage, fd, 1, PS_TEST_PATIENCE_MS, &closed);
    assert_true(closed);
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_malformed), 1);
    finish(fd);
}

/* Makes a call with an event that has this number of fields and nothing else. Returns its length. */
static size_t call_with_fields(uint8_t *call, uint32_t fields)
{
    static const uint8_t head[] = "\x80\1\0\4\0\0\0\6append\0\0\0\1\f\0\1\r\0\6\v\v";
    uint8_t *at = call + sizeof head - 1;
    memcpy(call, head, sizeof head - 1);
    ps_big_endian_put_32(at, fields);
    at += 4;
    for (uint32_t i = 0; i < fields; i++) {
        int length = sprintf((char *)at + 4, "f%u", i);
        ps_big_endian_put_32(at, (uint32_t)length);
        at += 4 + length;
        ps_big_endian_put_32(at, 0);
        at += 4;
    }
    memset(at, 0, 2);
    return (size_t)(at + 2 - call);
}

/* Headers that are not from a field count as well: host, timestamp, pri, nanos and FlumeOG. */
static void test_the_most_fields(void **unused)
{
    enum { MOST_FIELDS = PS_EVENT_HEADERS_MAX - PS_LEGACY_OWN_HEADERS };
    static uint8_t call[(PS_EVENT_HEADERS_MAX + 8) * 16];
    bool closed;
    int fd = start();
    for (uint32_t fields = MOST_FIELDS - 1; fields <= MOST_FIELDS; fields++)
        ps_test_send(fd, call, call_with_fields(call, fields));
    ps_test_source_wait(&stage, 2, PS_TEST_PATIENCE_MS);
    ps_test_send(fd, call, call_with_fields(call, MOST_FIELDS + 1));
    ps_test_receive(&stage, fd, 1, PS_TEST_PATIENCE_MS, &closed);
    assert_true(closed);
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_malformed), 1);
    assert_int_equal(stage.event_count, 2);
    finish(fd);
}

static void test_garbage(void **unused)
{
    bool closed;
    int fd = start();
    ps_test_send(fd, "GET / HTTP/1.1\r\n", 16);
    ps_test_receive(&stage, fd, 1, PS_TEST_PATIENCE_MS, &closed);
    assert_true(closed);
    finish(fd);
}

/* Every prefix of a message counts as incomplete. With a wrong length the message is garbage or incomplete, or ends
 * within the bytes that have arrived. */
static void test_measure(void **unused)
{
    uint8_t call[512], copy[512];
    uint32_t found = 0;
    size_t length = ps_test_legacy_thrift(call, 1, "body", 4);
    for (size_t i = 0; i < length; i++)
        assert_int_equal(ps_thrift_bare_measure(call, i, MOST, &found), PS_THRIFT_PARTIAL);
    assert_int_equal(ps_thrift_bare_measure(call, length, MOST, &found), PS_THRIFT_WHOLE);
    assert_int_equal(found, length);
    assert_int_equal(ps_thrift_bare_measure(call, length + 1, MOST, &found), PS_THRIFT_WHOLE);
    assert_int_equal(found, length);
    assert_int_equal(ps_thrift_bare_measure(call, length, (uint32_t)length, &found), PS_THRIFT_WHOLE);
    assert_int_equal(ps_thrift_bare_measure(call, length, (uint32_t)length - 1, &found), PS_THRIFT_GARBAGE);
    assert_int_equal(ps_thrift_bare_measure(call, length - 1, (uint32_t)length, &found), PS_THRIFT_PARTIAL);
    assert_int_equal(ps_thrift_bare_measure(call, length - 1, (uint32_t)length - 1, &found),
                     PS_THRIFT_GARBAGE);
    for (size_t i = 0; i < length; i++) {
        memcpy(copy, call, length);
        copy[i] = 0xff;
        if (ps_thrift_bare_measure(copy, length, MOST, &found) == PS_THRIFT_WHOLE)
            assert_in_range(found, 1, length);
    }
}

/* A struct with a list of maps of strings to structs, and a list without elements. */
static size_t make_nested(uint8_t *call)
{
    static const uint8_t head[] = "\x80\1\0\4\0\0\0\6append\0\0\0\1", end[] = {11, 0, 2, 0, 0, 0, 1, 'x', 0};
    static const uint8_t list[] = {15, 0, 1, 13, 0, 0, 0, 2}, empty[] = {15, 0, 3, 0, 0, 0, 0, 0};
    static const uint8_t map[] = {11, 12, 0, 0, 0, 2}, key[] = {0, 0, 0, 1, 'k'};
    static const uint8_t value[] = {2, 0, 1, 1, 6, 0, 2, 7, 7, 0};
    uint8_t *at = mempcpy(call, head, sizeof head - 1);
    at = mempcpy(at, list, sizeof list);
    for (unsigned i = 0; i < 2; i++) {
        at = mempcpy(at, map, sizeof map);
        for (unsigned k = 0; k < 2; k++) {
            at = mempcpy(at, key, sizeof key);
            at = mempcpy(at, value, sizeof value);
        }
    }
    at = mempcpy(at, empty, sizeof empty);
    return (size_t)((uint8_t *)mempcpy(at, end, sizeof end) - call);
}

/* A message that arrives in pieces is read once: what was passed may be anything at the next call. Otherwise a client
 * that sends a long message byte by byte would cost quadratic time. */
static void test_measure_goes_on(void **unused)
{
    uint8_t call[512], piece[512];
    const size_t length = make_nested(call);
    for (size_t step = 1; step <= length; step++) {
        struct ps_thrift_bare bare = {.passed = 0};
        uint32_t found = 0;
        for (size_t got = 0; got < length; got += step) {
            memcpy(piece, call, length);
            memset(piece, 0xff, bare.passed);
            assert_int_equal(ps_thrift_bare_go_on(&bare, piece, got, MOST, &found), PS_THRIFT_PARTIAL);
            assert_in_range(bare.passed, got < 32 ? 0 : got - 32, got);
        }
        memset(piece, 0xff, bare.passed);
        assert_int_equal(ps_thrift_bare_go_on(&bare, piece, length, MOST, &found), PS_THRIFT_WHOLE);
        assert_int_equal(found, length);
    }
}

/* A list of structs, sent byte by byte, is longer than what the source splits at each read. */
static void test_many_pieces(void **unused)
{
    enum { MANY = 40000 };
    static const uint8_t field[] = {2, 0, 9, 1}; /* a bool that Flume 0.9 does not know */
    static uint8_t call[MANY * sizeof field + 512];
    uint8_t whole[512];
    size_t one = ps_test_legacy_thrift(whole, 1, "body", 4), length = one - 2;
    memcpy(call, whole, length);
    for (unsigned i = 0; i < MANY; i++, length += sizeof field)
        memcpy(call + length, field, sizeof field);
    memcpy(call + length, whole + one - 2, 2); /* the ends of the event and of the arguments */
    length += 2;
    int fd = start();
    for (unsigned i = 0; i < 3; i++) {
        for (size_t at = 0; at < length;) {
            size_t some = length - at < 997 ? length - at : 997;
            ps_test_send(fd, call + at, some);
            ps_test_source_work(&stage);
            at += some;
        }
        ps_test_source_wait(&stage, i + 1, PS_TEST_PATIENCE_MS);
        ps_test_expect(&stage.events[i], "body", PS_WORDS(PS_TEST_LEGACY_HEADERS));
    }
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_malformed), 0);
    finish(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_events),          cmocka_unit_test(test_long),
        cmocka_unit_test(test_calls),           cmocka_unit_test(test_garbage),
        cmocka_unit_test(test_the_most_fields), cmocka_unit_test(test_measure),
        cmocka_unit_test(test_measure_goes_on), cmocka_unit_test(test_many_pieces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
