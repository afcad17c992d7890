/* The fetch client: a member of a consumer group that speaks Kafka's protocol itself, for the source and the channel
 * `kafka`, which give it topics, and make events of its records. It hands over records in order, and commits delivered
 * ones; a revoked partition is given up when all records that were read from it are delivered and committed, or when
 * the time limit of the revocation has passed. Answers of a broker are received into blocks of the memory budget, and
 * bodies of events are views into them. The client uses the connections, metadata and coordinators of
 * stages/lib/kafka/cluster/.
 *
 * Thread: the worker of the source, or of the channel's sink, calls everything. Nothing waits for a broker. */
#pragma once

#include "core/stage.h"
#include "stages/lib/kafka/cluster/settings.h"
#include "stages/lib/kafka/group/identity.h"
#include "stages/lib/kafka/fetch/record.h"
#include "stages/lib/kafka/fetch/streams.h"
#include "stages/lib/kafka/place.h"

/* Owned by the caller; texts must outlive the reading. */
struct ps_kafka_reading_config {
    struct ps_port *port;                     /* its epoll watches the client's sockets */
    const struct ps_kafka_settings *settings; /* outlive the reading */
    const char *group;
    struct ps_kafka_place *place;   /* remembers the member of the group; NULL: nothing is remembered */
    struct ps_texts subscription;   /* topic names, if there is no pattern */
    const struct ps_regex *pattern; /* that the names of the topics match; NULL: none */
    bool reads_internal;    /* the pattern matches the topics in which Kafka keeps its own state, too */
    struct ps_texts wanted; /* names of the record headers to read */
    bool sink_commits;      /* the sink commits the offsets, in its transactions: the client does not */
    uint64_t commit_interval_ns, revoke_wait_ns;
    uint64_t held_bytes_max; /* limit of the memory for records that are fetched ahead */
};

struct ps_kafka_fetch;

/* Makes the client. It connects in the background. Takes milliseconds. */
struct ps_kafka_fetch *ps_kafka_reading_open(const struct ps_kafka_reading_config *config,
                                             struct ps_err *err);
/* Frees the client. If it has not left the group, the group notices its end only by the session time-out. */
void ps_kafka_reading_destroy(struct ps_kafka_fetch *fetch);

/* Returns the partitions, whose delivered records the caller notes. */
struct ps_kafka_streams *ps_kafka_reading_streams(struct ps_kafka_fetch *fetch);
/* Returns the member's identity in the group, for a sink that commits the offsets. */
const struct ps_kafka_membership *ps_kafka_reading_membership(const struct ps_kafka_fetch *fetch);

/* Called once a cycle: group events, revocations, commits; `paused`: nothing is read now, because a channel is full.
 * Returns the time of the next call at the latest. */
uint64_t ps_kafka_reading_tick(struct ps_kafka_fetch *fetch, bool paused, uint64_t mono_ns);
/* Hands records to ps_kafka_record_take until there are none or it wants no more. Returns the number of records that
 * were taken. */
uint32_t ps_kafka_reading_read(struct ps_kafka_fetch *fetch, struct ps_kafka_record_state *record);
/* Returns whether fetched records wait to be read. */
bool ps_kafka_reading_has_records(const struct ps_kafka_fetch *fetch);
/* Returns true when a record that was not taken is kept. */
bool ps_kafka_reading_has_kept(const struct ps_kafka_fetch *fetch);
/* Drops the kept record and all records that were fetched ahead; no more records are read. */
void ps_kafka_reading_forget(struct ps_kafka_fetch *fetch);
/* Returns whether the client failed for good; then sets `reason` to the cause and the cure. */
bool ps_kafka_reading_failed(const struct ps_kafka_fetch *fetch, struct ps_err *reason);
/* Returns what the client lacks, and why. Called at every cycle, after `tick`. */
enum ps_lack ps_kafka_reading_lack(struct ps_kafka_fetch *fetch, const char **why);
/* Returns true if all records that were read are delivered. */
bool ps_kafka_reading_is_drained(const struct ps_kafka_fetch *fetch);
/* Called, with `tick` in between, when all records that were read are delivered: commits their offsets, then leaves the
 * group. `late`: does not wait for the commit any longer. Returns true when it has left. */
bool ps_kafka_reading_end(struct ps_kafka_fetch *fetch, bool late);
/* Sets *count to the number of records of this member's partitions that were not committed when it began to leave, as
 * far as the brokers had told. Returns whether it is known of all of them. */
bool ps_kafka_reading_left_over(const struct ps_kafka_fetch *fetch, uint64_t *count);
