/* AvroKuduOperationsProducer: the body is a record of Avro, whose fields are columns. Kudu's own class refuses values that a column can have
 * (an int for INT64, INT8 or INT16, bytes for BINARY), because Java does not cast them; they are taken here. */
#include "stages/lib/avro/binary.h"
#include "stages/lib/avro/rules.h"
#include "stages/lib/avro/schema_url.h"
#include "stages/lib/avro/schemas.h"
#include "stages/lib/kudu/sink/internal.h"

#include <jansson.h>
#include <stdlib.h>

#define RECORDS_MAX 8U

/* A schema that was read, and which column each of its fields is. */
struct ps_kudu_record {
    struct ps_avro_named_schema *named; /* held; NULL: unused */
    struct ps_avro_schema *schema;
    json_t *json;
    struct ps_kudu_table *table; /* of `columns`; held */
    int *columns;                /* of each field; -1: none */
    int64_t *scales;             /* of a field that is a decimal; else -1 */
};

enum ps_status ps_kudu_avro_build(struct ps_kudu_producer *producer, const struct ps_pairs *keys,
                                  const char **key, struct ps_err *err)
{
    producer->schema_url = ps_pairs_get(keys, "schemaPath");
    producer->url_header = ps_name_intern("flume.avro.schema.url");
    producer->literal_header = ps_name_intern("flume.avro.schema.literal");
    *key = "producer.schemaPath";
    if (producer->schema_url != NULL && !ps_schema_url_is_known(producer->schema_url))
        return ps_err_set(err,
                          "\"%s\" cannot be read: copy the schema to a file: or http: URL, or set "
                          "penstock.engine = java",
                          producer->schema_url);
    return PS_OK;
}

bool ps_kudu_avro_open(struct ps_kudu_writer *writer)
{
    writer->schemas = ps_avro_schemas_create(writer->port);
    writer->records = calloc(RECORDS_MAX, sizeof *writer->records);
    return writer->schemas != NULL && writer->records != NULL;
}

static void forget(struct ps_kudu_record *record)
{
    ps_avro_schema_release(record->named);
    ps_avro_schema_destroy(record->schema);
    ps_kudu_table_release(record->table);
    json_decref(record->json);
    free(record->columns);
    free(record->scales);
    *record = (struct ps_kudu_record){.named = NULL};
}

void ps_kudu_avro_close(struct ps_kudu_writer *writer)
{
    for (unsigned i = 0; writer->records != NULL && i < RECORDS_MAX; i++)
        forget(&writer->records[i]);
    free(writer->records);
    writer->records = NULL;
    ps_avro_schemas_destroy(writer->schemas);
    writer->schemas = NULL;
}

/* ---- fields ---- */

/* What a field has. A union is the branch that the datum has. */
struct field_value {
    enum ps_avro_type type;
    int64_t number;        /* boolean, int, long; an enum's symbol */
    double real;           /* float, double */
    struct ps_slice bytes; /* bytes, string, fixed; of other types the encoded value */
};

/* Returns the number of fields; 0: the schema is no record, or has none. */
static uint32_t field_count(const struct ps_avro_schema *schema)
{
    return schema->nodes[0].type == PS_AVRO_RECORD ? schema->nodes[0].count : 0;
}

static bool take(const uint8_t **at, const uint8_t *end, int64_t length, struct ps_slice *bytes)
{
    if (length < 0 || length > end - *at)
        return false;
    *bytes = (struct ps_slice){(const char *)*at, (uint32_t)length};
    *at += length;
    return true;
}

static uint64_t little(struct ps_slice bytes)
{
    uint64_t number = 0;
    for (uint32_t i = bytes.length; i > 0; i--)
        number = number << 8 | (uint8_t)bytes.data[i - 1];
    return number;
}

