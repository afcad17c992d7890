/* Changes of the member's state by other files of this folder: errors by which the member has lost its
 * partitions, or must join again. */
#include "stages/lib/kafka/fetch/fetch_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REST_NS (500 * PS_NS_PER_MS)      /* pause after an error that may pass */
#define REFUSED_REST_NS (2 * PS_NS_PER_S) /* pause after one that an operator must correct */

void ps_kafka_member_set_id(struct ps_kafka_fetch_member *member, const char *id, uint32_t length)
{
    if (member->id == NULL || strlen(member->id) != length || memcmp(member->id, id, length) != 0)
        member->abandoned_generation = -1;
    free(member->id);
    member->id = ps_must_alloc(1, (size_t)length + 1, "the group's member");
    if (length > 0)
        memcpy(member->id, id, length);
    member->id[length] = '\0';
}

struct ps_kafka_native_broker *ps_kafka_member_coordinator(struct ps_kafka_fetch *fetch)
{
    return ps_kafka_native_coordinator_broker(fetch->client, &fetch->member.coordinator);
}

/* These connections have only the group's requests. After the drop the member's state says that no request is
 * under way. */
void ps_kafka_member_drop_coordinators(struct ps_kafka_fetch *fetch, bool all)
{
    int32_t node = fetch->member.coordinator.node;
    for (struct ps_kafka_native_broker *broker = fetch->client->brokers; broker != NULL;
         broker = broker->next) {
        bool former = broker->gone || (node >= 0 && broker->node != node);
        if (broker->node < PS_KAFKA_NATIVE_COORDINATOR / 2 || broker->first == NULL || (!all && !former))
            continue;
        ps_kafka_native_broker_drop(broker);
        /* metadata may have been requested over this connection */
        ps_kafka_native_want_metadata(fetch->client);
    }
}

void ps_kafka_member_revoke(struct ps_kafka_fetch *fetch, bool lost)
{
    struct ps_kafka_fetch_member *member = &fetch->member;
    for (uint32_t i = 0; i < fetch->streams.count; i++) {
        if (fetch->streams.items[i].state == PS_KAFKA_STREAM_OWNED)
            fetch->streams.items[i].state = PS_KAFKA_STREAM_REVOKING;
    }
    member->gives_up = false;
    ps_kafka_fetched_drop(fetch);
    member->phase = PS_KAFKA_MEMBER_REVOKING;
    member->lost = lost;
    member->rejoin = false;
    member->revoke_until_ns = fetch->mono_ns + fetch->revoke_wait_ns;
    fetch->commits.refused = 0;
}

void ps_kafka_member_rejoin(struct ps_kafka_fetch *fetch)
{
    fetch->member.rejoin = true;
}

void ps_kafka_member_rebalance(struct ps_kafka_fetch *fetch)
{
    fetch->member.mark++;
    fetch->member.rejoin = true;
}

/* Called when the group has removed a member that is joining: drops the partitions that it has kept over the
 * rebalance. */
static void leave_rebalance(struct ps_kafka_fetch *fetch)
{
    struct ps_kafka_fetch_member *member = &fetch->member;
    if (member->phase == PS_KAFKA_MEMBER_SYNCING || member->phase == PS_KAFKA_MEMBER_LEADING)
        member->phase = PS_KAFKA_MEMBER_OUT;
    if (!ps_kafka_parts_are_held(fetch))
        return;
    ps_log(PS_LOG_INFO, fetch->port->component,
           "the group has removed this member: its partitions are given up, and other members read the "
           "uncommitted records again");
    member->abandoned_generation = member->generation;
    ps_kafka_parts_drop(fetch);
}

void ps_kafka_member_disown(struct ps_kafka_fetch *fetch, int16_t error)
{
    struct ps_kafka_fetch_member *member = &fetch->member;
    if (error == PS_KAFKA_ERROR_FENCED_INSTANCE_ID) {
        ps_kafka_fetch_die(fetch, "the consumer cannot continue: %s (%s); %s",
                           rd_kafka_err2str(RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID),
                           rd_kafka_err2name(RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID),
                           ps_kafka_error_find(error)->remedy);
        return;
    }
    if (error == PS_KAFKA_ERROR_UNKNOWN_MEMBER_ID)
        ps_kafka_member_set_id(member, "", 0);
    if (member->phase == PS_KAFKA_MEMBER_STABLE)
        ps_kafka_member_revoke(fetch, true);
    else if (member->phase == PS_KAFKA_MEMBER_REVOKING)
        member->lost = true;
    else
        leave_rebalance(fetch);
}

void ps_kafka_member_misread(struct ps_kafka_fetch *fetch, const char *what)
{
    fetch->member.rest_ns = fetch->mono_ns + REFUSED_REST_NS;
    ps_kafka_reports_error(&fetch->reports, PS_KAFKA_LIBRARY_INCONSISTENT,
                           "group %.100s: %s is in a form that this client does not know", fetch->group,
                           what);
}

static bool must_be_corrected(int16_t error)
{
    return error == PS_KAFKA_ERROR_INCONSISTENT_GROUP_PROTOCOL ||
           error == PS_KAFKA_ERROR_INVALID_SESSION_TIMEOUT ||
           error == PS_KAFKA_ERROR_GROUP_AUTHORIZATION_FAILED || error == PS_KAFKA_ERROR_UNSUPPORTED_VERSION;
}

void ps_kafka_member_failed(struct ps_kafka_fetch *fetch, int16_t error, const char *what)
{
    struct ps_kafka_fetch_member *member = &fetch->member;
    member->rest_ns = fetch->mono_ns + (must_be_corrected(error) ? REFUSED_REST_NS : REST_NS);
    switch (error) {
    case PS_KAFKA_ERROR_COORDINATOR_NOT_AVAILABLE:
    case PS_KAFKA_ERROR_NOT_COORDINATOR:
        ps_kafka_native_coordinator_forget(fetch->client, &member->coordinator);
        return;
    case PS_KAFKA_ERROR_COORDINATOR_LOAD_IN_PROGRESS:
        return;
    case PS_KAFKA_ERROR_ILLEGAL_GENERATION:
    case PS_KAFKA_ERROR_UNKNOWN_MEMBER_ID:
    case PS_KAFKA_ERROR_FENCED_INSTANCE_ID:
        member->rest_ns = 0;
        ps_kafka_member_disown(fetch, error);
        return;
    default:
        ps_kafka_reports_error(&fetch->reports, error, "%s, group %s: %s", what, fetch->group,
                               rd_kafka_err2str((rd_kafka_resp_err_t)error));
        return;
    }
}
