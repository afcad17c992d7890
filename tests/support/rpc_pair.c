#include "tests/support/rpc_pair.h"

#include "tests/support/net.h"

#include <stdio.h>
#include <unistd.h>

void ps_test_rpc_pair_listen(struct ps_test_rpc_pair *pair, const struct ps_stage_ops *source,
                             const char *const *keys)
{
    ps_test_stage_start(&pair->source, source, keys);
    snprintf(pair->port, sizeof pair->port, "%u", ps_test_tcp_port(&pair->source, 0));
}

void ps_test_rpc_pair_fini(struct ps_test_rpc_pair *pair)
{
    ps_test_stage_fini(&pair->sink);
    ps_test_stage_fini(&pair->source);
}

void ps_test_rpc_pair_turn(struct ps_test_rpc_pair *pair)
{
    (void)ps_test_source_work(&pair->source);
    (void)ps_test_sink_tick(&pair->sink);
    ps_test_stage_pass_ms(&pair->source, 1);
    ps_test_stage_pass_ms(&pair->sink, 1);
    usleep(200);
}

void ps_test_rpc_pair_offer(struct ps_test_rpc_pair *pair, struct ps_lease *lease)
{
    assert_int_equal(ps_test_sink_work(&pair->sink, &lease), PS_TAKEN);
}

void ps_test_rpc_pair_await(struct ps_test_rpc_pair *pair, size_t leases)
{
    uint64_t until = ps_test_patience_end_ns();
    while (pair->sink.done_count < leases) {
        assert_true(ps_test_patient_ns() < until);
        ps_test_rpc_pair_turn(pair);
    }
    assert_int_equal(pair->sink.done_count, leases);
}

void ps_test_rpc_pair_refuse(struct ps_test_rpc_pair *pair, uint32_t events)
{
    uint64_t until = ps_test_patience_end_ns();
    do {
        assert_true(ps_test_patient_ns() < until);
        (void)ps_test_sink_tick(&pair->sink);
        ps_test_source_read(&pair->source);
        usleep(200);
    } while (pair->source.batch->count < events);
    ps_test_source_refuse_batch(&pair->source, "full");
}

struct ps_lease *ps_test_rpc_pair_numbered(struct ps_test_rpc_pair *pair, unsigned first, unsigned count)
{
    static char bodies[1024][32];
    static struct ps_test_event events[1024];
    assert_in_range(count, 0, PS_COUNT_OF(bodies));
    for (unsigned i = 0; i < count; i++) {
        snprintf(bodies[i], sizeof bodies[i], "event %u", first + i);
        events[i] = PS_BODY(bodies[i]);
    }
    return ps_test_lease(&pair->sink, events, count);
}

void ps_test_rpc_pair_expect(const struct ps_test_rpc_pair *pair, unsigned count)
{
    assert_int_equal(pair->source.event_count, count);
    for (unsigned i = 0; i < count; i++) {
        char body[32];
        snprintf(body, sizeof body, "event %u", i);
        assert_string_equal(pair->source.events[i].body, body);
    }
}
