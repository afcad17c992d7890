/* Measures Kafka -> memory -> Kafka in this process and a bare librdkafka loop that consumes and produces, in
 * turn, with the same records of the same broker; and exactly once beside at least once, from Kafka and from a file.
 * Prints a record for each variant: events per CPU-second of this process (including the library's threads) of both.
 *
 *   bench_kafka_to_kafka --brokers LIST [--broker-pid PID] [--events 2000000] [--rounds 3] [--only VARIANT]
 *
 * The broker is external (tests/real/kafka start), because the embedded one stores too little. For each variant the
 * program creates topics with four partitions, fills the input topic, or a file, with EVENTS numbered records of 120
 * bytes, with the variant's compression, and deletes all of it at its end. With lz4 both sides compress what they send.
 * After each run the committed records of the output topic are read, and every number is looked for.
 *
 * The bare loop takes 1,024 messages at a time, passes their bytes to rd_kafka_produce_batch without copying,
 * frees each message at its delivery report, and commits every 200 ms. */
#include <dirent.h>
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
    const char *name, *engine, *compression; /* engine: of the sink */
    bool exactly_once; /* true: compared with the same agent at least once; false: with the loop */
    bool file;         /* taildir is the source */
    double goal, goal_ratio;
};

static const struct variant variants[] = {
    {"native", "native", "none", false, false, 8e6, 4},
    {"native with lz4", "native", "lz4", false, false, 0, 2},
    {"librdkafka", "librdkafka", "none", false, false, 0, 0.7},
    {"exactly once", "native", "none", true, false, 0, 0.9},
    {"exactly once from a file", "native", "none", true, true, 0, 0.9},
};

struct job {
    struct ps_kafka_loop_job base; /* the first member */
    int broker_pid;
    const struct variant *variant;
    char from[64], to[64];       /* names of topics; `from` is unused if the input is a file */
    char folder[64], file[128];  /* of variants with a file */
    struct ps_kafka_mark output; /* end of the topic before the run */
    struct ps_kafka_side subject, reference;
};

/* Makes numbered log lines, as compressible as real ones (lz4: to about a third). */
static void make_bodies(char bodies[][BODY_BYTES], uint64_t first)
{
    uint32_t random = (uint32_t)(first / PER_CALL + 1);
    for (unsigned i = 0; i < PER_CALL; i++) {
        random = random * 1664525U + 1013904223U;
        uint32_t other = (random ^ i) * 2654435761U;
        char line[256] = "";
        snprintf(line, sizeof line,
                 "2026-03-%02u 12:%02u:%02u INFO  http-worker-%u GET /api/v1/items/%08x status=200 bytes=%u "
                 "time_us=%u session=%08x from=10.%u.%u.%u",
                 1 + i % 28, random >> 26, other >> 27, random % 16, other, random % 100000, other % 10000,
                 random ^ other, random % 256, other % 256, i % 256);
        ps_kafka_account_number(bodies[i], first + i);
        memcpy(bodies[i] + PS_KAFKA_NUMBER_BYTES, line, BODY_BYTES - PS_KAFKA_NUMBER_BYTES);
    }
}

static void fill_topic(const struct job *job, rd_kafka_t *client)
{
    static rd_kafka_message_t messages[PER_CALL];
    const uint64_t events = job->base.events;
    char(*bodies)[BODY_BYTES] = ps_must_alloc(events, BODY_BYTES, "the input");
    rd_kafka_topic_t *topic = rd_kafka_topic_new(client, job->from, NULL);
    for (uint64_t first = 0; first < events; first += PER_CALL) {
        make_bodies(bodies + first, first);
        for (unsigned i = 0; i < PER_CALL; i++)
            messages[i] = (rd_kafka_message_t){.payload = bodies[first + i], .len = BODY_BYTES};
        ps_kafka_loop_produce(client, topic, (int32_t)(first / PER_CALL % PARTITIONS), messages, PER_CALL);
    }
    if (rd_kafka_flush(client, 60000) != RD_KAFKA_RESP_ERR_NO_ERROR)
        ps_bench_fatal("the broker does not accept the input");
    rd_kafka_topic_destroy(topic);
    free(bodies);
}

