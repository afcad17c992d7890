/* Reads Avro object container files as they grow: HDFS and file_roll files of the avro_event serializer, and any
 * others (Avro 1.11 specification, "Object Container Files"), with the readers of stages/lib/avro. A block is taken only
 * when the block and its marker are complete, so a file that is still being written causes no error. A damaged block is
 * skipped up to the next marker, and counted.
 *
 * Thread: the far end's. */
#pragma once

#include "bench/verify/far/records.h"

#define PS_FAR_AVRO_MAGIC "Obj\x01"
#define PS_FAR_AVRO_BLOCK_BYTES_MAX (64U << 20)  /* size in the file */
#define PS_FAR_AVRO_PLAIN_BYTES_MAX (256U << 20) /* decompressed */

struct ps_far_avro;

struct ps_far_avro *ps_far_avro_create(void);
void ps_far_avro_destroy(struct ps_far_avro *avro);

/* Hands over the records of the blocks that are complete now. Returns PS_FAIL when the rest of the file
 * cannot be understood; `err` has the cause. */
enum ps_status ps_far_avro_feed(struct ps_far_avro *avro, const char *data, size_t length,
                                struct ps_far_hand *hand, struct ps_err *err);
/* Returns the number of bytes of an incomplete header or block. */
size_t ps_far_avro_pending(const struct ps_far_avro *avro);
/* Returns the number of damaged blocks so far; their records are missing. */
uint64_t ps_far_avro_bad_count(const struct ps_far_avro *avro);
