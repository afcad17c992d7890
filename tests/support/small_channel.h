/* The folder of a small channel: data/ and checkpoint/ with a log of one frame, which has one event and is not delivered. For tests of
 * `penstock channel`. Thread: the test's. */
#pragma once

#include <stdint.h>

/* Makes the test's folder (folder.h) and the channel in it. The caller removes them with ps_test_folder_teardown. */
void ps_test_small_channel_make(void);

/* Appends a frame with one event. A segment has 4 KiB. */
void ps_test_small_channel_append(const char *body, uint32_t length);
