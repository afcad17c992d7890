#include "stages/lib/thrift/protocol.h"

#include "stages/lib/varint.h"

#define COMPACT_ID 0x82
#define COMPACT_VERSION 1U
#define BINARY_VERSION 0x80010000U
#define VERSION_MASK 0xffff0000U
#define LONG_COUNT 15U /* compact encoding: the count follows as a separate number */

/* The compact encoding's numbers of types; a field that is a bool has its value in its type. */
enum { COMPACT_TRUE = 1, COMPACT_FALSE = 2 };

static const uint8_t type_of_compact[16] = {
    [COMPACT_TRUE] = PS_THRIFT_BOOL,
    [COMPACT_FALSE] = PS_THRIFT_BOOL,
    [3] = PS_THRIFT_BYTE,
    [4] = PS_THRIFT_I16,
    [5] = PS_THRIFT_I32,
    [6] = PS_THRIFT_I64,
    [7] = PS_THRIFT_DOUBLE,
    [8] = PS_THRIFT_STRING,
    [9] = PS_THRIFT_LIST,
    [10] = PS_THRIFT_SET,
    [11] = PS_THRIFT_MAP,
    [12] = PS_THRIFT_STRUCT,
    [13] = PS_THRIFT_UUID,
};

static const uint8_t compact_of_type[17] = {
    [PS_THRIFT_BOOL] = COMPACT_TRUE,
    [PS_THRIFT_BYTE] = 3,
    [PS_THRIFT_I16] = 4,
    [PS_THRIFT_I32] = 5,
    [PS_THRIFT_I64] = 6,
    [PS_THRIFT_DOUBLE] = 7,
    [PS_THRIFT_STRING] = 8,
    [PS_THRIFT_LIST] = 9,
    [PS_THRIFT_SET] = 10,
    [PS_THRIFT_MAP] = 11,
    [PS_THRIFT_STRUCT] = 12,
    [PS_THRIFT_UUID] = 13,
};

/* ---- reading ---- */

static size_t bytes_left(const struct ps_thrift_reader *in)
{
    return (size_t)(in->end - in->at);
}

/* Returns where `length` bytes are, and moves past them; NULL: they have not arrived. */
static const uint8_t *take(struct ps_thrift_reader *in, size_t length)
{
    const uint8_t *bytes = in->at;
    in->bad = in->bad || length > bytes_left(in);
    if (in->bad)
        return NULL;
    in->at += length;
    return bytes;
}

uint8_t ps_thrift_read_byte(struct ps_thrift_reader *in)
{
    const uint8_t *byte = take(in, 1);
    return byte != NULL ? *byte : 0;
}

/* Reads a number of at most this many bits. */
static uint64_t read_varint(struct ps_thrift_reader *in, unsigned bits)
{
    uint64_t number = 0;
    size_t most = (bits + 6) / 7, left = (size_t)(in->end - in->at);
    size_t length = in->bad ? 0 : ps_varint_get(in->at, left < most ? left : most, &number);
    in->at += length;
    in->bad = length == 0;
    return number;
}

static int64_t read_zigzag(struct ps_thrift_reader *in, unsigned bits)
{
    return ps_unzigzag(read_varint(in, bits));
}

static uint32_t read_int32(struct ps_thrift_reader *in)
{
    const uint8_t *bytes = take(in, 4);
    return bytes != NULL ? ps_big_endian_get_32(bytes) : 0;
}

int32_t ps_thrift_read_i32(struct ps_thrift_reader *in)
{
    return in->compact ? (int32_t)read_zigzag(in, 32) : (int32_t)read_int32(in);
}

int64_t ps_thrift_read_i64(struct ps_thrift_reader *in)
{
    if (in->compact)
        return read_zigzag(in, 64);
    uint64_t high = read_int32(in);
    return (int64_t)(high << 32 | read_int32(in));
}

