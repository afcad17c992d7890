#include "stages/lib/kafka/librdkafka/leaver.h"

#include "core/helper/helper.h"
#include "core/log/log.h"
#include "stages/lib/kafka/errors.h"
#include "stages/lib/kafka/cluster/native_internal.h"
#include "stages/lib/kafka/cluster/turn.h"

#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#define KEY 13 /* LeaveGroup */
#define VERSION 1
#define JOINING_MS 800U
#define PATIENCE_NS (10 * PS_NS_PER_S)
#define REST_NS (200 * PS_NS_PER_MS)
#define LOOK_MS 20

/* The thread's. The first member of the list leaves next. */
struct departures {
    char *component, *group;
    char members[PS_KAFKA_PLACE_MEMBERS_BYTES];
    struct ps_pair *pairs;
    size_t pair_count;
    struct ps_kafka_native_coordinator coordinator;
    uint64_t rest_ns;
    bool asked, failed;
};

struct ps_kafka_leaver {
    struct ps_helper *helper;
    struct departures *departures;
};

/* ---- the client ---- */

static struct departures *of(const struct ps_kafka_native *client)
{
    return client->reader_argument;
}

static bool note_version(struct ps_kafka_native_broker *broker, int16_t key, int16_t least, int16_t most)
{
    if (key != KEY)
        return false;
    broker->versions.reader[PS_KAFKA_NATIVE_LEAVE_GROUP - PS_KAFKA_NATIVE_READER_KINDS] =
        least <= VERSION && most >= VERSION ? VERSION : -1;
    return true;
}

static void turn(struct ps_kafka_native *client)
{
    struct departures *departures = of(client);
    struct ps_kafka_native_request *request;
    if (departures->asked || departures->members[0] == '\0' || client->now.mono_ns < departures->rest_ns)
        return;
    struct ps_kafka_native_broker *broker =
        ps_kafka_native_coordinator_broker(client, &departures->coordinator);
    if (broker == NULL)
        return;
    size_t group_length = strlen(departures->group), length = strcspn(departures->members, "\t");
    char *at = ps_kafka_native_request_begin(client, PS_KAFKA_NATIVE_LEAVE_GROUP, VERSION,
                                             group_length + length + 4, &request);
    if (at == NULL)
        return;
    departures->asked = true;
    at = ps_wire_put_string(at, departures->group, group_length);
    at = ps_wire_put_string(at, departures->members, length);
    ps_kafka_native_broker_send(broker, ps_kafka_native_request_end(request, at));
}

static bool answer(struct ps_kafka_native_broker *broker, struct ps_kafka_native_request *,
                   struct ps_wire_in *in, char *)
{
    struct departures *departures = of(broker->client);
    (void)ps_wire_get_int32(in); /* throttle time */
    int16_t error = ps_wire_get_int16(in);
    departures->asked = false;
    departures->rest_ns = broker->client->now.mono_ns + REST_NS;
    if (error == PS_KAFKA_ERROR_COORDINATOR_LOAD_IN_PROGRESS)
        return true;
    if (error == PS_KAFKA_ERROR_NOT_COORDINATOR || error == PS_KAFKA_ERROR_COORDINATOR_NOT_AVAILABLE) {
        ps_kafka_native_coordinator_forget(broker->client, &departures->coordinator);
        return true;
    }
    char *next = departures->members + strcspn(departures->members, "\t");
    next += *next == '\t';
    memmove(departures->members, next, strlen(next) + 1);
    departures->rest_ns = 0;
    if (error == 0)
        ps_log(PS_LOG_INFO, departures->component,
               "an earlier life of this agent was still a member of group %s, and has left it now",
               departures->group);
    return true;
}

static void lost(struct ps_kafka_native *client, struct ps_kafka_native_request *request)
{
    if (request->kind != PS_KAFKA_NATIVE_LEAVE_GROUP)
        return;
    of(client)->asked = false;
    of(client)->rest_ns = client->now.mono_ns + REST_NS;
}

static char *room(struct ps_kafka_native *, struct ps_kafka_native_request *, uint32_t)
{
    return NULL; /* no request asks for records */
}

static void topic(struct ps_kafka_native *, const char *, uint32_t, bool)
{
}

static void on_notice(void *argument, const struct ps_kafka_notice *notice)
{
    ((struct departures *)argument)->failed |= notice->kind == PS_KAFKA_NOTICE_FATAL;
}

