/* The properties that the reader of positions takes from the producer, and a broker that does not report the topic's cleanup
 * policy. librdkafka's mock cluster does not report it either, so only the scripts of tests/real read records. */
#include "stages/lib/kafka/positions/topic.h"
#include "core/clock.h"
#include "tests/support/kafka/cluster.h"
#include "tests/support/kafka/connections.h"
#include "tests/support/kafka/settings.h"
#include "tests/support/support.h"

#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

static const struct ps_kafka_positions_ops *const ops = &ps_kafka_positions_topic;

struct reply {
    json_t *positions;
    char warning[512];
    struct ps_err err;
};

static void *open_reader(const char *topic, int wake_fd, const char *key, const char *value)
{
    struct ps_pair pairs[] = {{.key = "bootstrap.servers", .value = ps_test_cluster.bootstrap},
                              {.key = key, .value = value}};
    struct ps_kafka_positions_settings settings = {.topic = topic,
                                                   .producer = ps_test_settings(pairs, key != NULL ? 2 : 1)};
    struct ps_err err = {.length = 0};
    void *reader = ops->open(&settings, wake_fd, &err);
    ps_test_settings_free(); /* the reader has copies */
    if (reader == NULL)
        fail_msg("%s", err.text);
    return reader;
}

static struct reply read_of(void *reader, int wake_fd, const char *owner)
{
    struct reply reply = {0};
    struct pollfd woken = {.fd = wake_fd, .events = POLLIN};
    ops->ask(reader, owner);
    if (wake_fd >= 0)
        assert_int_equal(poll(&woken, 1, (int)PS_TEST_PATIENCE_MS), 1);
    uint64_t until = ps_test_patience_end_ns();
    while ((reply.positions = ops->reply(reader, reply.warning, &reply.err)) == NULL) {
        if (ps_test_patient_ns() > until)
            fail_msg("no reply");
        usleep(1000);
    }
    return reply;
}

/* Each of the producer's properties that belongs to the connection is the reader's, too: a wrong value is named. Others are
 * not. */
static void test_properties(void **unused)
{
    static const struct ps_pair wrong[] = {
        {.key = "security.protocol", .value = "what?"},
        {.key = "socket.timeout.ms", .value = "300001"},
        {.key = "reconnect.backoff.ms", .value = "3600001"},
        {.key = "broker.address.family", .value = "what?"},
        {.key = "connections.max.idle.ms", .value = "2147483648"},
        {.key = "client.dns.lookup", .value = "what?"},
    };
    for (size_t i = 0; i < PS_COUNT_OF(wrong); i++) {
        const struct ps_kafka_positions_settings settings = {.topic = "t",
                                                             .producer = ps_test_settings(&wrong[i], 1)};
        struct ps_err err = {.length = 0};
        assert_null(ops->open(&settings, -1, &err));
        if (strstr(err.text, wrong[i].key) == NULL)
            fail_msg("%s: \"%s\"", wrong[i].key, err.text);
    }
    ps_test_topic("properties", 1);
    int wake_fd = eventfd(0, EFD_CLOEXEC);
    void *reader = open_reader("properties", wake_fd, "queue.buffering.max.messages", "-7");
    struct reply reply = read_of(reader, wake_fd, "own");
    assert_string_equal(reply.err.text, "");
    assert_int_equal(json_object_size(reply.positions), 0);
    json_decref(reply.positions);
    ops->close(reader);
    close(wake_fd);
}

/* ---- a broker without an answer to DescribeConfigs ---- */

struct silent_broker {
    struct ps_test_connections connections;
    unsigned asked; /* calls with a DescribeConfigs that waits */
};

static char *put_versions(const struct ps_test_request *request, char *at)
{
    static const int16_t known[][2] = {{1, 4}, {2, 1}, {3, 2}, {18, 0}, {32, 1}}; /* key, newest version */
    at = ps_wire_put_int16(at, request->version > 0 ? 35 : 0);
    at = ps_wire_put_int32(at, PS_COUNT_OF(known));
    for (size_t i = 0; i < PS_COUNT_OF(known); i++) {
        at = ps_wire_put_int16(at, known[i][0]);
        at = ps_wire_put_int16(at, 0);
        at = ps_wire_put_int16(at, known[i][1]);
    }
    return at;
}

