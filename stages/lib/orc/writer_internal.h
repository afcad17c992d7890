/* Shared by the files of the ORC writer. */
#pragma once

#include "stages/lib/orc/column/column.h"
#include "stages/lib/orc/writer.h"

#define PS_ORC_METADATA_MAX 8U

struct ps_orc_stripe {
    uint64_t offset, index_length, data_length, footer_length, rows;
};

struct ps_orc_metadata {
    const char *name;
    const void *value;
    size_t length;
};

struct ps_orc_writer {
    struct ps_orc_settings settings;
    struct ps_output *output;
    bool failed;
    uint64_t length;
    uint64_t rows, stripe_rows, group_rows;
    struct ps_orc_memory memory; /* of the open stripe */
    struct ps_orc_memory kept;   /* of the footer and its parts */
    struct ps_orc_compressor compressor;
    struct ps_orc_columns columns;
    struct ps_orc_stream scratch;           /* for compressing outside of the columns */
    struct ps_orc_buffer message;           /* for packing before compression */
    struct ps_orc_buffer stripes;           /* struct ps_orc_stripe */
    struct ps_orc_buffer stripe_statistics; /* a Metadata message */
    struct ps_orc_metadata metadata[PS_ORC_METADATA_MAX];
    unsigned metadata_count;
};

/* Writes to the output, and counts. */
void ps_orc_writer_put(struct ps_orc_writer *writer, const void *bytes, size_t length);

/* These compress bytes, or the contents of the stream `scratch`, and write them. They return the number of
 * bytes written. */
uint64_t ps_orc_writer_put_packed(struct ps_orc_writer *writer, const void *bytes, size_t length);
uint64_t ps_orc_writer_put_scratch(struct ps_orc_writer *writer);

/* Writes the stripe that is open (stripe.c), and metadata, footer and PostScript (footer.c). */
void ps_orc_writer_stripe(struct ps_orc_writer *writer);
void ps_orc_writer_footer(struct ps_orc_writer *writer);
