/* A reader of ORC files, written from the ORC v1 specification, which shares no code with the writer: it finds each row
 * group by the row index, as a reader does that skips the groups before it. For tests: the process ends if the file is not
 * an ORC file. Thread: the test's. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ORC_COLUMNS_MAX 32U
#define ORC_STRIPES_MAX 64U
#define ORC_STREAMS_MAX 8U /* kinds of a column, by number */
#define ORC_BLOOM_KIND 8U

/* A part of a message of protobuf, or a whole one. */
struct orc_message {
    const uint8_t *at, *end;
};

struct orc_field {
    uint32_t number;
    uint64_t value; /* of a varint, or the bits of a double */
    struct orc_message bytes;
};

/* Reads the next field. Returns false at the end. */
bool orc_field_next(struct orc_message *message, struct orc_field *field);
/* Finds the last field of this number. Returns false if there is none. */
bool orc_field_find(struct orc_message message, uint32_t number, struct orc_field *field);
/* Returns the field of this number that comes `index`-th. */
struct orc_message orc_field_at(struct orc_message message, uint32_t number, size_t index);

struct orc_stripe {
    uint64_t rows;
    uint32_t encodings[ORC_COLUMNS_MAX], dictionary_sizes[ORC_COLUMNS_MAX], bloom_encodings[ORC_COLUMNS_MAX];
    struct orc_message streams[ORC_COLUMNS_MAX]
                              [ORC_STREAMS_MAX + 1]; /* as they are in the file; empty: none */
};

struct orc_document {
    bool is_packed;                      /* by ZLIB; else not at all */
    uint64_t chunk_bytes;                /* the most that a chunk unpacks to */
    struct orc_message footer, metadata; /* decompressed */
    struct orc_stripe stripes[ORC_STRIPES_MAX];
    size_t stripe_count;
    uint64_t rows, stride, writer_version;
};

void orc_document_open(struct orc_document *document, const uint8_t *bytes, size_t length);
/* Frees all that was unpacked. */
void orc_document_close(struct orc_document *document);
/* Frees what was unpacked since orc_unpacked_mark returned this. */
size_t orc_unpacked_mark(void);
void orc_unpacked_free(size_t mark);
/* Unpacks a stream as a whole; it lives until the document is closed. */
struct orc_message orc_unpacked(const struct orc_document *document, struct orc_message stream);

enum orc_form {
    ORC_BIT,
    ORC_BYTE,
    ORC_INTEGER,
    ORC_UNSIGNED,
    ORC_FLOAT,
    ORC_DOUBLE,
    ORC_TEXT,
    ORC_BINARY,
    ORC_TIME,
    ORC_DECIMAL,
    ORC_LIST,  /* of an array or map: how many items or pairs */
    ORC_STRUCT /* whether it is null */
};

struct orc_cell {
    bool null;
    int64_t
        integer; /* also the seconds of a time since 1970, the scale of a decimal, and the length of a list */
    uint32_t nanoseconds;
    double real;
    __int128 decimal;
    const uint8_t *text;
    size_t length;
};

/* Reads `count` values of a column from the beginning of a row group, where the entry of the row index says. */
void orc_group_read(const struct orc_document *document, const struct orc_stripe *stripe, uint32_t column,
                    enum orc_form form, size_t group, size_t count, struct orc_cell *cells);
/* Statistics of the group, by its entry. */
struct orc_message orc_group_statistics(const struct orc_document *document, const struct orc_stripe *stripe,
                                        uint32_t column, size_t group);

/* Sets the bits of a value as the specification's Bloom filter of UTF-8 does. */
void orc_bloom_add_text(uint8_t *bits, uint64_t bit_count, uint32_t hashes, const uint8_t *text,
                        size_t length);
void orc_bloom_add_integer(uint8_t *bits, uint64_t bit_count, uint32_t hashes, int64_t value);
