/* Delivery into files: closing, renaming, many buckets, recall, random faults. */
#include "stages/lib/hadoop/bucket_writer/sink.h"

#include "tests/support/bucket_files.h"

#include <stdio.h>

/* ---- closing and renaming ---- */

static void roll_one(void)
{
    ps_test_bucket_settings.roll_events = 1;
    ps_test_bucket_start();
    TAKE(PS_BODY("1"));
    ps_test_bucket_pass(0);
}

/* Names as org.apache.hadoop.fs.Path makes them: the namenode refuses names with an empty component. */
static void test_names_with_slashes(void **unused)
{
    ps_test_bucket_settings.in_use_prefix = "in//_";
    ps_test_bucket_settings.file_suffix = "/.//x";
    roll_one();
    ps_test_files_expect_names(PS_WORDS("/d/in/_f.1700000000001/x.tmp"));
    TAKE(PS_BODY("2"));
    ps_test_bucket_pass(0);
    ps_test_files_expect_names(PS_WORDS(FIRST "/x", "/d/in/_f.1700000000002/x.tmp"));
    ps_test_bucket_finish();
}

static void test_close_fails(void **unused)
{
    roll_one();
    ps_test_files_fail(PS_TEST_CLOSE, 0, 1, PS_FILE_TIMEOUT);
    ps_test_files_fail(PS_TEST_RECOVER, 0, 2, PS_FILE_UNAVAILABLE);
    TAKE(PS_BODY("2"));
    ps_test_bucket_pass(0);
    assert_int_equal(ps_test_bucket_stage.done_count, 2); /* the events were acknowledged before */
    ps_test_files_expect_names(PS_WORDS(FIRST ".tmp", SECOND ".tmp"));
    ps_test_bucket_pass(1000);
    ps_test_files_expect_names(PS_WORDS(FIRST ".tmp", SECOND ".tmp"));
    ps_test_bucket_pass(1000);
    ps_test_files_expect_names(PS_WORDS(FIRST, SECOND ".tmp"));
    assert_int_equal(ps_test_bucket_counter(PS_COUNTER_duplicated), 0);
    ps_test_bucket_finish();
}

/* Another client has the lease (through WebHDFS, a DataNode that is gone): the sink waits until it expires, not for
 * hdfs.retryInterval. */
static void test_file_is_leased(void **unused)
{
    roll_one();
    ps_test_files_fail(PS_TEST_CLOSE, 0, 1, PS_FILE_TIMEOUT);
    ps_test_files_fail(PS_TEST_RECOVER, 0, 7, PS_FILE_LEASE);
    TAKE(PS_BODY("2"));
    ps_test_bucket_pass(0);
    for (unsigned i = 0; i < 6; i++)
        ps_test_bucket_pass(10000);
    ps_test_files_expect_names(PS_WORDS(FIRST ".tmp", SECOND ".tmp"));
    assert_int_equal(ps_test_files_count(PS_TEST_RECOVER), 7);
    ps_test_bucket_pass(10000);
    ps_test_files_expect_names(PS_WORDS(FIRST, SECOND ".tmp"));
    ps_test_bucket_finish();
}

/* A lease that does not expire counts as a failed try each hdfs.retryInterval, although the sink checks it more often. */
static void test_file_stays_leased(void **unused)
{
    roll_one();
    ps_test_files_fail(PS_TEST_CLOSE, 0, 1, PS_FILE_TIMEOUT);
    ps_test_files_fail(PS_TEST_RECOVER, 0, 10, PS_FILE_LEASE);
    TAKE(PS_BODY("2"));
    ps_test_bucket_pass(0);
    for (unsigned i = 0; i < 9; i++)
        ps_test_bucket_pass(10000);
    assert_int_equal(ps_test_files_count(PS_TEST_RECOVER), 10);
    assert_int_equal(ps_test_bucket_counter(PS_COUNTER_ConnectionFailedCount), 2); /* the close, and a try */
    ps_test_bucket_pass(9999);
    assert_int_equal(ps_test_files_count(PS_TEST_RECOVER), 10);
    ps_test_bucket_pass(1);
    ps_test_files_expect_names(PS_WORDS(FIRST, SECOND ".tmp"));
    ps_test_bucket_finish();
}

