#include "tests/support/bucket_files.h"

struct ps_bucket_writer_settings ps_test_bucket_settings;
const char *ps_test_bucket_path, *ps_test_bucket_prefix, *ps_test_bucket_serializer;

struct state {
    struct ps_bucket_writer *sink;
};

static enum ps_status build(void *plan, struct ps_context *context, struct ps_err *err)
{
    static const struct ps_pairs none;
    ps_test_bucket_settings.format.type = PS_HADOOP_DATA_STREAM;
    ps_test_bucket_settings.format.serializer =
        context->sub_stage(context, PS_KIND_SERIALIZER, ps_test_bucket_serializer, &none,
                           &ps_test_bucket_settings.format.serializer_plan, err);
    return ps_bucket_path_build(&ps_test_bucket_settings.bucket_path, context->arena, ps_test_bucket_path,
                                ps_test_bucket_prefix, "/", NULL, err);
}

static enum ps_status open_sink(const void *plan, void *state_, struct ps_port *port, struct ps_err *err)
{
    struct state *state = state_;
    state->sink = ps_bucket_writer_open(&ps_test_bucket_settings, ps_test_files(), port, err);
    return state->sink != NULL ? PS_OK : PS_FAIL;
}

static void close_sink(const void *plan, void *state_)
{
    struct state *state = state_;
    ps_bucket_writer_close(state->sink);
}

static enum ps_result work(const void *plan, void *state_, struct ps_lease **lease, const struct ps_now *now)
{
    struct state *state = state_;
    return ps_bucket_writer_work(state->sink, lease, now);
}

/* While an event is to become a dead letter, the sink asks for a tick soon, also if this tick found it: nothing else wakes it. */
static uint64_t tick(const void *plan, void *state_, const struct ps_now *now)
{
    struct state *state = state_;
    uint64_t due_ns = ps_bucket_writer_tick(state->sink, now);
    if (state->sink->refusals.flawed.count > 0 || state->sink->refusals.exhausted.count > 0)
        assert_in_range(due_ns, now->mono_ns, now->mono_ns + PS_DEADLETTER_LOOK_NS);
    return due_ns;
}

static bool recall(const void *plan, void *state_, struct ps_lease **back, const struct ps_now *now)
{
    struct state *state = state_;
    return ps_bucket_writer_recall(state->sink, back, now);
}

static const struct ps_sink_ops sink_ops = {.work = work, .tick = tick, .recall = recall};
static const struct ps_option no_options[] = {PS_OPTION_END};
static const struct ps_stage_ops stage_ops = {
    PS_STAGE(PS_KIND_SINK),
    .name = "hdfs-test",
    .options = no_options,
    .plan_size = 8,
    .state_size = sizeof(struct state),
    .build = build,
    .open = open_sink,
    .close = close_sink,
    .sink = &sink_ops,
};

struct ps_test_stage ps_test_bucket_stage;

int ps_test_bucket_setup(void **state)
{
    ps_test_bucket_path = "/d";
    ps_test_bucket_prefix = "f";
    ps_test_bucket_serializer = "text";
    ps_test_bucket_settings = (struct ps_bucket_writer_settings){
        .in_use_prefix = "",
        .in_use_suffix = ".tmp",
        .file_suffix = "",
        .open_files_max = 5000,
        .replicas_min = 0,
        .close_tries = PS_BUCKET_TRIES_ENDLESS,
        .retry_ns = 180 * PS_NS_PER_S,
        .call_timeout_ns = 30 * PS_NS_PER_S,
        .held_bytes_max = UINT64_MAX,
    };
    return ps_test_files_setup(state);
}

void ps_test_bucket_start(void)
{
    ps_test_stage_start(&ps_test_bucket_stage, &stage_ops, NULL);
}

void ps_test_bucket_finish(void)
{
    ps_test_stage_fini(&ps_test_bucket_stage);
    assert_int_equal(ps_test_files()->held_bytes, 0);
}

/* Moves the clock by `ms`, then runs turns of the worker. */
uint64_t ps_test_bucket_pass(uint64_t ms)
{
    uint64_t due_ns = PS_NEVER;
    ps_test_stage_pass_ms(&ps_test_bucket_stage, ms);
    for (int i = 0; i < 8; i++)
        due_ns = ps_test_sink_tick(&ps_test_bucket_stage);
    return due_ns;
}

void ps_test_bucket_take(struct ps_lease *lease)
{
    assert_int_equal(ps_test_sink_work(&ps_test_bucket_stage, &lease), PS_TAKEN);
    assert_null(lease);
}

struct ps_lease *ps_test_bucket_recall(unsigned *turns)
{
    struct ps_lease *back = NULL;
    *turns = 1;
    for (; !recall(ps_test_bucket_stage.plan, ps_test_bucket_stage.state, &back, &ps_test_bucket_stage.now);
         ps_test_stage_pass_ms(&ps_test_bucket_stage, 100))
        assert_true(++*turns < 1000);
    ps_port_finish_settled(&ps_test_bucket_stage.port, &back); /* as the engine does */
    return back;
}

uint64_t ps_test_bucket_counter(int number)
{
    return ps_test_stage_counter(&ps_test_bucket_stage, (enum ps_counter)number);
}
