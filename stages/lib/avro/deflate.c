#include "stages/lib/avro/deflate.h"

#define READS_MAX 16U /* from the layer below, in one call */

enum ps_status ps_avro_deflate_init(struct ps_avro_deflate *deflate, int level,
                                    const struct ps_tls_pipe *below, struct ps_err *err)
{
    deflate->below = *below;
    deflate->filled = false;
    deflate->out = (struct iovec){NULL, 0};
    deflate->out_of = 0;
    deflate->in.length = 0;
    deflate->why = NULL;
    deflate->starved = false;
    return ps_avro_zlib_init(&deflate->zlib, level, err);
}

void ps_avro_deflate_fini(struct ps_avro_deflate *deflate)
{
    ps_avro_zlib_fini(&deflate->zlib);
}

static enum ps_tls_result broken(struct ps_avro_deflate *deflate, const char *why)
{
    deflate->why = why;
    return PS_TLS_ERROR;
}

/* A peer may send compressed blocks without a byte in them faster than they are inflated. After READS_MAX reads the call
 * ends as if the layer below were empty, so that the worker's other connections come between. */
enum ps_tls_result ps_avro_deflate_read(void *opened, void *buffer, size_t room, size_t *length)
{
    struct ps_avro_deflate *deflate = opened;
    *length = 0;
    for (unsigned reads = 0;; reads++) {
        if (deflate->in.length > 0 || deflate->filled) {
            if (!ps_avro_zlib_unpack(&deflate->zlib, &deflate->in, buffer, room, length))
                return broken(deflate,
                              "the bytes are not compressed: is compression-type the same at both ends?");
            deflate->filled = *length == room;
            if (*length > 0)
                return PS_TLS_OK;
        }
        if (reads == READS_MAX)
            return PS_TLS_WANT_READ;
        size_t received;
        enum ps_tls_result result = deflate->below.read(deflate->below.argument, deflate->in_bytes,
                                                        sizeof deflate->in_bytes, &received);
        if (result != PS_TLS_OK)
            return result;
        deflate->in = (struct ps_avro_zlib_input){deflate->in_bytes, received};
    }
}

enum ps_tls_result ps_avro_deflate_write(void *opened, const void *data, size_t length, size_t *written)
{
    struct ps_avro_deflate *deflate = opened;
    *written = 0;
    if (deflate->out.iov_len == 0) {
        struct iovec parts[2] = {{NULL, 0}, {(void *)(uintptr_t)data, length}};
        deflate->starved = !ps_avro_zlib_pack(&deflate->zlib, parts);
        if (deflate->starved)
            return broken(deflate, "no memory to compress");
        deflate->out = parts[0];
        deflate->out_of = length;
    }
    while (deflate->out.iov_len > 0) {
        size_t sent;
        enum ps_tls_result result =
            deflate->below.write(deflate->below.argument, deflate->out.iov_base, deflate->out.iov_len, &sent);
        if (result != PS_TLS_OK)
            return result;
        deflate->out.iov_base = (uint8_t *)deflate->out.iov_base + sent;
        deflate->out.iov_len -= sent;
    }
    *written = deflate->out_of;
    return PS_TLS_OK;
}

bool ps_avro_deflate_has_more(const struct ps_avro_deflate *deflate)
{
    return deflate->filled || deflate->in.length > 0;
}
