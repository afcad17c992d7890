/* Positions of a file channel in a topic, against a broker that keeps transactions and misbehaves
 * (tests/support/kafka/transaction_broker.h). The channel is the test's own: it forgets which of its last frames were
 * delivered, as a log does whose agent is killed between the end of a transaction and its own record of it. Readers of committed
 * records see each number once and in order. */
#include "stages/lib/kafka/cluster/native.h"
#include "stages/lib/kafka/produce/sender.h"
#include "core/flow/identity.h"
#include "tests/support/kafka/transaction_broker.h"
#include "tests/support/kafka/settings.h"
#include "tests/support/stage.h"

#include <stdio.h>
#include <unistd.h>

#define FRAMES 250U
#define FRAMES_MAX 2000U /* of a log with gaps */
#define FRAME_EVENTS 4U
#define FRAMES_OF_A_FILE 40U
#define FORGOTTEN_MAX 40U
#define UNSYNCED_NS (5 * PS_NS_PER_S)
#define TURNS_MAX 400000U
#define LOG UINT64_C(0x123456789abcdef0) /* the first one; the others have the next numbers */
#define OWNER_BEGINS "log/123456789abcdef"
#define OWNER_OF_FILES "file/00000000000000aa"
#define FRAMES_IN_A_ROW 25U /* of one log, when there are several */

struct run {
    struct ps_test_coordinator *broker;
    struct ps_test_stage stage;
    struct ps_kafka_sender *sender;
    struct ps_kafka_sender_plan plan;
    struct ps_kafka_settings *settings;
    struct ps_lease *back, *offered; /* given back; offered now */
    unsigned next;                   /* the number of the frame to be read next */
    unsigned first;                  /* the number of the frame that was read first in this run */
    uint64_t random;
    unsigned logs;                    /* number of logs; their frames have the same numbers */
    unsigned frames;                  /* number of frames of all logs */
    unsigned stride;                  /* difference between the numbers of two successive frames; 2: there are
                                       * gaps */
    uint64_t done_ns[FRAMES_MAX + 1]; /* when each frame was delivered, as its log knows; 0: it was not */
    uint64_t life_ns;                 /* how long the agents before this one lived */
    unsigned faults, kills, not_read; /* not_read: failed reads of the positions */
};

static struct run run;

static unsigned draw(unsigned below)
{
    run.random = run.random * UINT64_C(6364136223846793005) + 1442695040888963407U;
    return (unsigned)(run.random >> 33) % below;
}

/* ---- the topic of positions, as its reader sees it ---- */

static struct {
    bool asked;
    unsigned wait;
    char owner[32], text[PS_KAFKA_FRAMES_TEXT_BYTES];
} reading;

static void *reader_open(const struct ps_kafka_positions_settings *settings, int, struct ps_err *)
{
    assert_string_equal(settings->topic, PS_TEST_POSITIONS);
    reading.asked = false;
    return &reading;
}

static void reader_close(void *)
{
}

static void reader_ask(void *, const char *owner)
{
    assert_true(strncmp(owner, OWNER_BEGINS, strlen(OWNER_BEGINS)) == 0 ||
                strcmp(owner, OWNER_OF_FILES) == 0);
    assert_false(reading.asked);
    reading.asked = true;
    reading.wait = draw(5);
    snprintf(reading.owner, sizeof reading.owner, "%s", owner);
    snprintf(reading.text, sizeof reading.text, "%s", ps_test_coordinator_positions(run.broker, owner));
}

static json_t *reader_reply(void *, char warning[512], struct ps_err *err)
{
    assert_true(reading.asked);
    if (reading.wait-- > 0)
        return NULL;
    json_t *positions = json_object();
    reading.asked = false;
    warning[0] = '\0';
    if (draw(1000) < run.faults * 5) {
        run.not_read++;
        ps_err_set(err, "the brokers are away");
    } else if (reading.text[0] != '\0') {
        assert_int_equal(json_object_set_new(positions, reading.owner, json_string(reading.text)), 0);
    }
    return positions;
}

static const struct ps_kafka_positions_ops reader = {reader_open, reader_close, reader_ask, reader_reply};

/* ---- an agent's run ---- */

