/* Events from records of the native fetch client, whose bytes stay in the received block. Random runs of records, with changing
 * offsets, partitions, keys, timestamps, blocks and batches, are compared with the events that Flume's source makes of each
 * record. */
#include "stages/lib/kafka/fetch/record.h"

#include <inttypes.h>
#include <stdio.h>

#include "core/flow/batch_home.h"
#include "core/flow/bump.h"
#include "core/flow/identity.h"
#include "tests/support/support.h"

#define RECORDS 3000U
#define STREAMS 3U
#define BODIES "abcdefghijklmnopqrstuvwxyz"

struct record {
    uint32_t stream;
    int64_t offset, timestamp_ms;
    uint32_t body_length;
    bool has_key;
};

static struct ps_depot *depot;
static struct ps_pool *pool;
static struct ps_bump bump;
static struct ps_block *block;
static struct ps_kafka_streams streams;
static const struct ps_name *mapped_name;

static int setup(void **state)
{
    struct ps_err err = {0};
    depot = ps_depot_create(400 * (uint64_t)PS_BLOCK_BYTES, &err);
    pool = ps_pool_create(depot, 0);
    ps_bump_init(&bump, pool);
    block = ps_block_take(ps_pool_cache(pool));
    memcpy(block->base, BODIES, strlen(BODIES));
    mapped_name = ps_name_intern("mapped");
    for (unsigned i = 0; i < STREAMS; i++)
        ps_kafka_streams_assign(&streams, i == 0 ? "topic.a" : "topic.b", (int32_t)(9 + i));
    return 0;
}

static int teardown(void **state)
{
    ps_kafka_streams_fini(&streams);
    ps_block_drop(ps_pool_cache(pool), block);
    ps_bump_fini(&bump);
    ps_pool_destroy(pool);
    assert_int_equal(ps_depot_used_bytes(depot), 0);
    ps_depot_destroy(depot);
    return 0;
}

/* ---- what is expected ---- */

static void assert_header(const struct ps_batch *batch, const struct ps_event *event, const char *name,
                          const char *expected)
{
    struct ps_slice value = {0};
    bool found = ps_event_header(batch, event, ps_name_intern(name), &value);
    assert_int_equal(found, expected != NULL);
    if (expected == NULL)
        return;
    assert_int_equal(value.length, strlen(expected));
    assert_memory_equal(value.data, expected, value.length);
}

static void assert_number(const struct ps_batch *batch, const struct ps_event *event, const char *name,
                          int64_t expected)
{
    char text[32];
    snprintf(text, sizeof text, "%" PRId64, expected);
    assert_header(batch, event, name, text);
}

static unsigned own_headers(const struct ps_event *event)
{
    unsigned count = 0;
    for (const struct ps_header *header = event->headers; header != NULL; header = header->next)
        count++;
    return count;
}

static void assert_identity(struct ps_batch *batch, uint32_t row, const struct record *record)
{
    struct ps_lease lease = {.batch = batch, .count = batch->count};
    struct ps_identity identity;
    assert_true(ps_event_identity(&lease, row, &identity));
    assert_int_equal(identity.position, record->offset);
    assert_int_equal(identity.part, streams.items[record->stream].partition);
    assert_int_equal(identity.name.length, streams.items[record->stream].topic_length);
    assert_memory_equal(identity.name.data, streams.items[record->stream].topic, identity.name.length);
}

static void assert_events(const struct ps_kafka_record_plan *plan, struct ps_batch *batch,
                          const struct record *records)
{
    for (uint32_t row = 0; row < batch->count; row++) {
        const struct ps_event *event = &batch->events[row];
        const struct ps_kafka_stream *stream = &streams.items[records[row].stream];
        bool own_topic = plan->topic != NULL && plan->single_topic == NULL;
        assert_int_equal(event->body_length, records[row].body_length);
        assert_memory_equal(event->body, BODIES, event->body_length);
        assert_header(batch, event, "key", records[row].has_key ? "abcde" : NULL);
        assert_header(batch, event, "mapped", plan->mapped_count > 0 ? "bc" : NULL);
        if (plan->timestamp != NULL)
            assert_number(batch, event, "timestamp", records[row].timestamp_ms);
        assert_int_equal(own_headers(event), records[row].has_key + plan->mapped_count +
                                                 (plan->timestamp != NULL) +
                                                 (plan->partition != NULL ? 2U + own_topic : 0U));
        if (plan->partition != NULL) {
            assert_number(batch, event, "offset", records[row].offset);
            assert_number(batch, event, "partition", stream->partition);
            assert_header(batch, event, "topic", stream->topic);
        }
        assert_identity(batch, row, &records[row]);
    }
}

