/* A walk over the partitions of an answer, which lists them topic by topic. Thread: any. */
#pragma once

#include "stages/lib/kafka/wire/wire.h"

#include "core/base.h"

struct ps_wire_partitions {
    struct ps_wire_in *in;
    uint32_t topics, left; /* topics after the present one; its partitions, with the present one */
    struct ps_slice topic; /* of the present partition */
    bool any;              /* there is a present partition */
    uint32_t id_bytes;     /* set by the caller: topics have ids of this length; 0: they have names */
};

/* Called where the list of topics begins. */
static inline struct ps_wire_partitions ps_wire_partitions_begin(struct ps_wire_in *in)
{
    return (struct ps_wire_partitions){.in = in, .topics = ps_wire_get_count(in, 3)};
}

/* Goes to the next partition, whose fields the caller reads then. Returns false after the last one, and if the answer
 * cannot be read (in->failed). */
static inline bool ps_wire_partitions_next(struct ps_wire_partitions *walk)
{
    struct ps_wire_in *in = walk->in;
    if (walk->any) {
        ps_wire_end_fields(in);
        if (--walk->left == 0)
            ps_wire_end_fields(in); /* of the topic */
    }
    walk->any = false;
    while (walk->left == 0 && walk->topics > 0 && !in->failed) {
        walk->topics--;
        walk->topic.length = walk->id_bytes;
        walk->topic.data = walk->id_bytes > 0 ? ps_wire_take(in, walk->id_bytes)
                                              : ps_wire_get_string(in, &walk->topic.length);
        walk->left = ps_wire_get_count(in, 6);
        in->failed |= walk->topic.data == NULL;
        if (walk->left == 0)
            ps_wire_end_fields(in);
    }
    walk->any = walk->left > 0 && !in->failed;
    return walk->any;
}

/* The fields of a partition in an answer to OffsetFetch. */
struct ps_wire_committed {
    int32_t partition;
    int64_t next;  /* -1: none is committed */
    int32_t epoch; /* of the leader that wrote the record before it; -1: not known */
    int16_t error;
};

static inline struct ps_wire_committed ps_wire_get_committed(struct ps_wire_in *in, int16_t version)
{
    uint32_t length;
    struct ps_wire_committed committed = {.partition = ps_wire_get_int32(in)};
    committed.next = ps_wire_get_int64(in);
    committed.epoch = version >= 5 ? ps_wire_get_int32(in) : -1;
    (void)ps_wire_get_string(in, &length); /* metadata */
    committed.error = ps_wire_get_int16(in);
    return committed;
}
