/* A member of a consumer group (the classic protocol: KIP-62; static members: KIP-345; ids: KIP-394).
 *
 * The eager protocol: when the group rebalances, a member first gives all of its partitions up, then joins
 * again and gets new partitions. The cooperative protocol (KIP-429): it joins immediately, reports the
 * partitions that it has, and continues to read them; then it gives up the partitions that it was not
 * assigned again, and joins once more, so that other members get these partitions.
 *
 * Partitions that are given up are no longer read; the member waits until what was read is delivered and
 * committed, as kafka/librdkafka/rebalance.h says. It joins only then, and continues to send heartbeats
 * meanwhile. */
#include "stages/lib/kafka/group/assignment.h"
#include "stages/lib/kafka/fetch/fetch_internal.h"
#include "stages/lib/least.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REFUSED_MAX 4U                      /* refused commits in a row during a revocation */
#define MISFIT_REST_NS (500 * PS_NS_PER_MS) /* pause after a second assignment with topics of others */
#define JOIN_PATIENCE_NS (10 * PS_NS_PER_S) /* in addition to the time that members have to join */

void ps_kafka_member_open(struct ps_kafka_fetch *fetch, const struct ps_kafka_reading_config *config)
{
    struct ps_kafka_fetch_member *member = &fetch->member;
    const struct ps_port *port = config->port;
    const char *instance_id = config->settings->texts.group_instance_id;
    member->coordinator = (struct ps_kafka_native_coordinator){
        .key = {fetch->group, (uint32_t)strlen(fetch->group)}, .type = 0, .node = -1};
    member->generation = -1;
    ps_kafka_member_set_id(member, "", 0);
    if (instance_id != NULL && port->instance > 0)
        snprintf(member->instance, sizeof member->instance, "%s-%u", instance_id, port->instance);
    else if (instance_id != NULL)
        snprintf(member->instance, sizeof member->instance, "%s", instance_id);
}

void ps_kafka_member_close(struct ps_kafka_fetch *fetch)
{
    ps_kafka_leader_end(fetch);
    ps_kafka_leader_follow_none(&fetch->member);
    free(fetch->member.id);
    free(fetch->membership_id);
}

/* ---- giving partitions up ---- */

static uint32_t count_revoking(const struct ps_kafka_fetch *fetch)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < fetch->streams.count; i++)
        count += fetch->streams.items[i].state == PS_KAFKA_STREAM_REVOKING;
    return count;
}

static void end_revocation(struct ps_kafka_fetch *fetch, bool committed, const char *how)
{
    uint32_t count = count_revoking(fetch);
    if (!committed)
        fetch->member.abandoned_generation = fetch->member.generation;
    if (fetch->member.gives_up)
        ps_kafka_parts_drop_revoked(fetch);
    else
        ps_kafka_parts_drop(fetch);
    fetch->member.phase = PS_KAFKA_MEMBER_OUT;
    fetch->member.lost = fetch->member.gives_up = false;
    if (count > 0)
        ps_log(PS_LOG_INFO, fetch->port->component, "%u partition(s) given up: %s", count, how);
}

static void continue_revocation(struct ps_kafka_fetch *fetch)
{
    bool dirty = false;
    if (fetch->member.lost) {
        end_revocation(
            fetch, false,
            "the group has removed this member; others read again the records that were not committed");
    } else if (ps_kafka_streams_revoked_are_drained(&fetch->streams, &dirty) && !dirty &&
               !fetch->commits.asked) {
        end_revocation(fetch, true, "all records that were read are delivered and committed");
    } else if (fetch->commits.refused >= REFUSED_MAX) {
        end_revocation(fetch, false,
                       "the broker refuses commits; other members read the uncommitted records again");
    } else if (fetch->mono_ns >= fetch->member.revoke_until_ns) {
        ps_log(PS_LOG_WARN, fetch->port->component,
               "records of revoked partitions were not delivered in time (%" PRIu64
               " ms): other members read them again",
               fetch->revoke_wait_ns / PS_NS_PER_MS);
        end_revocation(fetch, false, "the time limit has passed");
    } else if (dirty) {
        fetch->commits.dirty = true;
        ps_kafka_commit_when(fetch, 0);
    }
}

