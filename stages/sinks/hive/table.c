#include "stages/sinks/hive/table.h"

#include "stages/lib/hive/field.h"
#include "stages/lib/hive/text/plain.h"
#include "stages/lib/orc/acid.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define PURPOSE "a table of Hive"
#define DIRECTORY_NAME_MAX 255U
#define NO_VALUE "__HIVE_DEFAULT_PARTITION__" /* of a partition with a null value */

static bool is(struct ps_slice slice, const char *text)
{
    return slice.length == strlen(text) && strncasecmp(slice.data, text, slice.length) == 0;
}

static char *copy(struct ps_slice slice)
{
    char *text = ps_must_alloc(1, slice.length + 1U, PURPOSE);
    if (slice.length > 0)
        memcpy(text, slice.data, slice.length);
    return text;
}

/* Returns a parameter's number; `missing` if it is not set or not a number. */
static uint64_t number_of(const struct ps_hive_table *table, const char *name, uint64_t missing)
{
    struct ps_slice text = ps_hive_pairs_find(&table->parameters, name);
    uint64_t number = 0;
    if (text.length == 0 || text.length > 15)
        return missing;
    for (size_t i = 0; i < text.length; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return missing;
        number = number * 10 + (uint64_t)(text.data[i] - '0');
    }
    return number;
}

/* ---- columns ---- */

/* Returns a struct of these columns, or NULL if a type is not supported. */
static struct ps_orc_type *type_of(const struct ps_hive_pairs *columns, struct ps_err *err)
{
    char *text;
    size_t length;
    FILE *out = ps_must_open_text(&text, &length, PURPOSE);
    fputs("struct<", out);
    for (size_t i = 0; i < columns->count; i++) {
        const struct ps_hive_pair *column = &columns->all[i];
        fprintf(out, "%s%.*s:%.*s", i == 0 ? "" : ",", (int)column->name.length, column->name.data,
                (int)column->value.length, column->value.data);
    }
    fputc('>', out);
    fclose(out);
    struct ps_orc_type *type = ps_orc_type_parse(text, err);
    free(text);
    return type;
}

static enum ps_status read_type(const struct ps_hive_table *table, struct ps_hive_target *target,
                                struct ps_err *err)
{
    target->type = type_of(&table->columns, err);
    if (target->type == NULL || table->partition_keys.count == 0)
        return target->type != NULL ? PS_OK : PS_FAIL;
    target->key_type = type_of(&table->partition_keys, err);
    return target->key_type != NULL ? PS_OK : PS_FAIL;
}

static enum ps_status read_bucket_column(struct ps_slice name, struct ps_hive_target *target,
                                         struct ps_err *err)
{
    if (target->bucket_field_count == PS_HIVE_BUCKET_COLUMNS_MAX)
        return ps_err_set(err, "it has more than %u bucket columns", PS_HIVE_BUCKET_COLUMNS_MAX);
    for (uint32_t i = 0; i < target->type->child_count; i++) {
        if (!is(name, target->type->names[i]))
            continue;
        if (!ps_hive_bucket_knows(target->type->children[i]))
            return ps_err_set(err, "its bucket column %s has a type that is not known here",
                              target->type->names[i]);
        target->bucket_fields[target->bucket_field_count++] = i;
        return PS_OK;
    }
    return ps_err_set(err, "its bucket column %.*s is not a column", (int)name.length, name.data);
}

static enum ps_status read_buckets(const struct ps_hive_table *table, struct ps_hive_target *target,
                                   struct ps_err *err)
{
    target->bucket_count = table->bucket_count > 0 ? (uint32_t)table->bucket_count : 1;
    target->bucketing =
        number_of(table, "bucketing_version", 1) >= 2 ? PS_HIVE_BUCKETING_MURMUR : PS_HIVE_BUCKETING_JAVA;
    if (target->bucket_count > PS_ORC_BUCKETS_MAX)
        return ps_err_set(err, "it has more than %u buckets", PS_ORC_BUCKETS_MAX);
    for (size_t i = 0; table->bucket_count > 0 && i < table->bucket_columns.count; i++) {
        if (read_bucket_column(table->bucket_columns.all[i].name, target, err) != PS_OK)
            return PS_FAIL;
    }
    return PS_OK;
}

/* ---- properties of its files ---- */

static enum ps_status read_compression(const struct ps_hive_table *table, struct ps_orc_settings *orc,
                                       struct ps_err *err)
{
    struct ps_slice name = ps_hive_pairs_find(&table->parameters, "orc.compress");
    if (name.length == 0)
        return PS_OK;
    char *text = copy(name);
    bool is_known = ps_orc_compression_find(text, &orc->compression);
    free(text);
    if (is_known)
        return PS_OK;
    return ps_err_set(err, "its orc.compress %.*s is not known here", (int)name.length, name.data);
}

