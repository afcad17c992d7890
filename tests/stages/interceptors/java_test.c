/* The interceptor java against a host in C (tests/support/java_host.h): the changes that a class may make to events, and
 * hosts that are slow, die, are silent or send wrong messages. A batch whose reply is lost is handed over again. */
#include "core/flow/identity.h"
#include "stages/lib/java/launch.h"
#include "tests/support/java_host.h"
#include "tests/support/stage.h"

#include <unistd.h>

#define TYPE "type", "org.example.Interceptor$Builder"

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

static bool is_outdated(const struct ps_test_stage *stage, const char *text)
{
    char reason[600] = "";
    bool outdated = stage->ops->outdated(stage->plan, reason, sizeof reason);
    return outdated && strstr(reason, text) != NULL;
}

static void build_and_open(struct ps_test_stage *stage)
{
    uint64_t until = ps_test_patience_end_ns();
    assert_int_equal(ps_test_stage_bind(stage, PS_KEYS(TYPE)), PS_OK);
    assert_int_equal(ps_test_stage_build(stage), PS_OK);
    assert_int_equal(ps_test_stage_open(stage), PS_OK);
    while (is_outdated(stage, "the Java host")) { /* that of the test before may still be ending */
        assert_true(ps_test_patient_ns() < until);
        usleep(1000);
    }
}

static void begin(struct ps_test_stage *stage, enum ps_test_java_edit edit)
{
    ps_test_java->mode = PS_TEST_JAVA_WELL;
    ps_test_java->edit = edit;
    ps_test_stage_init(stage, &ps_interceptor_java);
    build_and_open(stage);
}

/* One call of `work`, after which a millisecond passes. */
static enum ps_result call(struct ps_test_stage *stage, struct ps_lease *lease)
{
    enum ps_result result = stage->ops->interceptor->work(stage->plan, stage->state, lease, &stage->now);
    ps_test_stage_pass_ms(stage, 1);
    usleep(1000);
    return result;
}

/* Calls `work` as long as it returns `result`; returns the other result. */
static enum ps_result call_while(struct ps_test_stage *stage, struct ps_lease *lease, enum ps_result result)
{
    uint64_t until = ps_test_patience_end_ns();
    enum ps_result got;
    while ((got = call(stage, lease)) == result)
        assert_true(ps_test_patient_ns() < until);
    return got;
}

/* Calls `work` until the host has one more batch. */
static void await_batch(struct ps_test_stage *stage, struct ps_lease *lease)
{
    uint64_t until = ps_test_patience_end_ns();
    int batches = ps_test_java->batches;
    while (ps_test_java->batches == batches) {
        assert_int_equal(call(stage, lease), PS_LATER);
        assert_true(ps_test_patient_ns() < until);
    }
}

static void assert_event(struct ps_test_stage *stage, const struct ps_lease *lease, uint32_t position,
                         const char *body, const char *by)
{
    struct ps_test_event event = ps_test_lease_event(stage, lease, position);
    assert_int_equal(event.length, strlen(body));
    assert_memory_equal(event.body, body, event.length);
    const char *value = ps_test_event_header(&event, "by");
    assert_true((by == NULL) == (value == NULL));
    if (by != NULL)
        assert_string_equal(value, by);
}

static struct ps_lease *three(struct ps_test_stage *stage)
{
    return PS_LEASE(stage, PS_EVENT("one", "a", "1", "b", "2"), PS_BODY("two"), PS_BODY("three"));
}

static uint64_t body_bytes(const struct ps_lease *lease)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < lease->count; i++)
        bytes += ps_lease_event(lease, i)->body_length;
    return bytes;
}

static void test_unchanged(void **unused)
{
    struct ps_test_stage stage;
    begin(&stage, PS_TEST_JAVA_SAME);
    struct ps_lease *lease = three(&stage);
    const struct ps_event *rows = lease->batch->events;
    assert_int_equal(ps_test_interceptor_work(&stage, lease), PS_DONE);
    assert_ptr_equal(lease->batch->events, rows);
    assert_int_equal(lease->count, 3);
    ps_test_stage_fini(&stage);
}

