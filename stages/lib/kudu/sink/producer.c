/* The producers Simple and SimpleKeyed, the keys of all, and ids of rows. */
#include "stages/lib/kudu/sink/producer.h"

#include "core/flow/identity.h"
#include "stages/lib/kudu/sink/internal.h"
#include "stages/lib/least.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define PACKAGE "org.apache.kudu.flume.sink."
#define ID_COLUMN "penstock.keyColumn"

static const struct {
    const char *class, *keys; /* without the package; what it reads of producer.* */
} kinds[] = {
    [PS_KUDU_SIMPLE] = {"SimpleKuduOperationsProducer", "payloadColumn"},
    [PS_KUDU_KEYED] = {"SimpleKeyedKuduOperationsProducer", "payloadColumn keyColumn operation"},
    [PS_KUDU_REGEXP] = {"RegexpKuduOperationsProducer",
                        "pattern encoding operation skipMissingColumn skipBadColumnValue skipUnmatchedRows "
                        "missingColumnPolicy badColumnValuePolicy unmatchedRowPolicy"},
    [PS_KUDU_AVRO] = {"AvroKuduOperationsProducer", "operation schemaPath"},
};

bool ps_kudu_producer_find(const char *class, enum ps_kudu_producer_kind *kind)
{
    const char *name = strncmp(class, PACKAGE, strlen(PACKAGE)) == 0 ? class + strlen(PACKAGE) : class;
    for (size_t i = 0; i < PS_COUNT_OF(kinds); i++) {
        if (strcmp(kinds[i].class, name) != 0)
            continue;
        *kind = (enum ps_kudu_producer_kind)i;
        return true;
    }
    return false;
}

bool ps_kudu_producer_reads(enum ps_kudu_producer_kind kind, const char *key)
{
    const char *keys = kinds[kind].keys, *at = keys;
    size_t length = strlen(key);
    while ((at = strstr(at, key)) != NULL) {
        if ((at == keys || at[-1] == ' ') && (at[length] == ' ' || at[length] == '\0'))
            return true;
        at += length;
    }
    return strcmp(key, ID_COLUMN) == 0;
}

const char *ps_kudu_producer_keys(enum ps_kudu_producer_kind kind)
{
    return kinds[kind].keys;
}

/* ---- keys ---- */

static enum ps_status build_operation(struct ps_kudu_producer *producer, const struct ps_pairs *keys,
                                      const char **key, struct ps_err *err)
{
    const char *word = ps_pairs_value(keys, "operation", "upsert");
    producer->operation = PS_KUDU_INSERT;
    if (producer->kind == PS_KUDU_SIMPLE || strcasecmp(word, "insert") == 0)
        return PS_OK;
    producer->operation = PS_KUDU_UPSERT;
    *key = "producer.operation";
    return strcasecmp(word, "upsert") == 0 ? PS_OK : ps_err_set(err, "\"%s\" is not insert or upsert", word);
}

/* The column of ids and penstock.ids belong together: neither does anything alone. */
static enum ps_status build_ids(struct ps_kudu_producer *producer, const struct ps_pairs *keys,
                                const char *ids, const char **key, struct ps_err *err)
{
    *key = "penstock.ids";
    if (ps_remote_id_read(&producer->ids, ids) != PS_OK)
        return ps_err_set(err, "\"%s\" is not identity, header:NAME or none", ids);
    producer->id_column = ps_pairs_get(keys, ID_COLUMN);
    bool has_ids = producer->ids.from != PS_REMOTE_IDS_NONE;
    if (has_ids && producer->id_column == NULL)
        return ps_err_set(err, "ids need a column: set producer.penstock.keyColumn to a key column of type "
                               "STRING, VARCHAR or BINARY");
    *key = "producer.penstock.keyColumn";
    if (!has_ids && producer->id_column != NULL)
        return ps_err_set(err,
                          "it needs penstock.ids = identity or header:NAME, which say what the column gets");
    return PS_OK;
}

enum ps_status ps_kudu_producer_build(struct ps_kudu_producer *producer, const char *class,
                                      const struct ps_pairs *keys, const char *ids, struct ps_arena *,
                                      const char **key, struct ps_err *err)
{
    *producer = (struct ps_kudu_producer){.kind = PS_KUDU_SIMPLE};
    *key = "producer";
    if (!ps_kudu_producer_find(class, &producer->kind))
        return ps_err_set(err, "%s is not an operations producer of this sink", class);
    if (build_operation(producer, keys, key, err) != PS_OK ||
        build_ids(producer, keys, ids, key, err) != PS_OK)
        return PS_FAIL;
    producer->payload_column = ps_pairs_value(keys, "payloadColumn", "payload");
    producer->key_column = ps_pairs_value(keys, "keyColumn", "key");
    *key = "producer.keyColumn";
    if (strlen(producer->key_column) > PS_HEADER_NAME_BYTES_MAX)
        return ps_err_set(err, "it is longer than %u bytes", PS_HEADER_NAME_BYTES_MAX);
    producer->key_header = ps_name_intern(producer->key_column);
    if (producer->kind == PS_KUDU_AVRO)
        return ps_kudu_avro_build(producer, keys, key, err);
    return producer->kind == PS_KUDU_REGEXP ? ps_kudu_regexp_build(producer, keys, key, err) : PS_OK;
}

