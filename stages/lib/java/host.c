#include "stages/lib/java/host.h"

#include "core/backoff.h"
#include "core/clock.h"
#include "core/log/log.h"
#include "core/quantity.h"
#include "core/spawn.h"
#include "core/thread.h"
#include "stages/lib/java/figures.h"
#include "stages/lib/java/jars.h"
#include "stages/lib/java/lines.h"
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
#define REASON_BYTES 512U
/* Interval at which the thread checks whether the process lives and sends messages. */
#define LOOK_MS 200
/* Time beyond this between two looks does not count as silence: the machine may have run neither this thread nor the process. */
#define LOOK_LATE_NS PS_NS_PER_S
/* A run of at least this length was good: the next rest is the shortest again. */
#define GOOD_RUN_NS (60 * PS_NS_PER_S)
/* A host whose jars have changed has this time to stop its components. */
#define RENEW_NS (5 * PS_NS_PER_S)

enum state { STARTING, RUNNING, DOWN };

struct ps_java_host {
    struct ps_java_launch launch;
    pthread_t thread;
    int wake_fd;

    pthread_mutex_t lock; /* of what follows */
    enum state state;
    bool ending;
    bool renews;              /* it ends, because its jars have changed */
    bool asked;               /* a reload came while it was being started */
    const char *const *fresh; /* the arguments for its next start; or NULL */
    uint64_t jars;            /* as they were when it was started (jars.h) */
    uint32_t patience_ms;
    char reason[REASON_BYTES]; /* DOWN: the reason. RUNNING: the fault that was found, or empty */
    char end[REASON_BYTES];    /* why the last process ended: a component may look when there is a new one */
    uint64_t again_ns;         /* DOWN */
    int out;                   /* the host's input, or -1 */
    uint32_t last_link;
    struct ps_java_link *links;
    struct ps_java_region *region;

    /* The thread's. */
    pid_t pid;
    int in; /* messages */
    struct ps_java_lines lines;
    uint64_t started_ns, heard_ns, looked_ns, rest_ns;
    uint64_t renew_until_ns; /* 0: it was not asked to end */
    size_t used;
    char bytes[4 * PS_JAVA_MESSAGE_BYTES_MAX];
    struct ps_java_message message;
};

static void wake(int fd)
{
    uint64_t one = 1;
    if (fd >= 0 && write(fd, &one, sizeof one) < 0)
        return; /* it is full: whoever reads it is awake */
}

/* ---- start ---- */

static int spawn(struct ps_java_host *host, const struct ps_java_pipes *pipes, int memory)
{
    const int further[] = {pipes->output[1], memory};
    return ps_spawn(&host->pid, &(struct ps_spawn){.argv = host->launch.argv,
                                                   .environment = host->launch.environment,
                                                   .input = pipes->input[0],
                                                   .output = pipes->log[1],
                                                   .errors = pipes->log[1],
                                                   .further = further,
                                                   .further_count = PS_COUNT_OF(further)});
}

/* The arguments of the reload before, if it changed them. */
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
    uint64_t jars = ps_java_jars_state(host->launch.argv);
    int memory = fcntl(ps_java_region_fd(region), F_DUPFD_CLOEXEC, PS_JAVA_LOW_FD);
    int failed = ps_java_make_pipes(&pipes) && memory >= 0 ? 0 : errno;
    if (failed == 0)
        failed = spawn(host, &pipes, memory);
    ps_java_close_fd(&memory);
    if (failed != 0) {
        ps_err_set(err, "%s cannot be started: %s", host->launch.argv[0], strerror(failed));
        ps_java_close_pipes(&pipes);
        ps_java_region_release(region);
        return false;
    }
    host->in = pipes.output[0];
    host->used = 0;
    host->looked_ns = host->heard_ns = host->started_ns = ps_clock_now().mono_ns;
    ps_java_lines_begin(&host->lines, pipes.log[0]);
    pthread_mutex_lock(&host->lock);
    host->out = pipes.input[1];
    host->region = region;
    host->state = STARTING;
    host->jars = jars;
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

