/* Delivery into files: flushes, failures, rolling. */
#include "stages/lib/hadoop/bucket_writer/sink.h"

#include "tests/support/bucket_files.h"
#include "tests/support/dead_letters.h"
#include "tests/support/folder.h"
#include "tests/support/hash_tables.h"

/* ---- delivery ---- */

/* A lease is done when its flush is acknowledged; the next one does not wait for that, and shares a flush. */
static void test_flush(void **unused)
{
    ps_test_bucket_start();
    ps_test_files_hold(PS_TEST_FLUSH, "");
    TAKE(PS_BODY("1"));
    ps_test_bucket_pass(0);
    TAKE(PS_BODY("2"));
    ps_test_bucket_pass(0);
    TAKE(PS_BODY("3"));
    TAKE(PS_BODY("4"), PS_BODY("5"));
    ps_test_bucket_pass(0);
    assert_int_equal(ps_test_files_count(PS_TEST_FLUSH), 2); /* a third waits for the first */
    assert_int_equal(ps_test_bucket_stage.done_count, 0);
    ps_test_files_release(PS_TEST_FLUSH, 1);
    ps_test_bucket_pass(0);
    assert_int_equal(ps_test_bucket_stage.done_count, 1);
    assert_int_equal(ps_test_files_count(PS_TEST_FLUSH), 3);
    ps_test_files_expect(FIRST ".tmp", "1\n");
    ps_test_files_hold(PS_TEST_FLUSH, NULL);
    ps_test_bucket_pass(0);
    assert_int_equal(ps_test_bucket_stage.done_count, 4);
    ps_test_files_expect(FIRST ".tmp", "1\n2\n3\n4\n5\n");
    assert_int_equal(ps_test_files_count(PS_TEST_FLUSH), 3);
    assert_int_equal(ps_test_bucket_pass(0), PS_NEVER);
    ps_test_bucket_finish();
}

#define NINE_FILES(body)                                                                                     \
    TO("a", body), TO("b", body), TO("c", body), TO("d", body), TO("e", body), TO("f", body), TO("g", body), \
        TO("h", body), TO("i", body)

/* Lets time pass, and runs a cycle. Returns the time until the next one is due, in ns. */
static uint64_t pass_us(uint64_t us)
{
    ps_test_bucket_stage.now.mono_ns += us * 1000;
    return ps_test_sink_tick(&ps_test_bucket_stage) - ps_test_bucket_stage.now.mono_ns;
}

/* While leases come, a flush waits for more events if many files are open; a file's second flush waits for the answer to its first. */
static void test_flush_together(void **unused)
{
    ps_test_bucket_path = "/d/%{k}";
    ps_test_bucket_start();
    ps_test_bucket_pass(0); /* no files of an earlier run exist */
    ps_test_files_hold(PS_TEST_FLUSH, "");
    TAKE(NINE_FILES("1"));
    pass_us(0);                             /* the files are made */
    assert_int_equal(pass_us(0), 9 * 5000); /* if no lease comes until then */
    assert_int_equal(pass_us(44), 1000);
    assert_int_equal(ps_test_files_count(PS_TEST_FLUSH), 0);
    for (unsigned i = 0; i < 21; i++) { /* the first event is 44 us old by then */
        TAKE(NINE_FILES("2"));
        assert_int_equal(pass_us(40), 5000);
    }
    assert_int_equal(ps_test_files_count(PS_TEST_FLUSH), 0);
    TAKE(NINE_FILES("3"));
    assert_int_equal(pass_us(15), 1000);
    pass_us(1); /* the event has waited 100 us for each file */
    assert_int_equal(ps_test_files_count(PS_TEST_FLUSH), 9);
    TAKE(NINE_FILES("4"));
    assert_true(ps_test_bucket_pass(10) > ps_test_bucket_stage.now.mono_ns); /* the sink waits for answers */
    assert_int_equal(ps_test_files_count(PS_TEST_FLUSH), 9);
    ps_test_files_hold(PS_TEST_FLUSH, NULL);
    ps_test_bucket_pass(0);
    assert_int_equal(ps_test_files_count(PS_TEST_FLUSH), 18);
    assert_int_equal(ps_test_bucket_stage.done_count, 24);
    ps_test_bucket_finish();
}