static enum ps_status read_orc(const struct ps_hive_table *table, struct ps_hive_target *target,
                               struct ps_err *err)
{
    struct ps_orc_settings *orc = &target->orc;
    *orc = ps_orc_settings_usual(target->type);
    struct ps_slice blooms = ps_hive_pairs_find(&table->parameters, "orc.bloom.filter.columns");
    struct ps_slice rate = ps_hive_pairs_find(&table->parameters, "orc.bloom.filter.fpp");
    if (blooms.length > 0)
        orc->bloom_filter_columns = target->bloom_filter_columns = copy(blooms);
    if (rate.length > 0 && rate.length < 32) {
        char *text = copy(rate);
        double value = strtod(text, NULL);
        if (value > 0 && value < 1)
            orc->bloom_filter_false_positives = value;
        free(text);
    }
    orc->chunk_bytes = (uint32_t)number_of(table, "orc.compress.size", orc->chunk_bytes);
    orc->stripe_bytes = number_of(table, "orc.stripe.size", orc->stripe_bytes);
    orc->row_index_stride = (uint32_t)number_of(table, "orc.row.index.stride", orc->row_index_stride);
    return read_compression(table, orc, err);
}

/* ---- identity of the table ---- */

static void print_pairs(FILE *out, const struct ps_hive_pairs *pairs)
{
    for (size_t i = 0; i < pairs->count; i++) {
        const struct ps_hive_pair *pair = &pairs->all[i];
        fprintf(out, "%.*s:%.*s,", (int)pair->name.length, pair->name.data, (int)pair->value.length,
                pair->value.data);
    }
    fputc(';', out);
}

static char *identity_of(const struct ps_hive_table *table)
{
    char *text;
    size_t length;
    FILE *out = ps_must_open_text(&text, &length, PURPOSE);
    fprintf(out, "%" PRId64 ";%" PRId32 ";%" PRId32 ";%.*s;%.*s;", table->id, table->created_s,
            table->bucket_count, (int)table->location.length, table->location.data,
            (int)table->output_format.length, table->output_format.data);
    print_pairs(out, &table->columns);
    print_pairs(out, &table->partition_keys);
    print_pairs(out, &table->bucket_columns);
    fclose(out);
    return text;
}

bool ps_hive_target_is_same(const struct ps_hive_target *target, const struct ps_hive_table *table)
{
    char *identity = identity_of(table);
    bool is_same = strcmp(identity, target->identity) == 0;
    free(identity);
    return is_same;
}

/* ---- the table ---- */

static bool contains(struct ps_slice slice, const char *text)
{
    return slice.length > 0 && memmem(slice.data, slice.length, text, strlen(text)) != NULL;
}

static enum ps_status check_kind(const struct ps_hive_table *table, bool is_plain, struct ps_err *err)
{
    bool is_transactional = is(ps_hive_pairs_find(&table->parameters, "transactional"), "true");
    if (table->location.length == 0)
        return ps_err_set(err, "it has no location (a view?)");
    if (is_plain && is_transactional)
        return ps_err_set(err, "it is transactional: leave penstock.table.type = plain out");
    if (is_plain)
        return PS_OK;
    if (!is_transactional)
        return ps_err_set(err, "it is not transactional: the sink streams into tables that were made with "
                               "tblproperties ('transactional'='true'); with penstock.table.type = plain it "
                               "writes files of text and JSON tables");
    if (contains(ps_hive_pairs_find(&table->parameters, "transactional_properties"), "insert_only"))
        return ps_err_set(err,
                          "its transactional_properties are insert_only: the sink needs the default ones");
    if (!contains(table->output_format, "OrcOutputFormat"))
        return ps_err_set(err, "its files are not ORC (%.*s)", (int)table->output_format.length,
                          table->output_format.data);
    return PS_OK;
}

/* Returns whether Hive would answer "count(*)" from the table's statistics, without reading rows. Hive creates
 * managed tables with statistics of 0 rows. Hive does not use the statistics of external tables; append_partition
 * adds no statistics. */
static bool has_old_count(const struct ps_hive_table *table)
{
    return table->partition_keys.count == 0 && !is(table->table_type, "EXTERNAL_TABLE") &&
           contains(ps_hive_pairs_find(&table->parameters, "COLUMN_STATS_ACCURATE"), "true");
}

