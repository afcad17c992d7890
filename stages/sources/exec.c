/* Source exec (Flume's ExecSource): every line that a command writes is an event. Thread: its worker.
 *
 * The pipe is read into the batch's block and split there. While the channel is full the pipe is not read, and the
 * command waits when the pipe is full (Flume ends the command instead). Lines are split like BufferedReader.readLine.
 * The command runs in its own process group, which is killed when the source closes. */
#include "core/log/backoff.h"
#include "core/stage.h"
#include "stages/lib/process/child.h"
#include "stages/lib/process/command.h"
#include "stages/lib/process/pipe_lines.h"
#include "stages/lib/text/line_text.h"
#include "stages/lib/text/scan.h"
#include "stages/lib/process/tail_command.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define READS_MAX 8                 /* reads of standard error in one call of `tick` */
#define POLL_NS (50 * PS_NS_PER_MS) /* interval between checks whether a process has ended */
#define EXIT_NS PS_NS_PER_S /* time from the end of the output to SIGTERM: the command may be about to exit */
#define TERM_NS (5 * PS_NS_PER_S) /* time from SIGTERM to SIGKILL */
#define DRAIN_NS (2 * PS_NS_PER_S)
#define START_REST_NS (3 * PS_NS_PER_S) /* until a start that the system refused is tried again */
#define ERROR_LINE_BYTES 2048U
#define CONVERTED_MAX (12U * 1024) /* the texts of a line fit into one block */

struct exec_plan {
    const char *command, *shell, *charset_name;
    int64_t throttle_ms, batch_size, batch_timeout_ms, line_max;
    bool restart, log_errors;
    enum ps_pipe_charset charset;
    struct ps_charset converted;
    const char *const *argv;
};

enum phase { PHASE_START, PHASE_RUNS, PHASE_ENDS, PHASE_WAITS, PHASE_OVER };

struct exec_state {
    struct ps_port *port;
    enum phase phase;
    bool terminated; /* PHASE_ENDS: SIGTERM was sent */
    uint64_t at_ns;  /* ENDS: time of SIGKILL; WAITS: time of the next start */
    struct ps_child child;
    struct ps_child_cpus cpus;
    struct ps_pipe_lines lines;
    struct ps_transcoder transcoder; /* of PS_PIPE_CHARSET_OTHER */
    uint64_t drain_ns;               /* draining until this time; 0: not draining */
    struct ps_log_backoff refused;   /* starts that the system refused */
    struct ps_command_lack lacks;
    char error_line[ERROR_LINE_BYTES];
    uint32_t error_length;
    uint64_t error_count;
};

#define FIELD(name) offsetof(struct exec_plan, name)

static const struct ps_option options[] = {
    PS_OPTION_ROW("command", TEXT, FIELD(command), "command to run; split at blanks when there is no shell",
                  .flags = PS_OPTION_REQUIRED),
    PS_OPTION_ROW("shell", TEXT, FIELD(shell), "e.g. /bin/sh -c: gets the command as its last argument"),
    PS_OPTION_ROW("restart", BOOL, FIELD(restart), "start the command again when it ended",
                  .fallback = "false"),
    PS_OPTION_ROW("restartThrottle", INT, FIELD(throttle_ms), "rest before the next start",
                  .fallback = "10000", .min = 0, .max = INT32_MAX, .unit = "ms"),
    PS_OPTION_ROW("logStdErr", BOOL, FIELD(log_errors),
                  "log what the command writes to standard error; else it is discarded", .fallback = "false"),
    PS_OPTION_ROW("batchSize", INT, FIELD(batch_size),
                  "events in one transaction; the size of batches here depends on the load", .fallback = "20",
                  .min = INT32_MIN, .max = INT32_MAX, .unit = "events", .flags = PS_OPTION_NO_EFFECT),
    PS_OPTION_ROW("batchTimeout", INT, FIELD(batch_timeout_ms),
                  "longest time that an event waits for others; here no event waits", .fallback = "3000",
                  .unit = "ms", .flags = PS_OPTION_NO_EFFECT),
    PS_OPTION_ROW("charset", TEXT, FIELD(charset_name),
                  "character set of the command's output, by a name of Java's; its line ends must be ASCII's",
                  .fallback = "UTF-8"),
    PS_OPTION_ROW("penstock.line.max", SIZE, FIELD(line_max),
                  "maximum length of a line; a longer one is cut into several events", .fallback = "16m",
                  .min = 1, .max = 1 << 27, .unit = "bytes", .flags = PS_OPTION_EXTENSION),
    PS_OPTION_END,
};

