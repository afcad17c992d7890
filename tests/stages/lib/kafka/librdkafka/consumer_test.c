/* The consumer behind source kafka, with a fake librdkafka: records for which a batch has no room, errors and how often
 * they are logged, counters. */
#include "tests/support/kafka/fake_library.h"

#define PARTITIONS (PS_BATCH_SPANS_MAX + 1) /* a batch has room for the positions of one less */
#define LAST "a-256"

/* Assigns 257 partitions of which each has a record: the last one is kept, because the batch has no room for its
 * position. Further records follow. */
static void keep_one(const char *protocol, const char *const *keys, size_t large_bytes, const char *key)
{
    char list[PARTITIONS * 8] = "";
    _Static_assert(PS_BATCH_SPANS_MAX == 256, "the numbers below");
    fake_start(protocol, keys);
    for (unsigned i = 0; i < PARTITIONS; i++) {
        snprintf(list + strlen(list), sizeof list - strlen(list), "a-%u ", i);
        if (i + 1 < PARTITIONS)
            fake_records("a", (int32_t)i, 0, 1);
    }
    fake_assigned(list);
    fake_records_with("a", PARTITIONS - 1, 0, 1, large_bytes, key);
    fake_records("a", 0, 1, 2);
    fake_cycle();
    assert_int_equal(source.held_count, 1);
    assert_int_equal(source.held[0]->count, PS_BATCH_SPANS_MAX);
    assert_int_equal(fake.record_next, PARTITIONS); /* the source requested no more from the library */
    source.received[0] = '\0';
    fake.calls[0] = '\0';
}

static void test_kept_comes_first_and_once(void **state)
{
    keep_one("EAGER", PS_KEYS("batchSize", "1000"), 0, NULL);
    fake_cycle();
    fake_assert_received(LAST "-0 a-0-1 a-0-2 ");
    fake_cycles(3);
    fake_assert_received("");
    assert_int_equal(fake_counted(PS_COUNTER_EventReceivedCount), PARTITIONS + 2);
    fake_deliver(2);
    fake_cycle();
    assert_int_equal(fake.commit->cnt, PARTITIONS);
    assert_int_equal(fake.commit->elems[PARTITIONS - 1].offset, 1);
    fake_stop();
}

/* A large kept record fills its batch: later records come in the next one. */
static void test_kept_fills_a_batch(void **state)
{
    keep_one("EAGER", PS_KEYS("batchSize", "1000"), 600000, NULL); /* enough for one call */
    fake_cycle();
    fake_assert_received(LAST "-0................................. ");
    assert_int_equal(fake_counted(PS_COUNTER_EventReceivedCount), PARTITIONS);
    fake_cycle();
    fake_assert_received("a-0-1 a-0-2 ");
    fake_stop();
}

/* The kept record is copied with its key and headers, because the library takes its own bytes back. */
static void test_kept_bytes(void **state)
{
    static char key[70000];
    struct ps_slice value;
    memset(key, 'k', sizeof key - 1);
    keep_one("EAGER", PS_KEYS("header.from", "h", "header.none", "missing"), 65000, key);
    fake_cycle();
    const struct ps_batch *batch = source.held[1];
    const struct ps_event *event = &batch->events[0];
    assert_int_equal(event->body_length, 65000);
    assert_memory_equal(event->body, LAST "-0...", 10);
    assert_int_equal(event->body[64999], '.');
    assert_true(ps_event_header(batch, event, ps_name_intern("key"), &value));
    assert_int_equal(value.length, sizeof key - 1);
    assert_memory_equal(value.data, key, sizeof key - 1);
    assert_true(ps_event_header(batch, event, ps_name_intern("from"), &value));
    assert_int_equal(value.length, strlen(LAST "-0"));
    assert_memory_equal(value.data, LAST "-0", value.length);
    assert_false(ps_event_header(batch, event, ps_name_intern("none"), &value));
    fake_stop();
}

