/* Channel kafka and librdkafka's mock cluster: the records of the topic, when they are promised, the events that are
 * read back, and when offsets are committed. Real clock. */
#include "core/flow/engine_channel.h"
#include "tests/support/kafka/cluster.h"
#include "tests/support/kafka/member.h"
#include "tests/support/kafka/reader.h"
#include "tests/support/stage.h"

#include <poll.h>
#include <stdio.h>

#define PATIENCE_MS PS_TEST_PATIENCE_MS

/* ---- a channel of one producer and one consumer, as the engine calls it ---- */

static void build(struct ps_test_stage *stage, const char *bootstrap, unsigned producers, unsigned consumers,
                  const char *const *keys)
{
    const char *all[64] = {"kafka.bootstrap.servers", bootstrap, "kafka.consumer.session.timeout.ms", "6000"};
    size_t count = 4;
    for (size_t i = 0; keys[i] != NULL; i++)
        all[count++] = keys[i];
    ps_test_stage_init(stage, &ps_channel_kafka);
    stage->context.producers = producers;
    stage->context.consumers = consumers;
    ps_test_stage_real_clock(stage);
    if (ps_test_stage_bind(stage, all) != PS_OK || ps_test_stage_build(stage) != PS_OK)
        fail_msg("%s", stage->err.text);
}

static void start(struct ps_test_stage *stage, const char *const *keys)
{
    build(stage, ps_test_cluster.bootstrap, 1, 1, keys);
}

static void produce(struct ps_test_stage *stage)
{
    ps_test_stage_real_clock(stage);
    if (stage->context.producers > 0)
        (void)stage->ops->channel->tick(stage->plan, 0, &stage->port, &stage->now);
}

static void consume(struct ps_test_stage *stage)
{
    ps_test_stage_real_clock(stage);
    if (stage->context.consumers > 0)
        (void)stage->ops->channel->consumer_tick(stage->plan, 0, &stage->port, &stage->now);
}

static void run_ms(struct ps_test_stage *stage, unsigned ms)
{
    for (unsigned i = 0; i < ms; i++) {
        produce(stage);
        consume(stage);
        poll(NULL, 0, 1);
    }
}

static struct ps_lease *put(struct ps_test_stage *stage, struct ps_lease *lease)
{
    struct ps_lease *offered = lease;
    assert_int_equal(stage->ops->channel->put(stage->plan, 0, &offered, &stage->now), PS_PUT_OK);
    assert_null(offered);
    return lease;
}

static void await_home(struct ps_test_stage *stage, size_t count)
{
    for (unsigned i = 0; stage->home_count < count && i < PATIENCE_MS; i++)
        run_ms(stage, 1);
    assert_int_equal(stage->home_count, count);
}

static struct ps_lease *try_take(struct ps_test_stage *stage)
{
    return stage->ops->channel->take(stage->plan, 0, &stage->port, &stage->now);
}

static struct ps_lease *take(struct ps_test_stage *stage)
{
    struct ps_lease *lease = NULL;
    for (unsigned i = 0; (lease = try_take(stage)) == NULL && i < PATIENCE_MS; i++)
        run_ms(stage, 1);
    assert_non_null(lease);
    return lease;
}

static void untake(struct ps_test_stage *stage, struct ps_lease *lease)
{
    stage->ops->channel->untake(stage->plan, 0, &lease);
    assert_null(lease);
}

/* The sink has delivered the lease, which is released: the channel's window counts it. */
static void deliver(struct ps_test_stage *stage, struct ps_lease *lease)
{
    struct ps_lease *going = lease;
    size_t home = stage->home_count;
    stage->ops->channel->done(stage->plan, 0, &going, &stage->port);
    assert_null(going);
    ps_test_stage_release_home(stage, home);
}

/* Gets the next event, which may be in another lease, as the client hands out records when they come. Returns its
 * position. */
