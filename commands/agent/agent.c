/* `penstock agent`: reads the configuration, runs it, and handles signals, changed files, the watchdog and
 * the metrics server. Thread: control. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "commands/agent/service.h"
#include "commands/commands.h"
#include "commands/line/line.h"
#include "commands/dumpable.h"
#include "core/durable.h"
#include "core/plugin/watch.h"
#include "core/watch/notify.h"
#include "core/watch/page.h"
#include "stages/lib/java/hangs.h"
#include "stages/table.h"
#include "version.h"
#include "core/quantity.h"

/* The smallest limit of stacks with which the agent starts. */
#define STACK_BYTES_MIN (1U << 20)

#define WORKER_STUCK_MS 10000U
#define FILE_WAIT_MS 1000
#define WATCHDOG_MAX_MS 1000U
#define UNDELIVERED_STATUS 3 /* exit status */

static const struct ps_command_row rows[] = {
    {NULL, 0, "-Dkey=value", PS_ROW_NOTE, .help = "a Java system property, for ${sys:key} and Flume's own:"},
    {NULL, 0, "  flume.monitoring.type=http|prometheus, flume.monitoring.port=41414", PS_ROW_NOTE,
     .help = "metrics"},
    {NULL, 0, "  penstock.monitoring.host=127.0.0.1, penstock.monitoring.hosts=NAME,...", PS_ROW_NOTE,
     .help = "address of the metrics server, and names that clients may use for it"},
    {NULL, 0, "  penstock.monitoring.token.file=FILE", PS_ROW_NOTE,
     .help = "file with the token of clients that may read events"},
    {NULL, 0, "  penstock.core.dumps=true", PS_ROW_NOTE,
     .help = "allow core dumps, and debuggers of the same user"},
    {NULL, 0, "  flume.root.logger=DEBUG,console, flume.log.dir, flume.log.file", PS_ROW_NOTE, .help = "log"},
    {NULL, 0, "  penstock.log.format=json", PS_ROW_NOTE, .help = "lines of the log are JSON objects"},
    {NULL, 0, "  javax.net.ssl.keyStore and the like", PS_ROW_NOTE, .help = "default key stores"},
    {NULL, 0, "-Xmx512m", PS_ROW_NOTE,
     .help = "memory budget (or <agent>.penstock.memory.budget in the file); the heap, if a component runs "
             "in Java"},
    {.help = NULL},
};

const struct ps_command_line ps_line_agent = {
    .name = "agent",
    .usage = "Usage: penstock agent [-n NAME] -f FILE [OPTION]...\n"
             "Runs agent NAME of a Flume configuration file. SIGTERM stops it after delivery of what it "
             "holds; SIGHUP, or a change of\nthe file, reads the configuration again; SIGQUIT writes to the "
             "log what every worker and component does.\n",
    .rows = rows,
    .ends =
        "Every other option of `flume-ng agent` is accepted without effect; ZooKeeper's are "
        "refused.\n"
        "\n"
        "Exit status: 0 stopped on request, 1 not started, 2 wrong usage, 3 stopped with events that are "
        "lost\n"
        "(a second SIGTERM or SIGINT, or penstock.drain.timeout is over; the last line of the log says how "
        "many).\n"
        "\n"
        "Examples:\n"
        "  penstock agent -n a1 -c /etc/flume/conf -f /etc/flume/conf/a1.properties\n"
        "  penstock agent -n a1 -f a1.properties -Dflume.monitoring.type=http "
        "-Dflume.root.logger=DEBUG,console\n",
    .flume = true,
};

void ps_service_say_problems(const struct ps_conf *conf, bool mistakes_refuse)
{
    struct ps_arena *arena = ps_arena_create();
    for (size_t i = 0; i < conf->problems.count; i++) {
        struct ps_problem problem = conf->problems.items[i];
        if (problem.mistake != PS_MISTAKE_NONE && mistakes_refuse)
            problem.severity = PS_SEVERITY_ERROR;
        enum ps_log_level level =
            problem.severity == PS_SEVERITY_ERROR || problem.severity == PS_SEVERITY_DROPPED ? PS_LOG_ERROR
            : problem.severity == PS_SEVERITY_WARNING                                        ? PS_LOG_WARN
                                                                                             : PS_LOG_INFO;
        const char *text = ps_problem_text(arena, &problem);
        /* ps_log_text, because it prints all problems: the log's limit is 10 lines */
        ps_log_text(level, "configuration", text, strlen(text));
    }
    ps_arena_destroy(arena);
}

