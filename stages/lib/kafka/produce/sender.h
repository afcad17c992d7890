/* Sends leases through a producer, settles their events by its reports, and resends after a failure.
 *
 * Normal running: the sender takes leases and submits their events while the engine has room. Each report
 * settles its events. Leases are finished in the order in which they came. After a failure: the sender stops
 * submitting, purges the records that wait in the producer, collects the reports of all submitted events, has a
 * new producer made, and submits the unsettled events again, from the first one on. Order is therefore kept,
 * and an event is sent twice only if no report came and its record may have been written (counter
 * `duplicated`).
 *
 * Thread: one worker calls everything. No call blocks. */
#pragma once

#include "core/log/backoff.h"
#include "stages/lib/kafka/errors.h"
#include "stages/lib/kafka/produce/chosen.h"
#include "stages/lib/kafka/produce/dead_letters.h"
#include "stages/lib/kafka/client_factory.h"
#include "stages/lib/kafka/produce/mapping.h"
#include "stages/lib/kafka/produce/statistics.h"
#include "stages/lib/kafka/produce/transaction.h"
#include "stages/lib/kafka/produce/window.h"

#include <inttypes.h>
#include <stdio.h>

#define PS_KAFKA_RUN_MAX 256U /* records handed to the engine at a time */

/* Shared by all workers; const. */
struct ps_kafka_sender_plan {
    const struct ps_kafka_engine *engine;
    struct ps_kafka_mapping mapping;
    const struct ps_kafka_settings *settings;
    uint32_t record_bytes_max; /* max.request.size: larger records are not sent */
    /* batch.size as configured: the size from which requests are halved at first */
    uint32_t request_bytes_max;
    /* Leases that come within this time form one wave (kafka/produce/window.h); 0: no limit of waves. */
    uint64_t linger_ns;
    uint64_t in_flight_bytes_max; /* maximum number of bytes of bodies in all waves */
    /* true: a refusable lease is given up (marked `failed` and settled) when one of its events is refused. false: that
     * event is tried again for ever, and later events wait. */
    bool may_give_up;
    struct ps_kafka_transaction_plan transaction;
};

enum ps_kafka_phase {
    PS_KAFKA_SENDING,
    PS_KAFKA_COLLECTING, /* no record is submitted until all reports have come */
    PS_KAFKA_STALE,      /* the producer was purged; no record is sent before a new one is made */
    PS_KAFKA_RENEWING,   /* the new producer is being made */
};

/* The first failure, until it is handled. */
struct ps_kafka_cause {
    const struct ps_kafka_error *error; /* NULL: no failure */
    enum ps_kafka_flaw flaw;            /* if not NONE, the reason why an event cannot become a record */
    void *first_token, *last_token;     /* the first and the last event of the request that failed */
    /* number of events of that request, and number of those that have no report yet */
    uint32_t group_count, group_left;
    uint64_t group_bytes; /* 0: not known */
    bool asks;            /* no failure: a new producer asks the cluster again before the event is refused */
    int32_t partition;
    char topic[PS_KAFKA_TOPIC_BYTES_MAX];
};

#define PS_KAFKA_PLACE_BYTES (PS_KAFKA_TOPIC_BYTES_MAX + 32U)

/* Prints "topic T, partition P", without the partition if the failure is of none. Returns `text`. */
static inline const char *ps_kafka_cause_place(const struct ps_kafka_cause *cause,
                                               char text[PS_KAFKA_PLACE_BYTES])
{
    if (cause->partition < 0)
        snprintf(text, PS_KAFKA_PLACE_BYTES, "topic %s", cause->topic);
    else
        snprintf(text, PS_KAFKA_PLACE_BYTES, "topic %s, partition %" PRId32, cause->topic, cause->partition);
    return text;
}

struct ps_kafka_sender {
    const struct ps_kafka_sender_plan *plan;
    struct ps_port *port;
    struct ps_kafka_client_factory *factory;
    struct ps_kafka_producer *producer; /* NULL while a new one is being made */
    struct ps_kafka_producer_config config;
    struct ps_kafka_window window;
    struct ps_kafka_statistics statistics;

    enum ps_kafka_phase phase;
    bool full;        /* the engine has no room: wait for a report */
    bool fatal;       /* the producer reported a fatal error */
    int fatal_code;   /* of the last such error */
    bool making;      /* a producer is requested */
    uint64_t made_ns; /* when the present producer came; 0: it is the first one */
    bool recalling;
    uint64_t recall_ns;   /* when the recall that waits for a transaction began; 0: there is no such recall */
    bool patient;         /* while COLLECTING: submitted records are sent, not purged */
    bool keeps_producer;  /* while COLLECTING: the producer is in order and is used further */
    bool broken;          /* a connection broke, and no record has been delivered since */
    char last_error[256]; /* the library's last error since the last delivery; "": none */
    bool reached;         /* a broker has answered */
    bool
        lost; /* no broker can be reached, or takes this producer, since the last answer; `last_lost` has the reason */
    char last_lost[384];
    bool troubled; /* a broker error was logged, and no record has been delivered since */
    struct ps_kafka_cause cause;
    uint32_t rest_count;
    struct ps_now now; /* of the current call, for callbacks */
    uint64_t polled_ns;
    /* time of the last delivery, or the last time at which no record was in flight */
    uint64_t progress_ns;
    /* time of the last warning about missing progress; equal to progress_ns: there was no warning yet */
    uint64_t warned_ns;
    uint64_t resume_ns;  /* no record is submitted before this time */
    uint64_t asked_ns;   /* when an event waited last for the cluster to describe its topic */
    uint64_t attempt_ns; /* until then a failed attempt of the engine does not count */
    uint64_t give_up_ns; /* COLLECTING: when to purge also the records that were sent */
    /* COLLECTING: when to purge again, because the library retries records meanwhile */
    uint64_t purge_again_ns;

