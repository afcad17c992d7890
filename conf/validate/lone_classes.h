/* Java classes that are not components: config filters and the monitor. Looks for them on the class path; filters
 * are asked through a function of the program, because conf/ starts no JVM. Thread: the control thread. */
#pragma once

#include "conf/conf.h"
#include "conf/properties/filter.h"

/* Like `ask` of struct ps_filter_classes, but with the class path. */
typedef enum ps_status ps_filter_class_asker(const struct ps_class_path *path, const char *class_name,
                                             const char *name, const struct ps_pairs *settings,
                                             const struct ps_texts *keys, struct ps_arena *arena,
                                             struct ps_filter_answer *answers, struct ps_err *err);

/* Sets the function that asks filters that are Java classes; without it these filters have no values. Call it before
 * anything is loaded. */
void ps_filter_classes_ask_with(ps_filter_class_asker *asker);

/* Returns the functions for filters that are Java classes. `ask` true: they call the classes; false: values that need
 * the classes stay unknown. `conf` must outlive the result. */
struct ps_filter_classes ps_filter_classes_make(struct ps_conf *conf, bool ask);

/* Checks the class of -Dflume.monitoring.type. If the class cannot run, reports why and forgets the class: the agent
 * runs without a monitor, as Flume's agent does. */
void ps_check_monitor(struct ps_conf *conf);