static int32_t epoch_of(int64_t offset)
{
    return (int32_t)(offset / 5);
}

/* The positions of the batch end with the last record of each stream. */
static void assert_spans(const struct ps_batch *batch, const struct record *records)
{
    for (uint32_t stream = 0; stream < STREAMS; stream++) {
        int64_t last = -1, position = -1;
        for (uint32_t row = 0; row < batch->count; row++)
            if (records[row].stream == stream && records[row].offset > last)
                last = records[row].offset;
        for (uint32_t i = 0; i < batch->span_count; i++)
            if (batch->spans[i].stream == stream && batch->spans[i].position > position) {
                position = batch->spans[i].position;
                assert_int_equal(batch->spans[i].epoch, epoch_of(position));
            }
        assert_int_equal(position, last);
        if (last >= 0)
            assert_int_equal(streams.items[stream].taken, last);
    }
}

/* ---- the run ---- */

static uint64_t below(uint64_t *random, uint64_t limit)
{
    return ps_test_random(random) % limit;
}

/* Makes `record` the next one, mostly of the same stream at the next offset; now and then of a random stream at one
 * of the offsets `from`. */
static void draw(struct record *record, uint64_t *random)
{
    static const int64_t from[] = {
        0, 7, 96, 9999996, 99999996, 999999999999990, 9999999999999990, INT64_MAX - 2 * RECORDS};
    uint32_t kind = (uint32_t)below(random, 40), i = 0;
    record->offset += kind == 0 ? 2 : 1;
    record->timestamp_ms += (int64_t)(below(random, 4) == 0 ? below(random, 3) : 0);
    record->has_key = kind == 1;
    record->body_length = (uint32_t)below(random, strlen(BODIES) + 1);
    if (kind != 2)
        return;
    record->stream = (uint32_t)below(random, STREAMS);
    int64_t taken = streams.items[record->stream].taken;
    while (i < PS_COUNT_OF(from) && from[i] <= taken)
        i++;
    record->offset = i < PS_COUNT_OF(from) ? from[i] : taken + 1;
}

static void run(const struct ps_kafka_record_plan *plan, uint64_t *random)
{
    static struct record taken[PS_BATCH_EVENTS_MAX];
    struct ps_port port = {0};
    struct ps_kafka_record_state state = {.plan = plan, .streams = &streams, .port = &port};
    const struct ps_slice mapped[] = {{block->base + 1, 2}};
    struct record record = {.timestamp_ms = 1764000000000, .offset = -1};
    for (uint32_t i = 0; i < STREAMS; i++)
        streams.items[i].taken = -1;
    for (uint32_t done = 0; done < RECORDS;) {
        struct ps_batch *batch = ps_batch_take(&bump, (struct ps_now){0});
        assert_non_null(batch);
        ps_kafka_record_begin(&state, batch);
        enum ps_kafka_take outcome;
        do {
            if (below(random, 50) == 0)
                ps_kafka_record_begin(&state, batch); /* another call of `work` */
            draw(&record, random);
            const struct ps_kafka_message message = {.stream = record.stream,
                                                     .offset = record.offset,
                                                     .timestamp_ms = record.timestamp_ms,
                                                     .value = block->base,
                                                     .value_length = record.body_length,
                                                     .key = record.has_key ? block->base : NULL,
                                                     .key_length = record.has_key ? 5 : 0,
                                                     .epoch = epoch_of(record.offset),
                                                     .mapped = mapped,
                                                     .block = block,
                                                     .block_number = 1};
            uint32_t row = batch->count;
            outcome = ps_kafka_record_take(&state, &message);
            if (outcome == PS_KAFKA_NOT_TAKEN) {
                assert_int_equal(batch->count, row);
                record.offset--;
                break;
            }
            taken[row] = record;
            assert_int_equal(batch->count, row + 1);
            done++;
        } while (outcome == PS_KAFKA_TAKEN && done < RECORDS);
        assert_true(batch->count > 0 && batch->count <= plan->batch_events_max);
        assert_events(plan, batch, taken);
        assert_spans(batch, taken);
        ps_batch_give(batch);
    }
}

