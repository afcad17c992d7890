/* The sender's positions when they are kept as records of a topic (stages/lib/kafka/positions/topic.h), not as
 * offsets of consumer groups. The leases come from a channel on disk, or from a source of files: this channel
 * or source is their owner, and the positions show which of its events are delivered.
 *
 *   the first lease     has the owner's number, and so the transactional id: no other process uses it, because the
 *                       log of a channel, and the position file of a source, are locked
 *   a new producer      ends the open transaction of the last one with this id; then the topic is read; leases that are
 *                       committed there are settled; then the others are sent
 *   before a commit     the positions of all leases are written, in the same transaction
 *
 * The owner's record says which leases are committed: it names frames of the log, or batches of the source,
 * which numbers its batches anew after each start. A source also has a record for each file, from which it
 * continues reading the file; a batch without events asks for these records
 * (ps_engine_source_ops.starts_from_records).
 *
 * The topic alone decides what is committed, at the start and when the answer to a commit is lost. Thread: the
 * sink's worker. */
#pragma once

#include "stages/lib/kafka/positions/frames.h"
#include "stages/lib/kafka/positions/topic.h"
#include "stages/lib/kafka/produce/seam.h"

struct ps_kafka_sender;

#define PS_KAFKA_OWNER_BYTES 64U

struct ps_kafka_keeping {
    void *reader;                     /* reader of the topic; NULL: positions are not kept */
    char owner[PS_KAFKA_OWNER_BYTES]; /* key of the positions; "": no lease has come yet */
    char *records;                    /* the source's records, as a JSON array */
    /* Numbers of producers: of the newest one, of the one for which the topic is being read, and of the one for which it was read. */
    uint32_t producers, asked_for, known_for;
    bool asked;
    uint64_t rest_ns; /* earliest time of the next reading of the topic */
    bool failing;     /* a failed reading was logged, and none succeeded since */
    struct ps_kafka_frames committed,
        written, /* `committed` and the leases of the transaction that is being committed */
        held;    /* the leases that the sender holds and has not committed yet */
    bool full;   /* there is no room for the range of another lease: commit without delay */
    /* when a lease will fit that does not fit now, although the sender holds no lease; else PS_NEVER */
    uint64_t room_ns;
    /* number of position records of this transaction that were submitted, and number of those that were
     * delivered */
    uint32_t submitted, delivered;
    char *value; /* memory for the value of one position record */
    size_t value_room;
    char text[PS_KAFKA_FRAMES_TEXT_BYTES];
};

enum ps_status ps_kafka_positions_open(struct ps_kafka_sender *sender, struct ps_err *err);
void ps_kafka_positions_close(struct ps_kafka_sender *sender);

/* Returns whether the lease can join those that the sender holds. It cannot if the held leases have another
 * owner, if the lease asks for positions, or if the owner's record has no room for the lease. */
bool ps_kafka_positions_fits(struct ps_kafka_sender *sender, const struct ps_lease *lease);
/* Called when the sender has taken the lease. Returns whether the lease is committed already. */
bool ps_kafka_positions_took(struct ps_kafka_sender *sender, const struct ps_lease *lease);
/* Returns whether the lease is committed already. */
bool ps_kafka_positions_has(const struct ps_kafka_sender *sender, const struct ps_lease *lease);
/* Called when the sender has requested a new producer: the topic must be read again. */
void ps_kafka_positions_renewed(struct ps_kafka_sender *sender);
/* Returns whether the topic of positions was read since the new producer got its id; starts the reading. Called until it
 * returns true. */
bool ps_kafka_positions_are_known(struct ps_kafka_sender *sender);
/* Writes the positions, after all events are delivered. Returns whether the positions are also delivered. */
bool ps_kafka_positions_write(struct ps_kafka_sender *sender);
/* Hands the positions to the source (core/flow/sink_positions.h) if the sender holds a lease that asks for them. */
void ps_kafka_positions_answer(struct ps_kafka_sender *sender);
void ps_kafka_positions_ended(struct ps_kafka_sender *sender, bool committed);

/* Returns whether the token is that of a record of positions, which no event has. */
static inline bool ps_kafka_positions_is_token(const void *token)
{
    return (uintptr_t)token == 1;
}
void ps_kafka_positions_reported(struct ps_kafka_sender *sender, const struct ps_kafka_report *report);
