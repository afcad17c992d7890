#include "stages/lib/kafka/fetch/identity_probe.h"

#include "core/clock.h"
#include "stages/lib/kafka/cluster/native_internal.h"

#include <poll.h>
#include <stdio.h>

#define TURN_MS 10 /* answers of the resolver wake nobody here */

/* ---- a reader that reads nothing: the client asks for versions and for metadata ---- */

static void turn(struct ps_kafka_native *)
{
}

static bool answer(struct ps_kafka_native_broker *, struct ps_kafka_native_request *, struct ps_wire_in *)
{
    return true;
}

static void lost(struct ps_kafka_native *, struct ps_kafka_native_request *)
{
}

static void found(struct ps_kafka_native *, const char *, uint32_t)
{
}

static const struct ps_kafka_native_reader reader = {
    .turn = turn, .answer = answer, .lost = lost, .topic = found};

static void notice(void *, const struct ps_kafka_notice *)
{
}

/* ---- questions ---- */

static const struct ps_kafka_native_broker *connected(const struct ps_kafka_native *client)
{
    const struct ps_kafka_native_broker *broker = client->brokers;
    while (broker != NULL && broker->phase != PS_KAFKA_NATIVE_UP)
        broker = broker->next;
    return broker;
}

/* Returns a broker that has answered; NULL: none did in time. */
static const struct ps_kafka_native_broker *ask(struct ps_kafka_native *client, const struct ps_probe *probe)
{
    struct ps_kafka_listener listener = {.notice = notice, .now = ps_clock_now()};
    uint64_t until_ns = listener.now.mono_ns + (uint64_t)ps_probe_left_ms(probe) * PS_NS_PER_MS;
    while (listener.now.mono_ns < until_ns && !client->fatal) {
        (void)ps_kafka_native_turn(client, &listener);
        if (client->metadata.answered_ns != 0 && connected(client) != NULL)
            return connected(client);
        struct pollfd ready = {.fd = client->epoll_fd, .events = POLLIN};
        (void)poll(&ready, 1, TURN_MS);
        listener.now = ps_clock_now();
    }
    return NULL;
}

/* Returns why events have no identities; NULL: they have. */
static const char *lack_of(const struct ps_kafka_native *client, const struct ps_kafka_native_broker *broker)
{
    if (broker->versions[PS_KAFKA_NATIVE_FETCH].modern < 0)
        return "the broker reads no topic by its id (Kafka does from 3.1 on)";
    if (client->cluster_number == 0)
        return "the broker does not say the cluster's id";
    const struct ps_kafka_native_topic *topic = NULL;
    while ((topic = ps_kafka_native_topic_next(client, topic)) != NULL)
        if (topic->error == 0 && !topic->has_id)
            return "the broker does not say the topic's id (Kafka does from 2.8 on)";
    return NULL;
}

void ps_kafka_identity_probe(const struct ps_probe *probe, const struct ps_kafka_settings *settings,
                             struct ps_texts topics)
{
    static const char what[] = "identities of events, which a sink reads";
    const struct ps_kafka_producer_config config = {.settings = settings, .wake_fd = -1, .epoll_fd = -1};
    struct ps_err err = {.length = 0};
    struct ps_kafka_native *client = ps_kafka_native_make(&config, &err);
    if (client == NULL) {
        ps_probe_failed(probe, what, err.text, NULL);
        return;
    }
    client->reader = &reader;
    client->all_topics = true;
    for (size_t i = 0; i < topics.count; i++)
        (void)ps_kafka_native_topic_get(client, topics.items[i], (uint32_t)strlen(topics.items[i]));
    const struct ps_kafka_native_broker *broker = ask(client, probe);
    const char *lack = broker != NULL ? lack_of(client, broker) : NULL;
    if (broker == NULL)
        ps_probe_failed(probe, what, "no broker answered in time", NULL);
    else if (lack != NULL)
        ps_probe_failed(
            probe, what, lack,
            "set penstock.ids = none or header:NAME at the sink: without identities an event may be "
            "stored twice after a failure");
    else
        ps_probe_ok(probe, "%s: the cluster gives them", what);
    ps_kafka_native_free(client);
}
