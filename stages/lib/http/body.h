/* Bodies of HTTP requests that carry events, in one growing buffer. Thread: the buffer's owner. */
#pragma once

#include "core/base.h"

enum ps_http_format {
    PS_HTTP_FLUME, /* org.apache.flume.source.http.JSONHandler: [{"headers":{},"body":".."},..] */
    PS_HTTP_PLAIN, /* the body is one event */
    PS_HTTP_LINES, /* each line is an event */
};

/* A zeroed body is empty. ps_http_body_fini frees its memory. */
struct ps_http_body {
    char *bytes;
    size_t length, room;
};

/* Makes the body empty. Begin, add and end with the same format. Returns false if there is no memory. */
bool ps_http_body_begin(struct ps_http_body *body, enum ps_http_format format);
/* Adds an event without headers. Returns false, and leaves the body unchanged, if there is no memory. */
bool ps_http_body_add(struct ps_http_body *body, enum ps_http_format format, const char *text, size_t length);
void ps_http_body_end(struct ps_http_body *body, enum ps_http_format format);
void ps_http_body_fini(struct ps_http_body *body);
