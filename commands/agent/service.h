/* The state of `penstock agent`, shared by commands/agent/agent.c, aside.c, reload.c and signals.c. Thread:
 * control. */
#pragma once

#include "conf/conf.h"
#include "core/engine/agent/agent.h"
#include "core/watch/metrics/server.h"
#include "stages/lib/java/monitor.h"

#define PS_AGENT_PROGRAM "/proc/self/exe" /* helper processes run this program */

struct service {
    struct ps_command command;
    /* The configuration of the running plan (its problems and system properties), and the one read last,
     * which shows changes of the files. They differ after a reload that failed, so that a file with a mistake
     * is not loaded again at every poll. */
    struct ps_conf *running, *seen;
    struct ps_agent *agent; /* NULL: it has not started yet */
    struct ps_metrics_server *server;
    uint64_t server_retry_ns;     /* while there is no server: when it is started again */
    struct ps_err server_failure; /* the reason that was logged last */
    struct ps_java_monitor *monitor;
    struct ps_metrics_source metrics; /* `server` has a pointer to it */
    int signal_fd;
    unsigned stops;         /* number of SIGTERM and SIGINT signals that were read */
    uint64_t first_stop_ns; /* monotonic: when the first of these signals was read */
    bool reload_asked;      /* SIGHUP was read */
    uint64_t told_ns;       /* time of the last watchdog message */
    bool stuck;             /* the last watchdog message was left out */
    uint64_t stuck_told_ns; /* time of the last log line about the watchdog */
    const char *doing;      /* what control is doing, for the dump; NULL: it waits for work */
    bool missing;           /* a file is missing, and that was reported */
    bool log_in_file;       /* a log file was opened: what a user has to see goes to standard error, too */
    struct ps_err poll_failure;   /* the last error that was reported */
    struct ps_err refusal;        /* why the last reload was refused; empty when it was carried out */
    struct ps_err refused_before; /* `refusal` of the reload before */
    bool test_failed;             /* the last reload was refused by a test or the build, not for its text */
    bool retries;                 /* this reload tries the same files again, after such a failure */
    uint64_t retry_ns;            /* monotonic: not before this time `seen` is tried again */
    /* A stop has left a helper thread running, which may still use `seen`, a plan, and `job`. */
    bool abandoned;
    struct {
        void (*run)(struct service *service);
        enum ps_status status;
        struct ps_conf *conf;
        struct ps_plan *plan;
        struct ps_err err;
        bool changed;
        struct ps_problems failures; /* failures in the trials of the new plan's components */
        const char *failed;          /* the component of the last failure */
    } job;                           /* the helper thread's job; there is one at a time */
};

/* Blocks the signals that the agent answers, and returns a descriptor to read them from. Called before any thread
 * starts, because threads inherit the mask. */
int ps_service_open_signals(void);

/* Reads pending signals into `stops` and `reload_asked`. Also answers the other signals: SIGQUIT with a dump in the
 * log. */
void ps_service_read_signals(struct service *service);

/* Serves the watchdog and signals while control waits for workers; returns how many of these asked to stop. The argument is the
 * service. */
unsigned ps_service_stops(void *service);
/* The same; returns whether one did. */
bool ps_service_told_to_stop(void *service);

/* Writes to the log what every worker and component does. Waits neither for a worker nor for a lock that
 * control may hold, so it works also while control waits for a stuck worker. */
void ps_service_dump(const struct service *service);

/* Tells systemd's watchdog, at least twice within its limit, that all workers make progress. Control calls it
 * every few milliseconds while it waits. */
void ps_service_tell_watchdog(struct service *service);

/* Logs the problems. With `mistakes_refuse`, mistakes are errors. */
void ps_service_say_problems(const struct ps_conf *conf, bool mistakes_refuse);

/* Writes the configuration that runs to the backup directory, if there is one. */
void ps_service_back_up(struct service *service);

/* Sets the log's level and form, and opens its file. */
void ps_service_apply_log(struct service *service, const struct ps_conf *conf);

/* Runs a job on a thread of its own and waits for it. Returns false when it is not done: because a signal to stop came
 * first (`abandoned`: the thread then continues and ends with the process), or because there is no thread for it (job.err has
 * the reason). Control does not run it by itself: meanwhile it would serve neither signals nor the watchdog. */
bool ps_service_run_aside(struct service *service, void (*run)(struct service *service));

/* A job: loads the configuration into job.conf. */
void ps_service_load_job(struct service *service);

/* A job: builds job.plan. */
void ps_service_build_job(struct service *service);

/* Reads the configuration again and runs it, or logs why not. A signal to stop abandons the reload. */
void ps_service_reload(struct service *service);

/* Returns whether a reload is due: a file or URI has changed since it was read last, or a refused
 * configuration would now be accepted or be refused for another reason. */
bool ps_service_configuration_changed(struct service *service);
