/* penstock mock-broker: librdkafka's mock cluster as a process of its own, until SIGTERM or SIGINT. */
#include "core/clock.h"
#include "core/quantity.h"
#include "commands/commands.h"
#include "stages/lib/kafka/mock.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#define TOPICS_MAX 256

struct wish {
    unsigned broker_count;
    uint16_t port; /* 0: the brokers' own */
    uint64_t round_trip_ns;
    const char *topics[TOPICS_MAX];
    size_t topic_count;
};

static void usage(FILE *file)
{
    fputs("usage: penstock mock-broker [--port PORT] [--brokers N] [--topic NAME:PARTITIONS].. [--round-trip "
          "TIME]\n"
          "\n"
          "Runs librdkafka's mock Kafka cluster on 127.0.0.1, prints its bootstrap address on one line, and "
          "goes on "
          "until\n"
          "SIGTERM or SIGINT. For trying things out and for tests: records are in memory only, about 5 MB or "
          "100,000 "
          "of a\n"
          "partition are kept, and nothing is deduplicated.\n"
          "\n"
          "  -P, --port PORT               clients reach it at 127.0.0.1:PORT; without it at a port that the "
          "kernel "
          "chooses.\n"
          "                                Only the bootstrap address: clients then connect to the brokers' "
          "own ports "
          "on\n"
          "                                127.0.0.1, which the kernel chooses\n"
          "  -b, --brokers N               brokers, 1 to 16 (default 1)\n"
          "  -t, --topic NAME:PARTITIONS   make a topic; others appear when they are asked for, with four "
          "partitions\n"
          "  -r, --round-trip TIME         every answer comes that much later, as from far away, in whole "
          "milliseconds: 100ms\n"
          "  -p, --with-parent             end when the process that started it does\n"
          "  -h, --help                    this text\n"
          "\n"
          "Exit status: 0 ended by a signal, 1 it could not start (the port is in use), 2 wrong usage.\n"
          "\n"
          "Examples:\n"
          "  penstock mock-broker --port 9092 --topic logs:4\n"
          "  penstock verify --from kafka://127.0.0.1:9092/logs --idle 5s\n",
          file);
}

static const struct option options[] = {
    {"port", required_argument, NULL, 'P'},
    {"brokers", required_argument, NULL, 'b'},
    {"topic", required_argument, NULL, 't'},
    {"with-parent", no_argument, NULL, 'p'},
    {"round-trip", required_argument, NULL, 'r'},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};
const struct ps_command_options ps_options_mock_broker = {options, "P:b:t:r:ph", false};

static bool number_take(const char *what, const char *text, uint64_t min, uint64_t max, uint64_t *number)
{
    struct ps_err err = {.length = 0};
    if (ps_quantity_count(what, text, min, max, number, &err) == PS_OK)
        return true;
    fprintf(stderr, "penstock mock-broker: %s\n", err.text);
    return false;
}

static bool round_trip_take(const char *text, uint64_t *ns)
{
    struct ps_err err = {.length = 0};
    if (ps_quantity_duration("--round-trip", text, ns, &err) == PS_OK && *ns > PS_NS_PER_S * 60)
        ps_err_set(&err, "--round-trip %s: at most 60s", text);
    if (err.length == 0)
        return true;
    fprintf(stderr, "penstock mock-broker: %s\n", err.text);
    return false;
}

/* Returns -1 to go on, else the exit code. */
static int parse(int argc, char **argv, struct wish *wish)
{
    int option;
    uint64_t number;
    optind = 1;
    while ((option = getopt_long(argc, argv, ps_options_mock_broker.letters, options, NULL)) != -1) {
        switch (option) {
        case 'P':
            if (!number_take("--port", optarg, 1, UINT16_MAX, &number))
                return 2;
            wish->port = (uint16_t)number;
            break;
        case 'b':
            if (!number_take("--brokers", optarg, 1, 16, &number))
                return 2;
            wish->broker_count = (unsigned)number;
            break;
        case 't':
            if (wish->topic_count == TOPICS_MAX) {
                fprintf(stderr, "penstock mock-broker: at most %d topics\n", TOPICS_MAX);
                return 2;
            }
            wish->topics[wish->topic_count++] = optarg;
            break;
        case 'r':
            if (!round_trip_take(optarg, &wish->round_trip_ns))
                return 2;
            break;
        case 'p':
            prctl(PR_SET_PDEATHSIG, SIGTERM);
            break;
        case 'h':
            usage(stdout);
            return 0;
        default:
            usage(stderr);
            return 2;
        }
    }
    if (optind < argc) {
        usage(stderr);
        return 2;
    }
    return -1;
}

/* "name" or "name:partitions" */
static enum ps_status make_topic(struct ps_kafka_mock *mock, const char *wish, struct ps_err *err)
{
    char name[256];
    const char *colon = strrchr(wish, ':');
    size_t length = colon != NULL ? (size_t)(colon - wish) : strlen(wish);
    if (length == 0 || length >= sizeof name)
        return ps_err_set(err, "--topic %s: NAME:PARTITIONS is wanted", wish);
    memcpy(name, wish, length);
    name[length] = 0;
    uint64_t partitions = 4;
    if (colon != NULL &&
        ps_quantity_count("--topic: partitions", colon + 1, 1, 10000, &partitions, err) != PS_OK)
        return PS_FAIL;
    return ps_kafka_mock_topic(mock, name, (unsigned)partitions, err);
}

int ps_main_mock_broker(int argc, char **argv)
{
    struct wish wish = {.broker_count = 1};
    struct ps_err err = {0};
    int code = parse(argc, argv, &wish);
    if (code >= 0)
        return code;
    sigset_t ends; /* blocked before the cluster's threads start, so that none of them takes the signal */
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGINT);
    sigaddset(&ends, SIGQUIT);
    sigprocmask(SIG_BLOCK, &ends, NULL);

    struct ps_kafka_mock *mock = ps_kafka_mock_create(wish.broker_count, &err);
    enum ps_status status = mock != NULL ? PS_OK : PS_FAIL;
    if (status == PS_OK && wish.port != 0)
        status = ps_kafka_mock_listen(mock, wish.port, &err);
    for (size_t i = 0; i < wish.topic_count && status == PS_OK; i++)
        status = make_topic(mock, wish.topics[i], &err);
    if (status == PS_OK) {
        int taken;
        ps_kafka_mock_round_trip(mock, (uint32_t)(wish.round_trip_ns / PS_NS_PER_MS));
        printf("%s\n", ps_kafka_mock_bootstrap(mock));
        fflush(stdout);
        sigwait(&ends, &taken);
    } else {
        fprintf(stderr, "penstock mock-broker: %s\n", err.text);
    }
    if (mock != NULL)
        ps_kafka_mock_destroy(mock);
    return status == PS_OK ? 0 : 1;
}
