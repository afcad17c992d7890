/* The engine with real threads: several workers; sources, channels and sinks with random behaviour;
 * reloads under load; a stop with sinks that no longer answer. Every event is numbered and accounted for. */
#include "tests/support/flow.h"

#include "core/engine/agent/internal.h"
#include "rings/tsan.h"

#include <stdio.h>
#include <time.h>

#if defined(PS_TSAN) || defined(__SANITIZE_ADDRESS__)
#define EVENTS UINT64_C(6000)
#define ROUNDS 4
#else
#define EVENTS UINT64_C(60000)
#define ROUNDS 6
#endif
extern const struct ps_stage_ops ps_channel_memory;

#define WORKERS_MAX 6
#define PATIENCE_NS (80 * PS_NS_PER_S)

static const struct ps_machine machine = {.cores = 4, .memory_bytes = UINT64_C(1) << 30};

static void sleep_ms(unsigned ms)
{
    nanosleep(&(struct timespec){.tv_nsec = (long)ms * 1000000}, NULL);
}

static struct ps_agent *start(struct flow *flow)
{
    struct ps_err err = {0};
    struct ps_agent *agent = ps_agent_start(flow_spec(flow), &machine, &err);
    if (agent == NULL)
        fail_msg("%s", err.text);
    return agent;
}

static void reload(struct ps_agent *agent, struct flow *flow, uint64_t *random)
{
    struct ps_err err = {0};
    flow_draw_changes(flow, random);
    if (flow->options.workers < WORKERS_MAX && ps_test_random(random) % 16 == 0)
        flow->options.workers++; /* more are started while the others run */
    if (ps_test_agent_reload(agent, flow_spec(flow), &machine, &err) != PS_OK)
        fail_msg("%s", err.text);
}

/* Returns whether all batches were returned, except the open one of each source instance. */
static bool is_home(struct ps_agent *agent, const struct flow *flow)
{
    unsigned open = 0;
    for (unsigned i = 0; i < flow->source_count; i++)
        open += flow->sources[i].instances;
    return ps_engine_batches_out(agent->engine) <= open;
}

static void wait_home(struct ps_agent *agent, const struct flow *flow)
{
    uint64_t until_ns = ps_test_patient_ns() + PATIENCE_NS;
    while (!is_home(agent, flow)) {
        if (ps_test_patient_ns() > until_ns)
            fail_msg("%llu batches do not come home",
                     (unsigned long long)ps_engine_batches_out(agent->engine));
        sleep_ms(1);
    }
}

/* Waits, after all sinks were made dead, until one of them has events, which stay in its channel from then on. Returns
 * false if there are no such events, because all were made and delivered before. */
static bool wait_held(struct ps_agent *agent, const struct flow *flow)
{
    uint64_t until_ns = ps_test_patient_ns() + PATIENCE_NS;
    for (;;) {
        for (unsigned i = 0; i < flow->sink_count; i++) {
            if (__atomic_load_n(&flow->sinks[i].holds, __ATOMIC_RELAXED))
                return true;
        }
        if (flow_is_made(flow) && is_home(agent, flow))
            return false;
        if (ps_test_patient_ns() > until_ns)
            fail_msg("no dead sink gets an event (seed %llu)", (unsigned long long)flow->seed);
        sleep_ms(1);
    }
}

/* Draws a flow: streams on every worker, each event in many channels or in one. Order must be kept, and no event lost
 * or doubled. */
