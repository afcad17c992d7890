#include "stages/lib/java/host_internal.h"

#include "core/backoff.h"
#include "core/clock.h"
#include "core/log/log.h"
#include "core/quantity.h"
#include "core/spawn.h"
#include "core/thread.h"
#include "stages/lib/java/figures.h"
#include "stages/lib/java/pipes.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define COMPONENT "java"
/* Interval at which the thread checks whether the process lives and sends messages. */
#define LOOK_MS 200
/* Time beyond this between two looks does not count as silence: the machine may have run neither this thread nor the process. */
#define LOOK_LATE_NS PS_NS_PER_S
/* A run of at least this length was good: the next backoff is the shortest again. */
#define GOOD_RUN_NS (60 * PS_NS_PER_S)
/* A host whose jars have changed has this time to stop its components. */
#define RENEW_NS (5 * PS_NS_PER_S)
/* A process that ends by itself has this time: System.exit runs shutdown hooks, which may hang. */
#define END_NS (5 * PS_NS_PER_S)
#define EXIT_HANGS "it was ending by System.exit, and had not ended after 5 s: a shutdown hook hangs"
#define CLOSED_HANGS "it closed its pipe to the agent, and had not ended after 5 s"

/* ---- start ---- */

static int spawn(struct ps_java_host *host, const struct ps_java_pipes *pipes, int memory)
{
    /* The host does not get its messages on standard input: a child process that a class starts may inherit
     * the standard input, and read from it. */
    const int further[] = {pipes->output[1], memory, pipes->input[0]};
    return ps_spawn(&host->pid, &(struct ps_spawn){.argv = host->launch.argv,
                                                   .environment = host->launch.environment,
                                                   .input = PS_SPAWN_NOTHING,
                                                   .output = pipes->log[1],
                                                   .errors = pipes->log[1],
                                                   .further = further,
                                                   .further_count = PS_COUNT_OF(further)});
}

/* Takes over the arguments of the last reload, if the reload changed them. */
static void take_fresh(struct ps_java_host *host)
{
    pthread_mutex_lock(&host->lock);
    if (host->fresh != NULL) {
        ps_java_argv_free(host->launch.argv);
        host->launch.argv = host->fresh;
        host->fresh = NULL;
    }
    pthread_mutex_unlock(&host->lock);
}

static bool start(struct ps_java_host *host, struct ps_err *err)
{
    struct ps_java_pipes pipes;
    struct ps_java_region *region = ps_java_region_create(err);
    if (region == NULL)
        return false;
    take_fresh(host);
    struct ps_java_jars *jars = ps_java_jars_read(host->launch.argv);
    int memory = fcntl(ps_java_region_fd(region), F_DUPFD_CLOEXEC, PS_JAVA_LOW_FD);
    int failed = ps_java_make_pipes(&pipes) && memory >= 0 ? 0 : errno;
    if (failed == 0)
        failed = spawn(host, &pipes, memory);
    ps_java_close_fd(&memory);
    if (failed != 0) {
        ps_err_set(err, "%s cannot be started: %s", host->launch.argv[0], strerror(failed));
        ps_java_close_pipes(&pipes);
        ps_java_region_release(region);
        ps_java_jars_free(jars);
        return false;
    }
    host->in = pipes.output[0];
    host->used = 0;
    host->ran_ns = host->ends_ns = 0;
    host->looked_ns = host->heard_ns = host->started_ns = ps_clock_now().mono_ns;
    ps_java_lines_begin(&host->lines, pipes.log[0]);
    pthread_mutex_lock(&host->lock);
    host->out = pipes.input[1];
    host->region = region;
    host->state = PS_JAVA_HOST_STARTING;
    ps_java_jars_free(host->jars);
    host->jars = jars;
    host->run++;
    host->renews = false;
    host->reason[0] = '\0';
    bool asked = host->asked;
    host->asked = false;
    pthread_mutex_unlock(&host->lock);
    if (asked)
        ps_java_host_renew(host, NULL);
    pipes.output[0] = pipes.log[0] = pipes.input[1] = -1;
    ps_java_close_pipes(&pipes);
    return true;
}

