/* Stages that several tests of the engine put into the smallest agent (small_agent.h). Thread: the test's. */
#pragma once

#include "core/stage.h"

/* A source that waits while its channel is full, and makes this number of batches of one event. */
extern const struct ps_stage_ops ps_test_small_source;
extern unsigned ps_test_small_source_batches;

/* An interceptor that changes nothing. */
extern const struct ps_stage_ops ps_test_small_interceptor;