static void draw(struct flow *flow, uint64_t *random)
{
    flow->seed = ps_test_random(random);
    flow->total = EVENTS;
    flow->options.workers = 1 + (int64_t)(ps_test_random(random) % 4);
    flow->options.idle = (int)(ps_test_random(random) % 2 == 0 ? PS_IDLE_AUTO : PS_IDLE_PARK);
    flow->source_count = 1 + (unsigned)(ps_test_random(random) % 3);
    flow->channel_count = 1 + (unsigned)(ps_test_random(random) % 3);
    flow->sink_count = flow->channel_count + (unsigned)(ps_test_random(random) % 2);
    flow->multiplex = ps_test_random(random) % 2 == 0;
    flow->capacity = ps_test_random(random) % 3 == 0 ? "100" : "10000";
    for (unsigned i = 0; i < flow->source_count; i++) {
        flow->sources[i].kind = ps_test_random(random) % 2 == 0 ? FLOW_STREAM : FLOW_POSITION;
        flow->sources[i].instances = 1 + (unsigned)(ps_test_random(random) % (uint64_t)flow->options.workers);
    }
    for (unsigned i = 0; i < flow->sink_count; i++)
        flow->sinks[i].channel = i % flow->channel_count;
    for (unsigned i = 0; i < flow->sink_count; i++)
        flow->sinks[i].sockets = ps_test_random(random) % 2 == 0;
    flow->delay_max_ns = PS_NS_PER_MS;
    flow->options.memory_budget = ps_test_random(random) % 2 == 0 ? 72 << 20 : 128 << 20;
    flow->chances = (struct flow_chances){.source_idle = 50,
                                          .drop = 60,
                                          .chain_later = 10,
                                          .sink_keep = 300,
                                          .sink_back_off = 100,
                                          .sink_partly = 100,
                                          .recall_later = 300};
    if (ps_test_random(random) % 2 == 0)
        flow_draw_groups(flow, random, 20);
}

/* Returns the number of events that were dropped because their source was closed while an interceptor was not done
 * with them. */
static uint64_t given_up(const struct flow *flow, const struct ps_agent_account *account)
{
    uint64_t dropped = 0;
    for (unsigned i = 0; i < flow->source_count; i++) {
        for (unsigned k = 0; k < flow->sources[i].instances; k++)
            dropped += flow->sources[i].origins[k].dropped;
    }
    return account->dropped - dropped;
}

static void run(struct flow *flow, bool reloads, uint64_t *random)
{
    flow_init(flow);
    struct ps_agent *agent = start(flow);
    uint64_t until_ns = ps_test_patient_ns() + PATIENCE_NS;
    while (!flow_is_made(flow)) {
        if (ps_test_patient_ns() > until_ns)
            fail_msg("the run does not end (seed %llu)", (unsigned long long)flow->seed);
        sleep_ms(2);
        if (reloads)
            reload(agent, flow, random);
    }
    wait_home(agent, flow);
    struct ps_agent_account account;
    ps_agent_stop(agent, 30000, NULL, NULL, &account);
    assert_true(account.drained);
    assert_int_equal(account.undelivered, 0);
    if (reloads)
        flow->given_up = given_up(flow, &account);
    flow_verify(flow, reloads ? FLOW_AT_LEAST_ONCE : FLOW_EXACTLY_ONCE);
    if (!reloads)
        assert_int_equal(account.delivered, flow_expected(flow));
    flow_fini(flow);
}

static void test_everything_arrives(void **state)
{
    uint64_t random = ps_test_seed();
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct flow flow = {0};
        draw(&flow, &random);
        run(&flow, false, &random);
    }
}

static void test_reloads_under_load(void **state)
{
    uint64_t random = ps_test_seed();
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct flow flow = {0};
        draw(&flow, &random);
        flow.options.reload_timeout_ms = (int64_t)(ps_test_random(&random) % 20) + 1;
        run(&flow, true, &random);
    }
}

/* With streams only, no number of reloads doubles an event: channels are carried over. */
static void test_reloads_double_nothing(void **state)
{
    uint64_t random = ps_test_seed();
    struct flow flow = {0};
    draw(&flow, &random);
    for (unsigned i = 0; i < flow.source_count; i++)
        flow.sources[i].kind = FLOW_STREAM;
    flow.options.reload_timeout_ms = 1;
    flow_init(&flow);
    struct ps_agent *agent = start(&flow);
    while (!flow_is_made(&flow))
        reload(agent, &flow, &random);
    wait_home(agent, &flow);
    struct ps_agent_account account;
    ps_agent_stop(agent, 30000, NULL, NULL, &account);
    flow.given_up = given_up(&flow, &account);
    flow_verify(&flow, FLOW_EXACTLY_ONCE);
    assert_int_equal(account.undelivered, 0);
    assert_int_equal(account.delivered, flow_seen(&flow));
    assert_true(flow.given_up > 0 || flow_seen(&flow) == flow_expected(&flow));
    flow_fini(&flow);
}

