/* The source java against a host in C (tests/support/java_host.h): calls that are accepted, refused, large; hosts that
 * are slow, die, are silent, break the protocol. Only events that have reached the channels are answered. */
#include "core/flow/engine_source.h"
#include "stages/lib/java/exchange/events.h"
#include "stages/lib/java/hangs.h"
#include "tests/stages/sources/java_source.h"

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

static void test_calls(void **unused)
{
    struct ps_test_stage stage;
    begin(&stage);
    ps_test_java->events = 5000;
    WHILE(&stage, ps_test_java->taken < 5000);
    assert_numbered(&stage, 0, 5000);
    assert_int_equal(ps_test_java->refused, 0);
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_EventReceivedCount), 5000);
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_AppendBatchReceivedCount),
                     ps_test_stage_counter(&stage, PS_COUNTER_AppendBatchAcceptedCount));
    ps_test_stage_fini(&stage);
}

/* A call is answered when the channels have accepted its last batch, not before. */
static void test_answer_waits_for_the_channels(void **unused)
{
    struct ps_test_stage stage;
    begin(&stage);
    ps_test_java->call_events = 1000;
    ps_test_java->events = 1000;
    fill(&stage, 1000);
    for (unsigned i = 0; i < 20; i++) {
        (void)stage.ops->source->tick(stage.plan, stage.state, &stage.now);
        usleep(1000);
    }
    assert_int_equal(ps_test_java->taken, 0);
    ps_test_source_close_batch(&stage);
    WHILE(&stage, ps_test_java->taken < 1000);
    assert_numbered(&stage, 0, 1000);
    ps_test_stage_fini(&stage);
}

/* The channel refuses one batch: the calls in it get the reason, even if their first events were accepted; other calls do not. */
static void test_refused(void **unused)
{
    struct ps_test_stage stage;
    begin(&stage);
    ps_test_java->call_events = 600;
    ps_test_java->events = 1200; /* two calls; a batch has 1,024 rows */
    fill(&stage, 1024);
    ps_test_source_close_batch(&stage);
    fill(&stage, 176);
    ps_test_source_refuse_batch(&stage, "channel c1 is full");
    WHILE(&stage, ps_test_java->taken + ps_test_java->refused < 1200);
    assert_int_equal(ps_test_java->taken, 600);
    assert_int_equal(ps_test_java->refused, 600);
    assert_string_equal(ps_test_java_text(), "events 600 to 1199 refused: channel c1 is full\n");
    ps_test_java->events = 1205;
    WHILE(&stage, ps_test_java->taken < 605);
    assert_int_equal(ps_test_java->refused, 600);
    ps_test_stage_fini(&stage);
}

/* Calls are refused and accepted in turn: each is answered, and no memory is lost. */
static void test_refused_and_taken_in_turns(void **unused)
{
    struct ps_test_stage stage;
    uint64_t used_bytes = 0;
    begin(&stage);
    for (int round = 1; round <= 50; round++) {
        ps_test_java->events = 2 * round - 1;
        fill(&stage, 1);
        ps_test_source_refuse_batch(&stage, "the channel is full");
        WHILE(&stage, ps_test_java->refused < round);
        ps_test_java->events = 2 * round;
        fill(&stage, 1);
        ps_test_source_close_batch(&stage);
        WHILE(&stage, ps_test_java->taken < round);
        assert_numbered(&stage, (size_t)(2 * round - 1), 1);
        ps_test_source_clear(&stage);
        ps_test_stage_recycle(&stage);
        if (round == 1)
            used_bytes = ps_depot_used_bytes(stage.depot);
        assert_true(ps_depot_used_bytes(stage.depot) <= used_bytes);
    }
    assert_int_equal(ps_test_java->refused, 50);
    assert_int_equal(ps_test_java->taken, 50);
    ps_test_stage_fini(&stage);
}

/* The first batch of a call is refused: the rest of the call is not read. */
static void test_rest_of_a_refused_call(void **unused)
{
    struct ps_test_stage stage;
    begin(&stage);
    ps_test_java->call_events = 1000;
    ps_test_java->events = 2000;
    fill(&stage, 1024);
    ps_test_source_refuse_batch(&stage, "no room");
    WHILE(&stage, ps_test_java->refused < 2000);
    assert_int_equal(stage.event_count, 0);
    assert_int_equal(ps_test_java->taken, 0);
    ps_test_java->events = 2001;
    WHILE(&stage, ps_test_java->taken < 1);
    assert_numbered(&stage, 2000, 1);
    ps_test_stage_fini(&stage);
}

