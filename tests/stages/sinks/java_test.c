/* The sink java against a host that dies, is silent, or breaks the protocol (tests/support/java_host.h): the agent
 * survives, the sink fails, gives back uncommitted events, and delivers them through the next host. */
#include "stages/lib/java/hangs.h"
#include "tests/support/java_host.h"
#include "tests/support/stage.h"

#include <signal.h>
#include <unistd.h>

#define EVENTS 100U

static int group_setup(void **unused)
{
    ps_test_java_start(PS_TEST_JAVA_SILENCE_MS, 10);
    return 0;
}

static int silence_setup(void **unused)
{
    ps_test_java_start(PS_TEST_JAVA_SHORT_SILENCE_MS, 10);
    return 0;
}

static int group_teardown(void **unused)
{
    ps_test_java_stop();
    return 0;
}

static struct ps_lease *lease_of(struct ps_test_stage *stage, unsigned first, unsigned count)
{
    static const char *const headers[] = {"name", "value", NULL};
    static struct ps_test_event events[EVENTS];
    static char bodies[EVENTS][16];
    for (unsigned i = 0; i < count; i++) {
        snprintf(bodies[i], sizeof bodies[i], "event %u", first + i);
        events[i] = PS_BODY(bodies[i]);
        events[i].headers = headers;
    }
    return ps_test_lease(stage, events, count);
}

static struct ps_lease *some_lease(struct ps_test_stage *stage, unsigned first)
{
    return lease_of(stage, first, EVENTS);
}

static void turn(struct ps_test_stage *stage)
{
    (void)ps_test_sink_tick(stage);
    ps_test_stage_pass_ms(stage, 1);
    usleep(1000);
}

/* Opens the sink like the engine: until the host runs again. */
static void reopen(struct ps_test_stage *stage)
{
    uint64_t until = ps_test_patience_end_ns();
    if (stage->opened)
        ps_test_stage_close(stage);
    stage->failed = false;
    while (ps_test_stage_open(stage) != PS_OK) {
        assert_non_null(strstr(stage->err.text, "the Java host"));
        assert_true(ps_test_patient_ns() < until);
        usleep(1000);
    }
}

/* The host of the test before may still be restarting. */
static void start(struct ps_test_stage *stage, const char *const *keys)
{
    ps_test_stage_init(stage, &ps_sink_java);
    assert_int_equal(ps_test_stage_bind(stage, keys), PS_OK);
    assert_int_equal(ps_test_stage_build(stage), PS_OK);
    reopen(stage);
}

/* Offers the lease until the sink takes it. */
static void give(struct ps_test_stage *stage, struct ps_lease *lease)
{
    uint64_t until = ps_test_patience_end_ns();
    for (;;) {
        if (stage->failed)
            reopen(stage);
        struct ps_lease *offered = lease;
        enum ps_result result = ps_test_sink_work(stage, &offered);
        (void)ps_test_sink_tick(stage);
        if (result == PS_TAKEN)
            return;
        assert_int_equal(result, PS_LATER);
        assert_true(ps_test_patient_ns() < until);
        ps_test_stage_pass_ms(stage, 1);
        usleep(1000);
    }
}

static void await_failure(struct ps_test_stage *stage)
{
    uint64_t until = ps_test_patience_end_ns();
    while (!stage->failed) {
        assert_true(ps_test_patient_ns() < until);
        turn(stage);
    }
}

static void assert_events(const char *text, unsigned first, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        char line[24];
        int length = snprintf(line, sizeof line, "event %u\n", first + i);
        assert_memory_equal(text, line, (size_t)length);
        text += length;
    }
    assert_string_equal(text, "");
}

/* The mode begins with the second lease. Events that the bad host wrote before it was detected do not count: they may
 * come twice. */
static void check(enum ps_test_java_mode mode, const char *reason)
{
    struct ps_test_stage stage;
    int starts = ps_test_java->starts;
    ps_test_java->mode = PS_TEST_JAVA_WELL;
    start(&stage, PS_KEYS("type", "org.example.Sink"));
    give(&stage, some_lease(&stage, 0));
    ps_test_sink_wait(&stage, 1, PS_TEST_PATIENCE_MS);
    ps_test_java->mode = mode;
    struct ps_lease *lease = some_lease(&stage, EVENTS);
    give(&stage, lease);
    await_failure(&stage);
    if (strstr(stage.err.text, reason) == NULL)
        fail_msg("\"%s\" is not about \"%s\"", stage.err.text, reason);
    ps_test_java->mode = PS_TEST_JAVA_WELL;
    struct ps_lease *back = ps_test_sink_recall(&stage);
    if (mode != PS_TEST_JAVA_TWICE) {
        assert_ptr_equal(back, lease);
        assert_int_equal(back->settled, 0);
        ps_test_java_clear();
        reopen(&stage);
        give(&stage, back);
        ps_test_sink_wait(&stage, 2, PS_TEST_PATIENCE_MS);
        assert_events(ps_test_java_text(), EVENTS, EVENTS);
        assert_true(ps_test_java->starts > starts);
    } else {
        assert_null(back); /* the first of the two commits counts */
        reopen(&stage);
    }
    ps_test_stage_fini(&stage);
}