static int16_t read_i16(struct ps_thrift_reader *in)
{
    if (in->compact)
        return (int16_t)read_zigzag(in, 32);
    const uint8_t *bytes = take(in, 2);
    if (bytes == NULL)
        return 0;
    return (int16_t)ps_big_endian_get_16(bytes);
}

/* Reads a length in bytes, or a count of elements, each of which has at least one byte. */
static uint32_t read_length(struct ps_thrift_reader *in)
{
    uint64_t length = in->compact ? read_varint(in, 32) : read_int32(in);
    in->bad = in->bad || length > bytes_left(in);
    return in->bad ? 0 : (uint32_t)length;
}

struct ps_slice ps_thrift_read_text(struct ps_thrift_reader *in)
{
    uint32_t length = read_length(in);
    const uint8_t *bytes = take(in, length);
    return bytes != NULL ? (struct ps_slice){(const char *)bytes, length} : (struct ps_slice){"", 0};
}

static enum ps_thrift_type checked(struct ps_thrift_reader *in, unsigned type)
{
    bool known = type == PS_THRIFT_BOOL || type == PS_THRIFT_BYTE || type == PS_THRIFT_DOUBLE ||
                 type == PS_THRIFT_I16 || type == PS_THRIFT_I32 ||
                 (type >= PS_THRIFT_I64 && type <= PS_THRIFT_UUID);
    in->bad = in->bad || !known;
    return in->bad ? PS_THRIFT_STOP : (enum ps_thrift_type)type;
}

bool ps_thrift_read_field(struct ps_thrift_reader *in, struct ps_thrift_field *field)
{
    uint8_t head = ps_thrift_read_byte(in);
    if (in->bad || (in->compact ? head & 0xf : head) == PS_THRIFT_STOP)
        return false;
    if (!in->compact) {
        field->type = checked(in, head);
        field->id = read_i16(in);
        return !in->bad;
    }
    field->id = head >> 4 == 0 ? read_i16(in) : (int16_t)(field->id + (head >> 4));
    field->type = checked(in, type_of_compact[head & 0xf]);
    return !in->bad;
}

static enum ps_thrift_type element(struct ps_thrift_reader *in, uint8_t number)
{
    return checked(in, in->compact ? type_of_compact[number & 0xf] : number);
}

uint32_t ps_thrift_read_list(struct ps_thrift_reader *in, enum ps_thrift_type *type)
{
    uint8_t head = ps_thrift_read_byte(in);
    uint32_t count;
    if (in->compact && head >> 4 != LONG_COUNT) {
        count = head >> 4;
        in->bad = in->bad || count > bytes_left(in);
    } else {
        count = read_length(in);
    }
    *type = PS_THRIFT_STOP;
    if (count > 0 && !in->bad) /* writers give an empty list any type */
        *type = element(in, head);
    return in->bad ? 0 : count;
}

uint32_t ps_thrift_read_map(struct ps_thrift_reader *in, enum ps_thrift_type *key, enum ps_thrift_type *value)
{
    uint8_t types[2] = {0, 0};
    uint32_t count;
    *key = *value = PS_THRIFT_STOP;
    if (!in->compact) {
        types[0] = ps_thrift_read_byte(in);
        types[1] = ps_thrift_read_byte(in);
        count = read_length(in);
    } else {
        count = read_length(in);
        if (count > 0) {
            uint8_t both = ps_thrift_read_byte(in);
            types[0] = both >> 4;
            types[1] = both & 0xf;
        }
    }
    if (count == 0 || in->bad)
        return 0;
    *key = element(in, types[0]);
    *value = element(in, types[1]);
    in->bad = in->bad || count > bytes_left(in) / 2;
    return in->bad ? 0 : count;
}

/* ---- skipping ---- */

static void skip(struct ps_thrift_reader *in, enum ps_thrift_type type, unsigned depth);

