/* Source exec (Flume's ExecSource): every line a command writes is an event. Thread: its worker.
 *
 * The pipe is read into the batch's block and split there. When the channel is full nothing is read, and the
 * command has to wait once its pipe is full (Flume ends the run instead). Lines are as
 * BufferedReader.readLine gives them. The command runs in a process group of its own, which goes when the
 * source does. */
#include "core/stage.h"
#include "stages/child.h"
#include "stages/line_split.h"
#include "stages/slab.h"
#include "stages/utf8.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <unistd.h>

#define READ_BYTES (64U * 1024U)
#define IN_BLOCK_MAX (PS_BLOCK_BYTES / 2) /* a longer beginning of a line moves to a buffer of its own */
#define READS_MAX 8                       /* in one call of work */
#define POLL_NS (50 * PS_NS_PER_MS)       /* while waiting for the end of a process */
#define TERM_NS (5 * PS_NS_PER_S)         /* then SIGKILL */
#define DRAIN_NS (2 * PS_NS_PER_S)
#define ERROR_LINE_BYTES 2048U

enum charset { CHARSET_UTF8, CHARSET_ASCII, CHARSET_SINGLE };

struct exec_plan {
    const char *command, *shell, *charset_name;
    int64_t throttle_ms, batch_size, batch_timeout_ms, line_max;
    bool restart, log_errors;
    enum charset charset;
    const char *const *argv;
};

enum phase { PHASE_START, PHASE_RUNS, PHASE_ENDS, PHASE_WAITS, PHASE_OVER };

struct exec_state {
    struct ps_port *port;
    enum phase phase;
    uint64_t at_ns; /* ENDS: SIGKILL; WAITS: start again */
    struct ps_child child;
    struct ps_child_cpus cpus;
    struct ps_line_split split;
    uint32_t known; /* bytes left in the block that hold no line end */
    bool unsplit;   /* bytes left in the block were not looked at */
    bool ended;     /* end of the output: what is left is the last line */
    uint32_t line_max;
    struct ps_slab slab;
    struct ps_buffer carry;         /* the beginning of a line too long for a block; */
    uint32_t carry_end, carry_next; /* when not 0: of that line, and where the next one begins */
    uint64_t drain_ns;              /* draining until; 0 = not */
    char error_line[ERROR_LINE_BYTES];
    uint32_t error_length;
    uint64_t error_count;
};

#define FIELD(name) offsetof(struct exec_plan, name)

static const struct ps_option options[] = {
    {.key = "command",
     .type = PS_OPTION_TEXT,
     .offset = FIELD(command),
     .flags = PS_OPTION_REQUIRED,
     .help = "what to run; split at blanks when there is no shell"},
    {.key = "shell",
     .type = PS_OPTION_TEXT,
     .offset = FIELD(shell),
     .help = "e.g. /bin/sh -c: gets the command as its last argument"},
    {.key = "restart",
     .type = PS_OPTION_BOOL,
     .offset = FIELD(restart),
     .fallback = "false",
     .help = "start the command again when it ended"},
    {.key = "restartThrottle",
     .type = PS_OPTION_INT,
     .offset = FIELD(throttle_ms),
     .fallback = "10000",
     .min = 0,
     .max = INT32_MAX,
     .unit = "ms",
     .help = "how long to wait before that"},
    {.key = "logStdErr",
     .type = PS_OPTION_BOOL,
     .offset = FIELD(log_errors),
     .fallback = "false",
     .help = "log what the command writes to standard error; else it is discarded"},
    {.key = "batchSize",
     .type = PS_OPTION_INT,
     .offset = FIELD(batch_size),
     .fallback = "20",
     .min = INT32_MIN,
     .max = INT32_MAX,
     .unit = "events",
     .flags = PS_OPTION_NO_EFFECT,
     .help = "events in one transaction; batches here are as large as the load makes them"},
    {.key = "batchTimeout",
     .type = PS_OPTION_INT,
     .offset = FIELD(batch_timeout_ms),
     .fallback = "3000",
     .unit = "ms",
     .flags = PS_OPTION_NO_EFFECT,
     .help = "how long an event may wait for others; no event waits here"},
    {.key = "charset",
     .type = PS_OPTION_TEXT,
     .offset = FIELD(charset_name),
     .fallback = "UTF-8",
     .help = "what the command writes: UTF-8, US-ASCII or ISO-8859-n"},
    {.key = "penstock.line.max",
     .type = PS_OPTION_SIZE,
     .offset = FIELD(line_max),
     .fallback = "16m",
     .min = 1,
     .max = 1 << 27,
     .unit = "bytes",
     .flags = PS_OPTION_EXTENSION,
     .help = "longer lines are cut into several events"},
    PS_OPTION_END,
};