/* Sources, interceptors and sinks fail while they are open, without and with reloads; each backs off 3 s. */
static void test_stages_fail(void **state)
{
    uint64_t random = ps_test_seed();
    for (unsigned round = 0; round < 2; round++) {
        struct flow flow = {0};
        draw(&flow, &random);
        flow.options.reload_timeout_ms = 10;
        flow.chances.fail = 200;
        flow.chances.troubled = 100;
        flow_init(&flow);
        struct ps_agent *agent = start(&flow);
        uint64_t until_ns = ps_test_patient_ns() + PATIENCE_NS;
        for (unsigned i = 0; !flow_is_made(&flow); i++) {
            if (i >= 30 && __atomic_load_n(&flow.failed, __ATOMIC_RELAXED) > 0)
                break;
            if (ps_test_patient_ns() > until_ns)
                fail_msg("no stage fails (seed %llu)", (unsigned long long)flow.seed);
            sleep_ms(2);
            if (round == 1)
                reload(agent, &flow, &random);
        }
        __atomic_store_n(&flow.chances.fail, 0, __ATOMIC_RELAXED);
        __atomic_store_n(&flow.chances.troubled, 0, __ATOMIC_RELAXED);
        until_ns = ps_test_patient_ns() + PATIENCE_NS;
        while (!flow_is_made(&flow)) {
            if (ps_test_patient_ns() > until_ns)
                fail_msg("the run does not end (seed %llu)", (unsigned long long)flow.seed);
            sleep_ms(2);
        }
        wait_home(agent, &flow);
        struct ps_agent_account account;
        ps_agent_stop(agent, 30000, NULL, NULL, &account);
        assert_true(account.drained);
        assert_int_equal(account.undelivered, 0);
        assert_true(flow.failed > 0);
        flow.given_up = round == 1 ? given_up(&flow, &account) : 0;
        flow_verify(&flow, FLOW_AT_LEAST_ONCE);
        flow_fini(&flow);
    }
}

/* One worker runs all stages on one thread. */
static void test_one_worker(void **state)
{
    uint64_t random = ps_test_seed();
    for (unsigned round = 0; round < 2; round++) {
        struct flow flow = {0};
        draw(&flow, &random);
        flow.options.workers = 1;
        flow.options.idle = round == 0 ? PS_IDLE_PARK : PS_IDLE_AUTO;
        for (unsigned i = 0; i < flow.source_count; i++)
            flow.sources[i].instances = 1;
        run(&flow, round == 1, &random);
    }
}

/* Sinks stop answering while they hold leases, some of them partly settled: the stop takes a bounded time,
 * and its account adds up to the number of events made. */
static void test_stop_with_dead_sinks(void **state)
{
    uint64_t random = ps_test_seed();
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct flow flow = {0};
        draw(&flow, &random);
        flow.total = 100 * EVENTS;
        flow.multiplex = true; /* each event goes to one channel, so that the account is a sum */
        for (unsigned i = 0; i < flow.source_count; i++)
            flow.sources[i].kind = FLOW_STREAM;
        flow_init(&flow);
        struct ps_agent *agent = start(&flow);
        sleep_ms(20);
        for (unsigned i = 0; i < flow.sink_count; i++)
            __atomic_store_n(&flow.sinks[i].dead, true, __ATOMIC_RELAXED);
        sleep_ms(20);
        assert_true(wait_held(agent, &flow));
        if (ps_test_random(&random) % 2 == 0)
            reload(agent, &flow, &random);
        struct ps_agent_account account;
        ps_agent_stop(agent, 20, NULL, NULL, &account);
        uint64_t made = 0;
        for (unsigned i = 0; i < flow.source_count; i++) {
            for (unsigned k = 0; k < flow.sources[i].instances; k++)
                made += flow.sources[i].origins[k].next;
        }
        assert_int_equal(account.accepted, made);
        assert_int_equal(account.received, made);
        assert_int_equal(account.delivered, flow_seen(&flow));
        assert_int_equal(account.delivered + account.undelivered + account.dropped, made);
        assert_false(account.drained);
        flow_fini(&flow);
    }
}