static void live(void)
{
    struct ps_err err = {0};
    ps_test_stage_init(&run.stage, &ps_sink_kafka);
    run.sender = calloc(1, sizeof *run.sender);
    assert_non_null(run.sender);
    run.first = run.next;
    assert_int_equal(ps_kafka_sender_open(run.sender, &run.plan, &run.stage.port, &err), PS_OK);
}

static void begin(uint64_t seed, unsigned faults, unsigned logs)
{
    memset(&run, 0, sizeof run);
    run.logs = logs > 0 ? logs : 1;
    run.frames = FRAMES;
    run.stride = 1;
    run.random = seed ^ UINT64_C(0x9e3779b97f4a7c15);
    run.faults = faults;
    run.next = 1;
    run.broker = ps_test_coordinator_start(seed, faults);
    if (seed % 2 == 0) /* each of the two protocols of transactions has half of the trials */
        ps_test_coordinator_use_second(run.broker);
    if (run.logs > 1)
        ps_test_coordinator_several_ids();
    const struct ps_pair pairs[] = {
        {.key = "bootstrap.servers", .value = ps_test_coordinator_bootstrap(run.broker)},
        {.key = "enable.idempotence", .value = "true"},
        {.key = "reconnect.backoff.ms", .value = "10"},
        {.key = "reconnect.backoff.max.ms", .value = "40"},
        {.key = "retry.backoff.ms", .value = "10"},
        {.key = "socket.timeout.ms", .value = "60000"}, /* turns may be faster than the kernel's packets */
    };
    run.settings = ps_test_settings(pairs, PS_COUNT_OF(pairs));
    run.settings->spread = PS_KAFKA_SPREAD_EVENLY;
    run.plan = (struct ps_kafka_sender_plan){
        .engine = &ps_kafka_native,
        .mapping = {.topic = "out", .topic_length = 3, .default_partition = PS_KAFKA_PARTITION_ANY},
        .settings = run.settings,
        .record_bytes_max = 1000000,
        .request_bytes_max = 1000000,
        .transaction = {.id = "once",
                        .interval_ns = 20 * PS_NS_PER_MS,
                        .bytes_max = UINT64_C(1) << 30,
                        .positions_topic = PS_TEST_POSITIONS,
                        .positions = &reader},
    };
    live();
}

static struct ps_lease *read_frame(unsigned number)
{
    struct ps_batch *batch = ps_test_stage_take_batch(&run.stage);
    assert_non_null(batch);
    for (uint32_t i = 0; i < FRAME_EVENTS; i++) {
        uint32_t value = (number - 1) * FRAME_EVENTS + i;
        assert_non_null(ps_batch_add_copy(batch, (const char *)&value, sizeof value));
    }
    unsigned row = (number - 1) / FRAMES_IN_A_ROW;
    unsigned position = row / run.logs * FRAMES_IN_A_ROW + (number - 1) % FRAMES_IN_A_ROW + 1;
    const struct ps_identity identity = {.system = "log",
                                         .store = LOG + row % run.logs,
                                         .part = 1000 + position / FRAMES_OF_A_FILE,
                                         .position = position * run.stride,
                                         .has_ordinal = true};
    assert_true(ps_batch_origin(batch, &identity, batch->count));
    batch->any_order = true;
    ps_batch_close(batch);
    struct ps_lease *lease = ps_batch_chain(batch);
    lease->index = NULL;
    lease->count = batch->count;
    lease->bytes = batch->body_bytes;
    lease->memory_bytes = 1000;
    return lease;
}

static void turn(void)
{
    struct ps_test_stage *stage = &run.stage;
    if (run.offered == NULL && run.back != NULL) {
        run.offered = run.back;
        run.back = run.back->next;
        run.offered->next = NULL;
    }
    if (run.offered == NULL && run.next <= run.frames)
        run.offered = read_frame(run.next++);
    if (run.offered != NULL)
        (void)ps_kafka_sender_take(run.sender, &run.offered, &stage->now);
    (void)ps_kafka_sender_tick(run.sender, &stage->now);
    for (unsigned i = 0; i < 100000 && run.sender->making; i++) {
        usleep(50); /* a thread makes the producer, which takes no time by the sender's clock */
        (void)ps_kafka_sender_tick(run.sender, &stage->now);
    }
    if (!ps_test_coordinator_serve(run.broker))
        usleep(20);
    for (unsigned done = (unsigned)stage->done_count; done > 0 && run.done_ns[run.first + done - 1] == 0;
         done--)
        run.done_ns[run.first + done - 1] = run.life_ns + stage->now.mono_ns;
    ps_test_stage_pass_ms(stage, 2);
}

