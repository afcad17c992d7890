/* Measures Kafka -> memory -> Kafka in this process and a bare librdkafka loop that consumes and produces, in
 * turn, with the same records of the same broker. Prints a record for each variant: events per CPU-second of this process
 * (including the library's threads) of both.
 *
 *   bench_kafka_to_kafka --brokers LIST [--events 2000000] [--rounds 3] [--only VARIANT]
 *
 * The broker is external (tests/real/kafka start), because the embedded one stores too little. The program
 * creates topics bench-in-none, bench-out-none, bench-in-lz4 and bench-out-lz4 with four partitions and writes EVENTS
 * records of 120 bytes to the input topics once, with that compression. With lz4 both sides compress what they send.
 *
 * The bare loop takes 1,024 messages at a time, passes their bytes to rd_kafka_produce_batch without copying,
 * frees each message at its delivery report, and commits every 200 ms. */
#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bench/suite/agent.h"
#include "bench/suite/paired.h"
#include "bench/suite/kafka/loop.h"

#define BODY_BYTES 120U
#define PER_CALL 1024
#define PARTITIONS 4

struct variant {
    const char *name, *engine, *compression;
    double goal, goal_ratio;
};

static const struct variant variants[] = {
    {"native", "native", "none", 8e6, 4},
    {"native with lz4", "native", "lz4", 0, 2},
    {"librdkafka", "librdkafka", "none", 0, 0.7},
};

struct job {
    struct ps_kafka_loop_job base; /* the first member */
    const struct variant *variant;
    char from[32], to[32]; /* topics */
};

static uint64_t records_in(rd_kafka_t *client, const char *topic)
{
    uint64_t sum = 0;
    for (int32_t partition = 0; partition < PARTITIONS; partition++) {
        int64_t low = 0, high = 0;
        unsigned tries = 0; /* for a moment a new topic has no leaders */
        while (rd_kafka_query_watermark_offsets(client, topic, partition, &low, &high, 10000) !=
               RD_KAFKA_RESP_ERR_NO_ERROR) {
            if (++tries == 100)
                ps_kafka_loop_fatal("a partition does not answer");
            usleep(100000);
        }
        sum += (uint64_t)(high - low);
    }
    return sum;
}

/* Lines of a log, as compressible as those are (lz4: to about a third). */
static void make_bodies(char bodies[][BODY_BYTES])
{
    uint32_t random = 1;
    for (unsigned i = 0; i < PER_CALL; i++) {
        random = random * 1664525U + 1013904223U;
        uint32_t other = (random ^ i) * 2654435761U;
        char line[256] = "";
        snprintf(line, sizeof line,
                 "2026-03-%02u 12:%02u:%02u INFO  http-worker-%u GET /api/v1/items/%08x status=200 bytes=%u "
                 "time_us=%u session=%08x from=10.%u.%u.%u",
                 1 + i % 28, random >> 26, other >> 27, random % 16, other, random % 100000, other % 10000,
                 random ^ other, random % 256, other % 256, i % 256);
        memcpy(bodies[i], line, BODY_BYTES);
    }
}

/* Fills the input topic, unless it already has enough records. */
static void fill(const struct job *job)
{
    static char bodies[PER_CALL][BODY_BYTES];
    static rd_kafka_message_t messages[PER_CALL];
    rd_kafka_t *client = ps_kafka_loop_producer(job->base.brokers, job->variant->compression);
    ps_kafka_loop_topic(client, job->from, PARTITIONS);
    ps_kafka_loop_topic(client, job->to, PARTITIONS);
    make_bodies(bodies);
    rd_kafka_topic_t *topic = rd_kafka_topic_new(client, job->from, NULL);
    uint64_t there = records_in(client, job->from), calls = 0;
    while (there < job->base.events) {
        for (int i = 0; i < PER_CALL; i++)
            messages[i] = (rd_kafka_message_t){.payload = bodies[i], .len = BODY_BYTES};
        ps_kafka_loop_produce(client, topic, (int32_t)(calls++ % PARTITIONS), messages, PER_CALL);
        there += PER_CALL;
    }
    if (rd_kafka_flush(client, 60000) != RD_KAFKA_RESP_ERR_NO_ERROR)
        ps_kafka_loop_fatal("the broker does not accept the input");
    rd_kafka_topic_destroy(topic);
    rd_kafka_destroy(client);
}

/* ---- bare ---- */