/* The namenode is away for minutes: the file is completed when it is back, and hdfs.closeTries counts one try in three minutes. */
static void test_recovery_is_late(void **unused)
{
    ps_test_bucket_settings.close_tries = 3;
    roll_one();
    ps_test_files_fail(PS_TEST_CLOSE, 0, 1, PS_FILE_TIMEOUT);
    ps_test_files_fail(PS_TEST_RECOVER, 0, 1000, PS_FILE_UNAVAILABLE);
    TAKE(PS_BODY("2"));
    ps_test_bucket_pass(0);
    for (unsigned i = 0; i < 200; i++)
        ps_test_bucket_pass(1000);
    assert_int_equal(ps_test_bucket_counter(PS_COUNTER_ConnectionFailedCount), 2);
    ps_test_files_fail(PS_TEST_RECOVER, 0, 0, PS_FILE_OK);
    ps_test_bucket_pass(10000);
    ps_test_files_expect_names(PS_WORDS(FIRST, SECOND ".tmp"));
    ps_test_bucket_finish();
}

/* The file was removed while it was written: the sink does not try for ever. */
static void test_file_is_gone(void **unused)
{
    roll_one();
    ps_test_files_fail(PS_TEST_CLOSE, 0, 1, PS_FILE_MISSING);
    ps_test_files_fail(PS_TEST_RECOVER, 0, 1, PS_FILE_MISSING);
    TAKE(PS_BODY("2"));
    ps_test_bucket_pass(0);
    assert_int_equal(ps_test_bucket_counter(PS_BUCKET_FILES_CLOSING), 0);
    ps_test_bucket_finish();
}

static void test_rename_fails(void **unused)
{
    roll_one();
    ps_test_files_fail(PS_TEST_RENAME, 0, 2, PS_FILE_UNAVAILABLE);
    TAKE(PS_BODY("2"));
    ps_test_bucket_pass(0);
    assert_int_equal(ps_test_bucket_counter(PS_BUCKET_RENAMES_RETRIED), 1);
    assert_int_equal(ps_test_bucket_counter(PS_BUCKET_FILES_CLOSING), 1);
    uint64_t due_ns = ps_test_bucket_pass(179999);
    assert_int_equal(due_ns, ps_test_bucket_stage.now.mono_ns + PS_NS_PER_MS);
    assert_int_equal(ps_test_files_count(PS_TEST_RENAME), 1);
    ps_test_bucket_pass(1);
    assert_int_equal(ps_test_files_count(PS_TEST_RENAME), 2);
    ps_test_bucket_pass(180000);
    ps_test_files_expect_names(PS_WORDS(FIRST, SECOND ".tmp"));
    assert_int_equal(ps_test_bucket_counter(PS_BUCKET_FILES_CLOSING), 0);
    ps_test_bucket_finish();
}

/* Two files whose renames fail wait independently. */
static void test_two_renames_fail(void **unused)
{
    roll_one();
    ps_test_files_fail(PS_TEST_RENAME, 0, 2, PS_FILE_UNAVAILABLE);
    TAKE(PS_BODY("2"));
    ps_test_bucket_pass(0);
    ps_test_bucket_pass(60000);
    TAKE(PS_BODY("3"));
    ps_test_bucket_pass(0);
    ps_test_files_expect_names(PS_WORDS(FIRST ".tmp", SECOND ".tmp", THIRD ".tmp"));
    uint64_t due_ns = ps_test_bucket_pass(120000);
    ps_test_files_expect_names(PS_WORDS(FIRST, SECOND ".tmp", THIRD ".tmp"));
    assert_int_equal(due_ns, ps_test_bucket_stage.now.mono_ns + 60 * PS_NS_PER_S);
    ps_test_bucket_pass(60000);
    ps_test_files_expect_names(PS_WORDS(FIRST, SECOND, THIRD ".tmp"));
    ps_test_bucket_finish();
}

static void test_close_tries(void **unused)
{
    ps_test_bucket_settings.close_tries = 2;
    roll_one();
    ps_test_files_fail(PS_TEST_RENAME, 0, 10, PS_FILE_DENIED);
    TAKE(PS_BODY("2"));
    ps_test_bucket_pass(0);
    ps_test_bucket_pass(180000);
    assert_int_equal(ps_test_bucket_counter(PS_BUCKET_FILES_CLOSING), 0); /* given up */
    ps_test_bucket_pass(180000);
    assert_int_equal(ps_test_files_faults(PS_TEST_RENAME), 8);
    ps_test_files_expect_names(PS_WORDS(FIRST ".tmp", SECOND ".tmp"));
    ps_test_bucket_finish();
}