/* With many files, a second flush of a file does not wait for the answer to its first if the file has got enough bytes; a third one waits. */
static void test_flush_of_many_bytes(void **unused)
{
    static char bytes[PS_BUCKET_FLUSH_BYTES + 1];
    ps_test_bucket_path = "/d/%{k}";
    ps_test_bucket_start();
    ps_test_bucket_pass(0);
    ps_test_files_hold(PS_TEST_FLUSH, "");
    for (unsigned i = 0; i < 2; i++) {
        TAKE(NINE_FILES("1"), TO("j", "1"));
        ps_test_bucket_pass(10);
        assert_int_equal(ps_test_files_count(PS_TEST_FLUSH), 10);
    }
    memset(bytes, 'b', PS_BUCKET_FLUSH_BYTES);
    TAKE(TO("a", bytes + 2)); /* one byte is missing */
    ps_test_bucket_pass(10);
    assert_int_equal(ps_test_files_count(PS_TEST_FLUSH), 10);
    TAKE(TO("a", "2"));
    ps_test_bucket_pass(10);
    assert_int_equal(ps_test_files_count(PS_TEST_FLUSH), 11);
    TAKE(TO("a", bytes));
    ps_test_bucket_pass(10);
    assert_int_equal(ps_test_files_count(PS_TEST_FLUSH), 11);
    ps_test_files_hold(PS_TEST_FLUSH, NULL);
    ps_test_bucket_pass(0);
    assert_int_equal(ps_test_bucket_stage.done_count, 5);
    ps_test_bucket_finish();
}

/* A file without answers holds up only its own leases, and later ones, as leases are done in order. */
static void test_slow_file(void **unused)
{
    ps_test_bucket_path = "/d/%{k}";
    ps_test_bucket_start();
    ps_test_files_hold(PS_TEST_FLUSH, "/a/");
    TAKE(TO("b", "1"));
    TAKE(TO("a", "2"), TO("b", "3"));
    TAKE(TO("b", "4"));
    ps_test_bucket_pass(0);
    assert_int_equal(ps_test_bucket_stage.done_count, 1);
    ps_test_files_expect("/d/b/f.1700000000001.tmp", "1\n3\n4\n");
    ps_test_files_hold(PS_TEST_FLUSH, NULL);
    ps_test_bucket_pass(0);
    assert_int_equal(ps_test_bucket_stage.done_count, 3);
    ps_test_files_expect("/d/a/f.1700000000001.tmp", "2\n");
    ps_test_bucket_finish();
}

/* Written bytes without acknowledgement use memory, so no more leases are taken. */
static void test_memory(void **unused)
{
    ps_test_bucket_settings.held_bytes_max = 10;
    ps_test_bucket_start();
    ps_test_files_hold(PS_TEST_FLUSH, "");
    TAKE(PS_BODY("123456789"));
    struct ps_lease *lease = PS_LEASE(&ps_test_bucket_stage, PS_BODY("x"));
    assert_int_equal(ps_test_sink_work(&ps_test_bucket_stage, &lease), PS_LATER);
    assert_true(ps_test_bucket_pass(0) > ps_test_bucket_stage.now.mono_ns);
    ps_test_files_hold(PS_TEST_FLUSH, NULL);
    assert_int_equal(ps_test_sink_tick(&ps_test_bucket_stage),
                     ps_test_bucket_stage.now.mono_ns); /* call `work` at once */
    assert_int_equal(ps_test_sink_work(&ps_test_bucket_stage, &lease), PS_TAKEN);
    ps_test_bucket_pass(0);
    assert_int_equal(ps_test_bucket_stage.done_count, 2);
    ps_test_bucket_finish();
}

/* ---- files that cannot be begun ---- */

