#include "stages/lib/java/monitor.h"

#include "core/arena.h"
#include "core/backoff.h"
#include "core/clock.h"
#include "core/log/log.h"
#include "core/spawn.h"
#include "core/quantity.h"
#include "stages/lib/java/jars.h"
#include "stages/lib/java/launch.h"
#include "stages/lib/java/lines.h"
#include "stages/lib/java/texts.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COMPONENT "monitor"
#define REST_MAX_NS (60 * PS_NS_PER_S)
#define STOP_NS (5 * PS_NS_PER_S)
#define LINE_READS 16 /* reads in each turn, of at most PS_JAVA_LINE_BYTES_MAX bytes each */

struct ps_java_monitor {
    struct ps_arena *arena;
    const char *const *argv;
    const char *class_name;
    struct ps_pairs settings;
    uint64_t least_rest_ns, rest_ns; /* the first wait before a start, and the last one; 0: none so far */
    uint64_t start_at_ns, fed_ns;
    pid_t pid; /* 0: the process does not run */
    int input; /* not blocking */
    struct ps_java_lines lines;
    char *message; /* the message that is being sent; NULL: none */
    size_t message_bytes, sent_bytes;
};

/* ---- the messages to the process ---- */

/* Sends as much as the pipe takes. A failure here shows only as the end of the process. */
static void send_more(struct ps_java_monitor *monitor)
{
    while (monitor->message != NULL) {
        ssize_t sent = write(monitor->input, monitor->message + monitor->sent_bytes,
                             monitor->message_bytes - monitor->sent_bytes);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent <= 0)
            return;
        monitor->sent_bytes += (size_t)sent;
        if (monitor->sent_bytes < monitor->message_bytes)
            continue;
        free(monitor->message);
        monitor->message = NULL;
    }
}

static void send_message(struct ps_java_monitor *monitor, FILE *out)
{
    fclose(out);
    monitor->sent_bytes = 0;
    send_more(monitor);
}

/* The first message: the class and its settings. */
static void send_class(struct ps_java_monitor *monitor)
{
    FILE *out = ps_must_open_text(&monitor->message, &monitor->message_bytes, "a message to the monitor");
    ps_java_put_count(out, 1 + 2 * monitor->settings.count);
    ps_java_put_text(out, monitor->class_name);
    for (size_t i = 0; i < monitor->settings.count; i++) {
        ps_java_put_text(out, monitor->settings.items[i].key);
        ps_java_put_text(out, monitor->settings.items[i].value);
    }
    send_message(monitor, out);
}

void ps_java_monitor_feed(struct ps_java_monitor *monitor, const char *json, size_t length)
{
    if (monitor->pid == 0 || monitor->message != NULL)
        return;
    FILE *out = ps_must_open_text(&monitor->message, &monitor->message_bytes, "a message to the monitor");
    ps_java_put_count(out, length);
    fwrite(json, 1, length, out);
    send_message(monitor, out);
}

/* ---- the process ---- */

static bool make_pipes(int in[2], int out[2])
{
    if (pipe2(in, O_CLOEXEC) != 0)
        return false;
    if (pipe2(out, O_CLOEXEC) != 0) {
        close(in[0]);
        close(in[1]);
        return false;
    }
    (void)fcntl(in[1], F_SETFL, O_NONBLOCK);
    (void)fcntl(out[0], F_SETFL, O_NONBLOCK);
    return true;
}

/* Schedules the next start. */
static void rest(struct ps_java_monitor *monitor, uint64_t mono_ns, const char *why)
{
    monitor->rest_ns = ps_backoff_next(monitor->rest_ns, monitor->least_rest_ns, REST_MAX_NS);
    ps_log(PS_LOG_WARN, COMPONENT, "the monitor %s %s; it is started again in %s", monitor->class_name, why,
           ps_quantity_print_ns(monitor->rest_ns).text);
    monitor->start_at_ns = mono_ns + monitor->rest_ns;
}

static void start(struct ps_java_monitor *monitor, uint64_t mono_ns)
{
    int in[2], out[2];
    char why[128];
    if (!make_pipes(in, out)) {
        rest(monitor, mono_ns, "cannot be started: no descriptor is left");
        return;
    }
    int failed = ps_spawn(
        &monitor->pid,
        &(struct ps_spawn){.argv = monitor->argv, .input = in[0], .output = out[1], .errors = out[1]});
    close(in[0]);
    close(out[1]);
    if (failed != 0) {
        monitor->pid = 0;
        close(in[1]);
        close(out[0]);
        snprintf(why, sizeof why, "cannot be started: %s", strerror(failed));
        rest(monitor, mono_ns, why);
        return;
    }
    monitor->input = in[1];
    monitor->fed_ns = 0;
    ps_java_lines_begin(&monitor->lines, out[0]);
    ps_log(PS_LOG_INFO, COMPONENT, "the class %s runs in Java", monitor->class_name);
    send_class(monitor);
}