/* Slots grow for large events, and shrink again. */
static void test_large_events(void **unused)
{
    struct ps_test_stage stage;
    begin(&stage);
    ps_test_java->large_bytes = 3 << 20;
    ps_test_java->events = 60;
    WHILE(&stage, ps_test_java->taken < 60);
    assert_numbered(&stage, 0, 60);
    assert_in_range(ps_test_java->needs, 6, 60); /* the host may use another slot after the larger one */
    assert_int_equal(ps_test_java->needs_taken, ps_test_java->needs);
    for (size_t i = 9; i < 60; i += 10) {
        assert_int_equal(stage.events[i].length, 3 << 20);
        assert_int_equal(stage.events[i].body[0], 'a' + i / 10);
        assert_int_equal(stage.events[i].body[(3 << 20) - 1], 'a' + i / 10);
    }
    ps_test_stage_fini(&stage);
}

/* Returns the length of a body with which the event with this text takes this number of bytes of a slot. */
static int body_in(size_t bytes, const char *text)
{
    size_t headers = 4 * sizeof(uint32_t) + strlen("byjava") + strlen("body") + strlen(text);
    return (int)(bytes - sizeof(struct ps_java_event) - headers);
}

/* An event may take half of the memory budget, and not a byte more: the class gets an error, and continues. */
static void test_largest_event(void **unused)
{
    const size_t limit = 3 << 20;
    struct ps_test_stage stage;
    begin_with(&stage, 2 * limit);
    ps_test_java->call_events = 1;
    ps_test_java->events = 9; /* then all slots are free, and small: a large event uses the first */
    WHILE(&stage, ps_test_java->taken < 9);
    ps_test_java->large_bytes = body_in(limit, "event 9");
    ps_test_java->events = 10;
    WHILE(&stage, ps_test_java->taken < 10);
    assert_int_equal(stage.events[9].length, body_in(limit, "event 9"));
    ps_test_java->events = 19;
    WHILE(&stage, ps_test_java->taken < 19);
    ps_test_java->large_bytes = body_in(limit, "event 19") + 1;
    ps_test_java->events = 21;
    WHILE(&stage, ps_test_java->taken < 20);
    assert_int_equal(ps_test_java->refused, 1);
    assert_string_equal(
        ps_test_java_text(),
        "events 19 to 19 refused: the event takes 3145732 bytes, and 3145728 is the limit: half "
        "of penstock.memory.budget, and less than 1 GiB\n");
    assert_int_equal(stage.event_count, 20);
    assert_string_equal(ps_test_event_header(&stage.events[19], "body"), "event 20");
    ps_test_stage_fini(&stage);
}

static void await_start(int starts)
{
    uint64_t until = ps_test_patience_end_ns();
    while (ps_test_java->starts == starts) {
        assert_true(ps_test_patient_ns() < until);
        usleep(1000);
    }
}

/* The host breaks the protocol, or ends: the source fails with the reason and is opened again, and the class in the
 * next host puts events. */
static void check_lost(enum ps_test_java_mode mode, const char *reason)
{
    struct ps_test_stage stage;
    begin(&stage);
    ps_test_java->events = 20;
    WHILE(&stage, ps_test_java->taken < 20);
    int starts = ps_test_java->starts;
    ps_test_java->mode = mode;
    ps_test_java->events = 100;
    WHILE(&stage, !stage.failed);
    if (strstr(stage.err.text, reason) == NULL)
        fail_msg("\"%s\" is not about \"%s\"", stage.err.text, reason);
    ps_test_source_close_batch(&stage); /* the engine puts the events that were read */
    ps_test_stage_close(&stage);
    await_start(starts);
    ps_test_java->mode = PS_TEST_JAVA_WELL;
    ps_test_java->events = ps_test_java->taken = 0;
    ps_test_source_clear(&stage);
    stage.failed = false;
    reopen(&stage);
    ps_test_java->events = 30;
    WHILE(&stage, ps_test_java->taken < 30);
    assert_false(stage.failed);
    assert_numbered(&stage, 0, 30);
    ps_test_stage_fini(&stage);
}

static void test_breaks_the_protocol(void **unused)
{
    check_lost(PS_TEST_JAVA_TWICE, "it sent events that are outside its shared memory");
    check_lost(PS_TEST_JAVA_STRANGE, "it sent events that are outside its shared memory");
    check_lost(PS_TEST_JAVA_BEYOND, "it sent invalid events");
    check_lost(PS_TEST_JAVA_GARBAGE, "it sent bytes that are not a message");
    check_lost(PS_TEST_JAVA_TORN, "exit code 8");
}

static void test_dies(void **unused)
{
    check_lost(PS_TEST_JAVA_DIES, "exit code 9");
}