static uint32_t next(struct ps_test_stage *stage, struct ps_lease **lease, uint32_t position)
{
    if (position + 1 < (*lease)->count)
        return position + 1;
    deliver(stage, *lease);
    *lease = take(stage);
    return 0;
}

/* Returns the leases of producers that the channel gives back. */
static struct ps_lease *strip(struct ps_test_stage *stage)
{
    size_t home = stage->home_count;
    if (stage->context.consumers > 0)
        stage->ops->channel->leave(stage->plan, 0, &stage->port);
    ps_test_stage_release_home(stage, home);
    return stage->ops->channel->engine->strip(stage->plan);
}

static void stop(struct ps_test_stage *stage)
{
    assert_null(strip(stage));
    ps_test_stage_fini(stage);
}

static struct ps_fill fill(struct ps_test_stage *stage)
{
    struct ps_fill now = {0};
    stage->ops->channel->fill(stage->plan, &now);
    return now;
}

static void assert_event(struct ps_test_stage *stage, const struct ps_lease *lease, uint32_t position,
                         const char *body, size_t header_count)
{
    struct ps_test_event event = ps_test_lease_event(stage, lease, position);
    assert_int_equal(event.length, strlen(body));
    assert_memory_equal(event.body, body, event.length);
    assert_int_equal(ps_test_event_header_count(&event), header_count);
}

static const char *header_of(struct ps_test_stage *stage, const struct ps_lease *lease, uint32_t position,
                             const char *name)
{
    struct ps_test_event event = ps_test_lease_event(stage, lease, position);
    const char *value = ps_test_event_header(&event, name);
    return value != NULL ? value : "";
}

/* ---- records that are written and read ---- */

/* The datum of Avro's specification: one block of one entry, its end, the body; lengths are zigzag numbers. */
static void test_flume_events(void **unused)
{
    struct ps_test_stage stage;
    ps_test_topic("events", 1);
    start(&stage, PS_KEYS("kafka.topic", "events", "kafka.consumer.group.id", "events"));
    struct ps_lease *lease =
        put(&stage, PS_LEASE(&stage, PS_EVENT("one", "key", "k1"), PS_BODY("two"), PS_EVENT("", "a", "b")));
    assert_int_equal(fill(&stage).size, 3);
    assert_int_equal(fill(&stage).bytes, 6);
    await_home(&stage, 1);
    assert_ptr_equal(stage.home[0], lease);
    assert_false(lease->failed);
    assert_int_equal(fill(&stage).size, 0);
    assert_int_equal(fill(&stage).bytes, 0);

    struct ps_test_records records = ps_test_records_read(ps_test_cluster.bootstrap, "events", 1, 3);
    assert_int_equal(records.count, 3);
    assert_string_equal(records.items[0].key, "k1");
    assert_int_equal(records.items[0].value_length, 13);
    assert_memory_equal(records.items[0].value, "\x02\x06key\x04k1\x00\x06one", 13);
    assert_null(records.items[1].key);
    assert_int_equal(records.items[1].value_length, 5);
    assert_memory_equal(records.items[1].value, "\x00\x06two", 5);
    assert_string_equal(records.items[1].headers, "");
    ps_test_records_free(&records);

    lease = take(&stage);
    assert_event(&stage, lease, 0, "one", 1);
    assert_string_equal(header_of(&stage, lease, 0, "key"), "k1");
    uint32_t at = next(&stage, &lease, 0);
    assert_event(&stage, lease, at, "two", 0);
    at = next(&stage, &lease, at);
    assert_event(&stage, lease, at, "", 1);
    assert_string_equal(header_of(&stage, lease, at, "a"), "b");
    deliver(&stage, lease);
    stop(&stage);
}

