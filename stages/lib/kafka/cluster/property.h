/* Look-ups in the properties that a stage sets for librdkafka, for the native engines of the sink and of the source.
 * If a name is given twice the last value counts, as in librdkafka. Thread: any. */
#pragma once

#include "core/option.h"

#include <stdlib.h>
#include <string.h>

struct ps_kafka_property_list {
    const struct ps_pair *pairs;
    size_t count;
};

/* Returns the value, or NULL if the property is not set. */
static inline const char *ps_kafka_property(const struct ps_kafka_property_list *from, const char *name)
{
    for (size_t i = from->count; i > 0; i--)
        if (strcmp(from->pairs[i - 1].key, name) == 0)
            return from->pairs[i - 1].value;
    return NULL;
}

static inline uint64_t ps_kafka_property_number(const struct ps_kafka_property_list *from, const char *name,
                                                uint64_t fallback)
{
    const char *text = ps_kafka_property(from, name);
    return text != NULL ? strtoull(text, NULL, 10) : fallback;
}

/* Returns whether the property, or `fallback` if it is not set, is `value`. */
static inline bool ps_kafka_property_is(const struct ps_kafka_property_list *from, const char *name,
                                        const char *value, const char *fallback)
{
    const char *text = ps_kafka_property(from, name);
    return strcmp(text != NULL ? text : fallback, value) == 0;
}