static bool take_real(const uint8_t **at, const uint8_t *end, struct field_value *value)
{
    bool is_double = value->type == PS_AVRO_DOUBLE;
    if (!take(at, end, is_double ? 8 : 4, &value->bytes))
        return false;
    uint64_t bits = little(value->bytes);
    uint32_t narrow_bits = (uint32_t)bits;
    float narrow;
    memcpy(&narrow, &narrow_bits, sizeof narrow);
    value->real = (double)narrow;
    if (is_double)
        memcpy(&value->real, &bits, sizeof value->real);
    return true;
}

/* Reads the value of a field that begins at *at, and moves *at past it. Returns false if it is none. */
static bool read_field(const struct ps_avro_schema *schema, uint32_t field, const uint8_t **at,
                       const uint8_t *end, struct field_value *value)
{
    uint32_t number = schema->parts[schema->nodes[0].first + field];
    const struct ps_avro_node *node = &schema->nodes[number];
    int64_t count;
    if (node->type == PS_AVRO_UNION) {
        if (!ps_avro_get_long(at, end, &count) || count < 0 || count >= node->count)
            return false;
        number = schema->parts[node->first + (uint32_t)count];
        node = &schema->nodes[number];
    }
    *value = (struct field_value){.type = node->type};
    switch (node->type) {
    case PS_AVRO_NULL:
        return true;
    case PS_AVRO_BOOLEAN:
        if (!take(at, end, 1, &value->bytes))
            return false;
        value->number = value->bytes.data[0] == 1;
        return true;
    case PS_AVRO_INT:
    case PS_AVRO_LONG:
        return ps_avro_get_long(at, end, &value->number) &&
               (node->type == PS_AVRO_LONG || (value->number >= INT32_MIN && value->number <= INT32_MAX));
    case PS_AVRO_FLOAT:
    case PS_AVRO_DOUBLE:
        return take_real(at, end, value);
    case PS_AVRO_BYTES:
    case PS_AVRO_STRING:
        return ps_avro_get_long(at, end, &count) && take(at, end, count, &value->bytes);
    case PS_AVRO_ENUM:
        return ps_avro_get_long(at, end, &value->number) && value->number >= 0 && value->number < node->count;
    case PS_AVRO_FIXED:
        return take(at, end, node->count, &value->bytes);
    case PS_AVRO_ARRAY:
    case PS_AVRO_MAP:
    case PS_AVRO_RECORD:
    case PS_AVRO_UNION:
        break;
    }
    const uint8_t *begin = *at;
    if (!ps_avro_schema_skip_type(schema, number, at, end))
        return false;
    value->bytes = (struct ps_slice){(const char *)begin, (uint32_t)(*at - begin)};
    return true;
}

/* ---- schemas ---- */

/* The scale of a decimal, which only a field of that very type has, as in Kudu's class; -1: it is none. */
static int64_t scale_of(const json_t *field)
{
    const json_t *type = json_object_get(field, "type");
    const char *logical = json_string_value(json_object_get(type, "logicalType"));
    int64_t scale = json_integer_value(json_object_get(type, "scale"));
    return logical != NULL && strcmp(logical, "decimal") == 0 && scale >= 0 ? scale : -1;
}

/* Finds the columns of the fields. Returns false: no memory. */
static bool map_fields(struct ps_kudu_record *record, struct ps_kudu_table *table)
{
    if (record->table == table)
        return true;
    const json_t *fields = json_object_get(record->json, "fields");
    size_t count = field_count(record->schema) + 1;
    int *columns = realloc(record->columns, count * sizeof *columns);
    if (columns == NULL)
        return false;
    record->columns = columns;
    int64_t *scales = realloc(record->scales, count * sizeof *scales);
    if (scales == NULL)
        return false;
    record->scales = scales;
    for (size_t i = 0; i + 1 < count; i++) {
        const json_t *field = json_array_get(fields, i);
        const char *name = json_string_value(json_object_get(field, "name"));
        columns[i] = name != NULL ? ps_kudu_table_find(table, name, strlen(name)) : -1;
        scales[i] = scale_of(field);
    }
    ps_kudu_table_release(record->table);
    record->table = table;
    table->users++;
    return true;
}

