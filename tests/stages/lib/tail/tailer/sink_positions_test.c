/* Positions that a sink keeps: when the question and the positions without lines are in a batch, what is printed of a file, and batches without
 * room. */
#include "core/flow/bump.h"
#include "stages/lib/tail/tailer/internal.h"
#include "stages/lib/tail/sink_source.h"
#include "tests/support/support.h"

#include <stdio.h>
#include <stdlib.h>

#define KEY 5U /* of the headers in the batch */

static struct ps_depot *depot;
static struct ps_pool *pool;
static struct ps_bump bump;
static struct ps_counters counters;
static unsigned failures;

static void failed(struct ps_port *port_, const struct ps_err *reason)
{
    failures++;
}

static struct ps_port port = {.component = "source t1", .counters = &counters, .failed = failed};
static struct ps_tail_place place = {.path = (char *)(uintptr_t) "/logs"};
static const struct ps_tail_settings settings = {.identities = false};
static const struct ps_tail_sink_source keeping = {.owner = "0123456789abcdef",
                                                   .owner_key = "file/0123456789abcdef"};
static struct ps_tailer *tailer;

static int setup(void **unused)
{
    struct ps_err err = {0};
    depot = ps_depot_create(200 * (uint64_t)PS_BLOCK_BYTES, &err);
    pool = ps_pool_create(depot, 0);
    ps_bump_init(&bump, pool);
    tailer = ps_must_alloc(1, sizeof *tailer, "a test");
    tailer->settings = &settings;
    tailer->port = &port;
    tailer->places = &place;
    tailer->sink.keeping = &keeping;
    tailer->batch_key = KEY;
    failures = 0;
    return 0;
}

static int teardown(void **unused)
{
    ps_tail_logs_free(tailer);
    ps_tail_gone_free(&tailer->sink.gone);
    ps_tail_fingerprint_index_free(&tailer->fingerprints);
    free(tailer);
    ps_bump_fini(&bump);
    ps_pool_destroy(pool);
    assert_int_equal(ps_depot_used_bytes(depot), 0);
    ps_depot_destroy(depot);
    return 0;
}

static struct ps_tail_log *log_new(unsigned number)
{
    char name[32];
    snprintf(name, sizeof name, "app.%u", number);
    struct ps_tail_log *log = ps_tail_log_add(
        tailer, 0, &(struct ps_tail_change){.group = 0, .device = 3, .inode = 1000 + number, .name = name});
    log->resolved = true;
    ps_tail_log_move(tailer, log, 10 + number, 10 + number);
    return log;
}

static struct ps_batch *batch_new(void)
{
    struct ps_batch *batch = ps_batch_take(&bump, (struct ps_now){0});
    assert_non_null(batch);
    return batch;
}

/* ---- the question ---- */

/* It is asked once, in a batch of its own, and not while the source ends. Without it nothing is read. */
static void test_question(void **unused)
{
    bool told = true;
    struct ps_batch *batch = batch_new();
    tailer->draining = true;
    assert_false(ps_tail_sink_positions_tell(tailer, batch, &told));
    assert_false(told || tailer->sink.asked);
    tailer->draining = false;
    assert_non_null(ps_batch_add_copy(batch, "x", 1));
    assert_false(ps_tail_sink_positions_tell(tailer, batch, &told));
    assert_false(told || tailer->sink.asked);
    assert_int_equal(batch->span_count, 0);
    ps_batch_give(batch);
    batch = batch_new();
    assert_false(ps_tail_sink_positions_tell(tailer, batch, &told));
    assert_true(told && tailer->sink.asked && batch->flush);
    assert_int_equal(batch->span_count, 1);
    assert_int_equal(batch->spans[0].stream, PS_TAIL_KEEPING_QUESTION);
    ps_batch_give(batch);
    batch = batch_new();
    assert_true(ps_tail_sink_positions_tell(tailer, batch, &told)); /* there is nothing more to tell */
    assert_false(told || batch->flush);
    assert_int_equal(batch->span_count, 0);
    assert_int_equal(tailer->batch_key, KEY);
    ps_batch_give(batch);
}

