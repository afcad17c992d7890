/* Source taildir without memory: the lines so far are delivered, because that frees memory, and the worker sleeps until there is some. */
#include "tests/stages/sources/taildir_support.h"

#define LINES 90U        /* fewer than batchSize */
#define LINE_BYTES 6000U /* all lines need more than one block */

static struct ps_block *taken;

static void take_all(void)
{
    for (struct ps_block *block; (block = ps_block_take(stage.port.blocks)) != NULL; taken = block)
        block->next = taken;
}

static void give(unsigned most)
{
    for (; taken != NULL && most > 0; most--) {
        struct ps_block *block = taken;
        taken = block->next;
        ps_block_drop(stage.port.blocks, block);
    }
}

static void start_small(void)
{
    ps_test_stage_init_sized(&stage, &ps_source_taildir, 4U << 20);
    assert_int_equal(ps_test_stage_bind(&stage, PS_KEYS("filegroups", "g", "filegroups.g", pattern,
                                                        "positionFile", positions)),
                     PS_OK);
    assert_int_equal(ps_test_stage_build(&stage), PS_OK);
    assert_int_equal(ps_test_stage_open(&stage), PS_OK);
}

static void append_lines(void)
{
    static char text[LINES * LINE_BYTES];
    memset(text, 'x', sizeof text);
    for (size_t at = LINE_BYTES - 1; at < sizeof text; at += LINE_BYTES)
        text[at] = '\n';
    ps_test_folder_append("app.log", text, sizeof text);
}

static enum ps_result work(void)
{
    ps_test_stage_pass_ms(&stage, 1);
    (void)stage.ops->source->tick(stage.plan, stage.state, &stage.now);
    return stage.ops->source->work(stage.plan, stage.state, stage.batch, &stage.now);
}

/* Delivers the batch; the next one finds no memory. */
static void next_batch(void)
{
    ps_test_source_close_batch(&stage);
    stage.batch = ps_test_stage_take_batch(&stage);
    take_all();
}

static void test_worker_sleeps(void **unused)
{
    append("app.log", "first\n");
    start_small();
    ps_test_source_wait(&stage, 1, PS_TEST_PATIENCE_MS);
    ps_test_source_clear(&stage);
    stage.batch = ps_test_stage_take_batch(&stage);
    take_all();
    give(1); /* for the bodies */
    append_lines();
    for (unsigned waited = 0; stage.batch->count == 0 || !stage.batch->flush; waited++) {
        (void)work();
        if (waited > PS_TEST_PATIENCE_MS || stage.batch->full)
            fail_msg("%u lines, %s", stage.batch->count, stage.batch->full ? "full" : "no flush");
        usleep(1000);
    }
    uint32_t count = stage.batch->count;
    assert_in_range(count, 1, LINES - 1);
    next_batch();
    for (unsigned i = 0; work() != PS_IDLE || !ps_batch_is_empty(stage.batch); i++) {
        assert_in_range(i, 0, 20); /* lines that were read before are in the last block */
        if (!ps_batch_is_empty(stage.batch))
            next_batch();
    }
    for (unsigned i = 0; i < 20; i++)
        assert_int_equal(work(), PS_IDLE);
    assert_true(ps_batch_is_empty(stage.batch));
    give(UINT32_MAX);
    ps_test_source_wait(&stage, LINES, PS_TEST_PATIENCE_MS);
    ps_test_stage_fini(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_worker_sleeps, setup, ps_test_folder_teardown)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
