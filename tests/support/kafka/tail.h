/* Reads what was appended to a topic of one partition since a mark. One client for all reads, without a group: a
 * member of a group would need half a second to start. Thread: the test's. */
#pragma once

#include "tests/support/support.h"

struct ps_test_tail;

/* Reads once, so that all its connections are there when this returns. The topic must be empty. */
struct ps_test_tail *ps_test_tail_open(const char *bootstrap, const char *topic);
void ps_test_tail_close(struct ps_test_tail *tail);

/* Sets the mark to the end of the topic. */
void ps_test_tail_mark(struct ps_test_tail *tail);
/* Reads the values from the mark to the end, one a line, terminated, in `text`. Fails the test when they need
 * more than `room` bytes, or when the end is not reached in PS_TEST_PATIENCE_MS. */
void ps_test_tail_read(struct ps_test_tail *tail, char *text, size_t room);
