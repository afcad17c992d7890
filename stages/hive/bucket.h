/* Which bucket of a table a row belongs to, as Hive decides (org.apache.hadoop.hive.serde2.objectinspector.ObjectInspectorUtils:
 * getBucketHashCode, getBucketHashCodeOld): the engine looks for a row only in its own bucket. Thread: any. */
#pragma once

#include "stages/orc/type.h"
#include "stages/orc/value.h"

/* The table's parameter bucketing_version: 1 where it is not set, which is what Hive 1 and 2 make; 2 since Hive 3. */
enum ps_hive_bucketing { PS_HIVE_BUCKETING_JAVA = 1, PS_HIVE_BUCKETING_MURMUR = 2 };

/* Whether a column of this type may be hashed here: boolean, the integers, float, double, string, varchar, char, date. */
bool ps_hive_bucket_knows(const struct ps_orc_type *type);

/* The hash of one value; null has 0. */
int32_t ps_hive_bucket_hash(enum ps_hive_bucketing bucketing, const struct ps_orc_type *type,
                            const struct ps_orc_value *value);

/* The bucket of a row: of the fields with these numbers in the row's struct, in the order of the table's bucket columns. */
uint32_t ps_hive_bucket(enum ps_hive_bucketing bucketing, const struct ps_orc_type *row_type,
                        const struct ps_orc_value *row, const uint32_t *fields, uint32_t field_count,
                        uint32_t bucket_count);
