/* A far end of verify read by hand: the records that come out of it. */
#pragma once

#include "bench/verify/far_end.h"
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

/* Opens the far end of the URL (printf rules); fails the test when it cannot. */
void ps_test_far_open(struct ps_test_far *far, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Expects an error whose text holds `part`. */
void ps_test_far_refused(const char *url, const char *part);
/* Reads until `count` records are there in all, or the end; fails the test after 10 s. */
void ps_test_far_collect(struct ps_test_far *far, size_t count);
/* One call of `read`. */
void ps_test_far_read(struct ps_test_far *far, int timeout_ms);
/* Reads for so long and expects nothing. */
void ps_test_far_expect_nothing(struct ps_test_far *far, int timeout_ms);
/* Expects record `index`. */
void ps_test_far_expect(const struct ps_test_far *far, size_t index, const char *text);
/* Expects a remark that holds `part` (NULL: none at all). */
void ps_test_far_expect_remark(const struct ps_test_far *far, const char *part, bool lossy);
void ps_test_far_close(struct ps_test_far *far);
