/* Measures ways to write events into Kafka in turn, on the same broker: sink kafka with each of its engines, an agent
 * with StressSource -> memory -> sink kafka, and a bare rd_kafka_produce_batch loop. Prints a record for each variant:
 * events per CPU-second of this process (including the library's threads) of both sides, and their ratio; "broker"
 * variants: CPU-seconds of the broker for a million events.
 *
 *   bench_kafka_produce [--events 2000000] [--rounds 3] [--only VARIANT] [--brokers LIST [--broker-pid PID]]
 *
 * Without --brokers the broker is an embedded one in a separate process. All send events of 120 bytes with acks=all
 * from an idempotent producer and read every delivery report. Sink and loop take them from the same ring of batches,
 * 1,024 events a batch; StressSource makes its own. In each run the topic must grow by the number of records sent. With
 * keys each event has one of 65,536, and both sides choose the partition as Java does. */
#include "bench/suite/harness.h"
#include "bench/suite/kafka/loop.h"
#include "bench/suite/paired.h"
#include "bench/support/mock_broker.h"

#include <librdkafka/rdkafka.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define BODY_BYTES 120U
#define BATCHES 256U
#define PARTITIONS 4
#define MANY_PARTITIONS 1000
#define QUEUE_BYTES (UINT64_C(64) << 20)

#define KEYS 65536U
#define MOCK_FEW "bench-4" /* the topics of the embedded broker, which makes no others */
#define MOCK_MANY "bench-1000"

struct ring {
    struct ps_batch *batches[BATCHES];
};

static struct ring plain, keyed;
static bool busy[BATCHES];

enum way { BARE, SINK, STRESS };

/* One side of a pair. */
struct side {
    enum way way;
    const char *engine; /* of SINK and STRESS */
    int partitions;
    bool keys;
    const char *linger_ms; /* of BARE, and of SINK with librdkafka */
};

struct variant {
    const char *name;
    struct side subject, reference;
    const char *reference_name;
    double goal, goal_ratio;
    bool broker; /* the figure is the broker's CPU time */
};

#define LOOP "rd_kafka_produce_batch loop"
#define BARE_4                                                                                               \
    {                                                                                                        \
        .way = BARE, .partitions = PARTITIONS, .linger_ms = "0"                                              \
    }
#define NATIVE(count, with_keys)                                                                             \
    {                                                                                                        \
        .way = SINK, .engine = "native", .partitions = count, .keys = with_keys                              \
    }
#define STRESS_NATIVE                                                                                        \
    {                                                                                                        \
        .way = STRESS, .engine = "native", .partitions = PARTITIONS                                          \
    }
#define LIBRARY(count, with_keys)                                                                            \
    {                                                                                                        \
        .way = SINK, .engine = "librdkafka", .partitions = count, .keys = with_keys, .linger_ms = "0"        \
    }

static const struct variant variants[] = {
    {"sink", LIBRARY(PARTITIONS, false), BARE_4, LOOP, 0, 0.7, false},
    {"native sink", NATIVE(PARTITIONS, false), BARE_4, LOOP, 0, 5, false},
    {"stress", STRESS_NATIVE, BARE_4, LOOP, 12e6, 5, false},
    {"native sink with 1,000 partitions", NATIVE(MANY_PARTITIONS, false), NATIVE(PARTITIONS, false),
     "with 4 partitions", 0, 1 / 1.5, false},
    {"sink with 1,000 partitions", LIBRARY(MANY_PARTITIONS, false), LIBRARY(PARTITIONS, false),
     "with 4 partitions", 0, 0, false},
    {"native sink, keys, 1,000 partitions", NATIVE(MANY_PARTITIONS, true), NATIVE(PARTITIONS, true),
     "with 4 partitions", 0, 0, false},
    {"sink, keys, 1,000 partitions", LIBRARY(MANY_PARTITIONS, true), LIBRARY(PARTITIONS, true),
     "with 4 partitions", 0, 0, false},
    {"broker, linger 0", STRESS_NATIVE, BARE_4, LOOP, 0, 1, true},
    {"broker, linger 5",
     STRESS_NATIVE,
     {.way = BARE, .partitions = PARTITIONS, .linger_ms = "5"},
     LOOP,
     0,
     1,
     true},
    {"broker, linger 50",
     STRESS_NATIVE,
     {.way = BARE, .partitions = PARTITIONS, .linger_ms = "50"},
     LOOP,
     0,
     1,
     true},
};

