/* Produce requests with records for many partitions of several topics, read by the words of the Kafka protocol (Produce, version 3): a
 * request is as long as it says, and has each partition once, with its topic. */
#include "stages/lib/kafka/cluster/native_internal.h"
#include "tests/support/kafka/native_run.h"

#define TOPICS 5U
#define PARTITIONS_MAX 14U
#define PARTITIONS_DRAWN 6U
#define RECORD_COUNT_AT 57 /* of a record batch, behind its base sequence */

static const char names[TOPICS][3] = {"a", "bb", "c", "dd", "e"};

/* What is still to come, by topic and partition, and what has come. */
struct plan {
    int32_t partitions[TOPICS];
    unsigned records[TOPICS][PARTITIONS_MAX], got[TOPICS][PARTITIONS_MAX];
    uint32_t most; /* partitions of a request */
};

static char *put_topics(const struct run *run, const struct plan *plan, char *at)
{
    at = ps_wire_put_int32(at, 0); /* throttle time */
    at = ps_wire_put_int32(at, 1);
    at = ps_wire_put_int32(at, 0);
    at = ps_wire_put_string(at, "127.0.0.1", 9);
    at = ps_wire_put_int32(at, (int32_t)run->broker.port);
    at = ps_wire_put_int16(at, -1); /* rack, */
    at = ps_wire_put_int16(at, -1); /* cluster */
    at = ps_wire_put_int32(at, 0);
    at = ps_wire_put_int32(at, TOPICS);
    for (unsigned topic = 0; topic < TOPICS; topic++) {
        at = ps_wire_put_int16(at, 0);
        at = ps_wire_put_string(at, names[topic], strlen(names[topic]));
        at = ps_wire_put_int8(at, 0);
        at = ps_wire_put_int32(at, plan->partitions[topic]);
        for (int32_t i = 0; i < plan->partitions[topic]; i++) {
            at = ps_wire_put_int16(at, 0);
            at = ps_wire_put_int32(at, i);
            at = ps_wire_put_int32(at, 0);
            at = ps_wire_put_int32(at, 0);
            for (int list = 0; list < 3; list++)
                at = ps_wire_put_int32(at, 0);
        }
    }
    return at;
}

static unsigned topic_of(const char *name, uint32_t length)
{
    for (unsigned topic = 0; topic < TOPICS; topic++)
        if (length == strlen(names[topic]) && memcmp(name, names[topic], length) == 0)
            return topic;
    fail_msg("no topic has the name %.*s", (int)length, name);
    return 0;
}

/* Reads a topic's partition, and writes the answer. Returns its number. */
static int32_t take_partition(struct ps_wire_in *in, unsigned *got, int32_t partitions, char **at)
{
    assert_int_equal(ps_wire_get_count(in, 8), 1);
    int32_t partition = ps_wire_get_int32(in), bytes = ps_wire_get_int32(in);
    assert_in_range(partition, 0, partitions - 1);
    const char *batch = ps_wire_take(in, (size_t)bytes);
    assert_non_null(batch);
    struct ps_wire_in head = {.at = batch + RECORD_COUNT_AT, .end = batch + bytes};
    got[partition] += (unsigned)ps_wire_get_int32(&head);
    assert_false(head.failed);
    *at = ps_wire_put_int32(*at, 1);
    *at = ps_wire_put_int32(*at, partition);
    *at = ps_wire_put_int16(*at, 0);
    *at = ps_wire_put_int64(*at, 0);
    *at = ps_wire_put_int64(*at, -1);
    return partition;
}

static void take_produce(struct run *run, struct plan *plan, const struct ps_test_request *request)
{
    static char body[4096];
    char *at = body;
    struct ps_wire_in in = request->body;
    uint32_t length;
    bool seen[TOPICS][PARTITIONS_MAX] = {{false}};
    assert_int_equal(request->version, 3);
    assert_null(ps_wire_get_string(&in, &length)); /* no transaction */
    assert_int_equal(ps_wire_get_int16(&in), -1);  /* acks=all */
    assert_true(ps_wire_get_int32(&in) > 0);       /* the time limit */
    uint32_t count = ps_wire_get_count(&in, 6);
    assert_in_range(count, 1, TOPICS * PARTITIONS_MAX);
    at = ps_wire_put_int32(at, (int32_t)count);
    for (uint32_t i = 0; i < count; i++) {
        const char *name = ps_wire_get_string(&in, &length);
        unsigned topic = topic_of(name, length);
        at = ps_wire_put_string(at, name, length);
        int32_t partition = take_partition(&in, plan->got[topic], plan->partitions[topic], &at);
        assert_false(seen[topic][partition]);
        seen[topic][partition] = true;
    }
    assert_false(in.failed);
    assert_ptr_equal(in.at, in.end);
    plan->most = count > plan->most ? count : plan->most;
    at = ps_wire_put_int32(at, 0); /* throttle time */
    ps_test_broker_answer(&run->broker, request, body, (uint32_t)(at - body), UINT32_MAX);
}

