/* Receives a broker's bytes: complete answers go to responses.c; answers with records are received into the reader's
 * memory. */
#include "stages/lib/kafka/cluster/native_internal.h"
#include "core/big_endian.h"

#include "stages/lib/least.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RESPONSE_BYTES_MAX (64U << 20)
/* An answer to Fetch has at least one record batch, however large it is: the reader's memory is its limit. */
#define RECORDS_BYTES_MAX (sizeof(uint32_t) + INT32_MAX)
#define READ_BYTES (64U * 1024U)
/* bytes of an answer that are read before the rest goes into a reader's memory */
#define READ_HEAD_BYTES (4U * 1024U)

static bool make_room(struct ps_kafka_native_broker *broker, uint32_t need)
{
    if (need <= broker->in_room)
        return true;
    char *in = realloc(broker->in, need);
    if (in == NULL)
        return false;
    broker->in = in;
    broker->in_room = need;
    return true;
}

/* Returns the length of the response at the buffer's front, length field included; 0 if the length is not
 * known yet. */
static uint64_t response_bytes(const struct ps_kafka_native_broker *broker, uint32_t from)
{
    uint32_t length = broker->in_length - from;
    return length < sizeof(uint32_t) ? 0
                                     : sizeof(uint32_t) + (uint64_t)ps_big_endian_get_32(broker->in + from);
}

static bool reads_records(const struct ps_kafka_native_broker *broker)
{
    return broker->client->reader != NULL && broker->first != NULL &&
           broker->first->kind == PS_KAFKA_NATIVE_FETCH;
}

/* Returns whether the next answer is one to Fetch. */
static bool awaits_records(const struct ps_kafka_native_broker *broker)
{
    return reads_records(broker) && broker->first->sent_ns != 0;
}

/* Handles one complete response. Returns false if the connection was lost. */
static bool handle(struct ps_kafka_native_broker *broker, const char *bytes, uint32_t length)
{
    struct ps_kafka_native_request *request = broker->first;
    char reason[PS_TRANSPORT_REASON_BYTES];
    if (request == NULL || request->sent_ns == 0) {
        ps_kafka_native_broker_lose(broker, "an answer without a request");
        return false;
    }
    bool good = ps_kafka_native_response(broker, request, bytes, length, reason);
    if (!good) {
        ps_kafka_native_broker_lose(broker, reason);
        return false;
    }
    broker->first = request->next;
    if (broker->first == NULL)
        broker->end = &broker->first;
    if (request->kind == PS_KAFKA_NATIVE_PRODUCE) {
        broker->produce_in_flight--;
        ps_kafka_native_count_answer(broker->client, request);
    }
    broker->used_ns = broker->client->now.mono_ns;
    ps_kafka_native_give_request(broker->client, request);
    return true;
}

/* Prepares to receive an answer. A reader gives the memory for an answer to Fetch, and the broker's own
 * buffer has only its beginning. Returns false if the rest of the answer does not go into the broker's
 * buffer: the reader gave memory, or has no memory now. */
static bool begin_answer(struct ps_kafka_native_broker *broker)
{
    struct ps_kafka_native_request *request = broker->first;
    uint64_t bytes = response_bytes(broker, 0);
    if (!awaits_records(broker) || bytes <= READ_HEAD_BYTES)
        return true;
    uint32_t length = (uint32_t)bytes - (uint32_t)sizeof(uint32_t);
    broker->fetch.answer = broker->client->reader->room(broker->client, request, length);
    broker->fetch.starved = broker->fetch.answer == NULL;
    if (broker->fetch.starved)
        return false;
    broker->fetch.length = length;
    broker->fetch.got = broker->in_length - (uint32_t)sizeof(uint32_t);
    memcpy(broker->fetch.answer, broker->in + sizeof(uint32_t), broker->fetch.got);
    broker->in_length = 0;
    return false;
}

