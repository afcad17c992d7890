/* The promises of every serializer (core/stage.h), tested with each of them: it writes every body once, in order; it
 * returns false when any write of the output fails, and writes no more; once warm it allocates nothing; after it is
 * closed and opened again it writes the same. */
#include "stages/table.h"
#include "tests/support/allocations.h"
#include "tests/support/stage.h"

#include <stdio.h>

#define EVENTS 100U

#ifdef PS_TEST_PLUGIN /* tests/plugin */
static const struct ps_stage_ops *serializers[1];
static const char *const *serializer_keys;
#else
static const char *const *const serializer_keys = NULL;
static const struct ps_stage_ops *const serializers[] = {
    &ps_serializer_text,       &ps_serializer_header_and_text, &ps_serializer_json,
    &ps_serializer_avro_event, &ps_serializer_avro_datum,
};
#endif

struct output {
    struct ps_output output;
    unsigned writes, fails_at; /* the write that fails, counted from 1; 0: none */
    size_t length;
    char text[64 << 10];
};

static bool write_output(struct ps_output *base, const void *data, size_t length)
{
    struct output *output = (struct output *)base;
    if (++output->writes == output->fails_at)
        return false;
    assert_true(output->length + length <= sizeof output->text);
    if (length > 0)
        memcpy(output->text + output->length, data, length);
    output->length += length;
    return true;
}

static void test_all_are_here(void **state)
{
    for (size_t i = 0; ps_stages[i] != NULL; i++) {
        unsigned times = 0;
        for (size_t k = 0; k < PS_COUNT_OF(serializers); k++)
            times += serializers[k] == ps_stages[i];
        if (times != (ps_stages[i]->kind == PS_KIND_SERIALIZER))
            fail_msg("%s is asked %u times", ps_stages[i]->name, times);
    }
}

static struct ps_lease *some_lease(struct ps_test_stage *stage)
{
    static struct ps_test_event events[EVENTS];
    static char bodies[EVENTS][16];
    static const char *const headers[] = {"name", "value", "flume.avro.schema.literal", "\"bytes\"", NULL};
    for (unsigned i = 0; i < EVENTS; i++) {
        snprintf(bodies[i], sizeof bodies[i], "body <%u>", i);
        events[i] = PS_BODY(bodies[i]);
        events[i].headers = headers;
    }
    return ps_test_lease(stage, events, EVENTS);
}

/* Writes a file of one transaction. Returns false if a call of the serializer returned false. */
static bool run(struct ps_test_stage *stage, const struct ps_lease *lease, struct output *output,
                unsigned fails_at)
{
    const struct ps_serializer_ops *ops = stage->ops->serializer;
    struct ps_output *to = &output->output;
    output->output.write = write_output;
    output->writes = 0;
    output->length = 0;
    output->fails_at = fails_at;
    bool good = ops->begin == NULL || ops->begin(stage->plan, stage->state, to);
    for (uint32_t i = 0; good && i < lease->count; i++)
        good = ops->event(stage->plan, stage->state, lease->batch, ps_lease_event(lease, i), to);
    good = good && (ops->flush == NULL || ops->flush(stage->plan, stage->state, to));
    return good && (ops->end == NULL || ops->end(stage->plan, stage->state, to));
}

static void assert_bodies(const struct ps_test_stage *stage, const struct output *output)
{
    const char *at = output->text, *end = output->text + output->length;
    for (unsigned i = 0; i < EVENTS; i++) {
        char body[16];
        size_t length = (size_t)snprintf(body, sizeof body, "body <%u>", i);
        at = memmem(at, (size_t)(end - at), body, length);
        if (at == NULL)
            fail_msg("%s: \"%s\" is missing or out of order", stage->ops->name, body);
        at += length;
    }
    if (memmem(at, (size_t)(end - at), "body <", 6) != NULL)
        fail_msg("%s: a body is there twice", stage->ops->name);
}

static void test_life(void **state)
{
    static struct output output;
    for (size_t i = 0; i < PS_COUNT_OF(serializers); i++) {
        struct ps_test_stage stage;
        ps_test_stage_start(&stage, serializers[i], serializer_keys);
        size_t length = 0;
        for (unsigned round = 0; round < 3; round++) {
            assert_true(run(&stage, some_lease(&stage), &output, 0));
            assert_bodies(&stage, &output);
            assert_true(round == 0 || output.length == length);
            length = output.length;
            ps_test_stage_close(&stage);
            assert_int_equal(ps_test_stage_open(&stage), PS_OK);
            ps_test_stage_recycle(&stage);
        }
        ps_test_stage_fini(&stage);
    }
}

