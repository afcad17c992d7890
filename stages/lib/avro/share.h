/* Compressors, long buffers and schemas that the Avro serializers of one sink share, because a sink may have
 * a thousand files open, each with a serializer state of its own. A sink with many states gives its
 * serializers a port with a common `chain` (stages/lib/hadoop/file/writer.h); otherwise each state has its
 * own. Thread: the sink's worker. */
#pragma once

#include "core/stage.h"
#include "stages/lib/avro/codec/codec.h"
#include "stages/lib/avro/schemas.h"
#include "stages/lib/byte_buffer.h"
#include "stages/lib/random.h"

struct ps_avro_share {
    struct ps_port *port;
    struct ps_packer *packers[PS_AVRO_CODECS]; /* made at the first use */
    struct ps_byte_buffer packed;              /* empty between calls */
    struct ps_byte_buffer spare;               /* a long buffer that a file gave back */
    struct ps_random random;
    struct ps_avro_schemas *schemas; /* NULL: not needed yet */
};

/* Returns NULL when there is no memory. `port` must live as long as the result. */
struct ps_avro_share *ps_avro_share_open(struct ps_port *port);
/* Called by each caller of _open with this port. NULL is allowed. */
void ps_avro_share_close(struct ps_avro_share *share, const struct ps_port *port);

/* NULL: no memory. */
struct ps_packer *ps_avro_share_packer(struct ps_avro_share *share, enum ps_avro_codec codec);
struct ps_avro_schemas *ps_avro_share_schemas(struct ps_avro_share *share);