static void test_create_fails(void **unused)
{
    ps_test_bucket_path = "/d/%{k}";
    ps_test_bucket_start();
    ps_test_files_fail(PS_TEST_CREATE, 0, 2, PS_FILE_UNAVAILABLE);
    TAKE(TO("a", "1"), TO("a", "2"));
    TAKE(TO("a", "3"));
    ps_test_bucket_pass(0);
    assert_int_equal(ps_test_files_count(PS_TEST_CREATE), 1);
    assert_int_equal(ps_test_bucket_counter(PS_COUNTER_ConnectionFailedCount), 1);
    assert_int_equal(ps_test_bucket_counter(PS_COUNTER_EventWriteFail), 1);
    assert_int_equal(ps_test_bucket_counter(PS_COUNTER_duplicated), 0); /* nothing was sent */
    uint64_t due_ns = ps_test_bucket_pass(999);
    assert_int_equal(due_ns, ps_test_bucket_stage.now.mono_ns + PS_NS_PER_MS);
    assert_int_equal(ps_test_files_count(PS_TEST_CREATE), 1);
    ps_test_bucket_pass(1); /* the second also fails */
    assert_int_equal(ps_test_files_count(PS_TEST_CREATE), 2);
    TAKE(TO("b", "4"));
    ps_test_bucket_pass(0);
    ps_test_files_expect("/d/b/f.1700000001001.tmp", "4\n");
    assert_int_equal(ps_test_bucket_stage.done_count, 0);
    ps_test_bucket_pass(1999);
    assert_int_equal(ps_test_bucket_stage.done_count, 0);
    ps_test_bucket_pass(1);
    assert_int_equal(ps_test_bucket_stage.done_count, 3);
    ps_test_files_expect("/d/a/f.1700000000003.tmp", "1\n2\n3\n");
    ps_test_bucket_finish();
}

/* Somebody else has the name: the sink takes the next number at once, and counts no failure. */
static void test_name_in_use_taken(void **unused)
{
    ps_test_bucket_start();
    ps_test_files_fail(PS_TEST_CREATE, 0, 2, PS_FILE_EXISTS);
    TAKE(PS_BODY("1"), PS_BODY("2"));
    ps_test_bucket_pass(0);
    ps_test_files_expect_names(PS_WORDS(THIRD ".tmp"));
    ps_test_files_expect(THIRD ".tmp", "1\n2\n");
    assert_int_equal(ps_test_bucket_stage.done_count, 1);
    assert_int_equal(ps_test_bucket_counter(PS_COUNTER_ConnectionFailedCount), 0);
    ps_test_bucket_finish();
}

/* Each name is in use, as an old namenode says when a parent of the directory is a file: the sink rests after some names, says so, and
 * then tries further ones. */
static void test_all_names_in_use(void **unused)
{
    enum { NAMES = 250, AT_ONCE = 100 };
    ps_test_bucket_start();
    ps_test_files_fail(PS_TEST_CREATE, 0, NAMES, PS_FILE_EXISTS);
    TAKE(PS_BODY("1"), PS_BODY("2"));
    for (unsigned i = 0; i < 20; i++)
        ps_test_bucket_pass(0);
    assert_int_equal(ps_test_files_count(PS_TEST_CREATE), AT_ONCE + 1);
    assert_int_equal(ps_test_bucket_counter(PS_COUNTER_ConnectionFailedCount), 1);
    assert_int_equal(ps_test_bucket_counter(PS_COUNTER_retried), 0);
    for (unsigned i = 0; i < 40; i++)
        ps_test_bucket_pass(10000);
    assert_int_equal(ps_test_files_count(PS_TEST_CREATE), NAMES + 1);
    assert_int_equal(ps_test_bucket_counter(PS_COUNTER_ConnectionFailedCount), 2);
    ps_test_files_expect("/d/f.1700000000251.tmp", "1\n2\n");
    assert_int_equal(ps_test_bucket_stage.done_count, 1);
    ps_test_bucket_finish();
}

/* ---- a write or a flush that fails ---- */

/* Acknowledged events stay, the others are written again, in order and before later events; the broken file
 * is completed. */
static void test_flush_fails(void **unused)
{
    ps_test_bucket_start();
    TAKE(PS_BODY("1"), PS_BODY("2"));
    ps_test_bucket_pass(0);
    ps_test_files_fail(PS_TEST_FLUSH, 0, 1, PS_FILE_FAILED);
    TAKE(PS_BODY("3"), PS_BODY("4"));
    TAKE(PS_BODY("5"));
    ps_test_bucket_pass(0);
    TAKE(PS_BODY("6"));
    ps_test_bucket_pass(0);
    assert_int_equal(ps_test_bucket_stage.done_count, 1);
    ps_test_files_expect(FIRST, "1\n2\n");
    assert_int_equal(ps_test_bucket_counter(PS_BUCKET_FILES_RECOVERED), 1);
    assert_int_equal(ps_test_bucket_counter(PS_COUNTER_retried), 3);
    assert_int_equal(ps_test_bucket_counter(PS_COUNTER_duplicated), 3);
    ps_test_bucket_pass(1000);
    ps_test_files_expect_names(PS_WORDS(FIRST, SECOND ".tmp"));
    ps_test_files_expect(SECOND ".tmp", "3\n4\n5\n6\n");
    assert_int_equal(ps_test_bucket_stage.done_count, 4);
    assert_int_equal(ps_test_files_open(), 1);
    ps_test_bucket_finish();
}

