/* A spooling directory and the sink that keeps its positions: the source asks for them once, in a separate batch; it
 * reports files that are gone, in several batches if necessary, and adds the record of each file to the batches. If the
 * sink keeps no positions, the source does none of this. */
#include "stages/lib/spool/sink_positions.h"

#include "core/arena.h"
#include "core/flow/bump.h"
#include "core/flow/sink_positions.h"
#include "core/log/log.h"
#include "core/stage.h"
#include "stages/lib/spool/spool_internal.h"
#include "tests/support/folder.h"
#include "tests/support/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define GONE 600U

static struct ps_depot *depot;
static struct ps_pool *pool;
static struct ps_bump bump;
static struct ps_spool *spool;
static struct ps_spool_sink_positions sink;
static struct ps_err err;

static void keep_open(bool keeps)
{
    if (ps_spool_sink_positions_open(&sink, spool, keeps, &err) != PS_OK)
        fail_msg("%s", err.text);
}

static int setup(void **state)
{
    ps_test_folder_setup(state);
    const struct ps_spool_settings settings = {.component = "source s",
                                               .directory = ps_test_folder(),
                                               .tracker = ".track",
                                               .suffix = ".DONE",
                                               .include = "^.*$",
                                               .ignore = "^$",
                                               .decompress = PS_SPOOL_DECOMPRESS_NEVER};
    spool = ps_spool_create(&settings, &err);
    depot = ps_depot_create(64 * (uint64_t)PS_BLOCK_BYTES, &err);
    assert_true(spool != NULL && depot != NULL);
    pool = ps_pool_create(depot, 0);
    ps_bump_init(&bump, pool);
    return 0;
}

static int teardown(void **state)
{
    struct ps_tail_thread none = {.helper = NULL};
    ps_spool_sink_positions_close(&sink);
    ps_spool_leave(spool, &none);
    ps_bump_fini(&bump);
    assert_int_equal(ps_pool_out_count(pool), 0);
    ps_pool_destroy(pool);
    ps_depot_destroy(depot);
    return ps_test_folder_teardown(state);
}

static struct ps_batch *batch_of(void)
{
    struct ps_batch *batch = ps_batch_take(&bump, (struct ps_now){0});
    assert_non_null(batch);
    return batch;
}

/* Reports into a new batch. Asserts whether more follows, and whether something was reported. Returns the batch's
 * number of spans. */
static uint32_t tell(bool draining, bool goes_on, bool told)
{
    struct ps_batch *batch = batch_of();
    bool was_told = !told;
    assert_int_equal(ps_spool_sink_positions_tell(&sink, batch, draining, &was_told), goes_on);
    assert_int_equal(was_told, told);
    assert_int_equal(batch->flush, told);
    uint32_t spans = batch->span_count;
    ps_batch_give(batch);
    return spans;
}

static void answer_question(void)
{
    const struct ps_span question = {.stream = PS_TAIL_KEEPING_QUESTION, .pass = PS_TAIL_KEEPING_PASS},
                         other = {.stream = 5, .pass = PS_TAIL_KEEPING_PASS},
                         file = {.stream = PS_TAIL_KEEPING_QUESTION};
    struct ps_port port = {.component = "source", .name = "s"};
    assert_false(ps_spool_sink_positions_answered(&sink, &other, &port));
    assert_false(ps_spool_sink_positions_answered(&sink, &file, &port));
    assert_false(ps_spool_sink_positions_is_known(&sink));
    ps_sink_positions_leave(sink.keeping.owner_key, "[]");
    assert_true(ps_spool_sink_positions_answered(&sink, &question, &port));
    assert_true(ps_spool_sink_positions_is_known(&sink));
    assert_false(ps_spool_sink_positions_answered(&sink, &question, &port)); /* one answer */
    struct ps_spool_fetch fetch = {.records = NULL};
    ps_spool_sink_positions_give(&sink, &fetch);
    assert_string_equal(fetch.records, "[]");
    free(fetch.records);
    fetch.records = NULL;
    ps_spool_sink_positions_give(&sink, &fetch); /* they are given once */
    assert_null(fetch.records);
}

static void test_no_positions_are_kept(void **unused)
{
    keep_open(false);
    assert_true(ps_spool_sink_positions_is_known(&sink));
    assert_int_equal(tell(false, true, false), 0);
    struct ps_spool_file file = {.spool = spool, .path = (char *)(uintptr_t) "x"};
    struct ps_batch *batch = batch_of();
    ps_spool_sink_positions_gone(&sink, &file);
    assert_int_equal(sink.gone.count, 0);
    assert_true(ps_spool_sink_positions_span(&sink, batch, 3, 17, &file));
    ps_spool_sink_positions_record(&sink, batch, 3, &file, 0, PS_SPOOL_KEPT_OPEN);
    assert_true(batch->span_count == 1 && batch->spans[0].stream == 3 && batch->spans[0].position == 17);
    assert_null(batch->spans[0].name);
    ps_batch_give(batch);
}

