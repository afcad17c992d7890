/* Source kafka with the embedded cluster: its events, its commits and their times, and drain. */
#include "core/flow/identity.h"
#include "stages/lib/avro/binary.h"
#include "tests/support/kafka/cluster.h"
#include "tests/support/kafka/member.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern const struct ps_stage_ops ps_source_kafka;

/* Runs cycles until `count` records came; returns the batch with the first of them, which is held back. */
static struct ps_batch *first_batch(struct ps_test_member *member, size_t count)
{
    member->hold = true;
    assert_int_equal(ps_test_members_run(&member, 1, count, PS_TEST_PATIENCE_MS), count);
    assert_true(member->held_count > 0);
    return member->held[0];
}

/* Returns the event with this number in all held batches. */
static const struct ps_event *held_event(struct ps_test_member *member, size_t number,
                                         const struct ps_batch **batch)
{
    for (size_t i = 0; i < member->held_count; i++) {
        *batch = member->held[i];
        if (number < (*batch)->count)
            return &(*batch)->events[number];
        number -= (*batch)->count;
    }
    fail_msg("there is no such event");
    return NULL;
}

static void assert_header(const struct ps_batch *batch, const struct ps_event *event, const char *name,
                          const char *value)
{
    struct ps_slice found;
    bool has = ps_event_header(batch, event, ps_name_intern(name), &found);
    if (value == NULL) {
        assert_false(has);
        return;
    }
    if (!has)
        fail_msg("no header %s", name);
    assert_int_equal(found.length, strlen(value));
    assert_memory_equal(found.data, value, found.length);
}

static void assert_body(const struct ps_event *event, const char *body)
{
    assert_int_equal(event->body_length, strlen(body));
    assert_memory_equal(event->body, body, event->body_length);
}

/* A record with key, timestamp and headers, from one of two topics, becomes an event with all of Flume's headers. */
static void test_headers(void **state)
{
    ps_test_topic("h1", 1);
    ps_test_topic("h2", 1);
    ps_test_kafka_send(ps_test_cluster.bootstrap,
                       &(struct ps_test_sent){
                           .topic = "h1",
                           .first = 7,
                           .count = 1,
                           .partitions = 1,
                           .key = "the key",
                           .timestamp_ms = 1700000000123,
                           .headers = PS_KEYS("origin", "one", "other", "x", "origin", "two", "empty", "")});
    struct ps_test_member *member =
        ps_test_member_create(ps_test_cluster.bootstrap, "g-headers",
                              PS_KEYS("kafka.topics", " h1 , h2", "header.from", "origin", "header.none",
                                      "missing", "header.offset", "empty"));
    const struct ps_batch *batch = first_batch(member, 1);
    const struct ps_event *event = &batch->events[0];
    assert_body(event, "7               ");
    assert_header(batch, event, "timestamp", "1700000000123");
    assert_header(batch, event, "topic", "h1");
    assert_header(batch, event, "partition", "0");
    assert_header(batch, event, "key", "the key");
    assert_header(batch, event, "from", "two"); /* the last header with this name */
    assert_header(batch, event, "none", NULL);
    assert_header(batch, event, "offset", ""); /* mapped headers are set first, and are kept */
    assert_header(batch, event, "other", NULL);
    assert_int_equal(batch->span_count, 1);
    assert_int_equal(batch->spans[0].position, 0);
    const struct ps_stream_name *name = batch->spans[0].name;
    assert_string_equal(name->system, "kafka");
    assert_int_equal(name->group.length, strlen("g-headers"));
    assert_memory_equal(name->group.data, "g-headers", name->group.length);
    assert_int_equal(name->name.length, 2);
    assert_memory_equal(name->name.data, "h1", 2);
    assert_int_equal(name->part, 0);
    assert_int_equal(batch->origin_count, 0); /* this broker reads no topic by its id */
    ps_test_member_destroy(member);
}

