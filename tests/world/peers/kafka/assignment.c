/* What members write about partitions: those that they have, and those that the leader gives them (ConsumerProtocolSubscription,
 * ConsumerProtocolAssignment). */
#include <string.h>

#include "tests/world/peers/kafka/cluster.h"

/* Reads topics with partitions; those of the topic that is read. */
static void read_partitions(struct kafka_in *in, bool parts[KAFKA_PARTITIONS])
{
    for (int64_t topics = kafka_get(in, 4); topics > 0 && !in->bad; topics--) {
        char name[KAFKA_NAME_MAX];
        kafka_get_string(in, name, sizeof name);
        for (int64_t count = kafka_get(in, 4); count > 0 && !in->bad; count--) {
            int64_t number = kafka_get(in, 4);
            if (strcmp(name, "in") == 0 && number >= 0 && number < KAFKA_PARTITIONS)
                parts[number] = true;
        }
    }
}

void kafka_read_assignment(const struct kafka_bytes *bytes, bool parts[KAFKA_PARTITIONS])
{
    struct kafka_in in = {.at = bytes->bytes, .end = bytes->bytes + bytes->length};
    memset(parts, 0, KAFKA_PARTITIONS * sizeof *parts);
    if (bytes->length == 0)
        return;
    kafka_get(&in, 2); /* version */
    read_partitions(&in, parts);
}

void kafka_read_claims(const struct kafka_bytes *bytes, bool parts[KAFKA_PARTITIONS])
{
    struct kafka_in in = {.at = bytes->bytes, .end = bytes->bytes + bytes->length};
    memset(parts, 0, KAFKA_PARTITIONS * sizeof *parts);
    if (bytes->length == 0 || kafka_get(&in, 2) < 1)
        return;
    for (int64_t topics = kafka_get(&in, 4); topics > 0 && !in.bad; topics--) {
        char name[KAFKA_NAME_MAX];
        kafka_get_string(&in, name, sizeof name);
    }
    kafka_get_bytes(&in, kafka_get(&in, 4)); /* the assignor's own data */
    read_partitions(&in, parts);
}

static void put_partitions(struct kafka_out *out, const bool parts[KAFKA_PARTITIONS])
{
    kafka_put(out, 1, 4);
    kafka_put_string(out, "in");
    size_t count_at = out->length;
    int64_t count = 0;
    kafka_put(out, 0, 4);
    for (int32_t i = 0; i < KAFKA_PARTITIONS; i++) {
        if (!parts[i])
            continue;
        kafka_put(out, i, 4);
        count++;
    }
    kafka_patch(out, count_at, count, 4);
}

void kafka_write_assignment(struct kafka_out *out, const bool parts[KAFKA_PARTITIONS])
{
    kafka_put(out, 0, 2);
    put_partitions(out, parts);
    kafka_put(out, -1, 4);
}

void kafka_write_claims(struct kafka_out *out, const bool parts[KAFKA_PARTITIONS], int32_t generation)
{
    kafka_put(out, 2, 2);
    kafka_put(out, 1, 4);
    kafka_put_string(out, "in");
    kafka_put(out, 4, 4); /* the assignor's own data: the generation */
    kafka_put(out, generation, 4);
    put_partitions(out, parts);
    kafka_put(out, generation, 4);
}