/* hdfs.closeTries applies to each step: attempts to complete the file do not reduce those of the rename. */
static void test_close_tries_of_each_step(void **unused)
{
    ps_test_bucket_settings.close_tries = 2;
    roll_one();
    for (unsigned round = 0; round < 2; round++) {
        ps_test_files_fail(PS_TEST_CLOSE, 0, 1, PS_FILE_TIMEOUT);
        ps_test_files_fail(PS_TEST_RECOVER, 0, 1, PS_FILE_DENIED);
        ps_test_files_fail(PS_TEST_RENAME, 0, 1, PS_FILE_DENIED);
        TAKE(PS_BODY("2"));
        ps_test_bucket_pass(0);
        assert_int_equal(ps_test_files_faults(PS_TEST_RECOVER), 0);
        assert_int_equal(ps_test_bucket_counter(PS_BUCKET_FILES_CLOSING), 1);
        ps_test_bucket_pass(180000);
        assert_int_equal(ps_test_files_faults(PS_TEST_RENAME), 0);
        assert_int_equal(ps_test_bucket_counter(PS_BUCKET_FILES_CLOSING), 1);
        ps_test_bucket_pass(180000);
        assert_int_equal(ps_test_bucket_counter(PS_BUCKET_FILES_CLOSING), 0);
        ps_test_files_expect(round == 0 ? FIRST : SECOND, round == 0 ? "1\n" : "2\n");
    }
    ps_test_bucket_finish();
}

/* A rename took effect, but its answer was lost. */
static void test_rename_done_before(void **unused)
{
    roll_one();
    ps_test_files_fail(PS_TEST_RENAME, 0, 1, PS_FILE_TIMEOUT);
    TAKE(PS_BODY("2"));
    ps_test_bucket_pass(0);
    ps_test_files_fail(PS_TEST_RENAME, 0, 1, PS_FILE_MISSING);
    ps_test_bucket_pass(180000);
    assert_int_equal(ps_test_bucket_counter(PS_BUCKET_FILES_CLOSING), 0);
    ps_test_bucket_finish();
}

static void test_final_name_taken(void **unused)
{
    roll_one();
    ps_test_files_fail(PS_TEST_RENAME, 0, 1, PS_FILE_EXISTS);
    TAKE(PS_BODY("2"));
    ps_test_bucket_pass(0);
    ps_test_files_expect(SECOND, "1\n");
    ps_test_files_expect(SECOND ".tmp", "2\n");
    ps_test_bucket_finish();
}

/* Another agent began a file in the same millisecond, and writes it: this sink takes the next name at once. */
static void test_name_in_use_taken(void **unused)
{
    ps_test_bucket_start();
    ps_test_files_fail(PS_TEST_CREATE, 0, 1, PS_FILE_LEASE);
    TAKE(PS_BODY("1"));
    ps_test_bucket_pass(0);
    ps_test_files_expect(SECOND ".tmp", "1\n");
    assert_int_equal(ps_test_bucket_counter(PS_COUNTER_ConnectionFailedCount), 0);
    ps_test_bucket_finish();
}

/* The same, but the file was rolled and closed before the conflict is known: the other agent's file must not be
 * removed. */
static void test_name_taken_late(void **unused)
{
    ps_test_bucket_settings.roll_events = 1;
    ps_test_bucket_start();
    ps_test_files_hold(PS_TEST_CREATE, "");
    ps_test_files_fail(PS_TEST_CREATE, 0, 1, PS_FILE_LEASE);
    TAKE(PS_BODY("1"), PS_BODY("2"));
    ps_test_bucket_pass(0);
    ps_test_files_hold(PS_TEST_CREATE, NULL);
    for (unsigned i = 0; i < 5; i++)
        ps_test_bucket_pass(1000);
    assert_int_equal(ps_test_bucket_stage.done_count, 1);
    assert_int_equal(ps_test_files_count(PS_TEST_REMOVE), 0);
    assert_int_equal(ps_test_bucket_counter(PS_COUNTER_ConnectionFailedCount), 0);
    assert_int_equal(ps_test_bucket_counter(PS_COUNTER_duplicated), 0);
    ps_test_bucket_finish();
}

