/* The broker fences a consumer (FENCED_INSTANCE_ID), which is fatal to librdkafka's client: the source
 * reports that, and the engine closes it and opens it again, so that every record is delivered and
 * committed. */
#include "tests/support/kafka/cluster.h"
#include "tests/support/kafka/member.h"
#include "tests/support/port.h"

#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define HEARTBEAT 12 /* ApiKey of HeartbeatRequest */
#define RECORDS 1000U

static void fence(const struct ps_test_cluster *cluster, size_t count)
{
    rd_kafka_resp_err_t errors[16];
    assert_true(count <= PS_COUNT_OF(errors));
    for (size_t i = 0; i < count; i++)
        errors[i] = RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID;
    rd_kafka_mock_push_request_errors_array(cluster->handle, HEARTBEAT, count, errors);
}

static void fill(const struct ps_test_cluster *cluster, uint32_t first)
{
    ps_test_kafka_send(
        cluster->bootstrap,
        &(struct ps_test_sent){.topic = "fenced", .first = first, .count = RECORDS, .partitions = 1});
}

/* Returns the number of the record that came last. They come in order, because the topic has one partition. */
static uint32_t last_sequence(const struct ps_test_member *member)
{
    return member->received[member->received_count - 1].sequence;
}

/* The stage without the engine: the reason that it reports, and that it can be closed and opened again. */
static void test_says_that_it_failed(void **state)
{
    struct ps_test_cluster cluster;
    ps_test_cluster_start(&cluster, 1);
    ps_test_cluster_topic(&cluster, "fenced", 1);
    fill(&cluster, 0);
    struct ps_test_member *member =
        ps_test_member_create(cluster.bootstrap, "g-fenced",
                              PS_KEYS("kafka.topics", "fenced", "kafka.consumer.group.instance.id", "one",
                                      "kafka.consumer.heartbeat.interval.ms", "200"));
    assert_int_equal(ps_test_members_run(&member, 1, RECORDS, PS_TEST_PATIENCE_MS), RECORDS);
    assert_false(member->stage.failed);
    fence(&cluster, 1);
    for (unsigned i = 0; i < PS_TEST_PATIENCE_MS / 100 && !member->stage.failed; i++)
        ps_test_members_run(&member, 1, SIZE_MAX, 100);
    assert_true(member->stage.failed);
    assert_non_null(strstr(member->stage.err.text, "FENCED_INSTANCE_ID"));
    assert_non_null(strstr(member->stage.err.text, "kafka.consumer.group.instance.id"));
    ps_test_stage_close(&member->stage);
    member->stage.failed = false;
    assert_int_equal(ps_test_stage_open(&member->stage), PS_OK);
    fill(&cluster, RECORDS);
    /* Records of the last 200 ms before the fencing may come twice, so their number does not show that all came. */
    for (unsigned i = 0; i < PS_TEST_PATIENCE_MS / 100 && last_sequence(member) != 2 * RECORDS - 1; i++)
        ps_test_members_run(&member, 1, SIZE_MAX, 100);
    ps_test_members_check(&member, 1, 2 * RECORDS);
    assert_false(member->stage.failed);
    ps_test_member_destroy(member);
    ps_test_cluster_stop(&cluster);
}

/* ---- a whole agent ---- */

/* Returns the whole answer, in memory of its own that the next call overwrites; "" when nobody answers. */
static const char *get(unsigned port, const char *path)
{
    static char answer[256 * 1024];
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons((uint16_t)port)};
    char request[128];
    size_t used = 0;
    ssize_t got;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    int length = snprintf(request, sizeof request, "GET %s HTTP/1.0\r\nHost: localhost\r\n\r\n", path);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0 &&
        send(fd, request, (size_t)length, MSG_NOSIGNAL) == length) {
        while (used + 1 < sizeof answer && (got = recv(fd, answer + used, sizeof answer - 1 - used, 0)) > 0)
            used += (size_t)got;
    }
    close(fd);
    answer[used] = '\0';
    return answer;
}

