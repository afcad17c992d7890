/* A compressed connection: inflates what is read from the layer below and deflates what is written, one zlib
 * stream each way, flushed after each write. The layer below is a socket or TLS; the layer above may be TLS.
 * Results are those of stages/lib/tls/tls.h.
 *
 * Thread: the connection's owner. Never blocks. */
#pragma once

#include "stages/lib/avro/zlib.h"
#include "stages/lib/tls/tls.h"

#define PS_AVRO_DEFLATE_IN_BYTES 8192U

struct ps_avro_deflate {
    struct ps_avro_zlib zlib;
    struct ps_tls_pipe below;
    bool filled; /* the last inflating filled its room: more bytes may be available */
    /* Compressed bytes to be written, and the number of the caller's bytes that they represent. The caller passes
     * the same bytes again until they are written. */
    struct iovec out;
    size_t out_of;
    struct ps_avro_zlib_input in; /* received bytes that are not inflated yet; they are in in_bytes */
    const char *why;              /* reason after PS_TLS_ERROR, if the compression failed; else NULL */
    bool starved;                 /* it failed because there was no memory for bytes to be written */
    uint8_t in_bytes[PS_AVRO_DEFLATE_IN_BYTES];
};

/* `level`: of ps_avro_zlib_init. */
enum ps_status ps_avro_deflate_init(struct ps_avro_deflate *deflate, int level,
                                    const struct ps_tls_pipe *below, struct ps_err *err);
void ps_avro_deflate_fini(struct ps_avro_deflate *deflate);

/* As in struct ps_tls_pipe; `deflate` is a struct ps_avro_deflate. PS_TLS_WANT_READ may also mean that the bytes of several
 * reads have yielded none: the layer below may have more. */
enum ps_tls_result ps_avro_deflate_read(void *deflate, void *buffer, size_t room, size_t *length);
/* Takes all of the bytes or none. If it takes none, the caller passes them again, possibly with more bytes after
 * them. */
enum ps_tls_result ps_avro_deflate_write(void *deflate, const void *data, size_t length, size_t *written);
/* Returns whether bytes can be read without reading from the layer below. */
bool ps_avro_deflate_has_more(const struct ps_avro_deflate *deflate);
