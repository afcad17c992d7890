#include "tests/support/kafka/sink.h"
#include "stages/lib/kafka/produce/statistics.h"

#include <poll.h>
#include <stdio.h>
#include <unistd.h>

extern const struct ps_stage_ops ps_sink_kafka;

void ps_test_kafka_sink_stop(struct ps_test_kafka_sink *kafka)
{
    ps_test_stage_fini(&kafka->stage);
    ps_test_cluster_stop(&kafka->cluster);
}

struct ps_lease *ps_test_kafka_sink_lease(struct ps_test_kafka_sink *kafka, uint32_t count, uint32_t length)
{
    struct ps_test_event *events = calloc(count, sizeof *events);
    char *text = malloc((size_t)count * (length + 1));
    assert_non_null(events);
    assert_non_null(text);
    for (uint32_t i = 0; i < count; i++) {
        char *body = text + (size_t)i * (length + 1);
        int used = snprintf(body, length + 1, "%llu ", (unsigned long long)kafka->sent++);
        assert_in_range(used, 1, length);
        memset(body + used, '.', length - (uint32_t)used);
        events[i] = (struct ps_test_event){.body = body, .length = length};
    }
    struct ps_lease *lease = ps_test_lease(&kafka->stage, events, count);
    free(events);
    free(text);
    return lease;
}

/* The sink's waits for the library are of real length: it must not think that a busy machine's library is silent. */
static unsigned haste(const struct ps_test_kafka_sink *kafka)
{
    enum ps_counter submitted = (enum ps_counter)(PS_COUNTER_extra + PS_KAFKA_GAUGE_events_submitted);
    bool rests = kafka->rest_haste != 0 && ps_test_kafka_sink_counter(kafka, submitted) == 0;
    return rests ? kafka->rest_haste : kafka->haste;
}

void ps_test_kafka_sink_turn(struct ps_test_kafka_sink *kafka)
{
    struct ps_test_stage *stage = &kafka->stage;
    uint64_t before_ns = ps_clock_now().mono_ns, count;
    if (kafka->waiting != NULL && ps_test_sink_work(stage, &kafka->waiting) == PS_TAKEN)
        kafka->lease_count++;
    if (ps_test_sink_tick(stage) > stage->now.mono_ns) {
        struct pollfd wake = {.fd = stage->port.wake_fd, .events = POLLIN};
        if (poll(&wake, 1, 1) > 0)
            assert_int_equal(read(stage->port.wake_fd, &count, sizeof count), sizeof count);
    }
    stage->now.mono_ns += (ps_clock_now().mono_ns - before_ns) * haste(kafka);
}

void ps_test_kafka_sink_offer(struct ps_test_kafka_sink *kafka, struct ps_lease *lease)
{
    uint64_t deadline_ns = ps_test_patience_end_ns();
    assert_null(kafka->waiting);
    kafka->waiting = lease;
    do {
        ps_test_kafka_sink_turn(kafka);
        if (ps_test_patient_ns() > deadline_ns)
            fail_msg("the sink did not take a lease in time");
    } while (kafka->waiting != NULL);
}

void ps_test_kafka_sink_send(struct ps_test_kafka_sink *kafka, unsigned leases, uint32_t count)
{
    for (unsigned i = 0; i < leases; i++)
        ps_test_kafka_sink_offer(kafka, ps_test_kafka_sink_lease(kafka, count, 32));
}

void ps_test_kafka_sink_wait(struct ps_test_kafka_sink *kafka, unsigned patience_ms)
{
    uint64_t deadline_ns = ps_test_wait_ns(patience_ms) + patience_ms * PS_NS_PER_MS;
    while (kafka->stage.done_count < kafka->lease_count) {
        ps_test_kafka_sink_turn(kafka);
        if (ps_test_wait_ns(patience_ms) > deadline_ns)
            fail_msg("%zu of %zu leases were done in %u ms", kafka->stage.done_count, kafka->lease_count,
                     patience_ms);
    }
}

void ps_test_kafka_sink_pass(struct ps_test_kafka_sink *kafka, unsigned real_ms)
{
    uint64_t until_ns = ps_clock_now().mono_ns + real_ms * PS_NS_PER_MS;
    while (ps_clock_now().mono_ns < until_ns)
        ps_test_kafka_sink_turn(kafka);
}
