/* Delivery into files, over a file system that fails when the test says so (tests/support/fake_filesystem.h). */
#include "stages/hdfs_sink/sink.h"

#include "stages/hdfs_sink/parts.h"
#include "tests/support/fake_filesystem.h"
#include "tests/support/stage.h"

#include <stdio.h>

#define FIRST "/d/f.1700000000001"
#define SECOND "/d/f.1700000000002"
#define THIRD "/d/f.1700000000003"

/* ---- a sink over the file system of the test ---- */

static struct ps_hdfs_settings settings; /* what a test wants, before `start` */
static const char *path, *prefix;

struct state {
    struct ps_hdfs_sink *sink;
};

static enum ps_status build(void *plan, struct ps_context *context, struct ps_err *err)
{
    static const struct ps_pairs none;
    (void)plan;
    settings.format.type = PS_HADOOP_DATA_STREAM;
    settings.format.serializer =
        context->sub_stage(context, PS_KIND_SERIALIZER, "text", &none, &settings.format.serializer_plan, err);
    return ps_hdfs_place_build(&settings.place, context->arena, path, prefix, "/", NULL, err);
}

static enum ps_status open_sink(const void *plan, void *state_, struct ps_port *port, struct ps_err *err)
{
    struct state *state = state_;
    (void)plan;
    state->sink = ps_hdfs_sink_open(&settings, ps_test_files(), port, err);
    return state->sink != NULL ? PS_OK : PS_FAIL;
}

static void close_sink(const void *plan, void *state_)
{
    struct state *state = state_;
    (void)plan;
    ps_hdfs_sink_close(state->sink);
}

static enum ps_result work(const void *plan, void *state_, struct ps_lease **lease, const struct ps_now *now)
{
    struct state *state = state_;
    (void)plan;
    return ps_hdfs_sink_work(state->sink, lease, now);
}

static uint64_t tick(const void *plan, void *state_, const struct ps_now *now)
{
    struct state *state = state_;
    (void)plan;
    return ps_hdfs_sink_tick(state->sink, now);
}

static bool recall(const void *plan, void *state_, struct ps_lease **back, const struct ps_now *now)
{
    struct state *state = state_;
    (void)plan;
    return ps_hdfs_sink_recall(state->sink, back, now);
}

static const struct ps_sink_ops sink_ops = {.work = work, .tick = tick, .recall = recall};
static const struct ps_option no_options[] = {PS_OPTION_END};
static const struct ps_stage_ops stage_ops = {
    PS_STAGE(PS_KIND_SINK),
    .name = "hdfs-test",
    .options = no_options,
    .plan_size = 8,
    .state_size = sizeof(struct state),
    .build = build,
    .open = open_sink,
    .close = close_sink,
    .sink = &sink_ops,
};

static struct ps_test_stage stage;

static int begin(void **state)
{
    path = "/d";
    prefix = "f";
    settings = (struct ps_hdfs_settings){
        .in_use_prefix = "",
        .in_use_suffix = ".tmp",
        .file_suffix = "",
        .open_files_max = 5000,
        .replicas_min = 0,
        .close_tries = PS_HDFS_TRIES_ENDLESS,
        .retry_ns = 180 * PS_NS_PER_S,
        .call_timeout_ns = 30 * PS_NS_PER_S,
        .held_bytes_max = UINT64_MAX,
    };
    return ps_test_files_setup(state);
}

static void start(void)
{
    ps_test_stage_start(&stage, &stage_ops, NULL);
}

static void finish(void)
{
    ps_test_stage_fini(&stage);
    assert_int_equal(ps_test_files()->held_bytes, 0);
}

/* Turns of the worker; `ms` pass before them. */
static uint64_t pass(uint64_t ms)
{
    uint64_t due_ns = PS_NEVER;
    ps_test_stage_pass_ms(&stage, ms);
    for (int i = 0; i < 8; i++)
        due_ns = ps_test_sink_tick(&stage);
    return due_ns;
}

static void take(struct ps_lease *lease)
{
    assert_int_equal(ps_test_sink_work(&stage, &lease), PS_TAKEN);
    assert_null(lease);
}