void ps_service_apply_log(struct service *service, const struct ps_conf *conf)
{
    struct ps_err err = {0};
    if (conf->log.has_level)
        ps_log_set_level(conf->log.level);
    ps_log_set_json(conf->log.json);
    if (conf->log.path == NULL)
        return;
    const char *slash = strrchr(conf->log.path, '/');
    if (slash != NULL && slash > conf->log.path)
        (void)ps_directories_need(
            ps_arena_copy(conf->arena, conf->log.path, (size_t)(slash - conf->log.path)),
            &err); /* ps_log_open prints its own error */
    err = (struct ps_err){0};
    if (ps_log_open(conf->log.path, &err) == PS_OK)
        service->log_in_file = true;
    else
        ps_log(PS_LOG_WARN, "agent", "%s; the log stays %s", ps_err_join(&err),
               service->log_in_file ? "in the file that it had" : "on standard error");
}

/* Prints on standard error where the log file is, and that a pattern in log4j2.xml is not used. */
static void say_log_file(const struct service *service)
{
    const struct ps_conf *conf = service->running;
    const struct ps_place *layout = &conf->log.layout;
    if (!service->log_in_file)
        return;
    fprintf(stderr, "penstock agent: the log is in %s", conf->log.path);
    if (layout->file != NULL)
        fprintf(stderr, "; the PatternLayout of %s:%d is not used: lines are time, level, component, text",
                layout->file, layout->line);
    fputc('\n', stderr);
}

/* Logs why the agent does not start. The reason also goes to standard error, with the problems that decide it, because a
 * user who starts the agent by hand does not look into a log file. */
static void say_not_started(const struct service *service, const char *reason)
{
    const struct ps_conf *conf = service->running;
    ps_log(PS_LOG_ERROR, "agent", "not started: %s", reason);
    if (!service->log_in_file)
        return;
    for (size_t i = 0; i < conf->problems.count; i++) {
        const struct ps_problem *problem = &conf->problems.items[i];
        if (problem->severity == PS_SEVERITY_ERROR || problem->decides)
            fprintf(stderr, "%s\n", ps_problem_text(conf->arena, problem));
    }
    fprintf(stderr, "penstock agent: not started: %s\n", reason);
}

void ps_service_back_up(struct service *service)
{
    struct ps_err err = {0};
    if (ps_conf_backup(service->running, &service->command, &err) != PS_OK)
        ps_log(PS_LOG_WARN, "configuration", "%s", err.text);
}

/* ---- monitoring ---- */

/* Reports a token file that cannot be read now. Each request of /tail reads the file again. */
static void check_token_file(const char *path)
{
    char token[PS_ACCESS_TOKEN_BYTES];
    struct ps_err err = {0};
    if (path != NULL && ps_metrics_token_read(path, token, &err) != PS_OK)
        ps_log(PS_LOG_ERROR, "metrics", "/tail refuses everybody: %s", err.text);
}

/* Starts the server if the configuration asks for one. If there is no descriptor or thread for it, control calls this
 * function again until there is one. When the settings are wrong, which ps_conf_load has reported, the agent runs without
 * a server. */
static void start_server(struct service *service)
{
    const struct ps_conf_monitoring *monitoring = &service->running->monitoring;
    uint64_t now_ns = ps_clock_now().mono_ns;
    struct ps_err err = {0};
    if (!monitoring->on || service->server != NULL || now_ns < service->server_retry_ns)
        return;
    service->server_retry_ns = now_ns + PS_METRICS_SERVER_RETRY_MS * PS_NS_PER_MS;
    struct ps_metrics_server_settings settings = {.host = monitoring->host,
                                                  .port = monitoring->port >= 0 ? (uint16_t)monitoring->port
                                                                                : PS_METRICS_SERVER_PORT,
                                                  .prometheus = monitoring->prometheus,
                                                  .access = {.token = monitoring->token,
                                                             .token_path = monitoring->token_path,
                                                             .hosts = monitoring->hosts},
                                                  .retry_ms = PS_METRICS_SERVER_RETRY_MS};
    service->metrics = ps_agent_metrics(service->agent);
    service->server = ps_metrics_server_start(&settings, &service->metrics, &err);
    ps_err_join(&err);
    if (service->server == NULL && strcmp(err.text, service->server_failure.text) != 0)
        ps_log(PS_LOG_ERROR, "agent", "no metrics: %s; trying again every %s", err.text,
               ps_quantity_print_ns(PS_METRICS_SERVER_RETRY_MS * PS_NS_PER_MS).text);
    service->server_failure = err;
}