struct job {
    struct ps_kafka_loop_job base; /* the first member */
    const char *bootstrap;
    int broker_pid;
    bool mock;
    char few_name[64], many_name[64]; /* topics, of one variant */
    const struct variant *variant;
    uint64_t events, sent; /* events asked for in a run; events that the last run wrote */
    double per_second;     /* wall clock, of the last run */
    struct ps_kafka_mark few, many;
    struct ps_kafka_side subject, reference;
};

static struct ring *ring_of(const struct side *side)
{
    return side->keys ? &keyed : &plain;
}

static const char *topic_of(const struct job *job, int partitions)
{
    return partitions == PARTITIONS ? job->few_name : job->many_name;
}

/* ---- the broker, in a separate process ---- */

static pid_t start_broker(char *bootstrap, size_t size)
{
    int line[2];
    if (pipe(line) != 0)
        exit(1);
    pid_t child = fork();
    if (child == 0) {
        struct ps_err err = {0};
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        struct ps_mock_broker *mock = ps_mock_broker_create(1, &err);
        if (mock == NULL || ps_mock_broker_topic(mock, MOCK_FEW, PARTITIONS, &err) != PS_OK ||
            ps_mock_broker_topic(mock, MOCK_MANY, MANY_PARTITIONS, &err) != PS_OK)
            _exit(1);
        const char *text = ps_mock_broker_bootstrap(mock);
        if (write(line[1], text, strlen(text) + 1) < 0)
            _exit(1);
        for (;;)
            pause();
    }
    close(line[1]);
    if (read(line[0], bootstrap, size) <= 0)
        exit(1);
    close(line[0]);
    return child;
}

/* ---- bare ---- */

static double run_bare(struct job *job, const struct side *side)
{
    rd_kafka_t *client = ps_kafka_loop_producer(job->bootstrap, "none", side->linger_ms);
    rd_kafka_topic_t *topic = rd_kafka_topic_new(client, topic_of(job, side->partitions), NULL);
    const rd_kafka_metadata_t *metadata;
    if (rd_kafka_metadata(client, 0, topic, &metadata, 10000) != RD_KAFKA_RESP_ERR_NO_ERROR)
        exit(1);
    rd_kafka_metadata_destroy(metadata);
    static rd_kafka_message_t messages[PS_BATCH_EVENTS_MAX];

    ps_kafka_loop_reported = 0;
    uint64_t sent = 0, batches = 0;
    struct ps_usage before = ps_usage_self();
    while (sent < job->events) {
        const struct ps_batch *batch = plain.batches[batches % BATCHES];
        int32_t partition = (int32_t)(batches++ % (uint64_t)side->partitions);
        for (uint32_t i = 0; i < batch->count; i++)
            messages[i] =
                (rd_kafka_message_t){.payload = batch->events[i].body, .len = batch->events[i].body_length};
        ps_kafka_loop_produce(client, topic, partition, messages, (int)batch->count);
        sent += batch->count;
    }
    while (ps_kafka_loop_reported < sent)
        rd_kafka_poll(client, 100);
    struct ps_usage after = ps_usage_self();
    rd_kafka_topic_destroy(topic);
    rd_kafka_destroy(client);
    job->sent = sent;
    job->per_second = (double)sent / (after.wall_s - before.wall_s);
    return (double)sent / (after.cpu_s - before.cpu_s);
}

/* ---- the sink ---- */

static uint64_t delivered; /* by the current run's sink */

