#include <string.h>

#include "tests/world/ledger.h"
#include "tests/world/peers/kafka/cluster.h"

#define HEAD_BYTES 61 /* of a record batch, with offset and length */

struct batch {
    int64_t producer;
    int16_t epoch;
    int32_t sequence, count;
    struct kafka_in records;
};

/* Reads the head of a batch of format 2, and checks its sum. */
static bool read_batch(const unsigned char *bytes, int64_t length, struct batch *batch)
{
    struct kafka_in in = {bytes, bytes + length, false};
    kafka_get(&in, 8); /* offset */
    int64_t rest = kafka_get(&in, 4);
    kafka_get(&in, 4); /* leader epoch */
    if (length < HEAD_BYTES || rest != length - 12 || kafka_get(&in, 1) != 2)
        return false;
    uint32_t sum = (uint32_t)kafka_get(&in, 4);
    if (kafka_crc32c(in.at, (size_t)(in.end - in.at)) != sum)
        return false;
    int64_t attributes = kafka_get(&in, 2);
    if ((attributes & 7) != 0) /* the model reads no compressed batches */
        return false;
    int64_t last_delta = kafka_get(&in, 4);
    kafka_get(&in, 8), kafka_get(&in, 8); /* times */
    batch->producer = kafka_get(&in, 8);
    batch->epoch = (int16_t)kafka_get(&in, 2);
    batch->sequence = (int32_t)kafka_get(&in, 4);
    batch->count = (int32_t)kafka_get(&in, 4);
    batch->records = in;
    return !in.bad && batch->count > 0 && last_delta == batch->count - 1;
}

/* Notes the value of each record. Returns whether there were as many as the head says, and nothing behind them. */
static bool note_records(const struct batch *batch, bool counts)
{
    struct kafka_in in = batch->records;
    for (int32_t i = 0; i < batch->count; i++) {
        int64_t length = kafka_get_varint(&in);
        const unsigned char *begin = in.at;
        kafka_get(&in, 1);
        kafka_get_varint(&in); /* time */
        if (kafka_get_varint(&in) != i)
            return false;
        int64_t key = kafka_get_varint(&in);
        if (key > 0)
            kafka_get_bytes(&in, key);
        int64_t value_length = kafka_get_varint(&in);
        const unsigned char *value = kafka_get_bytes(&in, value_length);
        for (int64_t headers = kafka_get_varint(&in); headers > 0 && !in.bad; headers--) {
            kafka_get_bytes(&in, kafka_get_varint(&in));
            int64_t header = kafka_get_varint(&in);
            if (header > 0)
                kafka_get_bytes(&in, header);
        }
        if (in.bad || value == NULL || in.at - begin != length)
            return false;
        if (counts)
            ledger_arrived((const char *)value, (size_t)value_length);
    }
    return in.at == in.end;
}

static struct kafka_producer *producer_of(struct kafka_partition *partition, int64_t id)
{
    struct kafka_producer *found = partition->producers;
    while (found < partition->producers + KAFKA_PRODUCERS_MAX && found->id != 0 && found->id != id)
        found++;
    if (found == partition->producers + KAFKA_PRODUCERS_MAX)
        world_fatal("more than %d producers of a partition", KAFKA_PRODUCERS_MAX);
    return found;
}

/* Returns an error code; KAFKA_NONE with *offset >= 0 for a batch that is there already. */
static int check_sequence(struct kafka_producer *producer, const struct batch *batch, int64_t *offset)
{
    *offset = -1;
    if (producer->id == 0 || batch->epoch > producer->epoch) {
        bool is_known = producer->id != 0;
        if (batch->sequence != 0)
            return is_known ? KAFKA_OUT_OF_ORDER_SEQUENCE : 59; /* UNKNOWN_PRODUCER_ID */
        *producer = (struct kafka_producer){.id = batch->producer, .epoch = batch->epoch};
        return KAFKA_NONE;
    }
    if (batch->epoch < producer->epoch)
        return KAFKA_INVALID_PRODUCER_EPOCH;
    for (unsigned i = 0; i < producer->last_count; i++)
        if (producer->last[i].sequence == batch->sequence && producer->last[i].count == batch->count) {
            *offset = producer->last[i].offset;
            return KAFKA_NONE;
        }
    int32_t expected =
        producer->last_count == 0
            ? 0
            : (int32_t)(((int64_t)producer->last[0].sequence + producer->last[0].count) & INT32_MAX);
    return batch->sequence == expected ? KAFKA_NONE : KAFKA_OUT_OF_ORDER_SEQUENCE;
}

int kafka_append(struct kafka_partition *partition, const unsigned char *bytes, int64_t length,
                 int64_t *offset)
{
    struct batch batch;
    if (!read_batch(bytes, length, &batch) || !note_records(&batch, false))
        return KAFKA_CORRUPT_MESSAGE;
    if (batch.producer >= 0) {
        struct kafka_producer *producer = producer_of(partition, batch.producer);
        int error = check_sequence(producer, &batch, offset);
        if (error != KAFKA_NONE || *offset >= 0)
            return error;
        memmove(&producer->last[1], &producer->last[0], 4 * sizeof producer->last[0]);
        producer->last[0].sequence = batch.sequence;
        producer->last[0].count = batch.count;
        producer->last[0].offset = partition->end;
        producer->last_count += producer->last_count < 5;
    }
    note_records(&batch, true);
    *offset = partition->end;
    partition->end += batch.count;
    return KAFKA_NONE;
}
