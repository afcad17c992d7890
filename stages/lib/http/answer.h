/* Answers of the HTTP server as bytes. Thread: the worker's. */
#pragma once

#include "stages/lib/http/server.h"

#define PS_HTTP_ANSWER_BYTES_MAX 768U

struct ps_http_answer {
    const char *intro, *reason; /* texts of an answer whose status is above 200; intro may be NULL */
    uint16_t status;
    bool without_body; /* HEAD */
    bool last;         /* the connection is closed after this answer */
};

/* Writes the whole answer, at most PS_HTTP_ANSWER_BYTES_MAX bytes. Returns the answer's length in bytes. */
uint32_t ps_http_answer_write(struct ps_http_server *server, const struct ps_http_answer *answer, char *out);
