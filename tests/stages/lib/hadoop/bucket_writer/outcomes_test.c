/* The consequence of each outcome of each operation for the sink hdfs: whether it costs an attempt
 * (penstock.retry.max), and whether the sink backs off, takes the next name, gives up, or repeats the operation, and when.
 * A failure after a success counts as a first one. Nothing is left at the close. */
#include "stages/lib/hadoop/bucket_writer/sink.h"

#include "tests/support/bucket_files.h"
#include "tests/support/dead_letters.h"
#include "tests/support/folder.h"

#include <stdio.h>

#define RETRY_MS 180000U /* hdfs.retryInterval of the bucket's settings */

/* The first files of a bucket whose first event is put by `succeed`, 10 s after the beginning. */
#define LATER_FIRST "/d/f.1700000010001"
#define LATER_SECOND "/d/f.1700000010002"

/* a failure of creating or writing a file */
enum write_meaning {
    COSTS,     /* an attempt, and the bucket backs off before the next */
    RESTS,     /* the bucket backs off, without an attempt */
    NEXT_NAME, /* tries the next number at once, without counting a failure */
    NEVER,     /* its events become dead letters at once */
};
#define OVER UINT32_MAX /* the stream is gone: the file is left as it is */

static const struct row {
    const char *name;
    enum ps_file_error error;
    enum write_meaning create, flush;
    /* Milliseconds until the operation is repeated; 0: at once, with another name or the next step; OVER: it is not repeated. */
    unsigned recover, rename, remove;
} rows[] = {
    {"missing", PS_FILE_MISSING, COSTS, COSTS, OVER, OVER, OVER},
    {"exists", PS_FILE_EXISTS, NEXT_NAME, COSTS, RETRY_MS, 0, RETRY_MS},
    {"denied", PS_FILE_DENIED, COSTS, COSTS, RETRY_MS, RETRY_MS, RETRY_MS},
    {"no space", PS_FILE_NO_SPACE, COSTS, COSTS, RETRY_MS, RETRY_MS, RETRY_MS},
    {"lease", PS_FILE_LEASE, NEXT_NAME, COSTS, 10000, RETRY_MS, RETRY_MS},
    {"unavailable", PS_FILE_UNAVAILABLE, RESTS, RESTS, 1000, RETRY_MS, RETRY_MS},
    {"time-out", PS_FILE_TIMEOUT, RESTS, RESTS, 10000, RETRY_MS, RETRY_MS},
    {"name", PS_FILE_NAME, NEVER, COSTS, RETRY_MS, RETRY_MS, RETRY_MS},
    {"parent", PS_FILE_PARENT, NEVER, COSTS, RETRY_MS, RETRY_MS, RETRY_MS},
    {"unsupported", PS_FILE_UNSUPPORTED, COSTS, COSTS, 0, RETRY_MS, RETRY_MS},
    {"no memory", PS_FILE_NO_MEMORY, RESTS, RESTS, 10000, RETRY_MS, RETRY_MS},
    {"failed", PS_FILE_FAILED, COSTS, COSTS, RETRY_MS, RETRY_MS, RETRY_MS},
};

static uint64_t counter(int number)
{
    return ps_test_bucket_counter(number);
}

/* A sink that gives up after two attempts. */
static void begin_at(const char *path)
{
    (void)ps_test_bucket_setup(NULL);
    ps_test_bucket_path = path;
    ps_test_bucket_settings.roll_interval_ns = 100 * PS_NS_PER_S;
    ps_test_bucket_start();
    ps_test_dead_letters_open(&ps_test_bucket_stage);
    ps_test_bucket_stage.port.retry_max = 2;
    ps_test_bucket_pass(0);
}

/* Events choose the directory, which is "/d" without a header k. */
static void begin(void)
{
    begin_at("/d%{k}");
}

static void expect_nothing_held(void)
{
    const struct ps_bucket_writer *sink = *(struct ps_bucket_writer **)ps_test_bucket_stage.state;
    assert_int_equal(sink->held.count, 0);
    assert_int_equal(sink->held.pinned_bytes, 0);
    assert_int_equal(sink->waiting_bytes, 0);
    assert_int_equal(sink->opened.flush_count, 0);
    assert_int_equal(sink->opened.touch_count, 0);
    assert_int_equal(sink->ready_count, 0);
    assert_int_equal(sink->pool.free.count, sink->pool.used > 0 ? sink->pool.used - 1 : 0);
    assert_false(ps_deadletter_pending_has_begun(&sink->refusals.dead_letters));
}