/* ---- set-up ---- */

/* Returns the configuration lines of the file groups: f for one file, f1, f2, .. for several. Sets *paths to the
 * files, for people. */
static const char *taildir_groups(struct ps_arena *arena, const struct ps_tail_command *command,
                                  const char *prefix, const char **paths)
{
    const char *names = "", *lines = "";
    *paths = "";
    for (size_t i = 0; i < command->count; i++) {
        const char *name = command->count > 1 ? ps_arena_format(arena, "f%zu", i + 1) : "f";
        *paths = ps_arena_format(arena, "%s%s%s", *paths, i > 0 ? ", " : "", command->files[i].path);
        names = ps_arena_format(arena, "%s%s%s", names, i > 0 ? " " : "", name);
        lines = ps_arena_format(arena, "%s\n%s.filegroups.%s = %s", lines, prefix, name,
                                command->files[i].pattern);
    }
    return ps_arena_format(arena, "%s.filegroups = %s%s", prefix, names, lines);
}

/* If the command only follows files, recommends the source taildir, with the lines to write. Also for a command
 * with a shell, if the command means the same without a shell. */
static void advise_taildir(const struct exec_plan *plan, const struct ps_context *context)
{
    struct ps_tail_command command;
    struct ps_arena *arena = context->arena;
    const char **words = ps_arena_alloc(arena, (strlen(plan->command) + 2) * sizeof *words), *paths;
    words[ps_command_words(arena, plan->command, words)] = NULL;
    if (!ps_tail_command_parse(arena, words, plan->shell != NULL, &command))
        return;
    const char *prefix = ps_arena_format(arena, "%s.sources.%s", context->agent, context->name);
    const char *groups = taildir_groups(arena, &command, prefix, &paths);
    const char *skip = command.from_start ? "" : ps_arena_format(arena, "\n%s.skipToEnd = true", prefix);
    ps_report(context, PS_LOG_INFO, "command",
              "lines that tail has read or missed when the agent stops are lost; the source taildir keeps a "
              "position for %s%s%s; write instead of the keys of exec: "
              "%s.type = taildir\n%s\n%s.positionFile = /var/lib/penstock/%s-%s.json%s",
              paths, command.titles ? ", and does not write names between lines" : "",
              command.sudo ? ", if the agent's user may read it" : "", prefix, groups, prefix, context->agent,
              context->name, skip);
}

/* Returns what of a word only a shell would understand; NULL: nothing. */
static const char *shell_sign(struct ps_arena *arena, const char *word)
{
    static const char *const signs[] = {"|",  "||", "&&", "&",    ";",          ">",
                                        ">>", "<",  "2>", "2>&1", "2>/dev/null"};
    size_t length = strlen(word);
    for (size_t i = 0; i < PS_COUNT_OF(signs); i++)
        if (strcmp(word, signs[i]) == 0)
            return signs[i];
    if (word[0] == '|' || word[0] == '>' || word[0] == '<')
        return ps_arena_copy(arena, word, 1);
    if (length > 1 && word[0] != '-' && (word[length - 1] == ';' || word[length - 1] == '|'))
        return word + length - 1;
    if (strpbrk(word, "\"'`") != NULL)
        return ps_arena_copy(arena, strpbrk(word, "\"'`"), 1);
    if (strncmp(word, "~/", 2) == 0)
        return "~";
    for (const char *at = strchr(word, '$'); at != NULL; at = strchr(at + 1, '$'))
        if (at[1] == '(' || at[1] == '{' || isalpha((unsigned char)at[1]) || at[1] == '_')
            return "$";
    const char *pattern = strchr(word, '/') != NULL ? strpbrk(word, "*?") : NULL;
    return pattern != NULL ? ps_arena_copy(arena, pattern, 1) : NULL;
}