/* Called when the group rebalances. */
static void begin_rebalance(struct ps_kafka_fetch *fetch)
{
    if (!fetch->settings.cooperative)
        ps_kafka_member_revoke(fetch, false);
    else if (!fetch->member.gives_up) /* otherwise the member joins again when its partitions are given up */
        fetch->member.phase = PS_KAFKA_MEMBER_OUT;
}

/* ---- joining ---- */

static bool is_text(const char *text, uint32_t length, const char *other)
{
    return text != NULL && length == strlen(other) && memcmp(text, other, length) == 0;
}

static void join_failed(struct ps_kafka_fetch *fetch, int16_t error)
{
    struct ps_kafka_fetch_member *member = &fetch->member;
    if (error == PS_KAFKA_ERROR_MEMBER_ID_REQUIRED)
        return; /* the answer has the member id */
    if (error == PS_KAFKA_ERROR_UNKNOWN_MEMBER_ID || error == PS_KAFKA_ERROR_ILLEGAL_GENERATION) {
        ps_kafka_member_set_id(member, "", 0);
        ps_kafka_member_disown(fetch, error);
    } else {
        ps_kafka_member_failed(fetch, error, "JoinGroup");
    }
}

static struct ps_kafka_native_request *request_leave(struct ps_kafka_fetch *fetch,
                                                     const struct ps_kafka_native_broker *broker)
{
    return ps_kafka_member_request_leave(fetch, ps_kafka_native_version(broker, PS_KAFKA_NATIVE_LEAVE_GROUP),
                                         fetch->member.id, strlen(fetch->member.id));
}

/* Called when the group has not noticed that this member gave its partitions up: its generation is still the same,
 * for example after the coordinator was down for longer than the session. A sink could still commit in this
 * generation, while the same records are read again. The coordinator refuses such commits after this member has left,
 * or after another member got its instance id (KIP-345). */
static void become_another(struct ps_kafka_fetch *fetch)
{
    struct ps_kafka_fetch_member *member = &fetch->member;
    struct ps_kafka_native_broker *broker =
        member->instance[0] == '\0' ? ps_kafka_member_coordinator(fetch) : NULL;
    struct ps_kafka_native_request *request = broker != NULL ? request_leave(fetch, broker) : NULL;
    if (request != NULL) /* otherwise the group removes it when its session ends */
        ps_kafka_native_broker_send(broker, request);
    ps_kafka_member_set_id(member, "", 0);
    ps_log(PS_LOG_INFO, fetch->port->component,
           "the group did not notice that this member gave its partitions up: it joins again as another "
           "member");
}

/* Called when the group has the member in a generation. After a restart of a static member the group may keep its
 * assignment. If the member is the leader, it is told to skip the assignment, from version 9 on; before,
 * another member seems to be the leader, the one that it was before the restart (KIP-814). And the leader may not know
 * to which topics a member that has come back is subscribed now. So such a member watches its own topics until the
 * next rebalance. Returns false if the answer cannot be read. */
static bool follow_or_lead(struct ps_kafka_fetch *fetch, bool leads, bool skips, int16_t version,
                           struct ps_wire_in *in)
{
    struct ps_kafka_fetch_member *member = &fetch->member;
    member->phase = PS_KAFKA_MEMBER_SYNCING;
    if (!leads && !member->returned) {
        ps_kafka_leader_follow_none(member);
        return true;
    }
    member->leading_ns = fetch->mono_ns;
    member->known_ns = fetch->client->metadata.answered_ns;
    ps_kafka_native_want_metadata(fetch->client);
    if (!leads) {
        ps_kafka_leader_watch_own(fetch);
        return true;
    }
    member->phase = PS_KAFKA_MEMBER_LEADING;
    if (!ps_kafka_leader_begin(fetch, in, version))
        return false;
    if (skips && member->phase == PS_KAFKA_MEMBER_LEADING) {
        ps_kafka_leader_end(fetch);
        member->phase = PS_KAFKA_MEMBER_SYNCING;
    }
    return true;
}