/* Writes a datum with `count` headers of distinct names and an empty body; returns its length. */
static size_t put_many_headers(char *out, unsigned count)
{
    char *at = out + ps_avro_put_long(out, count);
    for (unsigned i = 0; i < count; i++) {
        char name[16];
        int length = snprintf(name, sizeof name, "h%u", i);
        at += ps_avro_put_long(at, length);
        memcpy(at, name, (size_t)length);
        at += length;
        *at++ = 0; /* an empty value */
    }
    *at++ = 0;
    *at++ = 0;
    return (size_t)(at - out);
}

/* A datum that is too large for any batch is skipped at once; the others arrive. */
static void test_poison(void **state)
{
    static char many[4 << 20];
    ps_test_topic("poison", 1);
    size_t length = put_many_headers(many, 200000);
    ps_test_kafka_send_value(ps_test_cluster.bootstrap, "poison", 0, many, length);
    char *at = many + ps_avro_put_long(many, 40); /* 40 names of 64,000 bytes: 2.5 MB */
    for (unsigned i = 0; i < 40; i++) {
        at += ps_avro_put_long(at, 64000);
        memset(at, (int)('a' + i), 64000);
        at += 64000;
        *at++ = 0;
    }
    *at++ = 0;
    *at++ = 0;
    ps_test_kafka_send_value(ps_test_cluster.bootstrap, "poison", 0, many, (size_t)(at - many));
    length = put_many_headers(many, 4096);
    ps_test_kafka_send_value(ps_test_cluster.bootstrap, "poison", 0, many, length);
    struct ps_test_member *member =
        ps_test_member_create(ps_test_cluster.bootstrap, "g-poison",
                              PS_KEYS("kafka.topics", "poison", "useFlumeEventFormat", "true"));
    member->hold = true;
    const struct ps_batch *batch = NULL;
    assert_int_equal(ps_test_members_run(&member, 1, 1, PS_TEST_PATIENCE_MS), 1);
    const struct ps_event *event = held_event(member, 0, &batch);
    assert_header(batch, event, "h0", "");
    assert_header(batch, event, "h4095", "");
    assert_header(batch, event, "offset", "2");
    assert_int_equal(ps_test_stage_counter(&member->stage, PS_COUNTER_malformed), 2);
    ps_test_member_deliver(member, 1);
    assert_true(ps_test_member_drain(member, PS_TEST_PATIENCE_MS));
    ps_test_member_destroy(member);
}

static void assert_dropped(const char *const *keys, const char *problem)
{
    struct ps_test_stage *stage = calloc(1, sizeof *stage);
    ps_test_stage_init(stage, &ps_source_kafka);
    assert_int_equal(ps_test_stage_bind(stage, keys), PS_FAIL);
    if (!ps_test_stage_reported(stage, PS_LOG_ERROR, problem))
        fail_msg("\"%s\" is not in: %s", problem, stage->err.text);
    ps_test_stage_fini(stage);
    free(stage);
}

