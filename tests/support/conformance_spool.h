/* The far end of the source spooldir in the conformance suite of sources: a directory of files of ten lines each.
 * The renamed files, and the position in the next one, show what was delivered. */
#pragma once

#include "tests/support/conformance_sources.h"

extern char ps_test_spool_directory[64];

/* Each test gets its own directory. */
void ps_test_spool_prepare(void);
void ps_test_spool_send(unsigned number);
void ps_test_spool_end(void);
/* Returns how many events are done, without waiting: the source's thread renames a little later. */
unsigned ps_test_spool_position(void);
