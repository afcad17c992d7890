/* The table of partitions compared with a model: assigned, gone, assigned again in other slots, in great numbers. */
#include "stages/lib/kafka/fetch/streams.h"

#include <string.h>

#include "tests/support/support.h"

#define TOPICS 7U
#define PARTITIONS 500U

struct expected {
    uint32_t stream, pass;
    bool known; /* no other partition uses its slot */
};

static struct expected expected[TOPICS][PARTITIONS];

static const char *name_of(unsigned topic)
{
    static const char *const names[TOPICS] = {"topic.0", "topic.1", "topic.2", "topic.3",
                                              "topic.4", "topic.5", "topic.6"};
    return names[topic];
}

static uint32_t find(const struct ps_kafka_streams *streams, const char *topic, int32_t partition)
{
    return ps_kafka_streams_find(streams, (struct ps_slice){topic, (uint32_t)strlen(topic)}, partition);
}

/* The epoch of a position is 2 + position / 1000. */
static void deliver(struct ps_kafka_streams *streams, uint32_t stream, uint32_t pass, int64_t position)
{
    ps_kafka_streams_delivered(streams, &(struct ps_span){.stream = stream,
                                                          .pass = pass,
                                                          .position = position,
                                                          .epoch = 2 + (int32_t)(position / 1000)});
}

static void assign(struct ps_kafka_streams *streams, unsigned topic, unsigned partition)
{
    uint32_t stream = ps_kafka_streams_assign(streams, name_of(topic), (int32_t)partition);
    for (unsigned t = 0; t < TOPICS; t++) {
        for (unsigned p = 0; p < PARTITIONS; p++)
            expected[t][p].known &= expected[t][p].stream != stream || (t == topic && p == partition);
    }
    assert_true(streams->items[stream].pass > expected[topic][partition].pass);
    expected[topic][partition] = (struct expected){stream, streams->items[stream].pass, true};
}

static void assert_found(const struct ps_kafka_streams *streams)
{
    for (unsigned topic = 0; topic < TOPICS; topic++) {
        const char *name = name_of(topic);
        for (unsigned partition = 0; partition < PARTITIONS; partition++) {
            const struct expected *one = &expected[topic][partition];
            uint32_t found = find(streams, name, (int32_t)partition);
            assert_int_equal(found, one->known ? one->stream : PS_KAFKA_STREAM_NONE);
            if (!one->known)
                continue;
            assert_int_equal(streams->items[found].partition, partition);
            assert_string_equal(streams->items[found].topic, name);
            assert_int_equal(streams->items[found].pass, one->pass);
        }
    }
    assert_int_equal(find(streams, "topic.0", PARTITIONS), PS_KAFKA_STREAM_NONE);
    assert_int_equal(find(streams, "topic", 0), PS_KAFKA_STREAM_NONE);
}

static void test_find(void **state)
{
    struct ps_kafka_streams streams = {0};
    uint64_t random = ps_test_seed();
    assert_int_equal(find(&streams, "topic.0", 0), PS_KAFKA_STREAM_NONE);
    for (unsigned round = 0; round < 30; round++) {
        for (unsigned i = 0; i < 100; i++)
            assign(&streams, (unsigned)(ps_test_random(&random) % TOPICS),
                   (unsigned)(ps_test_random(&random) % PARTITIONS));
        assert_found(&streams);
        for (uint32_t i = 0; i < streams.count; i++) {
            if (ps_test_random(&random) % 3 == 0)
                streams.items[i].state = PS_KAFKA_STREAM_GONE;
        }
        assert_found(&streams); /* removed streams are found until their slot is used again */
    }
    ps_kafka_streams_fini(&streams);
}

/* Partitions that come and go for ever use a bounded table. */
static void test_bounded(void **state)
{
    struct ps_kafka_streams streams = {0};
    for (int32_t i = 0; i < 100000; i++) {
        uint32_t stream = ps_kafka_streams_assign(&streams, "t", i);
        assert_int_equal(find(&streams, "t", i), stream);
        streams.items[stream].state = PS_KAFKA_STREAM_GONE;
    }
    assert_int_equal(streams.count, 1);
    assert_true(streams.index_size <= 32);
    ps_kafka_streams_fini(&streams);
}

/* `moved` is set by each change of a position that may be committed, so that a commit follows, and by nothing else. */
static void test_moved(void **state)
{
    struct ps_kafka_streams streams = {0};
    uint32_t stream = ps_kafka_streams_assign(&streams, "t", 0);
    for (int64_t offset = 0; offset < 30; offset += 10) {
        uint32_t pass = streams.items[stream].pass;
        ps_kafka_streams_skip(&streams, stream, offset, 3); /* nothing is outstanding */
        assert_true(streams.moved);
        assert_true(ps_kafka_stream_is_dirty(&streams.items[stream]));
        assert_int_equal(streams.items[stream].reached, offset + 1);
        assert_int_equal(streams.items[stream].reached_epoch, 3);
        streams.items[stream].committed = offset;
        streams.moved = false;
        streams.items[stream].taken = offset + 5;
        ps_kafka_streams_skip(&streams, stream, offset + 6, 4); /* later than what is outstanding */
        assert_int_equal(streams.items[stream].reached, offset + 1);
        streams.moved = false;
        deliver(&streams, stream, pass - 1, offset + 5);
        assert_false(streams.moved);
        deliver(&streams, stream, pass, offset + 5);
        assert_true(streams.moved);
        assert_int_equal(streams.items[stream].reached, offset + 7);
        assert_int_equal(streams.items[stream].reached_epoch, 4);
        streams.moved = false;
    }
    ps_kafka_streams_fini(&streams);
}