/* Stops the sink, and checks that every lease is released, no list has an event, no trouble is left, and the gauges are
 * zero. */
static void end(const char *letters_reason, const char *letters)
{
    unsigned turns;
    const struct ps_bucket_writer *sink = *(struct ps_bucket_writer **)ps_test_bucket_stage.state;
    assert_string_equal(ps_test_dead_letters_bodies(letters_reason), letters);
    assert_null(ps_test_bucket_recall(&turns));
    expect_nothing_held();
    assert_int_equal(sink->table.count, 0);
    assert_int_equal(sink->opened.count, 0);
    if (TAILQ_EMPTY(&sink->files)) {
        for (unsigned i = 0; i < PS_BUCKET_TROUBLES_MAX; i++)
            assert_int_equal(sink->troubles[i].holders, 0);
    }
    ps_test_stage_close(&ps_test_bucket_stage);
    assert_int_equal(counter(PS_BUCKET_FILES_OPEN), 0);
    assert_int_equal(counter(PS_BUCKET_FILES_CLOSING), 0);
    ps_test_dead_letters_close(&ps_test_bucket_stage);
    ps_test_bucket_finish();
}

/* The next two tries of `operation` fail. Fails the test unless the events, `bodies`, are handled as the row says. */
static void expect_two_failures(const struct row *row, enum ps_test_file_operation operation,
                                enum write_meaning meaning, const char *bodies)
{
    size_t done = ps_test_bucket_stage.done_count;
    uint64_t failed = counter(PS_COUNTER_ConnectionFailedCount), letters = counter(PS_COUNTER_deadletter);
    unsigned creates = ps_test_files_count(PS_TEST_CREATE);
    ps_test_files_fail(operation, 0, 2, row->error);
    TAKE(PS_BODY(bodies), PS_BODY(bodies));
    ps_test_bucket_pass(0);
    switch (meaning) {
    case NEXT_NAME:
        assert_int_equal(counter(PS_COUNTER_ConnectionFailedCount), failed);
        assert_int_equal(ps_test_files_count(PS_TEST_CREATE), creates + 3);
        break;
    case NEVER:
        ps_test_bucket_pass(20); /* the common directory is looked at */
        assert_int_equal(counter(PS_COUNTER_deadletter), letters + 2);
        break;
    case COSTS:
    case RESTS:
        assert_int_equal(counter(PS_COUNTER_ConnectionFailedCount), failed + 1);
        creates = ps_test_files_count(PS_TEST_CREATE);
        ps_test_bucket_pass(999);
        assert_int_equal(ps_test_files_count(PS_TEST_CREATE), creates);
        ps_test_bucket_pass(1); /* the second one fails */
        assert_int_equal(ps_test_files_count(PS_TEST_CREATE), creates + 1);
        assert_int_equal(counter(PS_COUNTER_ConnectionFailedCount), failed + 2);
        assert_int_equal(counter(PS_COUNTER_deadletter), meaning == COSTS ? letters + 2 : letters);
        if (meaning == RESTS)
            ps_test_bucket_pass(1999);
        assert_int_equal(ps_test_bucket_stage.done_count, meaning == COSTS ? done + 1 : done);
        ps_test_bucket_pass(1);
        break;
    }
    assert_int_equal(ps_test_bucket_stage.done_count, done + 1);
    ps_test_files_fail(operation, 0, 0, row->error);
}

/* Delivers an event. Failures after it count from the beginning. */
static void succeed(const char *body)
{
    size_t done = ps_test_bucket_stage.done_count;
    ps_test_bucket_pass(10000);
    TAKE(PS_BODY(body));
    ps_test_bucket_pass(0);
    assert_int_equal(ps_test_bucket_stage.done_count, done + 1);
    expect_nothing_held();
}

