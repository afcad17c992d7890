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

#include <curl/curl.h>

#define PS_HTTP_REQUESTS_MAX 64U
#define PS_HTTP_ANSWER_BYTES 96U /* of an answer's body: for reasons */

enum ps_http_body {
    PS_HTTP_FLUME, /* Flume's JSONHandler: [{"headers":{},"body":".."},..] */
    PS_HTTP_PLAIN, /* the event: one a request */
    PS_HTTP_LINES, /* an event a line */
};

/* Shared by all lanes; const. */
struct ps_http_plan {
    char *url;
    enum ps_http_body body;
    uint32_t batch;       /* events a request */
    unsigned request_max; /* under way at a time */
    uint64_t timeout_ns;
    char *ca, *cert, *key; /* files, or NULL */
    bool verify;
    struct curl_slist *headers;
};

enum ps_http_state {
    PS_HTTP_READY, /* to be sent */
    PS_HTTP_BUSY,
    PS_HTTP_TAKEN,
    PS_HTTP_AGAIN,   /* to be sent once more */
    PS_HTTP_REFUSED, /* for good */
};

struct ps_http_request {
    CURL *easy;
    enum ps_http_state state;
    uint32_t count; /* events */
    char *body;
    size_t length, room;
    char answer[PS_HTTP_ANSWER_BYTES];
    size_t answer_length;
    char reason[256];
};

struct ps_http_lane {
    const struct ps_http_plan *plan;
    struct ps_block_queue queue;
    CURLM *multi;
    int poll_fd;                                           /* an epoll of libcurl's sockets */
    uint64_t timer_ns;                                     /* when libcurl wants to be called */
    uint64_t now_ns;                                       /* of this call */
    struct ps_http_request requests[PS_HTTP_REQUESTS_MAX]; /* a ring, in the order of the events */
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

/* A request's body of the queue's next events, `batch` at most; how many in `request->count`, 0: no memory.
 */
void ps_http_body_make(struct ps_http_lane *lane, struct ps_http_request *request);
