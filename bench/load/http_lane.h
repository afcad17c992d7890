/* One lane's HTTP requests: events become bodies, a few of them are under way at a time, answers complete
 * them in order.
 *
 * 2xx completes a request's events. 408, 429 and 5xx, and connections that break, send it again, after
 * everything else that is under way was answered, and before anything new: the order stays as far as one
 * request at a time keeps it. Any other answer refuses its events for good.
 *
 * Thread: the lane's sender. Never blocks. libcurl allocates while it works. */
#pragma once

#include "bench/load/block_queue.h"
#include "bench/load/refusals.h"
#include "stages/http/body.h"
#include "stages/http/client.h"

#define PS_HTTP_REQUESTS_MAX 64U

/* Shared by all lanes; const. */
struct ps_http_plan {
    struct ps_http_settings http;
    char *url, *ca, *cert, *key; /* the texts of `http` */
    enum ps_http_format format;
    uint32_t batch;       /* events a request */
    unsigned request_max; /* under way at a time */
};

enum ps_http_state {
    PS_HTTP_READY, /* to be sent */
    PS_HTTP_BUSY,
    PS_HTTP_TAKEN,
    PS_HTTP_AGAIN,   /* to be sent once more */
    PS_HTTP_REFUSED, /* for good */
};

struct ps_http_batch {
    struct ps_http_request request; /* first */
    enum ps_http_state state;
    uint32_t count; /* events */
    struct ps_http_body body;
    char reason[256];
};

struct ps_http_lane {
    const struct ps_http_plan *plan;
    struct ps_block_queue queue;
    struct ps_http_client client;
    uint64_t now_ns;                                    /* of this call */
    struct ps_http_batch batches[PS_HTTP_REQUESTS_MAX]; /* a ring, in the order of the events */
    unsigned first, count, busy;
    bool up;
    bool rewinding;     /* something is to be sent again: nothing is sent until all is answered */
    uint64_t resume_ns; /* nothing is sent before */
    unsigned failures;  /* of the connection, in a row */
    struct ps_refusals refusals;
};

enum ps_status ps_http_lane_open(struct ps_http_lane *lane, const struct ps_http_plan *plan,
                                 struct ps_lane *owner, struct ps_err *err);
/* Returns when to be called again. */
uint64_t ps_http_lane_work(struct ps_http_lane *lane, uint64_t now_ns);
void ps_http_lane_close(struct ps_http_lane *lane);