#define TAKE(...) take(PS_LEASE(&stage, __VA_ARGS__))
#define TO(kind, body) PS_EVENT(body, "k", kind)

static struct ps_lease *call_back(unsigned *turns)
{
    struct ps_lease *back = NULL;
    *turns = 1;
    for (; !recall(stage.plan, stage.state, &back, &stage.now); ps_test_stage_pass_ms(&stage, 100))
        assert_true(++*turns < 1000);
    return back;
}

static uint64_t counter(enum ps_counter number)
{
    return ps_test_stage_counter(&stage, number);
}

static uint64_t own(int number)
{
    return ps_test_stage_counter(&stage, (enum ps_counter)number);
}

/* ---- delivery ---- */

/* A lease is done when its flush is acknowledged; the next one does not wait for that, and shares a flush. */
static void test_flush(void **unused)
{
    (void)unused;
    start();
    ps_test_files_hold(PS_TEST_FLUSH, "");
    TAKE(PS_BODY("1"));
    pass(0);
    TAKE(PS_BODY("2"));
    pass(0);
    TAKE(PS_BODY("3"));
    TAKE(PS_BODY("4"), PS_BODY("5"));
    pass(0);
    assert_int_equal(ps_test_files_count(PS_TEST_FLUSH), 2); /* a third waits for the first */
    assert_int_equal(stage.done_count, 0);
    ps_test_files_release(PS_TEST_FLUSH, 1);
    pass(0);
    assert_int_equal(stage.done_count, 1);
    assert_int_equal(ps_test_files_count(PS_TEST_FLUSH), 3);
    ps_test_files_expect(FIRST ".tmp", "1\n");
    ps_test_files_hold(PS_TEST_FLUSH, NULL);
    pass(0);
    assert_int_equal(stage.done_count, 4);
    ps_test_files_expect(FIRST ".tmp", "1\n2\n3\n4\n5\n");
    assert_int_equal(ps_test_files_count(PS_TEST_FLUSH), 3);
    assert_int_equal(pass(0), PS_NEVER);
    finish();
}

/* A file that is not answered holds up only its own leases, and those behind them in the order of done. */
static void test_slow_file(void **unused)
{
    (void)unused;
    path = "/d/%{k}";
    start();
    ps_test_files_hold(PS_TEST_FLUSH, "/a/");
    TAKE(TO("b", "1"));
    TAKE(TO("a", "2"), TO("b", "3"));
    TAKE(TO("b", "4"));
    pass(0);
    assert_int_equal(stage.done_count, 1);
    ps_test_files_expect("/d/b/f.1700000000001.tmp", "1\n3\n4\n");
    ps_test_files_hold(PS_TEST_FLUSH, NULL);
    pass(0);
    assert_int_equal(stage.done_count, 3);
    ps_test_files_expect("/d/a/f.1700000000001.tmp", "2\n");
    finish();
}

/* What was written and not acknowledged uses memory: no more is taken. */
static void test_memory(void **unused)
{
    (void)unused;
    settings.held_bytes_max = 10;
    start();
    ps_test_files_hold(PS_TEST_FLUSH, "");
    TAKE(PS_BODY("123456789"));
    struct ps_lease *lease = PS_LEASE(&stage, PS_BODY("x"));
    assert_int_equal(ps_test_sink_work(&stage, &lease), PS_LATER);
    assert_true(pass(0) > stage.now.mono_ns);
    ps_test_files_hold(PS_TEST_FLUSH, NULL);
    assert_int_equal(ps_test_sink_tick(&stage), stage.now.mono_ns); /* call `work` at once */
    assert_int_equal(ps_test_sink_work(&stage, &lease), PS_TAKEN);
    pass(0);
    assert_int_equal(stage.done_count, 2);
    finish();
}

/* ---- files that cannot be begun ---- */

