/* Sink kafka with the embedded cluster: the records that arrive, and that leases are done only then. */
#include "stages/table.h"
#include "conf/problem.h"
#include "tests/support/kafka/cluster.h"
#include "tests/support/kafka/reader.h"
#include "tests/support/stage.h"

#include <unistd.h>
#include <stdio.h>

extern const struct ps_stage_ops ps_sink_kafka;

#define HEADERS_MAX 100U /* keys header.* */

/* Offers the lease until the sink takes it. */
static void offer(struct ps_test_stage *stage, struct ps_lease *lease)
{
    for (unsigned i = 0; i < PS_TEST_PATIENCE_MS && lease != NULL; i++) {
        ps_test_stage_real_clock(stage);
        enum ps_result result = ps_test_sink_work(stage, &lease);
        if (result == PS_LATER) {
            usleep(1000);
            ps_test_stage_real_clock(stage);
            ps_test_sink_tick(stage);
        } else {
            assert_int_equal(result, PS_TAKEN);
        }
    }
    assert_null(lease);
}

#define START(stage, topic, ...)                                                                             \
    ps_test_stage_start(                                                                                     \
        (stage), &ps_sink_kafka,                                                                             \
        PS_KEYS("kafka.bootstrap.servers", ps_test_cluster.bootstrap, "kafka.topic", topic, ##__VA_ARGS__))

static void test_bodies_arrive_in_order(void **state)
{
    struct ps_test_stage stage;
    ps_test_topic("order", 1);
    START(&stage, "order");
    char text[64][16];
    for (int lease = 0; lease < 8; lease++) {
        struct ps_test_event events[64];
        for (int i = 0; i < 64; i++) {
            snprintf(text[i], sizeof text[i], "%d", lease * 64 + i);
            events[i] = (struct ps_test_event){.body = text[i], .length = (uint32_t)strlen(text[i])};
        }
        offer(&stage, ps_test_lease(&stage, events, 64));
    }
    ps_test_sink_wait(&stage, 8, PS_TEST_PATIENCE_MS);
    assert_true(stage.ops->sink->drain(stage.plan, stage.state, &stage.now));
    struct ps_test_records records = ps_test_records_read(ps_test_cluster.bootstrap, "order", 1, 512);
    assert_int_equal(records.count, 512);
    for (size_t i = 0; i < records.count; i++) {
        assert_int_equal(strtoul(records.items[i].value, NULL, 10), i);
        assert_null(records.items[i].key);
    }
    ps_test_records_free(&records);
    ps_test_stage_fini(&stage);
}

/* Sends the given events in one lease, and returns what the topic then has. */
static struct ps_test_records deliver(struct ps_test_stage *stage, const char *topic, int partitions,
                                      const struct ps_test_event *events, size_t count)
{
    offer(stage, ps_test_lease(stage, events, count));
    ps_test_sink_wait(stage, stage->done_count + 1, PS_TEST_PATIENCE_MS);
    return ps_test_records_read(ps_test_cluster.bootstrap, topic, partitions, count);
}

#define BARE(text) ((struct ps_test_event){.body = (text), .length = (uint32_t)strlen(text)})
#define EVENTS(...) ((const struct ps_test_event[]){__VA_ARGS__})

static void test_topic_header_and_escapes(void **state)
{
    struct ps_test_stage stage;
    ps_test_topic("t-web", 1);
    ps_test_topic("t-20231114", 1);
    ps_test_topic("other", 1);
    START(&stage, "t-%{kind}");
    offer(&stage,
          PS_LEASE(&stage, PS_EVENT("a", "kind", "web"), PS_EVENT("b", "kind", "web", "topic", "other"),
                   PS_EVENT("c", "topic", "other"), PS_EVENT("d", "kind", "web")));
    ps_test_sink_wait(&stage, 1, PS_TEST_PATIENCE_MS);
    struct ps_test_records web = ps_test_records_read(ps_test_cluster.bootstrap, "t-web", 1, 2);
    struct ps_test_records other = ps_test_records_read(ps_test_cluster.bootstrap, "other", 1, 2);
    assert_int_equal(web.count, 2);
    assert_string_equal(web.items[0].value, "a");
    assert_string_equal(web.items[1].value, "d");
    assert_int_equal(other.count, 2);
    assert_string_equal(other.items[0].value, "b");
    assert_string_equal(other.items[1].value, "c");
    ps_test_records_free(&web);
    ps_test_records_free(&other);
    ps_test_stage_fini(&stage);

    START(&stage, "t-%Y%m%d"); /* noon UTC, so that it is the 14th in nearly all time zones */
    web = deliver(&stage, "t-20231114", 1, EVENTS(PS_EVENT("x", "timestamp", "1699963200000")), 1);
    assert_int_equal(web.count, 1);
    ps_test_records_free(&web);
    ps_test_stage_fini(&stage);
}

static void test_no_override_takes_the_topic_literally(void **state)
{
    struct ps_test_stage stage;
    ps_test_topic("plain", 1);
    START(&stage, "plain", "allowTopicOverride", "false");
    struct ps_test_records records = deliver(&stage, "plain", 1, EVENTS(PS_EVENT("a", "topic", "other")), 1);
    assert_int_equal(records.count, 1);
    ps_test_records_free(&records);
    ps_test_stage_fini(&stage);
}

/* Partitions are those of Utils.toPositive(Utils.murmur2(key)) % 7: modulo a power of two a negative hash would do as well. */
static void test_keys_go_where_java_sends_them(void **state)
{
    struct ps_test_stage stage;
    ps_test_topic("keyed", 7);
    START(&stage, "keyed");
    struct ps_test_records records =
        deliver(&stage, "keyed", 7,
                EVENTS(PS_EVENT("kafka", "key", "kafka"), PS_EVENT("giberish", "key", "giberish123456789"),
                       PS_EVENT("1234", "key", "1234"), PS_EVENT("empty", "key", "")),
                4);
    assert_int_equal(records.count, 4);
    for (size_t i = 0; i < records.count; i++) {
        const struct ps_test_record *record = &records.items[i];
        assert_non_null(record->key);
        unsigned expected = strcmp(record->value, "kafka") == 0      ? 0x5067cf64U % 7
                            : strcmp(record->value, "giberish") == 0 ? 0x0f552b0cU % 7
                            : strcmp(record->value, "1234") == 0     ? 0x1fc97b14U % 7
                                                                     : 0x106e08d9U % 7;
        assert_int_equal(record->partition, expected);
        if (strcmp(record->value, "1234") == 0)
            assert_string_equal(record->key, "1234");
    }
    ps_test_records_free(&records);
    ps_test_stage_fini(&stage);
}

static void test_partition_header_and_default(void **state)
{
    struct ps_test_stage stage;
    ps_test_topic("parted", 4);
    START(&stage, "parted", "defaultPartitionId", "1", "partitionIdHeader", "p");
    struct ps_test_records records =
        deliver(&stage, "parted", 4,
                EVENTS(BARE("a"), PS_EVENT("b", "p", "3"), PS_EVENT("c", "p", "+2", "key", "k")), 3);
    assert_int_equal(records.count, 3);
    assert_int_equal(records.items[0].partition, 1);
    assert_string_equal(records.items[1].value, "c");
    assert_int_equal(records.items[1].partition, 2);
    assert_string_equal(records.items[2].value, "b");
    assert_int_equal(records.items[2].partition, 3);
    ps_test_records_free(&records);
    ps_test_stage_fini(&stage);
}

static void test_headers_and_timestamp(void **state)
{
    struct ps_test_stage stage;
    ps_test_topic("headers", 1);
    START(&stage, "headers", "header.host", "Host", "header.level", "lvl", "timestampHeader", "timestamp");
    struct ps_test_records records =
        deliver(&stage, "headers", 1,
                EVENTS(PS_EVENT("a", "host", "h1", "timestamp", "1600000000000"),
                       PS_EVENT("b", "level", "x", "host", "h2"), PS_EVENT("c", "timestamp", "never"),
                       PS_EVENT("d", "other", "o")),
                4);
    assert_int_equal(records.count, 4);
    assert_string_equal(records.items[0].headers, "Host=h1,");
    assert_int_equal(records.items[0].timestamp_ms, 1600000000000);
    assert_non_null(strstr(records.items[1].headers, "Host=h2,"));
    assert_non_null(strstr(records.items[1].headers, "lvl=x,"));
    assert_string_equal(records.items[2].headers, "");
    assert_true(records.items[2].timestamp_ms > 1700000000000); /* the time of the clock */
    assert_string_equal(records.items[3].headers, "");
    ps_test_records_free(&records);
    ps_test_stage_fini(&stage);
}

/* A record's headers come in the order of Java's HashMap, whose table has 16 places up to 12 names, and 32 from the 13th on. */
static void test_order_of_headers(void **state)
{
    static const struct {
        size_t count;
        const char *expected;
    } rows[] = {{11, "p=p,q=q,r=r,s=s,t=t,u=u,k=k,l=l,m=m,n=n,o=o,"},
                {12, "p=p,q=q,r=r,s=s,t=t,u=u,v=v,k=k,l=l,m=m,n=n,o=o,"},
                {13, "k=k,l=l,m=m,n=n,o=o,p=p,q=q,r=r,s=s,t=t,u=u,v=v,w=w,"}};
    static const char *const names[] = {"k", "l", "m", "n", "o", "p", "q", "r", "s", "t", "u", "v", "w"};
    for (size_t row = 0; row < PS_COUNT_OF(rows); row++) {
        struct ps_test_stage stage;
        const char *keys[32] = {"kafka.bootstrap.servers", ps_test_cluster.bootstrap, "kafka.topic"};
        const char *headers[2 * PS_COUNT_OF(names) + 1] = {NULL};
        char topic[16], texts[PS_COUNT_OF(names)][16];
        snprintf(topic, sizeof topic, "order-%zu", rows[row].count);
        keys[3] = topic;
        for (size_t i = 0; i < rows[row].count; i++) {
            snprintf(texts[i], sizeof texts[i], "header.%s", names[i]);
            keys[4 + 2 * i] = texts[i];
            keys[5 + 2 * i] = headers[2 * i] = headers[2 * i + 1] = names[i];
        }
        ps_test_topic(topic, 1);
        ps_test_stage_start(&stage, &ps_sink_kafka, keys);
        const struct ps_test_event event = {.body = "", .headers = headers};
        struct ps_test_records records = deliver(&stage, topic, 1, &event, 1);
        assert_int_equal(records.count, 1);
        assert_string_equal(records.items[0].headers, rows[row].expected);
        ps_test_records_free(&records);
        ps_test_stage_fini(&stage);
    }
}

/* Names of one place of the table come in the order of the file, whatever the order of the event's headers is. */
static void test_order_of_headers_in_one_place(void **state)
{
    static const char *const orders[][4] = {{"BB", "Aa", "1", "p"}, {"p", "Aa", "1", "BB"}};
    static const char *const expected[] = {"BB=x,Aa=x,p=x,1=x,",
                                           "p=x,Aa=x,BB=x,1=x,"}; /* 1 is in the next place */
    static const char *const headers[] = {"Aa", "x", "BB", "x", "p", "x", "1", "x", NULL};
    for (size_t row = 0; row < PS_COUNT_OF(orders); row++) {
        struct ps_test_stage stage;
        char topic[16], texts[4][16];
        const char *keys[13] = {"kafka.bootstrap.servers", ps_test_cluster.bootstrap, "kafka.topic", topic};
        snprintf(topic, sizeof topic, "place-%zu", row);
        for (size_t i = 0; i < 4; i++) {
            snprintf(texts[i], sizeof texts[i], "header.%s", orders[row][i]);
            keys[4 + 2 * i] = texts[i];
            keys[5 + 2 * i] = orders[row][i];
        }
        ps_test_topic(topic, 1);
        ps_test_stage_start(&stage, &ps_sink_kafka, keys);
        const struct ps_test_event event = {.body = "", .headers = headers};
        struct ps_test_records records = deliver(&stage, topic, 1, &event, 1);
        assert_int_equal(records.count, 1);
        assert_string_equal(records.items[0].headers, expected[row]);
        ps_test_records_free(&records);
        ps_test_stage_fini(&stage);
    }
}

static void test_flume_event_format(void **state)
{
    struct ps_test_stage stage;
    ps_test_topic("avro", 1);
    START(&stage, "avro", "useFlumeEventFormat", "true");
    struct ps_test_records records =
        deliver(&stage, "avro", 1, EVENTS(PS_EVENT("body", "h", "v"), BARE("bare"), BARE("")), 3);
    assert_int_equal(records.count, 3);
    static const char datum[] = "\x02\x02h\x02v\x00\x08"
                                "body",
                      bare[] = "\x00\x08"
                               "bare",
                      empty[] = "\x00\x00";
    assert_int_equal(records.items[0].value_length, sizeof datum - 1);
    assert_memory_equal(records.items[0].value, datum, sizeof datum - 1);
    assert_int_equal(records.items[1].value_length, sizeof bare - 1);
    assert_memory_equal(records.items[1].value, bare, sizeof bare - 1);
    assert_int_equal(records.items[2].value_length, sizeof empty - 1);
    assert_memory_equal(records.items[2].value, empty, sizeof empty - 1);
    ps_test_records_free(&records);
    ps_test_stage_fini(&stage);
}

static void test_empty_body_is_no_tombstone(void **state)
{
    struct ps_test_stage stage;
    ps_test_topic("empty", 1);
    START(&stage, "empty");
    struct ps_test_records records = deliver(&stage, "empty", 1, EVENTS(BARE("")), 1);
    assert_int_equal(records.count, 1);
    assert_int_equal(records.items[0].value_length, 0);
    ps_test_records_free(&records);
    ps_test_stage_fini(&stage);
}

static void test_records_without_key_spread(void **state)
{
    struct ps_test_stage stage;
    ps_test_topic("spread", 4);
    START(&stage, "spread");
    char *text = malloc(1000);
    memset(text, 'x', 1000);
    struct ps_test_event events[200];
    for (int i = 0; i < 200; i++)
        events[i] = (struct ps_test_event){.body = text, .length = 1000};
    for (int lease = 0; lease < 16; lease++) /* 3.2 MB: each partition gets several turns */
        offer(&stage, ps_test_lease(&stage, events, 200));
    ps_test_sink_wait(&stage, 16, PS_TEST_PATIENCE_MS);
    struct ps_test_records records = ps_test_records_read(ps_test_cluster.bootstrap, "spread", 4, 3200);
    unsigned counts[4] = {0};
    for (size_t i = 0; i < records.count; i++)
        counts[records.items[i].partition]++;
    assert_int_equal(records.count, 3200);
    for (int i = 0; i < 4; i++)
        assert_in_range(counts[i], 400, 1600);
    ps_test_records_free(&records);
    free(text);
    ps_test_stage_fini(&stage);
}

/* Like Flume, the sink fails the batch and retries it for ever; it also logs which event it is. */
static void check_held(const char *topic, const char *const *keys, const struct ps_test_event *bad)
{
    struct ps_test_stage stage;
    ps_test_stage_init(&stage, &ps_sink_kafka);
    assert_int_equal(ps_test_stage_bind(&stage, keys), PS_OK);
    assert_int_equal(ps_test_stage_build(&stage), PS_OK);
    assert_int_equal(ps_test_stage_open(&stage), PS_OK);
    struct ps_test_event events[3] = {BARE("before"), *bad, BARE("behind")};
    struct ps_lease *lease = ps_test_lease(&stage, events, 3);
    offer(&stage, lease);
    for (unsigned i = 0; i < PS_TEST_PATIENCE_MS && lease->settled == 0; i++) {
        ps_test_stage_real_clock(&stage);
        ps_test_sink_tick(&stage);
        usleep(1000);
    }
    for (int i = 0; i < 20; i++) { /* during backoffs of 1, 2, .. 5 s */
        ps_test_stage_pass_ms(&stage, 1000);
        ps_test_sink_tick(&stage);
    }
    assert_true(ps_lease_is_settled(lease, 0));
    assert_false(ps_lease_is_settled(lease, 1));
    assert_false(ps_lease_is_settled(lease, 2));
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_refused), 1);
    assert_true(ps_test_stage_counter(&stage, PS_COUNTER_RollbackCount) >= 4);
    assert_int_equal(stage.done_count, 0);
    struct ps_lease *back = ps_test_sink_recall(&stage);
    assert_ptr_equal(back, lease);
    assert_int_equal(back->settled, 1);
    struct ps_test_records records = ps_test_records_read(ps_test_cluster.bootstrap, topic, 1, 1);
    assert_int_equal(records.count, 1);
    assert_string_equal(records.items[0].value, "before");
    ps_test_records_free(&records);
    ps_test_stage_fini(&stage);
}

