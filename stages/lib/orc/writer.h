/* Writes an ORC file (ORC v1 specification) with the features that Hive's tables need: all types but unions,
 * RLE version 2, dictionaries, row index, statistics and bloom filters. The file goes to a `struct
 * ps_output`, in order, without a seek.
 *
 * Memory: the stripe that is being filled, which ends when its buffers hold `stripe_bytes`; and about 100
 * bytes a column for each stripe written. ps_orc_writer_held returns the sum. Only the output may block; the
 * end of a stripe takes the longest, because it sorts the dictionaries.
 *
 * Thread: the owner's. */
#pragma once

#include "core/serializer.h"
#include "stages/lib/orc/compression.h"
#include "stages/lib/orc/type.h"
#include "stages/lib/orc/value.h"

struct ps_orc_writer;

/* The comments name the table property of Hive with the same meaning, and its default. */
struct ps_orc_settings {
    const struct ps_orc_type *type;      /* a struct; lives longer than the writer */
    enum ps_orc_compression compression; /* orc.compress, ZLIB */
    uint32_t chunk_bytes;                /* orc.compress.size, 262144; 1024 to 8388607 */
    uint64_t stripe_bytes;               /* orc.stripe.size, 67108864 */
    uint32_t row_index_stride;           /* orc.row.index.stride, 10000; 0: no row index */
    double
        dictionary_ratio; /* hive.exec.orc.dictionary.key.size.threshold, 0.8: a string column has a dictionary while its
                                distinct values are no more than this share; 0: never */
    const char
        *bloom_filter_columns; /* orc.bloom.filter.columns: names, separated by commas; NULL: none. Unknown
                               * names are ignored, as Java does */
    double bloom_filter_false_positives; /* orc.bloom.filter.fpp, 0.01 */
    /* Called when a stripe is complete; its last row is the last one added. May be NULL. */
    void (*stripe_ended)(void *owner);
    void *owner;
};

/* Returns the defaults above, for this type. */
struct ps_orc_settings ps_orc_settings_usual(const struct ps_orc_type *type);

/* Opens a writer; writes nothing yet. Returns NULL and the reason: settings out of range, or no memory. The
 * output must live longer. */
struct ps_orc_writer *ps_orc_writer_open(const struct ps_orc_settings *settings, struct ps_output *output,
                                         struct ps_err *err);
/* Frees the writer without completing the file: rows not yet written are lost. NULL is allowed. */
void ps_orc_writer_close(struct ps_orc_writer *writer);

/* Adds a row, which is a struct's value and not null; fields that are missing at its end are null. The caller
 * keeps numbers within the ranges of their types; strings too long for a varchar or char are cut. Returns
 * false, also for all later rows, when there is no memory or the output has failed. */
bool ps_orc_writer_add(struct ps_orc_writer *writer, const struct ps_orc_value *row);

/* Sets an entry of the file's user metadata; the value is copied when the footer is written, and must be valid
 * until then. A file has at most 8 entries. */
void ps_orc_writer_set(struct ps_orc_writer *writer, const char *name, const void *value, size_t length);

/* Ends the stripe and writes a footer, which completes the file. More rows and another end may follow: the
 * last footer counts (Java's writeIntermediateFooter). Returns false as ps_orc_writer_add does. */
bool ps_orc_writer_end(struct ps_orc_writer *writer);

uint64_t ps_orc_writer_rows(const struct ps_orc_writer *writer);
uint64_t ps_orc_writer_held(const struct ps_orc_writer *writer); /* bytes of memory */
