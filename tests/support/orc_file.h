/* Looks into an ORC file without compression: footers, and whether all its lengths add up. For tests and fuzz targets. */
#pragma once

#include "stages/lib/orc/proto/orc.pb-c.h"
#include "stages/lib/orc/writer.h"

#include <stdlib.h>
#include <string.h>

struct orc_file {
    struct ps_output output; /* the first member */
    uint8_t *data;
    size_t length, room;
    size_t fail_at; /* the output fails at this number of bytes; 0: never */
};

static inline bool orc_file_write(struct ps_output *output, const void *bytes, size_t length)
{
    struct orc_file *file = (struct orc_file *)(void *)output;
    if (file->fail_at > 0 && file->length + length > file->fail_at)
        return false;
    if (file->length + length > file->room) {
        file->room = 2 * (file->length + length);
        file->data = realloc(file->data, file->room);
        PS_ASSERT(file->data != NULL);
    }
    memcpy(file->data + file->length, bytes, length);
    file->length += length;
    return true;
}

static inline PsOrc__PostScript *orc_file_postscript(const struct orc_file *file)
{
    PS_ASSERT(file->length > 4 && memcmp(file->data, "ORC", 3) == 0);
    size_t length = file->data[file->length - 1];
    PS_ASSERT(length + 4 < file->length);
    PsOrc__PostScript *script =
        ps_orc__post_script__unpack(NULL, length, file->data + file->length - 1 - length);
    PS_ASSERT(script != NULL && strcmp(script->magic, "ORC") == 0);
    return script;
}

/* Returns the footer of an uncompressed file. Free it with ps_orc__footer__free_unpacked. */
static inline PsOrc__Footer *orc_file_footer(const struct orc_file *file)
{
    PsOrc__PostScript *script = orc_file_postscript(file);
    size_t behind = 1 + file->data[file->length - 1], length = (size_t)script->footer_length;
    PS_ASSERT(behind + length + script->metadata_length < file->length);
    PsOrc__Footer *footer = ps_orc__footer__unpack(NULL, length, file->data + file->length - behind - length);
    PS_ASSERT(footer != NULL);
    PS_ASSERT(footer->content_length == file->length - behind - length - script->metadata_length);
    ps_orc__post_script__free_unpacked(script, NULL);
    return footer;
}

/* Asserts that stripes and streams are where the footers say. Returns the rows. */
static inline uint64_t orc_file_check(const struct orc_file *file)
{
    PsOrc__Footer *footer = orc_file_footer(file);
    uint64_t rows = 0, end = 3;
    for (size_t i = 0; i < footer->n_stripes; i++) {
        const PsOrc__StripeInformation *stripe = footer->stripes[i];
        uint64_t indexes = 0, data = 0,
                 footer_at = stripe->offset + stripe->index_length + stripe->data_length;
        PS_ASSERT(stripe->offset >= end && footer_at + stripe->footer_length <= footer->content_length);
        end = footer_at + stripe->footer_length;
        PsOrc__StripeFooter *parts =
            ps_orc__stripe_footer__unpack(NULL, (size_t)stripe->footer_length, file->data + footer_at);
        PS_ASSERT(parts != NULL && parts->n_columns == footer->n_types);
        for (size_t s = 0; s < parts->n_streams; s++) {
            bool is_index = parts->streams[s]->kind >= 6;
            PS_ASSERT(!is_index || data == 0); /* they come first */
            *(is_index ? &indexes : &data) += parts->streams[s]->length;
        }
        PS_ASSERT(indexes == stripe->index_length && data == stripe->data_length);
        ps_orc__stripe_footer__free_unpacked(parts, NULL);
        rows += stripe->number_of_rows;
    }
    PS_ASSERT(rows == footer->number_of_rows && footer->n_statistics == footer->n_types);
    ps_orc__footer__free_unpacked(footer, NULL);
    return rows;
}