/* ---- many buckets ---- */

enum { BUCKETS = 2000 };

/* Takes an event for each of the buckets, in two leases. */
static void take_many(void)
{
    static char kinds[BUCKETS][8];
    static const char *headers[BUCKETS][3];
    static struct ps_test_event events[BUCKETS];
    for (unsigned i = 0; i < BUCKETS; i++) {
        snprintf(kinds[i], sizeof kinds[i], "%u", i);
        headers[i][0] = "k";
        headers[i][1] = kinds[i];
        events[i] = PS_BODY("x");
        events[i].headers = headers[i];
    }
    for (unsigned first = 0; first < BUCKETS; first += BUCKETS / 2) {
        ps_test_bucket_take(ps_test_lease(&ps_test_bucket_stage, events + first, BUCKETS / 2));
        ps_test_bucket_pass(10); /* flushes of many files wait for more events */
    }
}

static void test_many(void **unused)
{
    ps_test_bucket_path = "/d/%{k}";
    ps_test_bucket_settings.open_files_max = 1500;
    ps_test_bucket_start();
    take_many();
    assert_int_equal(ps_test_bucket_stage.done_count, 2);
    assert_int_equal(ps_test_bucket_counter(PS_BUCKET_FILES_OPEN), 1500);
    ps_test_files_expect("/d/0/f.1700000000001", "x\n"); /* the file that had no event for the longest time */
    ps_test_files_expect("/d/499/f.1700000000001", "x\n");
    ps_test_files_expect("/d/500/f.1700000000001.tmp", "x\n");
    unsigned turns;
    assert_null(ps_test_bucket_recall(&turns));
    assert_int_equal(ps_test_bucket_counter(PS_BUCKET_FILES_OPEN), 0);
    ps_test_files_expect("/d/500/f.1700000000001", "x\n");
    ps_test_bucket_finish();
}

/* Files that are being closed are limited like open ones: no others are begun before one of them is closed, and the sink sleeps. */
static void test_many_are_closing(void **unused)
{
    enum { OPEN = 10, BEGUN = OPEN + PS_BUCKET_ENDING_MAX };
    ps_test_bucket_path = "/d/%{k}";
    ps_test_bucket_settings.open_files_max = OPEN;
    ps_test_files_hold(PS_TEST_CLOSE, "");
    ps_test_bucket_start();
    take_many();
    assert_int_equal(ps_test_files_count(PS_TEST_CREATE), BEGUN);
    assert_int_equal(ps_test_bucket_counter(PS_BUCKET_FILES_OPEN), OPEN);
    for (int i = 0; i < 10; i++)
        assert_true(ps_test_bucket_pass(100) > ps_test_bucket_stage.now.mono_ns);
    assert_int_equal(ps_test_files_count(PS_TEST_CREATE), BEGUN);
    ps_test_files_release(PS_TEST_CLOSE, 100);
    for (int i = 0; i < 10; i++)
        ps_test_bucket_pass(0);
    assert_int_equal(ps_test_files_count(PS_TEST_CREATE), BEGUN + 100);
    ps_test_files_hold(PS_TEST_CLOSE, NULL);
    for (int i = 0; ps_test_bucket_stage.done_count < 2; i++) {
        assert_true(i < 100);
        ps_test_bucket_pass(0);
    }
    ps_test_files_expect("/d/0/f.1700000000001", "x\n");
    unsigned turns;
    assert_null(ps_test_bucket_recall(&turns));
    ps_test_bucket_finish();
}

/* ---- recall ---- */

static void test_recall(void **unused)
{
    unsigned turns;
    ps_test_bucket_start();
    TAKE(PS_BODY("1"));
    ps_test_bucket_pass(0);
    ps_test_files_hold(PS_TEST_FLUSH, "");
    TAKE(PS_BODY("2"));
    ps_test_bucket_pass(0);
    TAKE(PS_BODY("3"), PS_BODY("4"));
    struct ps_lease *back = ps_test_bucket_recall(&turns);
    assert_in_range(turns, 301, 310); /* 5 s for acknowledgements, as long as the call time-out for closing */
    assert_int_equal(back->count, 1);
    assert_int_equal(back->next->count, 2);
    assert_null(back->next->next);
    assert_int_equal(back->settled + back->next->settled, 0);
    assert_int_equal(ps_test_bucket_stage.done_count, 1);
    /* The sink continues when the file system answers. */
    ps_test_files_hold(PS_TEST_FLUSH, NULL);
    struct ps_lease *second = back->next;
    back->next = NULL;
    ps_test_bucket_take(back);
    ps_test_bucket_take(second);
    ps_test_bucket_pass(0);
    assert_int_equal(ps_test_bucket_stage.done_count, 3);
    ps_test_bucket_finish();
}