/* Makes the record of a schema that was read. */
static enum ps_kudu_added make_record(struct ps_kudu_writer *writer, struct ps_kudu_record *record)
{
    struct ps_slice text = ps_avro_schema_text(record->named);
    struct ps_err err = {.length = 0};
    record->schema = ps_avro_schema_create(text.data, text.length, &err);
    record->json = json_loadb(text.data, text.length, JSON_DISABLE_EOF_CHECK, NULL);
    if (record->schema != NULL && record->json != NULL && json_is_object(record->json) &&
        json_array_size(json_object_get(record->json, "fields")) == field_count(record->schema))
        return PS_KUDU_ADDED;
    forget(record);
    return ps_kudu_unwritable(writer, "the schema is not a record%s%.150s", err.length > 0 ? ": " : "",
                              err.text);
}

/* Finds the record of a name; one that was used takes another one's place. */
static enum ps_kudu_added find_record(struct ps_kudu_writer *writer, bool url, const struct ps_slice *name,
                                      bool configured, struct ps_kudu_record **found)
{
    struct ps_kudu_record *record = NULL;
    struct ps_err reason = {.length = 0};
    for (unsigned i = 0; i < RECORDS_MAX && record == NULL; i++)
        if (writer->records[i].named != NULL && ps_avro_schema_is_named(writer->records[i].named, url, name))
            record = &writer->records[i];
    if (record == NULL) {
        record = &writer->records[writer->next_record++ % RECORDS_MAX];
        forget(record);
        record->named = ps_avro_schemas_hold(writer->schemas, url, name);
        if (record->named == NULL)
            return ps_kudu_later(writer, "no room for another schema");
    }
    *found = record;
    if (record->schema != NULL)
        return PS_KUDU_ADDED;
    switch (ps_avro_schema_look(record->named, configured, &reason)) {
    case PS_AVRO_SCHEMA_READ:
        return make_record(writer, record);
    case PS_AVRO_SCHEMA_LATER:
        return ps_kudu_later(writer, "the Avro schema is not read yet%s%.150s", reason.length > 0 ? ": " : "",
                             reason.text);
    case PS_AVRO_SCHEMA_BAD:
        break;
    }
    return ps_kudu_unwritable(writer, "the Avro schema cannot be read: %.150s", reason.text);
}

static enum ps_kudu_added choose(struct ps_kudu_writer *writer, const struct ps_kudu_source *from,
                                 struct ps_kudu_record **record)
{
    const struct ps_kudu_producer *producer = writer->producer;
    struct ps_slice name;
    if (ps_event_header(from->lease->batch, from->event, producer->url_header, &name))
        return find_record(writer, true, &name, false, record);
    if (ps_event_header(from->lease->batch, from->event, producer->literal_header, &name))
        return find_record(writer, false, &name, false, record);
    if (producer->schema_url == NULL)
        return ps_kudu_unwritable(writer, "no schema: the event has neither header flume.avro.schema.url nor "
                                          "flume.avro.schema.literal, and producer.schemaPath is not set");
    name = (struct ps_slice){producer->schema_url, (uint32_t)strlen(producer->schema_url)};
    return find_record(writer, true, &name, true, record);
}

/* ---- values ---- */

static bool set_integer(const struct ps_kudu_column *column, const struct field_value *value,
                        struct ps_kudu_cell *cell)
{
    __int128 limit = (__int128)1 << (8 * column->size - 1);
    cell->number = value->number;
    return (value->type == PS_AVRO_INT || value->type == PS_AVRO_LONG) && value->number < limit &&
           value->number >= -limit;
}

static bool set_real(bool is_double, const struct field_value *value, struct ps_kudu_cell *cell)
{
    float narrow = (float)value->real;
    uint32_t narrow_bits;
    uint64_t bits;
    memcpy(&bits, &value->real, sizeof bits);
    memcpy(&narrow_bits, &narrow, sizeof narrow_bits);
    cell->number = is_double ? (__int128)bits : (__int128)narrow_bits;
    return value->type == PS_AVRO_FLOAT || (is_double && value->type == PS_AVRO_DOUBLE);
}

