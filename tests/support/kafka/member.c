#include "tests/support/kafka/member.h"

#include <librdkafka/rdkafka.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

extern const struct ps_stage_ops ps_source_kafka;

/* ---- members ---- */

struct ps_test_member *ps_test_member_create(const char *bootstrap, const char *group,
                                             const char *const *keys)
{
    struct ps_test_member *member = calloc(1, sizeof *member);
    assert_non_null(member);
    const char *all[128] = {
        "kafka.bootstrap.servers",          bootstrap,  "kafka.consumer.group.id",           group,
        "kafka.consumer.auto.offset.reset", "earliest", "kafka.consumer.session.timeout.ms", "6000"};
    size_t count = 8;
    for (size_t i = 0; keys[i] != NULL; i++) {
        assert_true(count + 1 < PS_COUNT_OF(all));
        all[count++] = keys[i];
    }
    ps_test_stage_init_sized(&member->stage, &ps_source_kafka, UINT64_C(256) << 20);
    ps_test_stage_real_clock(&member->stage);
    if (ps_test_stage_bind(&member->stage, all) != PS_OK || ps_test_stage_build(&member->stage) != PS_OK ||
        ps_test_stage_open(&member->stage) != PS_OK)
        fail_msg("%s", member->stage.err.text);
    return member;
}

static void give(struct ps_test_member *member, struct ps_batch *batch)
{
    struct ps_test_stage *stage = &member->stage;
    for (size_t i = 0; i < stage->batch_count; i++) {
        if (stage->batches[i] == batch) {
            stage->batches[i] = stage->batches[--stage->batch_count];
            ps_batch_give(batch);
            return;
        }
    }
    fail_msg("a batch that was not taken");
}

void ps_test_member_destroy(struct ps_test_member *member)
{
    ps_test_stage_fini(&member->stage);
    free(member->received);
    free(member);
}

static void receive(struct ps_test_member *member, const struct ps_batch *batch)
{
    static const struct ps_name *offset_name, *partition_name;
    if (offset_name == NULL) {
        offset_name = ps_name_intern("offset");
        partition_name = ps_name_intern("partition");
    }
    for (uint32_t row = 0; row < batch->count; row++) {
        const struct ps_event *event = &batch->events[row];
        struct ps_slice offset, partition;
        assert_true(ps_event_header(batch, event, offset_name, &offset));
        assert_true(ps_event_header(batch, event, partition_name, &partition));
        char text[3][24];
        const struct ps_slice slices[3] = {offset, partition, {event->body, event->body_length}};
        for (size_t i = 0; i < 3; i++)
            snprintf(text[i], sizeof text[i], "%.*s", (int)(slices[i].length < 20 ? slices[i].length : 20),
                     slices[i].data);
        if (member->received_count == member->received_room) {
            member->received_room = member->received_room == 0 ? 4096 : 2 * member->received_room;
            member->received = realloc(member->received, member->received_room * sizeof *member->received);
            assert_non_null(member->received);
        }
        member->received[member->received_count++] =
            (struct ps_test_received){.offset = strtoll(text[0], NULL, 10),
                                      .partition = (int32_t)strtol(text[1], NULL, 10),
                                      .sequence = (uint32_t)strtoul(text[2], NULL, 10)};
    }
}

static void deliver(struct ps_test_member *member, struct ps_batch *batch)
{
    struct ps_test_stage *stage = &member->stage;
    stage->ops->source->delivered(stage->plan, stage->state, batch, &stage->now);
    give(member, batch);
}

static void close_batch(struct ps_test_member *member)
{
    struct ps_test_stage *stage = &member->stage;
    struct ps_batch *batch = stage->batch;
    stage->batch = NULL;
    ps_batch_close(batch);
    receive(member, batch);
    stage->ops->source->accepted(stage->plan, stage->state, batch, &stage->now);
    if (!member->hold) {
        deliver(member, batch);
        return;
    }
    assert_true(member->held_count < PS_TEST_BATCHES_MAX);
    member->held[member->held_count++] = batch;
}

void ps_test_member_deliver(struct ps_test_member *member, size_t count)
{
    if (count > member->held_count)
        count = member->held_count;
    for (size_t i = 0; i < count; i++)
        deliver(member, member->held[i]);
    memmove(member->held, member->held + count, (member->held_count - count) * sizeof *member->held);
    member->held_count -= count;
}

void ps_test_member_cycle(struct ps_test_member *member)
{
    struct ps_test_stage *stage = &member->stage;
    ps_test_stage_real_clock(stage);
    uint64_t wakes;
    (void)!read(stage->port.wake_fd, &wakes, sizeof wakes);
    stage->ops->source->tick(stage->plan, stage->state, &stage->now);
    if (member->paused)
        return;
    if (stage->batch == NULL) {
        stage->batch = ps_test_stage_take_batch(stage);
        if (stage->batch == NULL)
            return; /* too much is held */
    }
    stage->ops->source->work(stage->plan, stage->state, stage->batch, &stage->now);
    if (stage->batch->count > 0)
        close_batch(member);
}

