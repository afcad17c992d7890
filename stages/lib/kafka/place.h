/* The notes of one Kafka client in the agent's state directory, so that the next life of the agent can end at once what
 * a killed one has left behind: a number, which is part of the transactional id, and the member of the consumer group.
 *
 * A place is a small file, locked as long as the client is open. Two clients of one name get places of their own (NAME,
 * NAME.2, ..). The notes count only where they were written, and not in a copy of the directory, whose original may be
 * in use. It is not synced: after a power cut the brokers have ended everything themselves.
 *
 * Thread: the worker of the client's owner. `open` makes directories and reads a file; a note is one write of less than a
 * page, at a rebalance. */
#pragma once

#include "core/stage.h"

#define PS_KAFKA_PLACE_GROUP_BYTES 512U
#define PS_KAFKA_PLACE_MEMBERS_BYTES 2048U
#define PS_KAFKA_PLACE_NUMBER_BYTES 17U /* 16 digits, terminated */

struct ps_kafka_place {
    bool is_open; /* false: there is no place, and nothing is remembered */
    int fd;
    char number[PS_KAFKA_PLACE_NUMBER_BYTES];
    /* The members, and their group, that clients of this place were when they were killed, each with a tab behind it;
     * "": none. There are several if one was killed before it could make the last one leave. A tab before them: they were not
     * killed, but a client that could not go on has left them behind. */
    char group[PS_KAFKA_PLACE_GROUP_BYTES], members[PS_KAFKA_PLACE_MEMBERS_BYTES];
};

/* Where a place is. Texts live as long as the plan. */
struct ps_kafka_place_plan {
    const char *directory; /* the state directory; "": none is known; NULL: there is no place */
    const char *name;      /* "source-r1" */
    /* The errno for which the last try failed, after it was logged; -1: no directory is known; 0: it succeeded, or there was no try.
     * The instances of a component share it; NULL: each failure is logged. */
    int *told;
};

/* Returns whether a client of a group has a place: a static member keeps its id anyway. */
bool ps_kafka_place_has_member(const char *group_instance_id);
/* Returns whether a sink that delivers exactly once has a place: not if a channel or source keeps its number (`keeps_positions`),
 * or if the user names the transactions. */
bool ps_kafka_place_has_transactions(bool keeps_positions, const char *transaction_id);

/* Opens the place NAME-INSTANCE; draws its number if it is new or a copy. If the directory cannot be used, logs why, once for
 * as long as it lasts, and there is no place. */
void ps_kafka_place_open(struct ps_kafka_place *place, const struct ps_kafka_place_plan *plan,
                         unsigned instance, const char *component);
/* Does nothing for a place that is not open. */
void ps_kafka_place_close(struct ps_kafka_place *place);

/* Makes the plan of a component's place: `kind` is "source", .. Thread: control, in `build`. */
struct ps_kafka_place_plan ps_kafka_place_plan_of(const struct ps_context *context, const char *kind);

/* Notes the members of the group that the next client of this place must make leave, each with a tab behind it; "": none. */
void ps_kafka_place_note(struct ps_kafka_place *place, const char *group, const char *members);