static void forget(struct ps_java_monitor *monitor)
{
    ps_java_lines_end(&monitor->lines);
    close(monitor->input);
    free(monitor->message);
    monitor->message = NULL;
    monitor->pid = 0;
}

bool ps_java_monitor_turn(struct ps_java_monitor *monitor, uint64_t mono_ns)
{
    int status;
    char why[64];
    if (monitor->pid == 0) {
        if (mono_ns >= monitor->start_at_ns)
            start(monitor, mono_ns);
    } else if (ps_spawn_poll(monitor->pid, &status)) {
        forget(monitor);
        snprintf(why, sizeof why, "has ended with status %d", ps_spawn_exit_code(status));
        rest(monitor, mono_ns, why);
    }
    if (monitor->pid == 0)
        return false;
    for (int i = 0; i < LINE_READS && ps_java_lines_fd(&monitor->lines) >= 0; i++)
        ps_java_lines_read(&monitor->lines);
    send_more(monitor);
    if (monitor->message != NULL || (monitor->fed_ns != 0 && mono_ns - monitor->fed_ns < PS_JAVA_MONITOR_NS))
        return false;
    if (monitor->fed_ns != 0 && mono_ns - monitor->start_at_ns >= REST_MAX_NS)
        monitor->rest_ns = 0; /* it has run for a minute */
    monitor->fed_ns = mono_ns;
    return true;
}

/* ---- life cycle ---- */

struct ps_java_monitor *ps_java_monitor_create_command(const char *const *argv, const char *class_name,
                                                       const struct ps_pairs *settings, uint64_t rest_ns)
{
    struct ps_java_monitor *monitor = ps_must_alloc(1, sizeof *monitor, "the monitor");
    struct ps_arena *arena = ps_arena_create();
    struct ps_pair *pairs = ps_arena_alloc(arena, (settings->count + 1) * sizeof *pairs);
    for (size_t i = 0; i < settings->count; i++)
        pairs[i] = (struct ps_pair){.key = ps_arena_text(arena, settings->items[i].key),
                                    .value = ps_arena_text(arena, settings->items[i].value)};
    *monitor = (struct ps_java_monitor){.arena = arena,
                                        .argv = ps_java_argv_copy(argv),
                                        .class_name = ps_arena_text(arena, class_name),
                                        .settings = {settings->count, pairs},
                                        .least_rest_ns = rest_ns};
    ps_java_lines_init(&monitor->lines);
    return monitor;
}

struct ps_java_monitor *ps_java_monitor_create(const struct ps_class_path *path, const char *class_name,
                                               const struct ps_pairs *settings, struct ps_err *err)
{
    struct ps_arena *arena = ps_arena_create();
    struct ps_java_monitor *monitor = NULL;
    const char *const *argv = ps_java_launch_alone(arena, path, "penstock.host.Monitor", err);
    if (argv != NULL)
        monitor = ps_java_monitor_create_command(argv, class_name, settings, PS_NS_PER_S);
    ps_arena_destroy(arena);
    return monitor;
}

void ps_java_monitor_destroy(struct ps_java_monitor *monitor)
{
    if (monitor == NULL)
        return;
    if (monitor->pid != 0) {
        uint64_t until_ns = ps_clock_now().mono_ns + STOP_NS;
        pid_t pid = monitor->pid;
        int status;
        close(monitor->input);
        monitor->input = open("/dev/null", O_WRONLY | O_CLOEXEC);
        bool ended = false;
        while (!(ended = ps_spawn_poll(pid, &status)) && ps_clock_now().mono_ns < until_ns) {
            if (ps_java_lines_fd(&monitor->lines) >= 0)
                ps_java_lines_read(&monitor->lines);
            usleep(5000);
        }
        if (!ended) {
            ps_log(PS_LOG_WARN, COMPONENT, "the monitor %s does not stop: it is killed", monitor->class_name);
            kill(-pid, SIGKILL);
            (void)ps_spawn_wait(pid);
        }
        forget(monitor);
    }
    ps_arena_destroy(monitor->arena);
    ps_java_argv_free(monitor->argv);
    free(monitor);
}
