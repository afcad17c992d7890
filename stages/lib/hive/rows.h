/* A reader of event bodies as rows of a table: the interface between the sink hive and its serializers (Flume's
 * HiveEventSerializer, Hive's RecordWriter). Each open sink has one. Thread: its owner's. Never blocks. */
#pragma once

#include "stages/lib/orc/type.h"
#include "stages/lib/orc/value.h"

struct ps_hive_rows;

struct ps_hive_rows_ops {
    /* Reads one body into `row`: a struct value with the table's columns in their order; missing fields at the
     * end are null. The row is valid until the next call; its strings are valid as long as the body. Returns
     * false with `err` if the body is not a row (Flume logs "Parse failed" and continues), or if there is no
     * memory; sets lacks_memory in both cases. */
    bool (*read)(struct ps_hive_rows *rows, const char *body, uint32_t length, struct ps_orc_value *row,
                 struct ps_err *err);
    void (*close)(struct ps_hive_rows *rows);
};

/* First member of each implementation's structure. */
struct ps_hive_rows {
    const struct ps_hive_rows_ops *ops;
    /* after a `read` that returned false: there was no memory, and the body may be a row */
    bool lacks_memory;
};

static inline bool ps_hive_rows_read(struct ps_hive_rows *rows, const char *body, uint32_t length,
                                     struct ps_orc_value *row, struct ps_err *err)
{
    return rows->ops->read(rows, body, length, row, err);
}

static inline void ps_hive_rows_close(struct ps_hive_rows *rows)
{
    if (rows != NULL)
        rows->ops->close(rows);
}