/* ---- set-up ---- */

static bool charset_parse(const char *name, enum charset *charset)
{
    static const struct {
        const char *name;
        enum charset charset;
    } names[] = {
        {"utf-8", CHARSET_UTF8},         {"utf8", CHARSET_UTF8},          {"us-ascii", CHARSET_ASCII},
        {"ascii", CHARSET_ASCII},        {"iso-8859-1", CHARSET_SINGLE},  {"iso8859-1", CHARSET_SINGLE},
        {"iso8859_1", CHARSET_SINGLE},   {"latin1", CHARSET_SINGLE},      {"iso-8859-2", CHARSET_SINGLE},
        {"iso-8859-4", CHARSET_SINGLE},  {"iso-8859-5", CHARSET_SINGLE},  {"iso-8859-9", CHARSET_SINGLE},
        {"iso-8859-13", CHARSET_SINGLE}, {"iso-8859-15", CHARSET_SINGLE}, {"iso-8859-16", CHARSET_SINGLE},
    };
    for (size_t i = 0; i < PS_COUNT_OF(names); i++) {
        if (strcasecmp(name, names[i].name) == 0) {
            *charset = names[i].charset;
            return true;
        }
    }
    return false;
}

static enum ps_status exec_check(const void *plan_, const struct ps_context *context)
{
    const struct exec_plan *plan = plan_;
    enum charset charset;
    if (!charset_parse(plan->charset_name, &charset)) {
        ps_report(context, PS_LOG_ERROR, "charset", "%s is not read here; use UTF-8, US-ASCII or ISO-8859-1",
                  plan->charset_name);
        return PS_FAIL;
    }
    return PS_OK;
}

/* Java's split("\\s+"). */
static size_t words_split(struct ps_arena *arena, const char *text, const char **words)
{
    static const char blanks[] = " \t\n\v\f\r";
    size_t count = 0;
    while (*text != '\0') {
        size_t length = strcspn(text, blanks);
        words[count++] = ps_arena_copy(arena, text, length);
        text += length;
        text += strspn(text, blanks);
    }
    return count;
}

static enum ps_status exec_build(void *plan_, struct ps_context *context, struct ps_err *err)
{
    struct exec_plan *plan = plan_;
    if (!charset_parse(plan->charset_name, &plan->charset))
        return ps_err_set(err, "charset %s is not read here", plan->charset_name);
    const char *line = plan->shell != NULL ? plan->shell : plan->command;
    const char **argv = ps_arena_alloc(context->arena, (strlen(line) + 3) * sizeof *argv);
    size_t count = words_split(context->arena, line, argv);
    if (plan->shell != NULL)
        argv[count++] = plan->command;
    argv[count] = NULL;
    plan->argv = argv;
    return PS_OK;
}

static enum ps_status exec_open(const void *plan_, void *state_, struct ps_port *port, struct ps_err *err)
{
    (void)err;
    const struct exec_plan *plan = plan_;
    struct exec_state *state = state_;
    *state = (struct exec_state){.port = port, .line_max = (uint32_t)plan->line_max};
    /* A line must fit the memory there is beside others. */
    uint64_t most = ps_depot_budget_bytes(port->blocks->depot) / 4;
    if (state->line_max > most)
        state->line_max = (uint32_t)most;
    ps_child_init(&state->child);
    ps_child_cpus_init(&state->cpus);
    ps_slab_init(&state->slab, port->blocks);
    return PS_OK;
}

static void exec_close(const void *plan, void *state_)
{
    (void)plan;
    struct exec_state *state = state_;
    ps_child_kill(&state->child);
    ps_buffer_free(&state->slab, &state->carry);
    ps_slab_fini(&state->slab);
}

/* ---- the process ---- */

static void watch(const struct exec_state *state, int fd)
{
    struct epoll_event event = {.events = EPOLLIN};
    if (state->port->epoll_fd >= 0 && fd >= 0)
        (void)epoll_ctl(state->port->epoll_fd, EPOLL_CTL_ADD, fd, &event);
}

