/* Files of the source tree that tests read: tables of answers, key stores, pages. Thread: the test's. */
#pragma once

/* Returns the path of a file of the tree: below PENSTOCK_SOURCE, which ctest sets, else below the working
 * directory. Valid for the next three calls. */
const char *ps_test_source_path(const char *name);