void ps_kudu_producer_teardown(struct ps_kudu_producer *producer)
{
    if (producer->regex != NULL)
        ps_regex_destroy(producer->regex);
    producer->regex = NULL;
}

/* ---- the writer ---- */

bool ps_kudu_writer_open(struct ps_kudu_writer *writer)
{
    switch (writer->producer->kind) {
    case PS_KUDU_SIMPLE:
    case PS_KUDU_KEYED:
        break;
    case PS_KUDU_REGEXP:
        return ps_kudu_regexp_open(writer);
    case PS_KUDU_AVRO:
        return ps_kudu_avro_open(writer);
    }
    return true;
}

void ps_kudu_writer_close(struct ps_kudu_writer *writer)
{
    ps_kudu_regexp_close(writer);
    ps_kudu_avro_close(writer);
    ps_byte_buffer_clear(&writer->text, 0);
    free(writer->cells);
    writer->cells = NULL;
    writer->cell_room = 0;
}

enum ps_kudu_added ps_kudu_unwritable(struct ps_kudu_writer *writer, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    (void)vsnprintf(writer->reason, sizeof writer->reason, format, list);
    va_end(list);
    return PS_KUDU_UNWRITABLE;
}

enum ps_kudu_added ps_kudu_later(struct ps_kudu_writer *writer, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    (void)vsnprintf(writer->reason, sizeof writer->reason, format, list);
    va_end(list);
    return PS_KUDU_LATER;
}

/* Makes the cells of a row, none of them set. */
static bool clear_cells(struct ps_kudu_writer *writer, const struct ps_kudu_table *table)
{
    if (table->count > writer->cell_room) {
        struct ps_kudu_cell *cells = realloc(writer->cells, table->count * sizeof *cells);
        if (cells == NULL)
            return false;
        writer->cells = cells;
        writer->cell_room = table->count;
    }
    memset(writer->cells, 0, table->count * sizeof *writer->cells);
    return true;
}

/* Finds a column that the configuration names; text goes into STRING and VARCHAR, too. Returns its number; -1 with the reason: the table has
 * none such, so that the event waits for another table, as with Flume. */
static int find_column(struct ps_kudu_writer *writer, const struct ps_kudu_table *table, const char *name,
                       bool is_text)
{
    int number = ps_kudu_table_find(table, name, strlen(name));
    if (number < 0) {
        (void)ps_kudu_later(writer, "the table has no column %.200s", name);
        return -1;
    }
    const struct ps_kudu_column *column = &table->columns[number];
    if (column->is_bytes && (column->type == PS_KUDU_BINARY || is_text))
        return number;
    (void)ps_kudu_later(writer, "column %.180s is %s, not %s", name, ps_kudu_type_name(column->type),
                        is_text ? "STRING" : "BINARY");
    return -1;
}

bool ps_kudu_producer_fits(const struct ps_kudu_producer *producer, const struct ps_kudu_table *table,
                           char reason[PS_KUDU_REASON_BYTES])
{
    struct ps_kudu_writer writer = {.producer = producer}; /* for its reason */
    bool is_simple = producer->kind == PS_KUDU_SIMPLE || producer->kind == PS_KUDU_KEYED;
    bool needs_all = producer->kind == PS_KUDU_REGEXP && producer->missing_column == PS_KUDU_REJECT;
    int id = producer->id_column != NULL ? find_column(&writer, table, producer->id_column, true) : 0;
    bool fits = id >= 0 && (producer->kind != PS_KUDU_KEYED ||
                            find_column(&writer, table, producer->key_column, true) >= 0);
    fits = fits && (!is_simple || find_column(&writer, table, producer->payload_column, false) >= 0);
    for (uint32_t i = 0; fits && needs_all && i < table->count; i++) {
        const char *name = table->columns[i].name;
        bool is_id = producer->id_column != NULL && (uint32_t)id == i;
        if (is_id || ps_regex_group_number(producer->regex, name) >= 0)
            continue;
        (void)ps_kudu_later(&writer, "column %.200s has no group in the pattern", name);
        fits = false;
    }
    memcpy(reason, writer.reason, sizeof writer.reason);
    return fits;
}

/* Sets a column of bytes. Returns false with the reason: later. */
static bool set_bytes(struct ps_kudu_writer *writer, const struct ps_kudu_table *table, const char *name,
                      struct ps_slice value, bool is_text)
{
    int number = find_column(writer, table, name, is_text);
    if (number < 0)
        return false;
    if (table->columns[number].type == PS_KUDU_VARCHAR)
        value.length = ps_kudu_cut(value.data, value.length, table->columns[number].length);
    writer->cells[number] =
        (struct ps_kudu_cell){.is_set = true, .bytes = value.data, .length = value.length};
    return true;
}