/* An element of a list, a set or a map: in the compact encoding a bool has its value here, not in its type. */
static void skip_element(struct ps_thrift_reader *in, enum ps_thrift_type type, unsigned depth)
{
    if (type == PS_THRIFT_BOOL)
        take(in, 1);
    else
        skip(in, type, depth);
}

static void skip_struct(struct ps_thrift_reader *in, unsigned depth)
{
    struct ps_thrift_field field = {.id = 0};
    while (ps_thrift_read_field(in, &field))
        skip(in, field.type, depth);
}

static void skip_list(struct ps_thrift_reader *in, unsigned depth)
{
    enum ps_thrift_type type;
    uint32_t count = ps_thrift_read_list(in, &type);
    for (; count > 0 && !in->bad; count--)
        skip_element(in, type, depth);
}

static void skip_map(struct ps_thrift_reader *in, unsigned depth)
{
    enum ps_thrift_type key, value;
    uint32_t count = ps_thrift_read_map(in, &key, &value);
    for (; count > 0 && !in->bad; count--) {
        skip_element(in, key, depth);
        skip_element(in, value, depth);
    }
}

static void skip(struct ps_thrift_reader *in, enum ps_thrift_type type, unsigned depth)
{
    in->bad = in->bad || depth == 0;
    if (in->bad)
        return;
    switch (type) {
    case PS_THRIFT_STOP:
        in->bad = true;
        break;
    case PS_THRIFT_BOOL:
        take(in, in->compact ? 0 : 1);
        break;
    case PS_THRIFT_BYTE:
        take(in, 1);
        break;
    case PS_THRIFT_DOUBLE:
        take(in, 8);
        break;
    case PS_THRIFT_I16:
        read_i16(in);
        break;
    case PS_THRIFT_I32:
        ps_thrift_read_i32(in);
        break;
    case PS_THRIFT_I64:
        ps_thrift_read_i64(in);
        break;
    case PS_THRIFT_STRING:
        ps_thrift_read_text(in);
        break;
    case PS_THRIFT_STRUCT:
        skip_struct(in, depth - 1);
        break;
    case PS_THRIFT_MAP:
        skip_map(in, depth - 1);
        break;
    case PS_THRIFT_SET:
    case PS_THRIFT_LIST:
        skip_list(in, depth - 1);
        break;
    case PS_THRIFT_UUID:
        take(in, 16);
        break;
    }
}

void ps_thrift_skip(struct ps_thrift_reader *in, enum ps_thrift_type type)
{
    skip(in, type, PS_THRIFT_DEPTH_MAX);
}

/* ---- messages ---- */

static void read_compact_message(struct ps_thrift_reader *in, struct ps_thrift_message *message)
{
    (void)take(in, 1);
    uint8_t version = ps_thrift_read_byte(in);
    in->bad = in->bad || (version & 0x1f) != COMPACT_VERSION;
    message->type = (enum ps_thrift_message_type)(version >> 5);
    message->number = (uint32_t)read_varint(in, 32);
    message->name = ps_thrift_read_text(in);
}

static void read_binary_message(struct ps_thrift_reader *in, struct ps_thrift_message *message)
{
    bool strict = *in->at >= 0x80;
    if (strict) {
        uint32_t version = read_int32(in);
        in->bad = in->bad || (version & VERSION_MASK) != BINARY_VERSION;
        message->type = (enum ps_thrift_message_type)(version & 0xff);
    }
    message->name = ps_thrift_read_text(in);
    if (!strict)
        message->type = (enum ps_thrift_message_type)ps_thrift_read_byte(in);
    message->number = read_int32(in);
}

bool ps_thrift_read_message(struct ps_thrift_reader *in, struct ps_thrift_message *message)
{
    *message = (struct ps_thrift_message){.number = 0};
    if (in->bad || in->at == in->end)
        return false;
    in->compact = *in->at == COMPACT_ID;
    if (in->compact)
        read_compact_message(in, message);
    else
        read_binary_message(in, message);
    in->bad = in->bad || message->type < PS_THRIFT_CALL || message->type > PS_THRIFT_ONEWAY;
    return !in->bad;
}