/* A decimal is a big-endian number in bytes or in a fixed. */
static bool set_decimal(const struct ps_kudu_column *column, const struct field_value *value, int64_t scale,
                        struct ps_kudu_cell *cell)
{
    struct ps_slice bytes = value->bytes;
    if (scale < 0 || (value->type != PS_AVRO_BYTES && value->type != PS_AVRO_FIXED) || bytes.length == 0)
        return false;
    unsigned __int128 number = (bytes.data[0] & 0x80) != 0 ? ~(unsigned __int128)0 : 0;
    for (uint32_t i = 0; i < bytes.length; i++) {
        unsigned __int128 next = number << 8 | (uint8_t)bytes.data[i];
        if ((__int128)next >> 8 != (__int128)number)
            return false;
        number = next;
    }
    return ps_kudu_fit_decimal(column, (__int128)number, scale, &cell->number);
}

static bool set_bytes(const struct ps_kudu_column *column, const struct field_value *value,
                      struct ps_kudu_cell *cell)
{
    bool is_binary = column->type == PS_KUDU_BINARY;
    cell->bytes = value->bytes.data;
    cell->length = value->bytes.length;
    if (column->type == PS_KUDU_VARCHAR)
        cell->length = ps_kudu_cut(cell->bytes, cell->length, column->length);
    return value->type == PS_AVRO_STRING ||
           (is_binary && (value->type == PS_AVRO_BYTES || value->type == PS_AVRO_FIXED));
}

/* Sets the cell of a field. Returns false if the column cannot have the value. */
static bool set_value(const struct ps_kudu_column *column, const struct field_value *value, int64_t scale,
                      struct ps_kudu_cell *cell)
{
    cell->is_set = true;
    switch (column->type) {
    case PS_KUDU_BOOL:
        cell->number = value->number;
        return value->type == PS_AVRO_BOOLEAN;
    case PS_KUDU_FLOAT:
    case PS_KUDU_DOUBLE:
        return set_real(column->type == PS_KUDU_DOUBLE, value, cell);
    case PS_KUDU_DECIMAL32:
    case PS_KUDU_DECIMAL64:
    case PS_KUDU_DECIMAL128:
        return set_decimal(column, value, scale, cell);
    default:
        return column->is_bytes ? set_bytes(column, value, cell)
                                : column->size > 0 && set_integer(column, value, cell);
    }
}

enum ps_kudu_added ps_kudu_avro_write(struct ps_kudu_writer *writer, const struct ps_kudu_source *from)
{
    struct ps_kudu_table *table = from->batch->table;
    struct ps_kudu_record *record;
    enum ps_kudu_added added = choose(writer, from, &record);
    if (added != PS_KUDU_ADDED)
        return added;
    if (!map_fields(record, table))
        return ps_kudu_later(writer, "no memory");
    const uint8_t *at = (const uint8_t *)from->event->body, *end = at + from->event->body_length;
    for (uint32_t i = 0; i < field_count(record->schema); i++) {
        struct field_value value;
        if (!read_field(record->schema, i, &at, end, &value))
            return ps_kudu_unwritable(writer, "the body is not a datum of its Avro schema");
        int number = record->columns[i];
        if (number < 0 || value.type == PS_AVRO_NULL || writer->cells[number].is_set)
            continue;
        const struct ps_kudu_column *column = &table->columns[number];
        if (!set_value(column, &value, record->scales[i], &writer->cells[number]))
            return ps_kudu_unwritable(writer, "column %.120s (%s) cannot have the value of its field",
                                      column->name, ps_kudu_type_name(column->type));
    }
    for (uint32_t i = 0; i < table->count;
         i++) /* without a value a column that may be null is null, and another has its default */
        if (!writer->cells[i].is_set && table->columns[i].is_nullable)
            writer->cells[i] = (struct ps_kudu_cell){.is_set = true, .is_null = true};
    return ps_kudu_end_row(writer, from);
}
