#include "tests/support/small_stages.h"

#include "tests/support/support.h"

unsigned ps_test_small_source_batches;

static enum ps_result source_work(const void *p, void *state, struct ps_batch *batch, const struct ps_now *at)
{
    if (ps_test_small_source_batches == 0)
        return PS_IDLE;
    ps_test_small_source_batches--;
    assert_non_null(ps_batch_add_copy(batch, "x", 1));
    batch->flush = true;
    return PS_DONE;
}
static const struct ps_source_ops source_ops = {
    .needs = PS_LEVEL_ACCEPTED, .when_full = PS_WAIT, .work = source_work};
const struct ps_stage_ops ps_test_small_source = {
    .kind = PS_KIND_SOURCE, .name = "source", .source = &source_ops};

static enum ps_result pass(const void *p, void *state, struct ps_lease *lease, const struct ps_now *at)
{
    return PS_DONE;
}
static const struct ps_interceptor_ops pass_ops = {.work = pass};
const struct ps_stage_ops ps_test_small_interceptor = {
    .kind = PS_KIND_INTERCEPTOR, .name = "pass", .interceptor = &pass_ops};
