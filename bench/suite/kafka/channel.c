/* Measures StressSource -> Kafka channel -> null in this process and a bare pair of librdkafka loops, one that produces and
 * one that consumes at the same time, in turn, on one broker. Prints a record: events per CPU-second of this process
 * (including the library's threads) of both.
 *
 *   bench_kafka_channel --brokers LIST [--events 2000000] [--rounds 5]
 *
 * The broker is external (tests/real/kafka start), because the embedded one stores too little. Each run has a topic of its
 * own with four partitions, and bodies of 120 bytes. The channel encodes and decodes each event as Flume's does
 * (parseAsFlumeEvent), and its memory budget is small: the source is always faster, and memory that was never used costs
 * the kernel more than an event. The bare producer sends one buffer again and again, the bare consumer frees what it gets, and commits
 * every 200 ms. */
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bench/suite/agent.h"
#include "bench/suite/paired.h"
#include "bench/suite/kafka/loop.h"

#define BODY_BYTES 120U
#define PER_CALL 1024
#define PARTITIONS 4

static const char agent_text[] =
    "a.sources = s\na.channels = c\na.sinks = k\na.penstock.memory.budget = 256m\n"
    "a.sources.s.type = org.apache.flume.source.StressSource\n"
    "a.sources.s.size = %u\na.sources.s.maxTotalEvents = %llu\na.sources.s.channels = c\n"
    "a.channels.c.type = org.apache.flume.channel.kafka.KafkaChannel\n"
    "a.channels.c.kafka.bootstrap.servers = %s\na.channels.c.kafka.topic = %s\n"
    "a.channels.c.kafka.consumer.group.id = %s\na.channels.c.kafka.producer.linger.ms = 5\n"
    "a.sinks.k.type = null\na.sinks.k.channel = c\na.sinks.k.logEveryNEvents = 2000000000\n";

/* Makes a topic that nobody has used. */
static void next_topic(const struct ps_kafka_loop_job *job, char *name, size_t room)
{
    static unsigned number;
    snprintf(name, room, "bench-channel-%d-%u-%lld", (int)getpid(), number++, (long long)time(NULL));
    rd_kafka_t *client = ps_kafka_loop_producer(job->brokers, "none", "5");
    ps_kafka_loop_topic(client, name, PARTITIONS);
    rd_kafka_destroy(client);
}

static uint64_t consume(rd_kafka_queue_t *queue, int wait_ms)
{
    static rd_kafka_message_t *taken[PER_CALL];
    ssize_t count = rd_kafka_consume_batch_queue(queue, wait_ms, taken, PER_CALL);
    for (ssize_t i = 0; i < count; i++) {
        if (taken[i]->err != RD_KAFKA_RESP_ERR_NO_ERROR)
            ps_bench_fatal("%s", rd_kafka_message_errstr(taken[i]));
        rd_kafka_message_destroy(taken[i]);
    }
    return count > 0 ? (uint64_t)count : 0;
}

/* Produces a call's worth, without waiting for the consumer. */
static void produce_some(rd_kafka_t *producer, rd_kafka_topic_t *topic)
{
    static char body[BODY_BYTES];
    static rd_kafka_message_t messages[PER_CALL];
    static unsigned calls;
    for (int i = 0; i < PER_CALL; i++)
        messages[i] = (rd_kafka_message_t){.payload = body, .len = sizeof body};
    ps_kafka_loop_produce(producer, topic, (int32_t)(calls++ % PARTITIONS), messages, PER_CALL);
}

static double run_bare(void *argument)
{
    struct ps_kafka_loop_job *job = argument;
    char name[128];
    next_topic(job, name, sizeof name);
    rd_kafka_t *consumer = ps_kafka_loop_consumer(job->brokers, name);
    rd_kafka_t *producer = ps_kafka_loop_producer(job->brokers, "none", "5");
    rd_kafka_queue_t *queue = rd_kafka_queue_get_consumer(consumer);
    rd_kafka_topic_t *topic = rd_kafka_topic_new(producer, name, NULL);
    struct ps_usage before = {0};
    uint64_t sent = 0, got = 0, first = 0;
    double committed_s = 0;
    while (got < job->events) {
        if (sent < job->events) {
            produce_some(producer, topic);
            sent += PER_CALL;
        } else {
            rd_kafka_poll(producer, 0);
        }
        got += consume(queue, sent < job->events ? 0 : 10);
        if (first == 0 && got > 0) {
            before = ps_usage_self();
            first = got;
        }
        double now_s = ps_usage_self().wall_s;
        if (got > 0 && now_s - committed_s >= 0.2) {
            committed_s = now_s;
            rd_kafka_commit(consumer, NULL, 1);
        }
    }
    struct ps_usage after = ps_usage_self();
    rd_kafka_topic_destroy(topic);
    rd_kafka_destroy(producer);
    rd_kafka_queue_destroy(queue);
    rd_kafka_destroy(consumer);
    job->bare_per_second = (double)(got - first) / (after.wall_s - before.wall_s);
    return (double)(got - first) / (after.cpu_s - before.cpu_s);
}

static double run_agent(void *argument)
{
    struct ps_kafka_loop_job *job = argument;
    char name[128], text[2048];
    next_topic(job, name, sizeof name);
    int length = snprintf(text, sizeof text, agent_text, BODY_BYTES, (unsigned long long)job->events,
                          job->brokers, name, name);
    PS_ASSERT(length > 0 && (size_t)length < sizeof text);
    return ps_kafka_loop_agent_rate(ps_bench_agent_start(text), job);
}

int main(int argc, char **argv)
{
    struct ps_bench_options options = {.seconds = 1, .rounds = 5, .events = 2000000};
    ps_bench_options_parse(&options, argc, argv);
    if (options.brokers == NULL || options.events < PER_CALL)
        ps_bench_fatal("--brokers is needed, and --events above 1,023");
    ps_log_set_level(PS_LOG_WARN);
    struct ps_kafka_loop_job job = {.brokers = options.brokers, .events = options.events};
    const struct ps_paired paired = {.bench = "kafka_channel",
                                     .variant = "real broker",
                                     .unit = "events/CPU-s",
                                     .reference = "bare produce and consume pair",
                                     .goal_ratio = 0.7,
                                     .subject = run_agent,
                                     .bare = run_bare,
                                     .argument = &job};
    ps_kafka_loop_compare(&paired, &job, options.rounds, BODY_BYTES, PARTITIONS);
    return 0;
}