static void test_events(void **state)
{
    uint64_t random = ps_test_seed();
    const struct ps_name *const mapped[] = {mapped_name};
    const struct ps_kafka_record_plan usual = {.key = ps_name_intern("key"),
                                               .timestamp = ps_name_intern("timestamp"),
                                               .partition = ps_name_intern("partition"),
                                               .offset = ps_name_intern("offset"),
                                               .topic = ps_name_intern("topic"),
                                               .group = "g",
                                               .batch_events_max = 1000};
    struct ps_kafka_record_plan plans[] = {usual, usual, usual, usual, usual};
    plans[1].batch_events_max = 7;
    plans[2].timestamp = NULL;
    plans[3].mapped = mapped;
    plans[3].mapped_count = 1;
    plans[4].topic = plans[4].partition = plans[4].offset = NULL;
    for (size_t i = 0; i < PS_COUNT_OF(plans); i++)
        run(&plans[i], &random);
}

/* One name for two headers: Flume's source sets the first one only. */
static void test_names_that_are_the_same(void **state)
{
    const struct ps_name *name = ps_name_intern("timestamp");
    const struct ps_kafka_record_plan plan = {.timestamp = name,
                                              .partition = ps_name_intern("partition"),
                                              .offset = name,
                                              .group = "g",
                                              .batch_events_max = 1000};
    struct ps_port port = {0};
    struct ps_kafka_record_state record_state = {.plan = &plan, .streams = &streams, .port = &port};
    struct ps_batch *batch = ps_batch_take(&bump, (struct ps_now){0});
    ps_kafka_record_begin(&record_state, batch);
    for (int64_t offset = 0; offset < 3; offset++) {
        const struct ps_kafka_message message = {.offset = offset,
                                                 .timestamp_ms = 77 + offset,
                                                 .value = block->base,
                                                 .block = block,
                                                 .block_number = 1};
        assert_int_equal(ps_kafka_record_take(&record_state, &message), PS_KAFKA_TAKEN);
        assert_number(batch, &batch->events[offset], "timestamp", 77 + offset);
        assert_int_equal(own_headers(&batch->events[offset]), 2);
    }
    ps_batch_give(batch);
}

/* A record without a time has -1, and a program may set any other: the header has the number with its sign, as Flume's has. */
static void test_times_before_1970(void **state)
{
    static const int64_t times[] = {-1, 1, 0, -1764000000000, INT64_MIN, INT64_MAX};
    const struct ps_kafka_record_plan plan = {
        .timestamp = ps_name_intern("timestamp"), .group = "g", .batch_events_max = 1000};
    struct ps_port port = {0};
    struct ps_kafka_record_state record_state = {.plan = &plan, .streams = &streams, .port = &port};
    struct ps_batch *batch = ps_batch_take(&bump, (struct ps_now){0});
    ps_kafka_record_begin(&record_state, batch);
    for (size_t i = 0; i < PS_COUNT_OF(times); i++) {
        const struct ps_kafka_message message = {.offset = (int64_t)i,
                                                 .timestamp_ms = times[i],
                                                 .value = block->base,
                                                 .block = block,
                                                 .block_number = 1};
        assert_int_equal(ps_kafka_record_take(&record_state, &message), PS_KAFKA_TAKEN);
    }
    for (size_t i = 0; i < PS_COUNT_OF(times); i++)
        assert_number(batch, &batch->events[i], "timestamp", times[i]);
    ps_batch_give(batch);
}

/* A batch owns the blocks of its records. When it has no room for one more block, the record is not taken, and the batch is closed. */
static void test_no_room_for_a_block(void **state)
{
    const struct ps_kafka_record_plan plan = {.group = "g", .batch_events_max = 1000};
    struct ps_port port = {0};
    struct ps_kafka_record_state record_state = {.plan = &plan, .streams = &streams, .port = &port};
    struct ps_batch *batch = ps_batch_take(&bump, (struct ps_now){0});
    struct ps_block_cache *cache = ps_pool_cache(pool);
    uint32_t taken = 0;
    ps_kafka_record_begin(&record_state, batch);
    for (;; taken++) {
        assert_in_range(taken, 0, PS_BATCH_BLOCKS_MAX);
        struct ps_block *own = ps_block_take(cache);
        assert_non_null(own);
        const struct ps_kafka_message message = {
            .offset = taken, .value = own->base, .value_length = 1, .block = own, .block_number = taken + 2};
        enum ps_kafka_take outcome = ps_kafka_record_take(&record_state, &message);
        ps_block_drop(cache, own);
        if (outcome == PS_KAFKA_NOT_TAKEN)
            break;
    }
    assert_int_equal(taken, PS_BATCH_FILL_BLOCKS_MAX - 1); /* the batch itself has one */
    assert_int_equal(batch->count, taken);
    assert_true(batch->full);
    ps_batch_give(batch);
}

