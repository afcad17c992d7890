/* The keys of a channel that keeps its events in a database, and the functions that use them.
 *
 *   check     ps_database_plan_check
 *   build     ps_database_plan_build, then a durable queue with ps_database_store and plan->store
 *   outline   ps_database_plan_outline
 *   probe     ps_database_plan_probe
 *
 * Thread: control. */
#pragma once

#include "core/stage.h"
#include "stages/lib/queue/database/store.h"

struct ps_database_plan {
    const char *url, *driver, *type, *user, *password, *properties_file;
    struct ps_tables_schema schema;
    int isolation; /* index in Flume's list of isolation levels */
    struct ps_pairs system_properties;
    struct ps_database_store_settings store; /* set by ps_database_plan_build */
};

/* Reports errors in the keys. Returns PS_FAIL if the component is dropped. */
enum ps_status ps_database_plan_check(const struct ps_database_plan *plan, const struct ps_context *context);
/* Sets plan->store. */
enum ps_status ps_database_plan_build(struct ps_database_plan *plan, struct ps_context *context,
                                      struct ps_err *err);
void ps_database_plan_outline(const struct ps_database_plan *plan, const struct ps_context *context,
                              FILE *out);
void ps_database_plan_probe(const struct ps_database_plan *plan, struct ps_context *context,
                            const struct ps_probe *probe);
