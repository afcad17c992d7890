/* Thrift's binary encoding, as Hive's metastore speaks it, read and written without the product's code (thrift-binary-protocol.md). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum thrift_type {
    THRIFT_BYTE = 3,
    THRIFT_DOUBLE = 4,
    THRIFT_I16 = 6,
    THRIFT_I32 = 8,
    THRIFT_I64 = 10,
    THRIFT_TEXT = 11,
    THRIFT_STRUCT = 12,
    THRIFT_MAP = 13,
    THRIFT_SET = 14,
    THRIFT_LIST = 15,
};

enum { THRIFT_CALL = 1, THRIFT_REPLY = 2, THRIFT_EXCEPTION = 3 };

#define HIVE_TEXTS_MAX 64
#define HIVE_NUMBERS_MAX 20000

struct hive_text {
    const char *bytes;
    size_t length;
};

/* A call, and all texts and numbers of its arguments in their order, whatever structs they are in. */
struct hive_call {
    struct hive_text name;
    int32_t number;
    size_t text_count, number_count;
    struct hive_text texts[HIVE_TEXTS_MAX];
    int64_t numbers[HIVE_NUMBERS_MAX]; /* i64 */
    int32_t last;                      /* i32 */
};

/* Returns the length of the message, or 0 while it is not whole. */
size_t hive_call_read(const char *bytes, size_t length, struct hive_call *call);

struct hive_out {
    char *bytes;
    size_t length, room;
};

void hive_put(struct hive_out *out, uint64_t value, unsigned bytes);
void hive_put_text(struct hive_out *out, const char *text, size_t length);
void hive_put_head(struct hive_out *out, int type, struct hive_text name, int32_t number);
void hive_put_field(struct hive_out *out, enum thrift_type type, int id);
void hive_put_stop(struct hive_out *out);
void hive_put_list(struct hive_out *out, enum thrift_type type, size_t count); /* or a set */
void hive_put_i32(struct hive_out *out, int id, int32_t value);                /* with their fields */
void hive_put_i64(struct hive_out *out, int id, int64_t value);
void hive_put_word(struct hive_out *out, int id, const char *text);
