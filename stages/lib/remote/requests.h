/* The requests that a sink sends to its server. Each has a range of held events, and each event gets a result:
 *
 *   DELIVERED  the event is settled
 *   AGAIN      the server did not take the event now: it is sent again
 *   REFUSED    the server will never take the event: it becomes a dead letter (request-refused); without penstock.deadletter it is logged and dropped
 *   UNKNOWN    no answer came, so the event may have arrived: it is sent again, and counted as duplicated unless
 *              a repeat is harmless or the request never reached the server
 *
 * A request that reached the server costs each of its events that was not delivered an attempt. An event that
 * would be sent again becomes a dead letter (attempts-exhausted) when penstock.retry.max attempts are used up,
 * if there are dead letters. Events that are sent again stay in their request.
 *
 * If order is kept (`ordered`), a request that did not deliver stops the other requests: nothing is sent until
 * all are answered; then the requests that still have events are sent again, oldest first. Only the oldest
 * request uses attempts up.
 *
 * The state of such a sink begins with a struct ps_remote_requests, which begins with the struct
 * ps_remote_sink.
 *
 * Thread: the sink's worker. Allocates nothing. */
#pragma once

#include "core/sink/deadletter_pending.h"
#include "stages/lib/remote/sink.h"

enum ps_remote_outcome { PS_REMOTE_DELIVERED, PS_REMOTE_AGAIN, PS_REMOTE_REFUSED, PS_REMOTE_UNKNOWN };

struct ps_remote_result {
    enum ps_remote_outcome outcome;
    const char *reason; /* one line: why the event is not delivered; lives until the request is sent again */
};

/* Says what happens to an event after its request has ended. */
enum ps_remote_fate { PS_REMOTE_SETTLE, PS_REMOTE_REPEAT, PS_REMOTE_DEAD_LETTER, PS_REMOTE_DROP };

/* `attempts`: number of attempts of this event, the last one included. */
enum ps_remote_fate ps_remote_fate_of(enum ps_remote_outcome outcome, uint32_t attempts,
                                      const struct ps_port *port);

/* {0}: unused. */
struct ps_remote_request {
    struct ps_held_range range; /* the request's events that are not settled */
    struct ps_remote_result
        *results;    /* owned by the sink: one result for each event of the range, in order; or one for all */
    uint64_t number; /* in the order of the events */
    bool in_flight;  /* sent, and ps_remote_request_ended was not called yet */
    bool refused;    /* its events were counted as refused */
    uint32_t attempts;
    /* It asks what the server has of its events, which changes nothing there (stages/lib/http/sink.h). */
    bool asks;
    /* Set by the sink before the request ends: the answer was the first half, and the events that are left go on in a second one. It costs no
     * attempt, is no trouble, and counts none of them as refused or sent again. */
    bool goes_on;
    /* Number of events, from the first one, that the request was sent with; 0: all. The sink sets it before it sends. After the end of a
     * request with a result for each event it is the number of those that are left of them. */
    uint32_t part;
    /* The events that become dead letters, when `has_letters`: */
    bool has_letters;
    uint32_t position, index; /* place of the next event to decide on: in its lease, and in `results` */
    struct ps_deadletter_pending letters;
    uint32_t letter_count; /* number of events that become letters now */
    char reason[320];      /* reason of these letters */
};