static void start_monitoring(struct service *service)
{
    const struct ps_conf_monitoring *monitoring = &service->running->monitoring;
    struct ps_err err = {0};
    if (monitoring->class_name != NULL) {
        service->monitor = ps_java_monitor_create(service->running->class_path, monitoring->class_name,
                                                  &monitoring->settings, &err);
        if (service->monitor == NULL)
            ps_log(PS_LOG_ERROR, "agent", "no metrics: %s", ps_err_join(&err));
    }
    if (monitoring->on)
        check_token_file(monitoring->token_path);
    start_server(service);
}

/* Gives the metrics to a monitor that is a Java class, once a second. */
static void feed_monitor(struct service *service)
{
    struct ps_metrics metrics;
    struct ps_page page = {.text = NULL};
    if (service->monitor == NULL || !ps_java_monitor_turn(service->monitor, ps_clock_now().mono_ns))
        return;
    const struct ps_metrics_source source = ps_agent_metrics(service->agent);
    ps_metrics_take(&metrics, &source);
    ps_metrics_json(&metrics, &page);
    ps_java_monitor_feed(service->monitor, page.text, page.length);
    ps_page_fini(&page);
    ps_metrics_fini(&metrics);
}

/* ---- the control loop ---- */

void ps_service_tell_watchdog(struct service *service)
{
    uint64_t now_ns = ps_clock_now().mono_ns, every_ms = ps_notify_watchdog_ms();
    if (service->agent == NULL) /* with Type=notify, systemd's watchdog begins when the agent has started */
        return;
    if (every_ms == 0 || every_ms > WATCHDOG_MAX_MS)
        every_ms = WATCHDOG_MAX_MS;
    /* sends at most two messages within `every_ms` */
    if (now_ns - service->told_ns < every_ms * PS_NS_PER_MS / 2)
        return;
    service->told_ns = now_ns;
    unsigned worker;
    uint64_t still_ns;
    bool moves = ps_agent_is_moving(service->agent, WORKER_STUCK_MS, &worker, &still_ns);
    if (moves)
        ps_notify_watchdog();
    else if (!service->stuck || now_ns - service->stuck_told_ns >= WORKER_STUCK_MS * PS_NS_PER_MS) {
        service->stuck_told_ns = now_ns;
        ps_log(PS_LOG_ERROR, "agent", "worker %u is stuck: it has completed no cycle for %s", worker,
               ps_quantity_print_ns(still_ns).text);
    }
    if (!moves && !service->stuck) /* logged once, before systemd ends the agent */
        ps_service_dump(service);
    service->stuck = !moves;
}

/* Returns how often the agent was told to stop. */
static unsigned stops_again(void *argument)
{
    struct service *service = argument;
    unsigned before = service->stops;
    ps_service_tell_watchdog(service);
    ps_service_read_signals(service);
    if (before < 2 && service->stops >= 2)
        ps_log(PS_LOG_WARN, "agent",
               "asked to stop a second time: the agent stops without waiting for delivery");
    return service->stops;
}

static int wait_ms_of(const struct service *service, uint64_t poll_at_ns, uint64_t now_ns)
{
    uint64_t wait_ms = 1000, watchdog_ms = ps_notify_watchdog_ms();
    if (watchdog_ms > 0 && watchdog_ms < wait_ms)
        wait_ms = watchdog_ms;
    if (!service->command.no_reload && poll_at_ns > now_ns && (poll_at_ns - now_ns) / PS_NS_PER_MS < wait_ms)
        wait_ms = (poll_at_ns - now_ns) / PS_NS_PER_MS + 1;
    return (int)wait_ms;
}

static void control_loop(struct service *service)
{
    uint64_t interval_ns = (uint64_t)ps_command_poll_interval_s(&service->command) * PS_NS_PER_S;
    uint64_t poll_at_ns = ps_clock_now().mono_ns + interval_ns;
    feed_monitor(service); /* the first call starts the monitor */
    while (service->stops == 0) {
        struct pollfd ready = {.fd = service->signal_fd, .events = POLLIN};
        if (!service->reload_asked)
            poll(&ready, 1, wait_ms_of(service, poll_at_ns, ps_clock_now().mono_ns));
        ps_service_read_signals(service);
        if (service->stops > 0)
            return;
        if (service->reload_asked) {
            service->reload_asked = false;
            ps_service_reload(service);
        } else if (!service->command.no_reload && ps_clock_now().mono_ns >= poll_at_ns) {
            if (ps_service_configuration_changed(service))
                ps_service_reload(service);
            poll_at_ns = ps_clock_now().mono_ns + interval_ns;
        }
        ps_service_tell_watchdog(service);
        start_server(service);
        feed_monitor(service);
        ps_log_turn();
    }
}

