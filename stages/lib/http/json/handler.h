/* The handler org.apache.flume.source.http.JSONHandler: makes events of a request's JSON. Thread: the worker's. */
#pragma once

#include "stages/lib/http/json/scan.h"
#include "stages/lib/http/server.h"
#include "stages/lib/text/charset.h"

#define PS_JSON_CHARSETS 3 /* besides UTF-8: UTF-16, UTF-32, and UTF-32 with a little-endian mark */

struct ps_json_handler {
    struct ps_json_scan scan;
    struct ps_charset charsets[PS_JSON_CHARSETS];
    struct ps_transcoder transcoders[PS_JSON_CHARSETS];
    uint32_t *same_names; /* by the hash of a name: 1 + the index of a header that has the name */
    struct ps_header **lists;
    uint64_t *masks;
};

enum ps_status ps_json_handler_init(struct ps_json_handler *handler, struct ps_err *err);
/* Frees the handler's memory; allowed for a zeroed handler, and for one that failed to init. */
void ps_json_handler_fini(struct ps_json_handler *handler);

/* For ps_http_server_options.take, with the handler. `blocks`: the worker's. */
enum ps_http_taken ps_json_handler_take(struct ps_json_handler *handler, struct ps_block_cache *blocks,
                                        struct ps_batch *batch, struct ps_http_exchange *exchange);