static void test_changes_and_drops(void **unused)
{
    struct ps_test_stage stage;
    begin(&stage, PS_TEST_JAVA_CHANGE);
    struct ps_lease *lease = three(&stage);
    assert_true(ps_batch_shared_set(lease->batch, ps_name_intern("b"), "all", 3, false));
    assert_true(ps_batch_shared_set(lease->batch, ps_name_intern("c"), "all", 3, false));
    assert_int_equal(ps_test_interceptor_work(&stage, lease), PS_DONE);
    assert_int_equal(lease->count, 2);
    assert_event(&stage, lease, 0, "one!", "java");
    assert_event(&stage, lease, 1, "two!", "java");
    struct ps_test_event first = ps_test_lease_event(&stage, lease, 0);
    assert_null(ps_test_event_header(&first, "b")); /* the class removed it from the event, although all
                                                     * events of the batch have it */
    assert_string_equal(ps_test_event_header(&first, "a"), "1");
    assert_string_equal(ps_test_event_header(&first, "c"), "all");
    assert_int_equal(ps_test_event_header_count(&first), 3);
    assert_int_equal(lease->bytes, body_bytes(lease));
    ps_test_stage_fini(&stage);
}

/* New events have no headers of the batch, and no identity; the others keep theirs. */
static void test_adds(void **unused)
{
    struct ps_test_stage stage;
    begin(&stage, PS_TEST_JAVA_ADD);
    struct ps_lease *lease = three(&stage);
    const struct ps_identity first = {.system = "test", .part = 1, .position = 10};
    assert_true(ps_batch_origin(lease->batch, &first, 3));
    assert_true(ps_batch_shared_set(lease->batch, ps_name_intern("c"), "all", 3, false));
    assert_int_equal(ps_test_interceptor_work(&stage, lease), PS_DONE);
    assert_int_equal(lease->count, 6);
    static const char *const bodies[] = {"one", "new", "two", "new", "three", "new"};
    for (uint32_t i = 0; i < 6; i++) {
        struct ps_identity identity;
        struct ps_test_event event = ps_test_lease_event(&stage, lease, i);
        assert_event(&stage, lease, i, bodies[i], i % 2 == 1 ? "java" : NULL);
        assert_int_equal(ps_event_identity(lease, i, &identity), i % 2 == 0);
        assert_int_equal(ps_test_event_header(&event, "c") != NULL, i % 2 == 0);
        if (i % 2 == 0)
            assert_int_equal(identity.position, 10 + i / 2);
    }
    assert_int_equal(lease->bytes, body_bytes(lease));
    ps_test_stage_fini(&stage);
}

static void test_turns_round(void **unused)
{
    struct ps_test_stage stage;
    begin(&stage, PS_TEST_JAVA_TURN);
    struct ps_lease *lease = three(&stage);
    const struct ps_identity first = {.system = "test", .part = 1, .position = 10};
    struct ps_identity identity;
    assert_true(ps_batch_origin(lease->batch, &first, 3));
    assert_int_equal(ps_test_interceptor_work(&stage, lease), PS_DONE);
    assert_event(&stage, lease, 0, "three", NULL);
    assert_event(&stage, lease, 2, "one", NULL);
    assert_true(ps_event_identity(lease, 0, &identity));
    assert_int_equal(identity.position, 12);
    ps_test_stage_fini(&stage);
}

static void test_drops_all(void **unused)
{
    struct ps_test_stage stage;
    begin(&stage, PS_TEST_JAVA_EMPTY);
    struct ps_lease *lease = three(&stage);
    assert_int_equal(ps_test_interceptor_work(&stage, lease), PS_DONE);
    assert_int_equal(lease->count, 0);
    assert_int_equal(lease->bytes, 0);
    ps_test_stage_fini(&stage);
}

