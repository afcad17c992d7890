/* A run of the native fetch client against the brokers of a test (tests/support/kafka/group_broker.h), with a sink that
 * delivers batches in order, when the test calls it. Each record that is read is checked: it is the next one of its
 * partition that is visible, or the first one from the offset at which the member begins. Time is the test's. */
#pragma once

#include "stages/lib/kafka/fetch/record.h"
#include "stages/lib/kafka/fetch/reading.h"

#include <string.h>

#include "tests/support/kafka/group_broker.h"
#include "tests/support/kafka/settings.h"
#include "tests/support/stage.h"

#define TURNS_MAX 100000U
#define WAITING_MAX 8U
#define BATCHES_KEPT 32U
#define BUDGET_BYTES (UINT64_C(24) << 20)
#define IDLE_NS                                                                                              \
    (20 * PS_NS_PER_MS) /* the longest step of the clock: packets of the loopback may be under way */

/* A batch that is not delivered yet. */
struct waiting {
    struct ps_batch *batch;
    int64_t next[PS_TEST_GROUP_PARTITIONS]; /* the offset after its records; 0: it has none */
};

struct run {
    struct ps_test_group_broker group;
    struct ps_test_stage stage;
    struct ps_kafka_settings *settings;
    struct ps_kafka_fetch *reading;
    struct ps_kafka_record_plan plan;
    struct ps_kafka_record_state state;
    struct ps_batch *open; /* taken, and empty */
    struct waiting waiting[WAITING_MAX];
    unsigned waiting_count;
    unsigned waiting_max; /* with this many nothing is read */
    int64_t
        next[PS_TEST_GROUP_PARTITIONS]; /* the offset after the last record that was read; -1: not known */
    int32_t generation;
    unsigned read, again; /* records; `again`: those read before */
    bool sink_commits;    /* the sink commits what is delivered, not the source */
    bool dead;
    struct ps_err reason;
};

static const char *instance_id;      /* of the members that are opened; NULL: none */
static struct ps_kafka_place *place; /* that remembers their ids; NULL: none */

static inline void open_member(struct run *run)
{
    const char *const topics[] = {"t"};
    struct ps_err err = {0};
    ps_kafka_text_set(&run->settings->texts.group_instance_id, instance_id);
    const struct ps_kafka_reading_config config = {
        .port = &run->stage.port,
        .settings = run->settings,
        .group = "g",
        .place = place,
        .subscription = {1, topics},
        .commit_interval_ns = 50 * PS_NS_PER_MS,
        .revoke_wait_ns = 30 * PS_NS_PER_S,
        .held_bytes_max = 4U << 20,
        .sink_commits = run->sink_commits,
    };
    run->reading = ps_kafka_reading_open(&config, &err);
    if (run->reading == NULL)
        fail_msg("%s", err.text);
    run->plan = (struct ps_kafka_record_plan){.group = "g", .batch_events_max = 7};
    run->state = (struct ps_kafka_record_state){
        .plan = &run->plan, .streams = ps_kafka_reading_streams(run->reading), .port = &run->stage.port};
}

static inline void begin_with(struct run *run, uint64_t seed, const struct ps_pair *more, size_t count,
                              bool sink_commits)
{
    memset(run, 0, sizeof *run);
    run->sink_commits = sink_commits;
    ps_test_group_open(&run->group, seed | 1);
    run->group.commits_first = sink_commits;
    ps_test_stage_init_sized(&run->stage, &ps_source_kafka, BUDGET_BYTES);
    run->group.now_ns = run->stage.now.mono_ns;
    run->waiting_max = WAITING_MAX;
    const struct ps_pair pairs[] = {
        {.key = "bootstrap.servers", .value = run->group.bootstrap},
        {.key = "reconnect.backoff.ms", .value = "10"},
        {.key = "reconnect.backoff.max.ms", .value = "40"},
        {.key = "retry.backoff.ms", .value = "10"},
        {.key = "fetch.wait.max.ms", .value = "50"},
        {.key = "heartbeat.interval.ms", .value = "200"},
        {.key = "auto.offset.reset", .value = "earliest"},
        {.key = "isolation.level", .value = "read_committed"},
    };
    run->settings = ps_test_settings(pairs, PS_COUNT_OF(pairs));
    for (size_t i = 0; i < count; i++)
        ps_kafka_settings_set(run->settings, more[i].key, more[i].value);
    open_member(run);
}

static inline void begin(struct run *run, uint64_t seed, const struct ps_pair *more, size_t count)
{
    begin_with(run, seed, more, count, false);
}

/* ---- reading ---- */

/* Returns whether the member may read the record at `offset` because a leader sent it back to `differs`; -1: no
 * leader did. */