/* Channels of another type cannot take over what is in the old ones. While sinks are dead such a reload is
 * refused and everything continues; when they deliver the channels are emptied first. Sources stay open
 * through both, and nothing is lost or doubled. */
static void test_channels_change_type(void **state)
{
    uint64_t random = ps_test_seed();
    struct ps_stage_ops other = ps_channel_memory;
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct ps_err err = {0};
        struct flow flow = {0};
        draw(&flow, &random);
        flow.capacity = "100";
        flow.options.reload_timeout_ms = 1 + (int64_t)(ps_test_random(&random) % 2) * 20;
        flow_init(&flow);
        struct ps_agent *agent = start(&flow);
        for (unsigned i = 0; i < flow.sink_count; i++)
            __atomic_store_n(&flow.sinks[i].dead, true, __ATOMIC_RELAXED);
        sleep_ms(50);
        bool held = wait_held(agent, &flow);
        const struct ps_plan *before = ps_agent_plan(agent);
        struct ps_agent_spec *spec = flow_spec(&flow);
        for (unsigned i = 0; i < flow.channel_count; i++)
            spec->channels[i].stage.ops = &other;
        if (held) {
            assert_int_equal(ps_test_agent_reload(agent, spec, &machine, &err), PS_FAIL);
            assert_non_null(strstr(err.text, "restart the agent"));
            assert_ptr_equal(ps_agent_plan(agent), before);
            assert_string_equal(agent->reload_failure, err.text);
        } else {
            ps_arena_destroy(spec->arena);
        }
        for (unsigned i = 0; i < flow.sink_count; i++)
            __atomic_store_n(&flow.sinks[i].dead, false, __ATOMIC_RELAXED);
        enum ps_status status;
        uint64_t until_ns = ps_test_patient_ns() + PATIENCE_NS;
        do {
            flow.options.reload_timeout_ms = 1 + (int64_t)(ps_test_random(&random) % 20);
            spec = flow_spec(&flow);
            for (unsigned i = 0; i < flow.channel_count; i++)
                spec->channels[i].stage.ops = &other;
            status = ps_test_agent_reload(agent, spec, &machine, &err);
        } while (status != PS_OK && ps_test_patient_ns() < until_ns);
        assert_int_equal(status, PS_OK);
        assert_string_equal(agent->reload_failure, "");
        assert_ptr_equal(ps_agent_plan(agent)->channels[0].spec->stage.ops, &other);
        while (!flow_is_made(&flow) && ps_test_patient_ns() < until_ns)
            sleep_ms(2);
        assert_true(flow_is_made(&flow));
        wait_home(agent, &flow);
        struct ps_agent_account account;
        ps_agent_stop(agent, 30000, NULL, NULL, &account);
        assert_int_equal(account.undelivered, 0);
        flow_verify(&flow, FLOW_EXACTLY_ONCE);
        flow_fini(&flow);
    }
}

int main(void)
{
    ps_log_set_level(PS_LOG_OFF);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_everything_arrives),
        cmocka_unit_test(test_reloads_under_load),
        cmocka_unit_test(test_reloads_double_nothing),
        cmocka_unit_test(test_stages_fail),
        cmocka_unit_test(test_one_worker),
        cmocka_unit_test(test_stop_with_dead_sinks),
        cmocka_unit_test(test_channels_change_type),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