/* Two flushes under way: the first is acknowledged, the second is not. A file without an acknowledged event is removed. */
static void test_second_flush_fails(void **unused)
{
    ps_test_bucket_start();
    ps_test_files_hold(PS_TEST_FLUSH, "");
    TAKE(PS_BODY("1"));
    ps_test_bucket_pass(0);
    TAKE(PS_BODY("2"));
    ps_test_bucket_pass(0);
    ps_test_files_fail(PS_TEST_FLUSH, 1, 2, PS_FILE_TIMEOUT);
    ps_test_files_hold(PS_TEST_FLUSH, NULL);
    ps_test_bucket_pass(0);
    assert_int_equal(ps_test_bucket_stage.done_count, 1);
    ps_test_bucket_pass(1000); /* fails again */
    ps_test_files_expect_names(PS_WORDS(FIRST));
    ps_test_bucket_pass(1999);
    assert_int_equal(ps_test_bucket_stage.done_count, 1);
    ps_test_bucket_pass(1);
    assert_int_equal(ps_test_bucket_stage.done_count, 2);
    ps_test_files_expect_names(PS_WORDS(FIRST, THIRD ".tmp"));
    ps_test_files_expect(FIRST, "1\n");
    ps_test_files_expect(THIRD ".tmp", "2\n");
    ps_test_bucket_finish();
}

/* Other buckets continue while one backs off. */
static void test_one_fails(void **unused)
{
    ps_test_bucket_path = "/d/%{k}";
    ps_test_bucket_start();
    TAKE(TO("a", "1"), TO("b", "2"));
    ps_test_bucket_pass(0);
    ps_test_files_fail(PS_TEST_FLUSH, 0, 1, PS_FILE_NO_SPACE);
    TAKE(TO("a", "3"));
    ps_test_bucket_pass(0);
    TAKE(TO("b", "4"));
    TAKE(TO("a", "5"));
    ps_test_bucket_pass(0);
    ps_test_files_expect("/d/b/f.1700000000001.tmp", "2\n4\n");
    assert_int_equal(ps_test_bucket_stage.done_count, 1);
    ps_test_bucket_pass(1000);
    assert_int_equal(ps_test_bucket_stage.done_count, 4);
    ps_test_files_expect("/d/a/f.1700000000001", "1\n");
    ps_test_files_expect("/d/a/f.1700000000002.tmp", "3\n5\n");
    ps_test_bucket_finish();
}

/* Two of seven leases have an event of a file that fails for good. The remaining leases come back in the
 * order taken. */
static void one_fails_for_good(bool any_order, size_t done)
{
    unsigned turns;
    struct ps_lease *taken[6];
    ps_test_bucket_path = "/d/%{k}";
    ps_test_bucket_start();
    TAKE(TO("a", "1"), TO("b", "2"));
    ps_test_bucket_pass(0);
    assert_int_equal(ps_test_bucket_stage.done_count, 1);
    ps_test_files_fail(PS_TEST_FLUSH, 0, 1, PS_FILE_NO_SPACE);
    ps_test_files_fail(PS_TEST_CREATE, 0, 1000, PS_FILE_NO_SPACE);
    for (int i = 0; i < 6; i++) {
        taken[i] = PS_LEASE(&ps_test_bucket_stage, TO(i % 3 == 0 ? "a" : "b", "x"));
        taken[i]->batch->any_order = any_order;
        ps_test_bucket_take(taken[i]);
        ps_test_bucket_pass(0);
    }
    assert_int_equal(ps_test_bucket_stage.done_count, done);
    struct ps_lease *back = ps_test_bucket_recall(&turns);
    assert_int_equal(ps_test_bucket_stage.done_count, 5);
    assert_ptr_equal(back, taken[0]);
    assert_ptr_equal(back->next, taken[3]);
    assert_null(back->next->next);
    ps_test_bucket_finish();
}

