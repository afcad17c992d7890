/* Reads rows of hbase:meta. Source: HBase's Client.proto (ScanResponse), Cell.proto, HBase.proto (RegionInfo), MetaTableAccessor. */
#include "stages/lib/hbase/meta.h"

#include "stages/lib/protobuf.h"

enum { RESPONSE_RESULTS = 5, RESULT_CELL = 1, CELL_ROW = 1, CELL_QUALIFIER = 3, CELL_VALUE = 6 };
enum { INFO_TABLE = 2, INFO_START = 3, INFO_END = 4, INFO_OFFLINE = 5, INFO_SPLIT = 6 };
enum { TABLE_NAMESPACE = 1, TABLE_QUALIFIER = 2 };

struct cell {
    struct ps_slice row, qualifier, value;
};

static struct ps_slice slice_of(const struct ps_protobuf_reader *reader)
{
    return (struct ps_slice){(const char *)reader->bytes, (uint32_t)reader->length};
}

static bool parse_cell(struct ps_protobuf_reader reader, struct cell *cell)
{
    *cell = (struct cell){.row = {.length = 0}};
    while (ps_protobuf_next(&reader)) {
        if (ps_protobuf_is_bytes(&reader, CELL_ROW))
            cell->row = slice_of(&reader);
        else if (ps_protobuf_is_bytes(&reader, CELL_QUALIFIER))
            cell->qualifier = slice_of(&reader);
        else if (ps_protobuf_is_bytes(&reader, CELL_VALUE))
            cell->value = slice_of(&reader);
    }
    return !reader.invalid;
}

static bool is(struct ps_slice slice, const char *text)
{
    return slice.length == strlen(text) && memcmp(slice.data, text, slice.length) == 0;
}

/* Returns whether this is the table, "default:name" being "name". */
static bool is_table(struct ps_protobuf_reader reader, const char *table)
{
    struct ps_slice namespace = {.length = 0}, qualifier = {.length = 0};
    while (ps_protobuf_next(&reader)) {
        if (ps_protobuf_is_bytes(&reader, TABLE_NAMESPACE))
        namespace = slice_of(&reader);
        else if (ps_protobuf_is_bytes(&reader, TABLE_QUALIFIER)) qualifier = slice_of(&reader);
    }
    const char *colon = strchr(table, ':');
    if (colon == NULL)
        return is(namespace, "default") && is(qualifier, table);
    return namespace.length == (size_t)(colon - table) &&
           memcmp(namespace.data, table, namespace.length) == 0 && is(qualifier, colon + 1);
}

/* Reads the value of info:regioninfo. */
static bool parse_info(struct ps_slice value, const char *table, struct ps_hbase_meta_row *row)
{
    if (value.length < 4 || memcmp(value.data, "PBUF", 4) != 0)
        return false;
    struct ps_protobuf_reader reader = ps_protobuf_read(value.data + 4, value.length - 4);
    row->is_other = true;
    while (ps_protobuf_next(&reader)) {
        struct ps_slice bytes = slice_of(&reader);
        if (ps_protobuf_is_bytes(&reader, INFO_TABLE)) {
            row->is_other = !is_table(ps_protobuf_inner(&reader), table);
        } else if (ps_protobuf_is_bytes(&reader, INFO_START)) {
            row->region.start = bytes.data;
            row->region.start_length = bytes.length;
        } else if (ps_protobuf_is_bytes(&reader, INFO_END)) {
            row->region.end = bytes.data;
            row->region.end_length = bytes.length;
        } else if (ps_protobuf_is_number(&reader, INFO_OFFLINE) ||
                   ps_protobuf_is_number(&reader, INFO_SPLIT)) {
            row->is_gone |= reader.number != 0;
        }
    }
    return !reader.invalid;
}

/* Reads "host:port" of info:server. An empty value: no server. */
static bool parse_server(struct ps_slice value, struct ps_hbase_meta_row *row)
{
    const char *colon = value.length > 0 ? memrchr(value.data, ':', value.length) : NULL;
    unsigned port = 0;
    if (value.length == 0)
        return true;
    if (colon == NULL || colon == value.data)
        return false;
    for (const char *at = colon + 1; at < value.data + value.length; at++) {
        if (*at < '0' || *at > '9' || port > UINT16_MAX)
            return false;
        port = port * 10 + (unsigned)(*at - '0');
    }
    if (port == 0 || port > UINT16_MAX || memchr(value.data, '\0', value.length) != NULL)
        return false;
    row->host = value.data;
    row->host_length = (size_t)(colon - value.data);
    row->port = port;
    return true;
}

static bool parse_row(struct ps_protobuf_reader result, const char *table, struct ps_hbase_meta_row *row)
{
    struct cell cell;
    bool has_info = false;
    *row = (struct ps_hbase_meta_row){.port = 0};
    while (ps_protobuf_next(&result)) {
        if (!ps_protobuf_is_bytes(&result, RESULT_CELL))
            continue;
        if (!parse_cell(ps_protobuf_inner(&result), &cell))
            return false;
        row->region.name = cell.row.data;
        row->region.name_length = cell.row.length;
        if (is(cell.qualifier, "regioninfo"))
            has_info = parse_info(cell.value, table, row);
        else if (is(cell.qualifier, "server") && !parse_server(cell.value, row))
            return false;
    }
    row->is_gone |= !has_info; /* remains of a region */
    row->is_gone |= row->region.name_length == 0;
    return !result.invalid;
}

bool ps_hbase_meta_parse(const uint8_t *bytes, size_t length, const char *table,
                         bool (*each)(void *owner, const struct ps_hbase_meta_row *row), void *owner)
{
    struct ps_protobuf_reader reader = ps_protobuf_read(bytes, length);
    struct ps_hbase_meta_row row;
    while (ps_protobuf_next(&reader)) {
        if (!ps_protobuf_is_bytes(&reader, RESPONSE_RESULTS))
            continue;
        if (!parse_row(ps_protobuf_inner(&reader), table, &row))
            return false;
        if (!each(owner, &row))
            return true;
    }
    return !reader.invalid;
}