/* Events that an earlier interceptor dropped are not handed over; their positions then differ from their rows. */
static void test_behind_a_filter(void **unused)
{
    struct ps_test_stage stage;
    begin(&stage, PS_TEST_JAVA_TURN);
    struct ps_lease *lease = three(&stage);
    const uint64_t keep[PS_BATCH_EVENTS_MAX / 64] = {5};
    assert_true(ps_lease_filter_bits(lease, keep));
    assert_int_equal(ps_test_interceptor_work(&stage, lease), PS_DONE);
    assert_int_equal(lease->count, 2);
    assert_event(&stage, lease, 0, "three", NULL);
    assert_event(&stage, lease, 1, "one", NULL);
    ps_test_stage_fini(&stage);
}

/* The reply is too large for the first area: the host asks for a larger one. */
static void test_large_reply(void **unused)
{
    struct ps_test_stage stage;
    begin(&stage, PS_TEST_JAVA_GROW);
    for (unsigned round = 0; round < 3; round++) {
        struct ps_lease *lease = three(&stage);
        assert_int_equal(ps_test_interceptor_work(&stage, lease), PS_DONE);
        assert_int_equal(lease->count, 3);
        assert_int_equal(lease->bytes, 3 << 20);
        assert_int_equal(ps_lease_event(lease, 2)->body[0], 'g');
    }
    ps_test_stage_fini(&stage);
}

static void test_large_event(void **unused)
{
    static char body[3 << 20];
    struct ps_test_stage stage;
    memset(body, 'x', sizeof body);
    begin(&stage, PS_TEST_JAVA_CHANGE);
    struct ps_test_event event = {.body = body, .length = sizeof body};
    struct ps_lease *lease = ps_test_lease(&stage, &event, 1);
    assert_int_equal(ps_test_interceptor_work(&stage, lease), PS_DONE);
    assert_int_equal(lease->bytes, sizeof body + 1);
    assert_int_equal(ps_lease_event(lease, 0)->body[sizeof body], '!');
    ps_test_stage_fini(&stage);
}

/* The source has given a batch up while the host had it: its reply does not change the next batch. */
static void test_two_batches(void **unused)
{
    struct ps_test_stage stage;
    begin(&stage, PS_TEST_JAVA_ADD);
    ps_test_java->mode = PS_TEST_JAVA_NOTHING;
    await_batch(&stage, three(&stage));
    struct ps_lease *lease = PS_LEASE(&stage, PS_BODY("second"));
    for (unsigned i = 0; i < 20; i++)
        assert_int_equal(call(&stage, lease), PS_LATER);
    ps_test_java->mode = PS_TEST_JAVA_WELL;
    assert_int_equal(ps_test_interceptor_work(&stage, lease), PS_DONE);
    assert_int_equal(lease->count, 2);
    assert_event(&stage, lease, 0, "second", NULL);
    ps_test_stage_fini(&stage);
}

/* The host ends while it has a batch, by itself or killed by the agent; the next host gets the batch. */
static void check_lost(enum ps_test_java_mode mode)
{
    struct ps_test_stage stage;
    begin(&stage, PS_TEST_JAVA_CHANGE);
    assert_int_equal(ps_test_interceptor_work(&stage, three(&stage)), PS_DONE);
    int starts = ps_test_java->starts;
    struct ps_lease *lease = three(&stage);
    ps_test_java->mode = mode;
    uint64_t until = ps_test_patience_end_ns();
    while (ps_test_java->starts == starts) {
        enum ps_result result = call(&stage, lease);
        if (result == PS_DONE && mode == PS_TEST_JAVA_TWICE) /* the first of the two answers counts */
            lease = three(&stage);
        else
            assert_int_equal(result, PS_LATER);
        assert_true(ps_test_patient_ns() < until);
    }
    ps_test_java->mode = PS_TEST_JAVA_WELL;
    assert_int_equal(call_while(&stage, lease, PS_LATER), PS_DONE);
    assert_int_equal(lease->count, 2);
    assert_event(&stage, lease, 1, "two!", "java");
    assert_false(stage.failed);
    ps_test_stage_fini(&stage);
}