/* Warns of a command that is written for a shell and has none: its words go to the program as they are, as in Flume. */
static void warn_of_shell(const struct exec_plan *plan, const struct ps_context *context)
{
    struct ps_arena *arena = context->arena;
    const char **words = ps_arena_alloc(arena, (strlen(plan->command) + 2) * sizeof *words), *sign = NULL;
    size_t count = ps_command_words(arena, plan->command, words);
    for (size_t i = 0; plan->shell == NULL && i < count && sign == NULL; i++)
        sign = shell_sign(arena, words[i]);
    if (sign != NULL)
        ps_report(context, PS_LOG_WARN, "command",
                  "without a shell the %s is part of an argument of %s; add the line %s.sources.%s.shell = "
                  "/bin/sh -c",
                  sign, words[0], context->agent, context->name);
}

/* ---- character sets ---- */

/* Returns whether each byte is a character, so that decoding and encoding change nothing. */
static bool is_identity(struct ps_transcoder *transcoder)
{
    char text[PS_CHARSET_DECODED_MAX(1)], back[PS_CHARSET_ENCODED_MAX(sizeof text)];
    for (unsigned i = 0; i < 256; i++) {
        char byte = (char)i;
        size_t length, encoded;
        if (!ps_transcoder_decode(transcoder, &byte, 1, false, false, text, &length))
            return false;
        ps_transcoder_encode(transcoder, text, length, back, &encoded);
        if (encoded != 1 || back[0] != byte)
            return false;
    }
    return true;
}

/* Finds a character set by Java's name or alias, in any case; its line ends must be ASCII's. */
static enum ps_status find_charset(const char *name, struct ps_charset *charset, enum ps_pipe_charset *kind,
                                   struct ps_err *err)
{
    struct ps_transcoder transcoder;
    if (ps_charset_find(name, charset, err) != PS_OK)
        return PS_FAIL;
    if (charset->unit > 1 || !ps_line_text_has_lines(charset))
        return ps_err_set(err, "\"%s\" is not supported: its line ends are not ASCII's", name);
    *kind = charset->kind == PS_CHARSET_UTF8    ? PS_PIPE_CHARSET_UTF8
            : charset->kind == PS_CHARSET_ASCII ? PS_PIPE_CHARSET_ASCII
                                                : PS_PIPE_CHARSET_SINGLE;
    if (charset->kind < PS_CHARSET_UTF16)
        return PS_OK;
    if (ps_transcoder_open(&transcoder, charset, err) != PS_OK)
        return PS_FAIL;
    if (!is_identity(&transcoder))
        *kind = PS_PIPE_CHARSET_OTHER;
    ps_transcoder_close(&transcoder);
    return PS_OK;
}

/* Decodes and encodes a line, up to CONVERTED_MAX bytes. Returns false when there is no memory. */
static bool convert(void *owner, struct ps_batch *batch, char **text, uint32_t *length)
{
    struct ps_transcoder *transcoder = owner;
    size_t decoded, encoded;
    if (*length > CONVERTED_MAX || ps_text_is_plain(*text, *length))
        return true;
    char *copy = ps_batch_alloc(batch, (uint32_t)PS_CHARSET_DECODED_MAX(*length));
    if (copy == NULL)
        return false;
    (void)ps_transcoder_decode(transcoder, *text, *length, true, false, copy, &decoded);
    char *made = ps_batch_alloc(batch, (uint32_t)PS_CHARSET_ENCODED_MAX(decoded));
    if (made == NULL)
        return false;
    ps_transcoder_encode(transcoder, copy, decoded, made, &encoded);
    *text = made;
    *length = (uint32_t)encoded;
    return true;
}