/* A file that waits for its next try gets its final name before the sink is closed. */
static void test_recall_does_not_wait_for_the_next_try(void **unused)
{
    unsigned turns;
    roll_one();
    ps_test_files_fail(PS_TEST_RENAME, 0, 1, PS_FILE_UNAVAILABLE);
    TAKE(PS_BODY("2"));
    ps_test_bucket_pass(0);
    ps_test_files_expect_names(PS_WORDS(FIRST ".tmp", SECOND ".tmp"));
    assert_null(ps_test_bucket_recall(&turns));
    ps_test_files_expect_names(PS_WORDS(FIRST, SECOND));
    ps_test_bucket_finish();
}

/* A file system does not answer: the recall waits only shortly for a file that may not exist. */
static void test_recall_while_a_file_is_created(void **unused)
{
    unsigned turns;
    ps_test_bucket_start();
    ps_test_files_hold(PS_TEST_CREATE, "");
    TAKE(PS_BODY("1"));
    ps_test_bucket_pass(0);
    struct ps_lease *back = ps_test_bucket_recall(&turns);
    assert_in_range(turns, 11, 20); /* 1 s */
    assert_int_equal(back->count, 1);
    ps_test_files_hold(PS_TEST_CREATE, NULL);
    ps_test_bucket_take(back);
    ps_test_bucket_pass(0);
    assert_int_equal(ps_test_bucket_stage.done_count, 1);
    ps_test_bucket_finish();
}

/* The recall waits a shorter time for a file whose rename has failed before than for one whose rename was never
 * tried. */
static void test_recall_after_a_failure(void **unused)
{
    unsigned turns;
    roll_one();
    ps_test_files_fail(PS_TEST_RENAME, 0, 1, PS_FILE_UNAVAILABLE);
    TAKE(PS_BODY("2"));
    ps_test_bucket_pass(0);
    ps_test_files_hold(PS_TEST_RENAME, FIRST ".tmp");
    assert_null(ps_test_bucket_recall(&turns));
    assert_in_range(turns, 51, 60); /* 5 s */
    ps_test_files_hold(PS_TEST_RENAME, NULL);
    ps_test_bucket_finish();
}

/* The events of a failing bucket also come back. */
static void test_recall_failing(void **unused)
{
    unsigned turns;
    ps_test_bucket_start();
    ps_test_files_fail(PS_TEST_CREATE, 0, 1, PS_FILE_DENIED);
    TAKE(PS_BODY("1"));
    ps_test_bucket_pass(0);
    struct ps_lease *back = ps_test_bucket_recall(&turns);
    assert_int_equal(turns, 1);
    assert_non_null(back);
    ps_test_bucket_take(back);
    ps_test_bucket_pass(0);
    assert_int_equal(ps_test_bucket_stage.done_count, 1);
    ps_test_bucket_finish();
}

/* ---- random faults ---- */

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

