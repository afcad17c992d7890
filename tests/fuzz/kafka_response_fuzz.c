/* Responses of a broker to each request of the native client. The first byte chooses the request and its version; from 128 on
 * it chooses a request of the login. The rest is the response after its length, without the correlation id. No response may
 * harm the client: it is accepted, or the connection is closed. */
#include "stages/lib/kafka/cluster/native.h"
#include "stages/lib/kafka/cluster/native_internal.h"

#include <stdlib.h>
#include <string.h>

#include "stages/lib/kafka/wire/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MOST 4096U
#define PARTITIONS 3

static void on_report(void *argument, const struct ps_kafka_report *report)
{
    *(uint32_t *)argument += report->count;
}

static void on_notice(void *, const struct ps_kafka_notice *)
{
}

static struct ps_kafka_native *make(void)
{
    struct ps_err err = {0};
    static struct ps_kafka_settings settings;
    const struct ps_kafka_producer_config config = {.settings = &settings, .wake_fd = -1, .epoll_fd = -1};
    ps_kafka_settings_init(&settings);
    settings.texts.servers = (char[]){"127.0.0.1:9"};
    settings.idempotent = true;
    settings.delivery_ns = 0;
    struct ps_kafka_native *client = (struct ps_kafka_native *)ps_kafka_native.create(&config, &err);
    PS_ASSERT(client != NULL);
    return client;
}

/* Adds a topic whose partitions the broker leads, with a record for each. */
static void fill(struct ps_kafka_native *client)
{
    struct ps_kafka_native_topic *topic = ps_kafka_native_topic_get(client, "t", 1);
    PS_ASSERT(topic != NULL && ps_kafka_native_topic_resize(topic, PARTITIONS));
    for (int32_t i = 0; i < PARTITIONS; i++) {
        int error;
        const struct ps_kafka_record record = {
            .value = "v", .value_length = 1, .partition = i, .token = client};
        ps_kafka_native_partition_lead(topic->partitions[i], client->brokers);
        PS_ASSERT(ps_kafka_native.submit((struct ps_kafka_producer *)client, (struct ps_kafka_topic *)topic,
                                         &record, 1, &error) == 1);
    }
}

/* Puts the broker into the middle of a login by PLAIN (2: SCRAM). */
static struct ps_kafka_native_request *login_request_of(struct ps_kafka_native *client, uint8_t choice)
{
    struct ps_kafka_native_broker *broker = client->brokers;
    char reason[PS_TRANSPORT_REASON_BYTES];
    struct ps_err err = {0};
    static char mechanisms[2][16] = {"PLAIN", "SCRAM-SHA-256"}, name[] = "user", password[] = "pencil";
    const struct ps_kafka_settings settings = {
        .protocol = PS_KAFKA_SASL_PLAINTEXT,
        .texts = {.mechanism = mechanisms[(choice & 2) != 0], .name = name, .password = password}};
    PS_ASSERT(ps_kafka_native_account_open(&client->account, &settings, -1, &err) == PS_OK);
    broker->versions[PS_KAFKA_NATIVE_SASL_AUTHENTICATE].plain = (choice & 4) != 0;
    PS_ASSERT(ps_kafka_native_login_begin(broker, reason));
    return (choice & 1) == 0 ? ps_kafka_native_request_handshake(client)
                             : ps_kafka_native_request_message(
                                   client, broker->versions[PS_KAFKA_NATIVE_SASL_AUTHENTICATE].plain, "", 0);
}

/* Makes a Produce request, in a transaction of the second protocol if `second`. */
static struct ps_kafka_native_request *produce_request(struct ps_kafka_native *client, bool second)
{
    client->transaction.second = second;
    client->transaction.id[0] = second ? 'x' : '\0';
    struct ps_kafka_native_request *request = ps_kafka_native_request_produce(client->brokers);
    client->transaction.second = false;
    client->transaction.id[0] = '\0';
    return request;
}

static struct ps_kafka_native_request *request_of(struct ps_kafka_native *client, uint8_t choice)
{
    struct ps_kafka_native_broker *broker = client->brokers;
    if (choice >= 128)
        return login_request_of(client, choice);
    broker->versions[PS_KAFKA_NATIVE_PRODUCE].plain = (int16_t)(3 + choice / 4 % 6);
    int16_t metadata = choice / 4 % 8 == 7 ? 10 : (int16_t)(1 + choice / 4 % 7);
    switch (choice % 4) {
    case 0:
        return ps_kafka_native_request_versions(client, choice / 4 % 2 == 0 ? 0 : 3);
    case 1:
        return ps_kafka_native_request_metadata(client, metadata);
    case 2:
        return ps_kafka_native_request_id(client, 0);
    default:
        return produce_request(client, choice >= 64);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0 || size > MOST)
        return 0;
    char *bytes = malloc(size - 1 + sizeof(int32_t)), reason[PS_TRANSPORT_REASON_BYTES];
    uint32_t reported = 0;
    const struct ps_kafka_listener listener = {
        .report = on_report, .notice = on_notice, .argument = &reported};
    struct ps_kafka_native *client = make();
    PS_ASSERT(bytes != NULL);
    fill(client);
    struct ps_kafka_native_request *request = request_of(client, data[0]);
    PS_ASSERT(request != NULL);
    memcpy(ps_wire_put_int32(bytes, request->correlation), data + 1, size - 1);
    client->listener = &listener;
    (void)ps_kafka_native_response(client->brokers, request, bytes, (uint32_t)(size - 1 + sizeof(int32_t)),
                                   reason);
    PS_ASSERT(reported <= PARTITIONS);
    for (uint32_t i = 0; i < request->batch_count; i++) { /* requests without an answer are sent again */
        if (request->batches[i] == NULL)
            continue;
        request->batches[i]->partition->in_flight--;
        ps_kafka_native_partition_return(client, request->batches[i]);
        ps_kafka_native_partition_landed(client, request->batches[i]->partition);
        request->batches[i] = NULL;
    }
    ps_kafka_native_give_request(client, request);
    for (struct ps_kafka_native_broker *broker = client->brokers; broker != NULL; broker = broker->next) {
        ps_kafka_native_broker_drop(broker); /* there is no connection, and none is made */
        broker->rest_ns = PS_NEVER;
    }
    ps_kafka_native_purge(client, true);
    (void)ps_kafka_native_turn(client, &listener);
    PS_ASSERT(reported == PARTITIONS); /* each record once, however it ended */
    ps_kafka_native.destroy((struct ps_kafka_producer *)client);
    free(bytes);
    return 0;
}
