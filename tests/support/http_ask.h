/* Requests for tests of the source http. */
#pragma once

#include "tests/support/stage.h"

/* Sends a request, and runs the source until the answer has arrived. The source's batch stays open if it has no
 * events. Returns the answer's status. */
unsigned ps_test_http_ask(struct ps_test_stage *stage, int fd, const char *request, size_t length);