static void fill_file(struct job *job)
{
    static char bodies[PER_CALL][BODY_BYTES];
    const char *temporary = getenv("TMPDIR");
    snprintf(job->folder, sizeof job->folder, "%.40s/bench-file-XXXXXX",
             temporary != NULL ? temporary : "/tmp");
    if (mkdtemp(job->folder) == NULL)
        ps_bench_fatal("no folder for the input");
    snprintf(job->file, sizeof job->file, "%s/input.log", job->folder);
    FILE *file = fopen(job->file, "we");
    for (uint64_t first = 0; file != NULL && first < job->base.events; first += PER_CALL) {
        make_bodies(bodies, first);
        for (unsigned i = 0; i < PER_CALL; i++) {
            fwrite(bodies[i], 1, BODY_BYTES, file);
            putc('\n', file);
        }
    }
    if (file == NULL || fclose(file) != 0)
        ps_bench_fatal("the input file is not written");
}

/* Makes the input and the topics. */
static void begin(struct job *job)
{
    static unsigned number;
    snprintf(job->from, sizeof job->from, "bench-in-%d-%u", (int)getpid(), number);
    snprintf(job->to, sizeof job->to, "bench-out-%d-%u", (int)getpid(), number++);
    rd_kafka_t *client = ps_kafka_loop_producer(job->base.brokers, job->variant->compression, "5");
    ps_kafka_loop_topic(client, job->to, PARTITIONS);
    ps_kafka_mark_init(&job->output, job->base.brokers, job->to, PARTITIONS);
    if (job->variant->file) {
        fill_file(job);
    } else {
        struct ps_kafka_mark input;
        ps_kafka_loop_topic(client, job->from, PARTITIONS);
        ps_kafka_mark_init(&input, job->base.brokers, job->from, PARTITIONS);
        ps_kafka_mark_fini(&input);
        fill_topic(job, client);
    }
    rd_kafka_destroy(client);
}

static void remove_folder(const char *folder)
{
    DIR *entries = opendir(folder);
    struct dirent *entry;
    char path[512];
    while (entries != NULL && (entry = readdir(entries)) != NULL) {
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (entry->d_name[0] != '.')
            unlink(path);
    }
    if (entries != NULL)
        closedir(entries);
    rmdir(folder);
}

static void finish(struct job *job)
{
    rd_kafka_t *client = ps_kafka_loop_producer(job->base.brokers, "none", "5");
    ps_kafka_mark_fini(&job->output);
    ps_kafka_loop_topic_delete(client, job->to);
    if (job->variant->file)
        remove_folder(job->folder);
    else
        ps_kafka_loop_topic_delete(client, job->from);
    rd_kafka_destroy(client);
}

/* ---- bare ---- */

