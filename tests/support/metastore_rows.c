/* Reads the rows in the files of committed transactions (metastore_peer.h). */
#include "tests/support/metastore_peer.h"
#include "tests/support/orc_file.h"
#include "tests/support/orc_run.h"

#include <stdio.h>

#define LINE_COLUMN 7U /* after the wrapper's six columns and the row */
#define FILE_BYTES_MAX (1U << 20)
#define BUCKETS_MAX 16
enum { DATA = 1, LENGTH = 2, DIRECT_V2 = 2 };

static struct orc_bytes stream_of(const struct orc_file *file, const PsOrc__StripeInformation *stripe,
                                  const PsOrc__StripeFooter *parts, unsigned kind)
{
    const uint8_t *at = file->data + stripe->offset;
    for (size_t i = 0; i < parts->n_streams; i++) {
        if (parts->streams[i]->column == LINE_COLUMN && parts->streams[i]->kind == kind)
            return (struct orc_bytes){at, at + parts->streams[i]->length};
        at += parts->streams[i]->length;
    }
    return (struct orc_bytes){at, at};
}

/* Appends the strings of one stripe. Returns their number. */
static size_t read_stripe(const struct orc_file *file, const PsOrc__StripeInformation *stripe, FILE *out)
{
    PsOrc__StripeFooter *parts = ps_orc__stripe_footer__unpack(
        NULL, (size_t)stripe->footer_length,
        file->data + stripe->offset + stripe->index_length + stripe->data_length);
    size_t rows = 0;
    PS_ASSERT(parts != NULL && parts->columns[LINE_COLUMN]->kind == DIRECT_V2);
    struct orc_bytes data = stream_of(file, stripe, parts, DATA),
                     lengths = stream_of(file, stripe, parts, LENGTH);
    while (lengths.at < lengths.end) {
        int64_t values[1024];
        unsigned kind;
        size_t count = orc_read_run(&lengths, false, values, &kind);
        for (size_t i = 0; i < count; i++, rows++) {
            fprintf(out, "%.*s\n", (int)values[i], (const char *)data.at);
            data.at += values[i];
        }
    }
    ps_orc__stripe_footer__free_unpacked(parts, NULL);
    return rows;
}

static size_t read_bucket(const char *path, FILE *out)
{
    struct orc_file file = {.length = 0};
    size_t rows = 0;
    FILE *in = fopen(path, "rb");
    if (in == NULL)
        return 0;
    file.data = malloc(FILE_BYTES_MAX);
    file.length = fread(file.data, 1, FILE_BYTES_MAX, in);
    fclose(in);
    PsOrc__Footer *footer = orc_file_footer(&file);
    for (size_t i = 0; i < footer->n_stripes; i++)
        rows += read_stripe(&file, footer->stripes[i], out);
    ps_orc__footer__free_unpacked(footer, NULL);
    free(file.data);
    return rows;
}

size_t ps_test_metastore_rows(const char *folder, char *text, size_t room)
{
    static size_t commits[10000];
    size_t rows = 0, count = ps_test_metastore_commits(commits, PS_COUNT_OF(commits));
    FILE *out = fmemopen(text, room, "w");
    assert_non_null(out);
    for (size_t i = 0; i < count; i++) {
        for (int bucket = 0; bucket < BUCKETS_MAX; bucket++) {
            char path[600];
            snprintf(path, sizeof path, "%s/delta_%07zu_%07zu/bucket_%05d", folder, commits[i], commits[i],
                     bucket);
            rows += read_bucket(path, out);
        }
    }
    fputc('\0', out);
    fclose(out);
    return rows;
}
