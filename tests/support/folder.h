/* A temporary folder of one test: created empty, removed with its contents. One at a time.
 * Thread: the test's. */
#pragma once

#include <stddef.h>

/* cmocka setup and teardown functions, for a test or a group. */
int ps_test_folder_setup(void **state);
int ps_test_folder_teardown(void **state);

/* Lets later folders be in memory if the machine has such a file system: for tests that write files thousands of times, and are not about a
 * disk. */
void ps_test_folder_in_memory(void);

/* Return the folder's path, and the path of a file in it (valid for the next three calls). */
const char *ps_test_folder(void);
const char *ps_test_folder_path(const char *name);

/* Appends to a file in the folder; creates the file if it does not exist. */
void ps_test_folder_append(const char *name, const void *data, size_t length);

/* Returns the text of a file in the folder, less than 256 KiB, valid until the next call; NULL: there is no such file. */
const char *ps_test_folder_read(const char *name);
