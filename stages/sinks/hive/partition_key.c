/* Makes the values of an event's partition, or the reason why they are not valid. */
#include "stages/sinks/hive/internal.h"

#include <string.h>

static const char too_long[] =
    "the values of its partition are longer than 2,048 bytes: check the headers in hive.partition";

static const char too_long_name[] = "a value of its partition makes a directory's name of more than 255 "
                                    "bytes, which no file system takes: check the headers in hive.partition";

static const char has_zero[] =
    "a value of its partition has a byte 0 in it: check the headers in hive.partition";

static const char no_value[] = "a value of its partition is not a value of the partition key's type: check "
                               "the headers in hive.partition";

static const char *const flaws[] = {
    [PS_ESCAPE_OK] = "a value of its partition is empty: check the headers in hive.partition",
    [PS_ESCAPE_NO_TIMESTAMP] = "hive.partition has a time escape, and the event has no header timestamp: add "
                               "a timestamp interceptor, or set useLocalTimeStamp = true",
    [PS_ESCAPE_BAD_TIMESTAMP] =
        "hive.partition has a time escape, and the event's header timestamp is not a number of milliseconds: "
        "correct what sets it, or set useLocalTimeStamp = true",
    [PS_ESCAPE_TOO_LONG] = too_long,
};

const char *ps_hive_key_of(struct ps_hive_sink *sink, const struct ps_lease *lease, uint32_t position,
                           char key[PS_HIVE_VALUES_BYTES], uint32_t *length)
{
    const struct ps_event *event = ps_lease_event(lease, position);
    *length = 0;
    for (uint32_t i = 0; i < sink->settings->value_count; i++) {
        uint32_t count = 0;
        enum ps_escape_result result =
            ps_escape_expand(sink->settings->values[i], &sink->caches[i], lease->batch, event, &sink->now,
                             key + *length, PS_HIVE_VALUES_BYTES - *length - 1, &count);
        if (result == PS_ESCAPE_OK && memchr(key + *length, 0, count) != NULL)
            return has_zero;
        if (result != PS_ESCAPE_OK || count == 0)
            return flaws[result];
        if (!ps_hive_target_key_value(&sink->table, i, key + *length, &count,
                                      PS_HIVE_VALUES_BYTES - *length - 1))
            return no_value;
        if (!ps_hive_target_key_fits(&sink->table, i, key + *length, count))
            return too_long_name;
        key[*length + count] = '\0';
        *length += count + 1;
        if (*length == PS_HIVE_VALUES_BYTES)
            return too_long;
    }
    return NULL;
}
