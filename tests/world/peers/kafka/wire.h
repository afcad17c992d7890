/* Kafka's primitive types, big-endian, read and written without the product's code. A read behind the end gives zero and sets `bad`. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct kafka_in {
    const unsigned char *at, *end;
    bool bad;
};

struct kafka_out {
    unsigned char *bytes;
    size_t length, room;
    bool full;
};

int64_t kafka_get(struct kafka_in *in, unsigned bytes); /* a signed integer of 1, 2, 4 or 8 bytes */
int64_t kafka_get_varint(struct kafka_in *in);          /* zigzag */
/* Reads a nullable string with a length of two bytes into `to`, cut to `room`. Returns its length, or -1 for null. */
int kafka_get_string(struct kafka_in *in, char *to, size_t room);
/* Returns where `length` bytes begin, and goes on behind them; NULL if there are fewer. */
const unsigned char *kafka_get_bytes(struct kafka_in *in, int64_t length);

void kafka_put(struct kafka_out *out, int64_t value, unsigned bytes);
void kafka_put_string(struct kafka_out *out, const char *text); /* NULL: null */
void kafka_put_bytes(struct kafka_out *out, const void *bytes, size_t length);
/* Writes an integer over what was put at `at`. */
void kafka_patch(struct kafka_out *out, size_t at, int64_t value, unsigned bytes);

uint32_t kafka_crc32c(const unsigned char *bytes, size_t length);
