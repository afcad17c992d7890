/* The handlers org.apache.flume.source.http.BLOBHandler and org.apache.flume.sink.solr.morphline.BlobHandler: a
 * request's body is the event, and the parameters of its query are the headers; with the BlobHandler its
 * Content-Type is a header too. Thread: the worker's. */
#pragma once

#include "core/option.h"
#include "stages/lib/http/server.h"

/* Maximum number of parameters of a query. Flume has no such limit. */
#define PS_BLOB_PARAMETERS_MAX 1024U

struct ps_blob_handler {
    struct ps_texts mandatory; /* parameters without which a request is answered 500 */
    bool content_type; /* the request's Content-Type becomes a header, unless a parameter has that name */
};

/* The names of handler.mandatoryParameters: Java's String.split(","). Blanks belong to a name, a name may be
 * empty, and empty names at the end do not count. `list` NULL: there are no names. */
struct ps_texts ps_blob_handler_mandatory(struct ps_arena *arena, const char *list);

/* For ps_http_server_options.take. */
enum ps_http_taken ps_blob_handler_take(const struct ps_blob_handler *handler, struct ps_batch *batch,
                                        struct ps_http_exchange *exchange);