static void test_answers(void **unused)
{
    struct ps_span lines = {.stream = PS_TAIL_GONE_STREAMS - 1}, gone = {.stream = PS_TAIL_GONE_STREAMS},
                   question = {.stream = PS_TAIL_KEEPING_QUESTION};
    assert_false(ps_tail_sink_positions_answered(tailer, &lines));
    assert_true(ps_tail_sink_positions_answered(tailer, &gone));
    tailer->draining = true;
    assert_true(ps_tail_sink_positions_answered(tailer, &question));
    assert_int_equal(failures, 0);
    tailer->draining = false;
    assert_true(ps_tail_sink_positions_answered(tailer, &question)); /* the sink has left no answer */
    assert_int_equal(failures, 1);
    assert_false(tailer->remembered.loads);
}

/* ---- positions without lines ---- */

static void expect_span(const struct ps_batch *batch, uint32_t at, const struct ps_tail_log *log)
{
    const struct ps_span *span = &batch->spans[at];
    char key[32];
    snprintf(key, sizeof key, "%llu", (unsigned long long)log->identity.inode);
    assert_int_equal(span->stream, log->number);
    assert_int_equal(span->pass, log->pass);
    assert_int_equal(span->position, log->read_offset);
    assert_int_equal(span->name->name.length, strlen(key));
    assert_memory_equal(span->name->name.data, key, strlen(key));
    assert_true(span->name->detail.length > 0);
}

/* Only a file that is identified, and goes its own way, has a position. What is gone is told first. Headers of lines do not belong to a batch
 * without lines. */
static void test_announced(void **unused)
{
    for (unsigned lines = 0; lines < 2; lines++) {
        bool told = false;
        struct ps_tail_log *first = log_new(10 * lines), *unknown = log_new(10 * lines + 1),
                           *copy = log_new(10 * lines + 2), *last = log_new(10 * lines + 3);
        struct ps_batch *batch = batch_new();
        tailer->sink.asked = true;
        tailer->batch_key = KEY;
        unknown->resolved = false;
        copy->state = PS_TAIL_LOG_COPY;
        if (lines > 0)
            assert_non_null(ps_batch_add_copy(batch, "x", 1));
        ps_tail_sink_positions_announce(&tailer->sink, first->number);
        ps_tail_sink_positions_announce(&tailer->sink, unknown->number);
        ps_tail_sink_positions_announce(&tailer->sink, copy->number);
        ps_tail_sink_positions_announce(&tailer->sink, 60); /* no file has this number any more */
        ps_tail_sink_positions_announce(&tailer->sink, last->number);
        ps_tail_sink_positions_gone(&tailer->sink, 4711);
        ps_tail_sink_positions_gone(&tailer->sink, first->identity.inode); /* another file has it now */
        assert_true(ps_tail_sink_positions_tell(tailer, batch, &told));
        assert_true(told && batch->flush);
        assert_int_equal(batch->span_count, 3);
        assert_int_equal(batch->spans[0].position, -1);
        assert_true(batch->spans[0].stream >= PS_TAIL_GONE_STREAMS);
        assert_int_equal(batch->spans[0].name->name.length, 4);
        assert_memory_equal(batch->spans[0].name->name.data, "4711", 4);
        expect_span(batch, 1, first);
        expect_span(batch, 2, last);
        assert_int_equal(tailer->sink.announced.count, 0);
        assert_int_equal(tailer->sink.gone.count, 0);
        assert_true(tailer->batch_key == (lines > 0 ? KEY : PS_TAIL_NO_KEY));
        copy->state = PS_TAIL_LOG_CLOSED;
        ps_batch_give(batch);
    }
}

/* More files than a batch has room for: lines wait until all are told, each once. */
static void test_no_room(void **unused)
{
    enum { FILES = PS_BATCH_SPANS_MAX + 44 };
    unsigned counts[FILES] = {0};
    tailer->sink.asked = true;
    for (unsigned i = 0; i < FILES; i++)
        ps_tail_sink_positions_announce(&tailer->sink, log_new(i)->number);
    for (unsigned batches = 0; batches < 2; batches++) {
        bool told = false;
        struct ps_batch *batch = batch_new();
        assert_int_equal(ps_tail_sink_positions_tell(tailer, batch, &told), batches == 1);
        assert_true(told && batch->flush);
        assert_int_equal(batch->span_count, batches == 0 ? PS_BATCH_SPANS_MAX : 44);
        assert_int_equal(tailer->sink.announced.count, batches == 0 ? 44 : 0);
        for (uint32_t i = 0; i < batch->span_count; i++)
            counts[batch->spans[i].position - 10]++;
        ps_batch_give(batch);
    }
    for (unsigned i = 0; i < FILES; i++)
        assert_int_equal(counts[i], 1);
}