static bool joined(struct ps_kafka_fetch *fetch, const struct ps_kafka_native_request *request,
                   struct ps_wire_in *in)
{
    struct ps_kafka_fetch_member *member = &fetch->member;
    uint32_t protocol_length, leader_length, id_length;
    int16_t error = ps_wire_get_int16(in);
    int32_t generation = ps_wire_get_int32(in);
    if (in->flexible)
        (void)ps_wire_get_string(in, &protocol_length); /* the type of the protocol */
    const char *protocol = ps_wire_get_string(in, &protocol_length);
    const char *leader = ps_wire_get_string(in, &leader_length);
    bool skips = in->flexible && ps_wire_get_int8(in) != 0;
    const char *id = ps_wire_get_string(in, &id_length);
    member->asked = false;
    if (member->phase != PS_KAFKA_MEMBER_JOINING)
        return true; /* the member is leaving */
    member->phase = PS_KAFKA_MEMBER_OUT;
    if (in->failed || leader == NULL || id == NULL)
        return false;
    if (error == 0 || error == PS_KAFKA_ERROR_MEMBER_ID_REQUIRED) {
        bool is_new = !is_text(id, id_length, member->id); /* another id than before */
        ps_kafka_member_set_id(member, id, id_length);
        if (is_new)
            ps_kafka_former_note(fetch, member->id);
    }
    if (error != 0) {
        join_failed(fetch, error);
        return true;
    }
    if (generation <= member->abandoned_generation) {
        become_another(fetch);
        return true;
    }
    ps_kafka_former_forget(fetch);
    member->generation = generation;
    member->answered_ns = fetch->mono_ns; /* the wait for others may have taken longer than the session */
    member->assignor = PS_KAFKA_RANGE;
    for (unsigned i = 0; i < PS_KAFKA_ASSIGNOR_COUNT; i++) {
        if (is_text(protocol, protocol_length, ps_kafka_assignor_names[i]))
            member->assignor = (enum ps_kafka_assignor)i;
    }
    return follow_or_lead(fetch, is_text(leader, leader_length, member->id), skips, request->version, in);
}

/* Takes a partition of the assignment. A partition that the member has kept is read on; any other partition
 * is new. One of a topic to which the member is not subscribed is not taken. */
static void take_partition(void *argument, struct ps_slice topic, int32_t partition)
{
    struct ps_kafka_fetch *fetch = argument;
    uint32_t stream;
    if (!ps_kafka_fetch_is_subscribed(fetch, topic)) {
        fetch->member.misfits = true;
        return;
    }
    struct ps_kafka_fetch_part *part = ps_kafka_parts_find(fetch, topic, partition, &stream);
    if (part != NULL && fetch->streams.items[stream].state == PS_KAFKA_STREAM_OWNED)
        part->assigned = true;
    else
        ps_kafka_parts_take(fetch, topic, partition);
}

/* Takes the assigned partitions, and begins to give up the partitions that the assignment lacks. The assignment can be
 * read. */
static void take_assignment(struct ps_kafka_fetch *fetch, const char *bytes, uint32_t length)
{
    struct ps_kafka_fetch_member *member = &fetch->member;
    member->misfits = false;
    for (uint32_t i = 0; i < fetch->part_count; i++)
        fetch->parts[i].assigned = false;
    (void)ps_kafka_assignment_read(bytes, length, take_partition, fetch);
    for (uint32_t i = 0; i < fetch->part_count; i++) {
        if (fetch->streams.items[i].state != PS_KAFKA_STREAM_OWNED || fetch->parts[i].assigned)
            continue;
        fetch->streams.items[i].state = PS_KAFKA_STREAM_REVOKING;
        member->gives_up = true;
    }
    member->revoke_until_ns = fetch->mono_ns + fetch->revoke_wait_ns;
    fetch->commits.refused = 0;
}