static void test_silent(void **unused)
{
    check_lost(PS_TEST_JAVA_SILENT, "it gave no sign of life");
}

static void test_cannot_be_configured(void **unused)
{
    struct ps_test_stage stage;
    begin(&stage);
    ps_test_stage_close(&stage);
    ps_test_java->mode = PS_TEST_JAVA_BROKEN;
    reopen(&stage);
    WHILE(&stage, !stage.failed);
    assert_string_equal(stage.err.text, "org.example.Broken: cannot be configured");
    ps_test_stage_fini(&stage);
}

/* The source is closed while a call waits for the channels, and opened again: a late answer of the channels is dropped. */
static void test_closed_in_between(void **unused)
{
    struct ps_test_stage stage;
    begin(&stage);
    ps_test_java->events = 7;
    fill(&stage, 7);
    ps_test_stage_close(&stage);
    ps_test_java->events = 0;
    reopen(&stage);
    ps_test_java->mode = PS_TEST_JAVA_NOTHING;
    ps_test_source_close_batch(&stage);
    assert_int_equal(ps_test_java->taken, 0);
    ps_test_java->mode = PS_TEST_JAVA_WELL;
    ps_test_source_clear(&stage);
    ps_test_java->events = 5;
    WHILE(&stage, ps_test_java->taken < 5);
    assert_numbered(&stage, 0, 5);
    ps_test_stage_fini(&stage);
}

static bool drain(struct ps_test_stage *stage)
{
    return stage->ops->source->drain(stage->plan, stage->state, &stage->now);
}

/* The host says that it has stopped; otherwise the stop waits for 5 s. */
static void test_drain(void **unused)
{
    struct ps_test_stage stage;
    begin(&stage);
    ps_java_hangs_begin();
    ps_test_java->events = 10;
    WHILE(&stage, ps_test_java->taken < 10);
    int stops = ps_test_java->stops;
    WHILE(&stage, !drain(&stage));
    assert_false(ps_java_hangs_any());
    assert_int_equal(ps_test_java->stops, stops + 1);
    assert_false(stage.failed);
    ps_test_stage_close(&stage);
    reopen(&stage);
    ps_test_java->events = 0;
    ps_test_java->taken = 0;
    ps_test_java->events = 10;
    WHILE(&stage, ps_test_java->taken < 10);
    ps_test_java->mode = PS_TEST_JAVA_DEAF; /* it reads no message on its way to the silence */
    int deaf = ps_test_java->deaf;
    while (ps_test_java->deaf == deaf)
        usleep(1000);
    ps_test_java->mode = PS_TEST_JAVA_SILENT;
    assert_false(drain(&stage));
    ps_test_stage_pass_ms(&stage, 4999);
    assert_false(drain(&stage));
    ps_test_stage_pass_ms(&stage, 1);
    assert_true(drain(&stage));
    assert_true(ps_java_hangs_any());
    ps_test_java->mode = PS_TEST_JAVA_WELL;
    ps_test_stage_fini(&stage);
}

/* A host that answers a stop with messages without end delays neither the worker nor the stop. */
static void test_drain_of_a_flood(void **unused)
{
    struct ps_test_stage stage;
    begin(&stage);
    ps_test_java->events = 10;
    WHILE(&stage, ps_test_java->taken < 10);
    int starts = ps_test_java->starts;
    ps_test_java->mode = PS_TEST_JAVA_FLOOD;
    WHILE(&stage, !drain(&stage));
    ps_test_java->mode = PS_TEST_JAVA_WELL;
    await_start(starts); /* the flood breaks the protocol, so another host starts the class */
    ps_test_stage_close(&stage);
    ps_test_java->events = ps_test_java->taken = 0;
    reopen(&stage);
    ps_test_java->events = 5;
    WHILE(&stage, ps_test_java->taken < 5);
    ps_test_stage_fini(&stage);
}

/* The stop comes while the class is still starting. */
static void test_drain_at_the_start(void **unused)
{
    struct ps_test_stage stage;
    begin(&stage);
    int starts = ps_test_java->starts;
    (void)stage.ops->source->tick(stage.plan, stage.state, &stage.now);
    assert_false(drain(&stage));
    WHILE(&stage, !drain(&stage));
    assert_false(stage.failed);
    ps_test_stage_close(&stage);
    reopen(&stage);
    ps_test_java->events = 5;
    WHILE(&stage, ps_test_java->taken < 5);
    assert_int_equal(ps_test_java->starts, starts);
    ps_test_stage_fini(&stage);
}

/* ---- promised events ---- */

