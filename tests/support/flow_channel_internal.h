/* For the files of the simulator's durable channel only. */
#pragma once

#include "tests/support/flow_channel.h"

struct flow_consumer;

struct flow_record {
    struct flow_body body;
};

/* Events in order, delivered as one. */
struct flow_frame {
    struct flow_frame *next;
    struct flow_consumer *with; /* NULL: it waits for a consumer */
    uint32_t count;
    uint64_t bytes;
    struct flow_record records[];
};

struct flow_store {
    struct flow *flow;
    unsigned number;
    struct flow_frame *frames;
    uint64_t waiting; /* events of frames that are with no consumer */
    uint64_t now_ns, broken_until_ns;
    uint64_t random;
    bool timed, calm;
    struct flow_channel *channel; /* the channel that has it; or NULL */
};

/* A lease that is not synced. */
struct flow_entry {
    struct flow_entry *next;
    struct ps_lease *lease;
    unsigned producer;
    uint64_t since_ns, due_ns;
};

struct flow_producer {
    struct ps_lease *promised, **promised_end; /* to be returned */
    uint64_t queued, memory_bytes; /* leases that are not synced; memory of those that are not returned */
    uint64_t worker;               /* bit of the worker that ticked; 0: none did */
};

struct flow_consumer {
    struct flow_store *store;
    struct ps_readback *readback; /* NULL: it has not taken anything yet */
    struct ps_lease *given_back;
    uint64_t waits; /* bit of the worker that found nothing */
    bool is_short;
};

struct flow_channel {
    struct flow_store *store;
    uint64_t capacity, keep_alive_ns, quota_bytes;
    unsigned producer_count, consumer_count;
    struct flow_producer *producers;
    struct flow_consumer *consumers;
    struct flow_entry *first, **end;
    uint64_t queued, returned; /* events */
    struct ps_lease *restored; /* until `start` */
};

struct flow_frame *flow_frame_create(uint32_t room);
void flow_store_remove(struct flow_store *store, struct flow_frame *frame);
/* Moves the events after the first `count` into a new frame. */
void flow_frame_split(struct flow_frame *frame, uint32_t count);
/* Runs one turn of the disk. Called by a channel without a thread, and by flow_store_run. */
void flow_store_turn(struct flow_store *store, const struct ps_now *now);