static void test_bad_events_are_held(void **state)
{
    const char *brokers = ps_test_cluster.bootstrap;
    static char large[2000];
    memset(large, 'x', sizeof large - 1);
    ps_test_topic("held1", 1);
    ps_test_topic("held2", 1);
    ps_test_topic("held3", 1);
    ps_test_topic("held4", 1);
    ps_test_topic("held5", 1);
    check_held("held1",
               PS_KEYS("kafka.bootstrap.servers", brokers, "kafka.topic", "held1", "partitionIdHeader", "p"),
               &PS_EVENT("bad", "p", "one"));
    check_held("held2",
               PS_KEYS("kafka.bootstrap.servers", brokers, "kafka.topic", "held2", "partitionIdHeader", "p"),
               &PS_EVENT("bad", "p", "-1"));
    check_held("held3",
               PS_KEYS("kafka.bootstrap.servers", brokers, "kafka.topic", "held3", "timestampHeader", "t"),
               &PS_EVENT("bad", "t", "-5"));
    check_held("held4", PS_KEYS("kafka.bootstrap.servers", brokers, "kafka.topic", "held4"),
               &PS_EVENT("bad", "topic", "no such/name"));
    check_held("held5",
               PS_KEYS("kafka.bootstrap.servers", brokers, "kafka.topic", "held5",
                       "kafka.producer.max.request.size", "1500", "kafka.producer.batch.size", "1000"),
               &BARE(large));
}

