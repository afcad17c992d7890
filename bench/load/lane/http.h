/* One lane's HTTP requests: turns events into bodies, with a few requests in flight at a time; answers
 * complete them in order.
 *
 * 2xx completes a request's events. After 408, 429, 5xx and a broken connection the request is sent again,
 * after all other requests in flight were answered and before anything new: with one request at a time this
 * keeps the order. Any other answer refuses the events for good.
 *
 * Thread: the lane's sender. Never blocks. libcurl allocates while it works. */
#pragma once

#include "bench/load/lane/block_queue.h"
#include "bench/load/lane/refusals.h"
#include "stages/lib/http/body.h"
#include "stages/lib/http/client.h"

#define PS_HTTP_REQUESTS_MAX 64U

/* Shared by all lanes; constant. */
struct ps_http_plan {
    struct ps_http_settings http;
    char *url; /* without the keys */
    enum ps_http_format format;
    uint32_t batch;       /* events per request */
    unsigned request_max; /* requests in flight at a time */
};

enum ps_http_state {
    PS_HTTP_READY, /* to be sent */
    PS_HTTP_BUSY,
    PS_HTTP_TAKEN,
    PS_HTTP_AGAIN,   /* to be sent once more */
    PS_HTTP_REFUSED, /* refused for good */
};

struct ps_http_batch {
    struct ps_http_request request; /* must be first */
    enum ps_http_state state;
    uint32_t count; /* events */
    struct ps_http_body body;
    char reason[256];
};

struct ps_http_lane {
    struct ps_block_queue queue; /* must be first */
    const struct ps_http_plan *plan;
    struct ps_http_client client;
    uint64_t now_ns;                                    /* time of the current call */
    struct ps_http_batch batches[PS_HTTP_REQUESTS_MAX]; /* a ring, in the order of the events */
    unsigned first, count, busy;
    /* connects before the first request; not opened again once it has succeeded */
    struct ps_http_request probe;
    bool begun; /* the probe has succeeded: the lane may be given blocks */
    bool up;
    bool rewinding;     /* a request must be sent again: no request is sent until all are answered */
    uint64_t resume_ns; /* no request is sent before this time */
    unsigned failures;  /* consecutive failures of the connection */
    struct ps_refusals refusals;
};

/* For ps_target_ops. */
enum ps_status ps_http_lane_open(void *state, const void *plan, struct ps_lane *owner, struct ps_err *err);
uint64_t ps_http_lane_work(void *state, uint64_t now_ns);
void ps_http_lane_close(void *state);
