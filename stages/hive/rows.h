/* A reader of event bodies as rows of a table: the seam between the sink hive and its serializers (Flume's HiveEventSerializer,
 * Hive's RecordWriter). One for each open sink. Thread: its owner's. Never blocks. */
#pragma once

#include "stages/orc/type.h"
#include "stages/orc/value.h"

struct ps_hive_rows;

struct ps_hive_rows_ops {
    /* Reads one body into `row`: the value of a struct with the table's columns in their order; fields that are missing at the
     * end are null. Valid until the next call, strings as long as the body. Returns false when the body is no row (Flume logs
     * "Parse failed" and goes on) or there is no memory: `err` says why. */
    bool (*read)(struct ps_hive_rows *rows, const char *body, uint32_t length, struct ps_orc_value *row,
                 struct ps_err *err);
    void (*close)(struct ps_hive_rows *rows);
};

/* First member of every implementation's own structure. */
struct ps_hive_rows {
    const struct ps_hive_rows_ops *ops;
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
