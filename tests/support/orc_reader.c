#include "tests/support/orc_reader.h"

#include "tests/support/orc_run.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define UNPACKED_MAX 4096U
#define RUN_MAX 512U
#define EPOCH_2015 INT64_C(1420070400)

enum { PRESENT, DATA, LENGTH, DICTIONARY_DATA, SECONDARY = 5, ROW_INDEX };
enum { DICTIONARY_V2 = 3 };

static uint8_t *unpacked[UNPACKED_MAX];
static size_t unpacked_count;

/* ---- protobuf ---- */

static uint64_t read_varint(struct orc_message *message)
{
    struct orc_bytes bytes = {message->at, message->end};
    uint64_t value = orc_varint(&bytes);
    message->at = bytes.at;
    return value;
}

bool orc_field_next(struct orc_message *message, struct orc_field *field)
{
    if (message->at == message->end)
        return false;
    uint64_t key = read_varint(message);
    *field = (struct orc_field){.number = (uint32_t)(key >> 3)};
    unsigned type = key & 7;
    PS_ASSERT(type <= 2);
    if (type == 0) {
        field->value = read_varint(message);
        return true;
    }
    uint64_t length = type == 1 ? 8 : read_varint(message);
    PS_ASSERT(length <= (uint64_t)(message->end - message->at));
    field->bytes = (struct orc_message){message->at, message->at + length};
    message->at += length;
    if (type == 1)
        memcpy(&field->value, field->bytes.at, 8);
    return true;
}

bool orc_field_find(struct orc_message message, uint32_t number, struct orc_field *field)
{
    struct orc_field next;
    bool found = false;
    while (orc_field_next(&message, &next)) {
        if (next.number == number) {
            *field = next;
            found = true;
        }
    }
    return found;
}

static uint64_t number_of(struct orc_message message, uint32_t number)
{
    struct orc_field field = {.value = 0};
    (void)orc_field_find(message, number, &field);
    return field.value;
}

struct orc_message orc_field_at(struct orc_message message, uint32_t number, size_t index)
{
    struct orc_field field;
    while (orc_field_next(&message, &field)) {
        if (field.number == number && index-- == 0)
            return field.bytes;
    }
    abort(); /* there is none */
}

/* ---- chunks ---- */

static uint8_t *keep(size_t room)
{
    PS_ASSERT(unpacked_count < UNPACKED_MAX);
    uint8_t *bytes = malloc(room + 1);
    PS_ASSERT(bytes != NULL);
    return unpacked[unpacked_count++] = bytes;
}

static size_t inflate_chunk(const uint8_t *from, size_t length, uint8_t *to, size_t room)
{
    z_stream stream = {.next_in = (uint8_t *)(uintptr_t)from,
                       .avail_in = (uInt)length,
                       .next_out = to,
                       .avail_out = (uInt)room};
    PS_ASSERT(inflateInit2(&stream, -15) == Z_OK);
    PS_ASSERT(inflate(&stream, Z_FINISH) == Z_STREAM_END);
    size_t made = stream.total_out;
    inflateEnd(&stream);
    return made;
}

struct orc_message orc_unpacked(const struct orc_document *document, struct orc_message stream)
{
    if (!document->is_packed || stream.at == stream.end)
        return stream;
    size_t room = 0, length = 0;
    uint8_t *all = NULL;
    while (stream.at < stream.end) {
        PS_ASSERT(stream.end - stream.at > 3);
        size_t header = stream.at[0] | (size_t)stream.at[1] << 8 | (size_t)stream.at[2] << 16,
               part = header >> 1;
        stream.at += 3;
        PS_ASSERT(part <= (size_t)(stream.end - stream.at));
        PS_ASSERT((header & 1) == 0 || part <= document->chunk_bytes);
        room = length + (header & 1 ? part : document->chunk_bytes);
        all = realloc(all, room);
        PS_ASSERT(all != NULL);
        if (header & 1) {
            memcpy(all + length, stream.at, part);
            length += part;
        } else {
            length += inflate_chunk(stream.at, part, all + length, room - length);
        }
        stream.at += part;
    }
    uint8_t *kept = keep(length);
    memcpy(kept, all, length);
    free(all);
    return (struct orc_message){kept, kept + length};
}

/* ---- the file ---- */

