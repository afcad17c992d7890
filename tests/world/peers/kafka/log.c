/* The logs of partitions. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/world/ledger.h"
#include "tests/world/peers/kafka/cluster.h"

#define RECORDS_BYTES ((size_t)1 << 20)
#define HEAD_BYTES 61 /* of a record batch, with offset and length */
#define TRANSACTIONAL 0x10
#define CONTROL 0x20
#define EPOCH_AT 12
#define CRC_AT 17
#define ATTRIBUTES_AT 21

struct batch {
    int64_t producer;
    int16_t epoch;
    bool is_transactional;
    int32_t sequence, count;
    int codec;
    int64_t first_ms;
    struct kafka_in records; /* compressed with the codec */
};

/* Reads the head of a batch of format 2, and checks its sum. */
static bool read_batch(const unsigned char *bytes, int64_t length, struct batch *batch)
{
    struct kafka_in in = {.at = bytes, .end = bytes + length};
    kafka_get(&in, 8); /* offset */
    int64_t rest = kafka_get(&in, 4);
    kafka_get(&in, 4); /* leader epoch */
    if (length < HEAD_BYTES || rest != length - 12 || kafka_get(&in, 1) != 2)
        return false;
    uint32_t sum = (uint32_t)kafka_get(&in, 4);
    if (kafka_crc32c(in.at, (size_t)(in.end - in.at)) != sum)
        return false;
    int64_t attributes = kafka_get(&in, 2), last_delta = kafka_get(&in, 4);
    batch->codec = (int)(attributes & 7);
    batch->first_ms = kafka_get(&in, 8);
    kafka_get(&in, 8); /* the latest time */
    batch->is_transactional = (attributes & TRANSACTIONAL) != 0;
    batch->producer = kafka_get(&in, 8);
    batch->epoch = (int16_t)kafka_get(&in, 2);
    batch->sequence = (int32_t)kafka_get(&in, 4);
    batch->count = (int32_t)kafka_get(&in, 4);
    batch->records = in;
    return !in.bad && batch->count > 0 && last_delta == batch->count - 1;
}

/* Returns NULL for none. */
static const char *get_bytes(struct kafka_in *in, size_t *length)
{
    int64_t count = kafka_get_varint(in);
    *length = count < 0 ? 0 : (size_t)count;
    return count < 0 ? NULL : (const char *)kafka_get_bytes(in, count);
}

typedef void note_record(void *argument, const struct kafka_record *record);

/* Calls `note` with each record. Returns whether there were as many as the head says, and nothing behind them. */
static bool read_records(const struct batch *batch, note_record *note, void *argument)
{
    struct kafka_in in = batch->records;
    if (batch->codec != 0) {
        size_t length;
        in.at = kafka_decompress(batch->codec, in.at, (size_t)(in.end - in.at), &length);
        in.end = in.at + length;
        if (in.at == NULL)
            return false;
    }
    for (int32_t i = 0; i < batch->count; i++) {
        int64_t length = kafka_get_varint(&in);
        const unsigned char *begin = in.at;
        struct kafka_record record = {0};
        kafka_get(&in, 1);
        record.time_ms = batch->first_ms + kafka_get_varint(&in);
        if (kafka_get_varint(&in) != i)
            return false;
        record.key = get_bytes(&in, &record.key_length);
        record.value = get_bytes(&in, &record.value_length);
        record.headers = in;
        record.header_count = kafka_get_varint(&record.headers);
        for (int64_t headers = kafka_get_varint(&in); headers > 0 && !in.bad; headers--) {
            kafka_get_bytes(&in, kafka_get_varint(&in));
            int64_t header = kafka_get_varint(&in);
            if (header > 0)
                kafka_get_bytes(&in, header);
        }
        bool removes = record.value == NULL && record.key != NULL; /* a compacted topic forgets the key */
        if (in.bad || (record.value == NULL && !removes) || in.at - begin != length)
            return false;
        if (note != NULL)
            note(argument, &record);
    }
    return in.at == in.end;
}

static void note_arrival(void *argument, const struct kafka_record *record)
{
    ledger_arrived(record->value != NULL ? record->value : "", record->value_length);
}

static void note_arrivals(int32_t partition, const struct batch *batch)
{
    world->ledger->place = (uint16_t)partition;
    read_records(batch, note_arrival, NULL);
}