static void test_host_is_lost(void **unused)
{
    static const enum ps_test_java_mode modes[] = {
        PS_TEST_JAVA_DIES,  PS_TEST_JAVA_TORN,    PS_TEST_JAVA_GARBAGE, PS_TEST_JAVA_FLOOD,
        PS_TEST_JAVA_TWICE, PS_TEST_JAVA_STRANGE, PS_TEST_JAVA_BEYOND};
    for (size_t i = 0; i < PS_COUNT_OF(modes); i++)
        check_lost(modes[i]);
}

static void test_host_is_silent(void **unused)
{
    check_lost(PS_TEST_JAVA_SILENT);
}

/* The initialize() of the class does not return: the chain waits, and /readyz must say so. */
static void test_class_hangs_at_its_start(void **unused)
{
    struct ps_test_stage stage;
    uint64_t until = ps_test_patience_end_ns();
    begin(&stage, PS_TEST_JAVA_CHANGE);
    struct ps_lease *lease = three(&stage);
    assert_int_equal(call_while(&stage, lease, PS_LATER), PS_DONE);
    assert_false(ps_test_java_is_opening(&stage, ""));
    ps_test_java->mode = PS_TEST_JAVA_HANGS;
    ps_test_stage_close(&stage);
    assert_false(ps_test_java_is_opening(&stage, ""));
    assert_int_equal(ps_test_stage_open(&stage), PS_OK);
    lease = three(&stage);
    while (!ps_test_java_is_opening(&stage,
                                    ": org.example.Interceptor$Builder is not configured and started yet")) {
        assert_true(ps_test_patient_ns() < until);
        assert_int_equal(call(&stage, lease), PS_LATER);
    }
    ps_test_java->mode = PS_TEST_JAVA_WELL;
    assert_int_equal(call_while(&stage, lease, PS_LATER), PS_DONE);
    assert_false(ps_test_java_is_opening(&stage, ""));
    ps_test_stage_fini(&stage);
}

/* The class must wait for another class, whose close() hangs: meanwhile /readyz names that class, not the waiting one. */
static void test_class_waits_for_another_one(void **unused)
{
    struct ps_test_stage stage;
    uint64_t until = ps_test_patience_end_ns();
    begin(&stage, PS_TEST_JAVA_CHANGE);
    struct ps_lease *lease = three(&stage);
    assert_int_equal(call_while(&stage, lease, PS_LATER), PS_DONE);
    for (unsigned i = 0; i < 2; i++) { /* the reason of the first time is forgotten */
        ps_test_java->mode = i == 0 ? PS_TEST_JAVA_FOLLOWS : PS_TEST_JAVA_HANGS;
        ps_test_stage_close(&stage);
        assert_int_equal(ps_test_stage_open(&stage), PS_OK);
        lease = three(&stage);
        while (!ps_test_java_is_opening(&stage,
                                        i == 0 ? ": it waits, because org.example.Hanging has not stopped yet"
                                               : "Interceptor$Builder is not configured and started yet")) {
            assert_true(ps_test_patient_ns() < until);
            assert_int_equal(call(&stage, lease), PS_LATER);
        }
        assert_false(i == 0 && ps_test_java_is_opening(&stage, "Interceptor$Builder"));
    }
    int starts = ps_test_java->starts;
    ps_test_java->mode = PS_TEST_JAVA_WELL;
    assert_int_equal(call_while(&stage, lease, PS_LATER), PS_DONE);
    assert_false(ps_test_java_is_opening(&stage, ""));
    assert_int_equal(ps_test_java->starts, starts);
    ps_test_stage_fini(&stage);
}

/* A new host is already running when the interceptor notices that its own host has ended: no batch is refused for that. */
static void test_next_host_is_there(void **unused)
{
    struct ps_test_stage stage;
    static struct ps_java_link link;
    begin(&stage, PS_TEST_JAVA_CHANGE);
    struct ps_lease *lease = three(&stage);
    int starts = ps_test_java->starts;
    uint64_t until = ps_test_patience_end_ns();
    ps_test_java->mode = PS_TEST_JAVA_DIES;
    await_batch(&stage, lease);
    while (ps_test_java->starts == starts) {
        assert_true(ps_test_patient_ns() < until);
        usleep(1000);
    }
    ps_test_java->mode = PS_TEST_JAVA_WELL;
    ps_test_java_attach(&link);
    ps_test_java_detach(&link);
    assert_int_equal(call_while(&stage, lease, PS_LATER), PS_DONE);
    assert_int_equal(lease->count, 2);
    assert_false(is_outdated(&stage, ""));
    ps_test_stage_fini(&stage);
}

