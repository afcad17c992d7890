/* The reaction of the sink http to an answer's status (Flume's backoff.503, rollback.5XX,
 * incrementMetrics.200): the rule for the exact status comes first, then the rule for its hundred, then the
 * default. Thread: control; const after that. */
#pragma once

#include "core/stage.h"

#define PS_HTTP_STATUSES 1000U

enum { PS_HTTP_BACKS_OFF = 1, PS_HTTP_ROLLS_BACK = 2, PS_HTTP_IS_COUNTED = 4 };

/* Bits by status. {0}: no bit is set. */
struct ps_http_status_rules {
    uint8_t bits[PS_HTTP_STATUSES];
};

/* Sets this bit for all statuses: `codes` has true or false by "503" or "5XX"; other keys have no effect. */
void ps_http_status_rules_set(struct ps_http_status_rules *rules, uint8_t bit, const struct ps_pairs *codes,
                              bool fallback);

/* Reports keys that have no effect; `prefix`: "backoff.". */
void ps_http_status_rules_check(const struct ps_context *context, const char *prefix,
                                const struct ps_pairs *codes);
