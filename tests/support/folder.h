/* A folder of one test's own: made empty, removed with all that is in it. One at a time. Thread: the test's.
 */
#pragma once

#include <stddef.h>

/* As cmocka's setup and teardown of a test or a group. */
int ps_test_folder_setup(void **state);
int ps_test_folder_teardown(void **state);

/* Its path, and that of a file in it (four of them are kept). */
const char *ps_test_folder(void);
const char *ps_test_folder_path(const char *name);

/* Appends to a file in it, which is made when it is missing. */
void ps_test_folder_append(const char *name, const void *data, size_t length);