/* An event without an id gets a random one, so that it can be written: sent again after a crash it is another row. It is the same one when
 * the event's rows are made again, for a table that has changed. */
static size_t draw_id(struct ps_kudu_writer *writer, uint32_t position, char text[PS_IDENTITY_TEXT_BYTES])
{
    return (size_t)snprintf(text, PS_IDENTITY_TEXT_BYTES, "%016llx%016llx",
                            (unsigned long long)writer->drawn[0],
                            (unsigned long long)(writer->drawn[1] + position));
}

/* Sets the column of ids. */
static bool set_id(struct ps_kudu_writer *writer, const struct ps_kudu_source *from, unsigned row,
                   enum ps_kudu_added *added)
{
    const struct ps_kudu_producer *producer = writer->producer;
    const struct ps_kudu_table *table = from->batch->table;
    struct ps_slice id;
    if (!ps_remote_id_find(&producer->ids, from->lease, from->position, writer->id, &id))
        id = (struct ps_slice){writer->id, (uint32_t)draw_id(writer, from->position, writer->id)};
    if (row > 0) { /* each row of the event has one of its own; no identity has a '#' */
        if (id.length > PS_IDENTITY_TEXT_BYTES) {
            *added = ps_kudu_unwritable(writer, "its id has more than %u bytes, and it makes several rows",
                                        PS_IDENTITY_TEXT_BYTES);
            return false;
        }
        memcpy(writer->row_id, id.data, id.length);
        int length = snprintf(writer->row_id + id.length, sizeof writer->row_id - id.length, "#%u", row);
        id = (struct ps_slice){writer->row_id, id.length + (uint32_t)length};
    }
    int number = find_column(writer, table, producer->id_column, true);
    const struct ps_kudu_column *column = &table->columns[number < 0 ? 0 : number];
    if (number >= 0 && column->type == PS_KUDU_VARCHAR && column->length < id.length) {
        (void)ps_kudu_later(writer, "column %.150s, VARCHAR(%u), is too short for ids", column->name,
                            column->length);
        return false;
    }
    return set_bytes(writer, table, producer->id_column, id, true);
}

bool ps_kudu_begin_row(struct ps_kudu_writer *writer, const struct ps_kudu_source *from, unsigned row,
                       enum ps_kudu_added *added)
{
    *added = PS_KUDU_LATER;
    if (!clear_cells(writer, from->batch->table)) {
        (void)ps_kudu_later(writer, "no memory");
        return false;
    }
    return writer->producer->id_column == NULL || set_id(writer, from, row, added);
}

enum ps_kudu_added ps_kudu_end_row(struct ps_kudu_writer *writer, const struct ps_kudu_source *from)
{
    enum ps_kudu_added added = ps_kudu_batch_add(from->batch, from->number, writer->producer->operation,
                                                 writer->cells, writer->reason);
    return added == PS_KUDU_LATER ? ps_kudu_later(writer, "no memory") : added;
}

/* SimpleKuduOperationsProducer, SimpleKeyedKuduOperationsProducer. */
static enum ps_kudu_added write_simple(struct ps_kudu_writer *writer, const struct ps_kudu_source *from)
{
    const struct ps_kudu_producer *producer = writer->producer;
    const struct ps_kudu_table *table = from->batch->table;
    struct ps_slice key, body = {from->event->body, from->event->body_length};
    if (producer->kind == PS_KUDU_KEYED) {
        if (ps_event_header(from->lease->batch, from->event, producer->key_header, &key)) {
            if (!set_bytes(writer, table, producer->key_column, key, true))
                return PS_KUDU_LATER;
        } else if (producer->id_column == NULL || strcmp(producer->id_column, producer->key_column) != 0) {
            return ps_kudu_unwritable(writer, "the event has no header %.150s, which is the row's key",
                                      producer->key_column);
        }
    }
    if (!set_bytes(writer, table, producer->payload_column, body, false))
        return PS_KUDU_LATER;
    enum ps_kudu_added added = ps_kudu_end_row(writer, from);
    /* Not this event is at fault, but the table, which has other columns that need values. */
    return added == PS_KUDU_UNWRITABLE && body.length <= PS_KUDU_ROW_BYTES_MAX ? PS_KUDU_LATER : added;
}

enum ps_kudu_added ps_kudu_produce(struct ps_kudu_writer *writer, struct ps_kudu_batch *batch, uint32_t event,
                                   const struct ps_lease *lease, uint32_t position)
{
    const struct ps_kudu_source from = {batch, event, lease, position, ps_lease_event(lease, position)};
    enum ps_kudu_added added;
    if (writer->producer->kind == PS_KUDU_REGEXP)
        return ps_kudu_regexp_write(writer, &from);
    if (!ps_kudu_begin_row(writer, &from, 0, &added))
        return added;
    return writer->producer->kind == PS_KUDU_AVRO ? ps_kudu_avro_write(writer, &from)
                                                  : write_simple(writer, &from);
}