static void test_bodies(void **unused)
{
    struct ps_test_stage stage;
    ps_test_topic("bodies", 1);
    start(&stage, PS_KEYS("topic", "bodies", "groupId", "bodies", "parseAsFlumeEvent", "false"));
    put(&stage, PS_LEASE(&stage, PS_EVENT("one", "key", "k1", "other", "x"), PS_BODY("")));
    await_home(&stage, 1);
    struct ps_test_records records = ps_test_records_read(ps_test_cluster.bootstrap, "bodies", 1, 2);
    assert_string_equal(records.items[0].value, "one");
    assert_string_equal(records.items[0].key, "k1");
    assert_string_equal(records.items[0].headers, "");
    assert_int_equal(records.items[1].value_length, 0);
    ps_test_records_free(&records);
    struct ps_lease *lease = take(&stage);
    assert_event(&stage, lease, 0, "one", 1);
    assert_string_equal(header_of(&stage, lease, 0, "key"), "k1");
    uint32_t at = next(&stage, &lease, 0);
    assert_event(&stage, lease, at, "", 0);
    deliver(&stage, lease);
    stop(&stage);
}

/* A header overrides the default partition; the key decides for other events. */
static void test_partitions(void **unused)
{
    struct ps_test_stage stage;
    ps_test_topic("parts", 4);
    start(&stage, PS_KEYS("kafka.topic", "parts", "kafka.consumer.group.id", "parts", "parseAsFlumeEvent",
                          "false", "defaultPartitionId", "2", "partitionIdHeader", "part"));
    put(&stage, PS_LEASE(&stage, PS_EVENT("a", "part", "3"), PS_BODY("b"), PS_EVENT("c", "part", "0")));
    await_home(&stage, 1);
    struct ps_test_records records = ps_test_records_read(ps_test_cluster.bootstrap, "parts", 4, 3);
    static const struct {
        int32_t partition;
        const char *value;
    } expected[] = {{0, "c"}, {2, "b"}, {3, "a"}};
    assert_int_equal(records.count, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(records.items[i].partition, expected[i].partition);
        assert_string_equal(records.items[i].value, expected[i].value);
    }
    ps_test_records_free(&records);
    stop(&stage);
}

/* ---- promises ---- */

static void test_promised_when_acknowledged(void **unused)
{
    struct ps_test_stage stage;
    ps_test_topic("slow", 1);
    ps_mock_broker_round_trip(ps_test_cluster.mock,
                              2000); /* longer than a busy machine needs for the next lines */
    start(&stage, PS_KEYS("kafka.topic", "slow"));
    struct ps_lease *leases[3];
    leases[0] = put(&stage, PS_LEASE(&stage, PS_BODY("a")));
    leases[1] = put(&stage, PS_LEASE(&stage, PS_BODY("b")));
    run_ms(&stage, 50);
    assert_int_equal(stage.home_count, 0);
    leases[2] = put(&stage, PS_LEASE(&stage, PS_BODY("c")));
    assert_int_equal(fill(&stage).size, 3);
    assert_false(stage.ops->channel->hungry(stage.plan, 0));
    ps_mock_broker_round_trip(ps_test_cluster.mock, 0);
    await_home(&stage, 3);
    for (size_t i = 0; i < 3; i++)
        assert_ptr_equal(stage.home[i], leases[i]);
    assert_true(stage.ops->channel->hungry(stage.plan, 0));
    stop(&stage);
}

/* An event that can never be a record: clients get an error if their source can answer them; events of other sources wait. */
static void test_refused(void **unused)
{
    struct ps_test_stage stage;
    ps_test_topic("refused", 1);
    start(&stage,
          PS_KEYS("kafka.topic", "refused", "parseAsFlumeEvent", "false", "partitionIdHeader", "part"));
    struct ps_lease *good = put(&stage, PS_LEASE(&stage, PS_BODY("a")));
    struct ps_lease *bad = PS_LEASE(&stage, PS_BODY("b"), PS_EVENT("c", "part", "x"), PS_BODY("d"));
    bad->refusable = true;
    put(&stage, bad);
    struct ps_lease *after = put(&stage, PS_LEASE(&stage, PS_BODY("e")));
    await_home(&stage, 3);
    assert_ptr_equal(stage.home[0], good);
    assert_ptr_equal(stage.home[1], bad);
    assert_ptr_equal(stage.home[2], after);
    assert_false(good->failed);
    assert_true(bad->failed);
    assert_false(after->failed);
    put(&stage, PS_LEASE(&stage, PS_EVENT("f", "part", "-1")));
    run_ms(&stage, 100);
    assert_int_equal(stage.home_count, 3);
    struct ps_lease *list = strip(&stage);
    assert_non_null(list);
    assert_null(list->next);
    assert_int_equal(list->settled, 0);
    ps_test_stage_fini(&stage);
}