static void on_done(struct ps_port *, struct ps_lease **lease)
{
    delivered += (*lease)->count;
    busy[(*lease)->batch->sequence] = false;
    *lease = NULL;
}

static void sink_open(struct ps_bench_harness *harness, const struct job *job, const struct side *side)
{
    const char *const keys[] = {"kafka.bootstrap.servers",
                                job->bootstrap,
                                "kafka.topic",
                                topic_of(job, side->partitions),
                                "penstock.engine",
                                side->engine,
                                side->linger_ms != NULL ? "kafka.producer.linger.ms" : NULL,
                                side->linger_ms,
                                NULL};
    struct epoll_event woken = {.events = EPOLLIN};
    ps_bench_harness_init(harness, UINT64_C(16) << 20);
    harness->client_queue_bytes = QUEUE_BYTES;
    harness->port.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    harness->port.wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    harness->port.done = on_done;
    epoll_ctl(harness->port.epoll_fd, EPOLL_CTL_ADD, harness->port.wake_fd, &woken);
    ps_bench_harness_open(harness, PS_KIND_SINK, "kafka", (struct ps_texts){0, NULL}, keys);
    delivered = 0;
}

static void sink_close(struct ps_bench_harness *harness)
{
    ps_bench_harness_fini(harness);
    close(harness->port.epoll_fd);
    close(harness->port.wake_fd);
}

static struct ps_lease *next_lease(const struct ring *ring, uint64_t number)
{
    uint64_t slot = number % BATCHES;
    if (busy[slot])
        return NULL;
    struct ps_lease *lease = ps_batch_chain(ring->batches[slot]);
    lease->cursor = lease->settled = lease->pending = 0;
    lease->count = ring->batches[slot]->count;
    memset(lease->outcome, 0, sizeof lease->outcome);
    busy[slot] = true;
    return lease;
}

/* Waits for the engine's sockets and for its eventfd. */
static void park(const struct ps_port *port, uint64_t wait_ns)
{
    struct epoll_event ready;
    uint64_t count, wait_ms = (wait_ns + PS_NS_PER_MS - 1) / PS_NS_PER_MS;
    (void)epoll_wait(port->epoll_fd, &ready, 1, wait_ms < 100 ? (int)wait_ms : 100);
    if (read(port->wake_fd, &count, sizeof count) < 0)
        return; /* the request was not written */
}

static double run_sink(struct job *job, const struct side *side)
{
    static struct ps_bench_harness harness;
    sink_open(&harness, job, side);
    /* the bare loop waits for metadata first; this does the same with one batch */
    const struct ps_sink_ops *sink = harness.ops->sink;
    uint64_t sent = 0, number = 0, warm = PS_BATCH_EVENTS_MAX;
    struct ps_usage before = {0};
    struct ps_lease *lease = NULL;
    for (;;) {
        struct ps_now now = ps_clock_now();
        bool moved = false;
        for (unsigned i = 0; i < 16 && sent < (before.wall_s <= 0 ? warm : job->events + warm); i++) {
            if (lease == NULL)
                lease = next_lease(ring_of(side), number);
            if (lease == NULL)
                break;
            uint32_t count = lease->count;
            if (sink->work(harness.plan, harness.state, &lease, &now) != PS_TAKEN)
                break;
            number++;
            sent += count;
            moved = true;
        }
        uint64_t due_ns = sink->tick(harness.plan, harness.state, &now);
        if (before.wall_s <= 0 && delivered >= warm) {
            before = ps_usage_self();
            continue;
        }
        if (before.wall_s > 0 && delivered >= job->events + warm)
            break;
        if (!moved && due_ns > now.mono_ns) /* parks, as an idle worker does */
            park(&harness.port, due_ns - now.mono_ns);
    }
    struct ps_usage after = ps_usage_self();
    sink_close(&harness);
    job->sent = delivered;
    job->per_second = (double)(delivered - warm) / (after.wall_s - before.wall_s);
    return (double)(delivered - warm) / (after.cpu_s - before.cpu_s);
}

/* ---- an agent ---- */