static void test_check(void **state)
{
    assert_dropped(PS_KEYS("kafka.topics", "t"), "kafka.bootstrap.servers");
    assert_dropped(PS_KEYS("zookeeperConnect", "z:2181", "topic", "t"), "kafka.bootstrap.servers");
    assert_dropped(PS_KEYS("kafka.bootstrap.servers", "b:1"), "kafka.topics");
    assert_dropped(PS_KEYS("kafka.bootstrap.servers", "b:1", "kafka.topics.regex", "a(b"),
                   "kafka.topics.regex");
    assert_dropped(PS_KEYS("kafka.bootstrap.servers", "b:1", "kafka.topics", "t", "batchSize", "x"),
                   "batchSize");
    assert_dropped(
        PS_KEYS("kafka.bootstrap.servers", "b:1", "kafka.topics", "t", "penstock.engine", "librdkafka"),
        "librdkafka is no longer an engine of this source");
    static const char *const own[] = {"kafka.consumer.queued.min.messages", "kafka.consumer.ssl.key.location",
                                      "kafka.consumer.ssl.certificate.location"};
    for (size_t i = 0; i < PS_COUNT_OF(own); i++)
        assert_dropped(PS_KEYS("kafka.bootstrap.servers", "b:1", "kafka.topics", "t", own[i], "200"),
                       "a property of librdkafka's own");
    static const char *const wrong[] = {"b",  "b:x", "b:0",   "b:65536", "a:1;b:1",  "a b:1",
                                        ":1", "b:",  "[::1]", "a:1,b",   "http://b", "a:1, b:1 c:1"};
    for (size_t i = 0; i < PS_COUNT_OF(wrong); i++)
        assert_dropped(PS_KEYS("kafka.bootstrap.servers", wrong[i], "kafka.topics", "t"),
                       "kafka.bootstrap.servers");
    static const char *const topics[] = {"a b", "t,a/b", "t:1", "..", "t\xc3\xa4"};
    for (size_t i = 0; i < PS_COUNT_OF(topics); i++)
        assert_dropped(PS_KEYS("kafka.bootstrap.servers", "b:1", "kafka.topics", topics[i]), "kafka.topics");
    struct ps_test_stage *stage = calloc(1, sizeof *stage);
    ps_test_stage_init(stage, &ps_source_kafka);
    const char *const *good =
        PS_KEYS("kafka.bootstrap.servers", "SASL_SSL://b-1.x_y:9092, [::1]:9092 ,::1:9092,http://b:1,",
                "kafka.topics", "a.b_C-9, t");
    assert_int_equal(ps_test_stage_bind(stage, good), PS_OK);
    assert_true(ps_test_stage_reported(stage, PS_LOG_WARN, "http://b:1 begins with what is no protocol"));
    ps_test_stage_fini(stage);
    free(stage);
}

/* A sink commits the offsets only with settings that allow it. */
static void test_offsets_that_a_sink_commits(void **state)
{
    char longest[1002];
    memset(longest, 'g', sizeof longest);
    longest[1000] = longest[1001] = '\0';
    const struct {
        const char *key, *value;
        bool yields;
    } rows[] = {
        {"kafka.consumer.isolation.level", "read_committed", true},
        {"kafka.consumer.isolation.level", "read_uncommitted", false},
        {"kafka.consumer.partition.assignment.strategy", "range", true},
        {"kafka.consumer.isolation.level", " read_committed", true},
        {"kafka.consumer.partition.assignment.strategy", "cooperative-sticky", false},
        {"kafka.consumer.partition.assignment.strategy", "range, cooperative-sticky", true}, /* is eager */
        {"kafka.consumer.partition.assignment.strategy", "org.apache.kafka.clients.consumer.StickyAssignor",
         false},
        {"kafka.consumer.group.id", longest, true},
        {"kafka.consumer.group.id", longest, false}, /* with a letter more */
    };
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        struct ps_test_stage *stage = calloc(1, sizeof *stage);
        ps_test_stage_init(stage, &ps_source_kafka);
        longest[1000] = i + 1 == PS_COUNT_OF(rows) ? 'g' : '\0';
        if (ps_test_stage_bind(stage, PS_KEYS("kafka.bootstrap.servers", "b:1", "kafka.topics", "t",
                                              rows[i].key, rows[i].value)) != PS_OK)
            fail_msg("%s = %s: %s", rows[i].key, rows[i].value, stage->err.text);
        assert_int_equal(ps_source_kafka.source->yields_positions(stage->plan, &stage->err), rows[i].yields);
        ps_test_stage_fini(stage);
        free(stage);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_check),
        cmocka_unit_test(test_offsets_that_a_sink_commits),
        cmocka_unit_test(test_headers),
        cmocka_unit_test(test_poison),
    };
    return cmocka_run_group_tests(tests, ps_test_cluster_setup, ps_test_cluster_teardown);
}