static void test_creation(void **state)
{
    const struct row *row = *state;
    bool dies = row->create == COSTS || row->create == NEVER;
    begin();
    expect_two_failures(row, PS_TEST_CREATE, row->create, "1");
    succeed("2"); /* an event after a dead letter */
    ps_test_bucket_pass(100000);
    expect_two_failures(row, PS_TEST_CREATE, row->create, "3");
    succeed("4");
    end(row->create == NEVER ? "event-unwritable" : "attempts-exhausted", dies ? "1\n1\n3\n3\n" : "");
}

static void test_flush(void **state)
{
    const struct row *row = *state;
    begin();
    for (unsigned round = 0; round < 2; round++) {
        succeed("0");
        expect_two_failures(row, PS_TEST_FLUSH, row->flush, round == 0 ? "1" : "2");
    }
    succeed("3");
    end("attempts-exhausted", row->flush == COSTS ? "1\n1\n2\n2\n" : "");
}

/* Failures and successes alternate: each failure is a first attempt. */
static void test_attempts_do_not_add_up(void **state)
{
    const struct row *row = *state;
    begin();
    for (unsigned round = 0; round < 5; round++) {
        succeed("0");
        ps_test_files_fail(PS_TEST_FLUSH, 0, 1, row->error);
        TAKE(PS_BODY("1"));
        ps_test_bucket_pass(0);
        assert_int_equal(ps_test_bucket_stage.done_count, 2 * round + 1);
        ps_test_bucket_pass(999);
        assert_int_equal(ps_test_bucket_stage.done_count, 2 * round + 1);
        ps_test_bucket_pass(1);
        assert_int_equal(ps_test_bucket_stage.done_count, 2 * round + 2);
    }
    end("", "");
}

/* Expects that `operation`, which failed once for a file whose stream is gone, is repeated after this time. */
static void expect_asked_again(enum ps_test_file_operation operation, unsigned after_ms)
{
    unsigned asked = ps_test_files_count(operation);
    assert_int_equal(ps_test_files_faults(operation), 0);
    if (after_ms == 0)
        return; /* it has continued already */
    assert_int_equal(counter(PS_BUCKET_FILES_CLOSING), after_ms == OVER ? 0 : 1);
    ps_test_bucket_pass(after_ms == OVER ? 10 * RETRY_MS : after_ms - 1);
    assert_int_equal(ps_test_files_count(operation), asked);
    if (after_ms == OVER)
        return;
    ps_test_bucket_pass(1);
    assert_int_equal(ps_test_files_count(operation), asked + 1);
}

static void test_rename(void **state)
{
    const struct row *row = *state;
    begin();
    succeed("1");
    ps_test_files_fail(PS_TEST_RENAME, 0, 1, row->error);
    ps_test_bucket_pass(100000); /* the file is rolled */
    expect_asked_again(PS_TEST_RENAME, row->rename);
    assert_int_equal(counter(PS_BUCKET_FILES_CLOSING), 0);
    if (row->rename != OVER)
        ps_test_files_expect(row->rename == 0 ? LATER_SECOND : LATER_FIRST, "1\n");
    end("", "");
}

static void test_remove(void **state)
{
    const struct row *row = *state;
    begin();
    ps_test_files_fail(PS_TEST_FLUSH, 0, 1, PS_FILE_UNAVAILABLE);
    ps_test_files_fail(PS_TEST_REMOVE, 0, 1, row->error);
    TAKE(PS_BODY("1"));
    ps_test_bucket_pass(0);
    expect_asked_again(PS_TEST_REMOVE, row->remove);
    assert_int_equal(counter(PS_BUCKET_FILES_CLOSING), 0);
    assert_int_equal(ps_test_files_content(FIRST ".tmp") != NULL, row->remove == OVER);
    assert_int_equal(ps_test_bucket_stage.done_count, 1);
    end("", "");
}

static void test_recovery(void **state)
{
    const struct row *row = *state;
    begin();
    succeed("1");
    ps_test_files_fail(PS_TEST_FLUSH, 0, 1, PS_FILE_UNAVAILABLE);
    ps_test_files_fail(PS_TEST_RECOVER, 0, 1, row->error);
    TAKE(PS_BODY("2"));
    ps_test_bucket_pass(0);
    expect_asked_again(PS_TEST_RECOVER, row->recover);
    assert_int_equal(counter(PS_BUCKET_FILES_CLOSING), 0);
    if (row->recover != OVER)
        ps_test_files_expect(LATER_FIRST, "1\n");
    assert_int_equal(counter(PS_BUCKET_FILES_RECOVERED), row->recover == OVER ? 0 : 1);
    ps_test_bucket_pass(1000);
    assert_int_equal(ps_test_bucket_stage.done_count, 2);
    end("", "");
}

