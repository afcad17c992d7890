/* Reads the text format of a table from its properties. */
#include "stages/lib/hive/text/internal.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define TEXT_INPUT "org.apache.hadoop.mapred.TextInputFormat"
#define LAZY "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe"
#define OPENX "org.openx.data.jsonserde.JsonSerDe"

static const char *const json_serdes[] = {"org.apache.hive.hcatalog.data.JsonSerDe",
                                          "org.apache.hadoop.hive.serde2.JsonSerDe"};

static bool is(struct ps_slice slice, const char *text)
{
    return slice.length == strlen(text) && memcmp(slice.data, text, slice.length) == 0;
}

static bool is_true(struct ps_slice slice)
{
    return slice.length == 4 && strncasecmp(slice.data, "true", 4) == 0;
}

static bool is_zero(struct ps_slice slice)
{
    return slice.length == 0 || is(slice, "0");
}

static enum ps_status find_kind(const struct ps_hive_table *table, struct ps_hive_text_format *format,
                                struct ps_err *err)
{
    if (!is(table->input_format, TEXT_INPUT))
        return ps_err_set(err, "its files are not text (%.*s): only text and JSON tables can be written",
                          (int)table->input_format.length, table->input_format.data);
    if (is(table->serde, LAZY))
        return PS_OK;
    format->is_json = true;
    for (unsigned i = 0; i < PS_COUNT_OF(json_serdes); i++)
        if (is(table->serde, json_serdes[i]))
            return PS_OK;
    format->is_openx = is(table->serde, OPENX);
    if (format->is_openx)
        return PS_OK;
    return ps_err_set(err, "its serde %.*s is not supported: supported are %s, %s, %s and %s",
                      (int)table->serde.length, table->serde.data, LAZY, json_serdes[0], json_serdes[1],
                      OPENX);
}

/* Refuses tables whose properties would make Hive read other rows than were written. */
static enum ps_status check_table(const struct ps_hive_table *table, struct ps_err *err)
{
    static const char *const passed_over[] = {"skip.header.line.count", "skip.footer.line.count"};
    struct ps_slice encoding = ps_hive_pairs_find(&table->serde_parameters, "serialization.encoding");
    if (table->bucket_count > 0)
        return ps_err_set(err, "it has buckets, which the sink writes only in transactional tables");
    for (unsigned i = 0; i < PS_COUNT_OF(passed_over); i++)
        if (!is_zero(ps_hive_pairs_find(&table->parameters, passed_over[i])))
            return ps_err_set(err, "its %s makes Hive skip lines of each file", passed_over[i]);
    if (encoding.length > 0 && !(encoding.length == 5 && strncasecmp(encoding.data, "utf-8", 5) == 0))
        return ps_err_set(err, "its serialization.encoding is %.*s: only UTF-8 can be written",
                          (int)encoding.length, encoding.data);
    return PS_OK;
}

/* Reads the separators as LazySerDeParameters does. */
static enum ps_status read_lazy(const struct ps_hive_pairs *parameters, struct ps_hive_text_format *format,
                                struct ps_err *err)
{
    struct ps_slice field = ps_hive_pairs_find(parameters, "field.delim");
    struct ps_slice escape = ps_hive_pairs_find(parameters, "escape.delim");
    const struct ps_slice *null_text = NULL;
    for (size_t i = 0; i < parameters->count; i++)
        if (is(parameters->all[i].name, "serialization.null.format"))
            null_text = &parameters->all[i].value;
    if (field.length == 0)
        field = ps_hive_pairs_find(parameters, "serialization.format");
    ps_hive_separators(format->separators, field, ps_hive_pairs_find(parameters, "collection.delim"),
                       ps_hive_pairs_find(parameters, "mapkey.delim"));
    format->escapes = escape.length > 0;
    format->escape = ps_hive_separator(escape, '\\');
    format->escapes_ends =
        format->escapes && is_true(ps_hive_pairs_find(parameters, "serialization.escape.crlf"));
    const struct ps_slice usual = {"\\N", 2};
    const struct ps_slice text = null_text != NULL ? *null_text : usual;
    if (text.length > PS_HIVE_NULL_BYTES)
        return ps_err_set(err, "its serialization.null.format is longer than %u bytes", PS_HIVE_NULL_BYTES);
    format->null_length = text.length;
    if (text.length > 0)
        memcpy(format->null_text, text.data, text.length);
    return PS_OK;
}

/* Refuses maps with nested keys: a key is the name of a JSON member, or a text between separators, so it must be a
 * plain value. */
static enum ps_status check_type(const struct ps_orc_type *type, struct ps_err *err)
{
    if (type->kind == PS_ORC_MAP && type->children[0]->child_count > 0)
        return ps_err_set(err, "it has a map whose keys are not plain values");
    for (uint32_t i = 0; i < type->child_count; i++)
        if (check_type(type->children[i], err) != PS_OK)
            return PS_FAIL;
    return PS_OK;
}

enum ps_status ps_hive_text_format_read(const struct ps_hive_table *table, const struct ps_orc_type *row_type,
                                        struct ps_hive_text_format *format, struct ps_err *err)
{
    *format = (struct ps_hive_text_format){.is_json = false};
    if (find_kind(table, format, err) != PS_OK || check_table(table, err) != PS_OK)
        return PS_FAIL;
    if (!format->is_json && read_lazy(&table->serde_parameters, format, err) != PS_OK)
        return PS_FAIL;
    for (uint32_t i = 0; i < row_type->child_count; i++) {
        const struct ps_orc_type *type = row_type->children[i];
        if ((format->is_json ? check_type(type, err) : ps_hive_nested_check(type, err)) != PS_OK)
            return ps_err_append(err, "column %s", row_type->names[i]);
    }
    return format->is_openx ? ps_hive_openx_read(&table->serde_parameters, row_type, format, err) : PS_OK;
}

void ps_hive_text_format_free(struct ps_hive_text_format *format)
{
    free(format->mappings);
    format->mappings = NULL;
}

enum ps_hive_line ps_hive_text_append(const struct ps_hive_text_format *format,
                                      const struct ps_orc_type *row_type, const struct ps_orc_value *row,
                                      struct ps_byte_buffer *line, struct ps_err *err)
{
    return format->is_json ? ps_hive_json_append(format, row_type, row, line, err)
                           : ps_hive_lazy_append(format, row_type, row, line, err);
}
