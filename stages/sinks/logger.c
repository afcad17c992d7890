/* Sink logger (Flume's LoggerSink): writes every event as text to the log, at level INFO. Thread: its worker.
 * The lines are not rate-limited, because they are this sink's output; if the log is not read, events
 * wait. */
#include "core/flow/identity.h"
#include "core/log/backoff.h"
#include "core/stage.h"
#include "stages/lib/text/hex_dump.h"

#include <errno.h>
#include <stdlib.h>

#define BYTES_DEFAULT 16

struct logger_plan {
    const char *bytes_text;
    uint32_t bytes_max;
    bool identity;
};

struct logger_state {
    struct ps_port *port;
    struct ps_java_map map;
    struct ps_dump dump;
    struct ps_log_backoff trouble; /* there is no memory for an event's text */
};

static const struct ps_option options[] = {
    PS_OPTION_ROW(
        "maxBytesToLog", TEXT, offsetof(struct logger_plan, bytes_text),
        "maximum number of bytes of a body to show; a value that is not a number counts as 16. Flume "
        "1.11 documents this key and ignores it",
        .fallback = "16", .unit = "bytes", .flags = PS_OPTION_LENIENT),
    PS_OPTION_ROW(
        "penstock.identity", BOOL, offsetof(struct logger_plan, identity),
        "end each line with the event's identity, which is the same when the event is delivered again "
        "(docs/CONTRACT.md); `-` for an event whose source cannot read it again",
        .fallback = "false"),
    PS_OPTION_END,
};

/* Parses like Java's Integer.parseInt. Also returns false for a negative number, with which Flume fails on each event. */
static bool bytes_parse(const char *text, uint32_t *bytes)
{
    char *end;
    errno = 0;
    long number = strtol(text, &end, 10);
    if (end == text || *end != '\0' || errno != 0 || number < 0 || number > INT32_MAX)
        return false;
    *bytes = (uint32_t)number;
    return true;
}

static enum ps_status logger_check(const void *plan_, const struct ps_context *context)
{
    const struct logger_plan *plan = plan_;
    uint32_t bytes;
    if (!bytes_parse(plan->bytes_text, &bytes))
        ps_report(context, PS_LOG_WARN, "maxBytesToLog", "%s is not a number of bytes: %d is used",
                  plan->bytes_text, BYTES_DEFAULT);
    return PS_OK;
}

static enum ps_status logger_build(void *plan_, struct ps_context *, struct ps_err *)
{
    struct logger_plan *plan = plan_;
    if (!bytes_parse(plan->bytes_text, &plan->bytes_max))
        plan->bytes_max = BYTES_DEFAULT;
    return PS_OK;
}

static enum ps_status logger_open(const void *, void *state_, struct ps_port *port, struct ps_err *)
{
    struct logger_state *state = state_;
    state->port = port;
    ps_java_map_init(&state->map);
    ps_dump_init(&state->dump);
    state->trouble = (struct ps_log_backoff){.tries = 0};
    return PS_OK;
}

static void logger_close(const void *, void *state_)
{
    struct logger_state *state = state_;
    ps_java_map_fini(&state->map);
    ps_dump_fini(&state->dump);
}

/* Adds the event's identity to its text. Returns false when there is no memory. */
static bool identity_add(struct ps_dump *dump, const struct ps_lease *lease)
{
    struct ps_identity identity;
    char text[PS_IDENTITY_TEXT_BYTES] = "-";
    if (ps_event_identity(lease, lease->cursor, &identity))
        (void)ps_identity_text(&identity, text);
    return ps_dump_text(dump, " ") && ps_dump_text(dump, text);
}

/* Writes the event's text to the dump. Returns false when there is no memory. */
static bool dump_event(const struct logger_plan *plan, struct logger_state *state,
                       const struct ps_lease *lease)
{
    return ps_dump_event(&state->dump, &state->map, lease->batch, ps_lease_event(lease, lease->cursor),
                         plan->bytes_max) &&
           (!plan->identity || identity_add(&state->dump, lease));
}

/* The memory is this process's, so it costs no attempt of the lease, which is offered again. Logs it once. */
static enum ps_result wait_for_memory(struct logger_state *state, const struct ps_now *now)
{
    static const char text[] = "no memory for the text of an event, which waits";
    if (ps_log_backoff_says(&state->trouble, text, now->mono_ns))
        ps_log(PS_LOG_ERROR, state->port->component, "%s", text);
    return PS_LATER;
}

static enum ps_result logger_work(const void *plan_, void *state_, struct ps_lease **lease_,
                                  const struct ps_now *now)
{
    const struct logger_plan *plan = plan_;
    struct logger_state *state = state_;
    struct ps_lease *lease = *lease_;
    if (ps_log_get_level() > PS_LOG_INFO) {
        ps_lease_settle_all(lease);
        return PS_DONE;
    }
    for (; lease->cursor < lease->count; lease->cursor++) {
        if (ps_lease_is_settled(lease, lease->cursor))
            continue;
        if (!dump_event(plan, state, lease))
            return wait_for_memory(state, now);
        state->trouble.tries = 0;
        if (!ps_log_text(PS_LOG_INFO, state->port->component, state->dump.data, state->dump.length))
            return PS_LATER;
        ps_lease_settle(lease, lease->cursor);
    }
    return PS_DONE;
}

static const struct ps_sink_ops sink = {.work = logger_work};

const struct ps_stage_ops ps_sink_logger = {
    PS_STAGE(PS_KIND_SINK),
    .name = "logger",
    .aliases = PS_WORDS("org.apache.flume.sink.LoggerSink"),
    .summary = "writes every event to the log",
    .options = options,
    .plan_size = sizeof(struct logger_plan),
    .state_size = sizeof(struct logger_state),
    .check = logger_check,
    .build = logger_build,
    .open = logger_open,
    .close = logger_close,
    .sink = &sink,
};