/* A write fails in the middle of an event for lack of memory, but later flushes work: nothing more is written to that
 * file, because it would follow half a line. The same after a success. */
static void test_half_an_event(void **unused)
{
    begin();
    for (unsigned round = 0; round < 2; round++) {
        char path[64], name[64];
        succeed("1");
        snprintf(path, sizeof path, "/d/f.17000000%05u.tmp", 10001 + round);
        snprintf(name, sizeof name, "/d/f.17000000%05u", 10001 + round);
        assert_non_null(ps_test_files_content(path));
        ps_test_files_fail(PS_TEST_WRITE, 1, 1, PS_FILE_FAILED); /* the newline */
        TAKE(PS_BODY("2"), PS_BODY("3"));
        ps_test_bucket_pass(0);
        assert_int_equal(ps_test_files_faults(PS_TEST_WRITE), 0);
        assert_int_equal(counter(PS_COUNTER_ConnectionFailedCount), round + 1);
        assert_null(ps_test_files_content(path));
        ps_test_files_expect(name, round == 0 ? "1\n2" : "2\n3\n1\n2");
        assert_int_equal(ps_test_bucket_stage.done_count, 2 * round + 1);
        ps_test_bucket_pass(1000);
        assert_int_equal(ps_test_bucket_stage.done_count, 2 * round + 2);
        expect_nothing_held();
    }
    end("", "");
}

/* A write that finds no memory uses no attempt up, so that the failure after it is the first attempt. */
static void test_no_memory_costs_no_attempt(void **unused)
{
    begin();
    ps_test_files_fail(PS_TEST_WRITE, 0, 1, PS_FILE_NO_MEMORY);
    TAKE(PS_BODY("1"));
    ps_test_bucket_pass(0);
    assert_int_equal(counter(PS_COUNTER_ConnectionFailedCount), 1);
    ps_test_files_fail(PS_TEST_FLUSH, 0, 1, PS_FILE_FAILED);
    ps_test_bucket_pass(1000);
    assert_int_equal(counter(PS_COUNTER_ConnectionFailedCount), 2);
    ps_test_bucket_pass(2000);
    assert_int_equal(ps_test_bucket_stage.done_count, 1);
    assert_int_equal(counter(PS_COUNTER_deadletter), 0);
    end("", "");
}

/* The serializer collects events, and the block that it makes of them is refused for lack of memory, but later flushes work: the
 * events of that block are not delivered, and are written to another file. */
static void test_a_lost_block(void **unused)
{
    (void)ps_test_bucket_setup(NULL);
    ps_test_bucket_serializer = "avro_event";
    ps_test_bucket_start();
    ps_test_bucket_pass(0);
    TAKE(PS_BODY("one"));
    ps_test_bucket_pass(0);
    assert_int_equal(ps_test_bucket_stage.done_count, 1);
    ps_test_files_fail(PS_TEST_WRITE, 0, 1, PS_FILE_FAILED);
    TAKE(PS_BODY("two"), PS_BODY("three"));
    ps_test_bucket_pass(0);
    assert_int_equal(ps_test_files_faults(PS_TEST_WRITE), 0);
    assert_int_equal(counter(PS_COUNTER_ConnectionFailedCount), 1);
    assert_int_equal(ps_test_bucket_stage.done_count, 1);
    assert_int_equal(counter(PS_COUNTER_retried), 2);
    ps_test_bucket_pass(1000);
    assert_int_equal(ps_test_bucket_stage.done_count, 2);
    expect_nothing_held();
    ps_test_bucket_finish();
}