/* One cycle with channels that keep room for this number of events. */
static void cycle_with_room(struct ps_test_stage *stage, uint64_t room)
{
    const struct ps_engine_source_ops *engine = stage->ops->source->engine;
    (void)ps_test_source_work(stage);
    uint64_t wanted = engine->reserves(stage->plan, stage->state);
    engine->reserved(stage->plan, stage->state, wanted < room ? wanted : room, &stage->now);
    usleep(1000);
}

#define WHILE_ROOM(stage, room, condition) WHILE_DOING(cycle_with_room(stage, room), stage, condition)

/* Puts 17 calls of one event; then the host may promise events. */
static void warm_up(struct ps_test_stage *stage, uint64_t room)
{
    begin(stage);
    ps_test_java->call_events = 1;
    ps_test_java->events = 16;
    WHILE_ROOM(stage, room, ps_test_java->taken < 16);
    ps_test_java->promises = 1;
    assert_int_equal(stage->ops->source->engine->reserves(stage->plan, stage->state), 4096);
    ps_test_java->events = 17; /* the answer to the 17th call gives the room to the host */
    WHILE_ROOM(stage, room, ps_test_java->taken < 17);
}

/* Promises never exceed the room, counting events that are not in the channels yet. */
static void test_promised(void **unused)
{
    struct ps_test_stage stage;
    warm_up(&stage, 25);
    ps_test_java->events = 2000;
    WHILE_ROOM(&stage, 25, ps_test_java->taken < 2000);
    assert_numbered(&stage, 0, 2000);
    assert_in_range(ps_test_java->promised, 100, 1983);
    assert_int_equal(ps_test_java->refused, 0);
    assert_false(stage.failed);
    ps_test_stage_fini(&stage);
}

/* A full channel refuses only calls that wait, because promised events are in another batch. */
static void test_promised_are_not_refused(void **unused)
{
    struct ps_test_stage stage;
    warm_up(&stage, 5);
    ps_test_java->events = 25; /* five are promised, the others wait */
    ps_test_source_clear(&stage);
    for (int promised = 0; promised < 5;) {
        fill(&stage, 1);
        assert_true(stage.batch->promised);
        promised += (int)stage.batch->count;
        ps_test_source_close_batch(&stage);
    }
    assert_numbered(&stage, 17, 5);
    for (uint32_t refused = 0; refused < 3;) { /* the host gets the refusals later */
        fill(&stage, 1);
        assert_false(stage.batch->promised);
        refused += stage.batch->count;
        ps_test_source_refuse_batch(&stage, "channel c1 is full");
    }
    WHILE(&stage, ps_test_java->refused < 3);
    assert_int_equal(stage.event_count, 5);
    ps_test_stage_fini(&stage);
}

/* The host has promised events in several slots, and ends before it hands them over: they are all read before the source fails,
 * also if they are more than a batch can have. */
static void check_promised_and_dead(int calls, int call_events)
{
    struct ps_test_stage stage;
    int promised = calls * call_events;
    warm_up(&stage, 4096);
    ps_test_java->call_events = call_events;
    ps_test_java->mode = PS_TEST_JAVA_LEAVES;
    ps_test_java->events = 17 + promised;
    WHILE_ROOM(&stage, 4096, ps_test_java->promised < promised);
    assert_int_equal(stage.event_count, 17);
    ps_test_java->mode = PS_TEST_JAVA_DIES;
    ps_test_java->events = 10000;
    WHILE_ROOM(&stage, 4096, !stage.failed);
    assert_non_null(strstr(stage.err.text, "exit code 9"));
    ps_test_source_close_batch(&stage); /* the engine puts the events that were read */
    assert_numbered(&stage, 0, (size_t)(17 + promised));
    ps_test_java->mode = PS_TEST_JAVA_WELL;
    ps_test_stage_fini(&stage);
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_dropped), 0);
}

static void test_promised_and_dead(void **unused)
{
    check_promised_and_dead(10, 7);
    check_promised_and_dead(10, 210);
}

/* A source that is closed before it has read what the host has promised gives that up: nobody else has it, and the account
 * must say so. */
static void test_promised_and_given_up(void **unused)
{
    struct ps_test_stage stage;
    warm_up(&stage, 4096);
    ps_test_java->call_events = 7;
    ps_test_java->mode = PS_TEST_JAVA_LEAVES;
    ps_test_java->events = 17 + 70;
    WHILE_ROOM(&stage, 4096, ps_test_java->promised < 70);
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_dropped), 0);
    ps_test_stage_close(&stage);
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_dropped), 70);
    ps_test_java->mode = PS_TEST_JAVA_WELL;
    ps_test_stage_fini(&stage);
}

