/* The target table of a sink, read from the metastore's answer. Thread: the sink's worker. */
#pragma once

#include "stages/lib/hive/bucket.h"
#include "stages/lib/hive/message.h"
#include "stages/lib/hive/text/format.h"
#include "stages/lib/orc/writer.h"

#define PS_HIVE_BUCKET_COLUMNS_MAX 64U

struct ps_hive_target {
    struct ps_orc_type *type; /* of a row */
    char *location;           /* "hdfs://namenode:8020/warehouse/t" */
    char *identity;           /* text by which ps_hive_target_is_same recognises the table */
    char **keys;              /* names of the partition keys */
    uint32_t key_count;
    struct ps_orc_type *key_type; /* a struct of the keys; NULL: none */
    uint32_t bucket_count;        /* 1 if the table is not bucketed */
    enum ps_hive_bucketing bucketing;
    uint32_t bucket_fields[PS_HIVE_BUCKET_COLUMNS_MAX];
    uint32_t bucket_field_count; /* 0: all rows are in bucket 0 */
    struct ps_orc_settings orc;  /* with `type` */
    char *bloom_filter_columns;  /* NULL: none */
    char *collection, *map_key;  /* collection.delim and mapkey.delim of its serde; "": not set */
    bool
        /* plain: the metastore has a count of rows, which Hive trusts although nobody updates it */
        has_old_count;
    struct ps_hive_text_format
        text; /* format of its files if it is not transactional; there are no buckets then, and `orc` is not used */
};

/* Reads the table. `is_plain`: it should be a table of text or JSON that is not transactional. Returns PS_FAIL with the reason if the sink
 * cannot write to it (transactional or not, format of its files, a type). The caller frees the target with ps_hive_target_free. */
enum ps_status ps_hive_target_read(const struct ps_hive_table *table, bool is_plain,
                                   struct ps_hive_target *target, struct ps_err *err);
void ps_hive_target_free(struct ps_hive_target *target);

/* Returns whether this is still the table that was read, with the same columns, keys, buckets and location, and not another table
 * with that name. */
bool ps_hive_target_is_same(const struct ps_hive_target *target, const struct ps_hive_table *table);

/* Text about has_old_count, with the cure. */
#define PS_HIVE_OLD_COUNT                                                                                    \
    "its statistics are marked as accurate (COLUMN_STATS_ACCURATE), so Hive answers count(*) from them, "    \
    "without the rows that are written here: alter table .. set tblproperties ('COLUMN_STATS_ACCURATE' = "   \
    "'false'), or make it external"

/* Returns whether the text is a value of a partition key. Replaces the text by the usual text for its value
 * ("2026-2-9" of a date by "2026-02-09"), because Hive compares values and not texts. The usual text needs at most
 * `room` bytes. Does not change texts of string keys. */
bool ps_hive_target_key_value(const struct ps_hive_target *target, uint32_t key, char *text, uint32_t *length,
                              uint32_t room);

/* Returns whether "key=value", escaped, fits into the name of a directory: 255 bytes on HDFS
 * (dfs.namenode.fs-limits.max-component-length) and on local disks. */
bool ps_hive_target_key_fits(const struct ps_hive_target *target, uint32_t key, const char *text,
                             uint32_t length);

uint32_t ps_hive_target_bucket(const struct ps_hive_target *target, const struct ps_orc_value *row);

/* Returns the partition's name, "day=2026-11-21/hour=10", escaped as in Hive (org.apache.hadoop.hive.common.FileUtils.makePartName).
 * The caller frees it. */
char *ps_hive_target_partition_name(const struct ps_hive_target *target, char *const *values);