/* Called with a new assignment. The group keeps the assignment of a static member that comes back in time, whatever
 * the member's topics are now: if it has another topic, the member makes the group rebalance; else coverage.c looks
 * whether all of its topics are read. */
static void judge_assignment(struct ps_kafka_fetch *fetch)
{
    struct ps_kafka_fetch_member *member = &fetch->member;
    member->coverage =
        member->returned && !member->misfits ? PS_KAFKA_COVERAGE_DOUBTED : PS_KAFKA_COVERAGE_GOOD;
    member->returned = false;
    if (!member->misfits) {
        member->misfit_count = 0;
        return;
    }
    ps_log(member->misfit_count == 0 ? PS_LOG_INFO : PS_LOG_WARN, fetch->port->component,
           "the group's assignment has topics to which this member is not subscribed: it joins again");
    if (member->misfit_count++ > 0)
        member->rest_ns = fetch->mono_ns + MISFIT_REST_NS;
    ps_kafka_member_rebalance(fetch);
}

/* Sets the membership under which records are read from now on. */
static void set_membership(struct ps_kafka_fetch *fetch)
{
    struct ps_kafka_membership *membership = &fetch->membership;
    const struct ps_kafka_fetch_member *member = &fetch->member;
    free(fetch->membership_id);
    fetch->membership_id = ps_must_copy_text(member->id, "the group's member");
    membership->member = (struct ps_slice){fetch->membership_id, (uint32_t)strlen(fetch->membership_id)};
    membership->instance = (struct ps_slice){member->instance, (uint32_t)strlen(member->instance)};
    membership->cluster = (struct ps_slice){fetch->client->cluster, (uint32_t)strlen(fetch->client->cluster)};
    membership->generation = member->generation;
}

static bool synced(struct ps_kafka_fetch *fetch, struct ps_wire_in *in)
{
    struct ps_kafka_fetch_member *member = &fetch->member;
    int16_t error = ps_wire_get_int16(in);
    uint32_t length = ps_wire_get_count(in, 1);
    const char *bytes = ps_wire_take(in, length);
    member->asked = false;
    if (member->phase != PS_KAFKA_MEMBER_SYNCING)
        return true;
    member->phase = PS_KAFKA_MEMBER_OUT;
    if (in->failed)
        return false;
    if (error == PS_KAFKA_ERROR_REBALANCE_IN_PROGRESS || error == PS_KAFKA_ERROR_INVALID_REQUEST)
        /* The member joins again. librdkafka's mock cluster answers INVALID_REQUEST if this SyncGroup comes
         * after the leader's. */
        return true;
    if (error != 0) {
        if (error == PS_KAFKA_ERROR_UNKNOWN_MEMBER_ID || error == PS_KAFKA_ERROR_ILLEGAL_GENERATION)
            ps_kafka_member_disown(fetch, error);
        else
            ps_kafka_member_failed(fetch, error, "SyncGroup");
        return true;
    }
    if (!ps_kafka_assignment_read(bytes, length, NULL, NULL)) {
        ps_kafka_member_misread(fetch, "what the group's leader assigns");
        return true;
    }
    member->phase = PS_KAFKA_MEMBER_STABLE;
    member->abandoned_generation = -1; /* the group has stored the new generation */
    member->heartbeat_ns = member->answered_ns = fetch->mono_ns;
    set_membership(fetch);
    take_assignment(fetch, bytes, length);
    judge_assignment(fetch);
    uint32_t count = 0;
    for (uint32_t i = 0; i < fetch->streams.count; i++)
        count += fetch->streams.items[i].state == PS_KAFKA_STREAM_OWNED;
    if (count > 0)
        ps_log(PS_LOG_INFO, fetch->port->component, "%u partition(s) assigned by the group", count);
    return true;
}

