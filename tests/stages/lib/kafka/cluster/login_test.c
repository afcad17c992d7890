/* The native client logs in at a broker whose answers are written here. The answers of real brokers are in
 * tests/real/kafka_security_test.sh. */
#include "stages/lib/kafka/cluster/native.h"

#include <stdio.h>

#include "tests/support/kafka/scripted_broker.h"
#include "tests/support/kafka/settings.h"
#include "tests/support/support.h"

#define TURNS_MAX 100000U
#define KEY_PRODUCE 0
#define KEY_METADATA 3
#define KEY_HANDSHAKE 17
#define KEY_VERSIONS 18
#define KEY_AUTHENTICATE 36
#define LIBRARY_AUTHENTICATION (-169)
#define LIFETIME_MS 2000

struct run {
    struct ps_test_broker broker;
    struct ps_kafka_producer *producer;
    struct ps_now now;
    int16_t authenticate_version; /* the newest; -1: the broker does not know it */
    unsigned reports, notices;
    int code;
    char text[400]; /* of the last notice */
};

static void on_report(void *argument, const struct ps_kafka_report *report)
{
    struct run *run = argument;
    assert_int_equal(report->error, 0);
    run->reports += report->count;
}

static void on_notice(void *argument, const struct ps_kafka_notice *notice)
{
    struct run *run = argument;
    run->notices++;
    run->code = notice->code;
    snprintf(run->text, sizeof run->text, "%s", notice->text);
}

static void turn(struct run *run)
{
    const struct ps_kafka_listener listener = {
        .report = on_report, .notice = on_notice, .argument = run, .now = run->now};
    ps_kafka_native.poll(run->producer, &listener, UINT32_MAX);
    run->now.mono_ns += PS_NS_PER_MS;
}

static void begin(struct run *run, const char *mechanism)
{
    char servers[32];
    struct ps_err err = {0};
    *run = (struct run){.now = {.mono_ns = 1000 * PS_NS_PER_S}, .authenticate_version = 1};
    ps_test_broker_start(&run->broker);
    snprintf(servers, sizeof servers, "127.0.0.1:%u", run->broker.port);
    const struct ps_pair pairs[] = {
        {.key = "bootstrap.servers", .value = servers},
        {.key = "security.protocol", .value = "sasl_plaintext"},
        {.key = "sasl.mechanism", .value = mechanism},
        {.key = "sasl.username", .value = "tim"},
        {.key = "sasl.password", .value = "secret"},
        {.key = "enable.idempotence", .value = "false"},
    };
    struct ps_kafka_settings *settings = ps_test_settings(pairs, PS_COUNT_OF(pairs));
    const struct ps_kafka_producer_config config = {.settings = settings, .wake_fd = -1, .epoll_fd = -1};
    settings->spread = PS_KAFKA_SPREAD_EVENLY;
    run->producer = ps_kafka_native.create(&config, &err);
    if (run->producer == NULL)
        fail_msg("%s", err.text);
    assert_non_null(ps_kafka_native.topic(run->producer, "t", 1)); /* it asks for metadata from now on */
}

static void end(struct run *run)
{
    ps_kafka_native.destroy(run->producer);
    ps_test_broker_stop(&run->broker);
}

/* ---- the broker ---- */

static void answer_versions(struct run *run, const struct ps_test_request *request)
{
    const int16_t most[][2] = {{KEY_PRODUCE, 3},
                               {KEY_METADATA, 1},
                               {KEY_HANDSHAKE, 1},
                               {KEY_AUTHENTICATE, run->authenticate_version}};
    int32_t count = PS_COUNT_OF(most) - (run->authenticate_version < 0);
    char body[128], *at = ps_wire_put_int16(body, 0);
    at = ps_wire_put_int32(at, count);
    for (int32_t i = 0; i < count; i++) {
        at = ps_wire_put_int16(at, most[i][0]);
        at = ps_wire_put_int16(at, 0);
        at = ps_wire_put_int16(at, most[i][1]);
    }
    ps_test_broker_answer(&run->broker, request, body, (uint32_t)(at - body), UINT32_MAX);
}

static void answer_metadata(struct run *run, const struct ps_test_request *request)
{
    char body[256], *at = ps_wire_put_int32(body, 1);
    at = ps_wire_put_int32(at, 0);
    at = ps_wire_put_string(at, "127.0.0.1", 9);
    at = ps_wire_put_int32(at, (int32_t)run->broker.port);
    at = ps_wire_put_int16(at, -1); /* rack */
    at = ps_wire_put_int32(at, 0);
    at = ps_wire_put_int32(at, 1);
    at = ps_wire_put_int16(at, 0);
    at = ps_wire_put_string(at, "t", 1);
    at = ps_wire_put_int8(at, 0);
    at = ps_wire_put_int32(at, 1);
    at = ps_wire_put_int16(at, 0);
    at = ps_wire_put_int32(at, 0);
    at = ps_wire_put_int32(at, 0);
    for (int list = 0; list < 2; list++)
        at = ps_wire_put_int32(at, 0);
    ps_test_broker_answer(&run->broker, request, body, (uint32_t)(at - body), UINT32_MAX);
}