static struct orc_message part_of(const struct orc_document *document, const uint8_t *end, uint64_t length)
{
    return orc_unpacked(document, (struct orc_message){end - length, end});
}

static void read_stripe(struct orc_document *document, const uint8_t *bytes, struct orc_message information)
{
    PS_ASSERT(document->stripe_count < ORC_STRIPES_MAX);
    struct orc_stripe *stripe = &document->stripes[document->stripe_count++];
    const uint8_t *at = bytes + number_of(information, 1);
    const uint8_t *end = at + number_of(information, 2) + number_of(information, 3);
    uint64_t footer_length = number_of(information, 4);
    struct orc_message footer = part_of(document, end + footer_length, footer_length);
    struct orc_field field;
    uint32_t column = 0;
    stripe->rows = number_of(information, 5);
    while (orc_field_next(&footer, &field)) {
        if (field.number == 1) {
            uint64_t kind = number_of(field.bytes, 1), owner = number_of(field.bytes, 2),
                     length = number_of(field.bytes, 3);
            PS_ASSERT(owner < ORC_COLUMNS_MAX && kind <= ORC_BLOOM_KIND && at + length <= end);
            stripe->streams[owner][kind] = (struct orc_message){at, at + length};
            at += length;
        } else if (field.number == 2) {
            PS_ASSERT(column < ORC_COLUMNS_MAX);
            stripe->dictionary_sizes[column] = (uint32_t)number_of(field.bytes, 2);
            stripe->bloom_encodings[column] = (uint32_t)number_of(field.bytes, 3);
            stripe->encodings[column++] = (uint32_t)number_of(field.bytes, 1);
        }
    }
    PS_ASSERT(at == end);
}

void orc_document_open(struct orc_document *document, const uint8_t *bytes, size_t length)
{
    struct orc_field field;
    memset(document, 0, sizeof *document);
    size_t script_length = bytes[length - 1];
    const uint8_t *end = bytes + length - 1 - script_length;
    struct orc_message script = {end, end + script_length};
    document->is_packed = number_of(script, 2) == 1;
    document->chunk_bytes = number_of(script, 3);
    document->writer_version = number_of(script, 6);
    PS_ASSERT(number_of(script, 2) <= 1);
    document->footer = part_of(document, end, number_of(script, 1));
    end -= number_of(script, 1);
    document->metadata = part_of(document, end, number_of(script, 5));
    document->rows = number_of(document->footer, 6);
    document->stride = number_of(document->footer, 8);
    for (struct orc_message footer = document->footer; orc_field_next(&footer, &field);) {
        if (field.number == 3)
            read_stripe(document, bytes, field.bytes);
    }
}

void orc_document_close(struct orc_document *document)
{
    orc_unpacked_free(0);
}

size_t orc_unpacked_mark(void)
{
    return unpacked_count;
}

void orc_unpacked_free(size_t mark)
{
    while (unpacked_count > mark)
        free(unpacked[--unpacked_count]);
}

/* ---- one row group ---- */

/* Numbers of an entry of the row index, in their order. */
struct positions {
    struct orc_message packed;
};

static uint64_t next_position(struct positions *positions)
{
    return read_varint(&positions->packed);
}

static struct orc_message entry_of(const struct orc_document *document, const struct orc_stripe *stripe,
                                   uint32_t column, size_t group)
{
    return orc_field_at(orc_unpacked(document, stripe->streams[column][ROW_INDEX]), 1, group);
}

struct orc_message orc_group_statistics(const struct orc_document *document, const struct orc_stripe *stripe,
                                        uint32_t column, size_t group)
{
    return orc_field_at(entry_of(document, stripe, column, group), 2, 0);
}

/* Returns the stream from the positions on: the chunk that begins there, and the number of bytes into it. */
static struct orc_bytes seek(const struct orc_document *document, struct orc_message stream,
                             struct positions *positions)
{
    if (document->is_packed) {
        uint64_t chunk = next_position(positions);
        PS_ASSERT(chunk <= (uint64_t)(stream.end - stream.at));
        stream.at += chunk;
    }
    stream = orc_unpacked(document, stream);
    uint64_t offset = next_position(positions);
    PS_ASSERT(offset <= (uint64_t)(stream.end - stream.at));
    return (struct orc_bytes){stream.at + offset, stream.end};
}