static void lose_links(struct ps_java_host *host)
{
    while (host->links != NULL) {
        struct ps_java_link *link = host->links;
        host->links = link->next;
        link->lost = true;
        ps_flag_set(&link->has_news, true);
        wake(link->wake_fd);
    }
}

/* Closes the descriptors of the run. The caller has the lock. */
static void forget_run(struct ps_java_host *host)
{
    lose_links(host);
    ps_java_close_fd(&host->out);
    if (host->region != NULL)
        ps_java_region_release(host->region);
    host->region = NULL;
}

static void print_end(char text[REASON_BYTES], int status, const char *accusation)
{
    int code = ps_spawn_exit_code(status);
    if (accusation[0] != '\0')
        snprintf(text, REASON_BYTES, "the Java host was ended: %.*s", 400, accusation);
    else if (code > 128)
        snprintf(text, REASON_BYTES, "the Java host was killed by signal %d", code - 128);
    else
        snprintf(text, REASON_BYTES, "the Java host ended with exit code %d", code);
}

static void rest(struct ps_java_host *host, const char *reason)
{
    uint64_t now_ns = ps_clock_now().mono_ns;
    bool good = host->started_ns != 0 && now_ns - host->started_ns >= GOOD_RUN_NS;
    host->rest_ns = ps_backoff_next(good ? 0 : host->rest_ns, host->launch.rest_ns, host->launch.rest_max_ns);
    host->started_ns = 0; /* if the next start fails, that must not count as the end of a good run again */
    pthread_mutex_lock(&host->lock);
    forget_run(host);
    bool ending = host->ending;
    host->state = DOWN;
    host->again_ns = now_ns + host->rest_ns;
    snprintf(host->reason, sizeof host->reason, "%s", reason);
    snprintf(host->end, sizeof host->end, "%s", reason);
    pthread_mutex_unlock(&host->lock);
    if (!ending)
        ps_log(PS_LOG_ERROR, COMPONENT, "%s; it is started again in %s", reason,
               ps_quantity_print_ns(host->rest_ns).text);
}