static void answer_produce(struct run *run, const struct ps_test_request *request)
{
    char body[64], *at = ps_wire_put_int32(body, 1);
    at = ps_wire_put_string(at, "t", 1);
    at = ps_wire_put_int32(at, 1);
    at = ps_wire_put_int32(at, 0);
    at = ps_wire_put_int16(at, 0);
    at = ps_wire_put_int64(at, 0);
    at = ps_wire_put_int64(at, -1);
    at = ps_wire_put_int32(at, 0);
    ps_test_broker_answer(&run->broker, request, body, (uint32_t)(at - body), UINT32_MAX);
}

/* Waits for a request of this kind; answers the others. */
static struct ps_test_request expect(struct run *run, int16_t key)
{
    struct ps_test_request request;
    for (unsigned turns = 0; turns < TURNS_MAX; turns++) {
        turn(run);
        while (ps_test_broker_ask(&run->broker, &request)) {
            if (request.key == key)
                return request;
            if (request.key == KEY_VERSIONS)
                answer_versions(run, &request);
            else if (request.key == KEY_METADATA)
                answer_metadata(run, &request);
            else
                fail_msg("request of kind %d before %d", request.key, key);
        }
    }
    fail_msg("no request of kind %d came", key);
    return request;
}

static void answer_handshake(struct run *run, const struct ps_test_request *request, int16_t error)
{
    char body[64], *at = ps_wire_put_int16(body, error);
    at = ps_wire_put_int32(at, 2);
    at = ps_wire_put_string(at, "GSSAPI", 6);
    at = ps_wire_put_string(at, "PLAIN", 5);
    ps_test_broker_answer(&run->broker, request, body, (uint32_t)(at - body), UINT32_MAX);
}

static void answer_message(struct run *run, const struct ps_test_request *request, int16_t error,
                           const char *text, const char *message, int64_t lifetime_ms)
{
    char body[256], *at = ps_wire_put_int16(body, error);
    at = text != NULL ? ps_wire_put_string(at, text, strlen(text)) : ps_wire_put_int16(at, -1);
    at = ps_wire_put_int32(at, (int32_t)strlen(message));
    at = ps_wire_put_bytes(at, message, strlen(message));
    if (request->version >= 1)
        at = ps_wire_put_int64(at, lifetime_ms);
    ps_test_broker_answer(&run->broker, request, body, (uint32_t)(at - body), UINT32_MAX);
}

static void expect_message(struct run *run, const char *wanted, size_t length,
                           struct ps_test_request *request)
{
    *request = expect(run, KEY_AUTHENTICATE);
    struct ps_wire_in in = request->body;
    assert_int_equal(ps_wire_get_int32(&in), length);
    const char *message = ps_wire_take(&in, length);
    assert_non_null(message);
    assert_memory_equal(message, wanted, length);
    assert_ptr_equal(in.at, in.end);
}

static void expect_handshake(struct run *run, const char *mechanism, struct ps_test_request *request)
{
    uint32_t length;
    *request = expect(run, KEY_HANDSHAKE);
    assert_int_equal(request->version, 1);
    struct ps_wire_in in = request->body;
    const char *name = ps_wire_get_string(&in, &length);
    assert_int_equal(length, strlen(mechanism));
    assert_memory_equal(name, mechanism, length);
}

static void login(struct run *run, int64_t lifetime_ms)
{
    struct ps_test_request request;
    expect_handshake(run, "PLAIN", &request);
    answer_handshake(run, &request, 0);
    expect_message(run, "\0tim\0secret", 11, &request);
    answer_message(run, &request, 0, NULL, "", lifetime_ms);
}

static void submit(struct run *run)
{
    int error;
    struct ps_kafka_topic *topic = ps_kafka_native.topic(run->producer, "t", 1);
    const struct ps_kafka_record record = {.value = "value",
                                           .value_length = 5,
                                           .partition = PS_KAFKA_PARTITION_ANY,
                                           .timestamp_ms = PS_KAFKA_TIMESTAMP_NONE,
                                           .token = run};
    assert_non_null(topic);
    assert_int_equal(ps_kafka_native.submit(run->producer, topic, &record, 1, &error), 1);
}

static void deliver(struct run *run)
{
    unsigned wanted = run->reports + 1;
    submit(run);
    const struct ps_test_request request = expect(run, KEY_PRODUCE);
    answer_produce(run, &request);
    while (run->reports < wanted)
        turn(run);
}