struct ps_remote_requests {
    struct ps_remote_sink sink; /* must be first (stages/lib/remote/sink.h) */
    const char *server;         /* address or URL, for reasons */
    bool repeat_is_harmless;    /* an event that arrives twice has the same effect as one that arrives once */
    bool one_result; /* the results of a request's events are always the same: `results` has room for one */
    bool ordered;
    bool waits;      /* ordered: nothing is sent until all requests are answered */
    unsigned rounds; /* ordered: number of these waits that have ended */
    uint64_t numbers;
    /* The requests: `count` of them, each at the beginning of a structure of `stride` bytes. */
    void *first;
    size_t stride;
    unsigned count;
    /* ps_remote_requests_next has at most so many requests with events, and in flight; the others are for ps_remote_requests_next_new. 0:
     * all. */
    unsigned usual;
    uint32_t events_max; /* of a request */
    size_t bytes_max;    /* a request of this size gets no more events */
    /* Returns the maximum number of bytes that the event takes in a request; 0: the event has nothing to send,
     * and is settled. */
    size_t (*bound)(const struct ps_batch *batch, const struct ps_event *event);
    /* Used instead of `bound` if it is set: the bound depends on the sink. */
    size_t (*bound_of)(const struct ps_remote_requests *requests, const struct ps_batch *batch,
                       const struct ps_event *event);
    unsigned writers; /* number of requests whose events become letters now */
    /* one of these requests has several events: no other request may make letters (deadletter_pending.h) */
    bool run;
};

static inline struct ps_remote_request *ps_remote_request_at(const struct ps_remote_requests *requests,
                                                             unsigned number)
{
    return (struct ps_remote_request *)((char *)requests->first + number * requests->stride);
}

/* Returns whether the request has events that have to be sent again. */
static inline bool ps_remote_request_is_unsent(const struct ps_remote_request *request)
{
    return request->range.count > 0 && !request->in_flight && !request->has_letters;
}

/* Returns the request to send next, and marks it as in flight: a request whose events are sent again, or a new
 * request with events that this call takes from the leases. `*bytes`: upper limit of the size of the events in
 * bytes. Returns NULL if the sink backs off, or nothing can be sent. */
struct ps_remote_request *ps_remote_requests_next(struct ps_remote_requests *requests, size_t *bytes);

/* Returns the request that waits to be sent again and was sent first; NULL: none waits. */
struct ps_remote_request *ps_remote_requests_oldest_unsent(const struct ps_remote_requests *requests);

/* Like ps_remote_requests_next, with events that were never sent, also while the sink backs off and other requests wait. */
struct ps_remote_request *ps_remote_requests_next_new(struct ps_remote_requests *requests, size_t *bytes);

/* Returns an upper bound of the bytes of a request that is to be sent again, and marks it as in flight. */
size_t ps_remote_request_send_again(struct ps_remote_requests *requests, struct ps_remote_request *request);

/* Called when the request has ended, after the sink has set the results of its events. `reached`: the server may have received it. A sink
 * that backs off after this answer has called ps_remote_sink_rest before. */
void ps_remote_request_ended(struct ps_remote_requests *requests, struct ps_remote_request *request,
                             bool reached);

/* Like ps_remote_request_ended, with one result for all events. */
void ps_remote_request_ended_with(struct ps_remote_requests *requests, struct ps_remote_request *request,
                                  struct ps_remote_result result, bool reached);

/* Called when the connection is lost: all requests in flight have ended without an answer. `unsent`: a request of which the server has
 * not all bytes, because this process lacks memory; NULL: none. */
void ps_remote_requests_lost(struct ps_remote_requests *requests, const char *reason,
                             const struct ps_remote_request *unsent);

/* Continues with dead letters. For `serve`. */
void ps_remote_requests_work(struct ps_remote_requests *requests);

/* Returns whether events of a request become dead letters now. */
bool ps_remote_requests_have_letters(const struct ps_remote_requests *requests);

/* Returns the time (monotonic ns) at which ps_remote_requests_work must be called at the latest, or PS_NEVER.
 * For `due_ns`. */
uint64_t ps_remote_requests_due_ns(const struct ps_remote_requests *requests);

/* Returns whether a request is in flight. For `awaits`. */
bool ps_remote_requests_in_flight(const struct ps_remote_requests *requests);

/* Forgets all requests, counts the events of those in flight as duplicated, and stops their dead letters. For `abandon`. */
void ps_remote_requests_abandon(struct ps_remote_requests *requests);