static void test_one_fails_for_good(void **unused)
{
    one_fails_for_good(false, 1);
}

/* The channel records each batch by itself: the other leases are not held up. */
static void test_one_fails_for_good_in_any_order(void **unused)
{
    one_fails_for_good(true, 5);
}

/* ---- rolling ---- */

/* The next file is begun, but not written to before all of this one is acknowledged; its close takes a while. */
static void test_order_over_files(void **unused)
{
    ps_test_bucket_settings.roll_events = 2;
    ps_test_bucket_start();
    ps_test_files_hold(PS_TEST_FLUSH, "");
    ps_test_files_hold(PS_TEST_CLOSE, "");
    TAKE(PS_BODY("1"), PS_BODY("2"), PS_BODY("3"));
    ps_test_bucket_pass(0);
    ps_test_files_expect_names(PS_WORDS(FIRST ".tmp", SECOND ".tmp"));
    assert_int_equal(ps_test_files_count(PS_TEST_FLUSH), 1);
    ps_test_files_hold(PS_TEST_FLUSH, NULL);
    ps_test_bucket_pass(0);
    assert_int_equal(ps_test_bucket_stage.done_count, 1);
    ps_test_files_expect(SECOND ".tmp", "3\n");
    ps_test_files_expect(FIRST ".tmp", "1\n2\n");
    assert_int_equal(ps_test_bucket_counter(PS_BUCKET_FILES_OPEN), 1);
    ps_test_files_hold(PS_TEST_CLOSE, NULL);
    ps_test_bucket_pass(0);
    ps_test_files_expect_names(PS_WORDS(FIRST, SECOND ".tmp"));
    ps_test_bucket_finish();
}

/* The last flush of a rolled file fails while the next file is there: its events come first in that one. */
static void test_rolled_file_fails(void **unused)
{
    ps_test_bucket_settings.roll_events = 2;
    ps_test_bucket_start();
    ps_test_files_fail(PS_TEST_FLUSH, 0, 1, PS_FILE_LEASE);
    TAKE(PS_BODY("1"), PS_BODY("2"), PS_BODY("3"));
    ps_test_bucket_pass(0);
    assert_int_equal(ps_test_bucket_stage.done_count, 0);
    ps_test_bucket_pass(1000);
    assert_int_equal(ps_test_bucket_stage.done_count, 1);
    ps_test_files_expect_names(PS_WORDS(SECOND, THIRD ".tmp"));
    ps_test_files_expect(SECOND, "1\n2\n");
    ps_test_files_expect(THIRD ".tmp", "3\n");
    ps_test_bucket_finish();
}

static void test_replicas(void **unused)
{
    ps_test_bucket_settings.replicas_min = 2;
    ps_test_bucket_start();
    ps_test_files_replicas(1, 3);
    for (int i = 0; i < 40; i++) {
        TAKE(PS_BODY("x"));
        ps_test_bucket_pass(0);
    }
    assert_int_equal(ps_test_files_count(PS_TEST_CREATE), 31); /* at most 30 rolls in a row */
    ps_test_files_replicas(2, 3);
    TAKE(PS_BODY("y"));
    ps_test_bucket_pass(0);
    ps_test_files_replicas(1, 3);
    TAKE(PS_BODY("z"));
    ps_test_bucket_pass(0);
    assert_int_equal(ps_test_bucket_stage.done_count, 42);
    ps_test_bucket_finish();
}

/* Without hdfs.minBlockReplicas the sink asks the file system for the replication of the first file, and expects that many replicas. */
static void test_replicas_learnt(void **unused)
{
    ps_test_bucket_settings.replicas_min = -1;
    ps_test_bucket_start();
    ps_test_files_replicas(2, 3);
    TAKE(PS_BODY("1"));
    ps_test_bucket_pass(0);
    assert_int_equal(ps_test_files_count(PS_TEST_STAT), 1);
    TAKE(PS_BODY("2"));
    ps_test_bucket_pass(0);
    assert_int_equal(ps_test_files_count(PS_TEST_CREATE), 2);
    ps_test_files_replicas(3, 3);
    TAKE(PS_BODY("3"));
    ps_test_bucket_pass(0);
    assert_int_equal(ps_test_files_count(PS_TEST_CREATE), 2);
    assert_int_equal(ps_test_files_count(PS_TEST_STAT), 1);
    ps_test_bucket_finish();
}

