/* Code that the selector `rules` and the interceptor `rules` share: the option keys and all functions but
 * `work`. Each function runs on the thread of the function of struct ps_stage_ops for which it stands. */
#pragma once

#include "stages/lib/rules/live/live.h"

struct ps_rules_stage {
    const char *file, *cache;
    bool watch;
    int64_t settle_ms, compile_memory_bytes, compile_time_s;
    struct ps_rules_live *live;
};

struct ps_rules_stage_state {
    unsigned instance;
    struct ps_port *port;
};

extern const struct ps_option ps_rules_stage_options[];

/* `routes`: true for the selector, whose rules name channels. */
enum ps_status ps_rules_stage_check(const struct ps_rules_stage *stage, const struct ps_context *context,
                                    bool routes);
enum ps_status ps_rules_stage_build(struct ps_rules_stage *stage, struct ps_context *context, bool routes,
                                    struct ps_err *err);

/* Functions for ps_stage_ops; `plan` is a struct ps_rules_stage. */
void ps_rules_stage_teardown(void *plan);
enum ps_status ps_rules_stage_open(const void *plan, void *state, struct ps_port *port, struct ps_err *err);
void ps_rules_stage_close(const void *plan, void *state);
void ps_rules_stage_describe(const void *plan, const struct ps_context *context,
                             void (*line)(void *argument, const char *text), void *argument);
void ps_rules_stage_reread(const void *plan);
bool ps_rules_stage_outdated(const void *plan, char *text, size_t room);
void ps_rules_stage_series(const void *plan, void (*add)(void *argument, const struct ps_series *series),
                           void *argument);

/* Runs the rules on one lease; `route` NULL: an interceptor. */
enum ps_result ps_rules_stage_work(const struct ps_rules_stage *stage,
                                   const struct ps_rules_stage_state *state, struct ps_lease *lease,
                                   struct ps_route *route, const struct ps_now *now);

/* The common part of the tables of both kinds. */
#define PS_RULES_STAGE_OPERATIONS                                                                            \
    .name = "rules", .options = ps_rules_stage_options, .plan_size = sizeof(struct ps_rules_stage),          \
    .state_size = sizeof(struct ps_rules_stage_state), .refuses = true, .teardown = ps_rules_stage_teardown, \
    .open = ps_rules_stage_open, .close = ps_rules_stage_close, .describe = ps_rules_stage_describe,         \
    .reread = ps_rules_stage_reread, .outdated = ps_rules_stage_outdated, .series = ps_rules_stage_series
