/* A run of the sender's transactions over the native client, against a broker that keeps transactions
 * (tests/support/kafka/transaction_broker.h). Its input is a source of the test's own, whose group reassigns its partitions at times. */
#pragma once

#include "stages/lib/kafka/cluster/native.h"
#include "stages/lib/kafka/produce/sender.h"
#include "tests/support/allocations.h"
#include "tests/support/kafka/transaction_broker.h"
#include "tests/support/kafka/settings.h"
#include "tests/support/stage.h"

#include <unistd.h>

#define RECORDS 1200U /* of each input partition */
#define RUN_MAX 30U
#define WAITING_MAX 4096U
#define LEASE_BYTES 1000U

struct run {
    struct ps_test_coordinator *broker;
    struct ps_test_stage stage;
    struct ps_kafka_sender *sender;
    struct ps_kafka_sender_plan plan;
    struct ps_kafka_settings *settings;
    struct ps_lease *waiting[WAITING_MAX]; /* in the channel */
    unsigned waiting_from, waiting_end;
    int64_t read[PS_TEST_IN_PARTITIONS]; /* offset of the record to be read next */
    int32_t generation;                  /* 0: none */
    uint32_t records;                    /* of each input partition; at most RECORDS */
    uint64_t random;
    uint64_t failing; /* the number of the sender's allocation that fails, counted from now; 0: none */
};

static inline unsigned draw(struct run *run, unsigned below)
{
    run->random = run->random * UINT64_C(6364136223846793005) + 1442695040888963407U;
    return (unsigned)(run->random >> 33) % below;
}

static inline void begin(struct run *run, uint64_t seed, unsigned faults)
{
    struct ps_err err = {0};
    memset(run, 0, sizeof *run);
    run->random = seed ^ UINT64_C(0x9e3779b97f4a7c15);
    run->broker = ps_test_coordinator_start(seed, faults);
    if (seed % 2 == 0) /* each of the two protocols of transactions has half of the trials */
        ps_test_coordinator_use_second(run->broker);
    ps_test_stage_init(&run->stage, &ps_sink_kafka);
    const struct ps_pair pairs[] = {
        {.key = "bootstrap.servers", .value = ps_test_coordinator_bootstrap(run->broker)},
        {.key = "enable.idempotence", .value = "true"},
        {.key = "reconnect.backoff.ms", .value = "10"},
        {.key = "reconnect.backoff.max.ms", .value = "40"},
        {.key = "retry.backoff.ms", .value = "10"},
        {.key = "socket.timeout.ms", .value = "60000"}, /* turns may be faster than the kernel's packets */
    };
    run->settings = ps_test_settings(pairs, PS_COUNT_OF(pairs));
    run->settings->spread = PS_KAFKA_SPREAD_EVENLY;
    run->plan = (struct ps_kafka_sender_plan){
        .engine = &ps_kafka_native,
        .mapping = {.topic = "out", .topic_length = 3, .default_partition = PS_KAFKA_PARTITION_ANY},
        .settings = run->settings,
        .record_bytes_max = 1000000,
        .request_bytes_max = 1000000,
        .transaction = {.id = "once", .interval_ns = 30 * PS_NS_PER_MS, .bytes_max = UINT64_C(1) << 30},
    };
    run->sender = calloc(1, sizeof *run->sender);
    assert_non_null(run->sender);
    assert_int_equal(ps_kafka_sender_open(run->sender, &run->plan, &run->stage.port, &err), PS_OK);
}

static inline void end(struct run *run)
{
    ps_kafka_sender_close(run->sender);
    free(run->sender);
    ps_test_stage_fini(&run->stage);
    ps_test_coordinator_stop(run->broker);
}

/* ---- the source ---- */

/* Puts a batch of one partition, which was read as far as `read` says. */
static inline void put_batch(struct run *run, unsigned partition, struct ps_batch *batch)
{
    const struct ps_stream_name name = {.system = "kafka",
                                        .group = {"g", 1},
                                        .name = {"in", 2},
                                        .part = partition,
                                        .member = {"m", 1},
                                        .generation = run->generation,
                                        .cluster = {"here", 4}};
    uint32_t pass = (uint32_t)run->generation;
    assert_true(ps_batch_span(batch, partition, pass, run->read[partition] - 1, &name));
    ps_batch_span_epoch(batch, partition, pass, ps_test_coordinator_epoch(run->read[partition]));
    ps_batch_close(batch);
    struct ps_lease *lease = ps_batch_chain(batch);
    lease->index = NULL;
    lease->count = batch->count;
    lease->bytes = batch->body_bytes;
    lease->memory_bytes = LEASE_BYTES;
    assert_true(run->waiting_end < WAITING_MAX);
    run->waiting[run->waiting_end++] = lease;
}

static inline void read_batch(struct run *run, unsigned partition)
{
    uint32_t left = (uint32_t)(run->records - run->read[partition]);
    uint32_t count = 1 + draw(run, left < RUN_MAX ? left : RUN_MAX);
    struct ps_batch *batch = ps_test_stage_take_batch(&run->stage);
    assert_non_null(batch);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t number = partition * RECORDS + (uint32_t)run->read[partition]++;
        assert_non_null(ps_batch_add_copy(batch, (const char *)&number, sizeof number));
    }
    put_batch(run, partition, batch);
}