static void write_configuration(const char *path, const char *bootstrap)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fprintf(
        file,
        "a1.sources = r1\na1.channels = c1\na1.sinks = k1\n"
        "a1.sources.r1.type = org.apache.flume.source.kafka.KafkaSource\n"
        "a1.sources.r1.kafka.bootstrap.servers = %s\n"
        "a1.sources.r1.kafka.topics = fenced\n"
        "a1.sources.r1.kafka.consumer.group.id = g-agent\n"
        "a1.sources.r1.kafka.consumer.group.instance.id = one\n"
        "a1.sources.r1.kafka.consumer.auto.offset.reset = earliest\n"
        "a1.sources.r1.kafka.consumer.heartbeat.interval.ms = 200\n"
        "a1.sources.r1.kafka.consumer.session.timeout.ms = 6000\n" /* the mock waits for the fenced member */
        "a1.sources.r1.channels = c1\n"
        "a1.channels.c1.type = memory\n"
        "a1.channels.c1.capacity = 10000\n"
        "a1.channels.c1.transactionCapacity = 1000\n"
        "a1.sinks.k1.type = null\n"
        "a1.sinks.k1.channel = c1\n",
        bootstrap);
    assert_int_equal(fclose(file), 0);
}

static pid_t start_agent(const char *program, const char *path, unsigned port)
{
    char option[64];
    snprintf(option, sizeof option, "-Dflume.monitoring.port=%u", port);
    pid_t agent = fork();
    assert_true(agent >= 0);
    if (agent == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* when an assertion ends the test */
        execl(program, program, "agent", "-n", "a1", "-f", path, "-Dflume.monitoring.type=http",
              "-Dpenstock.monitoring.host=127.0.0.1", option, (char *)NULL);
        _exit(127);
    }
    return agent;
}

static void await_committed(const struct ps_test_cluster *cluster, int64_t offset)
{
    uint64_t until = ps_test_patience_end_ns();
    while (ps_test_kafka_committed(cluster->bootstrap, "g-agent", "fenced", 0) != offset) {
        assert_true(ps_test_patient_ns() < until);
        usleep(200000);
    }
}

static void await_answer(unsigned port, const char *path, const char *text)
{
    uint64_t until = ps_test_patience_end_ns();
    while (strstr(get(port, path), text) == NULL) {
        assert_true(ps_test_patient_ns() < until);
        usleep(50000);
    }
}

static void test_agent_opens_it_again(void **state)
{
    const char *program = getenv("PENSTOCK");
    if (program == NULL || access(program, X_OK) != 0)
        ps_test_skip("there is no program at $PENSTOCK");
    struct ps_test_cluster cluster;
    ps_test_cluster_start(&cluster, 1);
    ps_test_cluster_topic(&cluster, "fenced", 1);
    fill(&cluster, 0);
    char path[] = P_tmpdir "/kafka_source_failed.XXXXXX";
    int descriptor = mkstemp(path);
    assert_true(descriptor >= 0);
    close(descriptor);
    write_configuration(path, cluster.bootstrap);
    unsigned port = ps_test_port(SOCK_STREAM);
    pid_t agent = start_agent(program, path, port);
    await_committed(&cluster, RECORDS);
    await_answer(port, "/readyz", "\r\n\r\nok");
    fence(&cluster, 16); /* each time that it is opened, so that the test needs no exact moment */
    await_answer(port, "/readyz", "source r1 is not open: Kafka: the consumer cannot continue: ");
    fill(&cluster, RECORDS);
    rd_kafka_mock_clear_request_errors(cluster.handle, HEARTBEAT);
    await_committed(&cluster, 2 * RECORDS);
    await_answer(port, "/readyz", "\r\n\r\nok");
    await_answer(port, "/metrics/prometheus", "penstock_component_up{kind=\"source\",component=\"r1\"} 1\n");
    assert_non_null(
        strstr(get(port, "/metrics/prometheus"), "penstock_source_failures_total{component=\"r1\"} "));
    assert_null(
        strstr(get(port, "/metrics/prometheus"), "penstock_source_failures_total{component=\"r1\"} 0\n"));
    int status = -1;
    assert_int_equal(kill(agent, SIGTERM), 0);
    assert_int_equal(waitpid(agent, &status, 0), agent);
    unlink(path);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    ps_test_cluster_stop(&cluster);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_says_that_it_failed),
        cmocka_unit_test(test_agent_opens_it_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
