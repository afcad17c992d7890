/* Protocol buffers (encoding of proto2), as Hadoop's messages use them, read and written without the product's code. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct proto_in {
    const unsigned char *at, *end;
    bool bad; /* a read behind the end, or what is no message */
};

struct proto_field {
    unsigned number;
    uint64_t value;     /* of a varint or a fixed number; a length otherwise */
    struct proto_in in; /* of bytes, texts and messages */
};

/* Returns the rest of a message as its next field; false: there is none. */
bool proto_next(struct proto_in *in, struct proto_field *field);
uint64_t proto_get_varint(struct proto_in *in);
/* Takes a message behind its length. */
struct proto_in proto_get_message(struct proto_in *in);
/* Returns the last field of this number, or zeroes. */
struct proto_field proto_find(struct proto_in in, unsigned number);
/* Copies a text, cut to the room. */
void proto_text(struct proto_in in, char *to, size_t room);
int64_t proto_signed(uint64_t value); /* zigzag */

struct proto_out {
    unsigned char *bytes;
    size_t length, room;
};

void proto_put(struct proto_out *out, const void *bytes, size_t length);
void proto_put_varint(struct proto_out *out, uint64_t value);
void proto_put_number(struct proto_out *out, unsigned field, uint64_t value);
void proto_put_bytes(struct proto_out *out, unsigned field, const void *bytes, size_t length);
void proto_put_text(struct proto_out *out, unsigned field, const char *text);
void proto_put_fixed(struct proto_out *out, unsigned field, uint64_t value, unsigned bytes); /* 4 or 8 */
/* A message within a message, or, without a field (0), behind its length alone. */
size_t proto_begin(struct proto_out *out, unsigned field);
void proto_end(struct proto_out *out, size_t begin);