/* A topic full of records that are no events does not keep the worker: a call of `work` ends after some of them, and the
 * next call begins anew. */
static void test_records_that_are_no_events(void **state)
{
    enum { CALLS = 5, MOST = 5000 };
    const struct ps_kafka_record_plan plan = {
        .group = "g", .batch_events_max = 1000, .flume_event_format = true};
    static struct ps_counters counters;
    struct ps_port port = {.component = "source r1", .counters = &counters};
    struct ps_kafka_record_state record_state = {.plan = &plan, .streams = &streams, .port = &port};
    struct ps_batch *batch = ps_batch_take(&bump, (struct ps_now){0});
    uint32_t first = 0;
    int64_t offset = 0;
    for (unsigned call = 0; call < CALLS; call++) {
        uint32_t taken = 0;
        enum ps_kafka_take outcome;
        ps_kafka_record_begin(&record_state, batch);
        do {
            const struct ps_kafka_message message = {
                .offset = offset++, .value = "?", .value_length = 1, .epoch = -1};
            outcome = ps_kafka_record_take(&record_state, &message);
            assert_in_range(++taken, 1, MOST);
        } while (outcome == PS_KAFKA_TAKEN);
        assert_int_equal(outcome, PS_KAFKA_TAKEN_LAST);
        first = call == 0 ? taken : first;
        assert_int_equal(taken, first);
    }
    assert_in_range(first, 100, MOST);
    assert_int_equal(batch->count, 0);
    assert_int_equal(ps_counter_read(&counters, PS_COUNTER_malformed), (uint64_t)offset);
    ps_batch_give(batch);
}

/* ---- ends of partitions without records ---- */

static void take_one(struct ps_kafka_record_state *state, uint32_t stream, int64_t offset)
{
    const struct ps_kafka_message message = {.stream = stream,
                                             .offset = offset,
                                             .epoch = epoch_of(offset),
                                             .value = block->base,
                                             .value_length = 1,
                                             .block = block,
                                             .block_number = 1};
    assert_int_equal(ps_kafka_record_take(state, &message), PS_KAFKA_TAKEN);
}

static void assert_span(const struct ps_batch *batch, uint32_t at, uint32_t stream, int64_t position,
                        int32_t epoch)
{
    assert_in_range(at, 0, batch->span_count - 1);
    assert_int_equal(batch->spans[at].stream, stream);
    assert_int_equal(batch->spans[at].pass, streams.items[stream].pass);
    assert_int_equal(batch->spans[at].position, position);
    assert_int_equal(batch->spans[at].epoch, epoch);
    assert_int_equal(streams.items[stream].taken, position);
}

/* What has no records goes with the partition's records in the open batch, whichever partition has the last span, and
 * whichever call took them. Otherwise the source notes it itself, and with a sink that commits nobody does. */