/* ---- writing ---- */

static void put_varint(struct ps_thrift_writer *out, uint64_t number)
{
    out->at += ps_varint_put(out->at, number);
}

static void put_int32(struct ps_thrift_writer *out, uint32_t number)
{
    ps_big_endian_put_32(out->at, number);
    out->at += 4;
}

static void put_length(struct ps_thrift_writer *out, size_t length)
{
    if (out->compact)
        put_varint(out, length);
    else
        put_int32(out, (uint32_t)length);
}

void ps_thrift_put_byte(struct ps_thrift_writer *out, uint8_t byte)
{
    *out->at++ = byte;
}

void ps_thrift_put_i32(struct ps_thrift_writer *out, int32_t number)
{
    if (out->compact)
        put_varint(out, (uint32_t)number << 1 ^ (uint32_t)(number >> 31));
    else
        put_int32(out, (uint32_t)number);
}

void ps_thrift_put_i64(struct ps_thrift_writer *out, int64_t number)
{
    if (out->compact) {
        put_varint(out, ps_zigzag(number));
        return;
    }
    put_int32(out, (uint32_t)((uint64_t)number >> 32));
    put_int32(out, (uint32_t)number);
}

void ps_thrift_put_text(struct ps_thrift_writer *out, const char *text, size_t length)
{
    put_length(out, length);
    if (length > 0)
        memcpy(out->at, text, length);
    out->at += length;
}

void ps_thrift_put_stop(struct ps_thrift_writer *out)
{
    *out->at++ = PS_THRIFT_STOP;
}

void ps_thrift_put_field(struct ps_thrift_writer *out, enum ps_thrift_type type, int16_t id, int16_t before)
{
    if (!out->compact) {
        *out->at++ = (uint8_t)type;
        *out->at++ = (uint8_t)((uint16_t)id >> 8);
        *out->at++ = (uint8_t)id;
    } else if (id > before && id - before <= 15) {
        *out->at++ = (uint8_t)((id - before) << 4 | compact_of_type[type]);
    } else {
        *out->at++ = compact_of_type[type];
        ps_thrift_put_i32(out, id);
    }
}

void ps_thrift_put_list(struct ps_thrift_writer *out, enum ps_thrift_type type, uint32_t count)
{
    if (!out->compact) {
        *out->at++ = (uint8_t)type;
        put_int32(out, count);
    } else if (count < LONG_COUNT) {
        *out->at++ = (uint8_t)(count << 4 | compact_of_type[type]);
    } else {
        *out->at++ = (uint8_t)(LONG_COUNT << 4 | compact_of_type[type]);
        put_varint(out, count);
    }
}

void ps_thrift_put_map(struct ps_thrift_writer *out, enum ps_thrift_type key, enum ps_thrift_type value,
                       uint32_t count)
{
    if (!out->compact) {
        *out->at++ = (uint8_t)key;
        *out->at++ = (uint8_t)value;
        put_int32(out, count);
        return;
    }
    put_varint(out, count);
    if (count > 0)
        *out->at++ = (uint8_t)(compact_of_type[key] << 4 | compact_of_type[value]);
}

void ps_thrift_put_message(struct ps_thrift_writer *out, const struct ps_thrift_message *message)
{
    if (out->compact) {
        *out->at++ = COMPACT_ID;
        *out->at++ = (uint8_t)((unsigned)message->type << 5 | COMPACT_VERSION);
        put_varint(out, message->number);
        ps_thrift_put_text(out, message->name.data, message->name.length);
        return;
    }
    put_int32(out, BINARY_VERSION | (uint32_t)message->type);
    ps_thrift_put_text(out, message->name.data, message->name.length);
    put_int32(out, message->number);
}