static const char agent_text[] =
    "a.sources = s\na.channels = c\na.sinks = k\n"
    "a.sources.s.type = org.apache.flume.source.StressSource\n"
    "a.sources.s.size = %u\na.sources.s.maxTotalEvents = %llu\na.sources.s.batchSize = 1000\n"
    "a.sources.s.channels = c\n"
    "a.channels.c.type = memory\na.channels.c.capacity = 10000\na.channels.c.transactionCapacity = 1000\n"
    "a.sinks.k.type = org.apache.flume.sink.kafka.KafkaSink\na.sinks.k.channel = c\n"
    "a.sinks.k.kafka.bootstrap.servers = %s\na.sinks.k.kafka.topic = %s\na.sinks.k.penstock.engine = %s\n";

static double run_stress(struct job *job, const struct side *side)
{
    char text[2048];
    int length = snprintf(text, sizeof text, agent_text, BODY_BYTES, (unsigned long long)job->events,
                          job->bootstrap, topic_of(job, side->partitions), side->engine);
    PS_ASSERT(length > 0 && (size_t)length < sizeof text);
    job->base.events = job->sent = job->events;
    double figure = ps_kafka_loop_agent_rate(ps_bench_agent_start(text), &job->base);
    job->per_second = job->base.agent_per_second;
    return figure;
}

/* ---- both ---- */

static double measure(struct job *job, const struct side *side, struct ps_kafka_side *out)
{
    static double (*const ways[])(struct job *, const struct side *) = {
        [BARE] = run_bare, [SINK] = run_sink, [STRESS] = run_stress};
    struct ps_kafka_account account;
    double before_s = ps_usage_of(job->broker_pid).cpu_s;
    double figure = ways[side->way](job, side);
    double used_s = ps_usage_of(job->broker_pid).cpu_s - before_s;
    ps_kafka_account_count(side->partitions == PARTITIONS ? &job->few : &job->many, job->sent, &account);
    double broker = used_s * 1e6 / (double)job->sent;
    ps_kafka_side_add(out, job->per_second, broker, &account);
    return job->variant->broker ? broker : figure;
}

static double measure_subject(void *argument)
{
    struct job *job = argument;
    return measure(job, &job->variant->subject, &job->subject);
}

static double measure_reference(void *argument)
{
    struct job *job = argument;
    return measure(job, &job->variant->reference, &job->reference);
}

static void fill_ring(struct ps_bump *bump, struct ring *ring, const char (*keys)[PS_KAFKA_NUMBER_BYTES])
{
    const struct ps_name *name = ps_name_intern("key");
    char body[BODY_BYTES];
    uint64_t random = 1;
    for (size_t i = 0; i < BATCHES; i++) {
        struct ps_batch *batch = ring->batches[i] = ps_batch_take(bump, ps_clock_now());
        PS_ASSERT(batch != NULL);
        memset(body, 'a' + (int)(i % 26), sizeof body);
        struct ps_event *event;
        while ((event = ps_batch_add_copy(batch, body, sizeof body)) != NULL) {
            random = random * 6364136223846793005U + 1442695040888963407U;
            if (keys != NULL && !ps_batch_header_add(batch, event, name, keys[(random >> 40) % KEYS],
                                                     PS_KAFKA_NUMBER_BYTES - 1))
                ps_bench_fatal("no memory for keys");
        }
        ps_batch_close(batch);
        batch->sequence = i;
    }
}

static void fill_rings(struct ps_bump *bump)
{
    static char keys[KEYS][PS_KAFKA_NUMBER_BYTES];
    for (uint32_t i = 0; i < KEYS; i++)
        ps_kafka_account_number(keys[i], i);
    fill_ring(bump, &plain, NULL);
    fill_ring(bump, &keyed, keys);
}

static bool has_many(const struct variant *variant)
{
    return variant->subject.partitions != PARTITIONS || variant->reference.partitions != PARTITIONS;
}