/* A directory full of names: the sink rests after some of them, and no event becomes a dead letter. */
static void test_taken_names_cost_no_attempt(void **unused)
{
    static const enum ps_file_error errors[] = {PS_FILE_EXISTS, PS_FILE_LEASE};
    for (size_t i = 0; i < PS_COUNT_OF(errors); i++) {
        assert_int_equal(ps_test_folder_setup(NULL), 0);
        begin();
        ps_test_bucket_stage.port.retry_max = 1;
        ps_test_files_fail(PS_TEST_CREATE, 0, 250, errors[i]);
        TAKE(PS_BODY("1"), PS_BODY("2"));
        for (unsigned j = 0; j < 40; j++)
            ps_test_bucket_pass(1000);
        assert_int_equal(counter(PS_COUNTER_ConnectionFailedCount), 2);
        assert_int_equal(ps_test_bucket_stage.done_count, 1);
        assert_int_equal(counter(PS_COUNTER_deadletter), 0);
        end("", "");
        ps_test_folder_teardown(NULL);
    }
}

/* A path that is the configuration's is no event's choice: the events wait, and dead letters are for those of another mistake. */
static void test_configured_paths(void **unused)
{
    static const enum ps_file_error errors[] = {PS_FILE_NAME, PS_FILE_PARENT};
    for (size_t i = 0; i < PS_COUNT_OF(errors); i++) {
        assert_int_equal(ps_test_folder_setup(NULL), 0);
        begin_at("/d");
        ps_test_bucket_stage.port.retry_max = 0;
        ps_test_files_fail(PS_TEST_CREATE, 0, 20, errors[i]);
        TAKE(PS_BODY("1"));
        for (unsigned j = 0; j < 40; j++)
            ps_test_bucket_pass(5000);
        assert_int_equal(ps_test_bucket_stage.done_count, 1);
        end("", "");
        ps_test_folder_teardown(NULL);
    }
}

/* A directory that may not be written to is the event's matter when others are written in between, not before. */
static void test_denied_again_and_again(void **unused)
{
    begin();
    ps_test_bucket_stage.port.retry_max = 0;
    TAKE(TO("a", "1")); /* its file stays open */
    ps_test_bucket_pass(0);
    ps_test_files_fail(PS_TEST_CREATE, 0, UINT32_MAX, PS_FILE_DENIED);
    TAKE(TO("b", "2"), TO("b", "3"));
    for (unsigned i = 0; i < 10; i++)
        ps_test_bucket_pass(5000);
    assert_int_equal(counter(PS_COUNTER_deadletter), 0);
    TAKE(TO("a", "4"));
    ps_test_bucket_pass(5000);
    ps_test_bucket_pass(5000);
    assert_int_equal(counter(PS_COUNTER_deadletter), 2);
    ps_test_files_fail(PS_TEST_CREATE, 0, 2,
                       PS_FILE_DENIED); /* twice is not enough, also when others are written */
    TAKE(TO("b", "5"), TO("a", "6"));
    for (unsigned i = 0; i < 3; i++)
        ps_test_bucket_pass(5000);
    assert_int_equal(counter(PS_COUNTER_deadletter), 2);
    assert_int_equal(ps_test_bucket_stage.done_count, 4);
    end("event-unwritable", "2\n3\n");
}

/* A file that still backs off when the sink is closed is no longer counted. */
static void test_closed_while_a_file_rests(void **unused)
{
    begin();
    succeed("1");
    ps_test_files_fail(PS_TEST_RENAME, 0, UINT32_MAX, PS_FILE_DENIED);
    ps_test_bucket_pass(100000);
    assert_int_equal(counter(PS_BUCKET_FILES_CLOSING), 1);
    end("", "");
}

/* From here on dead letters cannot be written, and there is room for only a few. */
static void block_letters(void)
{
    char away[512];
    snprintf(away, sizeof away, "%s/away", ps_test_folder());
    assert_int_equal(rename(ps_test_folder_path("dead"), away), 0);
    ps_test_folder_append("dead", "", 0);
}

/* A recall gives back the events whose dead letters are not written yet, whatever their reason, and events of several
 * files. */