/* The producer's queue holds the largest record, however small its share of the memory budget is. */
static void test_record_larger_than_the_share(void **state)
{
    static char large[3 << 20];
    struct ps_test_stage stage;
    memset(large, 'x', sizeof large);
    ps_test_topic("large", 1);
    ps_test_stage_init(&stage, &ps_sink_kafka);
    stage.context.client_queue_bytes = 1 << 20;
    assert_int_equal(ps_test_stage_bind(&stage, PS_KEYS("kafka.bootstrap.servers", ps_test_cluster.bootstrap,
                                                        "kafka.topic", "large",
                                                        "kafka.producer.max.request.size", "4000000")),
                     PS_OK);
    assert_int_equal(ps_test_stage_build(&stage), PS_OK);
    assert_int_equal(ps_test_stage_open(&stage), PS_OK);
    const struct ps_test_event event = {.body = large, .length = sizeof large};
    struct ps_test_records records = deliver(&stage, "large", 1, &event, 1);
    assert_int_equal(records.count, 1);
    assert_int_equal(records.items[0].value_length, sizeof large);
    ps_test_records_free(&records);
    ps_test_stage_fini(&stage);
}

/* A connected sink without events rarely asks for a tick: the wake descriptor announces answers. */
static void test_idle_is_quiet(void **state)
{
    struct ps_test_stage stage;
    ps_test_topic("quiet", 1);
    START(&stage, "quiet");
    offer(&stage, PS_LEASE(&stage, PS_BODY("one")));
    ps_test_sink_wait(&stage, 1, PS_TEST_PATIENCE_MS);
    unsigned ticks = 0;
    uint64_t end_ns = stage.now.mono_ns + 10 * PS_NS_PER_S;
    while (stage.now.mono_ns < end_ns) {
        uint64_t due_ns = stage.ops->sink->tick(stage.plan, stage.state, &stage.now);
        stage.now.mono_ns += PS_NS_PER_MS; /* a worker cycles again before it sleeps */
        uint64_t again_ns = stage.ops->sink->tick(stage.plan, stage.state, &stage.now);
        due_ns = again_ns < due_ns ? again_ns : due_ns;
        stage.now.mono_ns =
            due_ns < stage.now.mono_ns + PS_NS_PER_S ? due_ns : stage.now.mono_ns + PS_NS_PER_S;
        ticks++;
    }
    assert_in_range(ticks, 1, 50);
    ps_test_stage_fini(&stage);
}

