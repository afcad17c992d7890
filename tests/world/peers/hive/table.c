/* How the metastore describes its tables. */
#include <stdio.h>
#include <string.h>

#include "tests/world/peers/hive/metastore.h"

#define ORC_FORMATS "org.apache.hadoop.hive.ql.io.orc.Orc"

void hive_table_usual(struct hive_table *table, const char *name)
{
    *table = (struct hive_table){.bucket_count = -1, .created_s = 1};
    snprintf(table->name, sizeof table->name, "%s", name);
    snprintf(table->columns, sizeof table->columns, "line:string");
    snprintf(table->parameters, sizeof table->parameters, "transactional=true,bucketing_version=2");
    snprintf(table->location, sizeof table->location, "file:/w/hive/%s", name);
    snprintf(table->input, sizeof table->input, ORC_FORMATS "InputFormat");
    snprintf(table->output, sizeof table->output, ORC_FORMATS "OutputFormat");
}

static size_t count_words(const char *words)
{
    size_t count = *words != 0;
    for (; *words != 0; words++)
        count += *words == ',';
    return count;
}

/* Takes the next of "a<sep>b,c<sep>d". Commas within < > and ( ) belong to a type. */
static bool next_pair(const char **words, char separator, struct hive_text pair[2])
{
    const char *begin = *words, *end = begin;
    for (int depth = 0; *end != 0 && (*end != ',' || depth > 0); end++)
        depth += (*end == '<' || *end == '(') - (*end == '>' || *end == ')');
    if (*begin == 0)
        return false;
    const char *middle = memchr(begin, separator, (size_t)(end - begin));
    if (middle == NULL)
        middle = end;
    pair[0] = (struct hive_text){begin, (size_t)(middle - begin)};
    pair[1] = (struct hive_text){middle + (middle < end), (size_t)(end - middle) - (middle < end)};
    *words = end + (*end == ',');
    return true;
}

static size_t count_pairs(const char *words)
{
    struct hive_text pair[2];
    size_t count = 0;
    while (next_pair(&words, ':', pair))
        count++;
    return count;
}

/* A list of FieldSchema. */
static void put_columns(struct hive_out *out, int id, const char *columns)
{
    struct hive_text pair[2];
    hive_put_field(out, THRIFT_LIST, id);
    hive_put_list(out, THRIFT_STRUCT, count_pairs(columns));
    while (next_pair(&columns, ':', pair)) {
        for (int i = 0; i < 2; i++) {
            hive_put_field(out, THRIFT_TEXT, i + 1);
            hive_put_text(out, pair[i].bytes, pair[i].length);
        }
        hive_put_stop(out);
    }
}

static void put_parameters(struct hive_out *out, int id, const char *parameters)
{
    struct hive_text pair[2];
    hive_put_field(out, THRIFT_MAP, id);
    hive_put(out, THRIFT_TEXT, 1);
    hive_put_list(out, THRIFT_TEXT, count_words(parameters));
    while (next_pair(&parameters, '=', pair)) {
        hive_put_text(out, pair[0].bytes, pair[0].length);
        hive_put_text(out, pair[1].bytes, pair[1].length);
    }
}

void hive_put_storage(struct hive_out *out, const struct hive_table *table, const char *location)
{
    const char *columns = table->buckets;
    struct hive_text pair[2];
    put_columns(out, 1, table->columns);
    hive_put_word(out, 2, location);
    hive_put_word(out, 3, table->input);
    hive_put_word(out, 4, table->output);
    hive_put_i32(out, 6, table->bucket_count);
    if (table->serde[0] != 0) {
        hive_put_field(out, THRIFT_STRUCT, 7);
        hive_put_word(out, 2, table->serde);
        put_parameters(out, 3, table->serde_parameters);
        hive_put_stop(out);
    }
    hive_put_field(out, THRIFT_LIST, 8);
    hive_put_list(out, THRIFT_TEXT, count_words(columns));
    while (next_pair(&columns, ':', pair))
        hive_put_text(out, pair[0].bytes, pair[0].length);
    hive_put_stop(out);
}

void hive_put_table(struct hive_out *out, const struct hive_table *table)
{
    hive_put_word(out, 1, table->name);
    hive_put_word(out, 2, "default");
    hive_put_i32(out, 4, table->created_s);
    hive_put_field(out, THRIFT_STRUCT, 7);
    hive_put_storage(out, table, table->location);
    put_columns(out, 8, table->keys);
    put_parameters(out, 9, table->parameters);
    hive_put_word(out, 12, "MANAGED_TABLE");
    hive_put_stop(out);
}

/* FileUtils.charToEscape of Hive 4.0.1. */
static bool is_escaped(unsigned char byte)
{
    return byte < 0x20 || byte == 0x7f || (byte < 0x80 && strchr("\"#%'*/:=?\\{[]^", byte) != NULL);
}

void hive_partition_name(const struct hive_table *table, const struct hive_text *values, size_t count,
                         char *to, size_t room)
{
    const char *keys = table->keys;
    struct hive_text pair[2];
    size_t length = 0;
    to[0] = 0;
    for (size_t i = 0; i < count && next_pair(&keys, ':', pair); i++) {
        length += (size_t)snprintf(to + length, room - length, "%s%.*s=", i > 0 ? "/" : "",
                                   (int)pair[0].length, pair[0].bytes);
        for (size_t at = 0; at < values[i].length && length + 4 < room; at++) {
            unsigned char byte = (unsigned char)values[i].bytes[at];
            length += (size_t)snprintf(to + length, room - length, is_escaped(byte) ? "%%%02X" : "%c", byte);
        }
    }
}