static void test_create_fails(void **unused)
{
    (void)unused;
    path = "/d/%{k}";
    start();
    ps_test_files_fail(PS_TEST_CREATE, 0, 2, PS_FILE_UNAVAILABLE);
    TAKE(TO("a", "1"), TO("a", "2"));
    TAKE(TO("a", "3"));
    pass(0);
    assert_int_equal(ps_test_files_count(PS_TEST_CREATE), 1);
    assert_int_equal(counter(PS_COUNTER_ConnectionFailedCount), 1);
    assert_int_equal(counter(PS_COUNTER_EventWriteFail), 1);
    assert_int_equal(counter(PS_COUNTER_duplicated), 0); /* nothing was sent */
    uint64_t due_ns = pass(999);
    assert_int_equal(due_ns, stage.now.mono_ns + PS_NS_PER_MS);
    assert_int_equal(ps_test_files_count(PS_TEST_CREATE), 1);
    pass(1); /* the second fails, too */
    assert_int_equal(ps_test_files_count(PS_TEST_CREATE), 2);
    TAKE(TO("b", "4"));
    pass(0);
    ps_test_files_expect("/d/b/f.1700000001001.tmp", "4\n");
    assert_int_equal(stage.done_count, 0);
    pass(1999);
    assert_int_equal(stage.done_count, 0);
    pass(1);
    assert_int_equal(stage.done_count, 3);
    ps_test_files_expect("/d/a/f.1700000000003.tmp", "1\n2\n3\n");
    finish();
}

/* Somebody else has the name: the next number, at once, and nothing is counted as a failure. */
static void test_name_in_use_taken(void **unused)
{
    (void)unused;
    start();
    ps_test_files_fail(PS_TEST_CREATE, 0, 2, PS_FILE_EXISTS);
    TAKE(PS_BODY("1"), PS_BODY("2"));
    pass(0);
    ps_test_files_expect_names(PS_WORDS(THIRD ".tmp"));
    ps_test_files_expect(THIRD ".tmp", "1\n2\n");
    assert_int_equal(stage.done_count, 1);
    assert_int_equal(counter(PS_COUNTER_ConnectionFailedCount), 0);
    finish();
}

/* ---- a write or a flush that fails ---- */

/* What was acknowledged stays, what was not is written again, in order and before what comes; the broken file is completed. */
static void test_flush_fails(void **unused)
{
    (void)unused;
    start();
    TAKE(PS_BODY("1"), PS_BODY("2"));
    pass(0);
    ps_test_files_fail(PS_TEST_FLUSH, 0, 1, PS_FILE_FAILED);
    TAKE(PS_BODY("3"), PS_BODY("4"));
    TAKE(PS_BODY("5"));
    pass(0);
    TAKE(PS_BODY("6"));
    pass(0);
    assert_int_equal(stage.done_count, 1);
    ps_test_files_expect(FIRST, "1\n2\n");
    assert_int_equal(own(PS_HDFS_FILES_RECOVERED), 1);
    assert_int_equal(counter(PS_COUNTER_retried), 3);
    assert_int_equal(counter(PS_COUNTER_duplicated), 3);
    pass(1000);
    ps_test_files_expect_names(PS_WORDS(FIRST, SECOND ".tmp"));
    ps_test_files_expect(SECOND ".tmp", "3\n4\n5\n6\n");
    assert_int_equal(stage.done_count, 4);
    assert_int_equal(ps_test_files_open(), 1);
    finish();
}

/* Two flushes under way: the first is acknowledged, the second is not. A file without an acknowledged event is removed. */
static void test_second_flush_fails(void **unused)
{
    (void)unused;
    start();
    ps_test_files_hold(PS_TEST_FLUSH, "");
    TAKE(PS_BODY("1"));
    pass(0);
    TAKE(PS_BODY("2"));
    pass(0);
    ps_test_files_fail(PS_TEST_FLUSH, 1, 2, PS_FILE_TIMEOUT);
    ps_test_files_hold(PS_TEST_FLUSH, NULL);
    pass(0);
    assert_int_equal(stage.done_count, 1);
    pass(1000); /* fails again */
    ps_test_files_expect_names(PS_WORDS(FIRST));
    pass(1999);
    assert_int_equal(stage.done_count, 1);
    pass(1);
    assert_int_equal(stage.done_count, 2);
    ps_test_files_expect_names(PS_WORDS(FIRST, THIRD ".tmp"));
    ps_test_files_expect(FIRST, "1\n");
    ps_test_files_expect(THIRD ".tmp", "2\n");
    finish();
}