static char *put_metadata(const struct silent_broker *broker, const struct ps_test_request *request, char *at)
{
    at = ps_wire_put_int32(at, 1);
    at = ps_wire_put_int32(at, 0); /* node */
    at = ps_wire_put_string(at, "127.0.0.1", 9);
    at = ps_wire_put_int32(at, (int32_t)broker->connections.port);
    at = ps_wire_put_int16(at, -1); /* rack */
    if (request->version >= 2)
        at = ps_wire_put_int16(at, -1); /* cluster */
    at = ps_wire_put_int32(at, 0);      /* controller */
    at = ps_wire_put_int32(at, 1);
    at = ps_wire_put_int16(at, 0);
    at = ps_wire_put_string(at, "t", 1);
    at = ps_wire_put_int8(at, 0);
    at = ps_wire_put_int32(at, 1);
    at = ps_wire_put_int16(at, 0);
    at = ps_wire_put_int32(at, 0); /* partition, leader */
    at = ps_wire_put_int32(at, 0);
    for (int list = 0; list < 2; list++) { /* replicas */
        at = ps_wire_put_int32(at, 1);
        at = ps_wire_put_int32(at, 0);
    }
    return at;
}

/* The log is empty. */
static char *put_offsets(char *at)
{
    at = ps_wire_put_int32(at, 1);
    at = ps_wire_put_string(at, "t", 1);
    at = ps_wire_put_int32(at, 1);
    at = ps_wire_put_int32(at, 0);
    at = ps_wire_put_int16(at, 0);
    at = ps_wire_put_int64(at, -1);
    return ps_wire_put_int64(at, 0);
}

static bool handle(void *argument, struct ps_test_connection *connection, struct ps_test_request *request)
{
    struct silent_broker *broker = argument;
    if (request->key == 32) {
        broker->asked++;
        return false;
    }
    char *at = ps_test_connection_begin(connection, request);
    if (request->key == 18)
        at = put_versions(request, at);
    else if (request->key == 3)
        at = put_metadata(broker, request, at);
    else
        at = put_offsets(at);
    ps_test_connection_end(connection, at);
    return true;
}

/* The answer is for a warning only: the positions are read without it. */
static void test_silence(void **unused)
{
    struct silent_broker broker = {.connections = {.handle = handle, .argument = &broker}};
    ps_test_connections_open(&broker.connections);
    char bootstrap[32];
    snprintf(bootstrap, sizeof bootstrap, "127.0.0.1:%u", broker.connections.port);
    const struct ps_pair pair = {.key = "bootstrap.servers", .value = bootstrap};
    const struct ps_kafka_positions_settings settings = {.topic = "t",
                                                         .producer = ps_test_settings(&pair, 1)};
    struct ps_err err = {.length = 0};
    struct reply reply = {0};
    void *reader = ops->open(&settings, -1, &err);
    assert_non_null(reader);
    ops->ask(reader, "own");
    while ((reply.positions = ops->reply(reader, reply.warning, &reply.err)) == NULL) {
        if (!ps_test_connections_serve(&broker.connections))
            usleep(1000);
    }
    assert_string_equal(reply.err.text, "");
    if (strstr(reply.warning, "no broker has said within 5 s") == NULL)
        fail_msg("\"%s\"", reply.warning);
    assert_true(broker.asked > 0);
    assert_int_equal(json_object_size(reply.positions), 0);
    json_decref(reply.positions);
    ops->close(reader);
    ps_test_connections_close(&broker.connections);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_silence),
        cmocka_unit_test(test_properties),
    };
    return cmocka_run_group_tests(tests, ps_test_cluster_setup, ps_test_cluster_teardown);
}
