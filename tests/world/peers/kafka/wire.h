/* Kafka's primitive types, big-endian, read and written without the product's code. A read behind the end gives zero and sets `bad`.
 *
 * In flexible messages (KIP-482) counts and texts are compact, and structures end in tagged fields. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct kafka_in {
    const unsigned char *at, *end;
    bool bad, flexible;
};

struct kafka_out {
    unsigned char *bytes;
    size_t length, room;
    bool full, flexible;
};

int64_t kafka_get(struct kafka_in *in, unsigned bytes); /* a signed integer of 1, 2, 4 or 8 bytes */
int64_t kafka_get_varint(struct kafka_in *in);          /* zigzag */
/* Reads a nullable string with a length of two bytes into `to`, cut to `room`. Returns its length, or -1 for null. */
int kafka_get_string(struct kafka_in *in, char *to, size_t room);
/* The same in a message that may be flexible. */
int kafka_get_text(struct kafka_in *in, char *to, size_t room);
/* Returns the count of an array, or the length of bytes; -1: null. */
int64_t kafka_get_count(struct kafka_in *in);
/* Skips the tagged fields at the end of a structure of a flexible message. */
void kafka_get_tags(struct kafka_in *in);
/* Returns where `length` bytes begin, and goes on behind them; NULL if there are fewer. */
const unsigned char *kafka_get_bytes(struct kafka_in *in, int64_t length);

void kafka_put(struct kafka_out *out, int64_t value, unsigned bytes);
void kafka_put_string(struct kafka_out *out, const char *text); /* NULL: null */
void kafka_put_bytes(struct kafka_out *out, const void *bytes, size_t length);
void kafka_put_text(struct kafka_out *out, const char *text); /* NULL: null */
/* An answer repeats the count, or the name, of the request. */
int64_t kafka_echo_count(struct kafka_in *in, struct kafka_out *out);
void kafka_echo_text(struct kafka_in *in, struct kafka_out *out, char *to, size_t room);
void kafka_put_count(struct kafka_out *out, int64_t count);  /* -1: null */
void kafka_put_varint(struct kafka_out *out, int64_t value); /* zigzag */
void kafka_put_tags(struct kafka_out *out);                  /* none */
/* Writes a count, which is below 127, over the one that was put at `at`. */
void kafka_patch_count(struct kafka_out *out, size_t at, int64_t count);
/* Writes an integer over what was put at `at`. */
void kafka_patch(struct kafka_out *out, size_t at, int64_t value, unsigned bytes);

uint32_t kafka_crc32c(const unsigned char *bytes, size_t length);