/* The others go on while one bucket rests. */
static void test_one_fails(void **unused)
{
    (void)unused;
    path = "/d/%{k}";
    start();
    TAKE(TO("a", "1"), TO("b", "2"));
    pass(0);
    ps_test_files_fail(PS_TEST_FLUSH, 0, 1, PS_FILE_NO_SPACE);
    TAKE(TO("a", "3"));
    pass(0);
    TAKE(TO("b", "4"));
    TAKE(TO("a", "5"));
    pass(0);
    ps_test_files_expect("/d/b/f.1700000000001.tmp", "2\n4\n");
    assert_int_equal(stage.done_count, 1);
    pass(1000);
    assert_int_equal(stage.done_count, 4);
    ps_test_files_expect("/d/a/f.1700000000001", "1\n");
    ps_test_files_expect("/d/a/f.1700000000002.tmp", "3\n5\n");
    finish();
}

/* ---- rolling ---- */

/* The next file is begun, but not written to before all of this one is acknowledged; its close takes its time. */
static void test_order_over_files(void **unused)
{
    (void)unused;
    settings.roll_events = 2;
    start();
    ps_test_files_hold(PS_TEST_FLUSH, "");
    ps_test_files_hold(PS_TEST_CLOSE, "");
    TAKE(PS_BODY("1"), PS_BODY("2"), PS_BODY("3"));
    pass(0);
    ps_test_files_expect_names(PS_WORDS(FIRST ".tmp", SECOND ".tmp"));
    assert_int_equal(ps_test_files_count(PS_TEST_FLUSH), 1);
    ps_test_files_hold(PS_TEST_FLUSH, NULL);
    pass(0);
    assert_int_equal(stage.done_count, 1);
    ps_test_files_expect(SECOND ".tmp", "3\n");
    ps_test_files_expect(FIRST ".tmp", "1\n2\n");
    assert_int_equal(own(PS_HDFS_FILES_OPEN), 1);
    ps_test_files_hold(PS_TEST_CLOSE, NULL);
    pass(0);
    ps_test_files_expect_names(PS_WORDS(FIRST, SECOND ".tmp"));
    finish();
}

/* The last flush of a rolled file fails while the next file is there: its events come first in that one. */
static void test_rolled_file_fails(void **unused)
{
    (void)unused;
    settings.roll_events = 2;
    start();
    ps_test_files_fail(PS_TEST_FLUSH, 0, 1, PS_FILE_LEASE);
    TAKE(PS_BODY("1"), PS_BODY("2"), PS_BODY("3"));
    pass(0);
    assert_int_equal(stage.done_count, 0);
    pass(1000);
    assert_int_equal(stage.done_count, 1);
    ps_test_files_expect_names(PS_WORDS(SECOND, THIRD ".tmp"));
    ps_test_files_expect(SECOND, "1\n2\n");
    ps_test_files_expect(THIRD ".tmp", "3\n");
    finish();
}

static void test_replicas(void **unused)
{
    (void)unused;
    settings.replicas_min = 2;
    start();
    ps_test_files_replicas(1, 3);
    for (int i = 0; i < 40; i++) {
        TAKE(PS_BODY("x"));
        pass(0);
    }
    assert_int_equal(ps_test_files_count(PS_TEST_CREATE), 31); /* at most 30 rolls in a row */
    ps_test_files_replicas(2, 3);
    TAKE(PS_BODY("y"));
    pass(0);
    ps_test_files_replicas(1, 3);
    TAKE(PS_BODY("z"));
    pass(0);
    assert_int_equal(stage.done_count, 42);
    finish();
}

/* Without hdfs.minBlockReplicas: as many as the file system makes, which it says of the first file. */
static void test_replicas_learnt(void **unused)
{
    (void)unused;
    settings.replicas_min = -1;
    start();
    ps_test_files_replicas(2, 3);
    TAKE(PS_BODY("1"));
    pass(0);
    assert_int_equal(ps_test_files_count(PS_TEST_STAT), 1);
    TAKE(PS_BODY("2"));
    pass(0);
    assert_int_equal(ps_test_files_count(PS_TEST_CREATE), 2);
    ps_test_files_replicas(3, 3);
    TAKE(PS_BODY("3"));
    pass(0);
    assert_int_equal(ps_test_files_count(PS_TEST_CREATE), 2);
    assert_int_equal(ps_test_files_count(PS_TEST_STAT), 1);
    finish();
}