/* Each variant has its own topics on a real broker, which are deleted afterwards: the disk would fill. */
static void make_topics(struct job *job)
{
    static unsigned number;
    snprintf(job->few_name, sizeof job->few_name, MOCK_FEW);
    snprintf(job->many_name, sizeof job->many_name, MOCK_MANY);
    if (!job->mock) {
        snprintf(job->few_name, sizeof job->few_name, "%s-%d-%u", MOCK_FEW, (int)getpid(), number);
        snprintf(job->many_name, sizeof job->many_name, "%s-%d-%u", MOCK_MANY, (int)getpid(), number++);
        rd_kafka_t *client = ps_kafka_loop_producer(job->bootstrap, "none", "5");
        ps_kafka_loop_topic(client, job->few_name, PARTITIONS);
        if (has_many(job->variant))
            ps_kafka_loop_topic(client, job->many_name, MANY_PARTITIONS);
        rd_kafka_destroy(client);
    }
    ps_kafka_mark_init(&job->few, job->bootstrap, job->few_name, PARTITIONS);
    if (has_many(job->variant))
        ps_kafka_mark_init(&job->many, job->bootstrap, job->many_name, MANY_PARTITIONS);
}

static void drop_topics(struct job *job)
{
    ps_kafka_mark_fini(&job->few);
    if (has_many(job->variant))
        ps_kafka_mark_fini(&job->many);
    if (job->mock)
        return;
    rd_kafka_t *client = ps_kafka_loop_producer(job->bootstrap, "none", "5");
    ps_kafka_loop_topic_delete(client, job->few_name);
    if (has_many(job->variant))
        ps_kafka_loop_topic_delete(client, job->many_name);
    rd_kafka_destroy(client);
}

static void run_variant(struct job *job, const struct variant *variant,
                        const struct ps_bench_options *options)
{
    static struct ps_paired_result result;
    char name[64];
    snprintf(name, sizeof name, "%s to %s", variant->name,
             options->brokers == NULL ? "mock" : "a real broker");
    const struct ps_paired paired = {.bench = "kafka_produce",
                                     .variant = name,
                                     .unit = variant->broker ? "broker CPU-s/M" : "events/CPU-s",
                                     .lower_is_better = variant->broker,
                                     .reference = variant->reference_name,
                                     .goal = variant->goal,
                                     .goal_ratio = variant->goal_ratio,
                                     .subject = measure_subject,
                                     .bare = measure_reference,
                                     .argument = job};
    job->variant = variant;
    job->subject = job->reference = (struct ps_kafka_side){0};
    make_topics(job);
    ps_paired_run(&paired, options->rounds, &result);
    ps_paired_print(&paired, &result, "\"bytes\":%u,\"partitions\":%d,%s", BODY_BYTES,
                    variant->subject.partitions, ps_kafka_sides_text(&job->subject, &job->reference));
    drop_topics(job);
}

int main(int argc, char **argv)
{
    char bootstrap[256];
    struct ps_bench_options options = {.seconds = 1, .rounds = 3, .events = 2000000};
    ps_bench_options_parse(&options, argc, argv);
    ps_log_set_level(PS_LOG_WARN);
    pid_t broker = options.brokers == NULL ? start_broker(bootstrap, sizeof bootstrap) : 0;

    static struct ps_bench_harness memory;
    ps_bench_harness_init(&memory, UINT64_C(256) << 20);
    fill_rings(&memory.bump);

    struct job job = {.bootstrap = options.brokers == NULL ? bootstrap : options.brokers,
                      .mock = options.brokers == NULL,
                      .broker_pid = options.brokers == NULL ? (int)broker : options.broker_pid,
                      .events = options.events};
    for (size_t i = 0; i < PS_COUNT_OF(variants); i++) {
        if (variants[i].broker && job.broker_pid == 0)
            continue;
        if (ps_bench_wants(&options, variants[i].name))
            run_variant(&job, &variants[i], &options);
    }
    if (broker == 0)
        return 0;
    kill(broker, SIGKILL);
    waitpid(broker, NULL, 0);
    return 0;
}
