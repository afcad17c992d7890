/* Thrift's binary and compact encodings, of bytes that were received and of bytes to be sent. The reader is a
 * cursor that never leaves the bytes that have arrived: lengths and counts are compared with their number, and
 * nothing is allocated. After the first mistake every read returns zero.
 *
 * A message tells its encoding by its first byte: 0x82 is compact, 0x80 binary with a version (strict), 0x00 to
 * 0x7f binary without one (non-strict: the length of a name).
 *
 * Sources: thrift-binary-protocol.md and thrift-compact-protocol.md of Apache Thrift; TBinaryProtocol and
 * TCompactProtocol of libthrift 0.14. Thread: any. */
#pragma once

#include "core/base.h"
#include "core/big_endian.h"

#include <string.h>

/* As in the binary encoding; the compact encoding has other numbers on the wire. */
enum ps_thrift_type {
    PS_THRIFT_STOP = 0,
    PS_THRIFT_BOOL = 2,
    PS_THRIFT_BYTE = 3,
    PS_THRIFT_DOUBLE = 4,
    PS_THRIFT_I16 = 6,
    PS_THRIFT_I32 = 8,
    PS_THRIFT_I64 = 10,
    PS_THRIFT_STRING = 11, /* also the type of binary */
    PS_THRIFT_STRUCT = 12,
    PS_THRIFT_MAP = 13,
    PS_THRIFT_SET = 14,
    PS_THRIFT_LIST = 15,
    PS_THRIFT_UUID = 16,
};

enum ps_thrift_message_type {
    PS_THRIFT_CALL = 1,
    PS_THRIFT_REPLY = 2,
    PS_THRIFT_EXCEPTION = 3,
    PS_THRIFT_ONEWAY = 4,
};

#define PS_THRIFT_DEPTH_MAX 32U /* maximum depth of nested values that are skipped */

/* ---- reading ---- */

struct ps_thrift_reader {
    const uint8_t *at, *end;
    bool compact;
    bool bad; /* a read made a mistake; permanent */
};

struct ps_thrift_message {
    enum ps_thrift_message_type type;
    uint32_t number; /* the client's number of the call, which the answer repeats */
    struct ps_slice name;
};

/* Reads the head of a message, and sets the reader's encoding. Returns false if it is not a message. */
bool ps_thrift_read_message(struct ps_thrift_reader *in, struct ps_thrift_message *message);

/* A field of a struct, zeroed before the first one: the compact encoding counts from the field before. */
struct ps_thrift_field {
    enum ps_thrift_type type;
    int16_t id;
};

/* Reads the head of the next field. Returns false at the end of the struct, or when the reader is bad. */
bool ps_thrift_read_field(struct ps_thrift_reader *in, struct ps_thrift_field *field);

/* Values of fields. When the bytes end too early, or are not such a value, the reader is bad, and the result is
 * empty or 0. A text points into the input. */
struct ps_slice ps_thrift_read_text(struct ps_thrift_reader *in);
int32_t ps_thrift_read_i32(struct ps_thrift_reader *in);
int64_t ps_thrift_read_i64(struct ps_thrift_reader *in);
uint8_t ps_thrift_read_byte(struct ps_thrift_reader *in);
/* The head of a list or a set: its elements' type, and their number. Each element has at least one byte, so no
 * more elements are accepted than bytes have arrived. */
uint32_t ps_thrift_read_list(struct ps_thrift_reader *in, enum ps_thrift_type *type);
/* The head of a map; without entries the types are STOP. */
uint32_t ps_thrift_read_map(struct ps_thrift_reader *in, enum ps_thrift_type *key,
                            enum ps_thrift_type *value);
/* Moves past a field's value. */
void ps_thrift_skip(struct ps_thrift_reader *in, enum ps_thrift_type type);

/* ---- writing ---- */

/* The caller has made room: the PS_THRIFT_.._BYTES_MAX of each function, and the lengths of the texts. */
#define PS_THRIFT_NUMBER_BYTES_MAX 10U
#define PS_THRIFT_FIELD_BYTES_MAX 4U
#define PS_THRIFT_LENGTH_BYTES_MAX 5U
#define PS_THRIFT_MAP_BYTES_MAX 6U
#define PS_THRIFT_MESSAGE_BYTES_MAX 16U /* and the length of the name */

struct ps_thrift_writer {
    uint8_t *at;
    bool compact;
};

/* The head of a message; its name is not checked. */
void ps_thrift_put_message(struct ps_thrift_writer *out, const struct ps_thrift_message *message);
/* `before`: the id of the previous field in this struct; 0: this field is the first. */
void ps_thrift_put_field(struct ps_thrift_writer *out, enum ps_thrift_type type, int16_t id, int16_t before);
void ps_thrift_put_stop(struct ps_thrift_writer *out);
void ps_thrift_put_byte(struct ps_thrift_writer *out, uint8_t byte);
void ps_thrift_put_i32(struct ps_thrift_writer *out, int32_t number);
void ps_thrift_put_i64(struct ps_thrift_writer *out, int64_t number);
void ps_thrift_put_text(struct ps_thrift_writer *out, const char *text, size_t length);
void ps_thrift_put_list(struct ps_thrift_writer *out, enum ps_thrift_type type, uint32_t count);
void ps_thrift_put_map(struct ps_thrift_writer *out, enum ps_thrift_type key, enum ps_thrift_type value,
                       uint32_t count);

/* ---- frames ---- */

#define PS_THRIFT_FRAME_BYTES 4U /* the length of the message, big-endian */