/* Random faults of all operations, rolls, holds: in the end every event is in a file, and twice only if it was counted as duplicated. */
static void test_random_faults(void **unused)
{
    static char bodies[NUMBERS][8];
    static const char *kinds[] = {"0", "1", "2", "3", "4"};
    uint64_t random = ps_test_seed();
    ps_test_bucket_path = "/d/%{k}";
    ps_test_bucket_settings.roll_events = 7;
    ps_test_bucket_settings.roll_interval_ns = 3 * PS_NS_PER_S;
    ps_test_bucket_settings.idle_ns = 2 * PS_NS_PER_S;
    ps_test_bucket_settings.open_files_max = 3;
    ps_test_bucket_settings.retry_ns = PS_NS_PER_S;
    ps_test_bucket_start();
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
        ps_test_bucket_take(ps_test_lease(&ps_test_bucket_stage, events, count));
        leases++;
        enum ps_test_file_operation operation = (enum ps_test_file_operation)(
            ps_test_random(&random) % PS_TEST_WRITE); /* half an event would be read as one */
        static const enum ps_file_error errors[] = {PS_FILE_EXISTS, PS_FILE_UNAVAILABLE, PS_FILE_TIMEOUT,
                                                    PS_FILE_FAILED};
        if (ps_test_random(&random) % 4 == 0 && operation != PS_TEST_REMOVE)
            ps_test_files_fail(operation, (unsigned)(ps_test_random(&random) % 3),
                               1 + (unsigned)(ps_test_random(&random) % 2),
                               operation == PS_TEST_RENAME
                                   ? PS_FILE_UNAVAILABLE
                                   : errors[ps_test_random(&random) % PS_COUNT_OF(errors)]);
        ps_test_files_hold(operation, ps_test_random(&random) % 3 == 0 ? "/2/" : NULL);
        ps_test_bucket_pass(ps_test_random(&random) % 300);
        if (ps_test_bucket_stage.batch_count > PS_TEST_BATCHES_MAX - 10)
            break;
    }
    for (unsigned i = 0; i < PS_TEST_OPERATIONS; i++) {
        ps_test_files_hold((enum ps_test_file_operation)i, NULL);
        ps_test_files_fail((enum ps_test_file_operation)i, 0, 0, PS_FILE_OK);
    }
    for (int i = 0; i < 100; i++)
        ps_test_bucket_pass(1000);
    assert_int_equal(ps_test_bucket_stage.done_count, leases);
    struct seen seen = {.lines = 0};
    ps_test_files_each(read_file, &seen);
    uint64_t twice = 0;
    for (unsigned i = 0; i < NUMBERS; i++) {
        if (seen.times[i] == 0)
            fail_msg("event %u is lost", i);
        twice += seen.times[i] - 1;
    }
    if (twice > ps_test_bucket_counter(PS_COUNTER_duplicated))
        fail_msg("%u events are there twice, %u were counted", (unsigned)twice,
                 (unsigned)ps_test_bucket_counter(PS_COUNTER_duplicated));
    assert_int_equal(ps_test_files_open(), 0);
    assert_int_equal(ps_test_bucket_counter(PS_BUCKET_FILES_CLOSING), 0);
    ps_test_bucket_finish();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_file_is_leased, ps_test_bucket_setup),
        cmocka_unit_test_setup(test_file_stays_leased, ps_test_bucket_setup),
        cmocka_unit_test_setup(test_recovery_is_late, ps_test_bucket_setup),
        cmocka_unit_test_setup(test_names_with_slashes, ps_test_bucket_setup),
        cmocka_unit_test_setup(test_close_fails, ps_test_bucket_setup),
        cmocka_unit_test_setup(test_file_is_gone, ps_test_bucket_setup),
        cmocka_unit_test_setup(test_rename_fails, ps_test_bucket_setup),
        cmocka_unit_test_setup(test_two_renames_fail, ps_test_bucket_setup),
        cmocka_unit_test_setup(test_close_tries, ps_test_bucket_setup),
        cmocka_unit_test_setup(test_close_tries_of_each_step, ps_test_bucket_setup),
        cmocka_unit_test_setup(test_rename_done_before, ps_test_bucket_setup),
        cmocka_unit_test_setup(test_final_name_taken, ps_test_bucket_setup),
        cmocka_unit_test_setup(test_name_in_use_taken, ps_test_bucket_setup),
        cmocka_unit_test_setup(test_name_taken_late, ps_test_bucket_setup),
        cmocka_unit_test_setup(test_many, ps_test_bucket_setup),
        cmocka_unit_test_setup(test_many_are_closing, ps_test_bucket_setup),
        cmocka_unit_test_setup(test_recall, ps_test_bucket_setup),
        cmocka_unit_test_setup(test_recall_does_not_wait_for_the_next_try, ps_test_bucket_setup),
        cmocka_unit_test_setup(test_recall_while_a_file_is_created, ps_test_bucket_setup),
        cmocka_unit_test_setup(test_recall_after_a_failure, ps_test_bucket_setup),
        cmocka_unit_test_setup(test_recall_failing, ps_test_bucket_setup),
        cmocka_unit_test_setup(test_random_faults, ps_test_bucket_setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