static void test_breaks_the_protocol(void **unused)
{
    check(PS_TEST_JAVA_BEYOND, "committed events that it had not taken");
    check(PS_TEST_JAVA_STRANGE, "committed events that it had not taken");
    check(PS_TEST_JAVA_REFUSES, "refused an event that it had not taken");
    check(PS_TEST_JAVA_GARBAGE, "bytes that are not a message");
    check(PS_TEST_JAVA_FLOOD, "sent more than was requested");
    check(PS_TEST_JAVA_TORN, "exit code 8");
    check(PS_TEST_JAVA_NOTES, "exit code 9"); /* regression: all events of the batch counted as delivered */
}

static void test_commits_twice(void **unused)
{
    check(PS_TEST_JAVA_TWICE, "committed events");
}

static void test_dies(void **unused)
{
    check(PS_TEST_JAVA_DIES, "exit code 9");
}

/* The host sends commits together; those that it had not sent when it ended are noted in the slot. */
static void test_dies_before_it_tells(void **unused)
{
    struct ps_test_stage stage;
    ps_test_java->mode = PS_TEST_JAVA_WELL;
    start(&stage, PS_KEYS("type", "org.example.Sink"));
    give(&stage, some_lease(&stage, 0));
    ps_test_sink_wait(&stage, 1, PS_TEST_PATIENCE_MS);
    ps_test_java_clear();
    ps_test_java->mode = PS_TEST_JAVA_HALF;
    give(&stage, some_lease(&stage, 0));
    await_failure(&stage);
    ps_test_java->mode = PS_TEST_JAVA_WELL;
    struct ps_lease *back = ps_test_sink_recall(&stage);
    assert_non_null(back);
    assert_int_equal(back->settled, EVENTS / 2);
    reopen(&stage);
    give(&stage, back);
    ps_test_sink_wait(&stage, 2, PS_TEST_PATIENCE_MS);
    assert_events(ps_test_java_text(), 0, EVENTS);
    ps_test_stage_fini(&stage);
}

static void test_silent(void **unused)
{
    check(PS_TEST_JAVA_SILENT, "no sign of life");
}

/* A host that does not commit is not killed: events for which it has no room wait in the channel. */
static void test_slow_is_not_dead(void **unused)
{
    struct ps_test_stage stage;
    ps_test_java->mode = PS_TEST_JAVA_WELL;
    start(&stage, PS_KEYS("type", "org.example.Sink"));
    give(&stage, some_lease(&stage, 0));
    ps_test_sink_wait(&stage, 1, PS_TEST_PATIENCE_MS);
    ps_test_java_clear();
    ps_test_java->mode = PS_TEST_JAVA_NOTHING;
    unsigned taken = 0, starts = (unsigned)ps_test_java->starts;
    struct ps_lease *refused = NULL;
    while (refused == NULL) {
        struct ps_lease *lease = some_lease(&stage, taken * EVENTS);
        struct ps_lease *offered = lease;
        if (ps_test_sink_work(&stage, &offered) == PS_LATER)
            refused = lease;
        else
            taken++;
        turn(&stage);
    }
    for (unsigned i = 0; i < 1000; i++) /* for more than a second */
        turn(&stage);
    assert_int_equal(ps_test_java->starts, starts);
    assert_false(stage.failed);
    ps_test_java->mode = PS_TEST_JAVA_WELL;
    give(&stage, refused);
    ps_test_sink_wait(&stage, 1 + taken + 1, PS_TEST_PATIENCE_MS);
    assert_events(ps_test_java_text(), 0, (taken + 1) * EVENTS);
    ps_test_stage_fini(&stage);
}

/* ---- leases of one event ---- */

/* Offers leases of one event, "event FIRST" and so on, until the sink refuses one, or has `count`. Returns how many it took. */
static unsigned give_singles(struct ps_test_stage *stage, unsigned first, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        struct ps_lease *offered = lease_of(stage, first + i, 1);
        if (ps_test_sink_work(stage, &offered) == PS_LATER)
            return i;
    }
    return count;
}