/* ---- end ---- */

/* Closes the descriptors of the run. The caller has the lock. */
static void forget_run(struct ps_java_host *host)
{
    ps_java_links_lose(host);
    ps_java_close_fd(&host->out);
    host->stops.count = 0;
    host->all_stopped = false;
    if (host->region != NULL)
        ps_java_region_release(host->region);
    host->region = NULL;
}

/* `words`: what the JVM wrote about its end. */
static void print_end(char text[PS_JAVA_REASON_BYTES], int status, const char *accusation,
                      const struct ps_java_exit_reason *words)
{
    int code = ps_spawn_exit_code(status);
    char said[PS_JAVA_REASON_BYTES] = "";
    const char *colon = ps_java_exit_reason_print(words, said, sizeof said) ? ": " : "";
    if (accusation[0] != '\0')
        snprintf(text, PS_JAVA_REASON_BYTES, "the Java host was ended: %.*s", 400, accusation);
    else if (code > 128)
        snprintf(text, PS_JAVA_REASON_BYTES, "the Java host was killed by signal %d%s%.*s", code - 128, colon,
                 450, said);
    else
        snprintf(text, PS_JAVA_REASON_BYTES, "the Java host ended with exit code %d%s%.*s", code, colon, 450,
                 said);
}

static void rest(struct ps_java_host *host, const char *reason)
{
    uint64_t now_ns = ps_clock_now().mono_ns;
    bool good = host->started_ns != 0 && host->ran_ns != 0 && now_ns - host->ran_ns >= GOOD_RUN_NS;
    host->rest_ns = ps_backoff_next(good ? 0 : host->rest_ns, host->launch.rest_ns, host->launch.rest_max_ns);
    host->started_ns = 0; /* if the next start fails, that must not count as the end of a good run again */
    pthread_mutex_lock(&host->lock);
    bool all_stop = ps_java_links_all_stop(host), ending = host->ending;
    forget_run(host);
    host->state = PS_JAVA_HOST_DOWN;
    host->again_ns = now_ns + host->rest_ns;
    snprintf(host->reason, sizeof host->reason, "%s", reason);
    snprintf(host->end, sizeof host->end, "%s", reason);
    host->renewed = false;
    pthread_mutex_unlock(&host->lock);
    if (!ending && all_stop) /* the agent may be stopping, and then does not start the host again */
        ps_log(PS_LOG_ERROR, COMPONENT, "%s, while all of its components were being stopped", reason);
    else if (!ending)
        ps_log(PS_LOG_ERROR, COMPONENT, "%s; it is started again in %s", reason,
               ps_quantity_print_ns(host->rest_ns).text);
}

/* Called when the host has ended because its jars have changed: starts it without a backoff. The caller has the lock. */
static void start_at_once(struct ps_java_host *host)
{
    forget_run(host);
    host->renewed = true;
    host->state = PS_JAVA_HOST_STARTING;
    host->again_ns = host->rest_ns = host->started_ns = 0;
}

/* Called when the process has ended. */
static void ended(struct ps_java_host *host, int status)
{
    char accusation[PS_JAVA_REASON_BYTES], reason[PS_JAVA_REASON_BYTES];
    ps_java_lines_end(&host->lines);
    ps_java_close_fd(&host->in);
    host->pid = 0;
    ps_java_figures_clear();
    pthread_mutex_lock(&host->lock);
    memcpy(accusation, host->reason, sizeof accusation);
    bool renews = host->renews && !host->ending;
    host->renews = false;
    if (renews)
        start_at_once(host);
    pthread_mutex_unlock(&host->lock);
    host->renew_until_ns = 0;
    if (renews)
        return;
    print_end(reason, status, accusation, &host->lines.words);
    rest(host, reason);
}

static void accuse(struct ps_java_host *host, const char *what)
{
    pthread_mutex_lock(&host->lock);
    if (host->reason[0] == '\0')
        snprintf(host->reason, sizeof host->reason, "%s", what);
    pthread_mutex_unlock(&host->lock);
}

