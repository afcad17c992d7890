/* What core/commands/agent.c and core/commands/agent_reload.c share: the state of `penstock agent`. Thread:
 * control. */
#pragma once

#include "conf/conf.h"
#include "core/engine/agent.h"
#include "core/watch/metrics_server.h"

#define PS_AGENT_PROGRAM "/proc/self/exe" /* helper processes run this program */

struct service {
    struct ps_command command;
    /* Of the plan that runs: its problems and system properties; and what was read last, to see changes of the
     * files. They differ after a reload that failed: a file with a mistake is not loaded again at every poll. */
    struct ps_conf *running, *seen;
    struct ps_agent *agent;
    struct ps_metrics_server *server;
    struct ps_metrics_source metrics; /* the server keeps its address */
    int signal_fd;
    unsigned stops;             /* SIGTERM and SIGINT */
    bool reload_asked;          /* SIGHUP */
    uint64_t told_ns;           /* when the watchdog was told last */
    bool missing;               /* reported that a file is not there any more */
    struct ps_err poll_failure; /* the last one that was reported */
    /* A helper thread was left running by a stop: it may still use `seen`, a plan, and `job`. */
    bool abandoned;
    struct {
        void (*run)(struct service *service);
        int done_fd;
        enum ps_status status;
        struct ps_conf *conf;
        struct ps_plan *plan;
        struct ps_err err;
        bool changed;
    } job; /* of the helper thread; one at a time */
};

/* Reads pending signals into `stops` and `reload_asked`. */
void ps_service_read_signals(struct service *service);

/* Tells systemd's watchdog, at least twice within its limit, that all workers make progress. Call it at least every few
 * milliseconds while control waits. */
void ps_service_tell_watchdog(struct service *service);

/* Logs the problems. With `mistakes_refuse`, mistakes are errors. */
void ps_service_say_problems(const struct ps_conf *conf, bool mistakes_refuse);

void ps_service_apply_log(const struct ps_conf *conf);
struct ps_machine ps_service_machine(const struct ps_conf *conf);

/* Reads the configuration again and runs it, or says why not. A signal to stop abandons it. */
void ps_service_reload(struct service *service);

/* Whether a file or URI has changed since it was read last. */
bool ps_service_configuration_changed(struct service *service);