static void test_the_question(void **unused)
{
    keep_open(true);
    assert_false(ps_spool_sink_positions_is_known(&sink));
    assert_int_equal(tell(true, false, false), 0); /* the source stops: an answer would be useless */
    struct ps_batch *batch = batch_of();
    bool told = true;
    assert_non_null(ps_batch_add_copy(batch, "event", 5));
    assert_false(ps_spool_sink_positions_tell(&sink, batch, false, &told)); /* not together with events */
    assert_true(!told && batch->span_count == 0);
    ps_batch_give(batch);
    assert_int_equal(tell(false, false, true), 1);
    assert_int_equal(tell(false, false, false), 0); /* once */
    answer_question();
    assert_int_equal(tell(false, true, false), 0);
}

static void gone_add(unsigned first, unsigned end)
{
    struct ps_spool_fetch fetch = {.gone_count = end - first};
    fetch.gone = calloc(end - first, sizeof *fetch.gone);
    for (unsigned i = first; i < end; i++)
        snprintf(fetch.gone[i - first], sizeof fetch.gone[0], "%u", i);
    ps_spool_sink_positions_take(&sink, &fetch);
    assert_true(fetch.gone == NULL && fetch.gone_count == 0);
}

/* Files are read only when all missing files were reported: another file may have a key. */
static void test_files_that_are_gone(void **unused)
{
    keep_open(true);
    gone_add(0, 3);
    assert_int_equal(tell(false, false, true), 1); /* the question comes first, alone */
    assert_int_equal(tell(false, false, true), 3); /* there is no answer yet */
    answer_question();
    for (unsigned count = PS_BATCH_SPANS_MAX - 1; count <= GONE;
         count += count <= PS_BATCH_SPANS_MAX ? 1 : GONE - PS_BATCH_SPANS_MAX - 1) {
        unsigned left = count;
        gone_add(0, count / 2);
        gone_add(count / 2, count);
        while (left > PS_BATCH_SPANS_MAX) {
            assert_int_equal(tell(false, false, true), PS_BATCH_SPANS_MAX);
            left -= PS_BATCH_SPANS_MAX;
        }
        assert_int_equal(tell(false, true, true), left);
        assert_int_equal(tell(false, true, false), 0);
    }
}

static void test_records_of_files(void **unused)
{
    keep_open(true);
    ps_test_folder_append("a", "one\ntwo\n", 8);
    char *path = strdup(ps_test_folder_path("a"));
    struct ps_spool_file file = {
        .spool = spool, .path = path, .inode = 5, .device = 7, .born_ns = 9, .size = 8};
    struct ps_batch *batch = batch_of();
    struct ps_spool_records records;
    char text[1024];
    for (unsigned stream = 1; stream <= 2; stream++) {
        for (unsigned times = 0; times < 3; times++) { /* the last record of a batch counts */
            assert_true(ps_spool_sink_positions_span(&sink, batch, stream, 4 + times, &file));
            ps_spool_sink_positions_record(&sink, batch, stream, &file, times, PS_SPOOL_KEPT_OPEN);
        }
    }
    assert_int_equal(batch->span_count, 2);
    for (unsigned i = 0; i < 2; i++) {
        assert_true(batch->spans[i].stream == i + 1 && batch->spans[i].position == 6);
        const struct ps_slice *detail = &batch->spans[i].name->detail;
        snprintf(text, sizeof text, "[{\"pos\":6,%.*s]", (int)detail->length - 1, detail->data + 1);
        assert_int_equal(ps_spool_sink_records_parse(text, &records, &err), PS_OK);
        assert_true(records.count == 1 && records.items[0].inside == 2 && records.items[0].position == 6);
        assert_string_equal(records.items[0].path, "a");
        ps_spool_sink_records_free(&records);
    }
    ps_batch_give(batch);
    ps_spool_sink_positions_gone(&sink, &file);
    ps_spool_sink_positions_synced(&sink, false); /* a power cut may bring the file back */
    ps_spool_sink_positions_gone(&sink, &file);
    assert_int_equal(sink.gone.count, 0);
    ps_spool_sink_positions_synced(&sink, true);
    ps_spool_sink_positions_synced(&sink, true); /* once */
    assert_int_equal(sink.gone.count, 1);
    assert_string_equal(sink.gone.keys[0], "5-9");
    free(path);
}

/* The source has the same number in the next run. After a run that did not keep positions it gets another one. */
static void test_number(void **unused)
{
    char first[sizeof sink.keeping.owner_key];
    keep_open(true);
    strcpy(first, sink.keeping.owner_key);
    ps_spool_sink_positions_close(&sink);
    keep_open(true);
    assert_string_equal(sink.keeping.owner_key, first);
    struct ps_spool_sink_positions second;
    assert_int_equal(ps_spool_sink_positions_open(&second, spool, true, &err),
                     PS_FAIL); /* the first one has the lock */
    ps_spool_sink_positions_close(&sink);
    keep_open(false);
    ps_spool_sink_positions_close(&sink);
    keep_open(true);
    assert_string_not_equal(sink.keeping.owner_key, first);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)
    const struct CMUnitTest tests[] = {TEST(no_positions_are_kept), TEST(the_question),
                                       TEST(files_that_are_gone), TEST(records_of_files), TEST(number)};
    ps_log_set_level(PS_LOG_OFF);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
