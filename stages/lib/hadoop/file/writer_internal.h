/* What the parts of a writer share: writer.c (streams), sequence_file.c. See writer.h. */
#pragma once

#include "stages/lib/hadoop/file/writer.h"
#include "stages/lib/random.h"

#define PS_HADOOP_SYNC_BYTES 16U

struct ps_hadoop_writers {
    const struct ps_hadoop_format *format;
    struct ps_port *port;
    struct ps_hadoop_compressor *compressor; /* NULL: nothing is compressed */
    struct ps_byte_buffer packed;            /* empty between calls */
    struct ps_byte_buffer spare;             /* a long buffer that a file gave back */
    struct ps_byte_buffer key_lengths;       /* of a block */
    struct ps_random random;
    const struct ps_name *timestamp;
    struct ps_chain_share share; /* of its serializers */
    struct ps_port serializer_port;
    struct ps_filesystem *schema_filesystem; /* NULL: there is none */
    const char *schema_url;
    size_t held_bytes; /* of the files: see ps_hadoop_writers_bytes */
};

struct ps_hadoop_writer {
    struct ps_output
        plain_output; /* CompressedStream: what its serializer writes to; must be the first member */
    struct ps_hadoop_writers *writers;
    struct ps_output *below; /* during a call: where the file's bytes go */
    void *serializer;        /* its state; NULL: SequenceFile */
    bool has_bytes;          /* CompressedStream: something was appended */
    /* CompressedStream: not compressed yet. SequenceFile with BLOCK: the values of the block that is not full. */
    struct ps_byte_buffer plain;

    /* SequenceFile. */
    struct ps_byte_buffer keys, lengths; /* BLOCK: of the same records; lengths of the values */
    uint32_t records;                    /* BLOCK: in the block; else: since the last flush */
    uint64_t position,
        synced_position; /* bytes that were appended: all, and up to the end of the last sync marker */
    uint8_t sync[PS_HADOOP_SYNC_BYTES];
};

/* Makes room for `more` plain bytes, in the spare buffer when they are many. */
bool ps_hadoop_plain_reserve(struct ps_hadoop_writer *writer, size_t more);
/* Empties the plain bytes; a long buffer goes to the spare. */
void ps_hadoop_plain_clear(struct ps_hadoop_writer *writer);

bool ps_hadoop_sequence_begin(struct ps_hadoop_writer *writer);
enum ps_hadoop_answer ps_hadoop_sequence_event(struct ps_hadoop_writer *writer, const struct ps_batch *batch,
                                               const struct ps_event *event, int64_t wall_ms,
                                               struct ps_err *err);
bool ps_hadoop_sequence_flush(struct ps_hadoop_writer *writer);
