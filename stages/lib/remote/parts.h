/* The requests of a sink whose events become parts, such as rows or mutations, that go to several servers. A request ends when each server has
 * answered or cannot be reached: an event is delivered if all its parts are, else the worst outcome of its parts is its own. Events that were
 * not delivered stay in their request and are sent again after a rest of the request's own, so that those of other servers do not wait for
 * them (requests.h).
 *
 * The state of such a sink begins with a struct ps_remote_requests, each of whose requests begins with a struct ps_remote_parts. The sink makes
 * the parts (ps_remote_parts_add for each event), sends them, and when all are decided calls ps_remote_parts_begin, ps_remote_parts_add_state for
 * each part, and ps_remote_parts_end.
 *
 * Thread: the sink's worker. Only ps_remote_parts_init and ps_remote_parts_open allocate. */
#pragma once

#include "stages/lib/remote/requests.h"

enum ps_remote_part_state {
    PS_PART_WAITING, /* for the place of its row, or a connection */
    PS_PART_SENT,
    PS_PART_DELIVERED,
    PS_PART_AGAIN,   /* it did not reach the table */
    PS_PART_UNKNOWN, /* no answer came */
    PS_PART_REJECTED /* the table will never take it */
};

/* The outcome of an event. */
struct ps_remote_part_outcome {
    enum ps_remote_outcome outcome;
    const char *reason;
    uint32_t position; /* in the lease */
};

struct ps_remote_parts {
    struct ps_remote_request request; /* must be first */
    struct ps_remote_requests *requests;
    struct ps_remote_part_outcome *outcomes; /* of the events of which the parts were made, in order */
    uint32_t count;                          /* of them; 0: the parts are to be made */
    unsigned failures, doublings;            /* in a row; of its rest, at most */
    uint64_t rest_ns;                        /* it is not sent again before */
};

struct ps_remote_parts_settings {
    const struct ps_remote_sink_calls *calls;
    const char *server; /* for reasons */
    int64_t batch_size; /* events of a request */
    unsigned requests;  /* number of them */
    size_t stride;      /* bytes of the structure at whose beginning each of them is */
    unsigned doublings; /* of its rest of 50 ms, at most */
};

/* For `open`: makes the requests, zeroed. ps_remote_parts_fini must be called after PS_FAIL as well. */
enum ps_status ps_remote_parts_init(struct ps_remote_requests *requests,
                                    const struct ps_remote_parts_settings *settings, struct ps_port *port,
                                    struct ps_err *err);
/* For `close`, after the sink has freed what is its own in the requests. */
void ps_remote_parts_fini(struct ps_remote_requests *requests);

static inline struct ps_remote_parts *ps_remote_parts_at(const struct ps_remote_requests *requests,
                                                         unsigned number)
{
    return (struct ps_remote_parts *)ps_remote_request_at(requests, number);
}

/* ---- making and sending ---- */

/* Returns the request to send next, and marks it as in flight: one whose rest is over, or a new one (`is_new`). NULL: there is none. */
struct ps_remote_parts *ps_remote_parts_next(struct ps_remote_requests *requests, bool *is_new);
/* Begins the outcome of the event at the position: the event of number `count` before the call. */
struct ps_remote_part_outcome *ps_remote_parts_add(struct ps_remote_parts *parts, uint32_t position);
/* Returns whether the event of this number is no longer in the request: it has become a dead letter. */
bool ps_remote_parts_has_left(const struct ps_remote_parts *parts, uint32_t event);
/* The parts could not be made now: the request rests, and they are made again. */
void ps_remote_parts_failed(struct ps_remote_parts *parts, const char *reason);

/* ---- results ---- */

/* Begins to collect: all events that have parts count as delivered. */
void ps_remote_parts_begin(struct ps_remote_parts *parts);
/* A part of the event is in this state. `reason` lives until the request is sent again. */
void ps_remote_parts_add_state(struct ps_remote_parts *parts, uint32_t event, enum ps_remote_part_state state,
                               const char *reason);
/* Ends the request. `reached`: a server may have a part. */
void ps_remote_parts_end(struct ps_remote_parts *parts, bool reached);

/* ---- functions of struct ps_remote_sink_calls ---- */

/* For `due_ns`. `due_ns`: when the sink has something else to do. */
uint64_t ps_remote_parts_due_ns(const struct ps_remote_requests *requests, uint64_t due_ns);
/* For `abandon`, after the sink has withdrawn the parts that it sent. */
void ps_remote_parts_abandon(struct ps_remote_requests *requests);
