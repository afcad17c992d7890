/* The kernel refuses a descriptor: the start fails with an error, and a source is opened again later, as
 * after a failure of its own `open`. The workers' epoll is real; the test calls their cycles. */
#include <errno.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/engine/engine.h"
#include "tests/support/flow.h"

/* Number of the EPOLL_CTL_ADD that fails, counted from the assignment: 1 = the next one, 0 = none. */
static unsigned add_fails;
static bool modify_fails; /* every EPOLL_CTL_MOD */

/* Replaces the function of libc. */
int epoll_ctl(int epoll_fd, int operation, int fd, struct epoll_event *event)
{
    if (operation == EPOLL_CTL_ADD && add_fails > 0 && --add_fails == 0) {
        errno = ENOSPC;
        return -1;
    }
    if (operation == EPOLL_CTL_MOD && modify_fails) {
        errno = ENOMEM;
        return -1;
    }
    return (int)syscall(SYS_epoll_ctl, epoll_fd, operation, fd, event);
}

static struct flow flow;
static struct ps_plan *plan;

static struct ps_engine *make_engine(struct ps_err *err)
{
    const struct ps_engine_settings settings = {.worker_count = plan->worker_count,
                                                .memory_budget_bytes = plan->block_budget_bytes};
    return ps_engine_create(&settings, err);
}

static int setup(void **state)
{
    const struct ps_machine machine = {.cores = 4, .memory_bytes = UINT64_C(1) << 30};
    struct ps_err err = {0};
    ps_log_set_level(PS_LOG_OFF);
    flow = (struct flow){
        .total = 100000, .source_count = 1, .channel_count = 1, .sink_count = 1, .options = {.workers = 1}};
    flow_init(&flow);
    plan = ps_plan_create(flow_spec(&flow), &machine, NULL, &err);
    return plan != NULL && ps_plan_build(plan, &err) == PS_OK ? 0 : -1;
}

static int teardown(void **state)
{
    ps_plan_destroy(plan);
    flow_fini(&flow);
    return 0;
}

static void test_worker(void **state)
{
    struct ps_err err = {0};
    add_fails = 1;
    assert_null(make_engine(&err));
    assert_non_null(
        strstr(err.text, "worker 0 cannot watch its wake-up descriptor: No space left on device"));
    add_fails = 0;
    struct ps_engine *engine = make_engine(&err);
    assert_non_null(engine);
    ps_engine_destroy(engine);
}

static void finish(struct ps_engine *engine, const struct ps_now *now)
{
    struct ps_left carried, lost;
    const enum ps_phase phases[] = {PS_PHASE_DRAIN, PS_PHASE_RECALL, PS_PHASE_CLOSE};
    for (unsigned i = 0; i < PS_COUNT_OF(phases); i++) {
        uint64_t number = ps_engine_order(engine, phases[i], plan, NULL);
        for (unsigned k = 0; !ps_engine_reached(engine, number); k++) {
            assert_true(k < 1000);
            (void)ps_worker_cycle(ps_engine_worker(engine, 0), now);
        }
    }
    ps_engine_carry_over(engine, plan, NULL, &carried, &lost);
    (void)ps_engine_order(engine, PS_PHASE_CLOSE, NULL, NULL);
    (void)ps_worker_cycle(ps_engine_worker(engine, 0), now);
    ps_engine_destroy(engine);
}

static void test_source(void **state)
{
    struct ps_err err = {0};
    struct ps_now now = {.mono_ns = 1000 * PS_NS_PER_S, .wall_ms = 1700000000000};
    size_t count;
    struct ps_engine *engine = make_engine(&err);
    assert_non_null(engine);
    struct ps_worker *worker = ps_engine_worker(engine, 0);
    (void)ps_engine_order(engine, PS_PHASE_RUN, plan, NULL);
    add_fails = 1;
    (void)ps_worker_cycle(worker, &now);
    struct ps_source_runner **sources = ps_worker_sources(worker, &count);
    assert_int_equal(count, 1);
    struct ps_runner *runner = &sources[0]->base;
    assert_int_equal(runner->status, PS_RUNNER_FAILED);
    assert_string_equal(
        runner->error,
        "cannot watch the epoll descriptor: No space left on device (fs.epoll.max_user_watches)");
    assert_int_equal(runner->port.epoll_fd, -1);
    now.mono_ns += 3 * PS_NS_PER_S - 1;
    (void)ps_worker_cycle(worker, &now);
    assert_int_equal(runner->status, PS_RUNNER_FAILED);
    now.mono_ns += 1;
    (void)ps_worker_cycle(worker, &now);
    assert_int_equal(runner->status, PS_RUNNER_OPEN);
    assert_true(runner->port.epoll_fd >= 0);
    assert_string_equal(runner->error, "");
    finish(engine, &now);
}

/* The number of the `open` of an interceptor or a selector that fails (1 = the next); 0 = none. */
static unsigned open_fails;
static int links_open; /* opened and not closed */

static enum ps_status link_open(const void *link_plan, void *state, struct ps_port *port, struct ps_err *err)
{
    if (open_fails > 0 && --open_fails == 0)
        return ps_err_set(err, "no file /none");
    const struct ps_stage_ops *ops = port->name[0] == 'i' ? &flow_interceptor : &flow_selector;
    links_open++;
    return ops->open != NULL ? ops->open(link_plan, state, port, err) : PS_OK;
}

static void link_close(const void *link_plan, void *state)
{
    links_open--;
}

static void interceptor_close(const void *link_plan, void *state)
{
    flow_interceptor.close(link_plan, state);
    link_close(link_plan, state);
}

/* An interceptor or a selector that fails to open keeps its source closed: the source's error has the
 * reason. */
static void test_chain(void **state)
{
    static const char *const errors[] = {"interceptor i0: no file /none", "selector s0: no file /none"};
    static struct ps_stage_ops interceptor, selector; /* the plan is torn down after this function */
    interceptor = flow_interceptor;
    selector = flow_selector;
    interceptor.open = selector.open = link_open;
    interceptor.close = interceptor_close;
    selector.close = link_close;
    plan->spec->sources[0].interceptors[0].ops = &interceptor;
    plan->spec->sources[0].selector.ops = &selector;
    for (unsigned i = 0; i < PS_COUNT_OF(errors); i++) {
        struct ps_err err = {0};
        struct ps_now now = {.mono_ns = 1000 * PS_NS_PER_S, .wall_ms = 1700000000000};
        size_t count;
        struct ps_engine *engine = make_engine(&err);
        assert_non_null(engine);
        struct ps_worker *worker = ps_engine_worker(engine, 0);
        (void)ps_engine_order(engine, PS_PHASE_RUN, plan, NULL);
        open_fails = i + 1;
        (void)ps_worker_cycle(worker, &now);
        struct ps_runner *runner = &ps_worker_sources(worker, &count)[0]->base;
        assert_int_equal(runner->status, PS_RUNNER_FAILED);
        assert_string_equal(runner->error, errors[i]);
        assert_int_equal(links_open, 0); /* the descriptors opened before it were closed, and no others */
        now.mono_ns += 3 * PS_NS_PER_S - 1;
        (void)ps_worker_cycle(worker, &now);
        assert_int_equal(runner->status, PS_RUNNER_FAILED);
        now.mono_ns += 1;
        (void)ps_worker_cycle(worker, &now);
        assert_int_equal(runner->status, PS_RUNNER_OPEN);
        assert_string_equal(runner->error, "");
        finish(engine, &now);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_worker, setup, teardown),
        cmocka_unit_test_setup_teardown(test_source, setup, teardown),
        cmocka_unit_test_setup_teardown(test_chain, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
