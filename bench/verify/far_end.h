/* The seam between verify's accounting and where it reads: Kafka topics, files, or what it listens on.
 *
 * Thread: the reader's; one far end is used by one thread. */
#pragma once

#include "bench/support/url.h"

struct ps_far_record {
    const char *data; /* valid during the call */
    size_t length;
    uint64_t stream; /* order is expected within it: partition, file of a series, connection; below 2^20 */
    uint64_t arrival_mono_ns; /* when it was read */
};

typedef void ps_far_record_taker(void *argument, const struct ps_far_record *record);

enum ps_far_read {
    PS_FAR_SOME,   /* records were handed over */
    PS_FAR_IDLE,   /* none within the time-out; more may come */
    PS_FAR_END,    /* no more can come: plain files that are not followed, read to their end */
    PS_FAR_FAILED, /* cannot go on; `err` says why */
};

struct ps_far_end_ops {
    const char *scheme;  /* "kafka" */
    const char *summary; /* one line for --help, with its keys */
    /* Reads the URL's keys; may block (brokers are asked, ports are bound). */
    enum ps_status (*open)(void **state, struct ps_url *url, struct ps_err *err);
    /* Hands over what is there, a few thousand records at most; waits up to timeout_ms for the first. */
    enum ps_far_read (*read)(void *state, int timeout_ms, ps_far_record_taker *taker, void *argument,
                             struct ps_err *err);
    /* What it noticed that the accounting cannot: records a broker had thrown away before they were read (a
     * gap in the offsets that is no transaction mark), files that could not be read, datagrams the kernel
     * dropped, answers that could not be sent. NULL when there is nothing. `*lossy`: records may be missing
     * for this reason, so "lost" is not the subject's fault alone. The text is valid until the next call. */
    const char *(*remark)(void *state, bool *lossy);
    /* Where it listens, for people and for `port 0`: "127.0.0.1:41234". NULL where it does not
     * listen. */
    const char *(*address)(void *state);
    void (*close)(void *state);
};

/* All of them, NULL at the end. */
extern const struct ps_far_end_ops *const ps_far_ends[];