/* Without a broker leases that are put wait, and a reload carries them over. */
static void test_strip_and_restore(void **unused)
{
    struct ps_test_stage away, stage;
    ps_test_topic("carried", 1);
    build(&away, "127.0.0.1:1", 1, 0, PS_KEYS("kafka.topic", "carried", "parseAsFlumeEvent", "false"));
    struct ps_lease *first = put(&away, PS_LEASE(&away, PS_BODY("1"))), *second;
    run_ms(&away, 100);
    second = put(&away, PS_LEASE(&away, PS_BODY("2")));
    struct ps_lease *list = strip(&away);
    assert_ptr_equal(list, first);
    assert_ptr_equal(list->next, second);
    assert_null(second->next);
    assert_int_equal(first->settled + second->settled, 0);
    assert_int_equal(fill(&away).size, 0);

    build(&stage, ps_test_cluster.bootstrap, 1, 0,
          PS_KEYS("kafka.topic", "carried", "parseAsFlumeEvent", "false"));
    stage.ops->channel->engine->restore(stage.plan, list);
    assert_int_equal(fill(&stage).size, 2);
    put(&stage, PS_LEASE(&stage, PS_BODY("3")));
    assert_int_equal(fill(&stage).size, 3);
    await_home(&stage, 3);
    assert_ptr_equal(stage.home[0], first);
    assert_ptr_equal(stage.home[1], second);
    assert_int_equal(fill(&stage).size, 0);
    struct ps_test_records records = ps_test_records_read(ps_test_cluster.bootstrap, "carried", 1, 3);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(records.items[i].value[0], '1' + (char)i);
    ps_test_records_free(&records);
    stop(&stage);
    ps_test_stage_fini(&away);
}

/* The next plan has no source for the channel: the sink's worker sends the remaining events. */
static void test_restore_without_producer(void **unused)
{
    struct ps_test_stage stage;
    ps_test_topic("orphans", 1);
    build(&stage, ps_test_cluster.bootstrap, 0, 1,
          PS_KEYS("kafka.topic", "orphans", "kafka.consumer.group.id", "orphans"));
    struct ps_lease *lease = PS_LEASE(&stage, PS_BODY("left"));
    stage.ops->channel->engine->restore(stage.plan, lease);
    await_home(&stage, 1);
    assert_ptr_equal(stage.home[0], lease);
    lease = take(&stage);
    assert_event(&stage, lease, 0, "left", 0);
    deliver(&stage, lease);
    stop(&stage);
}