/* Reads a batch whose only event an interceptor has dropped. */
static inline void read_dropped(struct run *run, unsigned partition)
{
    struct ps_batch *batch = ps_test_stage_take_batch(&run->stage);
    assert_non_null(batch);
    run->read[partition]++;
    put_batch(run, partition, batch);
}

/* The group gives the partitions away and back; the new owner again reads records that were read and are not committed. */
static inline void assign(struct run *run)
{
    if (ps_test_coordinator_is_unstable(run->broker))
        return;
    for (unsigned i = 0; i < PS_TEST_IN_PARTITIONS; i++)
        run->read[i] = ps_test_coordinator_offset(run->broker, i);
    run->generation = -run->generation;
}

/* The group assigns the partitions to the source, which may read all records. */
static inline void open_source(struct run *run)
{
    run->records = RECORDS;
    run->generation = -1;
    assign(run);
}

static inline void read_some(struct run *run)
{
    unsigned partition = draw(run, PS_TEST_IN_PARTITIONS);
    if (run->generation <= 0)
        assign(run);
    else if (run->read[partition] < (int64_t)run->records && run->waiting_end - run->waiting_from < 20)
        read_batch(run, partition);
}

/* ---- turns ---- */

/* Asserts that a transaction's memory is that of its leases: nothing is left of an earlier or recalled one. */
static inline void expect_transaction_memory(const struct run *run)
{
    const struct ps_held *held = &run->sender->window.held;
    uint64_t bytes = 0;
    for (const struct ps_lease *lease = held->first; lease != NULL; lease = lease->next)
        bytes += lease->memory_bytes;
    if (held->first != NULL && run->sender->transaction.released == 0)
        assert_int_equal(run->sender->transaction.memory_bytes, bytes);
}

static inline void turn(struct run *run)
{
    struct ps_test_stage *stage = &run->stage;
    ps_test_allocation_fails = run->failing;
    if (run->waiting_from < run->waiting_end)
        run->waiting_from +=
            ps_kafka_sender_take(run->sender, &run->waiting[run->waiting_from], &stage->now) == PS_TAKEN;
    expect_transaction_memory(run);
    (void)ps_kafka_sender_tick(run->sender, &stage->now);
    run->failing = ps_test_allocation_fails;
    ps_test_allocation_fails = 0;
    for (unsigned i = 0; i < 100000 && run->sender->producer == NULL; i++) {
        usleep(50); /* the client factory's thread makes a producer; the sender's clock does not move */
        (void)ps_kafka_sender_tick(run->sender, &stage->now);
    }
    if (!ps_test_coordinator_serve(run->broker))
        usleep(20); /* the kernel delivers packets in a thread of its own */
    ps_test_stage_pass_ms(stage, 2);
}

/* Recalls the sink, whatever its phase, and offers it again what it gives back. */
static inline void recall(struct run *run)
{
    struct ps_lease *back = NULL;
    unsigned count = 0;
    for (unsigned turns = 0; !ps_kafka_sender_recall(run->sender, &back, &run->stage.now); turns++) {
        assert_true(turns < 20000); /* 40 s */
        if (!ps_test_coordinator_serve(run->broker))
            usleep(20);
        ps_test_stage_pass_ms(&run->stage, 2);
    }
    for (const struct ps_lease *lease = back; lease != NULL; lease = lease->next)
        count++;
    assert_true(count <= run->waiting_from);
    run->waiting_from -= count;
    for (unsigned i = run->waiting_from; back != NULL; i++) {
        run->waiting[i] = back;
        back = back->next;
        run->waiting[i]->next = NULL;
    }
}

static inline void serve_until(struct run *run, size_t done, uint64_t within_ms)
{
    uint64_t since_ns = run->stage.now.mono_ns;
    while (run->stage.done_count < done) {
        turn(run);
        if (run->stage.now.mono_ns - since_ns > within_ms * PS_NS_PER_MS)
            fail_msg("%zu of %zu leases are done after %llu ms", run->stage.done_count, done,
                     (unsigned long long)within_ms);
    }
}

/* Each record of the input but this one is committed once, and in the order of its partition within each output partition. */
static inline void verify_but(const struct run *run, uint32_t but)
{
    static uint32_t numbers[PS_TEST_IN_PARTITIONS * RECORDS + 1];
    static uint8_t seen[PS_TEST_IN_PARTITIONS * RECORDS];
    uint32_t total = 0;
    memset(seen, 0, sizeof seen);
    for (unsigned p = 0; p < PS_TEST_OUT_PARTITIONS; p++) {
        int64_t last[PS_TEST_IN_PARTITIONS] = {-1, -1};
        uint32_t count = ps_test_coordinator_committed(run->broker, p, numbers, PS_COUNT_OF(numbers));
        for (uint32_t i = 0; i < count; i++) {
            uint32_t from = numbers[i] / RECORDS;
            assert_int_not_equal(numbers[i], but);
            if (seen[numbers[i]]++ > 0)
                fail_msg("record %u is committed twice", numbers[i]);
            if ((int64_t)numbers[i] <= last[from])
                fail_msg("partition %u: record %u comes after %lld", p, numbers[i], (long long)last[from]);
            last[from] = numbers[i];
        }
        total += count;
    }
    assert_int_equal(total, PS_TEST_IN_PARTITIONS * run->records - (but != PS_TEST_NO_NUMBER));
}

static inline void verify(const struct run *run)
{
    verify_but(run, PS_TEST_NO_NUMBER);
}