/* Reads integers in runs: the positions also say how many values belong to earlier groups and are skipped; they may take
 * several runs. */
static void read_integers(const struct orc_document *document, struct orc_message stream,
                          struct positions *positions, bool is_signed, int64_t *values, size_t count)
{
    struct orc_bytes bytes = seek(document, stream, positions);
    uint64_t skip = next_position(positions);
    for (size_t at = 0; at < count;) {
        int64_t run[RUN_MAX];
        unsigned kind;
        size_t length = orc_read_run(&bytes, is_signed, run, &kind);
        for (size_t i = skip; i < length && at < count; i++)
            values[at++] = run[i];
        skip -= skip < length ? skip : length;
    }
}

static void read_byte_runs(const struct orc_document *document, struct orc_message stream,
                           struct positions *positions, uint8_t *values, size_t count, uint64_t *skip)
{
    struct orc_bytes bytes = seek(document, stream, positions);
    *skip = next_position(positions);
    size_t passed = *skip;
    for (size_t at = 0; at < count;) {
        uint8_t run[256];
        size_t length = orc_read_bytes(&bytes, run);
        for (size_t i = passed; i < length && at < count; i++)
            values[at++] = run[i];
        passed -= passed < length ? passed : length;
    }
}

/* Reads bits, the highest of a byte first; the last position is the number of bits of the first byte that belong to earlier
 * groups. */
static void read_bits(const struct orc_document *document, struct orc_message stream,
                      struct positions *positions, bool *values, size_t count)
{
    struct positions peek = *positions; /* the number of bits to skip is the last position */
    uint64_t skip, bit;
    (void)next_position(&peek);
    (void)next_position(&peek);
    if (document->is_packed)
        (void)next_position(&peek);
    bit = next_position(&peek);
    PS_ASSERT(bit < 8);
    uint8_t *bytes = keep((count + bit) / 8 + 1);
    read_byte_runs(document, stream, positions, bytes, (count + bit + 7) / 8, &skip);
    for (size_t i = 0; i < count; i++)
        values[i] = bytes[(i + bit) / 8] >> (7 - (i + bit) % 8) & 1;
    *positions = peek;
}

static void read_reals(const struct orc_document *document, struct orc_message stream,
                       struct positions *positions, bool is_float, struct orc_cell *cells, size_t count)
{
    struct orc_bytes bytes = seek(document, stream, positions);
    for (size_t i = 0; i < count; i++) {
        float narrow;
        size_t size = is_float ? sizeof narrow : sizeof cells[i].real;
        PS_ASSERT((size_t)(bytes.end - bytes.at) >= size);
        memcpy(is_float ? (void *)&narrow : (void *)&cells[i].real, bytes.at, size);
        if (is_float)
            cells[i].real = (double)narrow;
        bytes.at += size;
    }
}

static void cut_texts(struct orc_bytes *bytes, const int64_t *lengths, struct orc_cell *cells, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        PS_ASSERT(lengths[i] >= 0 && lengths[i] <= bytes->end - bytes->at);
        cells[i].text = bytes->at;
        cells[i].length = (size_t)lengths[i];
        bytes->at += lengths[i];
    }
}

/* The dictionary is of the whole stripe: read from the beginning of its streams. */
static void read_dictionary(const struct orc_document *document, const struct orc_stripe *stripe,
                            uint32_t column, const int64_t *ids, struct orc_cell *cells, size_t count)
{
    size_t size = stripe->dictionary_sizes[column];
    struct orc_cell *entries = (struct orc_cell *)(void *)keep((size + 1) * sizeof *entries);
    int64_t *lengths = (int64_t *)(void *)keep((size + 1) * sizeof *lengths);
    memset(entries, 0, (size + 1) * sizeof *entries);
    uint8_t none[] = {0, 0, 0};
    struct positions start = {{none, none + sizeof none}};
    read_integers(document, stripe->streams[column][LENGTH], &start, false, lengths, size);
    struct orc_message data = orc_unpacked(document, stripe->streams[column][DICTIONARY_DATA]);
    struct orc_bytes bytes = {data.at, data.end};
    cut_texts(&bytes, lengths, entries, size);
    for (size_t i = 0; i < count; i++) {
        PS_ASSERT(ids[i] >= 0 && (uint64_t)ids[i] < size);
        cells[i] = entries[ids[i]];
    }
}