static void test_check(void **state)
{
    struct ps_test_stage stage;
    ps_test_stage_init(&stage, &ps_sink_kafka);
    assert_int_equal(ps_test_stage_bind(&stage, PS_KEYS("kafka.topic", "t")), PS_FAIL); /* no servers */
    ps_test_stage_fini(&stage);

    ps_test_stage_init(&stage, &ps_sink_kafka);
    assert_int_equal(ps_test_stage_bind(&stage, PS_KEYS("brokerList", "h:1", "topic", "t", "batchSize", "7",
                                                        "requiredAcks", "1", "serializer.class", "x")),
                     PS_OK);
    assert_true(ps_test_stage_reported(&stage, PS_LOG_WARN, "acks=1"));
    ps_test_stage_fini(&stage);

    ps_test_stage_init(&stage, &ps_sink_kafka);
    assert_int_equal(
        ps_test_stage_bind(&stage, PS_KEYS("kafka.bootstrap.servers", "h:1", "kafka.producer.acks", "0")),
        PS_OK);
    assert_true(ps_test_stage_reported(&stage, PS_LOG_WARN, "acks=0"));
    ps_test_stage_fini(&stage);

    ps_test_stage_init(&stage, &ps_sink_kafka);
    assert_int_equal(
        ps_test_stage_bind(&stage, PS_KEYS("kafka.bootstrap.servers", "h:1", "kafka.producer.acks", "2")),
        PS_FAIL);
    ps_test_stage_fini(&stage);
}