#define UNTIL_700_MS "kafka.producer.delivery.timeout.ms", "700", "kafka.producer.request.timeout.ms", "600"
/* Nothing is acknowledged for delivery.timeout.ms: waiting clients get an error; events without a client wait. */
static void test_outage(void **unused)
{
    struct ps_test_stage stage;
    char reason[128];
    build(&stage, "127.0.0.1:1", 1, 0, PS_KEYS("kafka.topic", "outage", UNTIL_700_MS));
    struct ps_lease *waits = put(&stage, PS_LEASE(&stage, PS_BODY("waits"))), *told[3];
    for (size_t i = 0; i < 3; i++) {
        told[i] = PS_LEASE(&stage, PS_BODY("told"));
        told[i]->refusable = true;
    }
    uint64_t put_ns = stage.now.mono_ns;
    put(&stage, told[0]);
    put(&stage, told[1]);
    while (stage.home_count == 0 && !stage.ops->channel->trouble(stage.plan, reason, sizeof reason))
        run_ms(&stage, 1);
    assert_true(stage.now.mono_ns - put_ns >= 700 * PS_NS_PER_MS);
    await_home(&stage, 2);
    assert_ptr_equal(stage.home[0], told[0]);
    assert_ptr_equal(stage.home[1], told[1]);
    assert_true(told[0]->failed && told[1]->failed);
    put(&stage, told[2]);
    await_home(&stage, 3);
    assert_ptr_equal(stage.home[2], told[2]);
    assert_true(told[2]->failed);
    assert_false(waits->failed);
    assert_int_equal(fill(&stage).size, 1);
    assert_ptr_equal(strip(&stage), waits);
    ps_test_stage_fini(&stage);
}

/* One partition has no leader: clients whose batch was acknowledged in part get an error. With a leader the batch is accepted. */
static void test_outage_of_a_partition(void **unused)
{
    struct ps_test_stage stage;
    ps_test_topic("partial", 2);
    build(&stage, ps_test_cluster.bootstrap, 1, 0,
          PS_KEYS("kafka.topic", "partial", "parseAsFlumeEvent", "false", "partitionIdHeader", "part",
                  UNTIL_700_MS));
    uint64_t until_ns = ps_test_patience_end_ns();
    for (size_t i = 0; i < 4;) {
        rd_kafka_mock_partition_set_leader(ps_test_cluster.handle, "partial", 1, i < 2 ? -1 : 1);
        struct ps_lease *lease =
            PS_LEASE(&stage, PS_EVENT("a", "part", i % 2 == 0 ? "0" : "1"), PS_EVENT("b", "part", "0"),
                     PS_EVENT("c", "part", i % 2 == 0 ? "1" : "0"));
        lease->refusable = true;
        put(&stage, lease);
        await_home(&stage, stage.home_count + 1);
        assert_int_equal(lease->failed, i < 2 || lease->settled < 3);
        i += lease->settled == (i < 2 ? 2U : 3U); /* else a busy machine acknowledged later than in 700 ms */
        assert_true(ps_test_patient_ns() < until_ns);
    }
    stop(&stage);
}

/* /readyz reports how long brokers have acknowledged nothing, and why. The channel's clock is 15 s behind that of
 * /readyz. */
static void test_trouble(void **unused)
{
    struct ps_test_stage stage;
    char reason[512] = "";
    build(&stage, "127.0.0.1:1", 1, 0, PS_KEYS("kafka.topic", "trouble"));
    for (unsigned i = 0; strstr(reason, "127.0.0.1:1") == NULL; i++) {
        assert_true(i < PATIENCE_MS);
        poll(NULL, 0, 1);
        stage.now = ps_clock_now();
        stage.now.mono_ns -= 15 * PS_NS_PER_S;
        (void)stage.ops->channel->tick(stage.plan, 0, &stage.port, &stage.now);
        if (i == 0)
            put(&stage, PS_LEASE(&stage, PS_BODY("x")));
        assert_int_equal(stage.ops->channel->trouble(stage.plan, reason, sizeof reason), i > 0);
    }
    assert_non_null(strstr(reason, "refused"));
    const char *number = strpbrk(reason, "0123456789");
    assert_in_range(strtoul(number, NULL, 10), 15, PATIENCE_MS / 1000);
    assert_non_null(strip(&stage));
    ps_test_stage_fini(&stage);
}