static void unwatch(const struct exec_state *state, int fd)
{
    if (state->port->epoll_fd >= 0 && fd >= 0)
        (void)epoll_ctl(state->port->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
}

/* It has ended, or could not be started: again after a while, or never. */
static void run_over(const struct exec_plan *plan, struct exec_state *state, const struct ps_now *now,
                     const char *exit_code)
{
    bool again = plan->restart && state->drain_ns == 0;
    state->phase = again ? PHASE_WAITS : PHASE_OVER;
    state->at_ns = now->mono_ns + (uint64_t)plan->throttle_ms * PS_NS_PER_MS;
    if (again)
        ps_log(PS_LOG_INFO, state->port->component, "restarting in %lldms, exit code %s",
               (long long)plan->throttle_ms, exit_code);
    else
        ps_log(PS_LOG_INFO, state->port->component, "command [%s] exited with %s", plan->command, exit_code);
}

static void run_start(const struct exec_plan *plan, struct exec_state *state, const struct ps_now *now)
{
    struct ps_err err = {.length = 0};
    state->split.skip_newline = false;
    state->error_length = 0;
    if (ps_child_start(&state->child, plan->argv, plan->log_errors, &state->cpus, &err) != PS_OK) {
        ps_log(PS_LOG_ERROR, state->port->component, "%s; write the command's path in full, or check `shell`",
               err.text);
        run_over(plan, state, now, "unknown");
        return;
    }
    state->phase = PHASE_RUNS;
    state->ended = false;
    watch(state, state->child.output);
    watch(state, state->child.errors);
    watch(state, state->child.pidfd);
}

/* The output has ended: so must the process (Flume destroys it then). */
static void run_end(struct exec_state *state, const struct ps_now *now)
{
    unwatch(state, state->child.output);
    close(state->child.output);
    state->child.output = -1;
    state->phase = PHASE_ENDS;
    state->at_ns = now->mono_ns + TERM_NS;
    if (!ps_child_poll(&state->child))
        ps_child_signal(&state->child, SIGTERM, false);
}

static void error_line_log(struct exec_state *state)
{
    ps_log(PS_LOG_INFO, state->port->component, "StderrLogger[%llu] = '%.*s'",
           (unsigned long long)++state->error_count, (int)state->error_length, state->error_line);
    state->error_length = 0;
}

static void errors_read(struct exec_state *state)
{
    char bytes[4096];
    for (int i = 0; i < READS_MAX && state->child.errors >= 0; i++) {
        ssize_t length = read(state->child.errors, bytes, sizeof bytes);
        if (length < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        for (ssize_t at = 0; at < length; at++) {
            if (bytes[at] == '\n' || state->error_length == sizeof state->error_line)
                error_line_log(state);
            if (bytes[at] != '\n')
                state->error_line[state->error_length++] = bytes[at];
        }
        if (length <= 0) {
            if (state->error_length > 0)
                error_line_log(state);
            unwatch(state, state->child.errors);
            close(state->child.errors);
            state->child.errors = -1;
        }
    }
}

static uint64_t ends_tick(const struct exec_plan *plan, struct exec_state *state, const struct ps_now *now)
{
    if (!ps_child_poll(&state->child)) {
        if (now->mono_ns >= state->at_ns)
            ps_child_signal(&state->child, SIGKILL, true);
        return now->mono_ns + POLL_NS;
    }
    char text[16];
    snprintf(text, sizeof text, "%d", state->child.status);
    errors_read(state);
    unwatch(state, state->child.errors);
    unwatch(state, state->child.pidfd);
    ps_child_fini(&state->child);
    run_over(plan, state, now, text);
    return state->phase == PHASE_WAITS ? state->at_ns : PS_NEVER;
}

static uint64_t exec_tick(const void *plan_, void *state_, const struct ps_now *now)
{
    const struct exec_plan *plan = plan_;
    struct exec_state *state = state_;
    if (state->child.errors >= 0)
        errors_read(state);
    switch (state->phase) {
    case PHASE_START:
        if (state->drain_ns == 0)
            run_start(plan, state, now);
        break;
    case PHASE_WAITS:
        if (state->drain_ns == 0 && now->mono_ns >= state->at_ns)
            run_start(plan, state, now);
        break;
    case PHASE_RUNS: /* it may end and leave its output to others: no zombie stays, its fd must not wake us
                        again */
        if (state->child.pidfd >= 0 && !state->child.ended && ps_child_poll(&state->child))
            unwatch(state, state->child.pidfd);
        break;
    case PHASE_ENDS:
        return ends_tick(plan, state, now);
    case PHASE_OVER:
        break;
    }
    return state->phase == PHASE_WAITS ? state->at_ns : PS_NEVER;
}

/* ---- lines ---- */

/* Adds one line as Flume would: decoded and encoded again (lines above IN_BLOCK_MAX are not looked at).
 * False: the batch is full or there is no memory. */
static bool line_add(const struct exec_plan *plan, struct exec_state *state, struct ps_batch *batch,
                     char *text, uint32_t length)
{
    if (plan->charset == CHARSET_ASCII) {
        for (uint32_t i = 0; i < length; i++) {
            if ((unsigned char)text[i] >= 0x80)
                text[i] = '?';
        }
    } else if (plan->charset == CHARSET_UTF8 && ps_utf8_valid_length(text, length) < length) {
        char *repaired = ps_batch_alloc(batch, 3 * length);
        if (repaired == NULL)
            return false;
        length = (uint32_t)ps_utf8_repair(text, length, repaired);
        text = repaired;
    }
    if (ps_batch_add(batch, text, length) == NULL)
        return false;
    ps_count(state->port->counters, PS_COUNTER_EventReceivedCount, 1);
    return true;
}

/* Where to cut a line that is too long: not inside a character. */
static uint32_t cut_length(const struct exec_plan *plan, const struct exec_state *state, const char *text)
{
    uint32_t length = state->line_max;
    while (plan->charset == CHARSET_UTF8 && length + 3 > state->line_max && length > 1 &&
           ((unsigned char)text[length] & 0xC0) == 0x80)
        length--;
    return length;
}

/* Adds the lines in [*at, end); what stays there is the beginning of one. False: the batch is full or there
 * is no memory, and *at is where to go on. */
static bool lines_take(const struct exec_plan *plan, struct exec_state *state, struct ps_batch *batch,
                       char **at, char *end, uint32_t known)
{
    for (;; known = 0) {
        struct ps_line_split before = state->split;
        char *start = *at, *next = start;
        struct ps_slice line;
        if (!ps_line_next(&state->split, &next, end, known, &line)) {
            *at = next;
            if ((size_t)(end - next) <= state->line_max)
                return true;
            line = (struct ps_slice){next, (uint32_t)(end - next)};
        }
        bool cut = line.length > state->line_max;
        if (cut) {
            line.length = cut_length(plan, state, line.data);
            next = (char *)(uintptr_t)line.data + line.length;
            state->split.skip_newline = false;
        }
        if (!line_add(plan, state, batch, (char *)(uintptr_t)line.data, line.length)) {
            state->split = before;
            *at = start;
            return false;
        }
        ps_count(state->port->counters, PS_COUNTER_malformed, cut);
        *at = next;
    }
}

/* ---- a line too long for a block ---- */

/* Moves the beginning of a line out of the block. */
static bool carry_begin(struct exec_state *state, struct ps_batch *batch, uint32_t left)
{
    uint32_t room;
    if (!ps_buffer_grow(&state->slab, &state->carry, left + READ_BYTES))
        return false;
    const char *bytes = ps_batch_reserve(batch, left, &room);
    if (bytes == NULL)
        return false;
    memcpy(state->carry.data, bytes, left);
    state->carry.length = left;
    ps_batch_commit(batch, 0);
    state->known = 0;
    return true;
}

/* The buffer's first `carry_end` bytes are a line: adds it, and puts what came behind it back into the block.
 */
static bool carry_finish(struct exec_state *state, struct ps_batch *batch)
{
    struct ps_buffer *carry = &state->carry;
    if (state->carry_end > 0) {
        if (ps_batch_add_copy(batch, carry->data, state->carry_end) == NULL)
            return false;
        ps_count(state->port->counters, PS_COUNTER_EventReceivedCount, 1);
        state->carry_end = 0;
    }
    uint32_t rest = carry->length - state->carry_next, room;
    if (rest > 0) {
        char *bytes = ps_batch_reserve(batch, rest, &room);
        if (bytes == NULL)
            return false;
        memcpy(bytes, carry->data + state->carry_next, rest);
        ps_batch_leave(batch, rest);
        state->unsplit = true;
    }
    state->carry_next = 0;
    ps_buffer_free(&state->slab, carry);
    return true;
}

/* Bytes of the pipe; 0: none now; -1: its end. */
static ssize_t pipe_read(const struct exec_state *state, char *to, size_t room)
{
    ssize_t length = read(state->child.output, to, room < READ_BYTES ? room : READ_BYTES);
    if (length > 0)
        return length;
    return length < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
}

static void carry_read(const struct exec_plan *plan, struct exec_state *state, bool *blocked)
{
    struct ps_buffer *carry = &state->carry;
    uint32_t known = carry->length, twice = carry->room > state->line_max ? carry->room : 2 * carry->room;
    *blocked = true;
    if (carry->room - known < READ_BYTES &&
        !ps_buffer_grow(&state->slab, carry, twice > known + READ_BYTES ? twice : known + READ_BYTES))
        return;
    ssize_t length = pipe_read(state, carry->data + known, carry->room - known);
    if (length == 0)
        return;
    *blocked = false;
    if (length < 0) {
        state->ended = true;
        state->carry_end = state->carry_next = carry->length;
        return;
    }
    carry->length += (uint32_t)length;
    char *next = carry->data;
    struct ps_slice line;
    if (ps_line_next(&state->split, &next, carry->data + carry->length, known, &line)) {
        state->carry_end = line.length;
        state->carry_next = (uint32_t)(next - carry->data);
    }
    if ((state->carry_end == 0 ? carry->length : state->carry_end) > state->line_max) {
        state->carry_end = state->carry_next = cut_length(plan, state, carry->data);
        state->split.skip_newline = false;
        ps_count(state->port->counters, PS_COUNTER_malformed, 1);
    }
}

/* ---- reading ---- */

/* One read and what it gives. *moved: something came of it. PS_DONE: go on. */
static enum ps_result read_once(const struct exec_plan *plan, struct exec_state *state,
                                struct ps_batch *batch, bool *moved)
{
    bool blocked;
    if (state->carry_next > 0) {
        *moved = true;
        return carry_finish(state, batch) ? PS_DONE : PS_KEPT;
    }
    if (state->carry.length > 0) {
        carry_read(plan, state, &blocked);
        return blocked ? PS_KEPT : PS_DONE;
    }
    uint32_t left = ps_batch_left(batch), room;
    if (left > IN_BLOCK_MAX && !state->unsplit && !state->ended)
        return carry_begin(state, batch, left) ? PS_DONE : PS_KEPT;
    char *bytes = ps_batch_reserve(batch, left + (state->unsplit || state->ended ? 0 : 4096), &room);
    if (bytes == NULL)
        return PS_KEPT;
    ssize_t length = 0;
    if (!state->unsplit && !state->ended) {
        length = pipe_read(state, bytes + left, room - left);
        if (length == 0)
            return PS_KEPT;
        state->ended = length < 0;
        length = state->ended ? 0 : length;
    }
    char *at = bytes, *end = bytes + left + length;
    bool all = lines_take(plan, state, batch, &at, end, state->unsplit ? 0 : state->known);
    if (all && state->ended && at < end) { /* the last line has no end */
        all = line_add(plan, state, batch, at, (uint32_t)(end - at));
        at = all ? end : at;
    }
    ps_batch_commit(batch, (uint32_t)(at - bytes));
    ps_batch_leave(batch, (uint32_t)(end - at));
    state->unsplit = !all;
    state->known = (uint32_t)(end - at);
    *moved |= at > bytes;
    return all ? PS_DONE : PS_KEPT;
}

static enum ps_result exec_work(const void *plan_, void *state_, struct ps_batch *batch,
                                const struct ps_now *now)
{
    const struct exec_plan *plan = plan_;
    struct exec_state *state = state_;
    bool moved = false;
    if (state->phase != PHASE_RUNS)
        return PS_KEPT;
    for (int i = 0; i < READS_MAX; i++) {
        if (read_once(plan, state, batch, &moved) != PS_DONE)
            return moved || batch->full ? PS_DONE : PS_KEPT;
        if (state->ended && !state->unsplit && state->carry_next == 0) {
            run_end(state, now);
            return PS_DONE;
        }
    }
    return PS_DONE;
}

/* The command is told to stop, and what it still writes is taken. */
static bool exec_drain(const void *plan, void *state_, const struct ps_now *now)
{
    (void)plan;
    struct exec_state *state = state_;
    if (state->drain_ns == 0) {
        state->drain_ns = now->mono_ns + DRAIN_NS;
        if (state->phase == PHASE_RUNS)
            ps_child_signal(&state->child, SIGTERM, true);
    }
    bool running = state->phase == PHASE_RUNS || state->phase == PHASE_ENDS;
    return !running || now->mono_ns >= state->drain_ns;
}

static const struct ps_source_ops source = {
    .needs = PS_LEVEL_ACCEPTED,
    .when_full = PS_WAIT,
    .work = exec_work,
    .tick = exec_tick,
    .drain = exec_drain,
};

const struct ps_stage_ops ps_source_exec = {
    .kind = PS_KIND_SOURCE,
    .name = "exec",
    .aliases = PS_WORDS("org.apache.flume.source.ExecSource"),
    .summary = "runs a command; every line it writes is an event",
    .options = options,
    .plan_size = sizeof(struct exec_plan),
    .state_size = sizeof(struct exec_state),
    .exclusive = true,
    .check = exec_check,
    .build = exec_build,
    .open = exec_open,
    .close = exec_close,
    .source = &source,
};
