/* Measures sink kafka with each of its engines and a bare rd_kafka_produce_batch loop in turn: same payload, same
 * settings, same broker. Prints a record for each variant: events per CPU-second of this process (including
 * the library's threads) of both, and their ratio.
 *
 *   bench_kafka_produce [--events 2000000] [--rounds 3] [--only VARIANT] [--brokers LIST]
 *
 * Without --brokers the broker is an embedded one in a separate process; on a real one the program makes the topics bench-4
 * and bench-1000. All send the events of the same ring of batches, 1,024 events per batch, 120 bytes each, and read every
 * delivery report. The bare loop has four partitions in all variants. */
#include "bench/suite/paired.h"
#include "bench/suite/kafka/loop.h"
#include "bench/support/mock_broker.h"
#include "conf/bind.h"
#include "conf/problem.h"
#include "core/flow/bump.h"
#include "core/stage.h"

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

extern const struct ps_stage_ops ps_sink_kafka;

#define LINGER_MS "0"

static struct ps_batch *ring[BATCHES];
static bool busy[BATCHES];

struct variant {
    const char *name, *engine;
    int partitions;
    double goal_ratio;
};

static const struct variant variants[] = {
    {"sink", "librdkafka", PARTITIONS, 0.7},
    {"native sink", "native", PARTITIONS, 5},
    {"native sink with 1,000 partitions", "native", MANY_PARTITIONS, 5 / 1.5},
};

struct job {
    const char *bootstrap;
    const struct variant *variant;
    uint64_t events;
    double bare_per_second, sink_per_second; /* wall clock, of the last round */
};