static enum ps_status exec_check(const void *plan_, const struct ps_context *context)
{
    const struct exec_plan *plan = plan_;
    enum ps_pipe_charset kind;
    struct ps_charset charset;
    struct ps_err err = {.length = 0};
    if (find_charset(plan->charset_name, &charset, &kind, &err) != PS_OK) {
        ps_report(context, PS_LOG_ERROR, "charset", "%s", err.text);
        return PS_FAIL;
    }
    advise_taildir(plan, context);
    warn_of_shell(plan, context);
    return PS_OK;
}

static enum ps_status exec_build(void *plan_, struct ps_context *context, struct ps_err *err)
{
    struct exec_plan *plan = plan_;
    if (find_charset(plan->charset_name, &plan->converted, &plan->charset, err) != PS_OK)
        return PS_FAIL;
    const char *line = plan->shell != NULL ? plan->shell : plan->command;
    const char **argv = ps_arena_alloc(context->arena, (strlen(line) + 3) * sizeof *argv);
    size_t count = ps_command_words(context->arena, line, argv);
    if (plan->shell != NULL)
        argv[count++] = plan->command;
    argv[count] = NULL;
    plan->argv = argv;
    return PS_OK;
}

static enum ps_status exec_open(const void *plan_, void *state_, struct ps_port *port, struct ps_err *err)
{
    const struct exec_plan *plan = plan_;
    struct exec_state *state = state_;
    *state = (struct exec_state){.port = port};
    ps_child_init(&state->child);
    ps_child_cpus_init(&state->cpus);
    ps_pipe_lines_init(&state->lines, port, plan->charset, (uint32_t)plan->line_max);
    state->lines.convert = convert;
    state->lines.owner = &state->transcoder;
    if (plan->charset != PS_PIPE_CHARSET_OTHER ||
        ps_transcoder_open(&state->transcoder, &plan->converted, err) == PS_OK)
        return PS_OK;
    ps_pipe_lines_fini(&state->lines);
    return PS_FAIL;
}

static void exec_close(const void *, void *state_)
{
    struct exec_state *state = state_;
    ps_child_kill(&state->child);
    ps_pipe_lines_fini(&state->lines);
    ps_transcoder_close(&state->transcoder);
}

/* ---- the process ---- */

