/* Renders events of penstock load for tests. */
#pragma once

#include "tests/support/support.h"

#include "bench/load/content/content.h"

#define PS_TEST_SECOND_NS UINT64_C(1000000000)
/* 2026-11-20 09:02:42.123456789 UTC */
#define PS_TEST_START_NS (UINT64_C(1795165362) * PS_TEST_SECOND_NS + 123456789)
#define PS_TEST_EVENTS_MAX 1000U

extern const enum ps_framing ps_test_framings[3];

/* Creates content; fails the test when the configuration is refused. */
struct ps_content *ps_test_content(const struct ps_content_config *config);

/* Events of one source, in memory of exactly the size that ps_content announces as their maximum, so that a
 * sanitizer detects an overrun. The caller frees `bytes`. */
struct ps_test_events {
    char *bytes;
    uint32_t ends[PS_TEST_EVENTS_MAX], count;
    uint64_t due_ns[PS_TEST_EVENTS_MAX];
};
void ps_test_events_render(struct ps_test_events *events, const struct ps_content *content, uint32_t source,
                           uint64_t first, uint32_t count, uint64_t last, uint64_t step_ns);
struct ps_slice ps_test_event(const struct ps_test_events *events, uint32_t i);
/* Returns the event without its framing, and asserts that the framing is correct. */
struct ps_slice ps_test_unframed(struct ps_slice event, enum ps_framing framing);

/* Returns event 7 of source 42, rendered from a template with seed 1. Valid until the next call. */
const char *ps_test_event_of(const char *template, bool stamp, uint64_t due_ns);