static void test_hidden_ends(void **state)
{
    const struct ps_kafka_membership membership = {.member = {"m", 1}, .generation = 4};
    const struct ps_kafka_record_plan plan = {.partition = ps_name_intern("partition"),
                                              .offset = ps_name_intern("offset"),
                                              .group = "g",
                                              .batch_events_max = 1000};
    struct ps_port port = {0};
    for (unsigned sink_commits = 0; sink_commits < 2; sink_commits++) {
        struct ps_kafka_record_state record_state = {.plan = &plan,
                                                     .streams = &streams,
                                                     .membership = sink_commits ? &membership : NULL,
                                                     .port = &port};
        struct ps_batch *batch = ps_batch_take(&bump, (struct ps_now){0});
        for (uint32_t i = 0; i < STREAMS; i++)
            ps_kafka_streams_restart(&streams, i, 0, -1);
        ps_kafka_record_begin(&record_state, batch);
        take_one(&record_state, 0, 0);
        take_one(&record_state, 1, 0);
        ps_kafka_record_begin(&record_state, batch);
        take_one(&record_state, 0, 1);
        ps_kafka_record_skip(&record_state, 0, 2, 7); /* the last span is that of the other partition */
        assert_int_equal(batch->span_count, 2);
        assert_span(batch, 0, 0, 2, 7);
        ps_kafka_record_begin(&record_state, batch);
        ps_kafka_record_skip(&record_state, 1, 5, 8); /* the record came in the first call */
        assert_span(batch, 1, 1, 5, 8);
        take_one(&record_state, 0, 3); /* follows what was passed */
        assert_span(batch, 0, 0, 3, epoch_of(3));
        ps_kafka_record_skip(&record_state, 0, 3, 9); /* the record itself */
        ps_kafka_record_skip(&record_state, 2, 6, 9); /* no record of this partition */
        assert_int_equal(batch->span_count, 2);
        assert_span(batch, 0, 0, 3, epoch_of(3));
        assert_int_equal(streams.items[2].reached, sink_commits ? 0 : 7);
        ps_kafka_streams_restart(&streams, 1, 5, -1);
        ps_kafka_record_skip(&record_state, 1, 9, 9); /* the record is of what was read before */
        assert_int_equal(batch->spans[1].position, 5);
        assert_int_equal(streams.items[1].reached, sink_commits ? 5 : 10);
        ps_batch_give(batch);
    }
}

/* ---- dead letters ---- */

static bool letter_fails; /* as without memory */
static uint64_t letter_put(struct ps_dead_letter_queue *queue, const struct ps_dead_letter *letter)
{
    assert_int_equal(letter->length, 1);
    return letter_fails ? 0 : ++queue->sent;
}

/* A record without memory for its letter stays where it is: the batch does not have its position, which would be committed
 * without the letter. */
static void test_no_memory_for_a_letter(void **state)
{
    static const struct ps_dead_letter_queue_ops ops = {.put = letter_put};
    static struct ps_counters counters;
    const struct ps_kafka_record_plan plan = {
        .group = "g", .batch_events_max = 1000, .flume_event_format = true};
    struct ps_dead_letter_queue queue = {.ops = &ops};
    struct ps_port port = {.component = "source r1", .counters = &counters, .dead_letter_queue = &queue};
    struct ps_kafka_record_state record_state = {.plan = &plan, .streams = &streams, .port = &port};
    struct ps_batch *batch = ps_batch_take(&bump, (struct ps_now){0});
    ps_kafka_streams_restart(&streams, 0, 0, -1);
    ps_kafka_record_begin(&record_state, batch);
    for (int64_t offset = 0; offset < 3; offset++) {
        const struct ps_kafka_message message = {
            .offset = offset, .value = "?", .value_length = 1, .epoch = epoch_of(offset)};
        int64_t taken = streams.items[0].taken;
        letter_fails = true;
        assert_int_equal(ps_kafka_record_take(&record_state, &message), PS_KAFKA_NOT_TAKEN);
        assert_int_equal(streams.items[0].taken, taken);
        assert_int_equal(batch->span_count, offset > 0);
        if (offset > 0)
            assert_span(batch, 0, 0, offset - 1, epoch_of(offset - 1));
        letter_fails = false;
        assert_int_equal(ps_kafka_record_take(&record_state, &message), PS_KAFKA_TAKEN);
        assert_span(batch, 0, 0, offset, epoch_of(offset));
        assert_int_equal(queue.sent, offset + 1);
        assert_int_equal(ps_counter_read(&counters, PS_COUNTER_malformed), offset + 1);
    }
    ps_batch_give(batch);
}

#define BLOCKS_MAX 400U

/* Takes all memory of the budget, and of the batch's block. Returns the number of blocks. */
static unsigned take_memory(struct ps_batch *batch, struct ps_block *taken[BLOCKS_MAX])
{
    unsigned count = 0;
    while ((taken[count] = ps_block_take(ps_pool_cache(pool))) != NULL)
        assert_in_range(++count, 1, BLOCKS_MAX - 1);
    while (ps_batch_alloc(batch, 8) != NULL)
        ;
    return count;
}

/* The batch has no memory for the position of a record that has its letter already: however often the record is offered, it
 * has one letter. If it is read anew, it has one more. */