static struct ps_lease *recall(void)
{
    struct ps_lease *back = NULL;
    for (unsigned turns = 0; !ps_kafka_sender_recall(run.sender, &back, &run.stage.now); turns++) {
        assert_true(turns < 20000);
        if (!ps_test_coordinator_serve(run.broker))
            usleep(20);
        ps_test_stage_pass_ms(&run.stage, 2);
    }
    return back;
}

static void give_back(void)
{
    struct ps_lease *back = recall(), **end = &back;
    while (*end != NULL)
        end = &(*end)->next;
    *end = run.offered; /* the offered lease is newer */
    if (run.offered != NULL)
        run.offered->next = run.back;
    else
        *end = run.back;
    run.back = back;
    run.offered = NULL;
}

static void die(void)
{
    (void)recall();
    ps_kafka_sender_close(run.sender);
    free(run.sender);
    ps_test_stage_fini(&run.stage);
    run.back = run.offered = NULL;
}

/* The next agent finds the log as it was some frames ago: it has all events that were not delivered, and some that were. */
static void kill_agent(unsigned forgotten)
{
    (void)recall(); /* commits, or gives back */
    run.next = run.first + (unsigned)run.stage.done_count;
    run.life_ns += run.stage.now.mono_ns;
    die();
    run.next = run.next > forgotten ? run.next - forgotten : 1;
    for (unsigned i = run.next; i <= run.frames; i++)
        run.done_ns[i] = 0;
    run.kills++;
    live();
}

/* Returns the number of frames whose delivery the log noted in the last seconds, and has not synced yet. */
static unsigned unsynced(void)
{
    unsigned count = 0, end = run.first + (unsigned)run.stage.done_count;
    uint64_t now_ns = run.life_ns + run.stage.now.mono_ns;
    while (count < end - run.first && run.done_ns[end - count - 1] + UNSYNCED_NS > now_ns)
        count++;
    return count;
}

static bool is_complete(void)
{
    return run.next > run.frames && run.offered == NULL && run.back == NULL &&
           run.sender->window.held.first == NULL;
}

static void verify(void)
{
    static uint32_t numbers[FRAMES_MAX * FRAME_EVENTS + 1];
    static uint8_t seen[FRAMES_MAX * FRAME_EVENTS];
    uint32_t total = 0;
    memset(seen, 0, sizeof seen);
    for (unsigned p = 0; p < PS_TEST_OUT_PARTITIONS; p++) {
        int64_t last = -1;
        uint32_t count = ps_test_coordinator_committed(run.broker, p, numbers, PS_COUNT_OF(numbers));
        for (uint32_t i = 0; i < count; i++) {
            if (seen[numbers[i]]++ > 0)
                fail_msg("number %u is committed twice", numbers[i]);
            if ((int64_t)numbers[i] <= last)
                fail_msg("partition %u: number %u comes after %lld", p, numbers[i], (long long)last);
            last = numbers[i];
        }
        total += count;
    }
    for (unsigned i = 0; i < run.frames * FRAME_EVENTS; i++) {
        if (seen[i] == 0)
            fail_msg("number %u, of frame %u, is missing", i, i / FRAME_EVENTS + 1);
    }
    assert_int_equal(total, run.frames * FRAME_EVENTS);
}