/* No further datanode is available: all buckets together roll a few small files, not thirty each. A file that is full
 * is rolled in any case. */
static void test_replicas_not_to_be_had(void **unused)
{
    ps_test_bucket_path = "/d/%{k}";
    ps_test_bucket_settings.replicas_min = -1;
    ps_test_bucket_settings.roll_events = 10;
    ps_test_bucket_start();
    ps_test_files_replicas(2, 3);
    for (int i = 0; i < 9; i++) {
        TAKE(TO("a", "x"), TO("b", "x"));
        ps_test_bucket_pass(0);
    }
    assert_int_equal(ps_test_files_count(PS_TEST_CREATE), 2 + 3);
    for (int i = 0; i < 10; i++) {
        TAKE(TO("a", "x"), TO("b", "x"));
        ps_test_bucket_pass(0);
    }
    assert_int_equal(ps_test_files_count(PS_TEST_CREATE), 2 + 3 + 2);
    ps_test_files_replicas(3, 3); /* the datanode is there again .. */
    TAKE(TO("a", "x"), TO("b", "x"));
    ps_test_bucket_pass(0);
    ps_test_files_replicas(2, 3); /* .. and gone */
    TAKE(TO("a", "x"));
    ps_test_bucket_pass(0);
    assert_int_equal(ps_test_files_count(PS_TEST_CREATE), 2 + 3 + 2 + 1);
    ps_test_bucket_finish();
}

/* penstock.retry.max: an event that the file system refuses this often becomes a dead letter, and later events are written;
 * a file system that cannot be reached uses up no attempts. */
static void test_attempts(void **state)
{
    for (unsigned most = 1; most <= 3; most++) {
        uint64_t clock_ms = 1000;
        assert_int_equal(ps_test_folder_setup(state), 0);
        (void)ps_test_bucket_setup(NULL);
        ps_test_bucket_start();
        ps_test_dead_letters_open(&ps_test_bucket_stage);
        ps_test_bucket_stage.port.retry_max = most;
        ps_test_files_fail(PS_TEST_CREATE, 0, 2, PS_FILE_UNAVAILABLE);
        TAKE(PS_BODY("1"), PS_BODY("2"));
        ps_test_bucket_pass(0);
        ps_test_bucket_pass(clock_ms);
        ps_test_files_fail(PS_TEST_CREATE, 0, most, PS_FILE_DENIED);
        for (unsigned attempt = 1; attempt <= most; attempt++) {
            assert_int_equal(ps_test_bucket_stage.done_count, 0);
            ps_test_bucket_pass(clock_ms += 1000);
            assert_int_equal(ps_test_files_count(PS_TEST_CREATE), 2 + attempt);
        }
        assert_int_equal(ps_test_bucket_stage.done_count, 1);
        assert_int_equal(ps_test_bucket_stage.done[0]->dead, 2);
        assert_string_equal(ps_test_dead_letters_bodies("attempts-exhausted"), "1\n2\n");
        TAKE(PS_BODY("3"));
        ps_test_bucket_pass(clock_ms + 1000);
        assert_int_equal(ps_test_bucket_stage.done_count, 2);
        assert_int_equal(ps_test_bucket_stage.done[1]->dead, 0);
        ps_test_stage_close(&ps_test_bucket_stage);
        ps_test_dead_letters_close(&ps_test_bucket_stage);
        ps_test_bucket_finish();
        assert_int_equal(ps_test_folder_teardown(state), 0);
    }
}

/* An impossible path: its events become dead letters at once, events of other directories are written. Without
 * penstock.deadletter the sink tries for ever. */
