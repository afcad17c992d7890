/* Events with planted faults, and a process of penstock verify that must find exactly these faults. */
#pragma once

#include "tests/support/support.h"

#include <stdbool.h>

enum ps_test_wrap { PS_TEST_WRAP_NONE, PS_TEST_WRAP_SYSLOG, PS_TEST_WRAP_JSON };

/* `sent` events of one source; the last one is marked as the last. In the written events, one is missing, one
 * is there twice, two neighbours are swapped, one has a changed byte in the part that its stamp covers, and
 * one is cut off within that part. */
struct ps_test_faults {
    unsigned sent, missing; /* missing: number of the missing event */
    size_t count;
    char **events; /* as written, terminated, without framing */
    size_t *lengths;
};

/* `sent`: at least 20. */
void ps_test_faults_make(struct ps_test_faults *faults, unsigned sent, enum ps_test_wrap wrap);
void ps_test_faults_free(struct ps_test_faults *faults);
/* Returns all events, each followed by a newline; the caller frees them. */
char *ps_test_faults_lines(const struct ps_test_faults *faults, size_t *length);

struct ps_test_verify {
    int pid, output; /* its standard output */
    char *text;      /* its output so far */
    size_t length;
    unsigned port; /* its listening port; 0: none */
    bool follows;  /* its far end goes on until verify is ended */
};

/* Returns false if the program at $PENSTOCK is missing. */
bool ps_test_verify_there(void);
/* Starts $PENSTOCK verify of that URL (printf format) for `sent` events; returns when its far end is open. */
void ps_test_verify_start(struct ps_test_verify *verify, unsigned sent, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Waits until it ends; expects exit code 1 and a summary of exactly these faults. */
void ps_test_verify_expect_faults(struct ps_test_verify *verify, const struct ps_test_faults *faults);