/* ---- closing and renaming ---- */

static void roll_one(void)
{
    settings.roll_events = 1;
    start();
    TAKE(PS_BODY("1"));
    pass(0);
}

static void test_close_fails(void **unused)
{
    (void)unused;
    roll_one();
    ps_test_files_fail(PS_TEST_CLOSE, 0, 1, PS_FILE_TIMEOUT);
    ps_test_files_fail(PS_TEST_RECOVER, 0, 2, PS_FILE_UNAVAILABLE);
    TAKE(PS_BODY("2"));
    pass(0);
    assert_int_equal(stage.done_count, 2); /* events were acknowledged before */
    ps_test_files_expect_names(PS_WORDS(FIRST ".tmp", SECOND ".tmp"));
    pass(1000);
    ps_test_files_expect_names(PS_WORDS(FIRST ".tmp", SECOND ".tmp"));
    pass(1000);
    ps_test_files_expect_names(PS_WORDS(FIRST, SECOND ".tmp"));
    assert_int_equal(counter(PS_COUNTER_duplicated), 0);
    finish();
}

static void test_rename_fails(void **unused)
{
    (void)unused;
    roll_one();
    ps_test_files_fail(PS_TEST_RENAME, 0, 2, PS_FILE_UNAVAILABLE);
    TAKE(PS_BODY("2"));
    pass(0);
    assert_int_equal(own(PS_HDFS_RENAMES_RETRIED), 1);
    assert_int_equal(own(PS_HDFS_FILES_CLOSING), 1);
    pass(179999);
    assert_int_equal(ps_test_files_count(PS_TEST_RENAME), 1);
    pass(1);
    assert_int_equal(ps_test_files_count(PS_TEST_RENAME), 2);
    pass(180000);
    ps_test_files_expect_names(PS_WORDS(FIRST, SECOND ".tmp"));
    assert_int_equal(own(PS_HDFS_FILES_CLOSING), 0);
    finish();
}

static void test_close_tries(void **unused)
{
    (void)unused;
    settings.close_tries = 2;
    roll_one();
    ps_test_files_fail(PS_TEST_RENAME, 0, 10, PS_FILE_DENIED);
    TAKE(PS_BODY("2"));
    pass(0);
    pass(180000);
    assert_int_equal(own(PS_HDFS_FILES_CLOSING), 0); /* given up */
    pass(180000);
    assert_int_equal(ps_test_files_faults(PS_TEST_RENAME), 8);
    ps_test_files_expect_names(PS_WORDS(FIRST ".tmp", SECOND ".tmp"));
    finish();
}

/* A rename that was not answered, and had taken effect. */
static void test_rename_done_before(void **unused)
{
    (void)unused;
    roll_one();
    ps_test_files_fail(PS_TEST_RENAME, 0, 1, PS_FILE_TIMEOUT);
    TAKE(PS_BODY("2"));
    pass(0);
    ps_test_files_fail(PS_TEST_RENAME, 0, 1, PS_FILE_MISSING);
    pass(180000);
    assert_int_equal(own(PS_HDFS_FILES_CLOSING), 0);
    finish();
}

static void test_final_name_taken(void **unused)
{
    (void)unused;
    roll_one();
    ps_test_files_fail(PS_TEST_RENAME, 0, 1, PS_FILE_EXISTS);
    TAKE(PS_BODY("2"));
    pass(0);
    ps_test_files_expect(SECOND, "1\n");
    ps_test_files_expect(SECOND ".tmp", "2\n");
    finish();
}

/* ---- many buckets ---- */

