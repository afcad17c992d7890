/* A sink with sockets of its own: its worker wakes when one of them is ready, and calls the sink, which reads it. The workers' epoll is
 * real, and the test calls their cycles. The last test runs a whole agent on threads with the sink of tests/support/echo.h. */
#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "core/engine/engine.h"
#include "core/engine/sink/group.h"
#include "tests/support/conformance.h"
#include "tests/support/echo.h"
#include "tests/support/flow.h"

/* Number of the EPOLL_CTL_ADD that fails, counted from the assignment: 1 = the next one, 0 = none. */
static unsigned add_fails;

/* Replaces the function of libc. */
int epoll_ctl(int epoll_fd, int operation, int fd, struct epoll_event *event)
{
    if (operation == EPOLL_CTL_ADD && add_fails > 0 && --add_fails == 0) {
        errno = ENOSPC;
        return -1;
    }
    return (int)syscall(SYS_epoll_ctl, epoll_fd, operation, fd, event);
}

/* ---- a sink that does what the test says ---- */

static struct {
    int far_end; /* of its connection */
    unsigned answers, recalls_left;
    bool fails;
    enum ps_result result;
} script;

struct state {
    struct ps_port *port;
    int fd;
    struct ps_lease *kept;
};

static enum ps_status script_open(const void *p, void *state_, struct ps_port *port, struct ps_err *err)
{
    struct state *state = state_;
    struct epoll_event event = {.events = EPOLLIN};
    int ends[2];
    assert_true(port->epoll_fd >= 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    *state = (struct state){.port = port, .fd = ends[0]};
    script.far_end = ends[1];
    assert_int_equal(epoll_ctl(port->epoll_fd, EPOLL_CTL_ADD, state->fd, &event), 0);
    return PS_OK;
}

static void script_close(const void *p, void *state_)
{
    close(((struct state *)state_)->fd);
    close(script.far_end);
}

static enum ps_result script_work(const void *p, void *state_, struct ps_lease **lease,
                                  const struct ps_now *now)
{
    struct state *state = state_;
    if (script.result == PS_DONE)
        ps_lease_settle_all(*lease);
    if (script.result == PS_TAKEN && state->kept != NULL)
        return PS_LATER;
    if (script.result == PS_TAKEN) {
        state->kept = *lease;
        *lease = NULL;
    }
    return script.result;
}

static uint64_t script_tick(const void *p, void *state_, const struct ps_now *now)
{
    struct state *state = state_;
    struct epoll_event event;
    struct ps_err reason = {0};
    char byte;
    if (epoll_wait(state->port->epoll_fd, &event, 1, 0) != 1)
        return PS_NEVER;
    assert_int_equal(recv(state->fd, &byte, 1, 0), 1);
    script.answers++;
    if (script.fails) {
        ps_err_set(&reason, "an answer that it does not understand");
        ps_port_failed(state->port, &reason);
    }
    return PS_NEVER;
}

static bool script_recall(const void *p, void *state_, struct ps_lease **back, const struct ps_now *now)
{
    struct state *state = state_;
    if (script.recalls_left > 0 && --script.recalls_left > 0)
        return false;
    *back = state->kept;
    state->kept = NULL;
    return true;
}

static const struct ps_sink_ops script_sink = {
    .sockets = true, .work = script_work, .tick = script_tick, .recall = script_recall};
static const struct ps_stage_ops script_stage = {.kind = PS_KIND_SINK,
                                                 .name = "scripted",
                                                 .plan_size = sizeof(struct flow_plan),
                                                 .state_size = sizeof(struct state),
                                                 .open = script_open,
                                                 .close = script_close,
                                                 .sink = &script_sink};

/* ---- one worker with it ---- */

static const struct ps_machine machine = {.cores = 4, .memory_bytes = UINT64_C(1) << 30};
static struct flow flow;
static struct ps_plan *plan;
static struct ps_engine *engine;
static struct ps_worker *worker;
static struct ps_now now;

static struct ps_plan *make_plan(const struct ps_stage_ops *sink, const char *channel)
{
    struct ps_err err = {0};
    struct ps_agent_spec *spec = flow_spec(&flow);
    spec->sinks[0].stage.ops = sink;
    spec->channels[0].stage.name = channel;
    struct ps_plan *made = ps_plan_create(spec, &machine, NULL, &err);
    assert_non_null(made);
    assert_int_equal(ps_plan_build(made, &err), PS_OK);
    return made;
}

static void start(const struct ps_stage_ops *sink)
{
    struct ps_err err = {0};
    memset(&script, 0, sizeof script);
    script.result = PS_DONE;
    flow = (struct flow){.total = 1000,
                         .source_count = 1,
                         .channel_count = 1,
                         .sink_count = 1,
                         .chances.source_idle = 1000,
                         .options = {.workers = 1}};
    flow_init(&flow);
    plan = make_plan(sink, "c1");
    const struct ps_engine_settings settings = {.worker_count = 1,
                                                .memory_budget_bytes = plan->block_budget_bytes};
    engine = ps_engine_create(&settings, &err);
    assert_non_null(engine);
    worker = ps_engine_worker(engine, 0);
    now = (struct ps_now){.mono_ns = 1000 * PS_NS_PER_S, .wall_ms = 1700000000000};
    (void)ps_engine_order(engine, PS_PHASE_RUN, plan, NULL);
}

static void cycle(void)
{
    (void)ps_worker_cycle(worker, &now);
}

static struct ps_sink_runner *sink_runner(void)
{
    size_t count;
    struct ps_sink_runner **sinks = ps_worker_sinks(worker, &count);
    assert_int_equal(count, 1);
    return sinks[0];
}

static void order(enum ps_phase phase, struct ps_plan *of, struct ps_plan *next, bool reached)
{
    uint64_t number = ps_engine_order(engine, phase, of, next);
    for (unsigned i = 0; i < 100 && !ps_engine_reached(engine, number); i++) {
        cycle();
        now.mono_ns += PS_NS_PER_MS;
    }
    assert_int_equal(ps_engine_reached(engine, number), reached);
}

static void stop(void)
{
    struct ps_left carried, lost;
    order(PS_PHASE_DRAIN, plan, NULL, true);
    order(PS_PHASE_RECALL, plan, NULL, true);
    order(PS_PHASE_CLOSE, plan, NULL, true);
    ps_engine_carry_over(engine, plan, NULL, &carried, &lost);
    order(PS_PHASE_CLOSE, NULL, NULL, true);
    ps_engine_destroy(engine);
    ps_plan_destroy(plan);
    flow_fini(&flow);
}

/* Returns whether the worker would wake now. */
static bool wakes(void)
{
    struct epoll_event seen;
    return epoll_wait(ps_worker_epoll_fd(worker), &seen, 1, 0) == 1;
}

static void send_answer(void)
{
    assert_int_equal(send(script.far_end, "x", 1, 0), 1);
}

/* An answer comes: the worker wakes, and its next cycle reads it. */
static void check_served(void)
{
    unsigned before = script.answers;
    assert_false(wakes());
    send_answer();
    assert_true(wakes());
    cycle();
    assert_int_equal(script.answers, before + 1);
    assert_false(wakes());
}

/* ---- tests ---- */

static unsigned fds_of_start(const struct ps_stage_ops *sink)
{
    start(sink);
    unsigned before = ps_test_open_fds();
    cycle();
    return ps_test_open_fds() - before;
}

/* A sink that does not ask for an epoll costs no descriptor. */
static void test_none(void **state)
{
    unsigned without = fds_of_start(&flow_sink_stage);
    assert_int_equal(sink_runner()->base.port.epoll_fd, -1);
    stop();
    unsigned with = fds_of_start(&script_stage);
    assert_true(sink_runner()->base.port.epoll_fd >= 0);
    assert_int_equal(with, without + 3); /* the epoll, and the two ends of the connection */
    stop();
}

static void test_idle(void **state)
{
    start(&script_stage);
    cycle();
    check_served();
    check_served();
    assert_true(ps_worker_deadline_ns(worker) > now.mono_ns); /* no time of its own */
    stop();
}

/* After a rollback the sink gets no lease for a second, but it reads answers. */
static void test_resting(void **state)
{
    start(&script_stage);
    cycle();
    script.result = PS_RETRY;
    flow.chances.source_idle = 0;
    for (unsigned i = 0; sink_runner()->failures == 0; i++) {
        assert_true(i < 100);
        cycle();
    }
    assert_true(sink_runner()->backoff_until_ns > now.mono_ns);
    check_served();
    assert_int_equal(sink_runner()->failures, 1);
    script.result = PS_DONE;
    now.mono_ns += PS_NS_PER_S;
    stop();
}

/* The far end is readable all the time, and the sink has no room: the lease waits, and answers are read. */
static void test_later(void **state)
{
    start(&script_stage);
    cycle();
    script.result = PS_LATER;
    flow.chances.source_idle = 0;
    for (unsigned i = 0; sink_runner()->offered == NULL; i++) {
        assert_true(i < 100);
        cycle();
    }
    check_served();
    assert_non_null(sink_runner()->offered);
    script.result = PS_DONE;
    stop();
}

static void test_draining(void **state)
{
    start(&script_stage);
    cycle();
    script.result = PS_LATER;
    flow.chances.source_idle = 0;
    for (unsigned i = 0; sink_runner()->offered == NULL; i++)
        cycle();
    order(PS_PHASE_DRAIN, plan, NULL, false);
    check_served();
    script.result = PS_DONE;
    stop();
}

/* The sink was reported as idle, and a reload does not keep its channel: the sink takes no more leases, and its
 * sockets are served. */
static void test_paused(void **state)
{
    start(&script_stage);
    cycle();
    struct ps_plan *next = make_plan(&script_stage, "c2");
    order(PS_PHASE_PAUSE, plan, next, true);
    assert_true(ps_worker_deadline_ns(worker) > now.mono_ns);
    check_served();
    script.fails = true;
    send_answer();
    cycle();
    assert_int_equal(sink_runner()->base.status, PS_RUNNER_ENDING);
    cycle();
    assert_int_equal(sink_runner()->base.status, PS_RUNNER_FAILED);
    now.mono_ns += 10 * PS_NS_PER_S;
    cycle();
    assert_int_equal(sink_runner()->base.status, PS_RUNNER_FAILED); /* it is opened when its channel stays */
    assert_true(ps_worker_deadline_ns(worker) > now.mono_ns);
    script.fails = false;
    order(PS_PHASE_RUN, plan, NULL, true);
    cycle();
    assert_int_equal(sink_runner()->base.status, PS_RUNNER_OPEN);
    check_served();
    stop();
    ps_plan_destroy(next);
}

/* While the sink is recalled it does not read its sockets, and they must not keep the worker awake. */
static void test_recall(void **state)
{
    start(&script_stage);
    cycle();
    order(PS_PHASE_DRAIN, plan, NULL, true);
    script.recalls_left = 1000;
    order(PS_PHASE_RECALL, plan, NULL, false);
    send_answer();
    assert_false(wakes());
    script.recalls_left = 0;
    stop();
}

/* The sink fails while it is open. Its sockets are not watched while it ends; those of the reopened sink are. */
static void test_failed(void **state)
{
    start(&script_stage);
    cycle();
    script.fails = true;
    script.recalls_left = 3;
    send_answer();
    cycle();
    assert_int_equal(sink_runner()->base.status, PS_RUNNER_ENDING);
    cycle();
    send_answer();
    assert_false(wakes());
    cycle();
    cycle();
    assert_int_equal(sink_runner()->base.status, PS_RUNNER_FAILED);
    assert_int_equal(sink_runner()->base.port.epoll_fd, -1);
    script.fails = false;
    now.mono_ns += 3 * PS_NS_PER_S;
    cycle();
    assert_int_equal(sink_runner()->base.status, PS_RUNNER_OPEN);
    check_served();
    stop();
}

/* The same in CLOSE of a reload that adopts the sink, while control may use its channel: it keeps its leases
 * until it may give them back, and nobody reads its sockets. */
static void test_failed_at_rest(void **state)
{
    start(&script_stage);
    cycle();
    script.result = PS_TAKEN;
    flow.chances.source_idle = 0;
    for (unsigned i = 0; sink_runner()->inflight == 0; i++) {
        assert_true(i < 100);
        cycle();
    }
    script.fails = true;
    send_answer();
    ps_sink_runner_rest(sink_runner(), &now);
    assert_int_equal(sink_runner()->base.status, PS_RUNNER_ENDING);
    for (unsigned i = 0; i < 3; i++) {
        ps_sink_runner_rest(sink_runner(), &now);
        assert_int_equal(sink_runner()->base.status, PS_RUNNER_ENDING);
        assert_int_equal(sink_runner()->inflight, 1);
        assert_int_equal(sink_runner()->base.deadline_ns, PS_NEVER);
    }
    send_answer();
    assert_false(wakes());
    script.fails = false;
    cycle();
    assert_int_equal(sink_runner()->base.status, PS_RUNNER_FAILED);
    assert_int_equal(sink_runner()->inflight, 0);
    script.result = PS_DONE;
    now.mono_ns += 3 * PS_NS_PER_S;
    stop();
}

static void test_no_descriptor(void **state)
{
    start(&script_stage);
    add_fails = 1;
    cycle();
    assert_int_equal(sink_runner()->base.status, PS_RUNNER_FAILED);
    assert_string_equal(
        sink_runner()->base.error,
        "cannot watch the epoll descriptor: No space left on device (fs.epoll.max_user_watches)");
    assert_int_equal(sink_runner()->base.port.epoll_fd, -1);
    now.mono_ns += 3 * PS_NS_PER_S;
    cycle();
    assert_int_equal(sink_runner()->base.status, PS_RUNNER_OPEN);
    check_served();
    stop();
}

/* ---- a whole agent, whose workers sleep until something wakes them ---- */

#define EVENTS UINT64_C(3000)

static size_t lines_of(const char *text)
{
    size_t lines = 0;
    for (; (text = strchr(text, '\n')) != NULL; text++)
        lines++;
    return lines;
}

/* Numbered lines: each call of `work` makes a few. */
static enum ps_result lines_work(const void *p, void *state, struct ps_batch *batch, const struct ps_now *at)
{
    uint64_t *next = state;
    for (unsigned i = 0; i < 7 && *next < EVENTS; i++, (*next)++) {
        char line[24];
        int length = snprintf(line, sizeof line, "event %llu", (unsigned long long)*next);
        if (ps_batch_add_copy(batch, line, (uint32_t)length) == NULL)
            break;
    }
    return *next < EVENTS ? PS_DONE : PS_IDLE;
}

static const struct ps_source_ops lines_source = {.needs = PS_LEVEL_ACCEPTED, .work = lines_work};
static const struct ps_stage_ops lines_stage = {.kind = PS_KIND_SOURCE,
                                                .name = "lines",
                                                .plan_size = sizeof(struct flow_plan),
                                                .state_size = sizeof(uint64_t),
                                                .source = &lines_source};

static void check_lines(const char *text)
{
    const char *at = text;
    for (uint64_t i = 0; i < EVENTS; i++) {
        char line[24];
        int length = snprintf(line, sizeof line, "event %llu\n", (unsigned long long)i);
        if (strncmp(at, line, (size_t)length) != 0)
            fail_msg("line %llu is %.20s", (unsigned long long)i, at);
        at += length;
    }
    assert_string_equal(at, "");
}

/* Only the socket wakes the sink's worker for an answer, and the connection is cut once on the way. */
static void test_agent(void **state)
{
    struct ps_err err = {0};
    struct ps_left carried, lost;
    ps_test_echo_start();
    flow = (struct flow){
        .source_count = 1, .channel_count = 1, .sink_count = 1, .capacity = "100", .options = {.workers = 2}};
    flow_init(&flow);
    struct ps_agent_spec *spec = flow_spec(&flow);
    spec->sources[0].stage.ops = &lines_stage;
    spec->sources[0].interceptor_count = 0;
    spec->sinks[0].stage.ops = &ps_test_echo_sink;
    plan = ps_plan_create(spec, &machine, NULL, &err);
    assert_non_null(plan);
    assert_int_equal(ps_plan_build(plan, &err), PS_OK);
    const struct ps_engine_settings settings = {.worker_count = plan->worker_count,
                                                .memory_budget_bytes = plan->block_budget_bytes,
                                                .idle = PS_IDLE_PARK,
                                                .park_max_ns = 3600 * PS_NS_PER_S};
    engine = ps_engine_create(&settings, &err);
    assert_non_null(engine);
    assert_int_equal(ps_engine_start(engine, &err), PS_OK);
    assert_true(ps_engine_wait(engine, ps_engine_order(engine, PS_PHASE_RUN, plan, NULL), 60000));
    uint64_t until_ns = ps_test_patience_end_ns();
    for (bool cut = false; lines_of(ps_test_echo_text()) < EVENTS;) {
        if (!cut && lines_of(ps_test_echo_text()) > EVENTS / 3) {
            ps_test_echo_cut();
            cut = true;
        }
        if (ps_test_patient_ns() > until_ns)
            fail_msg("%zu events are answered: only a wake-up can be missing", lines_of(ps_test_echo_text()));
        nanosleep(&(struct timespec){.tv_nsec = PS_NS_PER_MS}, NULL);
    }
    static const enum ps_phase phases[] = {PS_PHASE_DRAIN, PS_PHASE_RECALL, PS_PHASE_CLOSE};
    for (unsigned i = 0; i < PS_COUNT_OF(phases); i++)
        assert_true(ps_engine_wait(engine, ps_engine_order(engine, phases[i], plan, NULL), 60000));
    ps_engine_carry_over(engine, plan, NULL, &carried, &lost);
    assert_int_equal(lost.events, 0);
    assert_true(ps_engine_wait(engine, ps_engine_order(engine, PS_PHASE_CLOSE, NULL, NULL), 60000));
    ps_engine_destroy(engine);
    ps_plan_destroy(plan);
    flow_fini(&flow);
    check_lines(ps_test_echo_text());
    ps_test_echo_stop();
}

int main(void)
{
    ps_log_set_level(PS_LOG_OFF);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_none),           cmocka_unit_test(test_idle),
        cmocka_unit_test(test_resting),        cmocka_unit_test(test_later),
        cmocka_unit_test(test_draining),       cmocka_unit_test(test_paused),
        cmocka_unit_test(test_recall),         cmocka_unit_test(test_failed),
        cmocka_unit_test(test_failed_at_rest), cmocka_unit_test(test_no_descriptor),
        cmocka_unit_test(test_agent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
