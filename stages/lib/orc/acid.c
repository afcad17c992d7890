#include "stages/lib/orc/acid.h"

#include "core/text/list.h"
#include "stages/lib/orc/buffer.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define INSERT 0
#define CODEC_VERSION 1
#define KEY_INDEX "hive.acid.key.index" /* the last row of each stripe: "transaction,bucket,row;" */
#define STATS "hive.acid.stats"         /* "inserts,updates,deletes" */
#define VERSION "hive.acid.version"

enum { OPERATION, ORIGINAL_TRANSACTION, BUCKET, ROW_ID, CURRENT_TRANSACTION, ROW, FIELDS };

struct ps_orc_acid {
    struct ps_orc_type *type; /* the wrapper's type, with a copy of the table's type as its last field */
    struct ps_orc_writer *writer;
    char *bloom_filter_columns;
    int32_t
        bucket_number; /* in column `bucket`: org.apache.hadoop.hive.ql.io.BucketCodec V1, of no statement */
    int64_t write_id;
    int64_t row_count;
    struct ps_orc_memory memory;
    struct ps_orc_buffer key_index;
    char stats[64];
};

void ps_orc_acid_delta_name(int64_t write_id, char name[PS_ORC_ACID_NAME_BYTES])
{
    snprintf(name, PS_ORC_ACID_NAME_BYTES, "delta_%07" PRId64 "_%07" PRId64, write_id, write_id);
}

void ps_orc_acid_bucket_name(uint32_t bucket, char name[PS_ORC_ACID_NAME_BYTES])
{
    snprintf(name, PS_ORC_ACID_NAME_BYTES, "bucket_%05" PRIu32, bucket);
}

/* Copies the table's type, with column numbers after those of the wrapper's fields. */
static struct ps_orc_type *copy_type(const struct ps_orc_type *type, uint32_t *id)
{
    struct ps_orc_type *copy = ps_must_alloc(1, sizeof(*copy), "the columns of a table");
    *copy = *type;
    copy->id = (*id)++;
    copy->children = ps_must_alloc(type->child_count, sizeof(*copy->children), "the columns of a table");
    copy->names = type->names == NULL
                      ? NULL
                      : ps_must_alloc(type->child_count, sizeof(*copy->names), "the columns of a table");
    for (uint32_t i = 0; i < type->child_count; i++) {
        copy->children[i] = copy_type(type->children[i], id);
        if (type->names != NULL)
            copy->names[i] = ps_must_copy_text(type->names[i], "the columns of a table");
    }
    return copy;
}

static struct ps_orc_type *wrap(const struct ps_orc_type *row)
{
    struct ps_err err;
    struct ps_orc_type *type = ps_orc_type_parse("struct<operation:int,originalTransaction:bigint,bucket:int,"
                                                 "rowId:bigint,currentTransaction:bigint,row:struct<>>",
                                                 &err);
    PS_ASSERT(type != NULL);
    uint32_t id = type->children[ROW]->id;
    ps_orc_type_destroy(type->children[ROW]);
    type->children[ROW] = copy_type(row, &id);
    return type;
}

/* Turns "a, b" into "row.a,row.b". */
static char *wrap_names(const char *names)
{
    char *text;
    size_t length;
    if (names == NULL)
        return NULL;
    FILE *out = ps_must_open_text(&text, &length, "the columns of a table");
    const char *comma = "";
    for (struct ps_slice name; ps_list_next_at_comma(&names, &name); comma = ",") {
        size_t blanks = strspn(name.data, " ");
        fprintf(out, "%srow.%.*s", comma, (int)(name.length - blanks), name.data + blanks);
    }
    fclose(out);
    return text;
}

/* Notes the last row of a stripe, which was just added. */
static void stripe_ended(void *owner)
{
    struct ps_orc_acid *acid = owner;
    char key[80];
    int length = snprintf(key, sizeof(key), "%" PRId64 ",%" PRId32 ",%" PRId64 ";", acid->write_id,
                          acid->bucket_number, acid->row_count - 1);
    ps_orc_buffer_append(&acid->key_index, key, (size_t)length);
    ps_orc_writer_set(acid->writer, KEY_INDEX, acid->key_index.data, acid->key_index.length);
}

struct ps_orc_acid *ps_orc_acid_open(const struct ps_orc_settings *settings, uint32_t bucket,
                                     int64_t write_id, struct ps_output *output, struct ps_err *err)
{
    PS_ASSERT(bucket < PS_ORC_BUCKETS_MAX);
    struct ps_orc_acid *acid = ps_must_alloc(1, sizeof(*acid), "an ORC file");
    acid->key_index.memory = &acid->memory;
    acid->bucket_number = CODEC_VERSION << 29 | (int32_t)bucket << 16;
    acid->write_id = write_id;
    acid->type = wrap(settings->type);
    acid->bloom_filter_columns = wrap_names(settings->bloom_filter_columns);
    struct ps_orc_settings wrapped = *settings;
    wrapped.type = acid->type;
    wrapped.bloom_filter_columns = acid->bloom_filter_columns;
    wrapped.stripe_ended = stripe_ended;
    wrapped.owner = acid;
    acid->writer = ps_orc_writer_open(&wrapped, output, err);
    if (acid->writer == NULL) {
        ps_orc_acid_close(acid);
        return NULL;
    }
    ps_orc_writer_set(acid->writer, KEY_INDEX, "", 0);
    ps_orc_writer_set(acid->writer, VERSION, PS_ORC_ACID_VERSION, strlen(PS_ORC_ACID_VERSION));
    return acid;
}

void ps_orc_acid_close(struct ps_orc_acid *acid)
{
    if (acid == NULL)
        return;
    ps_orc_writer_close(acid->writer);
    ps_orc_type_destroy(acid->type);
    free(acid->bloom_filter_columns);
    ps_orc_buffer_free(&acid->key_index);
    free(acid);
}

bool ps_orc_acid_insert(struct ps_orc_acid *acid, const struct ps_orc_value *row)
{
    struct ps_orc_value fields[FIELDS] = {
        [OPERATION] = {.integer = INSERT},
        [ORIGINAL_TRANSACTION] = {.integer = acid->write_id},
        [BUCKET] = {.integer = acid->bucket_number},
        [ROW_ID] = {.integer = acid->row_count++},
        [CURRENT_TRANSACTION] = {.integer = acid->write_id},
        [ROW] = *row,
    };
    struct ps_orc_value wrapped = {.items = fields, .item_count = FIELDS};
    return ps_orc_writer_add(acid->writer, &wrapped) && !acid->memory.failed;
}

bool ps_orc_acid_end(struct ps_orc_acid *acid)
{
    int length =
        snprintf(acid->stats, sizeof(acid->stats), "%" PRIu64 ",0,0", ps_orc_writer_rows(acid->writer));
    ps_orc_writer_set(acid->writer, STATS, acid->stats, (size_t)length);
    return ps_orc_writer_end(acid->writer) && !acid->memory.failed;
}

struct ps_orc_writer *ps_orc_acid_writer(struct ps_orc_acid *acid)
{
    return acid->writer;
}