static void test_no_memory_for_a_position(void **state)
{
    static const struct ps_dead_letter_queue_ops ops = {.put = letter_put};
    static struct ps_counters counters;
    static struct ps_block *taken[BLOCKS_MAX];
    const struct ps_kafka_record_plan plan = {
        .group = "g", .batch_events_max = 1000, .flume_event_format = true};
    struct ps_dead_letter_queue queue = {.ops = &ops};
    struct ps_port port = {.component = "source r1", .counters = &counters, .dead_letter_queue = &queue};
    struct ps_kafka_record_state record_state = {.plan = &plan, .streams = &streams, .port = &port};
    struct ps_batch *batch = ps_batch_take(&bump, (struct ps_now){0});
    const struct ps_kafka_message message = {.offset = 7, .value = "?", .value_length = 1};
    const struct ps_kafka_message next = {.offset = 8, .value = "?", .value_length = 1};
    ps_kafka_streams_restart(&streams, 0, 7, -1);
    unsigned count = take_memory(batch, taken);
    for (unsigned i = 0; i < 5; i++) {
        ps_kafka_record_begin(&record_state, batch);
        assert_int_equal(ps_kafka_record_take(&record_state, &message), PS_KAFKA_NOT_TAKEN);
        assert_false(batch->full);
        assert_int_equal(batch->span_count, 0);
        assert_int_equal(queue.sent, 1);
    }
    while (count > 0)
        ps_block_drop(ps_pool_cache(pool), taken[--count]);
    assert_int_equal(ps_kafka_record_take(&record_state, &message), PS_KAFKA_TAKEN);
    assert_span(batch, 0, 0, 7, 0);
    assert_int_equal(queue.sent, 1);
    assert_int_equal(ps_kafka_record_take(&record_state, &next), PS_KAFKA_TAKEN);
    assert_int_equal(queue.sent, 2);
    ps_kafka_streams_restart(&streams, 0, 8, -1);
    assert_int_equal(ps_kafka_record_take(&record_state, &next), PS_KAFKA_TAKEN);
    assert_int_equal(queue.sent, 3);
    ps_batch_give(batch);
}

/* The open batch is of an earlier assignment, and cannot take the record: the next batch takes it, without a second letter. */
static void test_position_for_the_next_batch(void **state)
{
    static const struct ps_dead_letter_queue_ops ops = {.put = letter_put};
    static struct ps_counters counters;
    const struct ps_kafka_record_plan plan = {
        .group = "g", .batch_events_max = 1000, .flume_event_format = true};
    struct ps_kafka_membership membership = {.member = {"m", 1}, .generation = 4};
    struct ps_dead_letter_queue queue = {.ops = &ops};
    struct ps_port port = {.component = "source r1", .counters = &counters, .dead_letter_queue = &queue};
    struct ps_kafka_record_state record_state = {
        .plan = &plan, .streams = &streams, .membership = &membership, .port = &port};
    ps_kafka_streams_restart(&streams, 0, 0, -1);
    for (int64_t offset = 0; offset < 2; offset++) {
        const struct ps_kafka_message message = {.offset = offset, .value = "?", .value_length = 1},
                                      next = {.offset = offset + 1, .value = "?", .value_length = 1};
        struct ps_batch *batch = ps_batch_take(&bump, (struct ps_now){0});
        ps_kafka_record_begin(&record_state, batch);
        assert_int_equal(ps_kafka_record_take(&record_state, &message), PS_KAFKA_TAKEN);
        assert_int_equal(queue.sent, offset + 1);
        membership.generation++;
        ps_kafka_record_begin(&record_state, batch);
        assert_int_equal(ps_kafka_record_take(&record_state, &next), PS_KAFKA_NOT_TAKEN);
        assert_true(batch->full);
        assert_int_equal(queue.sent, offset + 2);
        ps_batch_give(batch);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_events, setup, teardown),
        cmocka_unit_test_setup_teardown(test_names_that_are_the_same, setup, teardown),
        cmocka_unit_test_setup_teardown(test_times_before_1970, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_room_for_a_block, setup, teardown),
        cmocka_unit_test_setup_teardown(test_records_that_are_no_events, setup, teardown),
        cmocka_unit_test_setup_teardown(test_hidden_ends, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_memory_for_a_letter, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_memory_for_a_position, setup, teardown),
        cmocka_unit_test_setup_teardown(test_position_for_the_next_batch, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
