/* What every source promises (core/stage.h), asked of each of them: events come in order and all of them,
 * also through small batches and pauses; an idle one reports that it has nothing and allocates nothing; it
 * drains, closes without a trace and opens again; an open that fails for want of memory leaves nothing
 * behind. */
#include "stages/table.h"
#include "tests/support/allocations.h"
#include "tests/support/kafka/cluster.h"
#include "tests/support/net.h"

#include <dirent.h>
#include <stdio.h>
#include <unistd.h>

#define EVENTS 3000U

struct adapter {
    const struct ps_stage_ops *ops;
    const char *keys[12];
    bool asserts_memory;   /* its set-up ends the process when there is no memory, as the engine's own does */
    bool library;          /* a client library works for it on threads of its own */
    void (*prepare)(void); /* before the stage is started */
    void (*begin)(const struct adapter *adapter, struct ps_test_stage *stage);
    /* Sends one event more; NULL: it comes by itself. */
    void (*send)(unsigned number);
    void (*end)(void);
    /* What the body of an event must be. */
    void (*expect)(const struct ps_test_event *event, unsigned number);
};

/* ---- adapters ---- */

static int client = -1;

static void connect_tcp(const struct adapter *adapter, struct ps_test_stage *stage)
{
    (void)adapter;
    client = ps_test_connect("127.0.0.1", ps_test_tcp_port(stage, 0));
}

static void connect_udp(const struct adapter *adapter, struct ps_test_stage *stage)
{
    (void)adapter;
    client = ps_test_connect_udp("127.0.0.1", ps_test_udp_port(stage));
}

static void disconnect(void)
{
    close(client);
    client = -1;
}

static void send_line(unsigned number)
{
    char line[64];
    snprintf(line, sizeof line, "event %u\n", number);
    ps_test_send_text(client, line);
}

static void expect_line(const struct ps_test_event *event, unsigned number)
{
    char body[64];
    snprintf(body, sizeof body, "event %u", number);
    assert_string_equal(event->body, body);
}

static void send_syslog(unsigned number)
{
    char line[96];
    snprintf(line, sizeof line, "<13>1 2023-11-14T22:13:20Z host event %u\n", number);
    ps_test_send_text(client, line);
}

static void expect_number(const struct ps_test_event *event, unsigned number)
{
    char body[64];
    snprintf(body, sizeof body, "%u", number);
    assert_string_equal(event->body, body);
}

static void expect_stress(const struct ps_test_event *event, unsigned number)
{
    (void)number;
    assert_int_equal(event->length, 10);
    assert_memory_equal(event->body, "\x7f\x7f\x7f\x7f\x7f\x7f\x7f\x7f\x7f\x7f", 10);
}

/* A topic and a group for each stage that is started: nobody waits for the members of the test before. */
static char servers[64], topic[32], group[32];
static rd_kafka_t *producer;

static void prepare_topic(void)
{
    static unsigned number;
    number++;
    snprintf(servers, sizeof servers, "%s", ps_test_cluster.bootstrap);
    snprintf(topic, sizeof topic, "source%u", number);
    snprintf(group, sizeof group, "group%u", number);
    ps_test_topic(topic, 1);
}

