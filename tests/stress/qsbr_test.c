/* Workers sleep while the control thread exchanges plans: they must wake with the new plan and never read
 * the old one again, which is freed immediately (AddressSanitizer reports a read). */
#include "tests/support/flow.h"

#include "core/engine/agent/internal.h"
#include "rings/tsan.h"

#include <time.h>

#if defined(PS_TSAN) || defined(__SANITIZE_ADDRESS__)
#define RELOADS 60U
#else
#define RELOADS 200U
#endif

static const struct ps_machine machine = {.cores = 4, .memory_bytes = UINT64_C(1) << 30};

static uint64_t parked(struct ps_agent *agent)
{
    uint64_t count = 0;
    for (unsigned i = 0; i < ps_engine_worker_count(agent->engine); i++)
        count += __atomic_load_n(&ps_worker_stats(ps_engine_worker(agent->engine, i))->parked_count,
                                 __ATOMIC_RELAXED);
    return count;
}

static void test_parked_workers_follow(void **state)
{
    struct ps_err err = {0};
    uint64_t random = ps_test_seed();
    struct flow flow = {.seed = random,
                        .total = 10,
                        .source_count = 2,
                        .channel_count = 2,
                        .sink_count = 2,
                        .sinks = {{.channel = 0}, {.channel = 1}},
                        .options = {.workers = 3, .idle = PS_IDLE_PARK},
                        .chances = {.source_idle = 1000}}; /* the source never has work */
    flow_init(&flow);
    struct ps_agent *agent = ps_agent_start(flow_spec(&flow), &machine, &err);
    if (agent == NULL)
        fail_msg("%s", err.text);
    uint64_t before = 0;
    for (unsigned i = 0; i < RELOADS; i++) {
        while (i % 3 == 0 && parked(agent) < before + 3) /* in every third round, wait until they park */
            nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
        flow.sources[0].changes = (unsigned)(ps_test_random(&random) % 2);
        flow.sources[1].changes = (unsigned)(ps_test_random(&random) % 2);
        before = parked(agent);
        assert_int_equal(ps_test_agent_reload(agent, flow_spec(&flow), &machine, &err), PS_OK);
        assert_int_equal(flow.sources[0].origins[0].opened > 0, 1);
    }
    assert_true(parked(agent) > 0);
    struct ps_agent_account account;
    ps_agent_stop(agent, 10000, NULL, NULL, &account);
    assert_true(account.drained);
    flow_fini(&flow);
}

int main(void)
{
    ps_log_set_level(PS_LOG_OFF);
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_parked_workers_follow)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