static const struct ps_kafka_native_reader reader = {
    .turn = turn, .versions = note_version, .room = room, .answer = answer, .lost = lost, .topic = topic};

/* ---- the thread ---- */

static void run(void *leaver_, void *departures_)
{
    const struct ps_kafka_leaver *leaver = leaver_;
    struct departures *departures = departures_;
    const struct ps_kafka_producer_config config = {.component = departures->component,
                                                    .pairs = departures->pairs,
                                                    .pair_count = departures->pair_count,
                                                    .wake_fd = -1,
                                                    .epoll_fd = -1};
    struct ps_err err = {0};
    struct ps_kafka_native *client = ps_kafka_native_make(&config, &err);
    if (client == NULL)
        return;
    client->reader = &reader;
    client->reader_argument = departures;
    uint64_t begun_ns = ps_clock_now().mono_ns;
    departures->rest_ns = begun_ns + JOINING_MS * PS_NS_PER_MS;
    while (departures->members[0] != '\0' && !departures->failed && !ps_helper_is_cancelled(leaver->helper)) {
        const struct ps_kafka_listener listener = {
            .notice = on_notice, .argument = departures, .now = ps_clock_now()};
        struct epoll_event event;
        if (listener.now.mono_ns > begun_ns + PATIENCE_NS)
            break;
        (void)ps_kafka_native_turn(client, &listener);
        (void)epoll_wait(client->epoll_fd, &event, 1, LOOK_MS);
    }
    for (struct ps_kafka_native_broker *broker = client->brokers; broker != NULL; broker = broker->next)
        ps_kafka_native_broker_drop(broker);
    ps_kafka_native_free(client);
}

static void free_departures(struct departures *departures)
{
    for (size_t i = 0; departures->pairs != NULL && i < departures->pair_count; i++) {
        free((char *)(uintptr_t)departures->pairs[i].key);
        free((char *)(uintptr_t)departures->pairs[i].value);
    }
    free(departures->pairs);
    free(departures->component);
    free(departures->group);
    free(departures);
}

static void end(void *leaver_)
{
    struct ps_kafka_leaver *leaver = leaver_;
    free_departures(leaver->departures);
    free(leaver);
}

/* ---- the owner ---- */

static struct departures *copy(const struct ps_kafka_place *place, const char *group,
                               const struct ps_pair *pairs, size_t pair_count, const char *component)
{
    struct departures *departures = ps_must_alloc(1, sizeof *departures, "a Kafka consumer");
    *departures = (struct departures){.component = strdup(component), .group = strdup(group)};
    departures->pairs = ps_must_alloc(pair_count + 1, sizeof *departures->pairs, "a Kafka consumer");
    for (; departures->pair_count < pair_count; departures->pair_count++) {
        const struct ps_pair *pair = &pairs[departures->pair_count];
        departures->pairs[departures->pair_count] = (struct ps_pair){
            .key = strdup(pair->key), .value = pair->value != NULL ? strdup(pair->value) : NULL};
    }
    memcpy(departures->members, place->members, sizeof departures->members);
    departures->coordinator = (struct ps_kafka_native_coordinator){
        .key = {departures->group, (uint32_t)strlen(group)}, .type = 0, .node = -1};
    return departures;
}

struct ps_kafka_leaver *ps_kafka_leaver_begin(const struct ps_kafka_place *place, const char *group,
                                              const struct ps_pair *pairs, size_t pair_count,
                                              const char *component)
{
    struct ps_err err = {0};
    if (!place->is_open || place->members[0] == '\0' || strcmp(place->group, group) != 0)
        return NULL;
    struct ps_kafka_leaver *leaver = ps_must_alloc(1, sizeof *leaver, "a Kafka consumer");
    leaver->departures = copy(place, group, pairs, pair_count, component);
    leaver->helper = ps_helper_create(
        &(struct ps_helper_settings){
            .name = "kafka-leaver", .room = 1, .wake_fd = -1, .run = run, .end = end, .argument = leaver},
        &err);
    if (leaver->helper == NULL) { /* the group waits for the session time-out */
        end(leaver);
        return NULL;
    }
    bool has_room = ps_helper_ask(leaver->helper, leaver->departures);
    PS_ASSERT(has_room);
    return leaver;
}

void ps_kafka_leaver_end(struct ps_kafka_leaver *leaver)
{
    if (leaver != NULL)
        (void)ps_helper_destroy(leaver->helper, 0);
}