/* Returns false if the epoll cannot watch the descriptor (errno). */
static bool watch(const struct exec_state *state, int fd)
{
    struct epoll_event event = {.events = EPOLLIN};
    return state->port->epoll_fd < 0 || fd < 0 ||
           epoll_ctl(state->port->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0;
}

static void unwatch(const struct exec_state *state, int fd)
{
    if (state->port->epoll_fd >= 0 && fd >= 0)
        (void)epoll_ctl(state->port->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
}

/* Logs the program and the number of its arguments: Flume logs the whole line, but arguments may be secrets.
 * The whole line appears at DEBUG only. */
static void command_over_log(const struct exec_plan *plan, const struct exec_state *state,
                             const char *exit_code)
{
    size_t count = 0;
    while (plan->argv[count + 1] != NULL)
        count++;
    ps_log(PS_LOG_INFO, state->port->component, "command [%s] with %zu argument%s exited with %s",
           plan->argv[0], count, count == 1 ? "" : "s", exit_code);
    ps_log(PS_LOG_DEBUG, state->port->component, "command line: %s", plan->command);
}

/* Called when the command has ended or could not be started: schedules the next start, or ends the source's work. */
static void run_over(const struct exec_plan *plan, struct exec_state *state, const struct ps_now *now,
                     const char *exit_code)
{
    bool again = plan->restart && state->drain_ns == 0;
    bool started = strcmp(exit_code, "unknown") != 0;
    if (started) /* else that is noted and logged */
        ps_command_ended(&state->lacks, plan->argv[0], exit_code, plan->restart);
    state->phase = again ? PHASE_WAITS : PHASE_OVER;
    state->at_ns = now->mono_ns + (uint64_t)plan->throttle_ms * PS_NS_PER_MS;
    if (again && started)
        ps_log(PS_LOG_INFO, state->port->component, "restarting in %lldms, exit code %s",
               (long long)plan->throttle_ms, exit_code);
    if (!again)
        command_over_log(plan, state, exit_code);
}

/* Ends the process, because its output has ended or cannot be watched. Flume destroys it at once, so that a command that is about
 * to exit may end with 143 in place of its own status. */
static void run_end(struct exec_state *state, const struct ps_now *now)
{
    unwatch(state, state->child.output);
    close(state->child.output);
    state->child.output = state->lines.fd = -1;
    state->phase = PHASE_ENDS;
    state->terminated = false;
    state->at_ns = now->mono_ns + EXIT_NS;
}

/* Called when the command could not be started. A start that the system refuses for want of something is tried again
 * whatever `restart` says: nothing has run yet. */
static void start_failed(const struct exec_plan *plan, struct exec_state *state, const struct ps_now *now,
                         struct ps_err *err)
{
    int error = state->child.start_error;
    bool passes = ps_is_shortage(error) || error == EAGAIN; /* EAGAIN: the limit of processes */
    bool is_wrong = error == ENOENT || error == EACCES;
    char tries[PS_LOG_BACKOFF_BYTES];
    ps_command_missing(&state->lacks, err->text);
    bool says = ps_log_backoff_says(&state->refused, err->text, now->mono_ns);
    ps_log(says ? PS_LOG_ERROR : PS_LOG_DEBUG, state->port->component, "%s%s%s%s", err->text,
           is_wrong ? "; write the full path of the command, or check `shell`" : "",
           passes          ? "; it is tried again every 3 s"
           : plan->restart ? "; it is tried again and again (restart = true)"
                           : "",
           ps_log_backoff_text(&state->refused, now->mono_ns, tries));
    if (!passes) {
        run_over(plan, state, now, "unknown");
        return;
    }
    state->phase = PHASE_WAITS;
    state->at_ns = now->mono_ns + START_REST_NS;
}

static void run_start(const struct exec_plan *plan, struct exec_state *state, const struct ps_now *now)
{
    struct ps_err err = {.length = 0};
    state->error_length = 0;
    if (ps_child_start(&state->child, plan->argv, plan->log_errors, &state->cpus, &err) != PS_OK) {
        start_failed(plan, state, now, &err);
        return;
    }
    state->refused = (struct ps_log_backoff){.tries = 0};
    state->phase = PHASE_RUNS;
    state->lacks.started_ns = now->mono_ns;
    ps_pipe_lines_begin(&state->lines, state->child.output);
    if (!watch(state, state->child.output) || !watch(state, state->child.errors) ||
        !watch(state, state->child.pidfd)) {
        ps_log(PS_LOG_ERROR, state->port->component,
               "cannot watch the command's output: %s (fs.epoll.max_user_watches); ending the command",
               strerror(errno));
        run_end(state, now);
    }
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
        if (now->mono_ns >= state->at_ns) {
            ps_child_signal(&state->child, state->terminated ? SIGKILL : SIGTERM, state->terminated);
            state->at_ns = state->terminated ? state->at_ns : now->mono_ns + TERM_NS;
            state->terminated = true;
        }
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

static uint64_t process_tick(const struct exec_plan *plan, struct exec_state *state, const struct ps_now *now)
{
    if (state->child.errors >= 0)
        errors_read(state);
    switch (state->phase) {
    case PHASE_START:
    case PHASE_WAITS:
        if (state->drain_ns == 0 && (state->phase == PHASE_START || now->mono_ns >= state->at_ns))
            run_start(plan, state, now);
        break;
    case PHASE_RUNS:
        /* The process may end while other processes still write to its output: reaps it, and removes its descriptor
         * from the epoll, so that it does not wake the worker again. */
        if (state->child.pidfd >= 0 && !state->child.ended && ps_child_poll(&state->child))
            unwatch(state, state->child.pidfd);
        break;
    case PHASE_ENDS:
        return ends_tick(plan, state, now);
    case PHASE_OVER:
        break;
    }
    /* PHASE_ENDS: the worker must wake by itself, because the descriptors are not watched */
    return state->phase == PHASE_ENDS    ? now->mono_ns + POLL_NS
           : state->phase == PHASE_WAITS ? state->at_ns
                                         : PS_NEVER;
}

static uint64_t exec_tick(const void *plan, void *state_, const struct ps_now *now)
{
    struct exec_state *state = state_;
    uint64_t due_ns = process_tick(plan, state, now);
    return state->drain_ns != 0
               ? due_ns
               : ps_command_report(&state->lacks, state->port, state->phase == PHASE_RUNS, due_ns, now);
}

/* ---- the stage ---- */

static enum ps_result exec_work(const void *, void *state_, struct ps_batch *batch, const struct ps_now *now)
{
    struct exec_state *state = state_;
    if (state->phase != PHASE_RUNS)
        return PS_IDLE;
    enum ps_result result = ps_pipe_lines_work(&state->lines, batch);
    if (ps_pipe_lines_over(&state->lines))
        run_end(state, now);
    return result;
}

/* Sends SIGTERM to the command, and reads what it still writes. */
static bool exec_drain(const void *, void *state_, const struct ps_now *now)
{
    struct exec_state *state = state_;
    if (state->drain_ns == 0) {
        state->drain_ns = now->mono_ns + DRAIN_NS;
        if (state->phase == PHASE_RUNS) {
            ps_child_signal(&state->child, SIGTERM, true);
            (void)ps_child_signal_descendants(&state->child, SIGTERM, NULL);
        }
    }
    bool running = state->phase == PHASE_RUNS || state->phase == PHASE_ENDS;
    return !running || now->mono_ns >= state->drain_ns;
}

/* Returns only the program, because the rest of a command line may hold passwords. */
static const char *program_of(const struct exec_plan *plan, const struct ps_context *context)
{
    const char *line = plan->shell != NULL ? plan->shell : plan->command;
    const char **words = ps_arena_alloc(context->arena, (strlen(line) + 2) * sizeof *words);
    return ps_command_words(context->arena, line, words) > 0 ? words[0] : "";
}

static void exec_outline(const void *plan_, const struct ps_context *context, FILE *out)
{
    const struct exec_plan *plan = plan_;
    fprintf(out, "runs %s, %s", program_of(plan, context),
            plan->restart ? "again when it ends" : "once (restart = false)");
}

/* Tests whether the program can be started, without starting it. */
static void exec_probe(const void *plan_, struct ps_context *context, const struct ps_probe *probe)
{
    const char *program = program_of(plan_, context), *path = getenv("PATH");
    const char *what = ps_arena_format(context->arena, "program %s", program);
    if (path == NULL || strchr(program, '/') != NULL)
        path = "";
    for (const char *end = path;; path = end + 1) {
        end = path + strcspn(path, ":");
        const char *file = end > path
                               ? ps_arena_format(context->arena, "%.*s/%s", (int)(end - path), path, program)
                               : program;
        if (faccessat(AT_FDCWD, file, X_OK, AT_EACCESS) == 0) {
            ps_probe_ok(probe, "%s: can be run", what);
            return;
        }
        if (*end == '\0')
            break;
    }
    ps_probe_key_failed(probe, "command", what, strerror(errno),
                        "install it, let this user run it, or write its whole path in the command");
}

static const struct ps_source_ops source = {
    .needs = PS_LEVEL_ACCEPTED,
    .when_full = PS_WAIT,
    .work = exec_work,
    .tick = exec_tick,
    .drain = exec_drain,
};

const struct ps_stage_ops ps_source_exec = {
    PS_STAGE(PS_KIND_SOURCE),
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
    .outline = exec_outline,
    .probe = exec_probe,
    .source = &source,
};