/* The log begins anew at offsets below those delivered from the old one. */
static void test_restart(void **state)
{
    struct ps_kafka_streams streams = {0};
    (void)ps_kafka_streams_assign(&streams, "t", 0);
    uint32_t stream = ps_kafka_streams_assign(&streams, "t", 7);
    uint32_t before = streams.items[stream].pass;
    streams.items[stream].taken = 1000;
    deliver(&streams, stream, before, 900);
    streams.items[stream].committed = 901;
    ps_kafka_streams_restart(&streams, stream, 901, 7);
    assert_int_equal(find(&streams, "t", 7), stream);
    assert_true(ps_kafka_stream_is_drained(&streams.items[stream]));
    assert_false(ps_kafka_stream_is_dirty(&streams.items[stream]));
    streams.items[stream].taken = 905;
    assert_false(ps_kafka_stream_is_drained(&streams.items[stream]));
    deliver(&streams, stream, before, 1000); /* of the old log */
    assert_false(ps_kafka_stream_is_dirty(&streams.items[stream]));
    assert_int_equal(streams.items[stream].reached_epoch, 7);
    deliver(&streams, stream, streams.items[stream].pass, 905);
    assert_int_equal(streams.items[stream].reached_epoch, 2);
    assert_true(ps_kafka_stream_is_drained(&streams.items[stream]));
    assert_true(ps_kafka_stream_is_dirty(&streams.items[stream]));
    ps_kafka_streams_fini(&streams);
}

/* If the group may have another offset, the one at which reading begins again is committed, even if it is 0 or a higher one. Otherwise no
 * commit is due. */
static void test_restart_elsewhere(void **state)
{
    static const int64_t next[] = {0, 78, 500};
    struct ps_kafka_streams streams = {0};
    uint32_t index = ps_kafka_streams_assign(&streams, "t", 0);
    struct ps_kafka_stream *stream = &streams.items[index];
    for (unsigned trial = 0; trial < 4 * PS_COUNT_OF(next); trial++) {
        bool has_committed = trial % 2 != 0, has_delivered = trial / 2 % 2 != 0;
        (void)ps_kafka_streams_assign(&streams, "t", 0);
        stream->committed = has_committed ? 25 : PS_KAFKA_POSITION_NONE;
        if (has_delivered)
            deliver(&streams, index, stream->pass, 77);
        ps_kafka_streams_restart(&streams, index, next[trial / 4], 9);
        assert_int_equal(ps_kafka_stream_is_dirty(stream), has_committed || has_delivered);
        assert_true(ps_kafka_stream_is_drained(stream));
        if (has_committed || has_delivered) {
            assert_int_equal(stream->reached, next[trial / 4]);
            assert_int_equal(stream->reached_epoch, 9);
        }
        stream->committed = next[trial / 4];
        assert_false(ps_kafka_stream_is_dirty(stream));
        deliver(&streams, index, stream->pass, next[trial / 4]);
        assert_int_equal(stream->reached, next[trial / 4] + 1);
        assert_int_equal(stream->reached_epoch, 2);
    }
    ps_kafka_streams_fini(&streams);
}

/* Reading begins elsewhere again before the offset is committed: the last one is committed. */
static void test_restart_again(void **state)
{
    struct ps_kafka_streams streams = {0};
    uint32_t index = ps_kafka_streams_assign(&streams, "t", 0);
    struct ps_kafka_stream *stream = &streams.items[index];
    stream->committed = 901;
    ps_kafka_streams_restart(&streams, index, 500, 5);
    ps_kafka_streams_restart(&streams, index, 600, 6);
    assert_int_equal(stream->reached, 600);
    assert_int_equal(stream->reached_epoch, 6);
    assert_true(ps_kafka_stream_begins(stream));
    ps_kafka_streams_note_committed(&streams); /* what the sink delivered: no record from here on */
    assert_true(ps_kafka_stream_begins(stream));
    stream->committed = 600;
    assert_false(ps_kafka_stream_begins(stream));
    stream->taken = 650;
    deliver(&streams, index, stream->pass, 650);
    assert_int_equal(stream->reached, 651);
    assert_true(ps_kafka_stream_is_dirty(stream) && !ps_kafka_stream_begins(stream));
    ps_kafka_streams_note_committed(&streams);
    assert_false(ps_kafka_stream_is_dirty(stream));
    ps_kafka_streams_fini(&streams);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_find),
        cmocka_unit_test(test_bounded),
        cmocka_unit_test(test_moved),
        cmocka_unit_test(test_restart),
        cmocka_unit_test(test_restart_elsewhere),
        cmocka_unit_test(test_restart_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
