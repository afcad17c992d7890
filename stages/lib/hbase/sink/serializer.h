/* What Flume's serializers make of an event: SimpleHbaseEventSerializer, SimpleAsyncHbaseEventSerializer and RegexHbaseEventSerializer of Flume
 * 1.9, and their twins of the sink hbase2 of Flume 1.11. Thread: control, where a function names no other. */
#pragma once

#include "core/stage.h"
#include "regex/regex.h"
#include "stages/lib/hbase/batch.h"
#include "stages/lib/random.h"
#include "stages/lib/remote/id.h"

#include <openssl/evp.h>

enum ps_hbase_suffix { PS_HBASE_UUID, PS_HBASE_RANDOM, PS_HBASE_TIMESTAMP, PS_HBASE_NANO };

/* What SimpleHbaseEventSerializer or RegexHbaseEventSerializer is told; const after `build`. */
struct ps_hbase_serializer {
    bool is_regex;
    /* simple */
    const char *row_prefix, *payload_column, *increment_row,
        *increment_column; /* a column: NULL: not written */
    enum ps_hbase_suffix suffix;
    /* regex */
    struct ps_regex *regex;
    struct ps_texts columns;
    int64_t row_key; /* number of the column whose group is the row's key; -1: none */
    bool deposits_headers;
    const struct ps_name *timestamp;
    struct ps_remote_id ids; /* what numbers of an event are made of */
};

/* Returns whether the class is one of Flume's, which `build` knows; with or without its package. */
bool ps_hbase_serializer_is_known(const char *class, bool *is_regex);
/* Reads serializer.*, and `ids` (NULL: identity). Returns PS_FAIL with the key in *key and the reason, where Flume's class throws. */
enum ps_status ps_hbase_serializer_build(struct ps_hbase_serializer *serializer, const char *class,
                                         const struct ps_pairs *keys, const char *ids, struct ps_arena *arena,
                                         const char **key, struct ps_err *err);
void ps_hbase_serializer_teardown(struct ps_hbase_serializer *serializer);

/* A worker's part. */
struct ps_hbase_writer {
    const struct ps_hbase_serializer *serializer;
    bool coalesces;
    size_t value_max; /* of a cell's value: hbase.client.keyvalue.maxsize */
    struct ps_random random;
    EVP_MD_CTX *digest;
    EVP_MD *sha;
    struct ps_regex_scratch *scratch;
    struct ps_hbase_cell *cells;
    unsigned cell_room;
    uint32_t counter;        /* of RegexHbaseEventSerializer's keys */
    char random_key[11];     /* the same */
    uint64_t now_ms, now_ns; /* of this cycle */
    uint64_t unmatched;      /* events that the regex does not match */
};

/* Thread of these: the worker's. */
bool ps_hbase_writer_open(struct ps_hbase_writer *writer);
void ps_hbase_writer_close(struct ps_hbase_writer *writer);

enum ps_hbase_written {
    PS_HBASE_WRITTEN, /* the batch has the event's mutations; it may have none */
    PS_HBASE_NO_MEMORY,
    PS_HBASE_UNWRITABLE /* `reason` (static) says why there is no mutation of this event */
};

/* Adds the mutations of the event at a position of the lease; `event`: its number in the batch. `*increments` counts those that are added
 * together (coalesceIncrements). */
enum ps_hbase_written ps_hbase_write(struct ps_hbase_writer *writer, struct ps_hbase_batch *batch,
                                     uint32_t event, const struct ps_lease *lease, uint32_t position,
                                     uint64_t *increments, const char **reason);
/* Adds the increment of all events together. */
bool ps_hbase_write_increments(struct ps_hbase_writer *writer, struct ps_hbase_batch *batch,
                               uint64_t increments);