bool ps_test_member_drain(struct ps_test_member *member, unsigned patience_ms)
{
    struct ps_test_stage *stage = &member->stage;
    uint64_t until = ps_test_wait_ns(patience_ms) + patience_ms * PS_NS_PER_MS;
    while (ps_test_wait_ns(patience_ms) < until) {
        ps_test_member_cycle(member);
        if (stage->ops->source->drain(stage->plan, stage->state, &stage->now))
            return true;
        usleep(1000);
    }
    return false;
}

static size_t total(struct ps_test_member *const *members, size_t member_count)
{
    size_t sum = 0;
    for (size_t i = 0; i < member_count; i++)
        sum += members[i]->received_count;
    return sum;
}

size_t ps_test_members_run(struct ps_test_member *const *members, size_t member_count, size_t count,
                           unsigned patience_ms)
{
    uint64_t until = ps_test_wait_ns(patience_ms) + patience_ms * PS_NS_PER_MS;
    while (total(members, member_count) < count && ps_test_wait_ns(patience_ms) < until) {
        size_t before = total(members, member_count);
        for (size_t i = 0; i < member_count; i++)
            ps_test_member_cycle(members[i]);
        if (total(members, member_count) == before)
            usleep(1000);
    }
    return total(members, member_count);
}

/* ---- plain clients ---- */

static rd_kafka_t *client(rd_kafka_type_t type, const char *bootstrap, const char *group)
{
    char reason[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    assert_int_equal(rd_kafka_conf_set(conf, "bootstrap.servers", bootstrap, reason, sizeof reason), 0);
    assert_int_equal(rd_kafka_conf_set(conf, "log_level", "0", reason, sizeof reason), 0);
    assert_int_equal(rd_kafka_conf_set(conf, "message.max.bytes", "16000000", reason, sizeof reason), 0);
    if (group != NULL)
        assert_int_equal(rd_kafka_conf_set(conf, "group.id", group, reason, sizeof reason), 0);
    rd_kafka_t *made = rd_kafka_new(type, conf, reason, sizeof reason);
    assert_non_null(made);
    return made;
}

static rd_kafka_headers_t *make_headers(const char *const *headers)
{
    rd_kafka_headers_t *list = rd_kafka_headers_new(4);
    for (size_t i = 0; headers != NULL && headers[i] != NULL; i += 2)
        rd_kafka_header_add(list, headers[i], -1, headers[i + 1], -1);
    return list;
}

void ps_test_kafka_send(const char *bootstrap, const struct ps_test_sent *sent)
{
    rd_kafka_t *producer = client(RD_KAFKA_PRODUCER, bootstrap, NULL);
    char body[4096];
    size_t key_length = sent->key != NULL ? strlen(sent->key) : 0;
    uint32_t size = sent->size < 16 ? 16 : sent->size;
    assert_true(size < sizeof body);
    for (uint32_t i = 0; i < sent->count; i++) {
        uint32_t number = sent->first + i;
        snprintf(body, sizeof body, "%-*u", (int)size, number);
        rd_kafka_resp_err_t error =
            rd_kafka_producev(producer, RD_KAFKA_V_TOPIC(sent->topic),
                              RD_KAFKA_V_PARTITION((int32_t)(number % (uint32_t)sent->partitions)),
                              RD_KAFKA_V_VALUE(body, size), RD_KAFKA_V_KEY(sent->key, key_length),
                              RD_KAFKA_V_TIMESTAMP(sent->timestamp_ms),
                              RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY | RD_KAFKA_MSG_F_BLOCK),
                              RD_KAFKA_V_HEADERS(make_headers(sent->headers)), RD_KAFKA_V_END);
        assert_int_equal(error, 0);
        if (i % 1000 == 0)
            rd_kafka_poll(producer, 0);
    }
    assert_int_equal(rd_kafka_flush(producer, PS_TEST_PATIENCE_MS), 0);
    rd_kafka_destroy(producer);
}

void ps_test_kafka_send_value(const char *bootstrap, const char *topic, int32_t partition, const void *value,
                              size_t length)
{
    rd_kafka_t *producer = client(RD_KAFKA_PRODUCER, bootstrap, NULL);
    rd_kafka_resp_err_t error =
        rd_kafka_producev(producer, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(partition),
                          RD_KAFKA_V_VALUE((void *)(uintptr_t)value, length),
                          RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);
    assert_int_equal(error, 0);
    assert_int_equal(rd_kafka_flush(producer, PS_TEST_PATIENCE_MS), 0);
    rd_kafka_destroy(producer);
}

int64_t ps_test_kafka_committed(const char *bootstrap, const char *group, const char *topic,
                                int32_t partition)
{
    rd_kafka_t *consumer = client(RD_KAFKA_CONSUMER, bootstrap, group);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, topic, partition);
    assert_int_equal(rd_kafka_committed(consumer, list, PS_TEST_PATIENCE_MS), 0);
    int64_t offset = list->elems[0].offset;
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_destroy(consumer);
    return offset;
}