static void read_texts(const struct orc_document *document, const struct orc_stripe *stripe, uint32_t column,
                       struct positions *positions, int64_t *numbers, struct orc_cell *cells, size_t count)
{
    const struct orc_message *streams = stripe->streams[column];
    if (stripe->encodings[column] == DICTIONARY_V2) {
        read_integers(document, streams[DATA], positions, false, numbers, count);
        read_dictionary(document, stripe, column, numbers, cells, count);
        return;
    }
    struct orc_bytes bytes = seek(document, streams[DATA], positions);
    read_integers(document, streams[LENGTH], positions, false, numbers, count);
    cut_texts(&bytes, numbers, cells, count);
}

/* Seconds count from 2015. Times before 1970 have their seconds rounded towards 0, unless the nanoseconds are below
 * a millisecond. */
static void read_times(const struct orc_document *document, const struct orc_message *streams,
                       struct positions *positions, int64_t *numbers, struct orc_cell *cells, size_t count)
{
    read_integers(document, streams[DATA], positions, true, numbers, count);
    for (size_t i = 0; i < count; i++)
        cells[i].integer = numbers[i] + EPOCH_2015;
    read_integers(document, streams[SECONDARY], positions, false, numbers, count);
    for (size_t i = 0; i < count; i++) {
        uint64_t nanoseconds = (uint64_t)numbers[i] >> 3, zeroes = (uint64_t)numbers[i] & 7;
        for (uint64_t more = zeroes == 0 ? 0 : zeroes + 1; more > 0; more--)
            nanoseconds *= 10;
        PS_ASSERT(nanoseconds < 1000000000);
        cells[i].nanoseconds = (uint32_t)nanoseconds;
        if (cells[i].integer < 0 && nanoseconds > 999999)
            cells[i].integer--;
    }
}

static void read_decimals(const struct orc_document *document, const struct orc_message *streams,
                          struct positions *positions, int64_t *numbers, struct orc_cell *cells, size_t count)
{
    struct orc_bytes bytes = seek(document, streams[DATA], positions);
    for (size_t i = 0; i < count; i++) {
        unsigned __int128 value = 0;
        uint8_t byte;
        unsigned shift = 0;
        do {
            byte = orc_byte(&bytes);
            value |= (unsigned __int128)(byte & 0x7f) << shift;
            shift += 7;
        } while (byte >= 0x80);
        cells[i].decimal = (__int128)(value >> 1) ^ -(__int128)(value & 1);
    }
    read_integers(document, streams[SECONDARY], positions, true, numbers, count);
    for (size_t i = 0; i < count; i++)
        cells[i].integer = numbers[i];
}

/* Reads the values that are not null. */
static void read_values(const struct orc_document *document, const struct orc_stripe *stripe, uint32_t column,
                        enum orc_form form, struct positions *positions, struct orc_cell *cells, size_t count)
{
    const struct orc_message *streams = stripe->streams[column];
    int64_t *numbers = (int64_t *)(void *)keep((count + 1) * sizeof *numbers);
    bool *bits = (bool *)keep(count + 1);
    uint64_t skip;
    switch (form) {
    case ORC_BIT:
        read_bits(document, streams[DATA], positions, bits, count);
        for (size_t i = 0; i < count; i++)
            cells[i].integer = bits[i];
        break;
    case ORC_BYTE:
        read_byte_runs(document, streams[DATA], positions, (uint8_t *)bits, count, &skip);
        for (size_t i = 0; i < count; i++)
            cells[i].integer = (int8_t)((uint8_t *)bits)[i];
        break;
    case ORC_STRUCT:
        break;
    case ORC_INTEGER:
    case ORC_UNSIGNED:
    case ORC_LIST:
        read_integers(document, streams[form == ORC_LIST ? LENGTH : DATA], positions, form == ORC_INTEGER,
                      numbers, count);
        for (size_t i = 0; i < count; i++)
            cells[i].integer = numbers[i];
        break;
    case ORC_FLOAT:
    case ORC_DOUBLE:
        read_reals(document, streams[DATA], positions, form == ORC_FLOAT, cells, count);
        break;
    case ORC_TEXT:
    case ORC_BINARY:
        read_texts(document, stripe, column, positions, numbers, cells, count);
        break;
    case ORC_TIME:
        read_times(document, streams, positions, numbers, cells, count);
        break;
    case ORC_DECIMAL:
        read_decimals(document, streams, positions, numbers, cells, count);
        break;
    }
    PS_ASSERT(positions->packed.at == positions->packed.end); /* no position is left */
}