/* Logs the agent's last line, after the lines that the log held back. */
static void say_account(const struct ps_agent_account *account)
{
    char discarded[64] = "";
    ps_log_flush();
    if (account->discarded > 0)
        snprintf(discarded, sizeof discarded, " (%s for their form)",
                 ps_quantity_print_count(account->discarded).text);
    ps_log(account->undelivered + account->kernel_dropped > 0 ? PS_LOG_WARN : PS_LOG_INFO, "agent",
           "stopped: events accepted %s, delivered %s, dropped %s%s, refused by the far end %s, possibly "
           "doubled %s, not delivered %s, kept in durable channels %s, read again at the next start %s, "
           "dropped by the kernel (UDP) %s, dead letters %s",
           ps_quantity_print_count(account->accepted).text, ps_quantity_print_count(account->delivered).text,
           ps_quantity_print_count(account->dropped + account->discarded).text, discarded,
           ps_quantity_print_count(account->refused).text, ps_quantity_print_count(account->duplicated).text,
           ps_quantity_print_count(account->undelivered).text, ps_quantity_print_count(account->kept).text,
           ps_quantity_print_count(account->reread).text,
           ps_quantity_print_count(account->kernel_dropped).text,
           ps_quantity_print_count(account->deadletter).text);
}

/* Returns the exit status. */
static int stop(struct service *service)
{
    struct ps_agent_account account;
    uint64_t timeout_ms = (uint64_t)ps_agent_plan(service->agent)->spec->options.drain_timeout_ms;
    ps_notify_stopping("draining");
    service->doing = "stops: waits for delivery";
    ps_log(PS_LOG_INFO, "agent", "stopping: no new input; waiting up to %s for delivery",
           ps_quantity_print_ns(timeout_ms * PS_NS_PER_MS).text);
    ps_java_hangs_begin();
    ps_agent_drain(service->agent, timeout_ms, stops_again, service, &account);
    if (service->server != NULL) /* until here the status is "stopping" */
        ps_metrics_server_stop(service->server);
    ps_java_monitor_destroy(service->monitor);
    if (!service->abandoned) /* the plan that is still built reads parts of this one; the process ends now */
        ps_agent_destroy(service->agent);
    say_account(&account);
    return account.drained && account.undelivered == 0 ? 0 : UNDELIVERED_STATUS;
}

static bool files_are_missing(const struct ps_command *command)
{
    for (size_t i = 0; i < command->files.count; i++) {
        if (access(command->files.items[i], F_OK) != 0)
            return true;
    }
    return false;
}

/* With -Dflume.called.from.service the agent waits until its configuration files exist, as flume-ng does. Returns false
 * if a signal asked to stop meanwhile. */
static bool wait_for_files(struct service *service)
{
    if (ps_pairs_get(&service->command.system, "flume.called.from.service") == NULL)
        return true;
    for (bool reported = false; files_are_missing(&service->command); reported = true) {
        if (!reported)
            ps_log(PS_LOG_WARN, "agent",
                   "a configuration file does not exist yet; the agent waits for it "
                   "(flume.called.from.service)");
        struct pollfd ready = {.fd = service->signal_fd, .events = POLLIN};
        poll(&ready, 1, FILE_WAIT_MS);
        ps_service_read_signals(service);
        if (service->stops > 0)
            return false;
    }
    return true;
}

/* Loads the first configuration, which may take long (over http, classes in Java, plug-ins), so control serves signals
 * meanwhile. Returns false after it has said why the agent does not start; it says nothing if a signal asked to stop. */