static void start_with_one(struct ps_test_stage *stage)
{
    ps_test_java->mode = PS_TEST_JAVA_WELL;
    start(stage, PS_KEYS("type", "org.example.Sink"));
    give(stage, some_lease(stage, 0));
    ps_test_sink_wait(stage, 1, PS_TEST_PATIENCE_MS);
    ps_test_java_clear();
}

/* A class commits slowly, and the source puts one event at a time: what waits meanwhile goes to the class together, so that one
 * transaction may have all of it. */
static void test_small_batches_go_together(void **unused)
{
    static const unsigned slots = 8, waiting = 512;
    struct ps_test_stage stage;
    start_with_one(&stage);
    int batches = ps_test_java->batches;
    ps_test_java->mode = PS_TEST_JAVA_NOTHING;
    for (unsigned i = 0; i < slots; i++) {
        assert_int_equal(give_singles(&stage, i, 1), 1);
        turn(&stage);
    }
    assert_int_equal(give_singles(&stage, slots, 2 * waiting),
                     waiting); /* the others may be for another sink */
    for (unsigned i = 0; i < 100; i++)
        turn(&stage);
    assert_int_equal(ps_test_java->batches, batches + (int)slots);
    ps_test_java->mode = PS_TEST_JAVA_WELL;
    ps_test_sink_wait(&stage, 1 + slots + waiting, PS_TEST_PATIENCE_MS);
    assert_int_equal(ps_test_java->batches, batches + (int)slots + 1);
    assert_events(ps_test_java_text(), 0, slots + waiting);
    ps_test_stage_fini(&stage);
}

/* One slot has events of 60 leases when the host ends, and 30 of them are committed. */
static void test_dies_with_many_leases(void **unused)
{
    static const unsigned count = 60;
    struct ps_test_stage stage;
    start_with_one(&stage);
    int batches = ps_test_java->batches;
    ps_test_java->mode = PS_TEST_JAVA_HALF;
    assert_int_equal(give_singles(&stage, 0, count), count);
    await_failure(&stage);
    assert_int_equal(ps_test_java->batches, batches + 1);
    ps_test_java->mode = PS_TEST_JAVA_WELL;
    struct ps_lease *back = ps_test_sink_recall(&stage), *next;
    reopen(&stage);
    for (; back != NULL; back = next) {
        next = back->next;
        back->next = NULL;
        give(&stage, back);
    }
    ps_test_sink_wait(&stage, 1 + count, PS_TEST_PATIENCE_MS);
    assert_events(ps_test_java_text(), 0, count);
    ps_test_stage_fini(&stage);
}

/* Regression: the lease of an event that is committed again was returned before, and its memory may have another user. */
static void test_commits_a_returned_lease_again(void **unused)
{
    struct ps_test_stage stage;
    start_with_one(&stage);
    ps_test_java->mode = PS_TEST_JAVA_AGAIN;
    assert_int_equal(give_singles(&stage, 0, 10), 10);
    ps_test_sink_wait(&stage, 2, PS_TEST_PATIENCE_MS);
    await_failure(&stage);
    assert_non_null(strstr(stage.err.text, "committed events twice"));
    ps_test_java->mode = PS_TEST_JAVA_WELL;
    assert_non_null(ps_test_sink_recall(&stage));
    ps_test_stage_fini(&stage);
}

/* The class commits each event by itself while the worker is busy elsewhere: more messages wait than usual, but not too many. */
static void test_commits_singly(void **unused)
{
    static const unsigned leases = 8; /* each in its own slot */
    struct ps_test_stage stage;
    uint64_t until = ps_test_patience_end_ns();
    ps_test_java->mode = PS_TEST_JAVA_WELL;
    start(&stage, PS_KEYS("type", "org.example.Sink"));
    give(&stage, some_lease(&stage, 0));
    ps_test_sink_wait(&stage, 1, PS_TEST_PATIENCE_MS);
    ps_test_java_clear();
    int starts = ps_test_java->starts, batches = ps_test_java->batches;
    ps_test_java->mode = PS_TEST_JAVA_NOTHING;
    for (unsigned i = 0; i < leases; i++)
        give(&stage, some_lease(&stage, i * EVENTS));
    while (ps_test_java->batches < batches + (int)leases)
        turn(&stage);
    ps_test_java->mode = PS_TEST_JAVA_SINGLY;
    while (strstr(ps_test_java_text(), "event 799\n") == NULL) {
        assert_true(ps_test_patient_ns() < until);
        usleep(1000);
    }
    usleep(300000); /* the reading thread has read the messages, and would have killed the host */
    assert_int_equal(ps_test_java->starts, starts);
    ps_test_sink_wait(&stage, 1 + leases, PS_TEST_PATIENCE_MS);
    assert_false(stage.failed);
    assert_events(ps_test_java_text(), 0, leases * EVENTS);
    ps_test_java->mode = PS_TEST_JAVA_WELL;
    ps_test_stage_fini(&stage);
}