/* Cooperative: other partitions are assigned and revoked while a record is kept. */
static void test_kept_across_changes_of_others(void **state)
{
    keep_one("COOPERATIVE", PS_KEYS("batchSize", "1000"), 0, NULL);
    fake_assigned("b-0");
    fake_records("b", 0, 0, 1);
    fake_cycle();
    fake_assert_received(LAST "-0 a-0-1 a-0-2 b-0-0 ");
    fake_stop();

    keep_one("COOPERATIVE", PS_KEYS("batchSize", "1000"), 0, NULL);
    fake_revoked("a-0");
    fake_cycle();
    fake_assert_received(LAST "-0 ");
    fake_stop();
}

/* The partition of the kept record is revoked, so the record is dropped: the next owner reads it, or this source if the
 * partition comes back. */
static void run_kept_revoked(const char *protocol, const char *revoked)
{
    keep_one(protocol, PS_KEYS("batchSize", "1000"), 0, NULL);
    fake.record_next = fake.record_count;
    fake_revoked(revoked);
    fake_cycles(3);
    fake_assert_received("");
    fake.lost = true;
    fake_cycle();
    fake.lost = false;
    fake_assigned(LAST);
    fake_records("a", PARTITIONS - 1, 0, 2);
    fake_cycles(3);
    fake_assert_received(LAST "-0 " LAST "-1 ");
    fake_stop();
}

static void test_kept_is_revoked(void **state)
{
    run_kept_revoked("EAGER", LAST);
    run_kept_revoked("COOPERATIVE", "a-3 " LAST);
}

/* The partition of the kept record is assigned anew: the library reads the record again from the last commit. */
static void test_kept_is_assigned_again(void **state)
{
    keep_one("EAGER", PS_KEYS("batchSize", "1000"), 0, NULL);
    fake.record_next = fake.record_count;
    fake_assigned("a-7 " LAST);
    fake_records("a", PARTITIONS - 1, 0, 2);
    fake_cycles(3);
    fake_assert_received(LAST "-0 " LAST "-1 ");
    fake_stop();
}

/* A source that stops drops the kept record: it was not delivered and is not committed. */
static void test_kept_is_not_drained(void **state)
{
    keep_one("EAGER", PS_KEYS("batchSize", "1000"), 0, NULL);
    assert_false(fake_drain());
    fake_cycles(3);
    fake_assert_received("");
    fake_deliver(1);
    assert_false(fake_drain());
    assert_int_equal(fake.commit->cnt, PARTITIONS - 1);
    fake_commit_answered(RD_KAFKA_RESP_ERR_NO_ERROR, RD_KAFKA_RESP_ERR_NO_ERROR);
    fake_tick();
    assert_true(fake_drain());
    fake_stop();
}

/* ---- one record after the other ---- */

/* Records that join an open batch count once. */
static void test_counts(void **state)
{
    fake_start("EAGER", PS_KEYS("batchSize", "1000"));
    struct ps_test_stage *stage = &source.stage;
    struct ps_batch *batch = stage->batch = ps_test_stage_take_batch(stage);
    fake_assigned("a-0");
    fake_tick();
    for (unsigned i = 0; i < 3; i++) {
        fake_records("a", 0, 10 * i, 10);
        assert_int_equal(stage->ops->source->work(stage->plan, stage->state, batch, &stage->now), PS_DONE);
    }
    assert_int_equal(batch->count, 30);
    assert_int_equal(fake_counted(PS_COUNTER_EventReceivedCount), 30);
    assert_int_equal(fake_counted(PS_COUNTER_AppendBatchReceivedCount), 1);
    assert_int_equal(batch->span_count, 1);
    assert_int_equal(batch->spans[0].position, 29);
    fake_stop();
}