/* Asserts that the owner's record has the committed frames, and no others. For one log without gaps. */
static void expect_positions(void)
{
    static uint32_t numbers[FRAMES_MAX * FRAME_EVENTS + 1];
    static struct ps_kafka_frames frames;
    bool committed[FRAMES + 1] = {false};
    char owner[32];
    snprintf(owner, sizeof owner, "log/%016llx", (unsigned long long)LOG);
    const char *text = ps_test_coordinator_positions(run.broker, owner);
    if (!ps_kafka_frames_parse(&frames, text, strlen(text), 0))
        frames.count = 0;
    for (unsigned p = 0; p < PS_TEST_OUT_PARTITIONS; p++) {
        uint32_t count = ps_test_coordinator_committed(run.broker, p, numbers, PS_COUNT_OF(numbers));
        for (uint32_t i = 0; i < count; i++)
            committed[numbers[i] / FRAME_EVENTS + 1] = true;
    }
    for (unsigned i = 1; i <= FRAMES; i++) {
        if (ps_kafka_frames_has(&frames, 1000 + i / FRAMES_OF_A_FILE, i) != committed[i])
            fail_msg("frame %u, committed: %d, positions \"%s\"", i, committed[i], text);
    }
}

struct trial {
    unsigned faults, kills, recalls; /* faults in 1,000 requests; kills and recalls in 1,000 turns */
    unsigned logs;                   /* 0: one */
};

static struct ps_test_coordinator_counts run_trial(uint64_t seed, const struct trial *trial)
{
    print_message("seed %llu\n", (unsigned long long)seed);
    begin(seed, trial->faults, trial->logs);
    if (seed % 3 == 0) /* many transactions that fail are old, so that the next ones have fewer leases */
        run.plan.transaction.timeout_ns = 8 * PS_NS_PER_MS;
    unsigned commits = 0;
    for (unsigned turns = 0; !is_complete(); turns++) {
        if (draw(1000) < trial->kills)
            kill_agent(1 + draw(FORGOTTEN_MAX));
        else if (draw(1000) < trial->recalls)
            give_back();
        turn();
        if (run.logs == 1 && ps_test_coordinator_counts(run.broker).commits != commits)
            expect_positions();
        commits = ps_test_coordinator_counts(run.broker).commits;
        if (turns > TURNS_MAX)
            fail_msg("frame %u after %u turns", run.next, turns);
    }
    verify();
    struct ps_test_coordinator_counts counts = ps_test_coordinator_counts(run.broker);
    die();
    ps_test_coordinator_stop(run.broker);
    return counts;
}

static void test_calm(void **state)
{
    const struct trial calm = {.faults = 0};
    struct ps_test_coordinator_counts counts = run_trial(1, &calm);
    assert_in_range(counts.commits, 1, 1000);
    assert_int_equal(counts.aborts, 0);
    assert_string_equal(ps_test_coordinator_last_id(), "once-log-123456789abcdef0");
}

static void test_kills(void **state)
{
    uint64_t seed = ps_test_seed();
    unsigned kills = 0;
    for (unsigned i = 0; i < 6; i++) {
        const struct trial trial = {.faults = 3 * i, .kills = 8};
        run_trial(seed + i, &trial);
        kills += run.kills;
    }
    print_message("%u kills\n", kills);
    assert_true(kills >= 5);
}

static bool has_each_kind(const struct ps_test_coordinator_counts *all, unsigned not_read)
{
    return all->aborts > 0 && all->fenced > 0 && all->unconfirmed > 0 && not_read > 0;
}

/* Answers to EndTxn are lost, and others fence the producer: the positions show how the transaction ended. Ten trials, and more until
 * each kind of end was seen: packets and the sender's clock are not in step on a busy machine. */
static void test_faults(void **state)
{
    struct ps_test_coordinator_counts all = {0};
    uint64_t seed = ps_test_seed();
    unsigned not_read = 0;
    for (unsigned i = 0; i < 10 || (i < 200 && !has_each_kind(&all, not_read)); i++) {
        const struct trial trial = {.faults = 4 + 4 * (i % 10)};
        struct ps_test_coordinator_counts counts = run_trial(seed + i, &trial);
        all.aborts += counts.aborts;
        all.fenced += counts.fenced;
        all.unconfirmed += counts.unconfirmed;
        assert_int_equal(counts.resolved, 0); /* no group has these positions */
        not_read += run.not_read;
    }
    print_message("aborted %u, fenced %u, ends not confirmed %u, positions not read %u\n", all.aborts,
                  all.fenced, all.unconfirmed, not_read);
    assert_true(has_each_kind(&all, not_read));
}

