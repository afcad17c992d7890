/* Config filters: ${f1['key']} in the values of an agent's components (Flume user guide, Configuration
 * Filters). Thread: the control thread; external runs a command for at most 10 s. */
#pragma once

#include "conf/agent.h"

#define PS_FILTER_SECRET_BYTES_MAX 4096U

/* Reads the secret of an alias from the stores of a filter `hadoop`, whose configuration is in `settings`. `folder`:
 * the configuration directory, or NULL. */
typedef enum ps_status ps_filter_secret_reader(const struct ps_pairs *settings, const char *folder,
                                               const char *alias, char secret[PS_FILTER_SECRET_BYTES_MAX + 1],
                                               struct ps_err *err);

/* Sets the reader of key stores, because conf/ has none. Without it, filters `hadoop` have no values. Call it before
 * anything is loaded. */
void ps_filters_read_secrets_with(ps_filter_secret_reader *reader);

/* The answer of a filter that is a Java class for a key. `value` is NULL when the class has no value; then `failure`
 * is the text of the exception, or NULL. */
struct ps_filter_answer {
    const char *value, *failure;
};

/* Finds and asks filters that are Java classes. */
struct ps_filter_classes {
    /* Returns false after reporting why the class cannot be used. */
    bool (*find)(void *argument, const char *class_name, struct ps_place place);
    /* Asks the class for all keys at once; texts go to `arena`. NULL: no class may be called here, as in `check`, and
     * the values stay unknown. */
    enum ps_status (*ask)(void *argument, const char *class_name, const char *name,
                          const struct ps_pairs *settings, const struct ps_texts *keys,
                          struct ps_arena *arena, struct ps_filter_answer *answers, struct ps_err *err);
    void *argument;
};

/* Applies the filters to the agent's values. `folder`: the configuration directory (-c), or NULL. Values that are
 * known only when the agent starts are noted in problems->unknown. */
void ps_filters_apply(struct ps_agent_text *agent, const char *folder,
                      const struct ps_filter_classes *classes, struct ps_arena *arena,
                      struct ps_problems *problems);