static bool handle_all(struct ps_kafka_native_broker *broker)
{
    uint32_t from = 0;
    for (;;) {
        uint64_t bytes = response_bytes(broker, from);
        if (bytes > (awaits_records(broker) ? RECORDS_BYTES_MAX : RESPONSE_BYTES_MAX)) {
            ps_kafka_native_broker_lose(broker, "an answer that is too long: is this a Kafka broker?");
            return false;
        }
        if (bytes == 0 || bytes > broker->in_length - from)
            break;
        if (!handle(broker, broker->in + from + sizeof(uint32_t),
                    (uint32_t)bytes - (uint32_t)sizeof(uint32_t)))
            return false;
        from += (uint32_t)bytes;
    }
    if (from > 0)
        memmove(broker->in, broker->in + from, broker->in_length - from);
    broker->in_length -= from;
    if (!begin_answer(broker))
        return true;
    uint64_t next = response_bytes(broker, 0);
    if (make_room(broker, next > READ_BYTES ? (uint32_t)next : READ_BYTES))
        return true;
    ps_kafka_native_broker_lose(broker, "no memory for an answer");
    return false;
}

/* Reads into the reader's memory. Returns false when no more bytes have come. */
static bool read_answer(struct ps_kafka_native_broker *broker)
{
    char reason[PS_TRANSPORT_REASON_BYTES];
    size_t room = broker->fetch.length - broker->fetch.got;
    ssize_t got = ps_client_read(&broker->connection, broker->fetch.answer + broker->fetch.got, room, reason);
    if (got < 0) {
        ps_kafka_native_broker_lose(broker, reason);
        return false;
    }
    broker->fetch.got += (uint32_t)got;
    broker->begun_ns = broker->client->now.mono_ns;
    if (broker->fetch.got < broker->fetch.length)
        return got > 0;
    char *answer = broker->fetch.answer;
    broker->fetch.answer = NULL;
    return handle(broker, answer, broker->fetch.length);
}

/* A broker that does not know ApiVersions closes the connection. One that expects a login answers ApiVersions, and closes the
 * connection at the next request. */
static void explain(const struct ps_kafka_native_broker *broker, char *reason)
{
    size_t length = strlen(reason);
    const char *why = "";
    if (broker->phase == PS_KAFKA_NATIVE_ASKING)
        why = " before it named its versions: is it older than Kafka 0.10, or does it expect another "
              "security.protocol?";
    else if (broker->phase == PS_KAFKA_NATIVE_UP && broker->first != NULL && !broker->answered)
        why = " at the first request: does it expect another security.protocol (a login by SASL)?";
    snprintf(reason + length, PS_TRANSPORT_REASON_BYTES - length, "%s", why);
}

void ps_kafka_native_broker_receive(struct ps_kafka_native_broker *broker)
{
    char reason[PS_TRANSPORT_REASON_BYTES];
    if (!make_room(broker, READ_BYTES)) {
        ps_kafka_native_broker_lose(broker, "no memory for an answer");
        return;
    }
    if (broker->fetch.starved && begin_answer(broker))
        broker->fetch.starved = false;
    while (!broker->fetch.starved) {
        if (broker->fetch.answer != NULL) {
            if (!read_answer(broker))
                return;
            continue;
        }
        size_t room = broker->in_room - broker->in_length;
        if (reads_records(broker)) /* the rest is received into the reader's memory without a copy */
            room = ps_least(room, READ_HEAD_BYTES);
        ssize_t got = ps_client_read(&broker->connection, broker->in + broker->in_length, room, reason);
        if (got < 0) {
            explain(broker, reason);
            ps_kafka_native_broker_lose(broker, reason);
            return;
        }
        if (got == 0)
            return;
        broker->in_length += (uint32_t)got;
        /* TLS may hold bytes that epoll does not report */
        bool drained = (size_t)got < room && broker->tls == NULL;
        if (!handle_all(broker) || drained)
            return;
    }
}