static bool beaten(struct ps_kafka_fetch *fetch, struct ps_wire_in *in)
{
    struct ps_kafka_fetch_member *member = &fetch->member;
    int16_t error = ps_wire_get_int16(in);
    member->heartbeat_asked = false;
    if (in->failed)
        return false;
    if (member->phase != PS_KAFKA_MEMBER_STABLE && member->phase != PS_KAFKA_MEMBER_REVOKING)
        return true;
    if (error == 0 || error == PS_KAFKA_ERROR_REBALANCE_IN_PROGRESS)
        member->answered_ns = fetch->mono_ns;
    if (error == PS_KAFKA_ERROR_REBALANCE_IN_PROGRESS && member->phase == PS_KAFKA_MEMBER_STABLE)
        begin_rebalance(fetch);
    else if (error != 0 && error != PS_KAFKA_ERROR_REBALANCE_IN_PROGRESS)
        ps_kafka_member_failed(fetch, error, "Heartbeat");
    return true;
}

bool ps_kafka_member_answer(struct ps_kafka_fetch *fetch, struct ps_kafka_native_request *request,
                            struct ps_wire_in *in)
{
    switch (request->kind) {
    case PS_KAFKA_NATIVE_JOIN_GROUP:
        return joined(fetch, request, in);
    case PS_KAFKA_NATIVE_SYNC_GROUP:
        return synced(fetch, in);
    case PS_KAFKA_NATIVE_HEARTBEAT:
        return beaten(fetch, in);
    default: /* LeaveGroup, when the source stops, or joins again as another member */
        if (ps_kafka_former_answer(fetch, request, in))
            return true;
        if (fetch->member.phase == PS_KAFKA_MEMBER_LEAVING) {
            fetch->member.phase = PS_KAFKA_MEMBER_LEFT;
            ps_kafka_former_note(fetch, "");
        }
        return true;
    }
}

void ps_kafka_member_lost(struct ps_kafka_fetch *fetch, const struct ps_kafka_native_request *request)
{
    struct ps_kafka_fetch_member *member = &fetch->member;
    switch (request->kind) {
    case PS_KAFKA_NATIVE_FIND_COORDINATOR:
        break;
    case PS_KAFKA_NATIVE_JOIN_GROUP:
    case PS_KAFKA_NATIVE_SYNC_GROUP:
        member->asked = false;
        if (member->phase == PS_KAFKA_MEMBER_JOINING || member->phase == PS_KAFKA_MEMBER_SYNCING)
            member->phase = PS_KAFKA_MEMBER_OUT;
        break;
    case PS_KAFKA_NATIVE_HEARTBEAT:
        member->heartbeat_asked = false;
        break;
    case PS_KAFKA_NATIVE_LEAVE_GROUP:
        if (ps_kafka_former_lost(fetch, request))
            break;
        if (member->phase == PS_KAFKA_MEMBER_LEAVING)
            member->phase = PS_KAFKA_MEMBER_LEFT;
        break;
    default:
        break;
    }
}

/* ---- turns ---- */

static void send_step(struct ps_kafka_fetch *fetch, struct ps_kafka_native_broker *broker,
                      struct ps_kafka_native_request *request, enum ps_kafka_member_phase phase)
{
    if (request == NULL)
        return;
    fetch->member.asked = true;
    fetch->member.phase = phase;
    ps_kafka_native_broker_send(broker, request);
}

/* Returns whether the topics are known. The topics of a pattern are known after the first metadata. */
static bool may_join(const struct ps_kafka_fetch *fetch)
{
    return fetch->subscription.pattern == NULL || fetch->subscription.found_ns != 0;
}

