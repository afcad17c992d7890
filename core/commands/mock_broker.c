/* penstock mock-broker: librdkafka's mock cluster as a process of its own, until SIGTERM or SIGINT. */
#include "core/commands/commands.h"
#include "stages/kafka/mock.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#define TOPICS_MAX 256

struct wish {
    unsigned broker_count;
    const char *topics[TOPICS_MAX];
    size_t topic_count;
};

static void usage(FILE *file)
{
    fputs("usage: penstock mock-broker [--brokers N] [--topic NAME:PARTITIONS]..\n"
          "\n"
          "Runs librdkafka's mock Kafka cluster on ephemeral ports of 127.0.0.1, prints its bootstrap "
          "address on "
          "one line,\n"
          "and goes on until SIGTERM or SIGINT. For trying things out and for tests: records are in memory "
          "only, about\n"
          "5 MB or 100,000 of a partition are kept, and nothing is deduplicated.\n"
          "\n"
          "  -b, --brokers N               brokers, 1 to 16 (default 1)\n"
          "  -t, --topic NAME:PARTITIONS   make a topic; others appear when they are asked for, with four "
          "partitions\n"
          "  -p, --with-parent             end when the process that started it does\n",
          file);
}

static int parse(int argc, char **argv, struct wish *wish)
{
    static const struct option options[] = {
        {"brokers", required_argument, NULL, 'b'},
        {"topic", required_argument, NULL, 't'},
        {"with-parent", no_argument, NULL, 'p'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    int option;
    optind = 1;
    while ((option = getopt_long(argc, argv, "b:t:ph", options, NULL)) != -1) {
        switch (option) {
        case 'b':
            wish->broker_count = (unsigned)strtoul(optarg, NULL, 10);
            break;
        case 't':
            if (wish->topic_count == TOPICS_MAX) {
                fprintf(stderr, "penstock mock-broker: at most %d topics\n", TOPICS_MAX);
                return 2;
            }
            wish->topics[wish->topic_count++] = optarg;
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
    return ps_kafka_mock_topic(mock, name, colon != NULL ? (unsigned)strtoul(colon + 1, NULL, 10) : 4, err);
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
    sigprocmask(SIG_BLOCK, &ends, NULL);

    struct ps_kafka_mock *mock = ps_kafka_mock_create(wish.broker_count, &err);
    enum ps_status status = mock != NULL ? PS_OK : PS_FAIL;
    for (size_t i = 0; i < wish.topic_count && status == PS_OK; i++)
        status = make_topic(mock, wish.topics[i], &err);
    if (status == PS_OK) {
        int taken;
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
