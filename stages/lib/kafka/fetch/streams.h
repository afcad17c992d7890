/* The partitions that a consumer has or had: up to which offset each partition was read, delivered and
 * committed.
 *
 * A stream is an index into this table. A pass is one reading of a stream, from an offset on: each assignment of a
 * partition, and each jump to another offset, begins one with a new number. Position spans of batches carry the stream
 * and its pass, so positions of an earlier pass that are delivered later are recognized and discarded, even if another
 * partition has the slot by then. Thread: the source's worker. */
#pragma once

#include "core/flow/batch.h"

#define PS_KAFKA_STREAM_NONE UINT32_MAX
#define PS_KAFKA_POSITION_NONE (-1)

enum ps_kafka_stream_state {
    PS_KAFKA_STREAM_GONE,     /* not assigned; positions that are delivered later are discarded */
    PS_KAFKA_STREAM_OWNED,    /* assigned */
    PS_KAFKA_STREAM_REVOKING, /* being given up: no longer read; its records are still being delivered */
};

struct ps_kafka_stream {
    const char *topic; /* the caller's, who keeps it */
    uint32_t topic_length;
    uint32_t hash; /* hash of topic and partition */
    int32_t partition;
    enum ps_kafka_stream_state state;
    uint32_t pass;
    int64_t taken;      /* last offset given to a batch */
    int64_t skipped;    /* last offset skipped after `taken` */
    int64_t reached;    /* next offset to be read when all before it is delivered; NONE: none to commit */
    int64_t committing; /* next offset to be read, in the commit under way */
    int64_t committed;  /* next offset to be read, as last stored by the broker for this pass */
    uint32_t committing_pass;
    /* Leader epochs of the record before `reached`, and of `skipped`; -1: not known. The epoch is committed with the
     * offset, so that the partition's next owner notices if the log was changed (KIP-320). */
    int32_t reached_epoch, skipped_epoch;
    /* The batch, by its number, that has the texts of the header values below. */
    uint64_t text_batch;
    const char *topic_text, *partition_text;
    uint32_t partition_length;
};

struct ps_kafka_streams {
    struct ps_kafka_stream *items;
    uint32_t count, room;
    /* By topic and partition: a hash table of stream + 1 with linear probing. An entry stays until the table is
     * rebuilt, even if another partition has the slot by then. */
    uint32_t *index;
    uint32_t index_size, index_used; /* size, a power of two; number of entries that are not 0 */
    uint32_t pass;                   /* the last pass given to a stream */
    bool moved; /* a stream has advanced, so there may be offsets to commit; the group clears it */
};

void ps_kafka_streams_fini(struct ps_kafka_streams *streams);

/* Returns the stream of a partition, or NONE. */
uint32_t ps_kafka_streams_find(const struct ps_kafka_streams *streams, struct ps_slice topic,
                               int32_t partition);

/* Returns the stream of a newly assigned partition, with a new pass and nothing read yet. `topic` must outlive the
 * table. */
uint32_t ps_kafka_streams_assign(struct ps_kafka_streams *streams, const char *topic, int32_t partition);

/* Continues to read the partition at another offset, `next`. The records that were read before no longer count
 * as delivered. If the group may have an offset, `next` is committed, because a member that begins at the old one would
 * skip records, or read them again. `epoch`: epoch of the leader that wrote the record before `next`; -1: not known. */
void ps_kafka_streams_restart(struct ps_kafka_streams *streams, uint32_t stream, int64_t next, int32_t epoch);

/* Skips a record that makes no event: its offset is committed when all earlier records are delivered. */
void ps_kafka_streams_skip(struct ps_kafka_streams *streams, uint32_t stream, int64_t offset, int32_t epoch);

/* Notes that a batch with this span was delivered. */
void ps_kafka_streams_delivered(struct ps_kafka_streams *streams, const struct ps_span *span);

/* Gives up the records that were read and not delivered: the partition's next owner reads them again. */
void ps_kafka_streams_abandon(struct ps_kafka_streams *streams);

/* Returns whether any partition is assigned. */
bool ps_kafka_streams_has_owned(const struct ps_kafka_streams *streams);
/* Returns true if all records read from the assigned partitions are delivered. */
bool ps_kafka_streams_are_drained(const struct ps_kafka_streams *streams);
/* Returns true if all records that were read from the partitions being given up are delivered. Sets *dirty if
 * some of these records are not committed. */
bool ps_kafka_streams_revoked_are_drained(const struct ps_kafka_streams *streams, bool *dirty);
/* Notes that the sink has committed all delivered records, in its transactions. An offset at which reading begins again is
 * in none of them. */
void ps_kafka_streams_note_committed(struct ps_kafka_streams *streams);

/* Returns true if all records that were read are delivered. */
static inline bool ps_kafka_stream_is_drained(const struct ps_kafka_stream *stream)
{
    return stream->taken == PS_KAFKA_POSITION_NONE || stream->taken < stream->reached;
}

/* Returns true if `reached` must be committed. */
static inline bool ps_kafka_stream_is_dirty(const struct ps_kafka_stream *stream)
{
    return stream->state != PS_KAFKA_STREAM_GONE && stream->reached != PS_KAFKA_POSITION_NONE &&
           stream->reached != stream->committed;
}

/* Returns true while the offset at which reading begins again must be committed, and no record was read from there. */
static inline bool ps_kafka_stream_begins(const struct ps_kafka_stream *stream)
{
    return stream->taken == PS_KAFKA_POSITION_NONE && ps_kafka_stream_is_dirty(stream);
}
