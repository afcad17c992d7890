/* Reads whole topics and accounts for the numbered events (tests/real/sequence.h) of the real tests.
 *
 *   sequence_check --brokers B --topics T[,T..] --events N [--streams S] [--idle-s N] [--set K=V]..
 *                  [--header NAME=VALUE].. [--no-headers] [--lost-below N] [--may-repeat] [--only N]
 *
 * Reads from the beginning until every event is there and all partitions are at their ends, or until no
 * record has arrived for --idle-s seconds (default 60: on a busy machine a broker may send nothing
 * for 10 s). Prints one JSON line:
 *   received    records, duplicates included
 *   lost        numbers never seen; last_lost: the highest of them, -1: none; holes: those below the highest
 *               seen of their stream
 *   duplicated  records whose number was seen before
 *   reordered   numbers first seen after a higher number of the same stream in the same partition
 *   foreign     records without such a number
 *   headers     records that lack one of --header, or that have any header with --no-headers
 *   partitions  partitions that have records
 * Exit 0: no record lost, duplicated, reordered or foreign, no header wrong.
 *   --lost-below N  lost numbers below N are no fault (the channel of a killed agent); with --only they count as found
 *   --only N        only N events are expected, from the beginning of each stream without holes
 *   --may-repeat    duplicates and their order are no fault (at least once) */
#include "tests/real/sequence.h"

#include <getopt.h>
#include <inttypes.h>
#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <time.h>

#define PARTITIONS_MAX 64
#define TOPICS_MAX 8
#define HEADERS_MAX 8
#define SETTINGS_MAX 16

struct stream {
    unsigned char *seen; /* a bit for each number */
    uint64_t events, found;
    uint64_t next[TOPICS_MAX][PARTITIONS_MAX]; /* one more than the highest number there */
};

struct check {
    const char *brokers;
    char *topics[TOPICS_MAX];
    unsigned topic_count, streams, partition_count;
    uint64_t events, idle_s, lost_below, only;
    bool may_repeat, no_headers;
    char *settings[SETTINGS_MAX], *headers[HEADERS_MAX];
    unsigned setting_count, header_count;
    bool at_end[TOPICS_MAX][PARTITIONS_MAX], filled[TOPICS_MAX][PARTITIONS_MAX];
    uint64_t received, found, duplicated, reordered, foreign, bad_headers;
};

static struct stream all[SEQUENCE_STREAMS_MAX];

static bool is_seen(const struct stream *stream, uint64_t number)
{
    return (stream->seen[number / 8] & (1U << number % 8)) != 0;
}

static rd_kafka_t *client_make(const struct check *check)
{
    static const char *const fixed[][2] = {{"group.id", "sequence_check"},
                                           {"enable.auto.commit", "false"},
                                           {"enable.partition.eof", "true"},
                                           {"auto.offset.reset", "earliest"},
                                           {"fetch.wait.max.ms", "50"}};
    char text[256] = "";
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    bool good =
        rd_kafka_conf_set(conf, "bootstrap.servers", check->brokers, text, sizeof text) == RD_KAFKA_CONF_OK;
    for (size_t i = 0; good && i < sizeof fixed / sizeof *fixed; i++)
        good = rd_kafka_conf_set(conf, fixed[i][0], fixed[i][1], text, sizeof text) == RD_KAFKA_CONF_OK;
    for (unsigned i = 0; good && i < check->setting_count; i++) {
        char *equals = strchr(check->settings[i], '=');
        if (equals != NULL)
            *equals = '\0';
        good = equals != NULL &&
               rd_kafka_conf_set(conf, check->settings[i], equals + 1, text, sizeof text) == RD_KAFKA_CONF_OK;
    }
    rd_kafka_t *client = good ? rd_kafka_new(RD_KAFKA_CONSUMER, conf, text, sizeof text) : NULL;
    if (client == NULL)
        fprintf(stderr, "sequence_check: %s\n", text);
    return client;
}

