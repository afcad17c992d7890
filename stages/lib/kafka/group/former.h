/* The members of the group that earlier lives of this agent were, and that could not leave because they were killed. While
 * the group still has one, a new member waits until the session of the old one is over.
 *
 * The place of the source (kafka/place.h) remembers them. They leave while the JoinGroup of the new member is under
 * way: a group without any member would wait for others when the new one comes (group.initial.rebalance.delay.ms). A
 * coordinator answers the requests of one connection in turn, and JoinGroup only when all members have joined, so the
 * request uses the connection for records.
 *
 * Thread: the source's worker. */
#pragma once

#include "stages/lib/kafka/place.h"

struct ps_kafka_fetch;
struct ps_kafka_native_request;
struct ps_kafka_reading_config;
struct ps_wire_in;

struct ps_kafka_former {
    struct ps_kafka_place *place;               /* NULL: nothing is remembered */
    char members[PS_KAFKA_PLACE_MEMBERS_BYTES]; /* each with a tab behind it; the first one leaves next */
    uint64_t joining_ns;                        /* when the last JoinGroup was sent */
    uint64_t rest_ns;                           /* no request before this time */
    bool failed;                                /* they failed: no life of the agent has ended */
    bool asked;                                 /* a LeaveGroup is under way, with this correlation id */
    int32_t asked_by;
};

void ps_kafka_former_open(struct ps_kafka_fetch *fetch, const struct ps_kafka_reading_config *config);
/* Called when the coordinator has given this member an id, or when it has left (the id is ""). */
void ps_kafka_former_note(struct ps_kafka_fetch *fetch, const char *id);
/* Called when the group has a new generation with this member: all others that it has are alive. */
void ps_kafka_former_forget(struct ps_kafka_fetch *fetch);
/* Called at the end of a client that could not go on, and has not left the group. */
void ps_kafka_former_leave_behind(struct ps_kafka_fetch *fetch);
void ps_kafka_former_turn(struct ps_kafka_fetch *fetch);
uint64_t ps_kafka_former_due_ns(const struct ps_kafka_fetch *fetch);
/* Handle the answer to a LeaveGroup request, or its loss. Return false if it is not one for a former member. */
bool ps_kafka_former_answer(struct ps_kafka_fetch *fetch, const struct ps_kafka_native_request *request,
                            struct ps_wire_in *in);
bool ps_kafka_former_lost(struct ps_kafka_fetch *fetch, const struct ps_kafka_native_request *request);