void orc_group_read(const struct orc_document *document, const struct orc_stripe *stripe, uint32_t column,
                    enum orc_form form, size_t group, size_t count, struct orc_cell *cells)
{
    struct orc_field numbers = {.number = 0}; /* a struct without nulls has none */
    (void)orc_field_find(entry_of(document, stripe, column, group), 1, &numbers);
    struct positions positions = {numbers.bytes};
    const struct orc_message *present = &stripe->streams[column][PRESENT];
    bool *is_there = (bool *)keep(count + 1);
    size_t values = 0;
    memset(is_there, true, count);
    if (present->at != present->end)
        read_bits(document, *present, &positions, is_there, count);
    for (size_t i = 0; i < count; i++)
        values += is_there[i];
    struct orc_cell *packed = (struct orc_cell *)(void *)keep((values + 1) * sizeof *packed);
    memset(packed, 0, (values + 1) * sizeof *packed);
    read_values(document, stripe, column, form, &positions, packed, values);
    for (size_t i = 0; i < count; i++) {
        cells[i] = is_there[i] ? *packed : (struct orc_cell){.null = true};
        packed += is_there[i];
    }
}

/* ---- Bloom filters ---- */

static void set_bits(uint8_t *bits, uint64_t bit_count, uint32_t hashes, uint64_t hash)
{
    int32_t first = (int32_t)(uint32_t)hash, second = (int32_t)(uint32_t)(hash >> 32);
    for (uint32_t i = 1; i <= hashes; i++) {
        int32_t both = (int32_t)((uint32_t)first + i * (uint32_t)second);
        if (both < 0)
            both = ~both;
        uint64_t bit = (uint64_t)both % bit_count;
        bits[bit / 8] |= (uint8_t)(1U << bit % 8);
    }
}

/* Murmur3, 64 bits of it, with the seed 104729. */
void orc_bloom_add_text(uint8_t *bits, uint64_t bit_count, uint32_t hashes, const uint8_t *text,
                        size_t length)
{
    const uint64_t c1 = UINT64_C(0x87c37b91114253d5), c2 = UINT64_C(0x4cf5ad432745937f);
    uint64_t hash = 104729, k;
    size_t i = 0;
    for (; i + 8 <= length; i += 8) {
        k = 0;
        for (unsigned j = 0; j < 8; j++)
            k |= (uint64_t)text[i + j] << (8 * j);
        k *= c1;
        k = k << 31 | k >> 33;
        hash ^= k * c2;
        hash = hash << 27 | hash >> 37;
        hash = hash * 5 + 1390208809;
    }
    k = 0;
    for (unsigned j = 0; i + j < length; j++)
        k |= (uint64_t)text[i + j] << (8 * j);
    if (i < length) {
        k *= c1;
        k = k << 31 | k >> 33;
        hash ^= k * c2;
    }
    hash ^= length;
    hash ^= hash >> 33;
    hash *= UINT64_C(0xff51afd7ed558ccd);
    hash ^= hash >> 33;
    hash *= UINT64_C(0xc4ceb9fe1a85ec53);
    hash ^= hash >> 33;
    set_bits(bits, bit_count, hashes, hash);
}

/* Thomas Wang's hash of an integer, with Java's shifts. */
void orc_bloom_add_integer(uint8_t *bits, uint64_t bit_count, uint32_t hashes, int64_t value)
{
    uint64_t key = ~(uint64_t)value + ((uint64_t)value << 21);
    key ^= (uint64_t)((int64_t)key >> 24);
    key = key + (key << 3) + (key << 8);
    key ^= (uint64_t)((int64_t)key >> 14);
    key = key + (key << 2) + (key << 4);
    key ^= (uint64_t)((int64_t)key >> 28);
    key += key << 31;
    set_bits(bits, bit_count, hashes, key);
}