/* Without such a sink nothing is noted. */
static void test_no_sink(void **unused)
{
    bool told = true;
    struct ps_tail_log *log = log_new(1);
    struct ps_batch *batch = batch_new();
    tailer->sink.keeping = NULL;
    ps_tail_sink_positions_announce(&tailer->sink, log->number);
    ps_tail_sink_positions_gone(&tailer->sink, 4711);
    assert_int_equal(tailer->sink.announced.count, 0);
    assert_int_equal(tailer->sink.gone.count, 0);
    assert_true(ps_tail_sink_positions_tell(tailer, batch, &told));
    assert_false(told);
    assert_int_equal(batch->span_count, 0);
    ps_batch_give(batch);
}

/* ---- what is told of a file ---- */

static void parse(const struct ps_batch *batch, struct ps_tail_positions *positions)
{
    char text[8192];
    const struct ps_slice *detail = &batch->spans[0].name->detail;
    snprintf(text, sizeof text, "[{\"pos\":%lld,%.*s]\n", (long long)batch->spans[0].position,
             (int)detail->length - 1, detail->data + 1);
    ps_tail_positions_parse(text, strlen(text), true, positions);
    if (positions->count != 1 || positions->cut)
        fail_msg("not a position: %s", text);
}

/* The text of a file, with its last 16 marks, is what the source reads after a restart. It is made anew when lines are read, and when the file has a
 * longer path. */
static void test_details(void **unused)
{
    static const char *const names[] = {"x", "a \"b\"\n",
                                        "a name that is much longer than the one before it"};
    struct ps_tail_log *log = log_new(7);
    struct ps_batch *batch = batch_new();
    log->identity.head = UINT64_MAX - 5;
    log->identity.head_length = 1024;
    assert_true(ps_tail_sink_positions_span(tailer, log, batch));
    for (unsigned i = 0; i < 3; i++) {
        struct ps_tail_positions positions;
        char path[200];
        for (unsigned k = 0; k < 10; k++) {
            log->read_offset = 1000 + 10 * i + k;
            const struct ps_tail_mark mark = {
                .offset = log->read_offset, .hash = UINT64_MAX - 10 * i - k, .length = 64 + k};
            ps_tail_marks_add(&log->marks, &mark, 0);
        }
        ps_tail_log_rename(tailer, log, names[i], true);
        assert_true(ps_tail_sink_positions_span(tailer, log, batch)); /* the span that is there */
        assert_int_equal(batch->span_count, 1);
        ps_tail_sink_positions_detail(log, batch);
        parse(batch, &positions);
        const struct ps_tail_position *position = &positions.items[0];
        snprintf(path, sizeof path, "/logs/%s", names[i]);
        assert_string_equal(position->path, path);
        assert_true(position->inode == 1007 && position->identity.device == 3);
        assert_true(position->identity.head == UINT64_MAX - 5 && position->identity.head_length == 1024);
        assert_int_equal(position->offset, 1000 + 10 * i + 9);
        assert_int_equal(position->marks.count, i == 0 ? 10 : 16);
        for (uint32_t k = 0; k < position->marks.count; k++) {
            const struct ps_tail_mark *mark = &position->marks.items[position->marks.count - 1 - k];
            const struct ps_tail_mark *own = &log->marks.items[log->marks.count - 1 - k];
            assert_true(mark->offset == own->offset && mark->hash == own->hash &&
                        mark->length == own->length);
        }
        ps_tail_positions_free(&positions);
    }
    log->delivered_offset = log->read_offset;
    ps_batch_give(batch);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)
    const struct CMUnitTest tests[] = {TEST(question), TEST(answers), TEST(announced),
                                       TEST(no_room),  TEST(no_sink), TEST(details)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