static bool is_accused(struct ps_java_host *host)
{
    pthread_mutex_lock(&host->lock);
    bool accused = host->reason[0] != '\0';
    pthread_mutex_unlock(&host->lock);
    return accused;
}

/* ---- messages ---- */

/* The caller has the lock. */
static void begin_to_run(struct ps_java_host *host)
{
    host->state = PS_JAVA_HOST_RUNNING;
    host->ran_ns = host->heard_ns;
    ps_java_exit_reason_ran(&host->lines.words);
}

static void note_end(struct ps_java_host *host, const char *how)
{
    if (host->ends_ns != 0)
        return;
    host->ends_ns = ps_clock_now().mono_ns;
    host->ends_how = how;
}

/* Returns NULL, or what is wrong with the message. */
static const char *take_message(struct ps_java_host *host, const char *bytes, size_t length)
{
    const char *wrong = NULL;
    const struct ps_java_message *message = &host->message;
    host->heard_ns = ps_clock_now().mono_ns;
    pthread_mutex_lock(&host->lock);
    if (message->link != 0) {
        wrong = ps_java_links_deliver(host, bytes, length);
    } else if (message->type == PS_JAVA_BEAT && message->number_count == 1) {
        if (message->numbers[0] != PS_JAVA_PROTOCOL)
            wrong = "penstock-java.jar is of another version than this program";
        else if (host->state == PS_JAVA_HOST_STARTING)
            begin_to_run(host);
    } else if (message->type == PS_JAVA_ENDS) {
        note_end(host, EXIT_HANGS);
    }
    pthread_mutex_unlock(&host->lock);
    if (message->link == 0)
        ps_java_figures_take(message, host->pid);
    return wrong;
}

static const char *take_messages(struct ps_java_host *host)
{
    size_t at = 0, used = 0;
    enum ps_java_parse parsed = PS_JAVA_PARTIAL;
    const char *wrong = NULL;
    while (wrong == NULL && (parsed = ps_java_message_parse(host->bytes + at, host->used - at, &host->message,
                                                            &used)) == PS_JAVA_PARSED) {
        wrong = take_message(host, host->bytes + at, used);
        at += used;
    }
    memmove(host->bytes, host->bytes + at, host->used - at);
    host->used -= at;
    return parsed == PS_JAVA_MALFORMED ? "it sent bytes that are not a message" : wrong;
}

/* Reads the available bytes, at most one buffer. Returns how many. */
static size_t read_messages(void *host_)
{
    struct ps_java_host *host = host_;
    ssize_t got = read(host->in, host->bytes + host->used, sizeof host->bytes - host->used);
    if (got <= 0) {
        if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
            ps_java_close_fd(&host->in); /* the host has closed it because it ends */
            note_end(host, CLOSED_HANGS);
        }
        return 0;
    }
    host->used += (size_t)got;
    const char *wrong = take_messages(host);
    if (wrong != NULL) {
        accuse(host, wrong);
        ps_java_close_fd(&host->in);
    }
    return (size_t)got;
}

/* ---- the thread ---- */

/* Returns whether a signal has stopped the process: its silence has a reason then. */
static bool is_stopped(pid_t pid)
{
    char text[PS_JAVA_STAT_BYTES];
    const char *stat = ps_java_process_stat(pid, text);
    return stat != NULL && (stat[0] == 'T' || stat[0] == 't');
}

static void look_at_life(struct ps_java_host *host)
{
    uint64_t now_ns = ps_clock_now().mono_ns, late_ns = now_ns - host->looked_ns;
    host->looked_ns = now_ns;
    if (late_ns > LOOK_LATE_NS) {
        uint64_t quiet_ns = now_ns - host->heard_ns;
        late_ns -= LOOK_LATE_NS;
        host->heard_ns += late_ns < quiet_ns ? late_ns : quiet_ns;
    }
    bool starts = host->ran_ns == 0 && host->launch.start_ns != 0;
    if (now_ns - host->heard_ns > (starts ? host->launch.start_ns : host->launch.silence_ns)) {
        if (is_stopped(host->pid))
            host->heard_ns = now_ns;
        else
            accuse(host, starts ? "it took too long to start" : "it gave no sign of life");
    }
    if (host->ends_ns != 0 && is_stopped(host->pid))
        host->ends_ns = now_ns;
    else if (host->ends_ns != 0 && now_ns - host->ends_ns > END_NS)
        accuse(host, host->ends_how);
    if (is_accused(host))
        (void)kill(host->pid, SIGKILL);
}