/* Leases that are given back while the end of their transaction is not known are taken again. */
static void test_recalls(void **state)
{
    uint64_t seed = ps_test_seed();
    for (unsigned i = 0; i < 6; i++) {
        const struct trial trial = {.faults = 4 * i, .recalls = 2 + i, .kills = i % 2};
        run_trial(seed + i, &trial);
    }
}

/* A sink takes leases of several logs in turn. Frames that one log has delivered do not count for the frames of
 * another log with the same numbers. */
static void test_several_logs(void **state)
{
    uint64_t seed = ps_test_seed();
    for (unsigned i = 0; i < 4; i++) {
        const struct trial trial = {.faults = 3 * i, .kills = i % 2 * 2, .logs = 2 + i % 2};
        run_trial(seed + i, &trial);
    }
}

/* Every second frame of the log cannot be read: each readable one is a range of its own in the record. The agent is
 * killed `kills` times, and its log then has again what was delivered in the last seconds. Returns the largest number
 * of frames that came again. */
static unsigned run_gaps(uint64_t seed, unsigned faults, unsigned kills, uint64_t interval_ms)
{
    unsigned most = 0;
    print_message("seed %llu\n", (unsigned long long)seed);
    begin(seed, faults, 1);
    run.frames = FRAMES_MAX;
    run.stride = 2;
    run.plan.transaction.interval_ns = interval_ms * PS_NS_PER_MS;
    for (unsigned turns = 0; !is_complete(); turns++) {
        if (run.kills < kills && run.next > (run.kills + 1) * FRAMES_MAX / (kills + 1)) {
            unsigned forgotten = unsynced();
            most = forgotten > most ? forgotten : most;
            kill_agent(forgotten);
        }
        turn();
        if (turns > TURNS_MAX)
            fail_msg("frame %u after %u turns", run.next, turns);
    }
    verify();
    assert_in_range(run.sender->transaction.keeping.committed.count, 257, PS_KAFKA_FRAMES_ROOM);
    die();
    ps_test_coordinator_stop(run.broker);
    return most;
}

/* Runs with other seeds until more than 256 frames were delivered again after a kill: their number varies with chance
 * and with the machine's speed. */
static void run_gaps_with_many(uint64_t seed, unsigned faults, unsigned kills)
{
    for (unsigned i = 0; i < 20; i++) {
        if (run_gaps(seed + 100 * i, faults, kills, 200) > 256)
            return;
    }
    fail_msg("in no run more than 256 frames came again");
}

/* More gaps than the record has room for: nothing is lost and nothing comes twice, after kills and after answers that are
 * lost. */
static void test_gaps(void **state)
{
    uint64_t seed = ps_test_seed();
    run_gaps(seed, 0, 0, 20);
    run_gaps_with_many(seed + 1, 0, 3);
    run_gaps_with_many(seed + 2, 4, 2);
    run_gaps(seed + 3, 20, 0, 4000); /* transactions that would have a thousand ranges */
}

/* A lease that waits for room is given back. When room is due, the sink does not ask for turns without end. */
static void test_waits_for_nothing(void **state)
{
    begin(1, 0, 1);
    run.frames = FRAMES_MAX;
    run.stride = 2;
    const struct ps_kafka_keeping *keeping = &run.sender->transaction.keeping;
    for (unsigned turns = 0; keeping->room_ns == PS_NEVER; turns++) {
        assert_true(turns < TURNS_MAX);
        turn();
    }
    assert_non_null(run.offered);
    assert_null(run.sender->window.held.first);
    const uint64_t due_ns = keeping->room_ns;
    assert_true(ps_kafka_sender_tick(run.sender, &run.stage.now) <= due_ns);
    give_back();
    for (unsigned turns = 0; run.sender->making && turns < 100000; turns++) {
        usleep(50);
        (void)ps_kafka_sender_tick(run.sender, &run.stage.now);
    }
    unsigned at_once = 0;
    while (run.stage.now.mono_ns < due_ns + PS_NS_PER_S) {
        at_once += ps_kafka_sender_tick(run.sender, &run.stage.now) <= run.stage.now.mono_ns;
        (void)ps_test_coordinator_serve(run.broker);
        ps_test_stage_pass_ms(&run.stage, 10);
    }
    print_message("%u turns at once\n", at_once);
    assert_in_range(at_once, 0, 20);
    die();
    ps_test_coordinator_stop(run.broker);
}

