/* Source scribe against a client that sends bytes. (The same bytes into a real Flume: tests/real/flume_oracle_legacy_test.sh.) */
#include "stages/lib/stream/stream.h"
#include "stages/lib/thrift/scribe.h"
#include "tests/support/net.h"
#include "tests/support/thrift_rpc.h"

#include <stdio.h>
#include <unistd.h>

extern const struct ps_stage_ops ps_source_scribe;

static struct ps_test_thrift_call call;

/* ---- calls ---- */

static void begin(uint32_t number, const char *name, uint32_t count)
{
    const struct ps_thrift_message message = {PS_THRIFT_CALL, number, {name, (uint32_t)strlen(name)}};
    call.length = 0;
    call.compact = false;
    struct ps_thrift_writer out = ps_test_thrift_writer(&call, 256);
    out.at += PS_THRIFT_FRAME_BYTES;
    ps_thrift_put_message(&out, &message);
    ps_thrift_put_field(&out, PS_THRIFT_LIST, 1, 0);
    ps_thrift_put_list(&out, PS_THRIFT_STRUCT, count);
    ps_test_thrift_wrote(&call, &out);
}

/* NULL: the field is missing. */
static void entry(const char *category, const char *text)
{
    struct ps_thrift_writer out = ps_test_thrift_writer(&call, 256);
    if (text != NULL) {
        ps_thrift_put_field(&out, PS_THRIFT_STRING, 2, 0); /* fields come in any order */
        ps_thrift_put_text(&out, text, strlen(text));
    }
    if (category != NULL) {
        ps_thrift_put_field(&out, PS_THRIFT_STRING, 1, 0);
        ps_thrift_put_text(&out, category, strlen(category));
    }
    ps_thrift_put_field(&out, PS_THRIFT_I32, 9, 2); /* an unknown field */
    ps_thrift_put_i32(&out, 7);
    ps_thrift_put_stop(&out);
    ps_test_thrift_wrote(&call, &out);
}

static void end(int fd)
{
    ps_test_thrift_end(&call);
    ps_test_send(fd, call.bytes, call.length);
}

static void expect_result(struct ps_test_stage *stage, int fd, uint32_t number, int32_t result)
{
    struct ps_test_thrift_answer answer = ps_test_thrift_receive(stage, fd);
    assert_int_equal(answer.message.type, PS_THRIFT_REPLY);
    assert_string_equal(answer.name, "Log");
    assert_int_equal(answer.message.number, number);
    assert_int_equal(answer.number, result);
}

static int start(struct ps_test_stage *stage, const char *const *keys)
{
    ps_test_stage_start(stage, &ps_source_scribe, keys);
    return ps_test_connect("127.0.0.1", ps_test_tcp_port(stage, 0));
}

/* ---- tests ---- */

static void test_entries(void **unused)
{
    struct ps_test_stage stage;
    int fd = start(&stage, PS_KEYS("port", "0"));
    begin(7, "Log", 6);
    entry("web", "one\n");
    entry(NULL, "two");
    entry("", "");
    entry("web", NULL);
    entry("web", "three");
    entry(NULL, NULL); /* it gets no field of the previous entry */
    end(fd);
    expect_result(&stage, fd, 7, 0);
    assert_int_equal(stage.event_count, 6);
    ps_test_expect(&stage.events[0], "one\n", PS_WORDS("category", "web"));
    ps_test_expect(&stage.events[1], "two", NULL);
    ps_test_expect(&stage.events[2], "", PS_WORDS("category", ""));
    ps_test_expect(&stage.events[3], "", PS_WORDS("category", "web"));
    ps_test_expect(&stage.events[4], "three", PS_WORDS("category", "web"));
    ps_test_expect(&stage.events[5], "", NULL);
    begin(8, "Log", 0);
    end(fd);
    expect_result(&stage, fd, 8, 0);
    assert_int_equal(stage.event_count, 6);
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_EventReceivedCount), 6);
    close(fd);
    ps_test_stage_fini(&stage);
}