/* Returns the number of partitions of a topic, 0: there is none. Waits --idle-s for a topic to be created. */
static int partition_count(const struct check *check, rd_kafka_t *client, const char *name)
{
    rd_kafka_resp_err_t failed = 0;
    int count = 0;
    for (time_t began = time(NULL); count == 0 && time(NULL) - began <= (time_t)check->idle_s;) {
        const struct rd_kafka_metadata *metadata;
        rd_kafka_topic_t *topic = rd_kafka_topic_new(client, name, NULL);
        failed = rd_kafka_metadata(client, 0, topic, &metadata, 5000);
        if (failed == 0) {
            count = metadata->topic_cnt == 1 ? metadata->topics[0].partition_cnt : 0;
            rd_kafka_metadata_destroy(metadata);
        }
        rd_kafka_topic_destroy(topic);
        if (count == 0)
            nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL);
    }
    if (count == 0)
        fprintf(stderr, "sequence_check: topic %s: %s\n", name,
                failed != 0 ? rd_kafka_err2str(failed) : "does not exist");
    return count <= PARTITIONS_MAX ? count : 0;
}

/* Assigns all partitions of all topics, from their beginnings. */
static bool assign(struct check *check, rd_kafka_t *client)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(16);
    bool good = true;
    for (unsigned i = 0; good && i < check->topic_count; i++) {
        int count = partition_count(check, client, check->topics[i]);
        good = count > 0;
        check->partition_count += (unsigned)count;
        for (int32_t partition = 0; partition < count; partition++)
            rd_kafka_topic_partition_list_add(list, check->topics[i], partition)->offset =
                RD_KAFKA_OFFSET_BEGINNING;
    }
    good = good && rd_kafka_assign(client, list) == 0;
    rd_kafka_topic_partition_list_destroy(list);
    return good;
}

static bool headers_are_right(const struct check *check, const rd_kafka_message_t *message)
{
    rd_kafka_headers_t *headers = NULL;
    bool any = rd_kafka_message_headers(message, &headers) == 0 && rd_kafka_header_cnt(headers) > 0;
    if (check->no_headers)
        return !any;
    for (unsigned i = 0; i < check->header_count; i++) {
        const char *wanted = check->headers[i], *equals = strchr(wanted, '=');
        char name[128];
        const void *value;
        size_t size;
        if (equals == NULL || !any)
            return false;
        snprintf(name, sizeof name, "%.*s", (int)(equals - wanted), wanted);
        if (rd_kafka_header_get_last(headers, name, &value, &size) != 0 || size != strlen(equals + 1) ||
            memcmp(value, equals + 1, size) != 0)
            return false;
    }
    return true;
}

static void on_record(struct check *check, unsigned topic, const rd_kafka_message_t *message)
{
    uint64_t number, stream_number;
    check->received++;
    check->filled[topic][message->partition] = true;
    check->bad_headers += !headers_are_right(check, message);
    if (!sequence_find(message->payload, message->len, &stream_number, &number) ||
        stream_number >= check->streams || number >= all[stream_number].events) {
        check->foreign++;
        return;
    }
    struct stream *stream = &all[stream_number];
    if (is_seen(stream, number)) {
        check->duplicated++;
        return;
    }
    stream->seen[number / 8] = (unsigned char)(stream->seen[number / 8] | (1U << number % 8));
    stream->found++;
    check->found++;
    uint64_t *next = &stream->next[topic][message->partition];
    if (number < *next)
        check->reordered++;
    else
        *next = number + 1;
}

static bool is_at_end(const struct check *check)
{
    unsigned ended = 0;
    for (unsigned topic = 0; topic < check->topic_count; topic++)
        for (unsigned i = 0; i < PARTITIONS_MAX; i++)
            ended += check->at_end[topic][i];
    return ended == check->partition_count;
}

static void read_all(struct check *check, rd_kafka_t *client)
{
    time_t last = time(NULL);
    while (time(NULL) - last <= (time_t)check->idle_s) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(client, 200);
        if (message == NULL)
            continue;
        unsigned topic = 0;
        while (message->rkt != NULL && topic + 1 < check->topic_count &&
               strcmp(rd_kafka_topic_name(message->rkt), check->topics[topic]) != 0)
            topic++;
        if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
            check->at_end[topic][message->partition] = true;
        } else if (message->err == 0) {
            check->at_end[topic][message->partition] = false;
            on_record(check, topic, message);
            last = time(NULL);
        }
        rd_kafka_message_destroy(message);
        if (check->found >= (check->only > 0 ? check->only : check->events) && is_at_end(check))
            break;
    }
}