/* ---- producers ---- */

static struct kafka_producer *producer_of(struct kafka_partition *partition, int64_t id)
{
    struct kafka_producer *found = partition->producers;
    while (found < partition->producers + KAFKA_PRODUCERS_MAX && found->id != 0 && found->id != id)
        found++;
    if (found == partition->producers + KAFKA_PRODUCERS_MAX)
        world_fatal("more than %d producers of a partition", KAFKA_PRODUCERS_MAX);
    return found;
}

/* Returns an error code; KAFKA_NONE with *offset >= 0 for a batch that is there already. `takes_any`: any sequence of a producer that the partition does
 * not know. */
static int check_sequence(struct kafka_producer *producer, const struct batch *batch, bool takes_any,
                          int64_t *offset)
{
    *offset = -1;
    if (producer->id == 0 || batch->epoch > producer->epoch) {
        bool is_known = producer->id != 0;
        if (batch->sequence != 0 && (is_known || !takes_any))
            return is_known ? KAFKA_OUT_OF_ORDER_SEQUENCE : KAFKA_UNKNOWN_PRODUCER;
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

static void note_batch(struct kafka_producer *producer, const struct batch *batch, int64_t offset)
{
    memmove(&producer->last[1], &producer->last[0], 4 * sizeof producer->last[0]);
    producer->last[0].sequence = batch->sequence;
    producer->last[0].count = batch->count;
    producer->last[0].offset = offset;
    producer->last_count += producer->last_count < 5;
    if (batch->is_transactional && !producer->is_open) {
        producer->is_open = true;
        producer->first = offset;
    }
}

/* ---- appending ---- */

/* Puts a copy of the batch at the end of the log. */
static void keep(struct kafka_partition *partition, const unsigned char *bytes, size_t length, int32_t count,
                 int64_t producer)
{
    if (partition->batch_count == partition->batch_room) {
        size_t room = partition->batch_room == 0 ? 64 : partition->batch_room * 2;
        partition->batches =
            world_grow(partition->batches, partition->batch_room * sizeof *partition->batches,
                       room * sizeof *partition->batches);
        partition->batch_room = room;
    }
    struct kafka_batch *batch = &partition->batches[partition->batch_count++];
    *batch = (struct kafka_batch){.base = partition->end,
                                  .last = partition->end + count - 1,
                                  .producer = producer,
                                  .epoch = partition->leader_epoch,
                                  .bytes = world_allocate(length),
                                  .length = length};
    memcpy(batch->bytes, bytes, length);
    struct kafka_out head = {.bytes = batch->bytes, .room = length};
    kafka_put(&head, batch->base, 8);
    kafka_patch(&head, EPOCH_AT, batch->epoch, 4);
    partition->end += count;
}

int kafka_append(struct kafka_topic *topic, int32_t number, const unsigned char *bytes, int64_t length,
                 int64_t *offset)
{
    struct kafka_partition *partition = &topic->partitions[number];
    struct batch batch;
    if (!read_batch(bytes, length, &batch) || !read_records(&batch, NULL, NULL))
        return KAFKA_CORRUPT_MESSAGE;
    if (batch.producer >= 0) {
        struct kafka_producer *producer = producer_of(partition, batch.producer);
        int error = check_sequence(producer, &batch, topic->takes_any && !batch.is_transactional, offset);
        if (error != KAFKA_NONE || *offset >= 0)
            return error;
        note_batch(producer, &batch, partition->end);
    }
    if (topic->counts && !batch.is_transactional)
        note_arrivals(number, &batch);
    *offset = partition->end;
    keep(partition, bytes, (size_t)length, batch.count, batch.is_transactional ? batch.producer : -1);
    return KAFKA_NONE;
}

struct found_record {
    const char *text;
    int64_t number, at;
};

static void find_text(void *argument, const struct kafka_record *record)
{
    struct found_record *found = argument;
    if (found->at < 0 &&
        memmem(record->value, record->value_length, found->text, strlen(found->text)) != NULL)
        found->at = found->number;
    found->number++;
}

int64_t kafka_find_record(const unsigned char *bytes, int64_t length, const char *text)
{
    struct batch batch;
    struct found_record found = {.text = text, .at = -1};
    if (read_batch(bytes, length, &batch))
        read_records(&batch, find_text, &found);
    return found.at;
}

/* Writes what is before the records, once they are there. */
static void put_head_of(struct kafka_out *out, int32_t count, int64_t attributes, int64_t time_ms,
                        int64_t producer, int16_t epoch)
{
    struct kafka_out head = {.bytes = out->bytes, .room = HEAD_BYTES};
    kafka_put(&head, 0, 8);
    kafka_put(&head, (int64_t)out->length - 12, 4);
    kafka_put(&head, 0, 4);
    kafka_put(&head, 2, 1);
    kafka_put(&head, 0, 4);
    kafka_put(&head, attributes, 2);
    kafka_put(&head, count - 1, 4);
    kafka_put(&head, time_ms, 8);
    kafka_put(&head, time_ms, 8);
    kafka_put(&head, producer, 8);
    kafka_put(&head, epoch, 2);
    kafka_put(&head, -1, 4); /* sequence */
    kafka_put(&head, count, 4);
    kafka_patch(&head, CRC_AT, kafka_crc32c(out->bytes + ATTRIBUTES_AT, out->length - ATTRIBUTES_AT), 4);
}

static void put_head(struct kafka_out *out, int32_t count, int64_t attributes, int64_t producer,
                     int16_t epoch)
{
    int64_t time_ms = WORLD_WALL_START_S * INT64_C(1000) + (int64_t)(world->now_ns / 1000000);
    put_head_of(out, count, attributes, time_ms, producer, epoch);
}

static void put_record_of(struct kafka_out *out, int32_t delta, int64_t delta_ms, const char *key,
                          int64_t key_length, const char *value, size_t length, const char *header)
{
    static unsigned char bytes[RECORDS_BYTES];
    struct kafka_out record = {.bytes = bytes, .room = sizeof bytes};
    kafka_put(&record, 0, 1);
    kafka_put_varint(&record, delta_ms);
    kafka_put_varint(&record, delta);
    kafka_put_varint(&record, key_length);
    if (key_length > 0)
        kafka_put_bytes(&record, key, (size_t)key_length);
    kafka_put_varint(&record, (int64_t)length);
    kafka_put_bytes(&record, value, length);
    kafka_put_varint(&record, header != NULL);
    if (header != NULL) {
        kafka_put_varint(&record, 1);
        kafka_put_bytes(&record, "h", 1);
        kafka_put_varint(&record, (int64_t)strlen(header));
        kafka_put_bytes(&record, header, strlen(header));
    }
    kafka_put_varint(out, (int64_t)record.length);
    kafka_put_bytes(out, bytes, record.length);
}

static void put_record(struct kafka_out *out, int32_t delta, const char *key, int64_t key_length,
                       const char *value, size_t length, const char *header)
{
    put_record_of(out, delta, 0, key, key_length, value, length, header);
}

/* The records behind the head. */
static void compress(struct kafka_out *out, int codec)
{
    if (codec == 0)
        return;
    size_t length;
    const unsigned char *bytes =
        kafka_compress(codec, out->bytes + HEAD_BYTES, out->length - HEAD_BYTES, &length);
    out->length = HEAD_BYTES;
    kafka_put_bytes(out, bytes, length);
}

void kafka_batch_begin(struct kafka_out *out)
{
    out->length = HEAD_BYTES;
}

void kafka_batch_add(struct kafka_out *out, int32_t delta, int64_t delta_ms, const char *key,
                     int64_t key_length, const char *value, size_t length)
{
    put_record_of(out, delta, delta_ms, key, key_length, value, length, NULL);
}

void kafka_batch_end(struct kafka_out *out, int32_t count, int codec, int64_t first_ms)
{
    compress(out, codec);
    put_head_of(out, count, codec, first_ms, -1, -1);
}

int kafka_batch_codec(const struct kafka_batch *batch)
{
    return batch->bytes[ATTRIBUTES_AT + 1] & 7;
}

void kafka_batch_records(const struct kafka_batch *one, note_record *note, void *argument)
{
    struct batch batch;
    if (read_batch(one->bytes, (int64_t)one->length, &batch))
        read_records(&batch, note, argument);
}

void kafka_write_lines(struct kafka_topic *topic, int32_t number, const char *text, size_t length, int codec)
{
    static unsigned char bytes[RECORDS_BYTES];
    struct kafka_out out = {.bytes = bytes, .length = HEAD_BYTES, .room = sizeof bytes};
    int32_t count = 0;
    for (const char *end = text + length; text < end; count++) {
        const char *stop = memchr(text, '\n', (size_t)(end - text)),
                   *bar = memchr(text, '|', (size_t)((stop == NULL ? end : stop) - text));
        const char *value = bar == NULL ? text : bar + 1;
        stop = stop == NULL ? end : stop;
        put_record(&out, count, text, bar == NULL ? -1 : bar - text, value, (size_t)(stop - value), NULL);
        text = stop + 1;
    }
    compress(&out, codec);
    put_head(&out, count, codec, -1, -1);
    keep(&topic->partitions[number], bytes, out.length, count, -1);
}

void kafka_write(struct kafka_topic *topic, int32_t number, uint32_t first, uint32_t count, int64_t producer)
{
    static unsigned char bytes[RECORDS_BYTES];
    struct kafka_partition *partition = &topic->partitions[number];
    struct kafka_out out = {.bytes = bytes, .length = HEAD_BYTES, .room = sizeof bytes};
    for (uint32_t i = 0; i < count; i++) {
        char text[LEDGER_TEXT_MAX], key[16];
        size_t length = ledger_text(first + i, text);
        snprintf(key, sizeof key, "key-%u", (first + i) % 7);
        int64_t key_length = (first + i) % 3 == 0 ? -1 : (int64_t)strlen(key) * ((first + i) % 5 != 0);
        put_record(&out, (int32_t)i, key, key_length, text, length, (first + i) % 4 == 0 ? key : NULL);
    }
    int codec = world_below(4) == 0 ? (int)world_below(5) : 0;
    compress(&out, codec);
    put_head(&out, (int32_t)count, (producer >= 0 ? TRANSACTIONAL : 0) | codec, producer,
             producer >= 0 ? 0 : -1);
    if (producer >= 0) {
        struct kafka_producer *one = producer_of(partition, producer);
        const struct batch batch = {.is_transactional = true, .count = (int32_t)count};
        one->id = producer;
        note_batch(one, &batch, partition->end);
    }
    keep(partition, bytes, out.length, (int32_t)count, producer);
}

/* ---- transactions ---- */

static void note_aborted(struct kafka_partition *partition, const struct kafka_producer *producer)
{
    if (partition->aborted_count == partition->aborted_room) {
        size_t room = partition->aborted_room == 0 ? 16 : partition->aborted_room * 2;
        partition->aborted =
            world_grow(partition->aborted, partition->aborted_room * sizeof *partition->aborted,
                       room * sizeof *partition->aborted);
        partition->aborted_room = room;
    }
    partition->aborted[partition->aborted_count++] =
        (struct kafka_aborted){producer->id, producer->first, partition->end};
}

void kafka_end(struct kafka_topic *topic, int32_t number, int64_t id, int16_t next_epoch, bool commits)
{
    unsigned char bytes[128];
    struct kafka_partition *partition = &topic->partitions[number];
    struct kafka_producer *producer = producer_of(partition, id);
    if (producer->is_open && !commits)
        note_aborted(partition, producer);
    for (size_t i = kafka_batch_at(partition, producer->first);
         i < partition->batch_count && producer->is_open && commits && topic->counts; i++) {
        struct batch batch;
        if (partition->batches[i].producer == id &&
            read_batch(partition->batches[i].bytes, (int64_t)partition->batches[i].length, &batch))
            note_arrivals(number, &batch);
    }
    if (producer->id == 0 || producer->epoch != next_epoch)
        *producer = (struct kafka_producer){.id = id, .epoch = next_epoch};
    producer->is_open = false;
    struct kafka_out out = {.bytes = bytes, .length = HEAD_BYTES, .room = sizeof bytes};
    const char key[4] = {0, 0, 0, (char)commits}, value[6] = {0};
    put_record(&out, 0, key, sizeof key, value, sizeof value, NULL);
    put_head(&out, 1, TRANSACTIONAL | CONTROL, id, next_epoch);
    keep(partition, bytes, out.length, 1, -1);
}

static void forgive(void *argument, const struct kafka_record *record)
{
    if (!world->ledger->keeps && record->value_length > 6 && memcmp(record->value, "event ", 6) == 0)
        ledger_forgiven((uint32_t)strtoul(record->value + 6, NULL, 10));
}

void kafka_truncate(struct kafka_topic *topic, int32_t number, uint64_t batches)
{
    struct kafka_partition *partition = &topic->partitions[number];
    for (; batches > 0 && partition->batch_count > 0; batches--) {
        const struct kafka_batch *last = &partition->batches[--partition->batch_count];
        struct batch batch;
        if (read_batch(last->bytes, (int64_t)last->length, &batch))
            read_records(&batch, forgive, NULL);
        partition->end = last->base;
        world_free(last->bytes, last->length);
    }
}

int64_t kafka_stable(const struct kafka_partition *partition)
{
    int64_t stable = partition->end;
    for (const struct kafka_producer *one = partition->producers;
         one < partition->producers + KAFKA_PRODUCERS_MAX && one->id != 0; one++)
        if (one->is_open && one->first < stable)
            stable = one->first;
    return stable;
}

/* ---- reading ---- */

size_t kafka_batch_at(const struct kafka_partition *partition, int64_t offset)
{
    size_t low = 0, high = partition->batch_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (partition->batches[middle].last < offset)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Returns whether the batch is the end of a transaction, or is aborted. */
static bool is_hidden(const struct kafka_partition *partition, const struct kafka_batch *batch)
{
    for (size_t i = 0; i < partition->aborted_count; i++)
        if (partition->aborted[i].producer == batch->producer && partition->aborted[i].first <= batch->base &&
            partition->aborted[i].last > batch->base)
            return true;
    return (batch->bytes[ATTRIBUTES_AT + 1] & CONTROL) != 0;
}

void kafka_each_record(struct kafka_topic *topic, int32_t number, note_record *note, void *argument)
{
    struct kafka_partition *partition = &topic->partitions[number];
    for (size_t i = 0; i < partition->batch_count && partition->batches[i].base < kafka_stable(partition);
         i++) {
        const struct kafka_batch *one = &partition->batches[i];
        struct batch batch;
        if (!is_hidden(partition, one) && read_batch(one->bytes, (int64_t)one->length, &batch))
            read_records(&batch, note, argument);
    }
}

struct taken {
    int64_t offset, from;
};

static void take(void *argument, const struct kafka_record *record)
{
    struct taken *taken = argument;
    if (taken->offset++ < taken->from)
        return;
    world->ledger->taken++;
    ledger_arrived(record->value != NULL ? record->value : "", record->value_length);
}

int64_t kafka_take(struct kafka_topic *topic, int32_t number, int64_t from, bool committed_only,
                   int32_t *epoch)
{
    struct kafka_partition *partition = &topic->partitions[number];
    int64_t end = committed_only ? kafka_stable(partition) : partition->end, next = from;
    size_t first = kafka_batch_at(partition, from), most = 1 + (size_t)world_below(4);
    for (size_t i = first; i < partition->batch_count && i < first + most; i++) {
        const struct kafka_batch *one = &partition->batches[i];
        struct taken taken = {.offset = one->base, .from = from};
        struct batch batch;
        if (one->base >= end)
            break;
        if (!is_hidden(partition, one) && read_batch(one->bytes, (int64_t)one->length, &batch))
            read_records(&batch, take, &taken);
        next = one->last + 1;
        *epoch = one->epoch;
    }
    return next;
}

struct looked_for {
    int64_t offset, below;
    bool is_missing;
};

static void look(void *argument, const struct kafka_record *record)
{
    struct looked_for *search = argument;
    if (search->offset++ >= search->below || record->value_length < 7 ||
        memcmp(record->value, "event ", 6) != 0)
        return;
    uint32_t event = (uint32_t)strtoul(record->value + 6, NULL, 10);
    search->is_missing |= ledger_is_lost(event);
}

bool kafka_is_delivered(struct kafka_topic *topic, int32_t number, int64_t offset)
{
    struct kafka_partition *partition = &topic->partitions[number];
    struct looked_for search = {.below = offset};
    for (size_t i = kafka_batch_at(partition, partition->delivered);
         i < partition->batch_count && partition->batches[i].base < offset; i++) {
        struct batch batch;
        search.offset = partition->batches[i].base;
        if (read_batch(partition->batches[i].bytes, (int64_t)partition->batches[i].length, &batch))
            read_records(&batch, look, &search);
    }
    if (!search.is_missing && offset > partition->delivered)
        partition->delivered = offset;
    return !search.is_missing;
}
