/* The process of a MonitorService of Flume's that is a Java class: Flume's own for Ganglia, or one that somebody
 * wrote (-Dflume.monitoring.type). It gets the agent's metrics, which are MBeans there (host/Monitor.java), and
 * cannot disturb the agent: it is started again when it ends, later each time, and metrics that it does not read are
 * dropped.
 *
 * Thread, of all functions: control. None of them waits, but for ps_java_monitor_destroy. */
#pragma once

#include "core/class_path.h"
#include "core/status.h"

struct ps_java_monitor;

/* Interval at which it gets the metrics. */
#define PS_JAVA_MONITOR_NS UINT64_C(1000000000)

/* Copies everything. Returns NULL: the error names what is missing. The process begins with the first metrics. */
struct ps_java_monitor *ps_java_monitor_create(const struct ps_class_path *path, const char *class_name,
                                               const struct ps_pairs *settings, struct ps_err *err);
/* The same with another command: for tests. `rest_ns`: before it is started again, doubled each time up to 60 s. */
struct ps_java_monitor *ps_java_monitor_create_command(const char *const *argv, const char *class_name,
                                                       const struct ps_pairs *settings, uint64_t rest_ns);

/* Returns whether it must get metrics now. Starts the process when it is time, and logs its end and what it has
 * printed. */
bool ps_java_monitor_turn(struct ps_java_monitor *monitor, uint64_t mono_ns);
/* Hands the metrics over, as Flume's HTTP metrics have them. */
void ps_java_monitor_feed(struct ps_java_monitor *monitor, const char *json, size_t length);

/* Ends the input of the process, waits up to 5 s for the process to end, and then kills it. NULL is allowed. */
void ps_java_monitor_destroy(struct ps_java_monitor *monitor);