static void test_many(void **unused)
{
    (void)unused;
    enum { BUCKETS = 2000 };
    static char kinds[BUCKETS][8];
    static struct ps_test_event events[1000];
    path = "/d/%{k}";
    settings.open_files_max = 1500;
    start();
    for (unsigned i = 0; i < BUCKETS; i++) {
        snprintf(kinds[i], sizeof kinds[i], "%u", i);
        events[i % 1000] = TO(kinds[i], "x");
        events[i % 1000].headers = (const char *const[]){"k", kinds[i], NULL};
        if (i % 1000 != 999)
            continue;
        static const char *headers[1000][3];
        for (unsigned k = 0; k < 1000; k++) {
            headers[k][0] = "k";
            headers[k][1] = kinds[i - 999 + k];
            events[k].headers = headers[k];
        }
        take(ps_test_lease(&stage, events, 1000));
        pass(0);
    }
    assert_int_equal(stage.done_count, 2);
    assert_int_equal(own(PS_HDFS_FILES_OPEN), 1500);
    ps_test_files_expect("/d/0/f.1700000000001", "x\n"); /* longest without an event */
    ps_test_files_expect("/d/499/f.1700000000001", "x\n");
    ps_test_files_expect("/d/500/f.1700000000001.tmp", "x\n");
    unsigned turns;
    assert_null(call_back(&turns));
    assert_int_equal(own(PS_HDFS_FILES_OPEN), 0);
    ps_test_files_expect("/d/500/f.1700000000001", "x\n");
    finish();
}

/* ---- recall ---- */

static void test_recall(void **unused)
{
    (void)unused;
    unsigned turns;
    start();
    TAKE(PS_BODY("1"));
    pass(0);
    ps_test_files_hold(PS_TEST_FLUSH, "");
    TAKE(PS_BODY("2"));
    pass(0);
    TAKE(PS_BODY("3"), PS_BODY("4"));
    struct ps_lease *back = call_back(&turns);
    assert_true(turns > 300); /* 5 s for acknowledgements, as long as the call time-out for closing */
    assert_int_equal(back->count, 1);
    assert_int_equal(back->next->count, 2);
    assert_null(back->next->next);
    assert_int_equal(back->settled + back->next->settled, 0);
    assert_int_equal(stage.done_count, 1);
    /* It goes on when the file system answers. */
    ps_test_files_hold(PS_TEST_FLUSH, NULL);
    struct ps_lease *second = back->next;
    back->next = NULL;
    take(back);
    take(second);
    pass(0);
    assert_int_equal(stage.done_count, 3);
    finish();
}

/* A failing bucket's events come back, too. */
static void test_recall_failing(void **unused)
{
    (void)unused;
    unsigned turns;
    start();
    ps_test_files_fail(PS_TEST_CREATE, 0, 1, PS_FILE_DENIED);
    TAKE(PS_BODY("1"));
    pass(0);
    struct ps_lease *back = call_back(&turns);
    assert_int_equal(turns, 1);
    assert_non_null(back);
    take(back);
    pass(0);
    assert_int_equal(stage.done_count, 1);
    finish();
}

/* ---- any faults ---- */

#define KINDS 5U
#define NUMBERS 6000U

struct seen {
    uint32_t times[NUMBERS];
    uint64_t lines;
};

static void read_file(void *seen_, const char *name, const char *content)
{
    struct seen *seen = seen_;
    unsigned kind, last = 0, number;
    int used;
    assert_int_equal(sscanf(name, "/d/%u/", &kind), 1);
    for (; sscanf(content, "%u\n%n", &number, &used) == 1; content += used) {
        assert_true(number < NUMBERS && number % KINDS == kind);
        assert_true(number >= last); /* in a file they are in order */
        last = number;
        seen->times[number]++;
        seen->lines++;
    }
    assert_string_equal(content, "");
}

