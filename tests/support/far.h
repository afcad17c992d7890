/* Reads one far end of penstock verify without the command, and keeps the records. */
#pragma once

#include "bench/verify/far/end.h"
#include "tests/support/support.h"

#include <stdbool.h>

struct ps_test_far_record {
    char *data; /* terminated */
    size_t length;
    uint64_t stream;
};

struct ps_test_far {
    struct ps_url url;
    const struct ps_far_end_ops *ops;
    void *state;
    struct ps_test_far_record *records;
    size_t count, room;
    bool ended;
};

/* Opens the far end of the URL (printf format); fails the test when that fails. */
void ps_test_far_open(struct ps_test_far *far, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Expects that opening fails with an error that contains `part`. */
void ps_test_far_refused(const char *url, const char *part);
/* The same, for a far end with this limit on waiting. */
void ps_test_far_refused_within(const char *url, uint64_t wait_ns, const char *part);
/* Reads until there are `count` records in total, or until the end. Fails the test after 10 s, or when the
 * count differs. */
void ps_test_far_collect(struct ps_test_far *far, size_t count);
/* Calls `read` once. */
void ps_test_far_read(struct ps_test_far *far, int timeout_ms);
/* Calls `read` once with this timeout and expects no record. */
void ps_test_far_expect_nothing(struct ps_test_far *far, int timeout_ms);
/* Expects this text as record `index`. */
void ps_test_far_expect(const struct ps_test_far *far, size_t index, const char *text);
/* Expects a remark that contains `part` (NULL: no remark), and this value of its `lossy`. */
void ps_test_far_expect_remark(const struct ps_test_far *far, const char *part, bool lossy);
void ps_test_far_close(struct ps_test_far *far);