static inline bool goes_back_to(const struct ps_test_group_log *log, int64_t differs, int64_t reached,
                                int64_t offset)
{
    int64_t from =
        differs > log->start ? differs : log->start; /* the log may have lost its beginning since */
    return differs >= 0 && reached > differs && offset >= differs && !ps_test_group_skips(log, from, offset);
}

/* Returns whether no visible record is between `from` and the record; false if `from` is -1. */
static inline bool begins_at(const struct ps_test_group_log *log, int64_t from, int64_t offset)
{
    return from >= 0 && offset >= from && !ps_test_group_skips(log, from, offset);
}

/* Returns whether reading on from `from` to this record passes the offset `differs`, from which on the log has other
 * records; -1: no such offset is known. */
static inline bool passes(int64_t differs, int64_t from, int64_t offset)
{
    return offset >= differs && from <= differs;
}

static inline void check_record(struct run *run, const struct ps_event *event, struct waiting *waiting)
{
    struct ps_test_group_value value;
    assert_int_equal(event->body_length, sizeof value);
    memcpy(&value, event->body, sizeof value);
    value.partition %= PS_TEST_GROUP_LIFE;
    assert_in_range(value.partition, 0, PS_TEST_GROUP_PARTITIONS - 1);
    struct ps_test_group_log *log = &run->group.logs[value.partition];
    int64_t *next = &run->next[value.partition];
    bool follows = *next >= 0 && value.offset >= *next && !ps_test_group_skips(log, *next, value.offset);
    bool begins = begins_at(log, log->licence, value.offset) || begins_at(log, log->earlier, value.offset);
    int64_t reached = *next >= 0 ? *next : log->licence; /* it may have read what is hidden */
    bool goes_back = goes_back_to(log, log->differs, reached, value.offset) ||
                     goes_back_to(log, log->differed, reached, value.offset);
    if (!follows && !begins && !goes_back)
        fail_msg(
            "partition %lld: offset %lld was read; the next one is %lld, and it was told to begin at %lld",
            (long long)value.partition, (long long)value.offset, (long long)*next, (long long)log->licence);
    if (run->group.counts.truncated == 0 && !log->visible[value.offset])
        fail_msg("partition %lld: offset %lld was read, which an aborted transaction wrote",
                 (long long)value.partition, (long long)value.offset);
    int64_t from = follows ? *next : log->licence;
    if (begins || goes_back) {
        log->began = log->licence;
        log->licence = log->earlier = -1;
    }
    if (goes_back || passes(log->differs, from, value.offset))
        log->differs = log->differed = -1;
    else if (passes(log->differed, from, value.offset))
        log->differed = -1;
    run->again += value.offset < log->delivered;
    run->read++;
    *next = value.offset + 1;
    waiting->next[value.partition] = *next;
}

static inline void read_some(struct run *run)
{
    if (run->waiting_count >= run->waiting_max || run->stage.batch_count > 2 * BATCHES_KEPT)
        return;
    if (run->open == NULL)
        run->open = ps_test_stage_take_batch(&run->stage);
    assert_non_null(run->open);
    ps_kafka_record_begin(&run->state, run->open);
    (void)ps_kafka_reading_read(run->reading, &run->state);
    if (run->generation != run->group.generation && run->open->count > 0) {
        run->generation = run->group.generation;
        for (unsigned i = 0; i < PS_TEST_GROUP_PARTITIONS; i++)
            run->next[i] = (run->group.claimed >> i & 1) != 0 ? run->next[i] : -1;
    }
    if (run->open->count == 0)
        return;
    struct waiting *waiting = &run->waiting[run->waiting_count++];
    *waiting = (struct waiting){.batch = run->open};
    for (uint32_t i = 0; i < run->open->count; i++)
        check_record(run, &run->open->events[i], waiting);
    run->open = NULL;
}

/* Commits as the sink does, which believes the span: no visible record below it may be undelivered. */
static inline void commit_by_sink(struct run *run, const struct ps_span *span)
{
    struct ps_test_group_log *log = &run->group.logs[span->name->part];
    int64_t offset = span->position + 1;
    if (run->group.counts.truncated == 0 && offset > log->delivered &&
        ps_test_group_skips(log, ps_test_group_may_begin(log), offset))
        fail_msg("partition %lld: the sink commits offset %lld, but records only before %lld were delivered",
                 (long long)span->name->part, (long long)offset, (long long)log->delivered);
    log->committed = offset;
    log->committed_epoch = span->epoch;
}