/* Ends the input of a host whose jars have changed: the host stops its components and ends, or is killed
 * after RENEW_NS. */
static void renew(struct ps_java_host *host)
{
    uint64_t now_ns = ps_clock_now().mono_ns;
    pthread_mutex_lock(&host->lock);
    bool renews = host->renews;
    if (renews) {
        ps_java_close_fd(&host->out);
        host->end[0] = '\0';
    } else {
        ps_java_links_stop(host);
    }
    pthread_mutex_unlock(&host->lock);
    if (renews && host->renew_until_ns == 0)
        host->renew_until_ns = now_ns + RENEW_NS;
    if (renews && now_ns >= host->renew_until_ns)
        (void)kill(host->pid, SIGKILL);
}

static void serve(struct ps_java_host *host)
{
    struct pollfd fds[] = {{.fd = host->wake_fd, .events = POLLIN},
                           {.fd = host->in, .events = POLLIN},
                           {.fd = ps_java_lines_fd(&host->lines), .events = POLLIN}};
    int status;
    (void)poll(fds, PS_COUNT_OF(fds), LOOK_MS);
    uint64_t count;
    if (fds[0].revents != 0 && read(host->wake_fd, &count, sizeof count) < 0)
        return;
    if (fds[1].revents != 0)
        (void)read_messages(host);
    if (fds[2].revents != 0)
        ps_java_lines_read(&host->lines);
    look_at_life(host);
    renew(host);
    if (ps_spawn_poll(host->pid, &status)) {
        ps_java_pipe_drain(&host->in, read_messages, host);
        ended(host, status);
    }
}

static bool is_ending(struct ps_java_host *host)
{
    pthread_mutex_lock(&host->lock);
    bool ending = host->ending;
    pthread_mutex_unlock(&host->lock);
    return ending;
}

static void wait_for_start(struct ps_java_host *host)
{
    uint64_t now_ns = ps_clock_now().mono_ns;
    struct pollfd fd = {.fd = host->wake_fd, .events = POLLIN};
    uint64_t count;
    if (now_ns < host->again_ns && poll(&fd, 1, (int)((host->again_ns - now_ns) / PS_NS_PER_MS) + 1) > 0)
        (void)!read(host->wake_fd, &count, sizeof count);
}

/* Ends the host's input: the host stops its components and ends, or is killed after `patience_ms`. A host
 * that is still starting is killed at once: it has no components, and does not look at its input before it
 * has started. */
static void stop_process(struct ps_java_host *host)
{
    uint64_t until_ns = ps_clock_now().mono_ns + host->patience_ms * PS_NS_PER_MS;
    pthread_mutex_lock(&host->lock);
    ps_java_close_fd(&host->out);
    host->end[0] = '\0';
    pthread_mutex_unlock(&host->lock);
    while (host->pid != 0) {
        if (host->ran_ns == 0 || ps_clock_now().mono_ns >= until_ns)
            (void)kill(host->pid, SIGKILL);
        serve(host);
    }
}

static void *run(void *argument)
{
    struct ps_java_host *host = argument;
    while (!is_ending(host)) {
        struct ps_err err = {.length = 0};
        if (host->pid != 0)
            serve(host);
        else if (ps_clock_now().mono_ns < host->again_ns)
            wait_for_start(host);
        else if (!start(host, &err))
            rest(host, err.text);
    }
    if (host->pid != 0)
        stop_process(host);
    return NULL;
}

/* ---- from outside ---- */

static void host_free(struct ps_java_host *host)
{
    ps_java_close_fd(&host->wake_fd);
    ps_java_argv_free(host->launch.argv);
    ps_java_argv_free(host->fresh);
    ps_java_argv_free(host->launch.environment);
    ps_java_jars_free(host->jars);
    free(host->stops.links);
    pthread_mutex_destroy(&host->lock);
    free(host);
}

