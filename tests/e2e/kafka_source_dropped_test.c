/* Events without a channel (a multiplexing selector without a match) count as delivered for their source: an
 * agent that drops every record commits them all; also with several workers in the group. */
#include "tests/support/kafka/cluster.h"
#include "tests/support/kafka/member.h"

#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#define RECORDS 40000U
#define PARTITIONS 4

static void write_configuration(const char *path, const char *bootstrap)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fprintf(file,
            "a1.sources = r1\na1.channels = c1\na1.sinks = k1\n"
            "a1.sources.r1.type = org.apache.flume.source.kafka.KafkaSource\n"
            "a1.sources.r1.kafka.bootstrap.servers = %s\n"
            "a1.sources.r1.kafka.topics = dropped\n"
            "a1.sources.r1.kafka.consumer.group.id = g-dropped\n"
            "a1.sources.r1.kafka.consumer.auto.offset.reset = earliest\n"
            "a1.sources.r1.kafka.consumer.session.timeout.ms = 6000\n"
            "a1.sources.r1.penstock.workers = 2\n"
            "a1.sources.r1.selector.type = multiplexing\n"
            "a1.sources.r1.selector.header = topic\n"
            "a1.sources.r1.selector.mapping.another = c1\n"
            "a1.sources.r1.channels = c1\n"
            "a1.channels.c1.type = memory\n"
            "a1.channels.c1.capacity = 10000\n"
            "a1.channels.c1.transactionCapacity = 1000\n"
            "a1.sinks.k1.type = null\n"
            "a1.sinks.k1.channel = c1\n",
            bootstrap);
    assert_int_equal(fclose(file), 0);
}

static pid_t start_agent(const char *program, const char *path)
{
    pid_t agent = fork();
    assert_true(agent >= 0);
    if (agent == 0) {
        execl(program, program, "agent", "-n", "a1", "-f", path, (char *)NULL);
        _exit(127);
    }
    return agent;
}

static int64_t committed(const char *bootstrap)
{
    int64_t sum = 0;
    for (int32_t partition = 0; partition < PARTITIONS; partition++) {
        int64_t offset = ps_test_kafka_committed(bootstrap, "g-dropped", "dropped", partition);
        sum += offset > 0 ? offset : 0;
    }
    return sum;
}

static void test_dropped_events_are_committed(void **state)
{
    const char *program = getenv("PENSTOCK");
    if (program == NULL || access(program, X_OK) != 0)
        ps_test_skip("there is no program at $PENSTOCK");
    struct ps_test_cluster cluster;
    ps_test_cluster_start(&cluster, 1);
    const char *bootstrap = cluster.bootstrap;
    ps_test_cluster_topic(&cluster, "dropped", PARTITIONS);
    ps_test_kafka_send(
        bootstrap,
        &(struct ps_test_sent){.topic = "dropped", .count = RECORDS, .size = 60, .partitions = PARTITIONS});
    char path[] = P_tmpdir "/kafka_source_dropped.XXXXXX";
    int descriptor = mkstemp(path);
    assert_true(descriptor >= 0);
    close(descriptor);
    write_configuration(path, bootstrap);
    pid_t agent = start_agent(program, path);
    uint64_t until = ps_test_patience_end_ns();
    while (committed(bootstrap) < RECORDS && ps_test_patient_ns() < until)
        usleep(200000);
    int64_t sum = committed(bootstrap);
    int status = -1;
    assert_int_equal(kill(agent, SIGTERM), 0);
    assert_int_equal(waitpid(agent, &status, 0), agent);
    unlink(path);
    assert_int_equal(sum, RECORDS);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    ps_test_cluster_stop(&cluster);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dropped_events_are_committed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
