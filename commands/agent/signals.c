/* Signals of `penstock agent`. All of them are blocked on every thread; control reads them from a descriptor, so that
 * the handling may allocate, log and wait. Thread: control. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "commands/agent/service.h"
#include "core/text/printable.h"

/* SIGUSR1, SIGUSR2 and SIGALRM would end the process without a drain. Flume's Java machine takes SIGUSR1 for itself;
 * scripts of other services send it to have logs reopened. */
static const struct {
    int number;
    const char *name;
} answered[] = {
    {SIGTERM, "SIGTERM"}, {SIGINT, "SIGINT"},   {SIGHUP, "SIGHUP"},   {SIGQUIT, "SIGQUIT"},
    {SIGUSR1, "SIGUSR1"}, {SIGUSR2, "SIGUSR2"}, {SIGALRM, "SIGALRM"},
};

#define STOP_ONCE_MS 500U /* signals within this time after the first belong to the same request to stop */

int ps_service_open_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < PS_COUNT_OF(answered); i++)
        sigaddset(&set, answered[i].number);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* when a file reaches its limit (ulimit -f), write returns an error instead */
    return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

/* ---- the dump ---- */

/* Writes the dump also when the level INFO is not logged, because the user asked for it. */
static enum ps_log_level dump_level(void)
{
    enum ps_log_level level = ps_log_get_level();
    return level > PS_LOG_INFO ? level : PS_LOG_INFO;
}

static void log_lines(const char *text)
{
    struct ps_arena *arena = ps_arena_create();
    for (const char *end; (end = strchr(text, '\n')) != NULL; text = end + 1) {
        const char *line = ps_printable_line(arena, ps_arena_copy(arena, text, (size_t)(end - text)));
        /* the log's back-off holds back none of these lines */
        ps_log_text(dump_level(), "dump", line, strlen(line));
    }
    ps_arena_destroy(arena);
}

void ps_service_dump(const struct service *service)
{
    struct ps_page page = {0};
    struct ps_metrics metrics;
    if (service->agent == NULL) {
        ps_log(PS_LOG_INFO, "dump", "the agent has not started yet");
        return;
    }
    const struct ps_metrics_source source = ps_agent_look(service->agent);
    ps_metrics_take(&metrics, &source);
    ps_metrics_dump(&metrics, ps_clock_now().mono_ns, &page);
    ps_page_format(&page, "control: %s\n",
                   service->doing != NULL ? service->doing : "waits for signals and changes of files");
    ps_metrics_fini(&metrics);
    log_lines(page.text);
    ps_page_fini(&page);
}

/* ---- */

static void ignore(int number)
{
    const char *name = "";
    for (size_t i = 0; i < PS_COUNT_OF(answered); i++) {
        if (answered[i].number == number)
            name = answered[i].name;
    }
    ps_log(PS_LOG_WARN, "agent",
           "%s is ignored: SIGTERM stops the agent after delivery, SIGHUP reads the configuration again, "
           "SIGQUIT writes to the log what every worker does",
           name);
}

/* timeout(1) signals its child and then its group, and a shell script passes on what the terminal has sent to
 * the whole group: the two signals are one request to stop. */
static void stop_is_asked(struct service *service)
{
    uint64_t now_ns = ps_clock_now().mono_ns;
    if (service->stops == 0)
        service->first_stop_ns = now_ns;
    else if (now_ns - service->first_stop_ns < STOP_ONCE_MS * PS_NS_PER_MS)
        return;
    service->stops++;
}

static void reload_is_asked(struct service *service)
{
    if (service->doing != NULL && service->stops == 0)
        ps_log(PS_LOG_INFO, "agent", "SIGHUP: a reload is under way; the files are read again after it");
    service->reload_asked = true;
}

void ps_service_read_signals(struct service *service)
{
    struct signalfd_siginfo info;
    while (read(service->signal_fd, &info, sizeof info) == sizeof info) {
        switch ((int)info.ssi_signo) {
        case SIGTERM:
        case SIGINT:
            stop_is_asked(service);
            break;
        case SIGHUP:
            reload_is_asked(service);
            break;
        case SIGQUIT:
            ps_service_dump(service);
            break;
        default:
            ignore((int)info.ssi_signo);
        }
    }
}

unsigned ps_service_stops(void *service_)
{
    struct service *service = service_;
    ps_service_tell_watchdog(service);
    ps_service_read_signals(service);
    return service->stops;
}

bool ps_service_told_to_stop(void *service)
{
    return ps_service_stops(service) > 0;
}