static void join(struct ps_kafka_fetch *fetch, struct ps_kafka_native_broker *broker)
{
    struct ps_kafka_fetch_member *member = &fetch->member;
    int16_t version = ps_kafka_native_version(broker, PS_KAFKA_NATIVE_JOIN_GROUP);
    if (!may_join(fetch))
        return;
    if (version < 0 || (member->instance[0] != '\0' && version < 5)) {
        ps_kafka_fetch_die(fetch, "the brokers are too old for %s",
                           version < 0 ? "consumer groups"
                                       : "group.instance.id, which came with Kafka 2.3: remove "
                                         "kafka.consumer.group.instance.id");
        return;
    }
    ps_kafka_leader_end(fetch);
    member->rejoin = false;
    member->returned |= member->instance[0] != '\0' && member->id[0] == '\0';
    fetch->former.joining_ns = fetch->mono_ns;
    struct ps_kafka_native_request *request = ps_kafka_member_request_join(fetch, version);
    /* the coordinator answers when all members have joined, or their time to join is over */
    if (request != NULL)
        request->timeout_ns = (uint64_t)fetch->settings.rebalance_ms * PS_NS_PER_MS + JOIN_PATIENCE_NS;
    send_step(fetch, broker, request, PS_KAFKA_MEMBER_JOINING);
}

static void sync_group(struct ps_kafka_fetch *fetch, struct ps_kafka_native_broker *broker)
{
    int16_t version = ps_kafka_native_version(broker, PS_KAFKA_NATIVE_SYNC_GROUP);
    struct ps_kafka_native_request *request = fetch->member.phase == PS_KAFKA_MEMBER_LEADING
                                                  ? ps_kafka_leader_request(fetch, version)
                                                  : ps_kafka_member_request_sync(fetch, version, NULL, NULL);
    if (request != NULL)
        request->timeout_ns = (uint64_t)fetch->settings.rebalance_ms * PS_NS_PER_MS + JOIN_PATIENCE_NS;
    send_step(fetch, broker, request, PS_KAFKA_MEMBER_SYNCING);
}

static void beat(struct ps_kafka_fetch *fetch, struct ps_kafka_native_broker *broker)
{
    struct ps_kafka_fetch_member *member = &fetch->member;
    if (member->heartbeat_asked || member->lost ||
        fetch->mono_ns < member->heartbeat_ns + fetch->settings.heartbeat_ns)
        return;
    struct ps_kafka_native_request *request =
        ps_kafka_member_request_heartbeat(fetch, ps_kafka_native_version(broker, PS_KAFKA_NATIVE_HEARTBEAT));
    if (request == NULL)
        return;
    member->heartbeat_asked = true;
    member->heartbeat_ns = fetch->mono_ns;
    ps_kafka_native_broker_send(broker, request);
}

/* If the coordinator has not answered for the session's time, other members have the partitions by now. */
static void check_session(struct ps_kafka_fetch *fetch)
{
    struct ps_kafka_fetch_member *member = &fetch->member;
    bool keeps = member->phase == PS_KAFKA_MEMBER_OUT && ps_kafka_parts_are_held(fetch);
    bool has_session = member->phase == PS_KAFKA_MEMBER_STABLE || keeps ||
                       (member->phase == PS_KAFKA_MEMBER_REVOKING && !member->lost);
    if (has_session &&
        fetch->mono_ns >= member->answered_ns + (uint64_t)fetch->settings.session_ms * PS_NS_PER_MS)
        ps_kafka_member_disown(fetch, PS_KAFKA_ERROR_ILLEGAL_GENERATION);
}