/* A source that drains reads the promised events; while it is closed, nothing is promised. */
static void test_promised_while_it_is_closed(void **unused)
{
    struct ps_test_stage stage;
    warm_up(&stage, 4096);
    ps_test_java->mode = PS_TEST_JAVA_DEAF;
    int deaf = ps_test_java->deaf;
    while (ps_test_java->deaf == deaf)
        usleep(1000);
    ps_test_java->events = 22;
    WHILE(&stage, ps_test_java->promised < 5);
    assert_false(drain(&stage));
    ps_test_stage_pass_ms(&stage, 1000);
    WHILE(&stage, !drain(&stage) && stage.event_count < 22);
    ps_test_stage_pass_ms(&stage, 4000);
    assert_true(drain(&stage));
    ps_test_stage_close(&stage);
    ps_test_java->events = 30;
    usleep(100000);
    assert_int_equal(ps_test_java->promised, 5);
    assert_true(ps_test_java->revoked > 0);
    assert_numbered(&stage, 0, 22);
    ps_test_java->mode = PS_TEST_JAVA_WELL;
    WHILE_DOING(usleep(1000), &stage, ps_test_java->keeps == 0); /* the host reads messages again */
    ps_test_stage_fini(&stage);
}

/* A class that pauses gives the room back, and may promise again later. */
static void test_room_is_given_back(void **unused)
{
    struct ps_test_stage stage;
    warm_up(&stage, 100);
    const struct ps_engine_source_ops *engine = stage.ops->source->engine;
    ps_test_stage_pass_ms(&stage, 99);
    cycle_with_room(&stage, 100);
    assert_int_equal(ps_test_java->keeps, 0);
    assert_true(engine->reserves(stage.plan, stage.state) > 0);
    ps_test_stage_pass_ms(&stage, 1);
    WHILE_ROOM(&stage, 100, engine->reserves(stage.plan, stage.state) > 0);
    assert_int_equal(ps_test_java->keeps, 1);
    ps_test_java->events = 100;
    WHILE_ROOM(&stage, 100, ps_test_java->taken < 100);
    assert_int_equal(ps_test_java->promised + 17 <= 100, 1);
    assert_true(ps_test_java->promised > 0);
    assert_numbered(&stage, 0, 100);
    ps_test_stage_fini(&stage);
}

static void test_promises_that_are_wrong(void **unused)
{
    struct ps_test_stage stage;
    warm_up(&stage, 100);
    ps_test_java->mode = PS_TEST_JAVA_SKIPS;
    ps_test_java->events = 30;
    WHILE_ROOM(&stage, 100, !stage.failed);
    assert_string_equal(stage.err.text, "it acknowledged events without having room for them");
    ps_test_java->mode = PS_TEST_JAVA_WELL;
    ps_test_stage_fini(&stage);
}

static void test_type_is_a_class(void **unused)
{
    struct ps_test_stage stage;
    ps_test_stage_init(&stage, &ps_source_java);
    assert_int_equal(ps_test_stage_bind(&stage, PS_KEYS("type", "java")), PS_FAIL);
    assert_true(ps_test_stage_reported(&stage, PS_LOG_ERROR, "names no class"));
    ps_test_stage_fini(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_calls),
        cmocka_unit_test(test_answer_waits_for_the_channels),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_refused_and_taken_in_turns),
        cmocka_unit_test(test_rest_of_a_refused_call),
        cmocka_unit_test(test_large_events),
        cmocka_unit_test(test_largest_event),
        cmocka_unit_test(test_breaks_the_protocol),
        cmocka_unit_test(test_dies),
        cmocka_unit_test(test_cannot_be_configured),
        cmocka_unit_test(test_closed_in_between),
        cmocka_unit_test(test_drain),
        cmocka_unit_test(test_drain_of_a_flood),
        cmocka_unit_test(test_drain_at_the_start),
        cmocka_unit_test(test_promised),
        cmocka_unit_test(test_promised_are_not_refused),
        cmocka_unit_test(test_promised_and_dead),
        cmocka_unit_test(test_promised_and_given_up),
        cmocka_unit_test(test_promised_while_it_is_closed),
        cmocka_unit_test(test_room_is_given_back),
        cmocka_unit_test(test_promises_that_are_wrong),
        cmocka_unit_test(test_type_is_a_class),
    };
    const struct CMUnitTest of_silence[] = {cmocka_unit_test(test_silent)};
    int failures = cmocka_run_group_tests(tests, group_setup, group_teardown);
    return failures + cmocka_run_group_tests(of_silence, silence_setup, group_teardown);
}