/* Reads the format of the table's files. */
static enum ps_status read_format(const struct ps_hive_table *table, bool is_plain,
                                  struct ps_hive_target *target, struct ps_err *err)
{
    target->has_old_count = is_plain && has_old_count(table);
    if (is_plain)
        return ps_hive_text_format_read(table, target->type, &target->text, err);
    return read_buckets(table, target, err) == PS_OK ? read_orc(table, target, err) : PS_FAIL;
}

enum ps_status ps_hive_target_read(const struct ps_hive_table *table, bool is_plain,
                                   struct ps_hive_target *target, struct ps_err *err)
{
    *target = (struct ps_hive_target){.bucket_count = 1};
    if (check_kind(table, is_plain, err) != PS_OK || read_type(table, target, err) != PS_OK ||
        read_format(table, is_plain, target, err) != PS_OK) {
        ps_hive_target_free(target);
        return PS_FAIL;
    }
    target->location = copy(table->location);
    target->identity = identity_of(table);
    target->collection = copy(ps_hive_pairs_find(&table->serde_parameters, "collection.delim"));
    target->map_key = copy(ps_hive_pairs_find(&table->serde_parameters, "mapkey.delim"));
    target->keys = ps_must_alloc(table->partition_keys.count + 1, sizeof(*target->keys), PURPOSE);
    for (size_t i = 0; i < table->partition_keys.count; i++)
        target->keys[target->key_count++] = copy(table->partition_keys.all[i].name);
    return PS_OK;
}

void ps_hive_target_free(struct ps_hive_target *target)
{
    for (uint32_t i = 0; i < target->key_count; i++)
        free(target->keys[i]);
    free(target->keys);
    free(target->location);
    free(target->identity);
    free(target->collection);
    free(target->map_key);
    free(target->bloom_filter_columns);
    ps_hive_text_format_free(&target->text);
    ps_orc_type_destroy(target->type);
    ps_orc_type_destroy(target->key_type);
    *target = (struct ps_hive_target){.bucket_count = 1};
}

uint32_t ps_hive_target_bucket(const struct ps_hive_target *target, const struct ps_orc_value *row)
{
    if (target->bucket_field_count == 0)
        return 0;
    return ps_hive_bucket(target->bucketing, target->type, row, target->bucket_fields,
                          target->bucket_field_count, target->bucket_count);
}

/* ---- values and names of partitions ---- */

bool ps_hive_target_key_value(const struct ps_hive_target *target, uint32_t key, char *text, uint32_t *length,
                              uint32_t room)
{
    const struct ps_orc_type *type = target->key_type->children[key];
    if (ps_hive_plain_is_text(type) ||
        (*length == sizeof(NO_VALUE) - 1 && memcmp(text, NO_VALUE, *length) == 0))
        return true;
    if (!ps_hive_field_knows(type))
        return true; /* binary has no text */
    struct ps_orc_value value = ps_hive_field_read(type, text, *length);
    struct ps_byte_buffer usual = {0};
    bool is_value = !value.null && ps_hive_plain_append(type, &value, &usual) && usual.length <= room;
    if (is_value) {
        memcpy(text, usual.data, usual.length);
        *length = (uint32_t)usual.length;
    }
    free(usual.data);
    return is_value;
}

/* Returns whether FileUtils.charToEscape has the character. */
static bool must_escape(unsigned char byte)
{
    return byte < 0x20 || byte == 0x7F || strchr("\"#%'*/:=?\\{[]^", byte) != NULL;
}

static size_t escaped_length(const char *text, size_t length)
{
    size_t escaped = length;
    for (size_t i = 0; i < length; i++)
        escaped += must_escape((unsigned char)text[i]) ? 2 : 0;
    return escaped;
}

bool ps_hive_target_key_fits(const struct ps_hive_target *target, uint32_t key, const char *text,
                             uint32_t length)
{
    const char *name = target->keys[key];
    return escaped_length(name, strlen(name)) + 1 + escaped_length(text, length) <= DIRECTORY_NAME_MAX;
}

static void put_escaped(FILE *out, const char *text)
{
    for (; *text != '\0'; text++) {
        if (must_escape((unsigned char)*text))
            fprintf(out, "%%%02X", (unsigned)(unsigned char)*text);
        else
            fputc(*text, out);
    }
}

char *ps_hive_target_partition_name(const struct ps_hive_target *target, char *const *values)
{
    char *text;
    size_t length;
    FILE *out = ps_must_open_text(&text, &length, PURPOSE);
    for (uint32_t i = 0; i < target->key_count; i++) {
        fputs(i == 0 ? "" : "/", out);
        put_escaped(out, target->keys[i]);
        fputc('=', out);
        put_escaped(out, values[i]);
    }
    fclose(out);
    return text;
}