static void create_producer(const struct adapter *adapter, struct ps_test_stage *stage)
{
    char reason[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    (void)adapter;
    (void)stage;
    assert_int_equal(rd_kafka_conf_set(conf, "bootstrap.servers", servers, reason, sizeof reason), 0);
    producer = rd_kafka_new(RD_KAFKA_PRODUCER, conf, reason, sizeof reason);
    assert_non_null(producer);
}

static void destroy_producer(void)
{
    assert_int_equal(rd_kafka_flush(producer, 20000), 0);
    rd_kafka_destroy(producer);
    producer = NULL;
}

static void send_record(unsigned number)
{
    char text[64];
    int length = snprintf(text, sizeof text, "event %u", number);
    assert_int_equal(rd_kafka_producev(producer, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(0),
                                       RD_KAFKA_V_VALUE(text, (size_t)length),
                                       RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END),
                     0);
    rd_kafka_poll(producer, 0);
}

static const struct adapter adapters[] = {
    {.ops = &ps_source_seq, .keys = {"totalEvents", "3000"}, .expect = expect_number},
    {.ops = &ps_source_stress, .keys = {"size", "10", "maxTotalEvents", "3000"}, .expect = expect_stress},
    {.ops = &ps_source_exec, .keys = {"command", "seq 0 2999"}, .expect = expect_number},
    {.ops = &ps_source_netcat,
     .keys = {"bind", "127.0.0.1", "port", "0", "ack-every-event", "false"},
     .begin = connect_tcp,
     .send = send_line,
     .end = disconnect,
     .expect = expect_line,
     .asserts_memory = true},
    {.ops = &ps_source_syslogtcp,
     .keys = {"host", "127.0.0.1", "port", "0"},
     .begin = connect_tcp,
     .send = send_syslog,
     .end = disconnect,
     .expect = expect_line,
     .asserts_memory = true},
    {.ops = &ps_source_multiport_syslogtcp,
     .keys = {"host", "127.0.0.1", "ports", "0"},
     .begin = connect_tcp,
     .send = send_syslog,
     .end = disconnect,
     .expect = expect_line,
     .asserts_memory = true},
    {.ops = &ps_source_syslogudp,
     .keys = {"host", "127.0.0.1", "port", "0"},
     .begin = connect_udp,
     .send = send_syslog,
     .end = disconnect,
     .expect = expect_line,
     .asserts_memory = true},
    {.ops = &ps_source_netcatudp,
     .keys = {"bind", "127.0.0.1", "port", "0"},
     .begin = connect_udp,
     .send = send_line,
     .end = disconnect,
     .expect = expect_line,
     .asserts_memory = true},
    {.ops = &ps_source_kafka,
     .keys = {"kafka.bootstrap.servers", servers, "kafka.topics", topic, "kafka.consumer.group.id", group,
              "kafka.consumer.auto.offset.reset", "earliest", "kafka.consumer.session.timeout.ms", "6000"},
     .prepare = prepare_topic,
     .begin = create_producer,
     .send = send_record,
     .end = destroy_producer,
     .expect = expect_line,
     .asserts_memory = true,
     .library = true},
};

static void test_all_are_here(void **unused)
{
    (void)unused;
    for (size_t i = 0; ps_stages[i] != NULL; i++) {
        unsigned times = 0;
        for (size_t k = 0; k < PS_COUNT_OF(adapters); k++)
            times += adapters[k].ops == ps_stages[i];
        if (times != (ps_stages[i]->kind == PS_KIND_SOURCE))
            fail_msg("%s is asked %u times", ps_stages[i]->name, times);
    }
}

/* ---- checks ---- */

static unsigned open_fds(void)
{
    unsigned count = 0;
    DIR *directory = opendir("/proc/self/fd");
    assert_non_null(directory);
    while (readdir(directory) != NULL)
        count++;
    closedir(directory);
    return count;
}

/* The embedded cluster, a thread of this process, closes its side of a connection a little later. */
static void assert_fds(const struct adapter *adapter, unsigned fds)
{
    for (int i = 0; adapter->library && open_fds() > fds && i < 5000; i++)
        usleep(1000);
    assert_int_equal(open_fds(), fds);
}

static void start(const struct adapter *adapter, struct ps_test_stage *stage)
{
    if (adapter->prepare != NULL)
        adapter->prepare();
    ps_test_stage_start(stage, adapter->ops, adapter->keys);
}

static void begin(const struct adapter *adapter, struct ps_test_stage *stage)
{
    if (adapter->begin != NULL)
        adapter->begin(adapter, stage);
}

static void end(const struct adapter *adapter)
{
    if (adapter->end != NULL)
        adapter->end();
}

/* All events, in order; every `small` events the batch is closed, and the channel is full for a while. */
static void take_all(const struct adapter *adapter, struct ps_test_stage *stage, unsigned count,
                     unsigned small)
{
    uint64_t until = ps_clock_now().mono_ns + 30 * PS_NS_PER_S;
    unsigned sent = 0, seen = 0;
    while (seen < count) {
        if (ps_clock_now().mono_ns > until)
            fail_msg("%s: %u events came, not %u", adapter->ops->name, seen, count);
        for (unsigned burst = 0; adapter->send != NULL && sent < count && burst < 100; burst++)
            adapter->send(sent++);
        if (ps_test_source_work(stage) != PS_DONE && adapter->library)
            usleep(1000);
        if (stage->batch != NULL && stage->batch->count >= small) {
            const struct ps_source_ops *ops = adapter->ops->source;
            if (ops->paused != NULL)
                ops->paused(stage->plan, stage->state, true, &stage->now);
            for (int i = 0; i < 5 && ops->tick != NULL; i++) {
                ps_test_stage_pass_ms(stage, 1);
                (void)ops->tick(stage->plan, stage->state, &stage->now);
            }
            if (ops->paused != NULL)
                ops->paused(stage->plan, stage->state, false, &stage->now);
            ps_test_source_close_batch(stage);
        }
        ps_test_stage_pass_ms(stage, 1);
        for (size_t i = 0; i < stage->event_count; i++)
            adapter->expect(&stage->events[i], seen++);
        ps_test_source_clear(stage);
        if (stage->batch != NULL && stage->batch->count > 0 && (sent == count || adapter->send == NULL) &&
            seen + stage->batch->count == count)
            ps_test_source_close_batch(stage);
        for (size_t i = 0; i < stage->event_count; i++)
            adapter->expect(&stage->events[i], seen++);
        ps_test_source_clear(stage);
    }
    assert_int_equal(seen, count);
}

static void assert_idle(const struct adapter *adapter, struct ps_test_stage *stage)
{
    for (int i = 0; i < 20; i++) { /* until it is warm, and all it had to do is done */
        (void)ps_test_source_work(stage);
        ps_test_stage_pass_ms(stage, 20);
        usleep(1000);
    }
    uint64_t before = ps_test_allocation_count;
    for (int i = 0; i < 200; i++) {
        enum ps_result result = ps_test_source_work(stage);
        assert_true(result == PS_IDLE || result == PS_BACKOFF);
        ps_test_stage_pass_ms(stage, 1);
    }
    if (ps_test_allocation_count != before)
        fail_msg("%s: %llu allocations while idle", adapter->ops->name,
                 (unsigned long long)(ps_test_allocation_count - before));
    assert_true(stage->batch == NULL || stage->batch->count == 0);
}

static void drain(struct ps_test_stage *stage)
{
    uint64_t until = ps_clock_now().mono_ns + 10 * PS_NS_PER_S;
    const struct ps_source_ops *ops = stage->ops->source;
    while (ops->drain != NULL && !ops->drain(stage->plan, stage->state, &stage->now)) {
        assert_true(ps_clock_now().mono_ns < until);
        (void)ps_test_source_work(stage);
        ps_test_stage_pass_ms(stage, 10);
        usleep(1000);
    }
}

/* Opens it and closes it again, so that libraries are warm. Returns how many descriptors are open then; a
 * client library must leave none. */
static unsigned start_closed(const struct adapter *adapter, struct ps_test_stage *stage)
{
    if (adapter->prepare != NULL)
        adapter->prepare();
    ps_test_stage_init(stage, adapter->ops);
    if (ps_test_stage_bind(stage, adapter->keys) != PS_OK || ps_test_stage_build(stage) != PS_OK)
        fail_msg("%s: %s", adapter->ops->name, stage->err.text);
    unsigned fds = open_fds();
    assert_int_equal(ps_test_stage_open(stage), PS_OK);
    if (adapter->library)
        drain(stage); /* a member that does not leave its group holds up the next one */
    ps_test_stage_close(stage);
    if (adapter->library)
        assert_fds(adapter, fds);
    return open_fds();
}

static void test_life(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < PS_COUNT_OF(adapters); i++) {
        const struct adapter *adapter = &adapters[i];
        print_message("%s\n", adapter->ops->name);
        struct ps_test_stage stage;
        unsigned fds = start_closed(adapter, &stage);
        /* Twice with the same plan, the second time with batches of a few events. */
        for (unsigned small = 1024; small > 0; small = small == 1024 ? 7 : 0) {
            assert_int_equal(ps_test_stage_open(&stage), PS_OK);
            begin(adapter, &stage);
            take_all(adapter, &stage, EVENTS, small);
            assert_idle(adapter, &stage);
            drain(&stage);
            end(adapter);
            ps_test_source_close_batch(&stage);
            ps_test_stage_close(&stage);
            assert_fds(adapter, fds);
        }
        ps_test_stage_fini(&stage);
    }
}