static double run_bare(void *argument)
{
    struct job *job = argument;
    const uint64_t events = job->base.events;
    static rd_kafka_message_t *taken[PER_CALL], messages[PER_CALL];
    rd_kafka_t *consumer = ps_kafka_loop_consumer(job->base.brokers, job->from),
               *producer = ps_kafka_loop_producer(job->base.brokers, job->variant->compression);
    rd_kafka_queue_t *queue = rd_kafka_queue_get_consumer(consumer);
    rd_kafka_topic_t *topic = rd_kafka_topic_new(producer, job->to, NULL);
    struct ps_usage before = {0};
    uint64_t sent = 0, calls = 0;
    double committed_s = 0;
    ps_kafka_loop_reported = 0;
    while (sent < events || ps_kafka_loop_reported < sent) {
        ssize_t count = sent < events ? rd_kafka_consume_batch_queue(queue, 10, taken, PER_CALL) : 0;
        if (sent == 0 && count > 0)
            before = ps_usage_self();
        int good = 0;
        for (ssize_t i = 0; i < count; i++) {
            if (taken[i]->err != RD_KAFKA_RESP_ERR_NO_ERROR)
                ps_kafka_loop_fatal(rd_kafka_message_errstr(taken[i]));
            messages[good++] = (rd_kafka_message_t){
                .payload = taken[i]->payload, .len = taken[i]->len, ._private = taken[i]};
        }
        if (good > 0)
            ps_kafka_loop_produce(producer, topic, (int32_t)(calls++ % PARTITIONS), messages, good);
        else
            rd_kafka_poll(producer, sent < events ? 0 : 10);
        sent += (uint64_t)good;
        struct ps_usage now = ps_usage_self();
        if (sent > 0 && now.wall_s - committed_s >= 0.2) {
            committed_s = now.wall_s;
            rd_kafka_commit(consumer, NULL, 1);
        }
    }
    struct ps_usage after = ps_usage_self();
    rd_kafka_topic_destroy(topic);
    rd_kafka_destroy(producer);
    rd_kafka_queue_destroy(queue);
    rd_kafka_destroy(consumer);
    job->base.bare_per_second = (double)sent / (after.wall_s - before.wall_s);
    return (double)sent / (after.cpu_s - before.cpu_s);
}

/* ---- the agent ---- */

static struct ps_agent *agent_start(const struct job *job)
{
    const char *brokers = job->base.brokers, *engine = job->variant->engine;
    static unsigned number;
    char text[2048];
    int length = snprintf(text, sizeof text,
                          "a.sources = s\na.channels = c\na.sinks = k\n"
                          "a.sources.s.type = org.apache.flume.source.kafka.KafkaSource\n"
                          "a.sources.s.kafka.bootstrap.servers = %s\n"
                          "a.sources.s.kafka.topics = %s\n"
                          "a.sources.s.penstock.engine = %s\n"
                          "a.sources.s.kafka.consumer.group.id = agent-%d-%u-%lld\n"
                          "a.sources.s.kafka.consumer.auto.offset.reset = earliest\n"
                          "a.sources.s.channels = c\n"
                          "a.channels.c.type = memory\na.channels.c.capacity = 100000\n"
                          "a.channels.c.transactionCapacity = 1000\n"
                          "a.sinks.k.type = org.apache.flume.sink.kafka.KafkaSink\n"
                          "a.sinks.k.kafka.bootstrap.servers = %s\n"
                          "a.sinks.k.kafka.topic = %s\n"
                          "a.sinks.k.penstock.engine = %s\n"
                          "a.sinks.k.kafka.producer.compression.type = %s\n"
                          "a.sinks.k.allowTopicOverride = false\n"
                          "a.sinks.k.kafka.producer.linger.ms = 5\n"
                          "a.sinks.k.channel = c\n",
                          brokers, job->from, engine, (int)getpid(), number++, (long long)time(NULL), brokers,
                          job->to, engine, job->variant->compression);
    PS_ASSERT(length > 0 && (size_t)length < sizeof text);
    return ps_bench_agent_start(text);
}

static double run_agent(void *argument)
{
    struct job *job = argument;
    return ps_kafka_loop_agent_rate(agent_start(job), &job->base);
}

static void run(struct job *job, unsigned rounds)
{
    static struct ps_paired_result result;
    const struct variant *variant = job->variant;
    snprintf(job->from, sizeof job->from, "bench-in-%s", variant->compression);
    snprintf(job->to, sizeof job->to, "bench-out-%s", variant->compression);
    fill(job);
    const struct ps_paired paired = {.bench = "kafka_to_kafka",
                                     .variant = variant->name,
                                     .unit = "events/CPU-s",
                                     .reference = "consume and produce loop",
                                     .goal = variant->goal,
                                     .goal_ratio = variant->goal_ratio,
                                     .subject = run_agent,
                                     .bare = run_bare,
                                     .argument = job};
    ps_paired_run(&paired, rounds, &result);
    ps_paired_print(&paired, &result,
                    "\"bytes\":%u,\"partitions\":%d,\"compression\":\"%s\",\"events_per_second\":%.0f,"
                    "\"reference_events_per_second\":%.0f",
                    BODY_BYTES, PARTITIONS, variant->compression, job->base.agent_per_second,
                    job->base.bare_per_second);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    struct ps_bench_options options = {.seconds = 1, .rounds = 3, .events = 2000000};
    ps_bench_options_parse(&options, argc, argv);
    if (options.brokers == NULL || options.events < PER_CALL)
        ps_kafka_loop_fatal("--brokers is needed, and --events above 1,023");
    ps_log_set_level(PS_LOG_WARN);
    for (size_t i = 0; i < PS_COUNT_OF(variants); i++) {
        if (options.only != NULL && strcmp(options.only, variants[i].name) != 0)
            continue;
        struct job job = {.base = {.brokers = options.brokers, .events = options.events},
                          .variant = &variants[i]};
        run(&job, options.rounds);
    }
    return 0;
}
