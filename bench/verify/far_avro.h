/* Avro object container files, read as they come: HDFS and file_roll files of the avro_event serializer, and
 * any other (Avro 1.11 specification, "Object Container Files"). Codecs null, deflate, snappy. Blocks are
 * taken whole and only with their marker behind them, so that a file that is being written is no error. A
 * block that is damaged is skipped up to the next marker, and counted.
 *
 * Thread: the far end's. */
#pragma once

#include "bench/verify/far_parts.h"

#define PS_FAR_AVRO_MAGIC "Obj\x01"
#define PS_FAR_AVRO_HEADER_BYTES_MAX (4U << 20)
#define PS_FAR_AVRO_BLOCK_BYTES_MAX (64U << 20)  /* as it stands in the file */
#define PS_FAR_AVRO_PLAIN_BYTES_MAX (256U << 20) /* decompressed */

struct ps_far_avro;

struct ps_far_avro *ps_far_avro_create(void);
void ps_far_avro_destroy(struct ps_far_avro *avro);

/* Hands over the records of the blocks that are complete now. PS_FAIL: nothing of the file can be understood
 * any more, `err` says why. */
enum ps_status ps_far_avro_feed(struct ps_far_avro *avro, const char *data, size_t length,
                                struct ps_far_hand *hand, struct ps_err *err);
/* Bytes of a header or block that are not complete. */
size_t ps_far_avro_pending(const struct ps_far_avro *avro);
/* Damaged blocks so far; their records are missing. */
uint64_t ps_far_avro_bad_count(const struct ps_far_avro *avro);
