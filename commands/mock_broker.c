/* `penstock mock-broker`: runs librdkafka's mock cluster as a process of its own until SIGTERM or SIGINT. */
#include "bench/support/mock_broker.h"
#include "core/clock.h"
#include "core/quantity.h"
#include "commands/commands.h"
#include "commands/line/line.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#define TOPICS_MAX 256
#define PARTITIONS 4U /* of a topic without a number */

struct topic {
    char name[256];
    uint64_t partitions;
};

struct wish {
    uint32_t broker_count;
    uint64_t port; /* 0: the default of the mock brokers */
    uint64_t round_trip_ns;
    struct topic topics[TOPICS_MAX];
    size_t topic_count;
};

static ps_row_take take_topic, take_with_parent;

#define PS_ROW_TARGET struct wish

static const struct ps_command_row rows[] = {
    {"port", 'P', "PORT", PS_ROW_COUNT(port),
     .help = "the bootstrap address is 127.0.0.1:PORT; without this option the kernel chooses the port. "
             "Clients then connect to the brokers' own ports on 127.0.0.1, which the "
             "kernel chooses",
     .min = 1, .max = UINT16_MAX},
    {"brokers", 'b', "N", PS_ROW_COUNT32(broker_count), .help = "brokers, 1 to 16 (default 1)", .min = 1,
     .max = 16},
    {"topic", 't', "NAME:PARTITIONS", PS_ROW_TAKE(take_topic),
     .help = "make a topic; other topics are made when a client asks for them, with four partitions"},
    {"round-trip", 'r', "TIME", PS_ROW_DURATION(round_trip_ns),
     .help = "delay of every answer, in whole milliseconds: 100ms", .max = 60 * PS_NS_PER_S},
    {"with-parent", 'p', NULL, PS_ROW_TAKE(take_with_parent),
     .help = "end when the process that started it does"},
    {.help = NULL},
};

const struct ps_command_line ps_line_mock_broker = {
    .name = "mock-broker",
    .usage = "Usage: penstock mock-broker [--port PORT] [--brokers N] [--topic NAME:PARTITIONS].. "
             "[--round-trip TIME]\n"
             "Runs librdkafka's mock Kafka cluster on 127.0.0.1, prints its bootstrap address on one line, "
             "and goes on until\nSIGTERM or SIGINT. For trying things out and for tests: records are in "
             "memory only, about 5 MB or 100,000 of a\npartition are kept, and nothing is deduplicated.\n",
    .rows = rows,
    .ends = "Exit status: 0 ended by a signal, 1 it could not start (the port is in use), 2 wrong usage.\n"
            "\nExamples:\n"
            "  penstock mock-broker --port 9092 --topic logs:4\n"
            "  penstock verify --from kafka://127.0.0.1:9092/logs --idle 5s\n",
};

/* Takes "name" or "name:partitions". */
static enum ps_status take_topic(void *target, const struct ps_command_row *row, const char *text,
                                 struct ps_err *err)
{
    struct wish *wish = target;
    if (wish->topic_count == TOPICS_MAX)
        return ps_err_set(err, "--%s: at most %d topics", row->name, TOPICS_MAX);
    struct topic *topic = &wish->topics[wish->topic_count++];
    const char *colon = strrchr(text, ':');
    size_t length = colon != NULL ? (size_t)(colon - text) : strlen(text);
    if (length == 0 || length >= sizeof topic->name)
        return ps_err_set(err, "--%s %s: expected NAME:PARTITIONS", row->name, text);
    snprintf(topic->name, sizeof topic->name, "%.*s", (int)length, text);
    topic->partitions = PARTITIONS;
    return colon == NULL
               ? PS_OK
               : ps_quantity_count("--topic: partitions", colon + 1, 1, 10000, &topic->partitions, err);
}

static enum ps_status take_with_parent(void *, const struct ps_command_row *, const char *, struct ps_err *)
{
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    return PS_OK;
}

int ps_main_mock_broker(int argc, char **argv)
{
    struct wish wish = {.broker_count = 1};
    struct ps_err err = {0};
    int operands, code = ps_command_line_parse(&ps_line_mock_broker, &wish, argc, argv, &operands);
    if (code < 0 && operands > 0)
        code = ps_command_line_unexpected(&ps_line_mock_broker, argv[1]);
    if (code >= 0)
        return code;
    sigset_t ends; /* blocked before the cluster's threads start, so that none of them takes the signal */
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGINT);
    sigaddset(&ends, SIGQUIT);
    sigprocmask(SIG_BLOCK, &ends, NULL);

    struct ps_mock_broker *mock = ps_mock_broker_create(wish.broker_count, &err);
    enum ps_status status = mock != NULL ? PS_OK : PS_FAIL;
    if (status == PS_OK && wish.port != 0)
        status = ps_mock_broker_listen(mock, (uint16_t)wish.port, &err);
    for (size_t i = 0; i < wish.topic_count && status == PS_OK; i++)
        status = ps_mock_broker_topic(mock, wish.topics[i].name, (unsigned)wish.topics[i].partitions, &err);
    if (status == PS_OK) {
        int taken;
        ps_mock_broker_round_trip(mock, (uint32_t)(wish.round_trip_ns / PS_NS_PER_MS));
        printf("%s\n", ps_mock_broker_bootstrap(mock));
        fflush(stdout);
        sigwait(&ends, &taken);
    } else {
        fprintf(stderr, "penstock mock-broker: %s\n", err.text);
    }
    if (mock != NULL)
        ps_mock_broker_destroy(mock);
    return status == PS_OK ? 0 : 1;
}
