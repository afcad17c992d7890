#include "stages/lib/kafka/produce/partition.h"

#include <endian.h>
#include <string.h>

uint32_t ps_kafka_murmur2(const void *data, size_t length)
{
    const uint32_t multiplier = 0x5bd1e995U;
    const unsigned char *bytes = data;
    uint32_t hash = 0x9747b28cU ^ (uint32_t)length;
    size_t left = length;

    for (; left >= 4; left -= 4, bytes += 4) {
        uint32_t word;
        memcpy(&word, bytes, sizeof word);
        word = le32toh(word) * multiplier;
        word ^= word >> 24;
        hash = (hash * multiplier) ^ (word * multiplier);
    }
    if (left >= 3)
        hash ^= (uint32_t)bytes[2] << 16;
    if (left >= 2)
        hash ^= (uint32_t)bytes[1] << 8;
    if (left >= 1)
        hash = (hash ^ bytes[0]) * multiplier;
    hash ^= hash >> 13;
    hash *= multiplier;
    return hash ^ (hash >> 15);
}

/* org.apache.kafka.common.internals.Topic.validate */
bool ps_kafka_topic_name_is_legal(const char *name, uint32_t length)
{
    if (length == 0 || length > PS_KAFKA_TOPIC_LENGTH_MAX)
        return false;
    if (name[0] == '.' && (length == 1 || (length == 2 && name[1] == '.')))
        return false;
    for (uint32_t i = 0; i < length; i++) {
        char c = name[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
              c == '_' || c == '-'))
            return false;
    }
    return true;
}