static void wait_for_notice(struct run *run, int code, const char *text)
{
    for (unsigned turns = 0; run->notices == 0; turns++) {
        if (turns > TURNS_MAX)
            fail_msg("no notice: %s", text);
        turn(run);
    }
    if (run->code != code || strstr(run->text, text) == NULL)
        fail_msg("notice %d: %s", run->code, run->text);
    run->notices = 0;
}

/* ---- tests ---- */

static void test_plain(void **)
{
    struct run run;
    begin(&run, "plain");
    login(&run, 0);
    deliver(&run);
    run.now.mono_ns += 100 * PS_NS_PER_S; /* the session has no end */
    deliver(&run);
    assert_int_equal(run.broker.connections, 1);
    assert_int_equal(run.notices, 0);
    end(&run);
}

/* A broker of Kafka 1.0, whose answers have no lifetime. */
static void test_version_0(void **)
{
    struct run run;
    begin(&run, "PLAIN");
    run.authenticate_version = 0;
    login(&run, 0);
    deliver(&run);
    end(&run);
}

/* Before the session ends, the native client logs in again on the same connection; not while a request is unanswered. */
static void test_session_is_prolonged(void **)
{
    struct run run;
    begin(&run, "PLAIN");
    login(&run, LIFETIME_MS);
    deliver(&run);
    for (unsigned session = 0; session < 3; session++) {
        struct ps_test_request request, waiting;
        submit(&run);
        waiting = expect(&run, KEY_PRODUCE);
        run.now.mono_ns += (LIFETIME_MS * 85 / 100) * PS_NS_PER_MS;
        submit(&run); /* it has to wait for the login */
        for (unsigned i = 0; i < 100; i++) {
            turn(&run);
            assert_false(ps_test_broker_ask(&run.broker, &request));
        }
        answer_produce(&run, &waiting);
        login(&run, LIFETIME_MS);
        request = expect(&run, KEY_PRODUCE);
        answer_produce(&run, &request);
        while (run.reports < 3 + session * 2)
            turn(&run);
    }
    assert_int_equal(run.broker.connections, 1);
    assert_int_equal(run.notices, 0);
    end(&run);
}

static void test_refused(void **)
{
    struct run run;
    struct ps_test_request request;
    begin(&run, "PLAIN");
    expect_handshake(&run, "PLAIN", &request);
    answer_handshake(&run, &request, 33);
    wait_for_notice(&run, LIBRARY_AUTHENTICATION, "login by PLAIN failed: the broker offers GSSAPI, PLAIN");
    ps_test_broker_hang_up(&run.broker);
    expect_handshake(&run, "PLAIN", &request);
    answer_handshake(&run, &request, 0);
    expect_message(&run, "\0tim\0secret", 11, &request);
    answer_message(&run, &request, 58, "nobody of this name", "", 0);
    wait_for_notice(&run, LIBRARY_AUTHENTICATION, "login by PLAIN failed: nobody of this name");
    assert_false(ps_kafka_native.reaches(run.producer));
    ps_test_broker_hang_up(&run.broker);
    login(&run, 0); /* the account was made meanwhile */
    deliver(&run);
    assert_true(ps_kafka_native.reaches(run.producer));
    assert_int_equal(run.broker.connections, 3);
    end(&run);
}

/* A broker that does not know the password is refused by the client. */
static void test_false_broker(void **)
{
    struct run run;
    struct ps_test_request request;
    char message[300];
    begin(&run, "SCRAM-SHA-512");
    expect_handshake(&run, "SCRAM-SHA-512", &request);
    answer_handshake(&run, &request, 0);
    request = expect(&run, KEY_AUTHENTICATE);
    struct ps_wire_in in = request.body;
    int32_t length = ps_wire_get_int32(&in);
    const char *first = ps_wire_take(&in, (size_t)length);
    assert_non_null(first);
    assert_memory_equal(first, "n,,n=tim,r=", 11);
    snprintf(message, sizeof message, "r=%.*sx,s=QUJD,i=4096", length - 11, first + 11);
    answer_message(&run, &request, 0, NULL, message, 0);
    request = expect(&run, KEY_AUTHENTICATE);
    answer_message(&run, &request, 0, NULL, "v=AAAA", 0);
    wait_for_notice(&run, LIBRARY_AUTHENTICATION, "the server does not know the password");
    end(&run);
}

static void test_old_broker(void **)
{
    struct run run;
    begin(&run, "PLAIN");
    run.authenticate_version = -1;
    struct ps_test_request request;
    while (run.notices == 0) {
        turn(&run);
        if (ps_test_broker_ask(&run.broker, &request))
            answer_versions(&run, &request);
    }
    assert_non_null(strstr(run.text, "Kafka 1.0 or newer"));
    end(&run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain),
        cmocka_unit_test(test_version_0),
        cmocka_unit_test(test_session_is_prolonged),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_false_broker),
        cmocka_unit_test(test_old_broker),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
