#include "tests/support/metastore_table.h"

#include "core/text/list.h"
#include "stages/lib/hive/message.h"

#include <stdio.h>

void ps_test_metastore_put_text(struct ps_thrift_writer *out, int16_t id, const char *text, size_t length)
{
    ps_thrift_put_field(out, PS_THRIFT_STRING, id, 0);
    ps_thrift_put_text(out, text, length);
}

void ps_test_metastore_put_exception(struct ps_thrift_writer *out, int16_t id, const char *text)
{
    ps_thrift_put_field(out, PS_THRIFT_STRUCT, id, 0);
    ps_test_metastore_put_text(out, 1, text, strlen(text));
    ps_thrift_put_stop(out);
}

static uint32_t count_words(const char *words)
{
    uint32_t count = *words != '\0';
    for (; *words != '\0'; words++)
        count += *words == ',';
    return count;
}

/* Writes "a:b,c:d" as a list of FieldSchema. */
static void put_columns(struct ps_thrift_writer *out, const char *columns)
{
    ps_thrift_put_list(out, PS_THRIFT_STRUCT, count_words(columns));
    for (struct ps_slice column; ps_list_next(&columns, ",", &column);) {
        size_t name = strcspn(column.data, ":");
        ps_test_metastore_put_text(out, 1, column.data, name);
        ps_test_metastore_put_text(out, 2, column.data + name + 1, column.length - name - 1);
        ps_thrift_put_stop(out);
    }
}

/* Writes "a=b,c=d" as a map. */
static void put_parameters(struct ps_thrift_writer *out, int16_t id, const char *parameters)
{
    ps_thrift_put_field(out, PS_THRIFT_MAP, id, 0);
    ps_thrift_put_map(out, PS_THRIFT_STRING, PS_THRIFT_STRING, count_words(parameters));
    for (struct ps_slice parameter; ps_list_next(&parameters, ",", &parameter);) {
        size_t name = strcspn(parameter.data, "=");
        ps_thrift_put_text(out, parameter.data, name);
        ps_thrift_put_text(out, parameter.data + name + 1, parameter.length - name - 1);
    }
}

static void put_serde(struct ps_thrift_writer *out, const struct ps_test_metastore_table *table)
{
    ps_thrift_put_field(out, PS_THRIFT_STRUCT, 7, 0);
    ps_test_metastore_put_text(out, 2, table->serde, strlen(table->serde));
    put_parameters(out, 3, table->serde_parameters);
    ps_thrift_put_stop(out);
}

void ps_test_metastore_put_storage(struct ps_thrift_writer *out, const struct ps_test_metastore_table *table,
                                   const char *location)
{
    static const char text[] = "org.apache.hadoop.mapred.TextInputFormat";
    const char *format = table->serde != NULL ? "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat"
                                              : "org.apache.hadoop.hive.ql.io.orc.OrcOutputFormat";
    ps_thrift_put_field(out, PS_THRIFT_LIST, 1, 0);
    put_columns(out, table->columns);
    ps_test_metastore_put_text(out, 2, location, strlen(location));
    if (table->serde != NULL)
        ps_test_metastore_put_text(out, 3, text, strlen(text));
    ps_test_metastore_put_text(out, 4, format, strlen(format));
    ps_thrift_put_field(out, PS_THRIFT_I32, 6, 0);
    ps_thrift_put_i32(out, table->bucket_count);
    if (table->serde != NULL)
        put_serde(out, table);
    ps_thrift_put_field(out, PS_THRIFT_LIST, 8, 0);
    ps_thrift_put_list(out, PS_THRIFT_STRING, count_words(table->bucket_columns));
    const char *columns = table->bucket_columns;
    for (struct ps_slice column; ps_list_next(&columns, ",", &column);)
        ps_thrift_put_text(out, column.data, column.length);
    ps_thrift_put_stop(out);
}

bool ps_test_metastore_is_table(struct ps_slice name)
{
    return name.length == 1 && (name.data[0] == 't' || name.data[0] == 'u');
}

void ps_test_metastore_put_table(struct ps_thrift_writer *out, const struct ps_test_metastore_table *table,
                                 struct ps_slice name)
{
    static const char usual[] = "bucketing_version=2";
    char location[512], parameters[512];
    bool is_t = name.data[0] == 't';
    snprintf(location, sizeof location, "file:%s%s", table->location, is_t ? "" : "-u");
    snprintf(parameters, sizeof parameters, "%s%s%s", usual, table->parameters[0] != '\0' ? "," : "",
             table->parameters);
    ps_thrift_put_field(out, PS_THRIFT_I32, 4, 0);
    ps_thrift_put_i32(out, table->created_s);
    ps_thrift_put_field(out, PS_THRIFT_STRUCT, 7, 0);
    ps_test_metastore_put_storage(out, table, location);
    ps_thrift_put_field(out, PS_THRIFT_LIST, 8, 0);
    put_columns(out, table->keys);
    put_parameters(out, 9, parameters);
    ps_thrift_put_stop(out);
}

void ps_test_metastore_put_write_ids(struct ps_thrift_writer *out, const int64_t *txns, size_t count)
{
    ps_thrift_put_field(out, PS_THRIFT_STRUCT, 0, 0);
    ps_thrift_put_field(out, PS_THRIFT_LIST, 1, 0);
    ps_thrift_put_list(out, PS_THRIFT_STRUCT, (uint32_t)count);
    for (size_t i = 0; i < count; i++) {
        for (int16_t id = 1; id <= 2; id++) {
            ps_thrift_put_field(out, PS_THRIFT_I64, id, 0);
            ps_thrift_put_i64(out, txns[i]);
        }
        ps_thrift_put_stop(out);
    }
    ps_thrift_put_stop(out);
}