static inline void deliver(struct run *run)
{
    if (run->waiting_count == 0)
        return;
    const struct waiting *waiting = &run->waiting[0];
    for (unsigned i = 0; i < PS_TEST_GROUP_PARTITIONS; i++) {
        if (waiting->next[i] > run->group.logs[i].delivered)
            run->group.logs[i].delivered = waiting->next[i];
    }
    for (uint32_t i = 0; i < waiting->batch->span_count; i++) {
        const struct ps_span *span = &waiting->batch->spans[i];
        if (run->sink_commits)
            commit_by_sink(run, span);
        ps_kafka_streams_delivered(ps_kafka_reading_streams(run->reading), span);
    }
    memmove(run->waiting, run->waiting + 1, --run->waiting_count * sizeof *run->waiting);
    if (run->waiting_count == 0 && run->stage.batch_count > BATCHES_KEPT) {
        ps_test_stage_recycle(&run->stage);
        run->open = NULL;
    }
}

/* ---- turns ---- */

static inline void turn(struct run *run)
{
    uint64_t *now_ns = &run->group.now_ns;
    bool full = run->waiting_count >= run->waiting_max;
    uint64_t due_ns = ps_kafka_reading_tick(run->reading, full, *now_ns);
    run->dead = ps_kafka_reading_failed(run->reading, &run->reason);
    read_some(run);
    if (ps_test_group_serve(&run->group))
        *now_ns += PS_NS_PER_MS / 4;
    else if (due_ns < *now_ns + PS_NS_PER_MS)
        *now_ns += PS_NS_PER_MS;
    else
        *now_ns = due_ns < *now_ns + IDLE_NS ? due_ns : *now_ns + IDLE_NS;
}

/* Returns the offset at which the member, or another one, continues in the partition. */
static inline int64_t position(const struct run *run, unsigned partition)
{
    const struct ps_test_group_log *log = &run->group.logs[partition];
    bool owned = (run->group.owned >> partition & 1) != 0;
    bool known = owned && run->generation == run->group.generation && run->next[partition] >= 0;
    int64_t from = known ? run->next[partition] : log->committed;
    from = owned && log->licence >= 0 ? log->licence : from;
    int64_t differs = log->differed >= 0 ? log->differed : log->differs;
    from = owned && differs >= 0 && differs < from ? differs : from;
    return from > 0 ? from : 0;
}

/* Returns whether nothing is left to be read, and all of it is delivered. A member whose position is past the end of a log
 * goes back. */
static inline bool has_read_all(const struct run *run)
{
    for (unsigned i = 0; i < PS_TEST_GROUP_PARTITIONS; i++) {
        const struct ps_test_group_log *log = &run->group.logs[i];
        int64_t from = position(run, i);
        if (from > log->end || ps_test_group_visible(log, from) < log->end)
            return false;
    }
    return run->waiting_count == 0 && run->group.synced && !run->group.rebalances;
}

static inline void read_all(struct run *run)
{
    for (unsigned turns = 0; !has_read_all(run) && !run->dead; turns++) {
        if (turns > TURNS_MAX)
            fail_msg(
                "records are missing: %u were read, of %u; requests: %u Metadata, %u JoinGroup, %u Fetch",
                run->read, run->group.counts.records, run->group.asked[PS_TEST_KEY_METADATA],
                run->group.asked[PS_TEST_KEY_JOIN], run->group.asked[PS_TEST_KEY_FETCH]);
        turn(run);
        deliver(run);
    }
}

/* Stops as the source does: everything that was read is delivered, committed, and the group left. */
static inline void stop(struct run *run)
{
    unsigned turns = 0;
    ps_kafka_reading_forget(run->reading);
    while (run->waiting_count > 0)
        deliver(run);
    assert_true(ps_kafka_reading_is_drained(run->reading));
    while (!ps_kafka_reading_end(run->reading, false) && turns++ < TURNS_MAX)
        turn(run);
    assert_in_range(turns, 0, TURNS_MAX);
}

/* Kills the member, which loses what it has not committed, and starts another one in its place. */
static inline void kill_and_start(struct run *run)
{
    ps_kafka_reading_destroy(run->reading);
    run->waiting_count = 0;
    run->open = NULL;
    run->generation = 0;
    run->dead = false;
    ps_test_stage_recycle(&run->stage);
    for (unsigned i = 0; i < PS_TEST_GROUP_PARTITIONS; i++)
        run->next[i] = -1;
    open_member(run);
}

static inline void end(struct run *run)
{
    ps_kafka_reading_destroy(run->reading);
    ps_test_stage_fini(&run->stage);
    ps_test_group_close(&run->group);
}

/* Asserts that everything that was delivered is committed. */
static inline void check_committed(const struct run *run)
{
    for (unsigned i = 0; i < PS_TEST_GROUP_PARTITIONS; i++) {
        const struct ps_test_group_log *log = &run->group.logs[i];
        assert_int_equal(ps_test_group_visible(log, log->committed), log->end);
    }
}