static bool load_first(struct service *service)
{
    service->command.ask_classes = true;
    ps_plugin_watch_set((struct ps_plugin_patience){0});
    if (!ps_service_run_aside(service, ps_service_load_job)) {
        if (!service->abandoned)
            ps_log(PS_LOG_ERROR, "agent", "not started: %s", ps_err_join(&service->job.err));
        return false;
    }
    service->running = service->seen = service->job.conf;
    ps_service_apply_log(service, service->running);
    say_log_file(service);
    ps_service_say_problems(service->running, false);
    if (service->job.status == PS_OK)
        return true;
    size_t errors = service->running->problems.errors;
    say_not_started(service, ps_arena_format(service->running->arena, "%zu error%s in the configuration",
                                             errors, errors == 1 ? "" : "s"));
    return false;
}

/* Raises the limit of descriptors to the hard limit, as the Java VM does for Flume. The usual soft limit of
 * 1,024 is meant for programs that call select(2). */
static void raise_descriptors(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max)
        return;
    limit.rlim_cur = limit.rlim_max;
    /* a failure is not reported here: the agent reports when it has no descriptor left */
    (void)setrlimit(RLIMIT_NOFILE, &limit);
}

/* The stacks of all threads, also those of libraries, get the size of this limit, and a thread with a small stack
 * crashes sooner or later. */
static bool stack_is_large_enough(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_STACK, &limit) != 0 || limit.rlim_cur >= STACK_BYTES_MIN)
        return true;
    ps_log(PS_LOG_ERROR, "agent",
           "not started: the limit of a thread's stack is %s, and at least %s is needed: raise it "
           "(ulimit -s 8192, LimitSTACK=8M of a service)",
           ps_quantity_print_bytes(limit.rlim_cur).text, ps_quantity_print_bytes(STACK_BYTES_MIN).text);
    return false;
}

/* Returns NULL when the agent did not start: with a reason in *err, or because a signal asked to stop. Building the plan
 * may take minutes, so control does not do it by itself. */
static struct ps_agent *start(struct service *service, struct ps_err *err)
{
    struct ps_machine machine = ps_conf_machine(service->running);
    struct ps_agent_spec *spec = ps_conf_take_spec(service->running);
    spec->program = PS_AGENT_PROGRAM;
    spec->verbose = service->command.verbose;
    service->job.plan = ps_plan_create(spec, &machine, NULL, err);
    if (service->job.plan == NULL)
        return NULL;
    if (ps_service_run_aside(service, ps_service_build_job) && service->job.status == PS_OK)
        return ps_agent_run(service->job.plan, ps_service_told_to_stop, service, err);
    if (service->abandoned)
        return NULL;
    *err = service->job.err;
    ps_plan_destroy(service->job.plan);
    return NULL;
}

static int run(struct service *service)
{
    struct ps_err err = {0};
    if (!stack_is_large_enough())
        return 1;
    ps_process_set_dumpable(false);
    raise_descriptors();
    (void)ps_notify_open();
    service->signal_fd = ps_service_open_signals();
    if (service->signal_fd < 0) {
        ps_log(PS_LOG_ERROR, "agent", "not started: cannot receive signals: %s", strerror(errno));
        return 1;
    }
    if (!wait_for_files(service))
        return 0;
    if (!load_first(service))
        return service->abandoned ? 0 : 1;
    ps_process_set_dumpable(service->running->core_dumps);
    ps_log(PS_LOG_INFO, "agent", "penstock %s starts agent %s", PS_VERSION, service->command.agent);
    service->agent = start(service, &err);
    if (service->abandoned)
        return 0;
    if (service->agent == NULL) {
        say_not_started(service, ps_err_join(&err));
        return 1;
    }
    ps_service_back_up(service);
    start_monitoring(service);
    ps_notify_ready("running");
    control_loop(service);
    return stop(service);
}

int ps_main_agent(int argc, char **argv)
{
    struct service service = {.signal_fd = -1};
    struct ps_err err = {0};
    if (ps_command_parse(&service.command, argc, argv, &err) != PS_OK) {
        fprintf(stderr, "penstock: %s\n", err.text);
        ps_command_fini(&service.command);
        return 2;
    }
    int code = 0;
    if (service.command.help)
        ps_command_line_usage(stdout, &ps_line_agent);
    else if (service.command.dry_run)
        code = ps_main_check(argc, argv);
    else
        code = run(&service);
    ps_log_flush();
    if (service.abandoned)
        _exit(code); /* the helper thread still uses the memory that would be freed */
    if (service.seen != service.running)
        ps_conf_destroy(service.seen);
    ps_conf_destroy(service.running);
    ps_command_fini(&service.command);
    if (service.signal_fd >= 0)
        close(service.signal_fd);
    return code;
}
