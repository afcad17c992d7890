/* The JSON of a request whose body is something else on the wire: compressed (Content-Encoding: gzip), or one
 * object per line (application/x-ndjson). Thread: the worker's. */
#pragma once

#include "stages/lib/byte_buffer.h"
#include "stages/lib/decompressor.h"
#include "stages/lib/http/server.h"

/* A zeroed body has nothing allocated. ps_json_body_fini frees its memory. */
struct ps_json_body {
    struct ps_decompressor decompressor;
    struct ps_byte_buffer bytes; /* the text that is being made; a long text is freed after its request */
};

void ps_json_body_fini(struct ps_json_body *body);

/* Makes exchange->body the JSON array of the request's events. Returns PS_HTTP_TAKEN, or the reason of a
 * failure: PS_HTTP_REFUSED with the exchange's status, PS_HTTP_MEMORY, PS_HTTP_FULL. `bytes_max`: limit of the
 * text's length. */
enum ps_http_taken ps_json_body_make(struct ps_json_body *body, struct ps_block_cache *blocks,
                                     uint32_t bytes_max, struct ps_batch *batch,
                                     struct ps_http_exchange *exchange);
