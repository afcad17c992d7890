/* The meaning of rules in its simplest form: a naive evaluator without matchers, triggers or batches. It
 * evaluates every condition of every rule with ps_regex_find and applies the actions one after the other. Tests
 * compare the engine with it (tests/stages/lib/rules/set_property_test.c). One thread. */
#pragma once

#include "stages/lib/rules/set.h"
#include "tests/support/support.h"

#define PS_TEST_MODEL_TEXT_MAX 4096
#define PS_TEST_MODEL_HEADERS_MAX 24
#define PS_TEST_MODEL_RULES_MAX 24
#define PS_TEST_MODEL_ACTIONS_MAX 8
#define PS_TEST_MODEL_CHANNELS 4 /* c1 to c4 */

struct ps_test_value {
    char bytes[PS_TEST_MODEL_TEXT_MAX];
    size_t length;
};
struct ps_test_model_header {
    char name[32];
    struct ps_test_value value;
};
struct ps_test_model_event {
    struct ps_test_value body;
    struct ps_test_model_header headers[PS_TEST_MODEL_HEADERS_MAX];
    size_t header_count;
    int ways[PS_TEST_MODEL_CHANNELS]; /* 0: not routed, 1: required, 2: optional */
    bool dropped;
    char acted[256];
};
struct ps_test_model_bucket {
    struct ps_test_model_bucket *next;
    struct ps_test_value key;
    double tokens;
    uint64_t filled_ns;
};
/* The meter of one action of one rule. */
struct ps_test_model_meter {
    uint64_t seen;
    struct ps_test_model_bucket *buckets;
};
struct ps_test_model {
    const struct ps_rules *rules;
    struct ps_regex_scratch *scratch;
    uint64_t now_ns;
    struct ps_rules_count counts[PS_TEST_MODEL_RULES_MAX];
    struct ps_test_model_meter meters[PS_TEST_MODEL_RULES_MAX][PS_TEST_MODEL_ACTIONS_MAX];
};

/* `rules` must outlive it. */
struct ps_test_model *ps_test_model_create(const struct ps_rules *rules);
void ps_test_model_destroy(struct ps_test_model *model);

/* Copies an event of the batch. */
void ps_test_model_load(struct ps_test_model_event *model, const struct ps_batch *batch,
                        const struct ps_event *event);
/* Applies the rules to the event. Call it for events in the order of the lease; the time is the model's
 * `now_ns`. */
void ps_test_model_run(struct ps_test_model *model, struct ps_test_model_event *event);
/* Asserts that the event in the batch has this body and these headers. */
void ps_test_model_assert(const struct ps_test_model_event *expected, const struct ps_batch *batch,
                          const struct ps_event *event);
