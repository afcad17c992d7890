/* Computes the bucket of a row as Hive does (org.apache.hadoop.hive.serde2.objectinspector.ObjectInspectorUtils:
 * getBucketHashCode, getBucketHashCodeOld), because the engine looks for a row only in its own bucket. Thread: any. */
#pragma once

#include "stages/lib/orc/type.h"
#include "stages/lib/orc/value.h"

/* The table's parameter bucketing_version: 1 if it is not set, as in tables of Hive 1 and 2; 2 since Hive 3. */
enum ps_hive_bucketing { PS_HIVE_BUCKETING_JAVA = 1, PS_HIVE_BUCKETING_MURMUR = 2 };

/* Returns whether columns of this type are supported: boolean, the integers, float, double, string, varchar, char, date. */
bool ps_hive_bucket_knows(const struct ps_orc_type *type);

/* Returns the hash of a value; 0 for null. */
int32_t ps_hive_bucket_hash(enum ps_hive_bucketing bucketing, const struct ps_orc_type *type,
                            const struct ps_orc_value *value);

/* Returns the bucket of a row. `fields`: indexes of the bucket columns in the row's struct, in the table's order. */
uint32_t ps_hive_bucket(enum ps_hive_bucketing bucketing, const struct ps_orc_type *row_type,
                        const struct ps_orc_value *row, const uint32_t *fields, uint32_t field_count,
                        uint32_t bucket_count);