/* The host does not read for a while, and the stage is closed meanwhile: the class still gets its properties. */
static void test_closed_before_it_is_configured(void **unused)
{
    struct ps_test_stage stage;
    ps_test_java->mode = PS_TEST_JAVA_WELL;
    start(&stage, PS_KEYS("type", "org.example.Sink"));
    give(&stage, some_lease(&stage, 0));
    ps_test_sink_wait(&stage, 1, PS_TEST_PATIENCE_MS);
    reopen(&stage);
    uint64_t until = ps_test_patience_end_ns();
    int configured = ps_test_java->configured;
    ps_test_java->mode = PS_TEST_JAVA_DEAF; /* it reads no message on its way to the silence */
    int deaf = ps_test_java->deaf;
    while (ps_test_java->deaf == deaf)
        usleep(1000);
    ps_test_java->mode = PS_TEST_JAVA_SILENT;
    for (unsigned i = 0; i < 5; i++)
        turn(&stage);
    ps_test_stage_close(&stage);
    assert_int_equal(ps_test_java->configured, configured);
    ps_test_java->mode = PS_TEST_JAVA_WELL;
    while (ps_test_java->configured == configured) {
        assert_true(ps_test_patient_ns() < until);
        usleep(1000);
    }
    assert_int_equal(ps_test_java->torn, 0);
    reopen(&stage);
    give(&stage, some_lease(&stage, 0));
    ps_test_sink_wait(&stage, 2, PS_TEST_PATIENCE_MS);
    ps_test_stage_fini(&stage);
}

/* The start() of the class does not return: /readyz must say so, and that the class works when it has returned. */
static void test_class_hangs_at_its_start(void **unused)
{
    struct ps_test_stage stage;
    uint64_t until = ps_test_patience_end_ns();
    ps_test_java->mode = PS_TEST_JAVA_HANGS;
    start(&stage, PS_KEYS("type", "org.example.Sink"));
    assert_true(ps_test_java_is_opening(&stage, "starts in Java since "));
    while (!ps_test_java_is_opening(&stage, ": org.example.Sink is not configured and started yet")) {
        assert_true(ps_test_patient_ns() < until);
        turn(&stage);
    }
    for (unsigned i = 0; i < 100; i++)
        turn(&stage);
    assert_true(ps_test_java_is_opening(&stage, "starts in Java since "));
    assert_false(stage.failed);
    ps_test_java->mode = PS_TEST_JAVA_WELL;
    while (ps_test_java_is_opening(&stage, "")) {
        assert_true(ps_test_patient_ns() < until);
        turn(&stage);
    }
    give(&stage, some_lease(&stage, 0));
    ps_test_sink_wait(&stage, 1, PS_TEST_PATIENCE_MS);
    assert_false(ps_test_java_is_opening(&stage, ""));
    ps_test_stage_close(&stage);
    assert_false(
        ps_test_java_is_opening(&stage, "")); /* it does not start: the engine reports it as closed */
    ps_test_stage_fini(&stage);
}

/* The host does not run yet, or not again: /readyz has another reason. */
static void test_host_is_not_there(void **unused)
{
    struct ps_test_stage stage;
    uint64_t until = ps_test_patience_end_ns();
    ps_test_java->mode = PS_TEST_JAVA_WELL;
    start(&stage, PS_KEYS("type", "org.example.Sink"));
    give(&stage, some_lease(&stage, 0));
    ps_test_sink_wait(&stage, 1, PS_TEST_PATIENCE_MS);
    ps_test_java->mode = PS_TEST_JAVA_DIES;
    give(&stage, some_lease(&stage, 0));
    await_failure(&stage);
    ps_test_java->mode = PS_TEST_JAVA_SILENT; /* the next host gives no sign of life */
    struct ps_lease *back = ps_test_sink_recall(&stage);
    reopen(&stage);
    while (!ps_test_java_is_opening(&stage, ": the Java process is not ready yet")) {
        assert_true(ps_test_patient_ns() < until);
        turn(&stage);
    }
    ps_test_java->mode = PS_TEST_JAVA_WELL;
    give(&stage, back);
    ps_test_sink_wait(&stage, 2, PS_TEST_PATIENCE_MS);
    assert_false(ps_test_java_is_opening(&stage, ""));
    ps_test_stage_fini(&stage);
}