/* Each batch has its own copy of header values that records share: the earlier batch may be gone first. */
static void test_texts_are_the_batchs_own(void **state)
{
    static const char *const names[] = {"timestamp", "partition", "topic"};
    static const char *const values[] = {"1000", "0", "a"};
    struct ps_slice first, second;
    fake_start("EAGER", PS_KEYS("batchSize", "2"));
    fake_assigned("a-0");
    fake_records("a", 0, 0, 4);
    fake_cycles(2);
    for (size_t i = 0; i < PS_COUNT_OF(names); i++) {
        const struct ps_name *name = ps_name_intern(names[i]);
        assert_true(ps_event_header(source.held[0], &source.held[0]->events[1], name, &first));
        assert_true(ps_event_header(source.held[1], &source.held[1]->events[1], name, &second));
        assert_ptr_not_equal(first.data, second.data);
        assert_int_equal(second.length, strlen(values[i]));
        assert_memory_equal(second.data, values[i], second.length);
    }
    fake_stop();
}

/* Returns what `work` did while no block of memory was left. */
static enum ps_result work_without_memory(struct ps_batch *batch)
{
    static struct ps_block *blocks[4096];
    struct ps_test_stage *stage = &source.stage;
    struct ps_block_cache *cache = ps_pool_cache(stage->pool);
    size_t count = 0;
    while (count < PS_COUNT_OF(blocks) && (blocks[count] = ps_block_take(cache)) != NULL)
        count++;
    assert_true(count > 0 && count < PS_COUNT_OF(blocks));
    enum ps_result result = stage->ops->source->work(stage->plan, stage->state, batch, &stage->now);
    while (count > 0)
        ps_block_drop(cache, blocks[--count]);
    return result;
}

/* For lack of memory a record is withdrawn and taken later: its headers do not point to values of the first try, which
 * are gone. A batch that has other events is closed after the first try; an empty one takes the record. */
static void test_texts_after_no_memory(void **state)
{
    static char key[PS_BLOCK_BYTES / 4 * 3]; /* a block of its own */
    static const char *const names[] = {"timestamp", "topic", "partition", "offset"};
    static const char *const values[] = {"1000", "a", "1", "7"};
    struct ps_slice value;
    memset(key, 'k', sizeof key - 1);
    for (unsigned events = 0; events < 2; events++) {
        fake_start("EAGER", PS_KEYS("batchSize", "1000", "kafka.topics", "a,b"));
        struct ps_test_stage *stage = &source.stage;
        const struct ps_source_ops *ops = stage->ops->source;
        struct ps_batch *first = ps_test_stage_take_batch(stage), *batch;
        fake_assigned("a-0 a-1");
        fake_records("a", 0, 5, 1);
        fake_tick();
        assert_int_equal(ops->work(stage->plan, stage->state, first, &stage->now), PS_DONE);
        batch = first;
        if (events == 0) {
            ps_batch_close(first);
            batch = ps_test_stage_take_batch(stage);
        }
        fake_records_with("a", 1, 7, 1, 0, key);
        assert_int_equal(work_without_memory(batch), events == 0 ? PS_IDLE : PS_DONE);
        assert_int_equal(batch->count, events);
        assert_int_equal(batch->full, events > 0);
        if (batch->full) {
            ps_batch_close(batch);
            batch = ps_test_stage_take_batch(stage);
        }
        assert_int_equal(ops->work(stage->plan, stage->state, batch, &stage->now), PS_DONE);
        assert_int_equal(batch->count, 1);
        for (size_t i = 0; i < PS_COUNT_OF(names); i++) {
            assert_true(ps_event_header(batch, &batch->events[0], ps_name_intern(names[i]), &value));
            assert_int_equal(value.length, strlen(values[i]));
            assert_memory_equal(value.data, values[i], value.length);
        }
        fake_stop();
    }
}

static void assert_text(const struct ps_batch *batch, const struct ps_event *event, const char *name,
                        int64_t number)
{
    char text[24];
    struct ps_slice value;
    assert_true(ps_event_header(batch, event, ps_name_intern(name), &value));
    assert_int_equal(value.length, snprintf(text, sizeof text, "%" PRId64, number));
    assert_memory_equal(value.data, text, value.length);
}

/* Offsets that follow each other, that jump, and that belong to several partitions: each event has its own offset, and
 * the batch covers the last of each partition. */
