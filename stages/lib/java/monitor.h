/* The process in which a Java class that implements Flume's MonitorService runs: Flume's class for Ganglia, or
 * a user's class (-Dflume.monitoring.type). It gets the agent's metrics, which are MBeans there
 * (host/Monitor.java), and cannot disturb the agent: when it ends, it is started again, after a longer wait
 * each time, and metrics that it does not read are dropped.
 *
 * Thread, of all functions: control. Only ps_java_monitor_destroy waits. */
#pragma once

#include "stages/lib/java/class_path.h"
#include "core/status.h"

struct ps_java_monitor;

/* Interval at which the process gets the metrics, in ns. */
#define PS_JAVA_MONITOR_NS UINT64_C(1000000000)

/* Copies all arguments. Returns NULL with an error that names what is missing. The process is started for the
 * first metrics. */
struct ps_java_monitor *ps_java_monitor_create(const struct ps_class_path *path, const char *class_name,
                                               const struct ps_pairs *settings, struct ps_err *err);
/* Like ps_java_monitor_create, with another command, for tests. `rest_ns`: the wait before the process is
 * started again; it doubles each time, up to 60 s. */
struct ps_java_monitor *ps_java_monitor_create_command(const char *const *argv, const char *class_name,
                                                       const struct ps_pairs *settings, uint64_t rest_ns);

/* Returns whether the process must get metrics now. Starts the process when it is time; logs what the process
 * has printed, and its end. */
bool ps_java_monitor_turn(struct ps_java_monitor *monitor, uint64_t mono_ns);
/* Hands the metrics over, as Flume's HTTP metrics have them. */
void ps_java_monitor_feed(struct ps_java_monitor *monitor, const char *json, size_t length);

/* Ends the input of the process, waits up to 5 s for the process to end, and then kills it. NULL is allowed. */
void ps_java_monitor_destroy(struct ps_java_monitor *monitor);
