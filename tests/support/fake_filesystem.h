/* A file system in memory. A test makes its operations fail or withholds their answers. One at a time. Thread: the
 * test's. */
#pragma once

#include "stages/lib/filesystem/filesystem.h"
#include "tests/support/support.h"

enum ps_test_file_operation {
    PS_TEST_CREATE,
    PS_TEST_FLUSH,
    PS_TEST_CLOSE,
    PS_TEST_RENAME,
    PS_TEST_REMOVE,
    PS_TEST_STAT,
    PS_TEST_RECOVER,
    PS_TEST_LIST,
    PS_TEST_WRITE, /* of bytes: fails for lack of memory; the stream lives, and bytes written before are flushed */
    PS_TEST_OPERATIONS
};

/* Forgets files, faults and held operations. Call it before each test. */
int ps_test_files_setup(void **state);

struct ps_filesystem *ps_test_files(void);

/* After `skip` more operations of this kind, `count` of them fail. A stream is dead after that. */
void ps_test_files_fail(enum ps_test_file_operation operation, unsigned skip, unsigned count,
                        enum ps_file_error error);
/* Withholds the answers to operations of this kind whose path contains `part`. NULL: ends that. */
void ps_test_files_hold(enum ps_test_file_operation operation, const char *part);

/* Sets the free space. Before the first call it cannot be measured. */
void ps_test_files_space(const struct ps_file_space *space);

/* Fails the test unless exactly these files exist. The names may be in any order; NULL-terminated. */
void ps_test_files_expect_names(const char *const *names);
/* Returns how many operations of this kind were begun. */
unsigned ps_test_files_count(enum ps_test_file_operation operation);
/* Returns how many streams are open, by the file system's own count. */
unsigned ps_test_files_open(void);