static void test_failing_output(void **state)
{
    static struct output output;
    for (size_t i = 0; i < PS_COUNT_OF(serializers); i++) {
        struct ps_test_stage stage;
        ps_test_stage_start(&stage, serializers[i], serializer_keys);
        struct ps_lease *lease = some_lease(&stage);
        assert_true(run(&stage, lease, &output, 0));
        unsigned writes = output.writes;
        assert_true(writes > 0);
        for (unsigned nth = 1; nth <= writes; nth++) {
            if (run(&stage, lease, &output, nth) || output.writes != nth)
                fail_msg("%s: write %u of %u failed; it went on to write %u", stage.ops->name, nth, writes,
                         output.writes);
        }
        assert_true(run(&stage, lease, &output, 0)); /* the next file is complete again */
        assert_bodies(&stage, &output);
        ps_test_stage_fini(&stage);
    }
}

/* Files with a failing write and good files, in turn: each failure comes at the same write as the first one, and each
 * good file has the same number of bytes, writes and blocks of memory. */
static void test_fails_in_turns(void **state)
{
    static struct output output;
    for (size_t i = 0; i < PS_COUNT_OF(serializers); i++) {
        struct ps_test_stage stage;
        ps_test_stage_start(&stage, serializers[i], serializer_keys);
        struct ps_lease *lease = some_lease(&stage);
        assert_true(run(&stage, lease, &output, 0));
        unsigned writes = output.writes;
        size_t length = output.length;
        uint64_t used_bytes = ps_depot_used_bytes(stage.depot);
        for (unsigned nth = 1; nth <= writes; nth++) {
            size_t written = 0;
            for (unsigned round = 0; round < 3; round++) {
                assert_false(run(&stage, lease, &output, nth));
                if (round == 0)
                    written = output.length;
                if (output.length != written)
                    fail_msg("%s: write %u failed behind %zu bytes, then behind %zu", stage.ops->name, nth,
                             written, output.length);
                assert_true(run(&stage, lease, &output, 0));
                assert_bodies(&stage, &output);
                if (output.length != length || output.writes != writes ||
                    ps_depot_used_bytes(stage.depot) != used_bytes)
                    fail_msg("%s: after a failed write a file has %zu bytes in %u writes, %llu bytes of "
                             "memory in use; at first %zu, %u, %llu",
                             stage.ops->name, output.length, output.writes,
                             (unsigned long long)ps_depot_used_bytes(stage.depot), length, writes,
                             (unsigned long long)used_bytes);
            }
        }
        ps_test_stage_fini(&stage);
    }
}

/* A serializer that refuses an event refuses the next one like it, too, and accepts the others. */
static void test_refuses_in_turns(void **state)
{
    static struct output output;
    for (size_t i = 0; i < PS_COUNT_OF(serializers); i++) {
        const struct ps_serializer_ops *ops = serializers[i]->serializer;
        struct ps_test_stage stage;
        struct ps_err first = {.length = 0};
        if (ops->ready == NULL)
            continue;
        ps_test_stage_start(&stage, serializers[i], serializer_keys);
        struct ps_lease *good = some_lease(&stage), *bad = PS_LEASE(&stage, PS_BODY("body <0>"));
        for (unsigned round = 0; round < 4; round++) {
            struct ps_err reason = {.length = 0};
            const struct ps_event *event = ps_lease_event(bad, 0);
            if (ops->ready(stage.plan, stage.state, bad->batch, event, &reason) == PS_SERIALIZER_READY)
                break; /* it writes every event */
            assert_true(reason.length > 0);
            if (round == 0)
                first = reason;
            assert_string_equal(reason.text, first.text);
            event = ps_lease_event(good, 0);
            assert_int_equal(ops->ready(stage.plan, stage.state, good->batch, event, &reason),
                             PS_SERIALIZER_READY);
            assert_true(run(&stage, good, &output, 0));
            assert_bodies(&stage, &output);
        }
        ps_test_stage_fini(&stage);
    }
}

static void test_allocates_nothing(void **state)
{
    static struct output output;
    if (!PS_TEST_ALLOCATIONS)
        ps_test_skip("the sanitizer counts allocations of its own");
    for (size_t i = 0; i < PS_COUNT_OF(serializers); i++) {
        struct ps_test_stage stage;
        ps_test_stage_start(&stage, serializers[i], serializer_keys);
        struct ps_lease *lease = some_lease(&stage);
        assert_true(run(&stage, lease, &output, 0));
        uint64_t before = ps_test_allocation_count;
        bool good = run(&stage, lease, &output, 0);
        if (ps_test_allocation_count != before)
            fail_msg("%s allocates", stage.ops->name);
        assert_true(good);
        ps_test_stage_fini(&stage);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_are_here),     cmocka_unit_test(test_life),
        cmocka_unit_test(test_failing_output),   cmocka_unit_test(test_fails_in_turns),
        cmocka_unit_test(test_refuses_in_turns), cmocka_unit_test(test_allocates_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
