#include "stages/lib/kafka/errors.h"

#define REACH "check kafka.bootstrap.servers, the brokers and the network"
#define TOPIC "create the topic, or correct its name in the agent's file"

/* Sorted by code, for the binary search of ps_kafka_error_find. */
const struct ps_kafka_error ps_kafka_errors[] = {
#define KAFKA(code, name, outcome, ...) {code, #name, PS_KAFKA_##outcome, __VA_ARGS__},
#define LIBRARY(code, name, outcome, ...) {code, "_" #name, PS_KAFKA_##outcome, __VA_ARGS__},
#include "stages/lib/kafka/errors.def"
};

const size_t ps_kafka_error_count = PS_COUNT_OF(ps_kafka_errors);

static const struct ps_kafka_error other = {-1000, "error", PS_KAFKA_AGAIN, "not a known answer to produce"};

bool ps_kafka_error_counts(int code)
{
    const struct ps_kafka_error *error = ps_kafka_error_find(code);
    return error->outcome == PS_KAFKA_AGAIN && !error->passes;
}

bool ps_kafka_error_is_awaited(int code)
{
    return code == PS_KAFKA_ERROR_COORDINATOR_LOAD_IN_PROGRESS ||
           code == PS_KAFKA_ERROR_COORDINATOR_NOT_AVAILABLE || code == PS_KAFKA_ERROR_NOT_COORDINATOR ||
           code == PS_KAFKA_ERROR_CONCURRENT_TRANSACTIONS;
}

bool ps_kafka_error_is_of_connection(int code)
{
    return code == PS_KAFKA_LIBRARY_TRANSPORT || code == PS_KAFKA_LIBRARY_RESOLVE ||
           code == PS_KAFKA_LIBRARY_ALL_BROKERS_DOWN || code == PS_KAFKA_LIBRARY_SSL ||
           code == PS_KAFKA_LIBRARY_AUTHENTICATION;
}

const struct ps_kafka_error *ps_kafka_error_find(int code)
{
    size_t low = 0, high = ps_kafka_error_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (ps_kafka_errors[middle].code == code)
            return &ps_kafka_errors[middle];
        if (ps_kafka_errors[middle].code < code)
            low = middle + 1;
        else
            high = middle;
    }
    return &other;
}
