/* The interface between verify's accounting and the places it reads: Kafka topics, files, or listening
 * sockets.
 *
 * Thread: the reader's; one far end is used by one thread. */
#pragma once

#include "bench/support/url.h"

struct ps_far_record {
    const char *data; /* valid during the call */
    size_t length;
    /* Order is expected within a stream: a partition, a series of files, a connection. Below 2^20. */
    uint64_t stream;
    uint64_t arrival_mono_ns; /* when the record was read */
};

typedef void ps_far_record_taker(void *argument, const struct ps_far_record *record);

enum ps_far_read {
    PS_FAR_SOME, /* records were handed over */
    PS_FAR_IDLE, /* no record came within the time-out; more may come */
    /* No more can come: files that are not followed, read to their end. */
    PS_FAR_END,
    PS_FAR_FAILED, /* the far end cannot continue; `err` has the cause */
};

struct ps_far_end_ops {
    const char *scheme;  /* "kafka" */
    const char *summary; /* one line for --help, with the keys of the URL */
    /* Reads the URL's keys; may block (connects to brokers, binds ports), but for no longer than `wait_ns`, if that is
     * not 0 and shorter than its own limit. */
    enum ps_status (*open)(void **state, struct ps_url *url, uint64_t wait_ns, struct ps_err *err);
    /* Hands over what has arrived, a few thousand records at most; waits up to timeout_ms for the first. */
    enum ps_far_read (*read)(void *state, int timeout_ms, ps_far_record_taker *taker, void *argument,
                             struct ps_err *err);
    /* Returns problems that the accounting cannot see: records that a broker deleted before they were read (a
     * gap in the offsets that is not a transaction mark), files that could not be read, datagrams that the
     * kernel dropped, answers that could not be sent. NULL when there are none. `*lossy`: records may be missing
     * because of these problems, so the subject did not cause all losses. The text is valid until the next call. */
    const char *(*remark)(void *state, bool *lossy);
    /* Returns the listening address, with the real port when port 0 was requested: "127.0.0.1:41234". NULL when the far
     * end does not listen. */
    const char *(*address)(void *state);
    void (*close)(void *state);
};

/* All far ends, NULL at the end. */
extern const struct ps_far_end_ops *const ps_far_ends[];
