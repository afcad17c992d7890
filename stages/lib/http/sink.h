/* The common part of a sink that posts events to an HTTP server: connections, requests in flight, time-outs, repeats, backoffs,
 * dead letters, recall and drain (stages/lib/remote/requests.h). The sink supplies a struct ps_http_sink_plan in its plan,
 * with the functions that encode and decode, and a state that is a struct ps_http_sink. tests/support/post_sink.c is a whole sink.
 *
 * Thread: the sink's worker, unless a function names another. libcurl allocates while it works. */
#pragma once

#include "stages/lib/http/client.h"
#include "stages/lib/remote/requests.h"

struct ps_http_sink;

#define PS_HTTP_HOSTS_MAX 64U

/* One of several servers that take the same requests. */
struct ps_http_host {
    const char *url;      /* of the posts */
    const char *other;    /* of posts for which `takes_other` returns true; NULL: there are none */
    const char *greeting; /* URL of the greeting */
    const char *shown;    /* URL without user and password, for reasons */
};

/* Constant, shared by all workers. */
struct ps_http_sink_plan {
    /* settings for the URL of the posts; ps_http_sink_build sets `timeout_ns` */
    struct ps_http_settings settings;
    const char *shown; /* the URL without user and password; set by the build */
    /* Limit of a request, from its connection to the end of its answer: key requestTimeout, which the log names. */
    uint64_t request_ns;
    unsigned requests;   /* maximum number of requests in flight */
    uint32_t events_max; /* of a request */
    size_t bytes_max;    /* a request of this size gets no more events */
    /* Length of the longest body of an answer that `decode` can read. Of a longer body it gets only the
     * beginning (`too_long`). 0: `decode` reads no body. */
    size_t answer_bytes_max;
    bool repeat_is_harmless; /* an event that arrives twice has the same effect as one that arrives once */
    /* Returns an upper bound of the event's bytes in a request's body; 0: the event is settled as delivered,
     * without a request. */
    size_t (*bound)(const struct ps_batch *batch, const struct ps_event *event);
    /* Used instead of `bound` if it is set. `requests` is the struct ps_http_sink. */
    size_t (*bound_of)(const struct ps_remote_requests *requests, const struct ps_batch *batch,
                       const struct ps_event *event);
    /* Writes the body of a request with the events of the range (ps_held_range_next). Returns the body's length
     * in bytes. NULL: a request has one event, whose body is the request's body. */
    size_t (*encode)(const struct ps_http_sink *sink, char *to, const struct ps_held_range *range);
    /* Returns whether the request that was encoded last goes to `other` of its host. NULL: none does. A question (`asks`) does. */
    bool (*takes_other)(const struct ps_http_sink *sink);
    /* Called when the request was answered: sets the results of its `count` events, in their order. A reason
     * may point into the answer; reason NULL: status and first line of the answer. Returns whether the sink
     * backs off before it sends again. */
    bool (*decode)(struct ps_http_sink *sink, const struct ps_http_request *answer,
                   struct ps_remote_result *results, uint32_t count);
    /* Returns what a user may set when an event waits because of this status; NULL: nothing. NULL: as if it returned that. */
    const char *(*cure)(const struct ps_http_sink *sink, long status);
    /* Several servers. A request goes to one that does not rest and has the fewest requests; one that gives no answer rests by itself, and
     * the sink only when all rest. 0: the server of `settings.url`. */
    struct ps_http_host hosts[PS_HTTP_HOSTS_MAX];
    unsigned host_count;
    /* What stands behind the URL of each host in `url`, `other` (NULL: it has none) and `greeting`, and what stands before the address in that of
     * the first one: "http://". */
    const char *post_path, *other_path, *greeting_path, *scheme;
    /* The cluster is asked for its servers (a GET of `nodes_path`) after the greeting, and at most each `sniff_ns` again, when there are events.
     * `read_nodes` calls `add` for each address, HOST:PORT; what it adds not is gone. While no server answers the hosts are those of the
     * configuration again. sniff_ns 0: it is not asked. */
    uint64_t sniff_ns;
    const char *nodes_path;
    void (*read_nodes)(const struct ps_http_request *answer,
                       void (*add)(void *argument, const char *address, size_t length), void *argument);
    /* The sink itself learns its servers, and names them (ps_http_sink_host); `hosts` is empty, and `scheme` too. Before it has some, nothing is
     * sent. `sniff_ns` of the sink becomes 0 when one of them does not answer: the sink then learns them again. */
    bool finds_hosts;
    /* Called at the beginning of each turn, for what the sink does beside its requests. Returns when it must be called again at the latest, or
     * PS_NEVER. NULL: nothing. */
    uint64_t (*turn)(struct ps_http_sink *sink);
    /* With `hosts`: a GET of the host's `greeting`, whose answer has at most `answer_bytes_max` bytes, comes before the first request, and
     * after a failure again. `greeted` reads the answer, and returns false with the reason when no request may be sent. NULL: none. */
    bool (*greeted)(struct ps_http_sink *sink, const struct ps_http_request *answer, struct ps_err *err);
    /* Returns whether a request with several events that got this status is sent again in halves, to find the event that is meant.
     * NULL: never. */
    bool (*narrows)(const struct ps_http_sink *sink, long status);
};