/* Draining with nothing begun and with a lot under way. */
static void test_drain(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < PS_COUNT_OF(adapters); i++) {
        for (int under_way = 0; under_way < 2; under_way++) {
            const struct adapter *adapter = &adapters[i];
            struct ps_test_stage stage;
            start(adapter, &stage);
            begin(adapter, &stage);
            for (unsigned number = 0; under_way && number < 50; number++) {
                if (adapter->send != NULL)
                    adapter->send(number);
            }
            if (under_way)
                (void)ps_test_source_work(&stage);
            drain(&stage);
            end(adapter);
            ps_test_stage_fini(&stage);
        }
    }
}

/* Every allocation of `open` fails once: an error, no descriptor left, and it opens afterwards. */
static void test_open_without_memory(void **unused)
{
    (void)unused;
    for (size_t i = 0; PS_TEST_ALLOCATIONS && i < PS_COUNT_OF(adapters); i++) {
        const struct adapter *adapter = &adapters[i];
        if (adapter->asserts_memory)
            continue;
        struct ps_test_stage stage;
        ps_test_stage_start(&stage, adapter->ops, adapter->keys); /* libraries are warm after this */
        ps_test_stage_close(&stage);
        unsigned fds = open_fds();
        for (uint64_t nth = 2;; nth++) { /* the first one is the state's, the engine's business */
            ps_test_allocation_fails = nth;
            enum ps_status status = ps_test_stage_open(&stage);
            bool failed_one = ps_test_allocation_fails == 0;
            ps_test_allocation_fails = 0;
            if (status == PS_OK)
                ps_test_stage_close(&stage);
            else
                assert_true(failed_one && stage.err.length > 0);
            assert_int_equal(open_fds(), fds);
            if (!failed_one)
                break;
        }
        ps_test_stage_fini(&stage);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_are_here),
        cmocka_unit_test(test_life),
        cmocka_unit_test(test_drain),
        cmocka_unit_test(test_open_without_memory),
    };
    return cmocka_run_group_tests(tests, ps_test_cluster_setup, ps_test_cluster_teardown);
}