struct ps_java_host *ps_java_host_create(const struct ps_java_launch *launch, struct ps_err *err)
{
    struct ps_java_host *host = ps_must_alloc(1, sizeof *host, "the Java host");
    host->launch = *launch;
    host->launch.argv = ps_java_argv_copy(launch->argv);
    host->launch.environment = ps_java_argv_copy(launch->environment);
    host->out = host->in = -1;
    ps_java_lines_init(&host->lines);
    pthread_mutex_init(&host->lock, NULL);
    host->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int failed = host->wake_fd < 0 ? errno : ps_thread_start(&host->thread, "java-host", run, host);
    if (failed == 0)
        return host;
    ps_err_set(err, "cannot start the thread of the Java host: %s", strerror(failed));
    host_free(host);
    return NULL;
}

void ps_java_host_destroy(struct ps_java_host *host, uint32_t patience_ms)
{
    pthread_mutex_lock(&host->lock);
    host->ending = true;
    host->patience_ms = patience_ms;
    pthread_mutex_unlock(&host->lock);
    ps_java_host_wake(host->wake_fd);
    (void)ps_thread_join(host->thread, PS_THREAD_PATIENT);
    pthread_mutex_lock(&host->lock);
    forget_run(host);
    pthread_mutex_unlock(&host->lock);
    host_free(host);
}

/* Asks run number `run` to end if its jars or its arguments have changed, and writes the change to `why`. The caller has
 * the lock. Returns whether it asked. */
static bool ask_to_renew(struct ps_java_host *host, uint32_t run, const struct ps_java_jars *now, char *why)
{
    bool runs = host->out >= 0 && host->run == run && !host->renews && !host->ending;
    if (!runs)
        return false;
    if (!ps_java_jars_changed(host->jars, now, why, PS_JAVA_REASON_BYTES) && host->fresh == NULL)
        return false;
    if (host->fresh != NULL)
        snprintf(why, PS_JAVA_REASON_BYTES, "its class path or options have changed");
    memcpy(host->renewal, why, sizeof host->renewal);
    host->renews = true;
    ps_java_host_wake(host->wake_fd);
    return true;
}

/* The jars are looked at without the lock, which workers take: a file system that does not answer holds up
 * only the caller. */
void ps_java_host_renew(struct ps_java_host *host, const char *const *argv)
{
    char why[PS_JAVA_REASON_BYTES] = "";
    pthread_mutex_lock(&host->lock);
    const char *const *latest = host->fresh != NULL ? host->fresh : host->launch.argv;
    if (argv != NULL && !ps_java_argv_equal(argv, latest)) {
        const char *const *copy = ps_java_argv_copy(argv);
        ps_java_argv_free(host->fresh);
        host->fresh = copy;
    }
    host->asked = host->out < 0;
    const char *const *command = ps_java_argv_copy(host->launch.argv);
    uint32_t run = host->run;
    pthread_mutex_unlock(&host->lock);
    struct ps_java_jars *now = ps_java_jars_read(command);
    ps_java_argv_free(command);
    pthread_mutex_lock(&host->lock);
    bool renews = ask_to_renew(host, run, now, why);
    pthread_mutex_unlock(&host->lock);
    if (ps_java_jars_blocked(now) != NULL)
        ps_log(PS_LOG_WARN, COMPONENT, "%s: whether it has changed is not known; the next reload looks again",
               ps_java_jars_blocked(now));
    ps_java_jars_free(now);
    if (renews)
        ps_log(PS_LOG_INFO, COMPONENT, "%s: the Java process stops its components and starts again", why);
}

bool ps_java_host_is_down(struct ps_java_host *host, char *text, size_t room)
{
    pthread_mutex_lock(&host->lock);
    bool down = host->state == PS_JAVA_HOST_DOWN;
    if (down)
        snprintf(text, room, "%s", host->reason);
    pthread_mutex_unlock(&host->lock);
    return down;
}
