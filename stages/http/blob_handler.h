/* The handler org.apache.flume.source.http.BLOBHandler: a request's body is the event, the parameters of its query are the
 * headers. Thread: the worker's. */
#pragma once

#include "core/option.h"
#include "stages/http/server.h"

/* Limit that Flume does not have. */
#define PS_BLOB_PARAMETERS_MAX 1024U

/* For ps_http_server_options.take; `mandatory`: parameters without which a request is answered 500. */
enum ps_http_taken ps_blob_handler_take(const struct ps_texts *mandatory, struct ps_batch *batch,
                                        struct ps_http_exchange *exchange);
