/* Reads what Hadoop's codecs and SequenceFile.Writer write, by the description of the formats and the libraries' decompressors
 * alone. Anything else in the bytes is a failed assertion. */
#pragma once

#include "stages/lib/hadoop/file/codec.h"

/* Decompresses one stream after the other; the result is malloc'ed. */
char *ps_test_hadoop_unpack(enum ps_hadoop_codec codec, const void *packed, size_t packed_length,
                            size_t *length);

/* Reads a file of tests/stages/lib/hadoop/file/data, which Hadoop 3.4.1 wrote (tests/real/HadoopFile.java); malloc'ed. */
char *ps_test_hadoop_vector(const char *name, size_t *length);

struct ps_test_sequence_record {
    int64_t key;
    const char *value; /* without the length field before it */
    size_t length;
};

struct ps_test_sequence {
    char *value_class; /* "org.apache.hadoop.io.Text" */
    char *codec_class; /* "": not compressed */
    bool compressed, blocks;
    struct ps_test_sequence_record *records;
    size_t record_count;
    size_t block_count, sync_count; /* sync markers after the header */
    size_t sync_gap_max;            /* bytes between two sync markers */
    char sync[16];
    void **owned; /* decompressed values and blocks */
    size_t owned_count;
};

/* `bytes` must live as long as the records are looked at. */
void ps_test_sequence_read(struct ps_test_sequence *file, const void *bytes, size_t length);
void ps_test_sequence_free(struct ps_test_sequence *file);
