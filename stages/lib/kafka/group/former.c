#include "stages/lib/kafka/group/former.h"

#include "stages/lib/kafka/fetch/fetch_internal.h"

#include <stdio.h>
#include <string.h>

/* The coordinator must have the JoinGroup before the LeaveGroup, which comes over another connection. If no answer has come
 * after this time, the group waits for some member. */
#define JOINING_NS (200 * PS_NS_PER_MS)
#define REST_NS (500 * PS_NS_PER_MS) /* after an error that may pass */

void ps_kafka_former_open(struct ps_kafka_fetch *fetch, const struct ps_kafka_reading_config *config)
{
    struct ps_kafka_former *former = &fetch->former;
    struct ps_kafka_place *place = config->place;
    /* a static member takes the place of the one before it (KIP-345) */
    if (place == NULL || !place->is_open || config->settings->texts.group_instance_id != NULL)
        return;
    former->place = place;
    if (strcmp(place->group, fetch->group) != 0)
        return;
    former->failed = place->members[0] == '\t';
    snprintf(former->members, sizeof former->members, "%s", place->members + former->failed);
}

void ps_kafka_former_note(struct ps_kafka_fetch *fetch, const char *id)
{
    struct ps_kafka_former *former = &fetch->former;
    char all[PS_KAFKA_PLACE_MEMBERS_BYTES];
    if (former->place == NULL || strchr(id, '\t') != NULL)
        return;
    int length = id[0] == '\0' ? snprintf(all, sizeof all, "%s", former->members)
                               : snprintf(all, sizeof all, "%s\t%s", id, former->members);
    bool fits = length >= 0 && (size_t)length < sizeof all;
    if (!fits) /* the oldest ones are over soon */
        length = snprintf(all, sizeof all, "%s\t", id);
    if (length >= 0 && (size_t)length < sizeof all)
        ps_kafka_place_note(former->place, fetch->group, all);
}

void ps_kafka_former_forget(struct ps_kafka_fetch *fetch)
{
    bool any = fetch->former.members[0] != '\0';
    fetch->former.members[0] = '\0';
    if (any)
        ps_kafka_former_note(fetch, fetch->member.id);
}

void ps_kafka_former_leave_behind(struct ps_kafka_fetch *fetch)
{
    const struct ps_kafka_place *place = fetch->former.place;
    char all[PS_KAFKA_PLACE_MEMBERS_BYTES];
    if (place == NULL || place->members[0] == '\0' || place->members[0] == '\t')
        return;
    int length = snprintf(all, sizeof all, "\t%s", place->members);
    if (length > 0 && (size_t)length < sizeof all)
        ps_kafka_place_note(fetch->former.place, fetch->group, all);
}

static struct ps_kafka_native_broker *broker_of(struct ps_kafka_fetch *fetch)
{
    int32_t node = fetch->member.coordinator.node;
    struct ps_kafka_native_broker *broker =
        node >= 0 ? ps_kafka_native_find_node(fetch->client, PS_KAFKA_NATIVE_COORDINATOR - node) : NULL;
    return broker != NULL ? ps_kafka_fetch_reach(fetch->client, broker) : NULL;
}

static uint64_t first_ns(const struct ps_kafka_former *former)
{
    uint64_t from_ns = former->joining_ns + JOINING_NS;
    return from_ns > former->rest_ns ? from_ns : former->rest_ns;
}

static bool waits(const struct ps_kafka_fetch *fetch)
{
    const struct ps_kafka_former *former = &fetch->former;
    return former->members[0] != '\0' && !former->asked && fetch->member.phase == PS_KAFKA_MEMBER_JOINING &&
           fetch->member.asked;
}

void ps_kafka_former_turn(struct ps_kafka_fetch *fetch)
{
    struct ps_kafka_former *former = &fetch->former;
    if (!waits(fetch) || fetch->mono_ns < first_ns(former))
        return;
    struct ps_kafka_native_broker *broker = broker_of(fetch);
    int16_t version = broker != NULL ? ps_kafka_native_version(broker, PS_KAFKA_NATIVE_LEAVE_GROUP) : -1;
    if (version < 0)
        return;
    struct ps_kafka_native_request *request =
        ps_kafka_member_request_leave(fetch, version, former->members, strcspn(former->members, "\t"));
    if (request == NULL)
        return;
    former->asked = true;
    former->asked_by = request->correlation;
    ps_kafka_native_broker_send(broker, request);
}

uint64_t ps_kafka_former_due_ns(const struct ps_kafka_fetch *fetch)
{
    uint64_t due_ns = first_ns(&fetch->former);
    return waits(fetch) && due_ns > fetch->mono_ns ? due_ns : PS_NEVER;
}

static bool is_own(const struct ps_kafka_former *former, const struct ps_kafka_native_request *request)
{
    return former->asked && request->kind == PS_KAFKA_NATIVE_LEAVE_GROUP &&
           request->correlation == former->asked_by;
}

/* Takes the first of the former members off the list. */
static void drop_first(struct ps_kafka_former *former)
{
    char *next = former->members + strcspn(former->members, "\t");
    next += *next == '\t';
    memmove(former->members, next, strlen(next) + 1);
}

bool ps_kafka_former_answer(struct ps_kafka_fetch *fetch, const struct ps_kafka_native_request *request,
                            struct ps_wire_in *in)
{
    struct ps_kafka_former *former = &fetch->former;
    if (!is_own(former, request))
        return false;
    int16_t error = ps_wire_get_int16(in);
    former->asked = false;
    former->rest_ns = fetch->mono_ns + REST_NS;
    if (error == PS_KAFKA_ERROR_NOT_COORDINATOR || error == PS_KAFKA_ERROR_COORDINATOR_NOT_AVAILABLE ||
        error == PS_KAFKA_ERROR_COORDINATOR_LOAD_IN_PROGRESS)
        return true; /* asked again, if the JoinGroup still waits then */
    former->rest_ns = 0;
    drop_first(former);
    ps_kafka_former_note(fetch, fetch->member.id);
    if (error == 0)
        ps_log(former->failed ? PS_LOG_DEBUG : PS_LOG_INFO, fetch->port->component,
               "%s was still a member of group %s, and has left it now",
               former->failed ? "the consumer before this one" : "an earlier life of this agent",
               fetch->group);
    return true;
}

bool ps_kafka_former_lost(struct ps_kafka_fetch *fetch, const struct ps_kafka_native_request *request)
{
    struct ps_kafka_former *former = &fetch->former;
    if (!is_own(former, request))
        return false;
    former->asked = false;
    former->rest_ns = fetch->mono_ns + REST_NS;
    return true;
}