/* The host wants a larger area while the pipe is full of messages to other components, because it is slow: it is not killed. */
static void test_large_reply_and_full_pipe(void **unused)
{
    struct ps_test_stage stage;
    static struct ps_java_link link;
    static const uint64_t numbers[PS_JAVA_NUMBERS_MAX];
    begin(&stage, PS_TEST_JAVA_GROW);
    struct ps_lease *lease = three(&stage);
    ps_test_java_attach(&link);
    int needs = ps_test_java->needs, starts = ps_test_java->starts;
    uint64_t until = ps_test_patience_end_ns();
    ps_test_java->mode = PS_TEST_JAVA_NOTHING;
    await_batch(&stage, lease);
    ps_test_java->mode = PS_TEST_JAVA_WELL;
    while (ps_test_java->needs == needs) {
        assert_true(ps_test_patient_ns() < until);
        usleep(1000);
    }
    ps_test_java->mode = PS_TEST_JAVA_SILENT;
    usleep(100000); /* by then it has read earlier messages, and its own message is in the inbox */
    while (ps_java_link_send(&link, PS_JAVA_DROP, numbers, PS_JAVA_NUMBERS_MAX, NULL) == PS_JAVA_SENT)
        continue;
    for (unsigned i = 0; i < 20; i++)
        assert_int_equal(call(&stage, lease), PS_LATER);
    ps_test_java->mode = PS_TEST_JAVA_WELL;
    assert_int_equal(call_while(&stage, lease, PS_LATER), PS_DONE);
    assert_int_equal(lease->bytes, 3 << 20);
    assert_int_equal(ps_test_java->starts, starts);
    ps_test_java_detach(&link);
    ps_test_stage_fini(&stage);
}

/* The pipe is full when the stage is closed: the class is stopped once there is room, and before the next one is configured. */
static void test_closed_while_the_pipe_is_full(void **unused)
{
    struct ps_test_stage stage;
    static struct ps_java_link link;
    static const uint64_t numbers[PS_JAVA_NUMBERS_MAX];
    uint64_t until = ps_test_patience_end_ns();
    begin(&stage, PS_TEST_JAVA_SAME);
    struct ps_lease *lease = three(&stage);
    assert_int_equal(call_while(&stage, lease, PS_LATER), PS_DONE);
    ps_test_java_attach(&link);
    int stops = ps_test_java->stops, abandoned = ps_test_java->abandoned, starts = ps_test_java->starts;
    ps_test_java->mode = PS_TEST_JAVA_DEAF;
    int deaf = ps_test_java->deaf; /* the host stops reading */
    while (ps_test_java->deaf == deaf)
        usleep(1000);
    while (ps_java_link_send(&link, PS_JAVA_DROP, numbers, PS_JAVA_NUMBERS_MAX, NULL) == PS_JAVA_SENT)
        continue;
    ps_test_stage_close(&stage);
    assert_int_equal(ps_test_java->stops, stops);
    ps_test_java->mode = PS_TEST_JAVA_WELL;
    while (ps_test_java->abandoned == abandoned) { /* the host gets two STOPs, because the stage had sent none
                                                    * before */
        assert_true(ps_test_patient_ns() < until);
        usleep(1000);
    }
    assert_int_equal(ps_test_java->stops, stops + 1);
    assert_int_equal(ps_test_java->starts, starts);
    ps_test_java_detach(&link);
    ps_test_stage_fini(&stage);
}

