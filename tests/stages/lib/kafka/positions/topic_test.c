/* The properties that the reader of positions takes from the producer. librdkafka's mock cluster does not tell how a topic is
 * cleaned up, so only the scripts of tests/real read records. */
#include "stages/lib/kafka/positions/topic.h"
#include "core/clock.h"
#include "tests/support/kafka/cluster.h"
#include "tests/support/support.h"

#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

static const struct ps_kafka_positions_ops *const ops = &ps_kafka_positions_topic;

struct reply {
    struct ps_kafka_positions_list list;
    char warning[512];
    struct ps_err err;
};

static void *open_reader(const char *topic, int wake_fd, const char *key, const char *value)
{
    struct ps_pair pairs[] = {{.key = "bootstrap.servers", .value = ps_test_cluster.bootstrap},
                              {.key = key, .value = value}};
    struct ps_kafka_positions_settings settings = {
        .topic = topic, .pairs = pairs, .pair_count = key != NULL ? 2 : 1};
    struct ps_err err = {.length = 0};
    void *reader = ops->open(&settings, wake_fd, &err);
    memset(pairs, 0, sizeof pairs); /* it has copies */
    if (reader == NULL)
        fail_msg("%s", err.text);
    return reader;
}

static struct reply read_of(void *reader, int wake_fd, const char *owner)
{
    struct reply reply = {.list = {.count = 0}};
    struct pollfd woken = {.fd = wake_fd, .events = POLLIN};
    ops->ask(reader, owner);
    if (wake_fd >= 0)
        assert_int_equal(poll(&woken, 1, (int)PS_TEST_PATIENCE_MS), 1);
    uint64_t until = ps_test_patient_ns() + PS_TEST_PATIENCE_MS * PS_NS_PER_MS;
    while (!ops->reply(reader, &reply.list, reply.warning, &reply.err)) {
        if (ps_test_patient_ns() > until)
            fail_msg("no reply");
        usleep(1000);
    }
    return reply;
}

/* Each of the producer's properties that belongs to the connection is the reader's, too: a wrong value is named. */
static void test_properties(void **unused)
{
    ps_test_topic("properties", 1);
    static const char *const keys[] = {"security.protocol",       "socket.timeout.ms",
                                       "reconnect.backoff.ms",    "broker.address.family",
                                       "connections.max.idle.ms", "client.dns.lookup"};
    for (size_t i = 0; i < PS_COUNT_OF(keys); i++) {
        int wake_fd = eventfd(0, EFD_CLOEXEC);
        void *reader = open_reader("properties", wake_fd, keys[i], "what?");
        struct reply reply = read_of(reader, wake_fd, "own");
        if (strstr(reply.err.text, keys[i]) == NULL)
            fail_msg("%s: \"%s\"", keys[i], reply.err.text);
        assert_int_equal(reply.list.count, 0);
        ops->close(reader);
        close(wake_fd);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_properties),
    };
    return cmocka_run_group_tests(tests, ps_test_cluster_setup, ps_test_cluster_teardown);
}