static void test_recall_with_letters(void **unused)
{
    static char body[1500000];
    static const enum ps_file_error errors[] = {PS_FILE_NAME, PS_FILE_FAILED};
    memset(body, 'x', sizeof body - 1);
    for (size_t i = 0; i < PS_COUNT_OF(errors); i++) {
        unsigned turns;
        assert_int_equal(ps_test_folder_setup(NULL), 0);
        begin();
        block_letters();
        ps_test_files_fail(PS_TEST_CREATE, 0, 2, errors[i]);
        TAKE(PS_BODY(body), PS_BODY(body), PS_BODY(body), PS_BODY(body));
        ps_test_bucket_pass(0);
        ps_test_bucket_pass(1000);
        assert_in_range(counter(PS_COUNTER_deadletter), 0, 3);
        struct ps_lease *back = ps_test_bucket_recall(&turns);
        assert_non_null(back);
        assert_null(back->next);
        assert_int_equal(back->count, 4);
        expect_nothing_held();
        ps_test_stage_close(&ps_test_bucket_stage);
        ps_test_dead_letters_close(&ps_test_bucket_stage);
        ps_test_bucket_finish();
        ps_test_folder_teardown(NULL);
    }
}

/* A file that fails in a recall gives its events back, with which no dead letter is begun: not then, and not when the sink works again. */
static void test_recall_makes_no_letters(void **unused)
{
    static const enum ps_file_error errors[] = {PS_FILE_NAME, PS_FILE_FAILED};
    for (size_t i = 0; i < PS_COUNT_OF(errors); i++) {
        unsigned turns;
        assert_int_equal(ps_test_folder_setup(NULL), 0);
        begin();
        ps_test_bucket_stage.port.retry_max = 1;
        ps_test_files_hold(PS_TEST_CREATE, "/");
        ps_test_files_fail(PS_TEST_CREATE, 0, 1, errors[i]);
        TAKE(PS_BODY("1"), PS_BODY("2"));
        ps_test_bucket_pass(0);
        ps_test_files_hold(PS_TEST_CREATE, NULL);
        struct ps_lease *back = ps_test_bucket_recall(&turns);
        assert_int_equal(ps_test_files_faults(PS_TEST_CREATE), 0);
        assert_non_null(back);
        assert_null(back->next);
        assert_int_equal(back->count, 2);
        expect_nothing_held();
        ps_test_bucket_pass(0);
        succeed("3");
        assert_int_equal(counter(PS_COUNTER_deadletter), 0);
        end("", "");
        ps_test_folder_teardown(NULL);
    }
}

int main(void)
{
    static const struct {
        const char *name;
        void (*run)(void **state);
    } questions[] = {
        {"creation", test_creation}, {"flush", test_flush},   {"attempts", test_attempts_do_not_add_up},
        {"rename", test_rename},     {"remove", test_remove}, {"recovery", test_recovery},
    };
    static char names[PS_COUNT_OF(questions) * PS_COUNT_OF(rows)][48];
    struct CMUnitTest tests[PS_COUNT_OF(names) + 9];
    size_t count = 0;
    for (size_t i = 0; i < PS_COUNT_OF(questions); i++) {
        for (size_t j = 0; j < PS_COUNT_OF(rows); j++, count++) {
            snprintf(names[count], sizeof names[count], "%s: %s", questions[i].name, rows[j].name);
            tests[count] = (struct CMUnitTest){names[count], questions[i].run, ps_test_folder_setup,
                                               ps_test_folder_teardown, (void *)(uintptr_t)&rows[j]};
        }
    }
    tests[count + 1] = (struct CMUnitTest)cmocka_unit_test_setup_teardown(
        test_half_an_event, ps_test_folder_setup, ps_test_folder_teardown);
    tests[count] = (struct CMUnitTest)cmocka_unit_test_setup_teardown(
        test_closed_while_a_file_rests, ps_test_folder_setup, ps_test_folder_teardown);
    tests[count + 2] = (struct CMUnitTest)cmocka_unit_test(test_recall_with_letters);
    tests[count + 3] = (struct CMUnitTest)cmocka_unit_test(test_a_lost_block);
    tests[count + 4] = (struct CMUnitTest)cmocka_unit_test(test_taken_names_cost_no_attempt);
    tests[count + 5] = (struct CMUnitTest)cmocka_unit_test_setup_teardown(
        test_no_memory_costs_no_attempt, ps_test_folder_setup, ps_test_folder_teardown);
    tests[count + 6] = (struct CMUnitTest)cmocka_unit_test(test_recall_makes_no_letters);
    tests[count + 7] = (struct CMUnitTest)cmocka_unit_test(test_configured_paths);
    tests[count + 8] = (struct CMUnitTest)cmocka_unit_test_setup_teardown(
        test_denied_again_and_again, ps_test_folder_setup, ps_test_folder_teardown);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