static const char *topic_of(int partitions)
{
    return partitions == PARTITIONS ? "bench-4" : "bench-1000";
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
        if (mock == NULL || ps_mock_broker_topic(mock, topic_of(PARTITIONS), PARTITIONS, &err) != PS_OK ||
            ps_mock_broker_topic(mock, topic_of(MANY_PARTITIONS), MANY_PARTITIONS, &err) != PS_OK)
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

static uint64_t reported;

static void count_reports(rd_kafka_t *, const rd_kafka_message_t *message, void *)
{
    if (message->err != 0) {
        fprintf(stderr, "not delivered: %s\n", rd_kafka_err2str(message->err));
        exit(1);
    }
    reported++;
}

static double run_bare(void *argument)
{
    struct job *job = argument;
    char reason[256], records[24], kilobytes[24];
    snprintf(records, sizeof records, "%llu", (unsigned long long)QUEUE_BYTES / 256);
    snprintf(kilobytes, sizeof kilobytes, "%llu", (unsigned long long)QUEUE_BYTES / 1024);
    const char *const settings[][2] = {
        {"bootstrap.servers", job->bootstrap},
        {"acks", "all"},
        {"enable.idempotence", "true"},
        {"message.timeout.ms", "0"},
        {"batch.size", "1000000"},
        {"batch.num.messages", "10000"},
        {"message.max.bytes", "1048576"},
        {"linger.ms", LINGER_MS},
        {"queue.buffering.max.messages", records},
        {"queue.buffering.max.kbytes", kilobytes},
    };
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    for (size_t i = 0; i < PS_COUNT_OF(settings); i++)
        rd_kafka_conf_set(conf, settings[i][0], settings[i][1], reason, sizeof reason);
    rd_kafka_conf_set_dr_msg_cb(conf, count_reports);
    rd_kafka_t *client = rd_kafka_new(RD_KAFKA_PRODUCER, conf, reason, sizeof reason);
    if (client == NULL) {
        fprintf(stderr, "%s\n", reason);
        exit(1);
    }
    rd_kafka_topic_t *topic = rd_kafka_topic_new(client, topic_of(PARTITIONS), NULL);
    const rd_kafka_metadata_t *metadata;
    if (rd_kafka_metadata(client, 0, topic, &metadata, 10000) != RD_KAFKA_RESP_ERR_NO_ERROR)
        exit(1);
    rd_kafka_metadata_destroy(metadata);
    static rd_kafka_message_t messages[PS_BATCH_EVENTS_MAX];

    reported = 0;
    uint64_t sent = 0, batches = 0;
    struct ps_usage before = ps_usage_self();
    while (sent < job->events) {
        const struct ps_batch *batch = ring[batches % BATCHES];
        int32_t partition = (int32_t)(batches++ % PARTITIONS);
        for (uint32_t i = 0; i < batch->count; i++)
            messages[i] =
                (rd_kafka_message_t){.payload = batch->events[i].body, .len = batch->events[i].body_length};
        uint32_t done = 0;
        while (done < batch->count) {
            int good =
                rd_kafka_produce_batch(topic, partition, 0, messages + done, (int)(batch->count - done));
            done += (uint32_t)good;
            rd_kafka_poll(client, done < batch->count ? 10 : 0);
        }
        sent += batch->count;
    }
    while (reported < sent)
        rd_kafka_poll(client, 100);
    struct ps_usage after = ps_usage_self();
    rd_kafka_topic_destroy(topic);
    rd_kafka_destroy(client);
    job->bare_per_second = (double)sent / (after.wall_s - before.wall_s);
    return (double)sent / (after.cpu_s - before.cpu_s);
}

/* ---- the sink ---- */

struct harness {
    struct ps_context context;
    struct ps_arena *arena;
    struct ps_counters counters;
    struct ps_port port;
    uint64_t delivered;
};

static void on_done(struct ps_port *port, struct ps_lease **lease)
{
    struct harness *harness = (struct harness *)((char *)port - offsetof(struct harness, port));
    harness->delivered += (*lease)->count;
    busy[(*lease)->batch->sequence] = false;
    *lease = NULL;
}

static void report(const struct ps_context *, enum ps_log_level severity, const char *key,
                   const char *message)
{
    if (severity >= PS_LOG_WARN)
        fprintf(stderr, "%s: %s\n", key, message);
}

static void *make_plan(struct harness *harness, const struct job *job)
{
    const struct ps_pair items[] = {
        {.key = "kafka.bootstrap.servers", .value = job->bootstrap},
        {.key = "kafka.topic", .value = topic_of(job->variant->partitions)},
        {.key = "kafka.producer.linger.ms", .value = LINGER_MS},
        {.key = "penstock.engine", .value = job->variant->engine},
    };
    const struct ps_pairs pairs = {PS_COUNT_OF(items), items};
    struct ps_problems problems;
    struct ps_err err = {0};
    ps_problems_init(&problems, harness->arena);
    struct ps_bind bind = {.arena = harness->arena, .problems = &problems, .prefix = ""};
    void *plan = ps_arena_alloc(harness->arena, ps_sink_kafka.plan_size);
    if (ps_bind_options(&bind, ps_sink_kafka.options, NULL, &pairs, plan) != PS_OK ||
        ps_sink_kafka.check(plan, &harness->context) != PS_OK ||
        ps_sink_kafka.build(plan, &harness->context, &err) != PS_OK) {
        fprintf(stderr, "%s\n", err.text);
        exit(1);
    }
    ps_problems_fini(&problems);
    return plan;
}

static struct ps_lease *next_lease(uint64_t number)
{
    uint64_t slot = number % BATCHES;
    if (busy[slot])
        return NULL;
    struct ps_lease *lease = ps_batch_chain(ring[slot]);
    lease->cursor = lease->settled = lease->pending = 0;
    lease->count = ring[slot]->count;
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

static double run_sink(void *argument)
{
    struct job *job = argument;
    struct harness harness = {.arena = ps_arena_create()};
    harness.context = (struct ps_context){.agent = "a1",
                                          .component = "sink k1",
                                          .name = "k1",
                                          .arena = harness.arena,
                                          .report = report,
                                          .instances = 1,
                                          .client_queue_bytes = QUEUE_BYTES};
    harness.port = (struct ps_port){.component = "sink k1",
                                    .name = "k1",
                                    .counters = &harness.counters,
                                    .instances = 1,
                                    .epoll_fd = epoll_create1(EPOLL_CLOEXEC),
                                    .wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
                                    .done = on_done};
    struct epoll_event woken = {.events = EPOLLIN};
    epoll_ctl(harness.port.epoll_fd, EPOLL_CTL_ADD, harness.port.wake_fd, &woken);
    void *plan = make_plan(&harness, job);
    void *state = calloc(1, ps_sink_kafka.state_size);
    struct ps_err err = {0};
    if (ps_sink_kafka.open(plan, state, &harness.port, &err) != PS_OK) {
        fprintf(stderr, "%s\n", err.text);
        exit(1);
    }
    /* the bare loop waits for metadata first; this does the same with one batch */
    const struct ps_sink_ops *sink = ps_sink_kafka.sink;
    uint64_t sent = 0, number = 0, warm = PS_BATCH_EVENTS_MAX;
    struct ps_usage before = {0};
    struct ps_lease *lease = NULL;
    for (;;) {
        struct ps_now now = ps_clock_now();
        bool moved = false;
        for (unsigned i = 0; i < 16 && sent < (before.wall_s <= 0 ? warm : job->events + warm); i++) {
            if (lease == NULL)
                lease = next_lease(number);
            if (lease == NULL)
                break;
            uint32_t count = lease->count;
            if (sink->work(plan, state, &lease, &now) != PS_TAKEN)
                break;
            number++;
            sent += count;
            moved = true;
        }
        uint64_t due_ns = sink->tick(plan, state, &now);
        if (before.wall_s <= 0 && harness.delivered >= warm) {
            before = ps_usage_self();
            continue;
        }
        if (before.wall_s > 0 && harness.delivered >= job->events + warm)
            break;
        if (!moved && due_ns > now.mono_ns) /* parks, as an idle worker does */
            park(&harness.port, due_ns - now.mono_ns);
    }
    struct ps_usage after = ps_usage_self();
    ps_sink_kafka.close(plan, state);
    ps_sink_kafka.teardown(plan);
    free(state);
    close(harness.port.epoll_fd);
    close(harness.port.wake_fd);
    ps_arena_destroy(harness.arena);
    job->sink_per_second = (double)(harness.delivered - warm) / (after.wall_s - before.wall_s);
    return (double)(harness.delivered - warm) / (after.cpu_s - before.cpu_s);
}

/* ---- both ---- */

static void fill_ring(struct ps_bump *bump)
{
    char body[BODY_BYTES];
    for (size_t i = 0; i < BATCHES; i++) {
        ring[i] = ps_batch_take(bump, ps_clock_now());
        PS_ASSERT(ring[i] != NULL);
        memset(body, 'a' + (int)(i % 26), sizeof body);
        while (ps_batch_add_copy(ring[i], body, sizeof body) != NULL)
            continue;
        ps_batch_close(ring[i]);
        ring[i]->sequence = i;
    }
}

static void make_topics(const char *brokers)
{
    rd_kafka_t *client = ps_kafka_loop_producer(brokers, "none");
    ps_kafka_loop_topic(client, topic_of(PARTITIONS), PARTITIONS);
    ps_kafka_loop_topic(client, topic_of(MANY_PARTITIONS), MANY_PARTITIONS);
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
                                     .unit = "events/CPU-s",
                                     .reference = "rd_kafka_produce_batch loop",
                                     .goal_ratio = variant->goal_ratio,
                                     .subject = run_sink,
                                     .bare = run_bare,
                                     .argument = job};
    job->variant = variant;
    ps_paired_run(&paired, options->rounds, &result);
    ps_paired_print(&paired, &result,
                    "\"bytes\":%u,\"partitions\":%d,\"events_per_batch\":%u,\"events_per_second\":%.0f,"
                    "\"reference_events_per_second\":%.0f",
                    BODY_BYTES, variant->partitions, PS_BATCH_EVENTS_MAX, job->sink_per_second,
                    job->bare_per_second);
}

int main(int argc, char **argv)
{
    char bootstrap[256];
    struct ps_bench_options options = {.seconds = 1, .rounds = 3, .events = 2000000};
    ps_bench_options_parse(&options, argc, argv);
    pid_t broker = options.brokers == NULL ? start_broker(bootstrap, sizeof bootstrap) : 0;
    if (options.brokers != NULL)
        make_topics(options.brokers);

    struct ps_err err = {0};
    struct ps_depot *depot = ps_depot_create(UINT64_C(256) << 20, &err);
    struct ps_pool *pool = ps_pool_create(depot, 0);
    struct ps_bump bump;
    ps_bump_init(&bump, pool);
    fill_ring(&bump);

    struct job job = {.bootstrap = options.brokers == NULL ? bootstrap : options.brokers,
                      .events = options.events};
    for (size_t i = 0; i < PS_COUNT_OF(variants); i++)
        if (options.only == NULL || strcmp(options.only, variants[i].name) == 0)
            run_variant(&job, &variants[i], &options);
    if (broker == 0)
        return 0;
    kill(broker, SIGKILL);
    waitpid(broker, NULL, 0);
    return 0;
}