/* Random faults of all operations, rolls, holds: in the end every event is there, twice only if that was counted. */
static void test_random_faults(void **unused)
{
    (void)unused;
    static char bodies[NUMBERS][8];
    static const char *kinds[] = {"0", "1", "2", "3", "4"};
    uint64_t random = ps_test_seed();
    path = "/d/%{k}";
    settings.roll_events = 7;
    settings.roll_interval_ns = 3 * PS_NS_PER_S;
    settings.idle_ns = 2 * PS_NS_PER_S;
    settings.open_files_max = 3;
    settings.retry_ns = PS_NS_PER_S;
    start();
    size_t leases = 0;
    for (unsigned next = 0; next < NUMBERS;) {
        struct ps_test_event events[20];
        const char *headers[20][3];
        unsigned count = 0, most = (unsigned)(ps_test_random(&random) % 20);
        for (; count < most && next < NUMBERS; count++, next++) {
            snprintf(bodies[next], sizeof bodies[next], "%u", next);
            headers[count][0] = "k";
            headers[count][1] = kinds[next % KINDS];
            headers[count][2] = NULL;
            events[count] =
                (struct ps_test_event){bodies[next], (uint32_t)strlen(bodies[next]), headers[count]};
        }
        take(ps_test_lease(&stage, events, count));
        leases++;
        enum ps_test_file_operation operation =
            (enum ps_test_file_operation)(ps_test_random(&random) % PS_TEST_OPERATIONS);
        static const enum ps_file_error errors[] = {PS_FILE_EXISTS, PS_FILE_UNAVAILABLE, PS_FILE_TIMEOUT,
                                                    PS_FILE_FAILED};
        if (ps_test_random(&random) % 4 == 0 && operation != PS_TEST_REMOVE)
            ps_test_files_fail(operation, (unsigned)(ps_test_random(&random) % 3),
                               1 + (unsigned)(ps_test_random(&random) % 2),
                               operation == PS_TEST_RENAME
                                   ? PS_FILE_UNAVAILABLE
                                   : errors[ps_test_random(&random) % PS_COUNT_OF(errors)]);
        ps_test_files_hold(operation, ps_test_random(&random) % 3 == 0 ? "/2/" : NULL);
        pass(ps_test_random(&random) % 300);
        if (stage.batch_count > PS_TEST_BATCHES_MAX - 10)
            break;
    }
    for (unsigned i = 0; i < PS_TEST_OPERATIONS; i++) {
        ps_test_files_hold((enum ps_test_file_operation)i, NULL);
        ps_test_files_fail((enum ps_test_file_operation)i, 0, 0, PS_FILE_OK);
    }
    for (int i = 0; i < 100; i++)
        pass(1000);
    assert_int_equal(stage.done_count, leases);
    struct seen seen = {.lines = 0};
    ps_test_files_each(read_file, &seen);
    uint64_t twice = 0;
    for (unsigned i = 0; i < NUMBERS; i++) {
        if (seen.times[i] == 0)
            fail_msg("event %u is lost", i);
        twice += seen.times[i] - 1;
    }
    if (twice > counter(PS_COUNTER_duplicated))
        fail_msg("%u events are there twice, %u were counted", (unsigned)twice,
                 (unsigned)counter(PS_COUNTER_duplicated));
    assert_int_equal(ps_test_files_open(), 0);
    assert_int_equal(own(PS_HDFS_FILES_CLOSING), 0);
    finish();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_flush, begin),
        cmocka_unit_test_setup(test_slow_file, begin),
        cmocka_unit_test_setup(test_memory, begin),
        cmocka_unit_test_setup(test_create_fails, begin),
        cmocka_unit_test_setup(test_name_in_use_taken, begin),
        cmocka_unit_test_setup(test_flush_fails, begin),
        cmocka_unit_test_setup(test_second_flush_fails, begin),
        cmocka_unit_test_setup(test_one_fails, begin),
        cmocka_unit_test_setup(test_order_over_files, begin),
        cmocka_unit_test_setup(test_rolled_file_fails, begin),
        cmocka_unit_test_setup(test_replicas, begin),
        cmocka_unit_test_setup(test_replicas_learnt, begin),
        cmocka_unit_test_setup(test_close_fails, begin),
        cmocka_unit_test_setup(test_rename_fails, begin),
        cmocka_unit_test_setup(test_close_tries, begin),
        cmocka_unit_test_setup(test_rename_done_before, begin),
        cmocka_unit_test_setup(test_final_name_taken, begin),
        cmocka_unit_test_setup(test_many, begin),
        cmocka_unit_test_setup(test_recall, begin),
        cmocka_unit_test_setup(test_recall_failing, begin),
        cmocka_unit_test_setup(test_random_faults, begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
