/* Config filters: ${f1['key']} in the values of an agent's components (Flume user guide, Configuration
 * Filters). Thread: the control thread; external runs a command for at most 10 s. */
#pragma once

#include "conf/agent.h"

#define PS_FILTER_SECRET_BYTES_MAX 4096U

/* Reads the secret of an alias from the stores of a filter `hadoop`, whose keys `settings` has. `folder`: the configuration
 * directory, or NULL. */
typedef enum ps_status ps_filter_secret_reader(const struct ps_pairs *settings, const char *folder,
                                               const char *alias, char secret[PS_FILTER_SECRET_BYTES_MAX + 1],
                                               struct ps_err *err);

/* Sets the reader of key stores, because conf/ has none. Without it, filters `hadoop` have no values. Call it before
 * anything is loaded. */
void ps_filters_read_secrets_with(ps_filter_secret_reader *reader);

/* `folder`: the configuration directory (-c), or NULL. */
void ps_filters_apply(struct ps_agent_text *agent, const char *folder, struct ps_arena *arena,
                      struct ps_problems *problems);
