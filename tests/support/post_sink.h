/* A whole sink of a remote server, as small as it can be: many events in a request, and a result for each in the answer.
 * CONTRIBUTING.md names it as the model; it is not part of the program. */
#pragma once

#include "core/stage.h"

extern const struct ps_stage_ops ps_test_post_sink;
