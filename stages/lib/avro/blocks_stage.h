/* The keys of an Avro file and the blocks of its records, shared by the serializers avro_event and
 * avro_datum. Thread: control for _check and _build, else the sink's worker. */
#pragma once

#include "core/stage.h"
#include "stages/lib/avro/blocks.h"

/* The first member of the serializer's plan. */
struct ps_avro_blocks_plan {
    int64_t sync_interval;
    const char *codec_name;
    enum ps_avro_codec codec; /* codec of codec_name; set by _build */
};

/* The first member of the serializer's state. */
struct ps_avro_blocks_state {
    struct ps_port *port;
    struct ps_avro_blocks blocks;
};

/* Rows of the serializer's table of options. */
#define PS_AVRO_BLOCKS_OPTION_ROWS                                                                           \
    PS_OPTION_ROW("syncIntervalBytes", INT, offsetof(struct ps_avro_blocks_plan, sync_interval),             \
                  "size at which a block ends", .fallback = "2048000", .min = 32, .max = 1 << 30,            \
                  .unit = "bytes"),                                                                          \
        PS_OPTION_ROW("compressionCodec", TEXT, offsetof(struct ps_avro_blocks_plan, codec_name),            \
                      "null, deflate, snappy, bzip2, xz or zstandard", .fallback = "null")

/* Functions for struct ps_stage_ops. */
enum ps_status ps_avro_blocks_check(const void *plan, const struct ps_context *context);
enum ps_status ps_avro_blocks_build(void *plan, struct ps_context *context, struct ps_err *err);
enum ps_status ps_avro_blocks_open(const void *plan, void *state, struct ps_port *port, struct ps_err *err);
void ps_avro_blocks_close(const void *plan, void *state);
/* Functions for struct ps_serializer_ops: flush and end. */
bool ps_avro_blocks_end(const void *plan, void *state, struct ps_output *output);