/* An event that is larger than a slot gets a slot of its size. */
static void test_large_event(void **unused)
{
    static char body[3 << 20];
    struct ps_test_stage stage;
    memset(body, 'x', sizeof body);
    ps_test_java->mode = PS_TEST_JAVA_NOTHING;
    start(&stage, PS_KEYS("type", "org.example.Sink"));
    struct ps_test_event event = {.body = body, .length = sizeof body};
    give(&stage, ps_test_lease(&stage, &event, 1));
    give(&stage, some_lease(&stage, 0));
    int batches = ps_test_java->batches;
    ps_test_java->mode = PS_TEST_JAVA_WELL;
    ps_test_sink_wait(&stage, 2, PS_TEST_PATIENCE_MS);
    assert_true(ps_test_java->batches >= batches);
    ps_test_stage_fini(&stage);
}

static bool recall(struct ps_test_stage *stage, struct ps_lease **back)
{
    return stage->ops->sink->recall(stage->plan, stage->state, back, &stage->now);
}

/* A class that does not stop: the recall waits for 5 s, or for 2 s if a source has hung before in the agent's stop. */
static void test_recall_of_a_class_that_hangs(void **unused)
{
    ps_java_hangs_note(); /* at a reload: it does not count */
    assert_false(ps_java_hangs_any());
    ps_java_hangs_begin();
    for (unsigned hung = 0; hung < 2; hung++) {
        struct ps_test_stage stage;
        struct ps_lease *back = NULL, *lease;
        ps_test_java->mode = PS_TEST_JAVA_NOTHING;
        start(&stage, PS_KEYS("type", "org.example.Sink"));
        int batches = ps_test_java->batches;
        give(&stage, lease = some_lease(&stage, 0));
        while (ps_test_java->batches == batches)
            turn(&stage);
        ps_test_java->mode = PS_TEST_JAVA_DEAF;
        int deaf = ps_test_java->deaf;
        while (ps_test_java->deaf == deaf)
            usleep(1000);
        if (hung)
            ps_java_hangs_note();
        assert_false(recall(&stage, &back));
        ps_test_stage_pass_ms(&stage, hung ? 1999 : 4999);
        assert_false(recall(&stage, &back));
        ps_test_stage_pass_ms(&stage, 1);
        assert_true(recall(&stage, &back));
        assert_ptr_equal(back, lease);
        assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_duplicated),
                         lease->count);   /* it may deliver them yet */
        assert_true(ps_java_hangs_any()); /* what ends later has less time */
        ps_java_hangs_begin();            /* forgets the one that hung */
        ps_test_java->mode = PS_TEST_JAVA_WELL;
        ps_test_stage_fini(&stage);
    }
}

static void test_type_is_a_class(void **unused)
{
    struct ps_test_stage stage;
    ps_test_stage_init(&stage, &ps_sink_java);
    assert_int_equal(ps_test_stage_bind(&stage, PS_KEYS("type", "java")), PS_FAIL);
    assert_true(ps_test_stage_reported(&stage, PS_LOG_ERROR, "names no class"));
    ps_test_stage_fini(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_breaks_the_protocol),
        cmocka_unit_test(test_commits_twice),
        cmocka_unit_test(test_dies),
        cmocka_unit_test(test_dies_before_it_tells),
        cmocka_unit_test(test_slow_is_not_dead),
        cmocka_unit_test(test_small_batches_go_together),
        cmocka_unit_test(test_dies_with_many_leases),
        cmocka_unit_test(test_commits_a_returned_lease_again),
        cmocka_unit_test(test_commits_singly),
        cmocka_unit_test(test_closed_before_it_is_configured),
        cmocka_unit_test(test_class_hangs_at_its_start),
        cmocka_unit_test(test_host_is_not_there),
        cmocka_unit_test(test_large_event),
        cmocka_unit_test(test_recall_of_a_class_that_hangs),
        cmocka_unit_test(test_type_is_a_class),
    };
    const struct CMUnitTest of_silence[] = {cmocka_unit_test(test_silent)};
    int failures = cmocka_run_group_tests(tests, group_setup, group_teardown);
    return failures + cmocka_run_group_tests(of_silence, silence_setup, group_teardown);
}