/* Reads a batch from a file, which is at this position afterwards; -1: the file is gone. */
static struct ps_lease *read_file(uint64_t sequence, int64_t position)
{
    static const char detail[] = "{\"inode\":7}";
    struct ps_batch *batch = ps_test_stage_take_batch(&run.stage);
    const struct ps_stream_name name = {
        .system = "file", .group = {"00000000000000aa", 16}, .name = {"7", 1}, .part = -1, .generation = 1};
    assert_non_null(batch);
    assert_non_null(ps_batch_add_copy(batch, "line", 4));
    assert_true(ps_batch_span(batch, 1, 0, position, &name));
    if (position >= 0)
        ps_batch_span_name(batch, 1, 0)->detail = (struct ps_slice){detail, sizeof detail - 1};
    ps_batch_close(batch);
    batch->sequence = sequence;
    struct ps_lease *lease = ps_batch_chain(batch);
    lease->index = NULL;
    lease->count = batch->count;
    lease->bytes = batch->body_bytes;
    lease->memory_bytes = 1000;
    return lease;
}

/* The topic's record of a file after each transaction. A file that begins anew, at position 0, is not gone: without a record
 * the source would not know it at the next start, and skipToEnd would skip its lines. */
static void test_files(void **state)
{
    static const struct {
        int64_t position;
        const char *record;
    } steps[] = {{0, "{\"pos\":0,\"inode\":7}"},
                 {5, "{\"pos\":5,\"inode\":7}"},
                 {0, "{\"pos\":0,\"inode\":7}"},
                 {-1, ""},
                 {1, "{\"pos\":1,\"inode\":7}"}};
    begin(1, 0, 0);
    ps_test_coordinator_several_ids();
    run.next = run.frames + 1;
    for (size_t i = 0; i < PS_COUNT_OF(steps); i++) {
        run.offered = read_file(i + 1, steps[i].position);
        for (unsigned turns = 0; !is_complete(); turns++) {
            assert_true(turns < TURNS_MAX);
            turn();
        }
        assert_string_equal(ps_test_coordinator_positions(run.broker, OWNER_OF_FILES "/7"), steps[i].record);
    }
    die();
    ps_test_coordinator_stop(run.broker);
}

/* There is no memory for a topic, nor for a record of it: positions are written later, and nothing is aborted. */
static unsigned topic_fails, submit_fails;
static bool is_positions;

static struct ps_kafka_topic *scarce_topic(struct ps_kafka_producer *producer, const char *name,
                                           uint32_t length)
{
    is_positions = strcmp(name, PS_TEST_POSITIONS) == 0;
    bool fails = is_positions && topic_fails > 0;
    topic_fails -= fails;
    return fails ? NULL : ps_kafka_native.topic(producer, name, length);
}

static uint32_t scarce_submit(struct ps_kafka_producer *producer, struct ps_kafka_topic *topic,
                              const struct ps_kafka_record *records, uint32_t count, int *error)
{
    if (!is_positions || submit_fails == 0)
        return ps_kafka_native.submit(producer, topic, records, count, error);
    submit_fails--, *error = PS_KAFKA_NO_MEMORY;
    return 0;
}

static void test_no_memory(void **state)
{
    struct ps_kafka_engine engine = ps_kafka_native;
    engine.topic = scarce_topic, engine.submit = scarce_submit;
    begin(1, 0, 1);
    run.plan.engine = &engine;
    topic_fails = submit_fails = 3;
    for (unsigned turns = 0; !is_complete() && turns < TURNS_MAX; turns++)
        turn();
    assert_int_equal(topic_fails + submit_fails, 0);
    verify();
    assert_int_equal(ps_test_coordinator_counts(run.broker).aborts, 0);
    die();
    ps_test_coordinator_stop(run.broker);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_calm),
        cmocka_unit_test(test_kills),
        cmocka_unit_test(test_faults),
        cmocka_unit_test(test_recalls),
        cmocka_unit_test(test_several_logs),
        cmocka_unit_test(test_gaps),
        cmocka_unit_test(test_waits_for_nothing),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
