#include "stages/lib/kafka/librdkafka/statistics.h"

#include <jansson.h>
#include <string.h>

/* enough for thousands of partitions; longer texts would delay the worker */
#define JSON_BYTES_MAX (2U << 20)

static uint64_t number(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    json_int_t found = json_is_integer(value) ? json_integer_value(value) : 0;
    return found > 0 ? (uint64_t)found : 0;
}

static void add_brokers(const json_t *brokers, struct ps_kafka_measured *measured)
{
    uint64_t answered = 0, weighted = 0;
    const char *name;
    json_t *broker;
    json_object_foreach((json_t *)(uintptr_t)brokers, name, broker)
    {
        const json_t *rtt = json_object_get(broker, "rtt");
        const char *state = json_string_value(json_object_get(broker, "state"));
        measured->reaches |= state != NULL && strcmp(state, "UP") == 0;
        measured->requests_in_flight += number(broker, "waitresp_cnt");
        answered += number(rtt, "cnt");
        weighted += number(rtt, "avg") * number(rtt, "cnt");
        if (number(rtt, "p99") > measured->round_trip_p99_us)
            measured->round_trip_p99_us = number(rtt, "p99");
    }
    measured->round_trip_us = answered > 0 ? weighted / answered : 0;
}

bool ps_kafka_librdkafka_measured(const char *json, struct ps_kafka_measured *measured)
{
    size_t length = strnlen(json, JSON_BYTES_MAX);
    json_t *root = length < JSON_BYTES_MAX ? json_loadb(json, length, 0, NULL) : NULL;
    if (root == NULL)
        return false;
    *measured = (struct ps_kafka_measured){.queue_records = number(root, "msg_cnt"),
                                           .queue_bytes = number(root, "msg_size"),
                                           .queue_records_max = number(root, "msg_max"),
                                           .requests = number(root, "tx"),
                                           .request_bytes = number(root, "tx_bytes")};
    add_brokers(json_object_get(root, "brokers"), measured);
    json_decref(root);
    return true;
}
