/* Types and functions that only writer.c (streams) and sequence_file.c share. See writer.h. */
#pragma once

#include "stages/lib/hadoop/file/writer.h"
#include "stages/lib/random.h"

#define PS_HADOOP_SYNC_BYTES 16U

struct ps_hadoop_writers {
    const struct ps_hadoop_format *format;
    struct ps_port *port;
    struct ps_packer *packer;          /* NULL: no compression */
    struct ps_byte_buffer packed;      /* empty between calls */
    struct ps_byte_buffer spare;       /* a long buffer that a file has returned */
    struct ps_byte_buffer key_lengths; /* of a block */
    struct ps_random random;
    const struct ps_name *timestamp;
    struct ps_chain_share share; /* shared by the serializers of all writers */
    struct ps_port serializer_port;
    struct ps_filesystem *schema_filesystem; /* NULL: none */
    const char *schema_url;
};

struct ps_hadoop_writer {
    struct ps_output plain_output; /* CompressedStream: output of its serializer; must be the first member */
    struct ps_hadoop_writers *writers;
    struct ps_output *below; /* during a call: output for the file's bytes */
    void *serializer;        /* state of the serializer; NULL: SequenceFile */
    bool has_bytes;          /* CompressedStream: bytes were appended */
    /* CompressedStream: bytes that are not compressed yet. SequenceFile in blocks: the values of the incomplete block. */
    struct ps_byte_buffer plain;

    /* Only for SequenceFile: */
    struct ps_byte_buffer keys, lengths; /* blocks: keys of the records; lengths of the values */
    /* Blocks: number of records in the block; else: number of records since the last flush. */
    uint32_t records;
    uint64_t position,
        synced_position; /* number of appended bytes, and of bytes up to the end of the last sync marker */
    uint8_t sync[PS_HADOOP_SYNC_BYTES];
};

/* Makes room for `more` plain bytes; uses the spare buffer for many bytes. */
bool ps_hadoop_plain_reserve(struct ps_hadoop_writer *writer, size_t more);
/* Empties the plain bytes; a long buffer becomes the spare one. */
void ps_hadoop_plain_clear(struct ps_hadoop_writer *writer);

bool ps_hadoop_sequence_begin(struct ps_hadoop_writer *writer);
enum ps_hadoop_answer ps_hadoop_sequence_event(struct ps_hadoop_writer *writer, const struct ps_batch *batch,
                                               const struct ps_event *event, int64_t wall_ms,
                                               struct ps_err *err);
bool ps_hadoop_sequence_flush(struct ps_hadoop_writer *writer);