static void serve(struct run *run, struct plan *plan)
{
    struct ps_test_request request;
    char body[4096];
    while (ps_test_broker_ask(&run->broker, &request)) {
        if (request.key == KEY_PRODUCE)
            take_produce(run, plan, &request);
        else if (request.key == KEY_METADATA)
            ps_test_broker_answer(&run->broker, &request, body,
                                  (uint32_t)(put_topics(run, plan, body) - body), UINT32_MAX);
        else
            answer(run, &request, UINT32_MAX);
    }
}

static struct ps_kafka_topic *topic_at(const struct run *run, unsigned topic)
{
    struct ps_kafka_topic *found =
        ps_kafka_native.topic(run->producer, names[topic], (uint32_t)strlen(names[topic]));
    assert_non_null(found);
    return found;
}

static void submit_to(struct run *run, struct plan *plan, unsigned topic, int32_t partition)
{
    int error;
    const struct ps_kafka_record record = {.value = "value",
                                           .value_length = 5,
                                           .partition = partition,
                                           .timestamp_ms = PS_KAFKA_TIMESTAMP_NONE,
                                           .token = run};
    assert_int_equal(ps_kafka_native.submit(run->producer, topic_at(run, topic), &record, 1, &error), 1);
    plan->records[topic][partition]++;
}

static void turn_and_serve(struct run *run, struct plan *plan)
{
    run->report_count = 0; /* there is room for those of a turn only */
    turn(run);
    serve(run, plan);
}

static bool knows_all(const struct run *run)
{
    bool knows = true;
    for (unsigned topic = 0; topic < TOPICS; topic++) /* asks for each of them */
        knows &= ((struct ps_kafka_native_topic *)topic_at(run, topic))->partition_count > 0;
    return knows;
}

static void begin_plan(struct run *run, struct plan *plan)
{
    unsigned turns = 0;
    begin(run, "client.id", "c");
    while (!knows_all(run)) {
        turn_and_serve(run, plan);
        assert_in_range(turns++, 0, TURNS_MAX);
    }
}

static void end_plan(struct run *run, struct plan *plan)
{
    unsigned turns = 0;
    while (memcmp(plan->got, plan->records, sizeof plan->got) != 0) {
        turn_and_serve(run, plan);
        if (turns++ > TURNS_MAX || run->broker.connections > 1)
            fail_msg("records are missing; %u connections", run->broker.connections);
    }
    end(run);
}

/* Records are submitted in a drawn order before the client's next turn, which sends them together, and all of them arrive. */
static void run_one(uint64_t *random)
{
    static struct run run;
    struct plan plan = {.most = 0};
    unsigned count = 1 + (unsigned)(ps_test_random(random) % 40);
    for (unsigned topic = 0; topic < TOPICS; topic++)
        plan.partitions[topic] = 1 + (int32_t)(ps_test_random(random) % PARTITIONS_DRAWN);
    begin_plan(&run, &plan);
    for (unsigned i = 0; i < count; i++) {
        unsigned topic = (unsigned)(ps_test_random(random) % TOPICS);
        uint64_t partition = ps_test_random(random) % (uint64_t)plan.partitions[topic];
        submit_to(&run, &plan, topic, (int32_t)partition);
    }
    end_plan(&run, &plan);
}

/* More partitions have records than one request has room for: one is full, and another has the rest. */
static void test_more_partitions_than_a_request_has(void **state)
{
    static struct run run;
    for (uint32_t more = 0; more <= 2; more++) {
        struct plan plan = {.most = 0};
        uint32_t wanted = PS_KAFKA_NATIVE_REQUEST_BATCHES_MAX - 1 + more;
        for (unsigned topic = 0; topic < TOPICS; topic++)
            plan.partitions[topic] = PARTITIONS_MAX;
        begin_plan(&run, &plan);
        for (uint32_t i = 0; i < wanted; i++)
            submit_to(&run, &plan, i % TOPICS, (int32_t)(i / TOPICS));
        end_plan(&run, &plan);
        assert_int_equal(plan.most, more < 2 ? wanted : PS_KAFKA_NATIVE_REQUEST_BATCHES_MAX);
    }
}

static void test_topics_and_partitions(void **state)
{
    uint64_t random = ps_test_seed() | 1;
    for (unsigned i = 0; i < 60; i++)
        run_one(&random);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_topics_and_partitions),
                                       cmocka_unit_test(test_more_partitions_than_a_request_has)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