void ps_kafka_member_turn(struct ps_kafka_fetch *fetch)
{
    struct ps_kafka_fetch_member *member = &fetch->member;
    if (member->phase == PS_KAFKA_MEMBER_LEFT)
        return;
    ps_kafka_member_drop_coordinators(fetch, false);
    check_session(fetch);
    if (member->phase == PS_KAFKA_MEMBER_STABLE && member->rejoin)
        begin_rebalance(fetch);
    if (member->phase == PS_KAFKA_MEMBER_REVOKING ||
        (member->phase == PS_KAFKA_MEMBER_STABLE && member->gives_up))
        continue_revocation(fetch);
    if (fetch->stopped && member->phase == PS_KAFKA_MEMBER_OUT)
        return; /* the source stops, so the member does not join again */
    if (fetch->mono_ns < member->rest_ns || fetch->fatal || member->asked)
        return;
    struct ps_kafka_native_broker *broker = ps_kafka_member_coordinator(fetch);
    if (broker == NULL)
        return;
    switch (member->phase) {
    case PS_KAFKA_MEMBER_OUT:
        join(fetch, broker);
        break;
    case PS_KAFKA_MEMBER_LEADING:
    case PS_KAFKA_MEMBER_SYNCING:
        sync_group(fetch, broker);
        break;
    case PS_KAFKA_MEMBER_STABLE:
        ps_kafka_coverage_turn(fetch, broker);
        beat(fetch, broker);
        break;
    case PS_KAFKA_MEMBER_REVOKING:
        beat(fetch, broker);
        break;
    case PS_KAFKA_MEMBER_LEAVING:
        send_step(fetch, broker, request_leave(fetch, broker), PS_KAFKA_MEMBER_LEAVING);
        break;
    case PS_KAFKA_MEMBER_JOINING:
    case PS_KAFKA_MEMBER_LEFT:
        break;
    }
}

void ps_kafka_member_leave(struct ps_kafka_fetch *fetch)
{
    struct ps_kafka_fetch_member *member = &fetch->member;
    bool known =
        /* static members do not leave: the group keeps them until their session ends */
        member->id[0] != '\0' && member->instance[0] == '\0';
    if (member->asked) /* the answer may take as long as others need to join */
        ps_kafka_member_drop_coordinators(fetch, true);
    ps_kafka_parts_drop(fetch);
    member->asked = member->gives_up = false;
    member->rest_ns = 0;
    member->phase = known ? PS_KAFKA_MEMBER_LEAVING : PS_KAFKA_MEMBER_LEFT;
}

/* Returns when the next request to the coordinator can be sent, but not before `from_ns`. */
static uint64_t ask_due_ns(const struct ps_kafka_fetch *fetch, uint64_t from_ns)
{
    uint64_t due_ns = ps_kafka_native_coordinator_due_ns(fetch->client, &fetch->member.coordinator);
    due_ns = due_ns > from_ns ? due_ns : from_ns;
    return due_ns > fetch->member.rest_ns ? due_ns : fetch->member.rest_ns;
}

uint64_t ps_kafka_member_due_ns(const struct ps_kafka_fetch *fetch)
{
    const struct ps_kafka_fetch_member *member = &fetch->member;
    uint64_t due_ns = PS_NEVER;
    switch (member->phase) {
    case PS_KAFKA_MEMBER_OUT:
        return may_join(fetch) && !fetch->stopped ? ask_due_ns(fetch, 0) : PS_NEVER;
    case PS_KAFKA_MEMBER_SYNCING:
    case PS_KAFKA_MEMBER_LEAVING:
        return member->asked ? PS_NEVER : ask_due_ns(fetch, 0);
    case PS_KAFKA_MEMBER_STABLE:
    case PS_KAFKA_MEMBER_REVOKING:
        if (!member->heartbeat_asked)
            due_ns = ask_due_ns(fetch, member->heartbeat_ns + fetch->settings.heartbeat_ns);
        due_ns = ps_least(due_ns, member->answered_ns + (uint64_t)fetch->settings.session_ms * PS_NS_PER_MS);
        if (member->phase == PS_KAFKA_MEMBER_REVOKING || member->gives_up)
            due_ns = ps_least(due_ns, member->revoke_until_ns);
        return due_ns;
    case PS_KAFKA_MEMBER_JOINING:
    case PS_KAFKA_MEMBER_LEADING: /* woken by metadata, or by the engine's tick */
    case PS_KAFKA_MEMBER_LEFT:
        break;
    }
    return due_ns;
}