/* As many headers may be added as a record has room for. */
static void test_most_headers(void **state)
{
    for (unsigned count = HEADERS_MAX; count <= HEADERS_MAX + 1; count++) {
        char names[HEADERS_MAX + 1][16];
        const char *keys[2 * (HEADERS_MAX + 1) + 3] = {"kafka.bootstrap.servers", "h:1"};
        for (unsigned i = 0; i < count; i++) {
            snprintf(names[i], sizeof names[i], "header.%u", i);
            keys[2 + 2 * i] = names[i];
            keys[3 + 2 * i] = "v";
        }
        struct ps_test_stage stage;
        ps_test_stage_init(&stage, &ps_sink_kafka);
        bool fits = count <= HEADERS_MAX;
        assert_int_equal(ps_test_stage_bind(&stage, keys), fits ? PS_OK : PS_FAIL);
        assert_int_equal(ps_test_stage_reported(&stage, PS_LOG_ERROR, "more than 100 headers"), !fits);
        ps_test_stage_fini(&stage);
    }
}

static void test_compression(void **state)
{
    static const char *const types[] = {"gzip", "snappy", "lz4", "zstd"};
    static char values[200][1000];
    for (size_t type = 0; type < PS_COUNT_OF(types); type++) {
        struct ps_test_stage stage;
        struct ps_test_event events[PS_COUNT_OF(values)];
        for (size_t i = 0; i < PS_COUNT_OF(values); i++) {
            snprintf(values[i], sizeof values[i], "%zu %0*zu", i, (int)(i * 4 + 1), i);
            events[i] = BARE(values[i]);
        }
        ps_test_topic(types[type], 1);
        START(&stage, types[type], "kafka.producer.compression.type", types[type]);
        struct ps_test_records records = deliver(&stage, types[type], 1, events, PS_COUNT_OF(events));
        assert_int_equal(records.count, PS_COUNT_OF(events));
        for (size_t i = 0; i < records.count; i++)
            assert_string_equal(records.items[i].value, values[i]);
        ps_test_records_free(&records);
        ps_test_stage_fini(&stage);
    }
}