/* The batch is refused; if the source keeps it, it is handed over again after a backoff; another batch is handed over at once. */
static void test_class_throws(void **unused)
{
    struct ps_test_stage stage;
    begin(&stage, PS_TEST_JAVA_CHANGE);
    struct ps_lease *lease = three(&stage);
    ps_test_java->mode = PS_TEST_JAVA_THROWS;
    assert_int_equal(call_while(&stage, lease, PS_LATER), PS_BACKOFF);
    assert_true(is_outdated(&stage, "org.example.Thrown"));
    int batches = ps_test_java->batches;
    for (unsigned i = 0; i < 20; i++)
        assert_int_equal(call(&stage, lease), PS_BACKOFF);
    assert_int_equal(ps_test_java->batches, batches);
    ps_test_java->mode = PS_TEST_JAVA_WELL;
    ps_test_stage_pass_ms(&stage, 1000);
    assert_int_equal(call_while(&stage, lease, PS_LATER), PS_DONE);
    assert_int_equal(lease->count, 2);
    assert_false(is_outdated(&stage, ""));
    ps_test_java->mode = PS_TEST_JAVA_THROWS;
    assert_int_equal(call_while(&stage, three(&stage), PS_LATER), PS_BACKOFF);
    ps_test_java->mode = PS_TEST_JAVA_WELL;
    assert_int_equal(call_while(&stage, three(&stage), PS_LATER), PS_DONE);
    assert_false(stage.failed);
    ps_test_stage_fini(&stage);
}

/* The class returns too much for one batch: the engine is to offer fewer events at a time. A single event is given up. */
static void test_too_much(void **unused)
{
    struct ps_test_stage stage;
    begin(&stage, PS_TEST_JAVA_CHANGE);
    ps_test_java->mode = PS_TEST_JAVA_MUCH;
    assert_int_equal(call_while(&stage, three(&stage), PS_LATER), PS_BACKOFF);
    assert_true(stage.port.is_too_large && !stage.failed);
    stage.port.is_too_large = false;
    struct ps_lease *lease = PS_LEASE(&stage, PS_BODY("large"));
    assert_int_equal(call_while(&stage, lease, PS_LATER), PS_DONE);
    assert_int_equal(lease->count, 0);
    assert_false(stage.port.is_too_large || is_outdated(&stage, ""));
    ps_test_java->mode = PS_TEST_JAVA_SLOW;
    lease = PS_LEASE(&stage, PS_BODY("small"));
    assert_int_equal(call_while(&stage, lease, PS_LATER), PS_DONE);
    assert_int_equal(lease->count, 1); /* it is not given up for the one before, while it is on its way */
    assert_false(stage.port.is_too_large);
    ps_test_stage_fini(&stage);
}

/* The class gets single events after sources whose Flume counterparts hand over single events. */
static void test_single_events(void **unused)
{
    static const struct {
        const char *source_type;
        int singles;
    } cases[] = {{"netcat", 1},     {"netcatudp", 1},    {"syslogtcp", 1}, {"syslogudp", 1},
                 {"avrolegacy", 1}, {"thriftlegacy", 1}, {"exec", 0},      {"avro", 0},
                 {"syslog", 0},     {"thrift", 0},       {NULL, 0}};
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        struct ps_test_stage stage;
        int singles = ps_test_java->singles;
        ps_test_java->edit = PS_TEST_JAVA_SAME;
        ps_test_stage_init(&stage, &ps_interceptor_java);
        stage.context.source_type = cases[i].source_type;
        build_and_open(&stage);
        assert_int_equal(ps_test_interceptor_work(&stage, three(&stage)), PS_DONE);
        assert_int_equal(ps_test_java->singles - singles, cases[i].singles);
        ps_test_stage_fini(&stage);
    }
}

