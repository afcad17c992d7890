/* Sends leases through a producer, settles them by its reports, and puts things right when a report says no.
 *
 * Running: leases are taken, their events submitted as far as the engine has room; each report settles its
 * events; leases are done in the order they came. When something failed: stop submitting, give up what waits
 * in the producer, collect the report of everything that was submitted, have another producer made, and
 * submit what is not settled again, from the first event on. So order is kept, and nothing is sent twice but
 * what may have been written without our hearing of it (counted: `duplicated`).
 *
 * Thread: one worker calls everything. No call blocks. */
#pragma once

#include "stages/kafka/errors.h"
#include "stages/kafka/maker.h"
#include "stages/kafka/mapping.h"
#include "stages/kafka/statistics.h"
#include "stages/kafka/window.h"

#define PS_KAFKA_RUN_MAX 256U /* records handed to the engine at a time */

/* Shared by all workers; const. */
struct ps_kafka_sender_plan {
    const struct ps_kafka_engine *engine;
    struct ps_kafka_mapping mapping;
    const struct ps_pair *pairs; /* the library's properties */
    size_t pair_count;
    uint32_t record_bytes_max;  /* max.request.size: larger ones are not sent */
    uint32_t request_bytes_max; /* batch.size as configured: where halving starts */
    enum ps_kafka_spread spread;
    uint64_t linger_ns; /* what comes within this time is a wave (kafka/window.h); 0: no limit of waves */
};

enum ps_kafka_phase {
    PS_KAFKA_SENDING,
    PS_KAFKA_COLLECTING, /* nothing is submitted until every report is in */
    PS_KAFKA_STALE,      /* the producer was purged: another one is needed before anything is sent */
    PS_KAFKA_RENEWING,   /* another one is being made */
};

/* What went wrong first, until it is dealt with. */
struct ps_kafka_cause {
    const struct ps_kafka_error *error; /* NULL: nothing */
    enum ps_kafka_flaw flaw;            /* or an event of ours that cannot be sent */
    void *last_token;                   /* the last event of the request that failed */
    uint32_t group_count, group_left;   /* events of that request; not reported yet */
    uint64_t group_bytes;               /* 0: not known */
    int32_t partition;
    char topic[PS_KAFKA_TOPIC_BYTES_MAX];
};

struct ps_kafka_sender {
    const struct ps_kafka_sender_plan *plan;
    struct ps_port *port;
    struct ps_kafka_maker *maker;
    struct ps_kafka_producer *producer; /* NULL while one is made */
    struct ps_kafka_producer_config config;
    struct ps_kafka_window window;
    struct ps_kafka_statistics statistics;

    enum ps_kafka_phase phase;
    bool full;  /* the engine has no room: wait for a report */
    bool fatal; /* the producer said it is finished */
    bool recalling;
    bool patient;  /* collecting without giving up what waits */
    bool broken;   /* a connection broke and nothing was delivered since */
    bool held;     /* the engine was told to send nothing new (kafka/silence.c) */
    bool troubled; /* a broker error was logged, nothing was delivered since */
    struct ps_kafka_cause cause;
    uint32_t rest_count;
    struct ps_now now; /* of the current call, for what is called back */
    uint64_t polled_ns;
    uint64_t progress_ns;    /* last delivery, or when there was nothing to deliver */
    uint64_t hold_ns;        /* when to hold, or let go, next at the earliest */
    uint64_t warned_ns;      /* that there was none since; else the same */
    uint64_t resume_ns;      /* do not submit before */
    uint64_t give_up_ns;     /* collecting: when to give up what was sent as well */
    uint64_t purge_again_ns; /* collecting: what is retried meanwhile must be given up, too */

    /* Up to and including this event is submitted, nothing behind it: it is, or may be, the one refused. */
    void *fence;
    /* Looking for it: so many records or bytes are submitted (0: any number), and nothing more before they
     * are reported. What the broker refuses is overtaken by nothing then. */
    bool stepping;
    uint32_t step_records;
    uint64_t step_bytes;
    void *blamed; /* named in the log and counted already */

    struct ps_kafka_record records[PS_KAFKA_RUN_MAX];
    struct ps_kafka_fields fields;
    char run_topic[PS_KAFKA_TOPIC_BYTES_MAX];
    char *datums; /* useFlumeEventFormat: encoded events of one run */
    size_t datums_room;
};

enum ps_status ps_kafka_sender_open(struct ps_kafka_sender *sender, const struct ps_kafka_sender_plan *plan,
                                    struct ps_port *port, struct ps_err *err);
void ps_kafka_sender_close(struct ps_kafka_sender *sender);

/* The four functions of a sink (core/stage.h). */
enum ps_result ps_kafka_sender_take(struct ps_kafka_sender *sender, struct ps_lease **lease,
                                    const struct ps_now *now);
uint64_t ps_kafka_sender_tick(struct ps_kafka_sender *sender, const struct ps_now *now);
bool ps_kafka_sender_recall(struct ps_kafka_sender *sender, struct ps_lease **back, const struct ps_now *now);
bool ps_kafka_sender_drain(struct ps_kafka_sender *sender, const struct ps_now *now);

/* Submits what is not submitted yet, as far as there is room (kafka/submit.c). */
void ps_kafka_sender_submit(struct ps_kafka_sender *sender);

/* ---- brokers that do not answer (kafka/silence.c) ---- */

/* Every tick. Returns when to look again at the latest. */
uint64_t ps_kafka_sender_look_at_silence(struct ps_kafka_sender *sender);
/* Something was heard. */
void ps_kafka_sender_break_silence(struct ps_kafka_sender *sender);

/* ---- what a failure means (kafka/recovery.c) ---- */

#define PS_KAFKA_PATIENCE_NS                                                                                 \
    (5 *                                                                                                     \
     PS_NS_PER_S) /* for answers of brokers, before what was sent is given up                            \
                       */

/* An event cannot be submitted: `code` of the error table, or a flaw of the event. */
void ps_kafka_sender_refused(struct ps_kafka_sender *sender, void *token, int code, enum ps_kafka_flaw flaw,
                             const char *topic, int32_t partition);
/* A report that is no delivery. */
void ps_kafka_sender_failed(struct ps_kafka_sender *sender, const struct ps_kafka_report *report,
                            const struct ps_kafka_error *error);
/* Submit nothing before every report is in. */
void ps_kafka_sender_collect(struct ps_kafka_sender *sender, uint64_t patience_ns);
/* Every report is in: what follows from the first that was bad. */
void ps_kafka_sender_judge(struct ps_kafka_sender *sender);
/* The event that everything waits for may be through. */
void ps_kafka_sender_look_at_fence(struct ps_kafka_sender *sender);
/* How long to rest: 1, 2, .. 5 s until something is delivered. */
uint64_t ps_kafka_sender_rest_ns(struct ps_kafka_sender *sender);