/* The process has ended. */
static void ended(struct ps_java_host *host, int status)
{
    char accusation[REASON_BYTES], reason[REASON_BYTES];
    ps_java_lines_end(&host->lines);
    ps_java_close_fd(&host->in);
    host->pid = 0;
    ps_java_figures_clear();
    pthread_mutex_lock(&host->lock);
    memcpy(accusation, host->reason, sizeof accusation);
    bool renews = host->renews;
    host->renews = false;
    pthread_mutex_unlock(&host->lock);
    host->renew_until_ns = 0;
    print_end(reason, status, renews ? "its jars have changed" : accusation);
    rest(host, reason);
    if (renews)
        host->rest_ns = host->again_ns = 0;
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

/* Appends the message to the inbox of its link; one for a link that is gone is dropped. The caller has the lock. */
static const char *deliver(struct ps_java_host *host, const char *bytes, size_t length)
{
    struct ps_java_link *link = host->links;
    while (link != NULL && link->number != host->message.link)
        link = link->next;
    if (link == NULL)
        return NULL;
    if (!ps_java_inbox_put(&link->inbox, bytes, length))
        return "it sends more than was requested";
    ps_flag_set(&link->has_news, true);
    wake(link->wake_fd);
    return NULL;
}

/* Returns NULL, or what is wrong with the message. */
static const char *take_message(struct ps_java_host *host, const char *bytes, size_t length)
{
    const char *wrong = NULL;
    const struct ps_java_message *message = &host->message;
    host->heard_ns = ps_clock_now().mono_ns;
    pthread_mutex_lock(&host->lock);
    if (message->link != 0) {
        wrong = deliver(host, bytes, length);
    } else if (message->type == PS_JAVA_BEAT && message->number_count == 1) {
        if (message->numbers[0] != PS_JAVA_PROTOCOL)
            wrong = "penstock-java.jar is of another version than this program";
        else if (host->state == STARTING)
            host->state = RUNNING;
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

/* Reads the available bytes, at most one buffer. */
static void read_messages(struct ps_java_host *host)
{
    ssize_t got = read(host->in, host->bytes + host->used, sizeof host->bytes - host->used);
    if (got <= 0) {
        if (got == 0 || (errno != EAGAIN && errno != EINTR))
            ps_java_close_fd(
                &host->in); /* the host has closed it because it ends; it counts as silent then */
        return;
    }
    host->used += (size_t)got;
    const char *wrong = take_messages(host);
    if (wrong != NULL) {
        accuse(host, wrong);
        ps_java_close_fd(&host->in);
    }
}

/* ---- the thread ---- */

/* Returns whether a signal has stopped the process: its silence has a reason then. */
static bool is_stopped(pid_t pid)
{
    char path[64], text[512];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return false;
    size_t length = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[length] = '\0';
    const char *name_end = strrchr(text, ')');
    return name_end != NULL && strlen(name_end) > 2 && (name_end[2] == 'T' || name_end[2] == 't');
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
    if (now_ns - host->heard_ns > host->launch.silence_ns) {
        if (is_stopped(host->pid))
            host->heard_ns = now_ns;
        else
            accuse(host, "it gave no sign of life");
    }
    if (is_accused(host))
        (void)kill(host->pid, SIGKILL);
}

/* Its jars have changed: it stops its components, and ends. */
static void renew(struct ps_java_host *host)
{
    uint64_t now_ns = ps_clock_now().mono_ns;
    pthread_mutex_lock(&host->lock);
    bool renews = host->renews;
    if (renews) {
        ps_java_close_fd(&host->out);
        host->end[0] = '\0';
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
        read_messages(host);
    if (fds[2].revents != 0)
        ps_java_lines_read(&host->lines);
    look_at_life(host);
    renew(host);
    if (ps_spawn_poll(host->pid, &status)) {
        if (host->in >= 0)
            read_messages(host);
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

/* The host's input ends: it stops its components and ends. */
static void stop_process(struct ps_java_host *host)
{
    uint64_t until_ns = ps_clock_now().mono_ns + host->patience_ms * PS_NS_PER_MS;
    pthread_mutex_lock(&host->lock);
    ps_java_close_fd(&host->out);
    host->end[0] = '\0';
    pthread_mutex_unlock(&host->lock);
    while (host->pid != 0) {
        if (ps_clock_now().mono_ns >= until_ns)
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
    ps_err_set(err, "no thread for the Java host: %s", strerror(failed));
    host_free(host);
    return NULL;
}

void ps_java_host_destroy(struct ps_java_host *host, uint32_t patience_ms)
{
    pthread_mutex_lock(&host->lock);
    host->ending = true;
    host->patience_ms = patience_ms;
    pthread_mutex_unlock(&host->lock);
    wake(host->wake_fd);
    (void)ps_thread_join(host->thread, PS_THREAD_PATIENT);
    pthread_mutex_lock(&host->lock);
    forget_run(host);
    pthread_mutex_unlock(&host->lock);
    host_free(host);
}

/* The jars are looked at without the lock, which workers take: a file system that does not answer holds up nobody but the caller. */
void ps_java_host_renew(struct ps_java_host *host, const char *const *argv)
{
    pthread_mutex_lock(&host->lock);
    const char *const *latest = host->fresh != NULL ? host->fresh : host->launch.argv;
    if (argv != NULL && !ps_java_argv_equal(argv, latest)) {
        const char *const *copy = ps_java_argv_copy(argv);
        ps_java_argv_free(host->fresh);
        host->fresh = copy;
    }
    host->asked = host->out < 0;
    const char *const *command = ps_java_argv_copy(host->launch.argv);
    uint64_t jars = host->jars;
    pthread_mutex_unlock(&host->lock);
    bool changed = ps_java_jars_state(command) != jars;
    ps_java_argv_free(command);
    pthread_mutex_lock(&host->lock);
    bool runs = host->out >= 0 && !host->renews && !host->ending;
    if (runs && (host->fresh != NULL || (changed && host->jars == jars))) {
        host->renews = true;
        wake(host->wake_fd);
    }
    pthread_mutex_unlock(&host->lock);
}

bool ps_java_host_is_down(struct ps_java_host *host, char *text, size_t room)
{
    pthread_mutex_lock(&host->lock);
    bool down = host->state == DOWN;
    if (down)
        snprintf(text, room, "%s", host->reason);
    pthread_mutex_unlock(&host->lock);
    return down;
}

void ps_java_host_end(struct ps_java_host *host, char *text, size_t room)
{
    pthread_mutex_lock(&host->lock);
    snprintf(text, room, "%s", host->end[0] != '\0' ? host->end : "the Java host has ended");
    pthread_mutex_unlock(&host->lock);
}

/* ---- links ---- */

bool ps_java_link_attach(struct ps_java_link *link, struct ps_java_host *host, int wake_fd)
{
    pthread_mutex_lock(&host->lock);
    bool runs = host->state == RUNNING && host->out >= 0 && host->reason[0] == '\0';
    if (runs) {
        link->host = host;
        link->region = host->region;
        link->wake_fd = wake_fd;
        link->number = ++host->last_link;
        link->lost = false;
        ps_java_inbox_init(&link->inbox);
        ps_flag_set(&link->has_news, false);
        link->next = host->links;
        host->links = link;
        ps_java_region_hold(link->region);
    }
    pthread_mutex_unlock(&host->lock);
    return runs;
}

void ps_java_link_detach(struct ps_java_link *link)
{
    if (link->host == NULL)
        return;
    pthread_mutex_lock(&link->host->lock);
    struct ps_java_link **at = &link->host->links;
    while (*at != NULL && *at != link)
        at = &(*at)->next;
    if (*at != NULL)
        *at = link->next;
    pthread_mutex_unlock(&link->host->lock);
    ps_java_inbox_fini(&link->inbox);
    ps_java_region_release(link->region);
    link->host = NULL;
    link->region = NULL;
}

enum ps_java_sent ps_java_link_send(struct ps_java_link *link, enum ps_java_message_type type,
                                    const uint64_t *numbers, uint32_t number_count, const char *text)
{
    char bytes[PS_JAVA_MESSAGE_BYTES_MAX];
    struct ps_java_head head = {.type = type, .link = link->number, .number_count = number_count};
    uint32_t length = ps_java_message_write(bytes, &head, numbers, text);
    ssize_t sent = -1;
    pthread_mutex_lock(&link->host->lock);
    bool lost = link->lost || link->host->out < 0;
    if (!lost) {
        sent = write(link->host->out, bytes, length);
        lost = sent < 0 && errno != EAGAIN && errno != EINTR;
    }
    pthread_mutex_unlock(&link->host->lock);
    return lost ? PS_JAVA_LOST : sent < 0 ? PS_JAVA_BUSY : PS_JAVA_SENT;
}

bool ps_java_link_next(struct ps_java_link *link, struct ps_java_message *message, bool *lost)
{
    *lost = false;
    if (!ps_flag_get(
            &link->has_news)) /* so most calls take no lock: the thread sets it before it wakes the worker */
        return false;
    pthread_mutex_lock(&link->host->lock);
    bool got = ps_java_inbox_take(&link->inbox, message);
    *lost = link->lost;
    ps_flag_set(&link->has_news, link->lost || !ps_java_inbox_is_empty(&link->inbox));
    pthread_mutex_unlock(&link->host->lock);
    return got;
}

bool ps_java_link_is_lost(struct ps_java_link *link)
{
    pthread_mutex_lock(&link->host->lock);
    bool lost = link->lost;
    pthread_mutex_unlock(&link->host->lock);
    return lost;
}

void ps_java_link_accuse(struct ps_java_link *link, const char *what)
{
    struct ps_java_host *host = link->host;
    pthread_mutex_lock(&host->lock);
    if (!link->lost && host->reason[0] == '\0') {
        snprintf(host->reason, sizeof host->reason, "%s", what);
        wake(host->wake_fd);
    }
    pthread_mutex_unlock(&host->lock);
}