static void test_offsets(void **state)
{
    static const struct {
        int32_t partition;
        int64_t first;
        unsigned count;
    } runs[] = {{0, 0, 120},          {1, 8, 3},    {0, 998, 4},          {1, 11, 1},
                {1, 999999999998, 3}, {0, 1002, 1}, {1, 1000000000009, 2}};
    fake_start("EAGER", PS_KEYS("batchSize", "1000"));
    struct ps_test_stage *stage = &source.stage;
    struct ps_batch *batch = ps_test_stage_take_batch(stage);
    uint32_t row = 0;
    fake_assigned("a-0 a-1");
    for (size_t i = 0; i < PS_COUNT_OF(runs); i++)
        fake_records("a", runs[i].partition, runs[i].first, runs[i].count);
    fake_tick();
    assert_int_equal(stage->ops->source->work(stage->plan, stage->state, batch, &stage->now), PS_DONE);
    for (size_t i = 0; i < PS_COUNT_OF(runs); i++) {
        for (unsigned k = 0; k < runs[i].count; k++, row++) {
            assert_text(batch, &batch->events[row], "offset", runs[i].first + k);
            assert_text(batch, &batch->events[row], "partition", runs[i].partition);
        }
    }
    assert_int_equal(batch->count, row);
    assert_int_equal(batch->span_count, 2);
    for (uint32_t i = 0; i < batch->span_count; i++)
        assert_int_equal(batch->spans[i].position, batch->spans[i].name->part == 0 ? 1002 : 1000000000010);
    fake_stop();
}

/* When memory runs out, at whichever allocation, the last record of the batch is withdrawn: the batch covers no record
 * that it does not contain. Each record needs an origin of its own, because offsets have gaps. */
static void test_covers_its_records_without_memory(void **state)
{
    for (unsigned step = 1; step <= 48; step++) {
        fake_start("EAGER", PS_KEYS("batchSize", "10000"));
        struct ps_batch *batch = ps_test_stage_take_batch(&source.stage);
        fake_assigned("a-0");
        fake_records_with("a", 0, 0, 1, step * 4096U, NULL);
        for (unsigned i = 1; i <= 3000; i++)
            fake_records("a", 0, 2 * i, 1);
        fake_tick();
        assert_int_equal(work_without_memory(batch), PS_DONE);
        assert_true(batch->full);
        assert_in_range(batch->count, 2, 3000);
        assert_int_equal(batch->span_count, 1);
        assert_int_equal(batch->spans[0].position, 2 * (batch->count - 1));
        fake_stop();
    }
}

/* An interval without records is counted; one in which the channel is full is not. */
static void test_empty_count(void **state)
{
    fake_start("EAGER", PS_KEYS("batchDurationMillis", "1000"));
    struct ps_test_stage *stage = &source.stage;
    fake_cycles(3100);
    assert_int_equal(fake_counted(PS_COUNTER_KafkaEmptyCount), 3);
    stage->ops->source->paused(stage->plan, stage->state, true, &stage->now);
    for (unsigned i = 0; i < 5000; i++) {
        fake_tick();
        ps_test_stage_pass_ms(stage, 1);
    }
    stage->ops->source->paused(stage->plan, stage->state, false, &stage->now);
    fake_cycles(900);
    assert_int_equal(fake_counted(PS_COUNTER_KafkaEmptyCount), 3);
    fake_cycles(200);
    assert_int_equal(fake_counted(PS_COUNTER_KafkaEmptyCount), 4);
    fake_stop();
}

/* ---- errors ---- */

/* Pushes the error; returns whether it was logged. */
static bool logs(rd_kafka_resp_err_t error)
{
    uint64_t before = ps_log_count(PS_LOG_ERROR);
    fake_error(error);
    fake_tick();
    assert_in_range(ps_log_count(PS_LOG_ERROR), before, before + 1);
    return ps_log_count(PS_LOG_ERROR) > before;
}

static void pass_s(unsigned seconds)
{
    ps_test_stage_pass_ms(&source.stage, 1000UL * seconds);
}