/* librdkafka runs where the native engine cannot, and `check` says why. */
static void test_check_engine(void **state)
{
    static const struct {
        const char *key, *value;
        bool fits;
    } cases[] = {
        {"kafka.producer.delivery.timeout.ms", "90000", true},
        {"kafka.producer.acks", "0", true},
        {"kafka.producer.acks", "1", true},
        {"kafka.producer.security.protocol", "SSL", true},
        {"kafka.producer.compression.type", "lz4", true},
        {"kafka.producer.linger.ms", "20", true},
        {"kafka.producer.connections.max.idle.ms", "1000", true},
        {"kafka.producer.send.buffer.bytes", "100000", true},
        {"kafka.producer.partitioner.class", "org.apache.kafka.clients.producer.RoundRobinPartitioner", true},
        {"kafka.producer.retries", "7", true},
        {"kafka.producer.sasl.kerberos.service.name", "kafka", true},
        {"kafka.producer.partitioner", "consistent", false},
        {"kafka.producer.broker.address.family", "v4", false},
        {"kafka.producer.socket.keepalive.enable", "true", false},
    };
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        struct ps_test_stage stage;
        ps_test_stage_init(&stage, &ps_sink_kafka);
        assert_int_equal(
            ps_test_stage_bind(&stage, PS_KEYS("kafka.bootstrap.servers", "h:1", "penstock.engine", "native",
                                               cases[i].key, cases[i].value)),
            PS_OK);
        assert_int_equal(ps_test_stage_reported(&stage, PS_LOG_INFO, "librdkafka is used"), !cases[i].fits);
        ps_test_stage_fini(&stage);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bodies_arrive_in_order),
        cmocka_unit_test(test_topic_header_and_escapes),
        cmocka_unit_test(test_no_override_takes_the_topic_literally),
        cmocka_unit_test(test_keys_go_where_java_sends_them),
        cmocka_unit_test(test_partition_header_and_default),
        cmocka_unit_test(test_headers_and_timestamp),
        cmocka_unit_test(test_compression),
        cmocka_unit_test(test_order_of_headers),
        cmocka_unit_test(test_order_of_headers_in_one_place),
        cmocka_unit_test(test_flume_event_format),
        cmocka_unit_test(test_empty_body_is_no_tombstone),
        cmocka_unit_test(test_records_without_key_spread),
        cmocka_unit_test(test_bad_events_are_held),
        cmocka_unit_test(test_record_larger_than_the_share),
        cmocka_unit_test(test_idle_is_quiet),
        cmocka_unit_test(test_check),
        cmocka_unit_test(test_most_headers),
        cmocka_unit_test(test_check_engine),
    };
    return cmocka_run_group_tests(tests, ps_test_cluster_setup, ps_test_cluster_teardown);
}
