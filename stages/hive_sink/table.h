/* The table that a sink writes to, read from the metastore's answer. Thread: the sink's worker. */
#pragma once

#include "stages/hive/bucket.h"
#include "stages/hive/message.h"
#include "stages/hive_text/format.h"
#include "stages/orc/writer.h"

#define PS_HIVE_BUCKET_COLUMNS_MAX 64U

struct ps_hive_target {
    struct ps_orc_type *type; /* of a row */
    char *location;           /* "hdfs://namenode:8020/warehouse/t" */
    char *identity;           /* of ps_hive_target_is_same */
    char **keys;              /* names of the partition keys */
    uint32_t key_count;
    struct ps_orc_type *key_type; /* a struct of them; NULL: there is none */
    uint32_t bucket_count;        /* 1 if it has none */
    enum ps_hive_bucketing bucketing;
    uint32_t bucket_fields[PS_HIVE_BUCKET_COLUMNS_MAX];
    uint32_t bucket_field_count; /* 0: all rows are in bucket 0 */
    struct ps_orc_settings orc;  /* with `type` */
    char *bloom_filter_columns;  /* NULL: none */
    char *collection, *map_key;  /* of its serde: collection.delim, mapkey.delim; "": not set */
    bool
        has_old_count; /* plain: the metastore has a number of its rows that Hive trusts, and that nobody keeps right */
    struct ps_hive_text_format
        text; /* of its files, if it is not transactional; then it has no buckets, and `orc` is not used */
};

/* `is_plain`: it is to be a table of text or JSON that is not transactional. PS_FAIL: what keeps the sink from writing to it (transactional or
 * not, the format of its files, a type). Owns: ps_hive_target_free. */
enum ps_status ps_hive_target_read(const struct ps_hive_table *table, bool is_plain,
                                   struct ps_hive_target *target, struct ps_err *err);
void ps_hive_target_free(struct ps_hive_target *target);

/* Whether this is the table that was read: not another one of that name, and with the same columns, keys and buckets, in the same
 * place. */
bool ps_hive_target_is_same(const struct ps_hive_target *target, const struct ps_hive_table *table);

/* What is said of has_old_count, and the cure. */
#define PS_HIVE_OLD_COUNT                                                                                    \
    "its statistics are marked as accurate (COLUMN_STATS_ACCURATE), so Hive answers count(*) from them, "    \
    "without the rows that are written here: alter table .. set tblproperties ('COLUMN_STATS_ACCURATE' = "   \
    "'false'), or make it external"

/* Whether the text is a value of a partition key: as Hive compares such values, it is replaced by the usual text of that value ("2026-2-9" of a
 * date by "2026-02-09"), which needs `room` bytes at most. Texts of string keys are left as they are. */
bool ps_hive_target_key_value(const struct ps_hive_target *target, uint32_t key, char *text, uint32_t *length,
                              uint32_t room);

/* Whether "key=value", escaped, is no longer than the name of a directory may be: 255 bytes on HDFS
 * (dfs.namenode.fs-limits.max-component-length) and on disks. */
bool ps_hive_target_key_fits(const struct ps_hive_target *target, uint32_t key, const char *text,
                             uint32_t length);

uint32_t ps_hive_target_bucket(const struct ps_hive_target *target, const struct ps_orc_value *row);

/* "day=2026-11-21/hour=10" of the values, escaped as Hive does (org.apache.hadoop.hive.common.FileUtils.makePartName). The caller's. */
char *ps_hive_target_partition_name(const struct ps_hive_target *target, char *const *values);