static void test_errors_are_logged_once_in_a_while(void **state)
{
    fake_start("EAGER", PS_KEYS("batchSize", "10"));
    pass_s(100);
    assert_true(logs(RD_KAFKA_RESP_ERR__RESOLVE));
    assert_false(logs(RD_KAFKA_RESP_ERR__RESOLVE));
    assert_true(logs(RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED)); /* another one */
    assert_false(logs(RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN));         /* says no more than the first */
    assert_false(logs(RD_KAFKA_RESP_ERR__TRANSPORT));
    pass_s(29);
    assert_false(logs(RD_KAFKA_RESP_ERR__RESOLVE));
    assert_false(logs(RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED));
    pass_s(2);
    assert_true(logs(RD_KAFKA_RESP_ERR__RESOLVE));
    assert_true(logs(RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED));
    uint64_t before = ps_log_count(PS_LOG_INFO);
    fake_assigned("a-0");
    fake_records("a", 0, 0, 1);
    fake_cycles(2);
    assert_int_equal(ps_log_count(PS_LOG_INFO), before + 2); /* assigned; delivers records again */
    assert_true(logs(RD_KAFKA_RESP_ERR__RESOLVE));           /* a new outage */
    fake_stop();
}

/* A consumer that cannot continue: the engine learns of it, with the cure. */
static void test_fatal(void **state)
{
    fake_start("EAGER", PS_KEYS("batchSize", "10"));
    fake_tick();
    assert_false(source.stage.failed);
    fake.fatal = RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID;
    fake_error(RD_KAFKA_RESP_ERR__FATAL);
    fake_tick();
    assert_true(source.stage.failed);
    assert_non_null(strstr(source.stage.err.text, "give each agent and each source an id of its own"));
    fake_stop();
}

/* The same while the source waits for the delivery of what it has read, which would never end. If the source is
 * leaving its group, or has failed before, nothing is reported. */
static void test_fatal_while_it_stops(void **state)
{
    for (unsigned cycles = 0; cycles < 2; cycles++) {
        fake_start("EAGER", PS_KEYS("batchSize", "10"));
        fake_assigned("a-0");
        fake_records("a", 0, 0, 3);
        fake_cycles(2);
        assert_int_equal(source.held_count, 1);
        assert_false(fake_drain());
        fake_cycles(cycles);
        assert_false(source.stage.failed);
        fake.fatal = RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID;
        fake_error(RD_KAFKA_RESP_ERR__FATAL);
        fake_tick();
        assert_true(source.stage.failed);
        assert_non_null(strstr(source.stage.err.text, "give each agent and each source an id of its own"));
        fake_deliver(1);
        fake_stop();
    }
}

/* Each instance of a source is a static member of its own. */
static void test_instance_ids(void **state)
{
    static const char *const expected[] = {"me", "me-1", "me-2"};
    for (unsigned i = 0; i < PS_COUNT_OF(expected); i++) {
        fake_build("EAGER", PS_KEYS("kafka.consumer.group.instance.id", "me"));
        source.stage.port.instance = i;
        assert_int_equal(ps_test_stage_open(&source.stage), PS_OK);
        assert_string_equal(fake.instance_id, expected[i]);
        fake_stop();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kept_comes_first_and_once),
        cmocka_unit_test(test_kept_fills_a_batch),
        cmocka_unit_test(test_kept_bytes),
        cmocka_unit_test(test_kept_across_changes_of_others),
        cmocka_unit_test(test_kept_is_revoked),
        cmocka_unit_test(test_kept_is_assigned_again),
        cmocka_unit_test(test_kept_is_not_drained),
        cmocka_unit_test(test_counts),
        cmocka_unit_test(test_texts_are_the_batchs_own),
        cmocka_unit_test(test_texts_after_no_memory),
        cmocka_unit_test(test_offsets),
        cmocka_unit_test(test_covers_its_records_without_memory),
        cmocka_unit_test(test_empty_count),
        cmocka_unit_test(test_errors_are_logged_once_in_a_while),
        cmocka_unit_test(test_fatal),
        cmocka_unit_test(test_fatal_while_it_stops),
        cmocka_unit_test(test_instance_ids),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
