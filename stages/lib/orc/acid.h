/* ORC files of Hive's transactional tables (Hive 3 and 4; org.apache.hadoop.hive.ql.io.orc.OrcRecordUpdater
 * and ql.io.AcidUtils): each row is wrapped in a struct that names it, and is inserted; nothing is updated or
 * deleted.
 *
 *   <table or partition>/delta_0000004_0000004/_orc_acid_version            "2"
 *                                              bucket_00000                 rows of bucket 0
 *
 * Thread: the owner's. */
#pragma once

#include "stages/lib/orc/writer.h"

#define PS_ORC_ACID_VERSION "2" /* contents of _orc_acid_version */
#define PS_ORC_ACID_VERSION_FILE "_orc_acid_version"
#define PS_ORC_ACID_NAME_BYTES 64U
#define PS_ORC_BUCKETS_MAX 4096U

struct ps_orc_acid;

/* `settings` are the table's: the type is the table's row, and bloom filters name its columns. The callback
 * for stripes is not called. `bucket`: from 0. `write_id`: of the transaction, which has a file for each bucket. Returns NULL and
 * the reason on errors. */
struct ps_orc_acid *ps_orc_acid_open(const struct ps_orc_settings *settings, uint32_t bucket,
                                     int64_t write_id, struct ps_output *output, struct ps_err *err);
void ps_orc_acid_close(struct ps_orc_acid *acid);

/* Adds a row that the transaction inserts. Returns false as ps_orc_writer_add does. */
bool ps_orc_acid_insert(struct ps_orc_acid *acid, const struct ps_orc_value *row);

/* Completes the file. Returns false as ps_orc_writer_add does. */
bool ps_orc_acid_end(struct ps_orc_acid *acid);

/* Returns the wrapped writer, for its rows and memory. */
struct ps_orc_writer *ps_orc_acid_writer(struct ps_orc_acid *acid);

/* Prints "delta_0000004_0000004". */
void ps_orc_acid_delta_name(int64_t write_id, char name[PS_ORC_ACID_NAME_BYTES]);
/* Prints "bucket_00000". */
void ps_orc_acid_bucket_name(uint32_t bucket, char name[PS_ORC_ACID_NAME_BYTES]);