/* Events that wait for the brokers stay within the channel's share of the memory budget. */
static void test_full(void **unused)
{
    struct ps_test_stage stage;
    build(&stage, "127.0.0.1:1", 1, 0, PS_KEYS("kafka.topic", "full"));
    unsigned count = 0;
    for (struct ps_lease *lease;; count++) {
        lease = PS_LEASE(&stage, PS_BODY("x"));
        lease->memory_bytes = (uint32_t)(stage.context.channel_quota_bytes / 16);
        if (stage.ops->channel->put(stage.plan, 0, &lease, &stage.now) == PS_PUT_FULL)
            break;
    }
    assert_int_equal(count, 8);
    assert_int_equal(stage.ops->channel->keep_alive_ms(stage.plan), 60000);
    assert_non_null(strip(&stage));
    ps_test_stage_fini(&stage);
}

/* ---- commits ---- */

static int64_t committed(const char *topic)
{
    return ps_test_kafka_committed(ps_test_cluster.bootstrap, topic, topic, 0);
}

static void await_committed(struct ps_test_stage *stage, const char *topic, int64_t position)
{
    for (unsigned i = 0; i < PATIENCE_MS / 50 && committed(topic) < position; i++)
        run_ms(stage, 50);
    assert_int_equal(committed(topic), position);
}

/* Only offsets up to the first undelivered event are committed; the rest comes again. */
static void test_committed_when_delivered(void **unused)
{
    struct ps_test_stage stage;
    struct ps_lease *taken[3];
    ps_test_topic("commits", 1);
    start(&stage, PS_KEYS("kafka.topic", "commits", "kafka.consumer.group.id", "commits"));
    for (size_t i = 0; i < 3; i++) { /* taken immediately, so that each is a batch of its own */
        put(&stage, PS_LEASE(&stage, PS_BODY(i == 0 ? "a" : i == 1 ? "b" : "c")));
        taken[i] = take(&stage);
        assert_int_equal(taken[i]->count, 1);
    }
    deliver(&stage, taken[1]);
    run_ms(&stage, 500);
    assert_true(committed("commits") <= 0);
    untake(&stage, taken[2]);
    untake(&stage, taken[0]);
    assert_ptr_equal(take(&stage), taken[0]);
    deliver(&stage, taken[0]);
    await_committed(&stage, "commits", 2);
    await_home(&stage, 3);
    stop(&stage);
    uint64_t until_ns = ps_test_patience_end_ns();
    do { /* once, if the commit takes no longer than the stop waits for it: else the event comes again */
        assert_true(ps_test_patient_ns() < until_ns);
        start(&stage, PS_KEYS("kafka.topic", "commits", "kafka.consumer.group.id", "commits"));
        struct ps_lease *again = take(&stage);
        assert_int_equal(again->count, 1);
        assert_event(&stage, again, 0, "c", 0);
        deliver(&stage, again);
        stop(&stage); /* commits immediately */
    } while (committed("commits") != 3);
}

/* A record that is not a Flume event is counted and skipped. */
static void test_malformed(void **unused)
{
    struct ps_test_stage stage;
    ps_test_topic("malformed", 1);
    build(&stage, ps_test_cluster.bootstrap, 0, 1,
          PS_KEYS("kafka.topic", "malformed", "kafka.consumer.group.id", "malformed"));
    ps_test_kafka_send_value(ps_test_cluster.bootstrap, "malformed", 0, "\xff", 1);
    ps_test_kafka_send_value(ps_test_cluster.bootstrap, "malformed", 0, "\x00\x02g", 3);
    struct ps_lease *lease = take(&stage);
    assert_int_equal(lease->count, 1);
    assert_event(&stage, lease, 0, "g", 0);
    deliver(&stage, lease);
    await_committed(&stage, "malformed", 2); /* a stop waits for the commit only for some seconds */
    stop(&stage);
}

