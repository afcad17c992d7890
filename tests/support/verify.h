/* Events with faults planted among them, and penstock verify as a process that must find exactly these. */
#pragma once

#include "tests/support/support.h"

#include <stdbool.h>

enum ps_test_wrap { PS_TEST_WRAP_NONE, PS_TEST_WRAP_SYSLOG, PS_TEST_WRAP_JSON };

/* `sent` events of one source, the last one marked so. Of what is written one is missing, one is there twice,
 * two neighbours are swapped, one has another byte in what its stamp covers, one ends in the middle of it. */
struct ps_test_faults {
    unsigned sent, missing; /* the number of the missing one */
    size_t count;
    char **events; /* as written, terminated, without framing */
    size_t *lengths;
};

/* `sent` at least 20. */
void ps_test_faults_make(struct ps_test_faults *faults, unsigned sent, enum ps_test_wrap wrap);
void ps_test_faults_free(struct ps_test_faults *faults);
/* All of them with a newline behind each; the caller frees. */
char *ps_test_faults_lines(const struct ps_test_faults *faults, size_t *length);

struct ps_test_verify {
    int pid, output; /* its standard output */
    char *text;      /* what it printed */
    size_t length;
    unsigned port; /* where it listens; 0: it does not */
};

/* False: there is no program. */
bool ps_test_verify_there(void);
/* $PENSTOCK verify of that URL (printf rules) for `sent` events; returns when its far end is open. */
void ps_test_verify_start(struct ps_test_verify *verify, unsigned sent, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Waits for its end: exit code 1, and a summary that shows exactly the faults. */
void ps_test_verify_expect_faults(struct ps_test_verify *verify, const struct ps_test_faults *faults);