static double run_bare(struct job *job)
{
    const uint64_t events = job->base.events;
    static rd_kafka_message_t *taken[PER_CALL], messages[PER_CALL];
    rd_kafka_t *consumer = ps_kafka_loop_consumer(job->base.brokers, job->from),
               *producer = ps_kafka_loop_producer(job->base.brokers, job->variant->compression, "5");
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
                ps_bench_fatal("%s", rd_kafka_message_errstr(taken[i]));
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

static const char source_kafka[] = "a.sources.s.type = org.apache.flume.source.kafka.KafkaSource\n"
                                   "a.sources.s.kafka.bootstrap.servers = %s\n"
                                   "a.sources.s.kafka.topics = %s\n"
                                   "a.sources.s.kafka.consumer.group.id = agent-%d-%u-%lld\n"
                                   "a.sources.s.kafka.consumer.auto.offset.reset = earliest\n";

static const char source_file[] = "a.sources.s.type = TAILDIR\n"
                                  "a.sources.s.filegroups = f\n"
                                  "a.sources.s.filegroups.f = %s\n"
                                  "a.sources.s.batchSize = 1000\n"
                                  "a.sources.s.positionFile = %s/positions-%u\n";

static const char rest_text[] = "a.sources = s\na.channels = c\na.sinks = k\n"
                                "a.sources.s.channels = c\n"
                                "a.channels.c.type = memory\na.channels.c.capacity = 100000\n"
                                "a.channels.c.transactionCapacity = 1000\n"
                                "a.sinks.k.type = org.apache.flume.sink.kafka.KafkaSink\n"
                                "a.sinks.k.kafka.bootstrap.servers = %s\n"
                                "a.sinks.k.kafka.topic = %s\n"
                                "a.sinks.k.penstock.engine = %s\n"
                                "a.sinks.k.kafka.producer.compression.type = %s\n"
                                "a.sinks.k.allowTopicOverride = false\n"
                                "a.sinks.k.channel = c\n"
                                "%s";

static struct ps_agent *agent_start(const struct job *job, bool exactly_once)
{
    const char *brokers = job->base.brokers, *engine = job->variant->engine;
    static unsigned number;
    char text[2048];
    int length = job->variant->file
                     ? snprintf(text, sizeof text, source_file, job->file, job->folder, number++)
                     : snprintf(text, sizeof text, source_kafka, brokers, job->from, (int)getpid(), number++,
                                (long long)time(NULL));
    length += snprintf(text + length, sizeof text - (size_t)length, rest_text, brokers, job->to, engine,
                       job->variant->compression,
                       exactly_once ? "a.sinks.k.penstock.guarantee = exactly-once\n" : "");
    PS_ASSERT(length > 0 && (size_t)length < sizeof text);
    return ps_bench_agent_start(text);
}

/* ---- both ---- */

static double measure(struct job *job, bool subject)
{
    const struct variant *variant = job->variant;
    struct ps_kafka_account account;
    bool loop = !subject && !variant->exactly_once;
    double before_s = ps_usage_of(job->broker_pid).cpu_s;
    double figure =
        loop ? run_bare(job)
             : ps_kafka_loop_agent_rate(agent_start(job, subject && variant->exactly_once), &job->base);
    double used_s = ps_usage_of(job->broker_pid).cpu_s - before_s;
    ps_kafka_account_read(&job->output, job->base.events, variant->file ? 1 : PARTITIONS, PER_CALL, &account);
    ps_kafka_side_add(subject ? &job->subject : &job->reference,
                      loop ? job->base.bare_per_second : job->base.agent_per_second,
                      used_s * 1e6 / (double)job->base.events, &account);
    return figure;
}

static double measure_subject(void *argument)
{
    return measure(argument, true);
}

static double measure_reference(void *argument)
{
    return measure(argument, false);
}

static void run(struct job *job, unsigned rounds)
{
    static struct ps_paired_result result;
    const struct variant *variant = job->variant;
    const struct ps_paired paired = {.bench = "kafka_to_kafka",
                                     .variant = variant->name,
                                     .unit = "events/CPU-s",
                                     .reference =
                                         variant->exactly_once ? "at least once" : "consume and produce loop",
                                     .goal = variant->goal,
                                     .goal_ratio = variant->goal_ratio,
                                     .subject = measure_subject,
                                     .bare = measure_reference,
                                     .argument = job};
    begin(job);
    ps_paired_run(&paired, rounds, &result);
    ps_paired_print(&paired, &result, "\"bytes\":%u,\"partitions\":%d,\"compression\":\"%s\",%s", BODY_BYTES,
                    PARTITIONS, variant->compression, ps_kafka_sides_text(&job->subject, &job->reference));
    finish(job);
}

int main(int argc, char **argv)
{
    struct ps_bench_options options = {.seconds = 1, .rounds = 3, .events = 2000000};
    ps_bench_options_parse(&options, argc, argv);
    if (options.brokers == NULL || options.events < PER_CALL)
        ps_bench_fatal("--brokers is needed, and --events above 1,023");
    ps_log_set_level(PS_LOG_WARN);
    for (size_t i = 0; i < PS_COUNT_OF(variants); i++) {
        if (!ps_bench_wants(&options, variants[i].name))
            continue;
        struct job job = {.base = {.brokers = options.brokers,
                                   .events = (options.events + PER_CALL - 1) / PER_CALL * PER_CALL},
                          .broker_pid = options.broker_pid,
                          .variant = &variants[i]};
        run(&job, options.rounds);
    }
    return 0;
}