static void test_full_channel(void **unused)
{
    struct ps_test_stage stage;
    int fd = start(&stage, PS_KEYS("port", "0"));
    begin(1, "Log", 1);
    entry("web", "one");
    end(fd);
    ps_test_source_fill(&stage, 1);
    ps_test_source_refuse_batch(&stage, "full");
    expect_result(&stage, fd, 1, 1); /* TRY_LATER */
    assert_int_equal(stage.event_count, 0);
    ps_test_send(fd, call.bytes, call.length);
    expect_result(&stage, fd, 1, 0);
    close(fd);
    ps_test_stage_fini(&stage);
}

static void test_mistakes(void **unused)
{
    struct ps_test_stage stage;
    int fd = start(&stage, PS_KEYS("port", "0", "maxReadBufferBytes", "2000"));
    begin(3, "getStatus", 0);
    end(fd);
    struct ps_test_thrift_answer answer = ps_test_thrift_receive(&stage, fd);
    assert_int_equal(answer.message.type, PS_THRIFT_EXCEPTION);
    assert_string_equal(answer.error, "Invalid method name: 'getStatus'");
    begin(4, "Log", 2); /* of two entries, only one is there */
    entry("web", "one");
    end(fd);
    answer = ps_test_thrift_receive(&stage, fd);
    assert_int_equal(answer.message.type, PS_THRIFT_EXCEPTION);
    assert_int_equal(stage.event_count, 0);
    ps_test_send(fd, "\x00\x00\x07\xd1", 4); /* a frame of 2001 bytes */
    bool closed = false;
    ps_test_receive(&stage, fd, 1, PS_TEST_PATIENCE_MS, &closed);
    assert_true(closed);
    close(fd);
    ps_test_stage_fini(&stage);
}

/* A frame of maxReadBufferBytes is accepted, one byte more ends the connection; 0 is Flume's default. */
static void test_frame_max(void **unused)
{
    static char body[400];
    memset(body, 'b', sizeof body - 1);
    for (uint32_t more = 0; more < 2; more++) {
        struct ps_test_stage stage;
        char most[16];
        bool closed = false;
        begin(1, "Log", 1);
        struct ps_thrift_writer out = ps_test_thrift_writer(&call, sizeof body + 64);
        ps_thrift_put_field(&out, PS_THRIFT_STRING, 2, 0);
        ps_thrift_put_text(&out, body, sizeof body - 1);
        ps_thrift_put_stop(&out);
        ps_test_thrift_wrote(&call, &out);
        ps_test_thrift_end(&call);
        snprintf(most, sizeof most, "%zu", call.length - PS_THRIFT_FRAME_BYTES - more);
        int fd = start(&stage, PS_KEYS("port", "0", "maxReadBufferBytes", most));
        ps_test_send(fd, call.bytes, call.length);
        if (more == 0)
            expect_result(&stage, fd, 1, 0);
        else
            ps_test_receive(&stage, fd, 1, PS_TEST_PATIENCE_MS, &closed);
        assert_int_equal(closed, more);
        assert_int_equal(stage.event_count, 1 - more);
        close(fd);
        ps_test_stage_fini(&stage);
    }
    struct ps_test_stage stage;
    int fd = start(&stage, PS_KEYS("port", "0", "maxReadBufferBytes", "0"));
    ps_test_send(fd, call.bytes, call.length);
    expect_result(&stage, fd, 1, 0);
    close(fd);
    ps_test_stage_fini(&stage);
}

static int end_of_group(void **unused)
{
    ps_test_thrift_free(&call);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_entries),
        cmocka_unit_test(test_full_channel),
        cmocka_unit_test(test_mistakes),
        cmocka_unit_test(test_frame_max),
    };
    return cmocka_run_group_tests(tests, NULL, end_of_group);
}
