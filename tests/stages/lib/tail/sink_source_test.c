/* A source whose positions a sink keeps: the number under which the sink knows it, the question to the sink, and its answer. */
#include "stages/lib/tail/sink_source.h"
#include "core/flow/bump.h"
#include "core/flow/sink_positions.h"
#include "core/stage.h"
#include "tests/support/folder.h"
#include "tests/support/support.h"

#include <stdio.h>
#include <stdlib.h>

static struct ps_depot *depot;
static struct ps_pool *pool;
static struct ps_bump bump;

static int setup(void **state)
{
    struct ps_err err = {0};
    depot = ps_depot_create(64 * (uint64_t)PS_BLOCK_BYTES, &err);
    pool = ps_pool_create(depot, 0);
    ps_bump_init(&bump, pool);
    return ps_test_folder_setup(state);
}

static int teardown(void **state)
{
    ps_bump_fini(&bump);
    ps_pool_destroy(pool);
    assert_int_equal(ps_depot_used_bytes(depot), 0);
    ps_depot_destroy(depot);
    return ps_test_folder_teardown(state);
}

static const char *position_path(void)
{
    static char path[512];
    snprintf(path, sizeof path, "%s", ps_test_folder_path("positions.json"));
    return path;
}

static void init(struct ps_tail_sink_source *keeping, bool overtaken)
{
    struct ps_err err = {.length = 0};
    memset(keeping, 0x5A, sizeof *keeping);
    assert_int_equal(ps_tail_sink_source_init(keeping, position_path(), 0, overtaken, "a cure", &err), PS_OK);
    assert_int_equal(strlen(keeping->owner), 16);
    assert_int_equal(strspn(keeping->owner, "0123456789abcdef"), 16);
    assert_memory_equal(keeping->owner_key, "file/", 5);
    assert_string_equal(keeping->owner_key + 5, keeping->owner);
    assert_true(keeping->life >= 0);
}

/* The number is drawn once, and again when another program has overtaken the positions. Each opening has a life of its own. */
static void test_numbers(void **unused)
{
    struct ps_tail_sink_source first, second, third;
    init(&first, false);
    init(&second, false);
    assert_string_equal(second.owner, first.owner);
    assert_int_not_equal(second.life, first.life);
    init(&third, true);
    assert_string_not_equal(third.owner, first.owner);
    init(&second, false);
    assert_string_equal(second.owner, third.owner);
}

static void test_refused(void **unused)
{
    struct ps_tail_sink_source keeping;
    struct ps_err err = {.length = 0};
    assert_int_equal(ps_tail_sink_source_init(&keeping, position_path(), -1, false, "trackerDir", &err),
                     PS_FAIL);
    assert_non_null(strstr(err.text, position_path()));
    assert_non_null(strstr(err.text, "put trackerDir on a file system that supports locks"));
    assert_null(ps_test_folder_read("positions.json.id")); /* no number was drawn */
    err.length = 0;
    ps_test_folder_append("positions.json.id", "no number", 9);
    assert_int_equal(ps_tail_sink_source_init(&keeping, position_path(), 0, false, "a cure", &err), PS_FAIL);
    assert_non_null(strstr(err.text, "does not have a number of 16 digits"));
}

static void expect_name(const struct ps_stream_name *name, const struct ps_tail_sink_source *keeping,
                        const char *key)
{
    assert_string_equal(name->system, "file");
    assert_int_equal(name->group.length, 16);
    assert_memory_equal(name->group.data, keeping->owner, 16);
    assert_int_equal(name->name.length, strlen(key));
    assert_memory_equal(name->name.data, key, strlen(key));
    assert_int_equal(name->part, -1);
    assert_int_equal(name->generation, keeping->life);
    assert_int_equal(name->member.length + name->instance.length + name->detail.length, 0);
}

/* The question is alone in its batch, which goes at once. A batch that has anything stays as it is. */
static void test_question(void **unused)
{
    struct ps_tail_sink_source keeping;
    init(&keeping, false);
    const struct ps_stream_name other = ps_tail_sink_source_name(&keeping, "4711");
    expect_name(&other, &keeping, "4711");
    for (unsigned with = 0; with < 3; with++) {
        struct ps_batch *batch = ps_batch_take(&bump, (struct ps_now){0});
        if (with == 1)
            assert_non_null(ps_batch_add_copy(batch, "x", 1));
        if (with == 2)
            assert_true(ps_batch_span(batch, 1, 1, 5, &other));
        assert_int_equal(ps_tail_sink_source_ask(&keeping, batch), with == 0);
        assert_int_equal(batch->flush, with == 0);
        assert_int_equal(batch->span_count, with != 1);
        if (with == 0) {
            const struct ps_span *span = &batch->spans[0];
            assert_int_equal(span->stream, PS_TAIL_KEEPING_QUESTION);
            assert_int_equal(span->pass, PS_TAIL_KEEPING_PASS);
            assert_int_equal(span->position, 0);
            expect_name(span->name, &keeping, "");
        }
        ps_batch_give(batch);
    }
}

static unsigned failures;

static void failed(struct ps_port *port, const struct ps_err *reason)
{
    failures++;
    assert_non_null(strstr(reason->text, "has not reported the positions"));
}

/* An answer is taken once, by the source that it is for. */
static void test_answer(void **unused)
{
    struct ps_tail_sink_source keeping, other;
    struct ps_port port = {.failed = failed};
    init(&keeping, false);
    other = keeping;
    other.owner_key[5] = other.owner_key[5] == 'a' ? 'b' : 'a';
    failures = 0;
    assert_null(ps_tail_sink_source_answer(&keeping, &port));
    assert_int_equal(failures, 1);
    ps_sink_positions_leave(keeping.owner_key, "[]");
    assert_null(ps_tail_sink_source_answer(&other, &port));
    assert_int_equal(failures, 2);
    char *records = ps_tail_sink_source_answer(&keeping, &port);
    assert_non_null(records);
    assert_string_equal(records, "[]");
    free(records);
    assert_int_equal(failures, 2);
    assert_null(ps_tail_sink_source_answer(&keeping, &port));
    assert_int_equal(failures, 3);
}

static void test_printed_numbers(void **unused)
{
    static const int64_t rows[] = {0,  1,   9,   10,  99,        100,           -1,
                                   -9, -10, -99, 256, INT64_MAX, INT64_MIN + 1, INT64_MIN};
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        char text[32], expected[32];
        memset(text, '#', sizeof text);
        snprintf(expected, sizeof expected, "%lld", (long long)rows[i]);
        assert_int_equal(ps_tail_sink_source_number(text, rows[i]) - text, strlen(expected));
        assert_memory_equal(text, expected, strlen(expected));
        assert_int_equal(text[strlen(expected)], '#'); /* no NUL */
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)
    const struct CMUnitTest tests[] = {TEST(numbers), TEST(refused), TEST(question), TEST(answer),
                                       TEST(printed_numbers)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