/* Lets both members take the available events. Returns how many events with this body came, and adds them to the member's number. */
static unsigned take_round(struct ps_test_stage stages[2], const char *body, unsigned each[2])
{
    unsigned count = 0;
    for (size_t k = 0; k < 2; k++) {
        run_ms(&stages[k], 1);
        struct ps_lease *lease = try_take(&stages[k]);
        for (uint32_t i = 0; lease != NULL && i < lease->count; i++) {
            const struct ps_event *event = ps_lease_event(lease, i);
            bool is_new = event->body_length == 1 && event->body[0] == body[0];
            count += is_new;
            each[k] += is_new;
        }
        if (lease != NULL)
            deliver(&stages[k], lease);
    }
    return count;
}

/* Two sinks are two members of the group: each event goes to one of them. */
static void test_two_members(void **unused)
{
    struct ps_test_stage stages[2];
    unsigned each[2] = {0};
    ps_test_topic("members", 4);
    for (size_t i = 0; i < 2; i++)
        build(&stages[i], ps_test_cluster.bootstrap, i == 0, 1,
              PS_KEYS("kafka.topic", "members", "kafka.consumer.group.id", "members", "partitionIdHeader",
                      "p"));
    /* While the group rebalances, one member has all partitions, and may give events back to the other. */
    for (unsigned round = 0; round < 20 && (each[0] != 2 || each[1] != 2); round++) {
        const char body[] = {(char)('a' + round), '\0'};
        unsigned count = 0;
        put(&stages[0], PS_LEASE(&stages[0], PS_EVENT(body, "p", "0"), PS_EVENT(body, "p", "1"),
                                 PS_EVENT(body, "p", "2"), PS_EVENT(body, "p", "3")));
        each[0] = each[1] = 0;
        for (unsigned i = 0; i < PATIENCE_MS && count < 4; i++)
            count += take_round(stages, body, each);
        assert_in_range(count, 4, 8);
    }
    assert_int_equal(each[0], 2);
    assert_int_equal(each[1], 2);
    stop(&stages[0]);
    stop(&stages[1]);
}

/* ---- keys ---- */

static bool accepts(const char *const *keys)
{
    struct ps_test_stage stage;
    ps_test_stage_init(&stage, &ps_channel_kafka);
    bool accepted = ps_test_stage_bind(&stage, keys) == PS_OK;
    ps_test_stage_fini(&stage);
    return accepted;
}

static void test_keys(void **unused)
{
    assert_true(accepts(PS_KEYS("kafka.bootstrap.servers", "b:1")));
    assert_true(accepts(PS_KEYS("brokerList", "b:1", "topic", "t", "groupId", "g", "readSmallestOffset",
                                "false", "zookeeperConnect", "z:1", "migrateZookeeperOffsets", "false",
                                "pollTimeout", "100")));
    assert_true(accepts(PS_KEYS("kafka.bootstrap.servers", "b:1", "kafka.producer.acks", "1",
                                "kafka.consumer.auto.offset.reset", "latest", "kafka.pollTimeout", "0")));
    assert_false(accepts(PS_KEYS("kafka.topic", "t")));
    assert_false(accepts(PS_KEYS("kafka.bootstrap.servers", "b:1", "kafka.topic", "no topic")));
    assert_false(accepts(PS_KEYS("kafka.bootstrap.servers", "b:1", "kafka.producer.linger.ms", "soon")));
    assert_false(accepts(PS_KEYS("kafka.bootstrap.servers", "b:1", "kafka.consumer.fetch.min.bytes", "x")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_flume_events),
        cmocka_unit_test(test_bodies),
        cmocka_unit_test(test_partitions),
        cmocka_unit_test(test_promised_when_acknowledged),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_strip_and_restore),
        cmocka_unit_test(test_restore_without_producer),
        cmocka_unit_test(test_outage),
        cmocka_unit_test(test_outage_of_a_partition),
        cmocka_unit_test(test_trouble),
        cmocka_unit_test(test_full),
        cmocka_unit_test(test_committed_when_delivered),
        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_two_members),
    };
    return cmocka_run_group_tests(tests, ps_test_cluster_setup, ps_test_cluster_teardown);
}
