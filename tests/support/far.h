/* A far end of verify read by hand, and events with faults planted among them: what is written to the medium
 * must come out of the far end, and what the stamps say of it must be exactly the faults. */
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

/* ---- faults ---- */

enum ps_test_wrap { PS_TEST_WRAP_NONE, PS_TEST_WRAP_SYSLOG, PS_TEST_WRAP_JSON };

#define PS_TEST_FAULTS_RUN 0x3fa9c2U

/* `sent` events of one source, the last one marked so; of what is written one is missing, one is there twice,
 * two neighbours are swapped, one has another byte in what its stamp covers, one is cut in the middle of it.
 */
struct ps_test_faults {
    unsigned sent;
    size_t count;
    char **events; /* as written, terminated, without framing */
    size_t *lengths;
};

#define PS_TEST_FAULTS_LOST 1U
#define PS_TEST_FAULTS_DUPLICATED 1U
#define PS_TEST_FAULTS_REORDERED 1U
#define PS_TEST_FAULTS_CORRUPTED 2U /* the changed one and the cut one */

/* `events` at least 20. */
void ps_test_faults_make(struct ps_test_faults *faults, unsigned sent, enum ps_test_wrap wrap);
void ps_test_faults_free(struct ps_test_faults *faults);
/* All of them with a newline behind each; the caller frees. */
char *ps_test_faults_lines(const struct ps_test_faults *faults, size_t *length);

/* The records hold every event that was written, in order, and nothing else (`inside`: each as a part of a
 * record). */
void ps_test_faults_expect(const struct ps_test_faults *faults, const struct ps_test_far *far, bool inside);