static int report(const struct check *check)
{
    uint64_t lost = 0, holes = 0, faults = 0;
    int64_t last_lost = -1;
    unsigned partitions = 0;
    for (unsigned i = 0; i < check->streams; i++) {
        uint64_t end = all[i].events;
        while (end > 0 && !is_seen(&all[i], end - 1))
            end--;
        for (uint64_t number = 0; number < (check->only > 0 ? end : all[i].events); number++) {
            if (is_seen(&all[i], number))
                continue;
            lost++;
            holes += number < end;
            faults += number >= check->lost_below;
            if ((int64_t)number > last_lost)
                last_lost = (int64_t)number;
        }
    }
    for (unsigned topic = 0; topic < check->topic_count; topic++)
        for (unsigned i = 0; i < PARTITIONS_MAX; i++)
            partitions += check->filled[topic][i];
    printf("{\"events\":%" PRIu64 ",\"received\":%" PRIu64 ",\"lost\":%" PRIu64 ",\"last_lost\":%" PRId64
           ",\"holes\":%" PRIu64 ",\"duplicated\":%" PRIu64 ",\"reordered\":%" PRIu64 ",\"foreign\":%" PRIu64
           ",\"headers\":%" PRIu64 ",\"partitions\":%u}\n",
           check->only > 0 ? check->only : check->events, check->received, lost, last_lost, holes,
           check->duplicated, check->reordered, check->foreign, check->bad_headers, partitions);
    bool repeats_wrong = !check->may_repeat && (check->duplicated != 0 || check->reordered != 0);
    return faults != 0 || (check->only > 0 && check->found + lost != check->only) || repeats_wrong ||
           check->foreign != 0 || check->bad_headers != 0;
}

static bool options_read(struct check *check, int argc, char **argv)
{
    static const struct option names[] = {
        {"brokers", 1, NULL, 'b'},    {"topics", 1, NULL, 't'},     {"events", 1, NULL, 'e'},
        {"streams", 1, NULL, 's'},    {"idle-s", 1, NULL, 'i'},     {"set", 1, NULL, 'X'},
        {"header", 1, NULL, 'h'},     {"no-headers", 0, NULL, 'n'}, {"lost-below", 1, NULL, 'l'},
        {"may-repeat", 0, NULL, 'r'}, {"only", 1, NULL, 'o'},       {NULL, 0, NULL, 0}};
    int option;
    while ((option = getopt_long(argc, argv, "", names, NULL)) != -1) {
        uint64_t number = optarg != NULL ? strtoull(optarg, NULL, 10) : 0;
        switch (option) {
        case 'b':
            check->brokers = optarg;
            break;
        case 't':
            for (char *topic = strtok(optarg, ","); topic != NULL && check->topic_count < TOPICS_MAX;
                 topic = strtok(NULL, ","))
                check->topics[check->topic_count++] = topic;
            break;
        case 'e':
            check->events = number;
            break;
        case 's':
            check->streams = (unsigned)number;
            break;
        case 'i':
            check->idle_s = number;
            break;
        case 'X':
            if (check->setting_count < SETTINGS_MAX)
                check->settings[check->setting_count++] = optarg;
            break;
        case 'h':
            if (check->header_count < HEADERS_MAX)
                check->headers[check->header_count++] = optarg;
            break;
        case 'n':
            check->no_headers = true;
            break;
        case 'l':
            check->lost_below = number;
            break;
        case 'o':
            check->only = number;
            break;
        case 'r':
            check->may_repeat = true;
            break;
        default:
            return false;
        }
    }
    return check->brokers != NULL && check->topic_count > 0 && check->events > 0 && check->streams > 0 &&
           check->streams <= SEQUENCE_STREAMS_MAX;
}

int main(int argc, char **argv)
{
    static struct check check = {.streams = 1, .idle_s = 60};
    if (!options_read(&check, argc, argv)) {
        fprintf(stderr, "sequence_check: wrong usage, see the head of sequence_check.c\n");
        return 2;
    }
    for (unsigned i = 0; i < check.streams; i++) {
        all[i].events = sequence_share(check.events, check.streams, i);
        all[i].seen = calloc(1, (size_t)(all[i].events / 8 + 1));
        if (all[i].seen == NULL)
            return 2;
    }
    rd_kafka_t *client = client_make(&check);
    if (client == NULL)
        return 2;
    rd_kafka_poll_set_consumer(client);
    int code = 2;
    if (assign(&check, client)) {
        read_all(&check, client);
        code = report(&check);
    }
    rd_kafka_consumer_close(client);
    rd_kafka_destroy(client);
    for (unsigned i = 0; i < check.streams; i++)
        free(all[i].seen);
    return code;
}
