/* Writes Avro container files for tests. */
#pragma once

#include "tests/support/support.h"

#include <stdbool.h>

struct ps_test_avro {
    char *data;
    size_t length, room;
    const char *codec;
    char *block; /* the one being filled */
    size_t block_length, block_room;
    uint64_t count;
};

#define PS_TEST_AVRO_FLUME                                                                                   \
    "{\"type\":\"record\",\"name\":\"Event\",\"fields\":[{\"name\":\"headers\",\"type\":{"                   \
    "\"type\":\"map\",\"values\":\"string\"}},{\"name\":\"body\",\"type\":\"bytes\"}]}"

/* codec: null, deflate or snappy. Any other one is named in the header, and its blocks are not compressed. */
void ps_test_avro_begin(struct ps_test_avro *avro, const char *schema, const char *codec);
/* Append pieces of a datum; ps_test_avro_end_datum ends it. */
void ps_test_avro_long(struct ps_test_avro *avro, int64_t number);
void ps_test_avro_text(struct ps_test_avro *avro, const char *text, size_t length);
void ps_test_avro_raw(struct ps_test_avro *avro, const void *data, size_t length);
void ps_test_avro_end_datum(struct ps_test_avro *avro);
/* Appends a datum of PS_TEST_AVRO_FLUME with one header. */
void ps_test_avro_event(struct ps_test_avro *avro, const char *body, size_t length);
/* Ends the block and writes its sync marker, unless the block is empty. */
void ps_test_avro_end_block(struct ps_test_avro *avro);
void ps_test_avro_free(struct ps_test_avro *avro);
