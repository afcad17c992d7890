/* Rows of the agent's own keys (`<agent>.penstock.<key>`), and of the keys that every source and sink has besides its
 * own rows. Flume ignores the agent's own keys with a warning. Of the keys of sources it knows the back-off keys, for
 * pollable sources. */
#include "core/engine/plan.h"

const struct ps_option ps_agent_option_rows[] = {
    PS_OPTION_ROW("workers", INT, offsetof(struct ps_agent_options, workers),
                  "number of worker threads; 0: one for each source and sink, but at most the number of CPUs "
                  "(affinity mask, cgroup quota) less one; a reload can start more workers, but stops none",
                  .fallback = "0", .min = 0, .max = PS_WORKERS_MAX, .unit = "threads",
                  .flags = PS_OPTION_EXTENSION, .reload = PS_RELOAD_AGENT),
    PS_OPTION_ROW("cpus", LIST, offsetof(struct ps_agent_options, cpus),
                  "CPU numbers to pin the workers to, in order; unset: no worker is pinned",
                  .flags = PS_OPTION_EXTENSION, .reload = PS_RELOAD_AGENT),
    PS_OPTION_ROW(
        "idle", ENUM, offsetof(struct ps_agent_options, idle),
        "how a worker without work waits: spin (lowest latency, but each worker uses a whole CPU), park "
        "(sleep in epoll), auto: spin a moment, then park",
        .fallback = "auto", .words = PS_WORDS("auto", "spin", "park"), .flags = PS_OPTION_EXTENSION,
        .reload = PS_RELOAD_AGENT),
    PS_OPTION_ROW(
        "memory.budget", SIZE, offsetof(struct ps_agent_options, memory_budget),
        "hard limit for events in memory, whatever the channels' capacities; 0: -Xmx if one was given "
        "and no "
        "component runs in Java, else 25 % of RAM or of the cgroup's limit",
        .fallback = "0", .min = 0, .max = INT64_MAX, .unit = "bytes", .flags = PS_OPTION_EXTENSION,
        .reload = PS_RELOAD_AGENT),
    PS_OPTION_ROW(
        "batch.events", INT, offsetof(struct ps_agent_options, batch_events),
        "maximum number of events in a batch; with a small channel the limit is a quarter of its capacity",
        .fallback = "1024", .min = 1, .max = PS_BATCH_EVENTS_MAX, .unit = "events",
        .flags = PS_OPTION_EXTENSION),
    PS_OPTION_ROW("drain.timeout", INT, offsetof(struct ps_agent_options, drain_timeout_ms),
                  "on SIGTERM: how long the agent waits for the delivery of the events in its channels",
                  .fallback = "30000", .min = 0, .max = 86400000, .unit = "ms", .flags = PS_OPTION_EXTENSION),
    PS_OPTION_ROW(
        "reload.timeout", INT, offsetof(struct ps_agent_options, reload_timeout_ms),
        "on reload: how long the old sinks may go on delivering; events that are left are carried over "
        "to the new ones",
        .fallback = "2000", .min = 0, .max = 86400000, .unit = "ms", .flags = PS_OPTION_EXTENSION),
    PS_OPTION_ROW(
        "ready.stall", INT, offsetof(struct ps_agent_options, ready_stall_ms),
        "/readyz answers 503 when a sink has had events for this time without delivering any; 0: never",
        .fallback = "60000", .min = 0, .max = 86400000, .unit = "ms", .flags = PS_OPTION_EXTENSION),
    PS_OPTION_ROW(
        "allow.unsupported", BOOL, offsetof(struct ps_agent_options, allow_unsupported),
        "drop components that Flume has and penstock does not yet, with a warning, instead of refusing "
        "to start",
        .fallback = "false", .flags = PS_OPTION_EXTENSION),
    PS_OPTION_ROW(
        "state.dir", TEXT, offsetof(struct ps_agent_options, state_directory),
        "directory in which components note what a killed agent leaves at their brokers, so that the "
        "next start goes on at once; each agent needs its own, on a disk that outlives the agent. Unset: "
        "below penstock-state in $STATE_DIRECTORY, which systemd sets, or in ~/.flume",
        .flags = PS_OPTION_EXTENSION, .reload = PS_RELOAD_AGENT),
    PS_OPTION_END,
};

const struct ps_option ps_source_common_rows[] = {
    PS_OPTION_ROW("backoffSleepIncrement", INT, offsetof(struct ps_source_common, backoff_increment_ms),
                  "rest of a polled source after a poll that found nothing; each further such poll in a row "
                  "lengthens the rest by this time",
                  .fallback = "1000", .min = 1, .max = 86400000, .unit = "ms"),
    PS_OPTION_ROW("maxBackoffSleep", INT, offsetof(struct ps_source_common, backoff_max_ms),
                  "longest rest after a poll that found nothing", .fallback = "5000", .min = 1,
                  .max = 86400000, .unit = "ms"),
    PS_OPTION_ROW(
        "penstock.workers", INT, offsetof(struct ps_source_common, workers),
        "number of workers that run this source: SO_REUSEPORT listeners, or members of the consumer group",
        .fallback = "1", .min = 1, .max = PS_WORKERS_MAX, .unit = "threads", .flags = PS_OPTION_EXTENSION),
    PS_OPTION_ROW(
        "penstock.deadletter", TEXT, offsetof(struct ps_source_common, deadletter),
        "where input that cannot be parsed goes: a directory (a path with a slash) or a channel of the "
        "agent; unset: such input is dropped and counted",
        .flags = PS_OPTION_EXTENSION),
    PS_OPTION_END,
};

const struct ps_option ps_sink_common_rows[] = {
    PS_OPTION_ROW(
        "penstock.deadletter", TEXT, offsetof(struct ps_sink_common, deadletter),
        "where events that can never be delivered go: a directory (a path with a slash) or a channel of "
        "the agent; unset: they are tried for ever, and those after them wait",
        .flags = PS_OPTION_EXTENSION),
    PS_OPTION_ROW("penstock.retry.max", INT, offsetof(struct ps_sink_common, retry_max),
                  "number of failed attempts in a row after which the events of the batch go to "
                  "penstock.deadletter; 0: tried for ever, as in Flume",
                  .fallback = "0", .min = 0, .max = 1000000, .unit = "attempts",
                  .flags = PS_OPTION_EXTENSION),
    PS_OPTION_ROW(
        "penstock.retry.backoff", INT, offsetof(struct ps_sink_common, backoff_step_ms),
        "rest after a failed attempt; each further failure in a row lengthens the rest by this time",
        .fallback = "1000", .min = 1, .max = 86400000, .unit = "ms", .flags = PS_OPTION_EXTENSION),
    PS_OPTION_ROW("penstock.retry.backoff.max", INT, offsetof(struct ps_sink_common, backoff_max_ms),
                  "longest rest after a failed attempt", .fallback = "5000", .min = 1, .max = 86400000,
                  .unit = "ms", .flags = PS_OPTION_EXTENSION),
    PS_OPTION_END,
};