struct ps_http_sink {
    struct ps_remote_requests requests; /* must be first (stages/lib/remote/requests.h) */
    const struct ps_http_sink_plan *plan;
    struct ps_http_client client;
    bool judges;         /* it finds events at which the server fails (stages/lib/http/suspect.h) */
    bool witnesses;      /* a witness is to be sent now */
    bool witness_failed; /* since the server has taken an event */
    uint64_t taken;      /* requests that the server has taken */
    unsigned believed;   /* refusals without a reason that are believed (ps_http_sink_believes) */
    struct ps_http_host_state {
        struct ps_http_host names;
        uint64_t rest_ns, failures; /* it gets no request before this time; failures in a row */
        unsigned in_flight;
        bool is_gone, is_seen; /* it gets no requests; the cluster has it */
        char *memory;          /* of `names`, if the cluster has named it; else NULL */
    } * hosts;                 /* those of the plan first; NULL: there are none */
    unsigned host_count;
    unsigned turn;     /* the host that was chosen last */
    uint64_t sniff_ns; /* when the cluster is asked for its servers again */
    uint64_t turn_ns;  /* what `turn` of the plan has returned */
    bool sniffs,
        has_not_sniffed; /* the greeting is that question; the last one had no answer that could be used */
    /* For `encode` and `decode`: the request that they are about. `decode` sets its `asks` when the next request with the events that are left
     * is to be a question, whose URL is `other`. */
    struct ps_remote_request *request;
    /* The greeting. `number`: the host that it was sent to. */
    struct ps_http_request greeting;
    unsigned greeting_host;
    bool is_greeted;
};

/* A server that has taken requests and refuses one without a word about an event means the event in it; but one that has refused so many in a
 * row, and taken none, may refuse everything. */
#define PS_HTTP_BELIEVED_MAX 10U

/* For `decode`: the server has taken a request. */
static inline void ps_http_sink_has_taken(struct ps_http_sink *sink)
{
    sink->believed = PS_HTTP_BELIEVED_MAX;
}

/* For `decode`: returns whether a refusal of a request with one event is the event's matter. Counts it. */
static inline bool ps_http_sink_believes(struct ps_http_sink *sink)
{
    sink->believed -= sink->believed > 0;
    return sink->believed > 0;
}

/* For `build` and `teardown`: makes `shown`, and the fields Content-Type, Accept and User-Agent. Thread: control. */
enum ps_status ps_http_sink_build(struct ps_http_sink_plan *plan, struct ps_context *context,
                                  const char *content_type, const char *accept, struct ps_err *err);
void ps_http_sink_teardown(struct ps_http_sink_plan *plan);

/* For `open` and `close` of a sink whose ops are ps_remote_sink_ops. */
enum ps_status ps_http_sink_open(struct ps_http_sink *sink, const struct ps_http_sink_plan *plan,
                                 struct ps_port *port, struct ps_err *err);
void ps_http_sink_close(const void *plan, void *sink);

/* For a sink that `finds_hosts`: begins with a new list of servers, names each, and ends it. The URL's letters are copied. A list without
 * servers changes nothing. `end` returns whether the sink has servers. */
void ps_http_sink_hosts_begin(struct ps_http_sink *sink);
void ps_http_sink_host(struct ps_http_sink *sink, const char *url, size_t length);
bool ps_http_sink_hosts_end(struct ps_http_sink *sink);
