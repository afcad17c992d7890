#include "tests/support/letter_source.h"

struct ps_test_letter_script ps_test_letters;

static enum ps_status source_open(const void *p, void *state, struct ps_port *port, struct ps_err *err)
{
    ps_test_letters.port = port;
    return PS_OK;
}

static enum ps_result source_work(const void *p, void *state, struct ps_batch *batch, const struct ps_now *at)
{
    static const struct ps_dead_letter_reason reason = {"malformed", "a test", 0};
    if (ps_test_letters.make == NULL)
        return PS_IDLE;
    for (const char *c = ps_test_letters.make; *c != '\0'; c++) {
        if (*c == '!')
            assert_int_not_equal(ps_port_deadletter_bytes(ps_test_letters.port, c, 1, &reason), 0);
        else
            assert_non_null(ps_batch_add_copy(batch, c, 1));
    }
    if (ps_test_letters.large != NULL)
        assert_non_null(ps_batch_add_copy(batch, ps_test_letters.large, ps_test_letters.large_length));
    ps_test_letters.large = NULL;
    batch->flush = true;
    ps_test_letters.make = NULL;
    return PS_DONE;
}

static void source_accepted(const void *p, void *state, const struct ps_batch *batch, const struct ps_now *at)
{
    ps_test_letters.accepted += batch->count;
}

static const struct ps_source_ops source_ops = {
    .needs = PS_LEVEL_ACCEPTED, .when_full = PS_WAIT, .work = source_work, .accepted = source_accepted};
const struct ps_stage_ops ps_test_letter_source = {
    .kind = PS_KIND_SOURCE, .name = "source", .open = source_open, .source = &source_ops};

static enum ps_result chain_work(const void *p, void *state, struct ps_lease *lease, const struct ps_now *at)
{
    return PS_DONE;
}

static const struct ps_interceptor_ops chain_ops = {.work = chain_work};
const struct ps_stage_ops ps_test_letter_chain = {
    .kind = PS_KIND_INTERCEPTOR, .name = "chain", .interceptor = &chain_ops};

void ps_test_letter_feed(struct ps_test_small_agent *agent, const char *bodies)
{
    ps_test_letters.make = bodies;
    ps_test_small_agent_run(agent, PS_NS_PER_MS);
}