/* The class cannot be configured: this is tried again, and batches are refused meanwhile. */
static void test_cannot_be_configured(void **unused)
{
    struct ps_test_stage stage;
    begin(&stage, PS_TEST_JAVA_CHANGE);
    ps_test_stage_close(&stage);
    ps_test_java->mode = PS_TEST_JAVA_BROKEN;
    assert_int_equal(ps_test_stage_open(&stage), PS_OK);
    struct ps_lease *lease = three(&stage);
    assert_int_equal(call_while(&stage, lease, PS_LATER), PS_BACKOFF);
    assert_true(is_outdated(&stage, "org.example.Broken"));
    ps_test_java->mode = PS_TEST_JAVA_WELL;
    ps_test_stage_pass_ms(&stage, 3000);
    assert_int_equal(call_while(&stage, lease, PS_LATER), PS_DONE);
    assert_false(is_outdated(&stage, ""));
    ps_test_stage_fini(&stage);
}

/* The stage is closed while the host has a batch, and opened again: the host's late answer is dropped. */
static void test_closed_in_between(void **unused)
{
    struct ps_test_stage stage;
    begin(&stage, PS_TEST_JAVA_ADD);
    ps_test_java->mode = PS_TEST_JAVA_SLOW;
    struct ps_lease *lease = three(&stage);
    await_batch(&stage, lease);
    ps_test_stage_close(&stage);
    assert_int_equal(ps_test_stage_open(&stage), PS_OK);
    assert_int_equal(call_while(&stage, lease, PS_LATER), PS_DONE);
    assert_int_equal(lease->count, 6);
    ps_test_stage_fini(&stage);
}

/* Between batches `tick` connects with a host that was started again. */
static void test_idle(void **unused)
{
    struct ps_test_stage stage;
    begin(&stage, PS_TEST_JAVA_CHANGE);
    assert_int_equal(ps_test_interceptor_work(&stage, three(&stage)), PS_DONE);
    int starts = ps_test_java->starts, configured = ps_test_java->configured;
    ps_test_java->mode = PS_TEST_JAVA_SILENT;
    uint64_t until = ps_test_patience_end_ns();
    while (ps_test_java->configured == configured) {
        if (ps_test_java->starts > starts)
            ps_test_java->mode = PS_TEST_JAVA_WELL;
        assert_true(stage.ops->interceptor->tick(stage.plan, stage.state, &stage.now) > stage.now.mono_ns);
        assert_true(ps_test_patient_ns() < until);
        ps_test_stage_pass_ms(&stage, 1);
        usleep(1000);
    }
    ps_test_stage_fini(&stage);
}

static void test_type_is_a_class(void **unused)
{
    struct ps_test_stage stage;
    ps_test_stage_init(&stage, &ps_interceptor_java);
    assert_int_equal(ps_test_stage_bind(&stage, PS_KEYS("type", "java")), PS_FAIL);
    assert_true(ps_test_stage_reported(&stage, PS_LOG_ERROR, "names no class"));
    ps_test_stage_fini(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unchanged),
        cmocka_unit_test(test_changes_and_drops),
        cmocka_unit_test(test_adds),
        cmocka_unit_test(test_turns_round),
        cmocka_unit_test(test_drops_all),
        cmocka_unit_test(test_behind_a_filter),
        cmocka_unit_test(test_large_reply),
        cmocka_unit_test(test_large_event),
        cmocka_unit_test(test_two_batches),
        cmocka_unit_test(test_host_is_lost),
        cmocka_unit_test(test_class_hangs_at_its_start),
        cmocka_unit_test(test_class_waits_for_another_one),
        cmocka_unit_test(test_next_host_is_there),
        cmocka_unit_test(test_large_reply_and_full_pipe),
        cmocka_unit_test(test_closed_while_the_pipe_is_full),
        cmocka_unit_test(test_class_throws),
        cmocka_unit_test(test_too_much),
        cmocka_unit_test(test_cannot_be_configured),
        cmocka_unit_test(test_closed_in_between),
        cmocka_unit_test(test_single_events),
        cmocka_unit_test(test_type_is_a_class),
    };
    const struct CMUnitTest of_silence[] = {cmocka_unit_test(test_host_is_silent),
                                            cmocka_unit_test(test_idle)};
    int failures = cmocka_run_group_tests(tests, group_setup, group_teardown);
    return failures + cmocka_run_group_tests(of_silence, silence_setup, group_teardown);
}