static void test_name_that_cannot_be(void **state)
{
    ps_test_bucket_path = "/d/%{k}";
    ps_test_bucket_start();
    ps_test_files_fail(PS_TEST_CREATE, 0, 1, PS_FILE_NAME);
    TAKE(TO("a", "0"));
    ps_test_bucket_pass(0);
    assert_int_equal(ps_test_bucket_stage.done_count, 0);
    ps_test_bucket_pass(1000);
    assert_int_equal(ps_test_bucket_stage.done_count, 1);
    assert_int_equal(ps_test_folder_setup(state), 0);
    ps_test_dead_letters_open(&ps_test_bucket_stage);
    ps_test_files_fail(PS_TEST_CREATE, 0, 1, PS_FILE_NAME);
    TAKE(TO("long", "1"), TO("long", "2"), TO("b", "3"));
    ps_test_bucket_pass(0);
    ps_test_bucket_pass(0);
    assert_int_equal(ps_test_bucket_stage.done_count, 2);
    assert_int_equal(ps_test_bucket_stage.done[1]->dead, 2);
    assert_string_equal(ps_test_dead_letters_bodies("event-unwritable"), "1\n2\n");
    TAKE(TO("c", "4"));
    ps_test_bucket_pass(0);
    assert_int_equal(ps_test_bucket_stage.done_count, 3);
    ps_test_stage_close(&ps_test_bucket_stage);
    ps_test_dead_letters_close(&ps_test_bucket_stage);
    ps_test_bucket_finish();
    assert_int_equal(ps_test_folder_teardown(state), 0);
}

/* Buckets whose names a client has chosen to have one hash are in many chains. */
static void test_names_of_one_hash(void **unused)
{
    enum { BUCKETS = 512 };
    static char kinds[BUCKETS][PS_TEST_COLLIDING_ROOM];
    static const char *headers[BUCKETS][3];
    static struct ps_test_event events[BUCKETS];
    for (unsigned i = 0; i < BUCKETS; i++) {
        (void)ps_test_colliding_name(kinds[i], "/d/", i);
        headers[i][0] = "k";
        headers[i][1] = kinds[i] + strlen("/d/");
        events[i] = (struct ps_test_event){.body = "1", .length = 1, .headers = headers[i]};
    }
    ps_test_bucket_path = "/d/%{k}";
    ps_test_bucket_start();
    ps_test_bucket_take(ps_test_lease(&ps_test_bucket_stage, events, BUCKETS));
    const struct ps_bucket_table *table = &(*(struct ps_bucket_writer **)ps_test_bucket_stage.state)->table;
    assert_int_equal(table->count, BUCKETS);
    assert_in_range(PS_TEST_CHAINS_IN_USE(table->chains, table->chain_count), BUCKETS / 2, BUCKETS);
    ps_test_bucket_finish();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_flush, ps_test_bucket_setup),
        cmocka_unit_test_setup(test_flush_together, ps_test_bucket_setup),
        cmocka_unit_test_setup(test_flush_of_many_bytes, ps_test_bucket_setup),
        cmocka_unit_test_setup(test_slow_file, ps_test_bucket_setup),
        cmocka_unit_test_setup(test_memory, ps_test_bucket_setup),
        cmocka_unit_test_setup(test_create_fails, ps_test_bucket_setup),
        cmocka_unit_test_setup(test_name_in_use_taken, ps_test_bucket_setup),
        cmocka_unit_test_setup(test_all_names_in_use, ps_test_bucket_setup),
        cmocka_unit_test_setup(test_flush_fails, ps_test_bucket_setup),
        cmocka_unit_test_setup(test_second_flush_fails, ps_test_bucket_setup),
        cmocka_unit_test_setup(test_one_fails, ps_test_bucket_setup),
        cmocka_unit_test_setup(test_one_fails_for_good, ps_test_bucket_setup),
        cmocka_unit_test_setup(test_one_fails_for_good_in_any_order, ps_test_bucket_setup),
        cmocka_unit_test_setup(test_order_over_files, ps_test_bucket_setup),
        cmocka_unit_test_setup(test_rolled_file_fails, ps_test_bucket_setup),
        cmocka_unit_test_setup(test_replicas, ps_test_bucket_setup),
        cmocka_unit_test_setup(test_replicas_learnt, ps_test_bucket_setup),
        cmocka_unit_test_setup(test_replicas_not_to_be_had, ps_test_bucket_setup),
        cmocka_unit_test_setup(test_attempts, ps_test_bucket_setup),
        cmocka_unit_test_setup(test_name_that_cannot_be, ps_test_bucket_setup),
        cmocka_unit_test_setup(test_names_of_one_hash, ps_test_bucket_setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