    /* The search for the refused event: it submits at most step_records records or step_bytes bytes (0: no
     * limit), and the next records only when these are reported. So no event overtakes the refused one. */
    struct {
        /* The last event that may be submitted, because this event may be the refused one. NULL: no limit. */
        void *fence;
        /* The first event that may be the refused one: those before it are submitted without steps. NULL: the search
         * begins with the first event that is sent again. */
        void *first;
        bool reached; /* since the last rewind, all events before `first` are submitted */
        bool stepping;
        uint32_t step_records;
        uint64_t step_bytes;
        void *blamed;       /* the event that was already logged and counted as refused, */
        uint64_t blamed_ns; /* and when it was refused last */
        /* the event that was sent again because its bytes may have been damaged on the way, and how often */
        void *doubted;
        unsigned doubts;
    } search;
    struct ps_log_backoff refusals; /* log lines about the blamed event */
    struct ps_kafka_barred barred;
    struct ps_kafka_letters letters;
    struct ps_kafka_transaction transaction; /* if plan->transaction.id is set */

    /* Records of one topic that are submitted together. */
    struct {
        struct ps_kafka_record records[PS_KAFKA_RUN_MAX];
        struct ps_kafka_fields fields;
        char topic[PS_KAFKA_TOPIC_BYTES_MAX];
        char *datums; /* useFlumeEventFormat, serializer: the encoded events */
        size_t datums_room;
    } run;
};

static inline bool ps_kafka_sender_is_transactional(const struct ps_kafka_sender *sender)
{
    return sender->plan->transaction.id != NULL;
}

enum ps_status ps_kafka_sender_open(struct ps_kafka_sender *sender, const struct ps_kafka_sender_plan *plan,
                                    struct ps_port *port, struct ps_err *err);
void ps_kafka_sender_close(struct ps_kafka_sender *sender);

/* The four functions of a sink (core/stage.h). */
enum ps_result ps_kafka_sender_take(struct ps_kafka_sender *sender, struct ps_lease **lease,
                                    const struct ps_now *now);
uint64_t ps_kafka_sender_tick(struct ps_kafka_sender *sender, const struct ps_now *now);
bool ps_kafka_sender_recall(struct ps_kafka_sender *sender, struct ps_lease **back, const struct ps_now *now);
bool ps_kafka_sender_drain(struct ps_kafka_sender *sender, const struct ps_now *now);

/* Submits the events that are not submitted yet, while there is room (kafka/produce/submit.c). */
void ps_kafka_sender_submit(struct ps_kafka_sender *sender);

/* ---- brokers that do not answer (kafka/produce/silence.c) ---- */

/* Called at every tick. Returns the latest time of the next check. */
uint64_t ps_kafka_sender_check_silence(struct ps_kafka_sender *sender);

/* ---- the reaction to a failure (kafka/produce/recovery.c) ---- */

/* Time to wait for the brokers' answers before sent records are given up. */
#define PS_KAFKA_PATIENCE_NS (5 * PS_NS_PER_S)

/* Called when the next event of the window cannot be submitted: `code` is a code of the error table, or `flaw`
 * is the event's own flaw. Returns whether the event is given up (penstock.deadletter), so that the next one
 * may be sent. */
bool ps_kafka_sender_refused(struct ps_kafka_sender *sender, void *token, int code, enum ps_kafka_flaw flaw,
                             const char *topic, int32_t partition);
/* Handles a report of a failure. */
void ps_kafka_sender_failed(struct ps_kafka_sender *sender, const struct ps_kafka_report *report,
                            const struct ps_kafka_error *error);
/* Counts a failed attempt of the engine, which sends the records again: at most one in the time for which the sink would
 * rest after a failure. `topic`: of the records. */
void ps_kafka_sender_attempted(struct ps_kafka_sender *sender, int code, const char *topic);
/* Stops submitting until all reports have come. */
void ps_kafka_sender_collect(struct ps_kafka_sender *sender, uint64_t patience_ns);
/* Handles the first failure, after all reports have come. */
void ps_kafka_sender_recover(struct ps_kafka_sender *sender);
/* Returns the largest request of the present producer, in bytes: as configured, or lower after a topic refused a
 * request. */
static inline uint64_t ps_kafka_sender_request_bytes_max(const struct ps_kafka_sender *sender)
{
    return sender->config.request_bytes_max != 0 ? sender->config.request_bytes_max
                                                 : sender->plan->request_bytes_max;
}
/* Removes the fence if its event is settled. */
void ps_kafka_sender_check_fence(struct ps_kafka_sender *sender);
/* Ends the search for the refused event. */
void ps_kafka_sender_end_search(struct ps_kafka_sender *sender);
/* Returns the length of the next backoff in ns: 1, 2, .. 5 s, or by penstock.retry.backoff. After a delivery
 * the shortest backoff is next. */
static inline uint64_t ps_kafka_sender_rest_ns(struct ps_kafka_sender *sender)
{
    return ps_port_rest_ns(sender->port, ++sender->rest_count);
}
