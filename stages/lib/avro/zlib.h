/* Compression of an Avro connection: one zlib stream each way for as long as the connection is open, flushed
 * after each message (ZlibEncoder and ZlibDecoder of Netty, as Flume's compression-type=deflate puts them
 * below the framing). The stream of level 0 is one, too: its blocks are stored.
 *
 * Thread: the connection's owner. */
#pragma once

#include "core/status.h"

#include <sys/uio.h>
#include <zlib.h>

#define PS_AVRO_ZLIB_NONE (-1) /* the level at which bytes pass unchanged */
/* The level that compresses with little memory, for a server with many connections and short answers. It decompresses
 * anything. */
#define PS_AVRO_ZLIB_SMALL (-2)

struct ps_avro_zlib {
    bool packs; /* false: bytes pass unchanged */
    z_stream deflater, inflater;
    uint8_t *packed; /* a message, compressed; grows */
    size_t packed_room;
};

/* `level`: 0 to 9, or one of these. */
enum ps_status ps_avro_zlib_init(struct ps_avro_zlib *zlib, int level, struct ps_err *err);
/* For another connection. */
void ps_avro_zlib_reset(struct ps_avro_zlib *zlib);
void ps_avro_zlib_fini(struct ps_avro_zlib *zlib);

/* Compresses the two parts of a message, of which the first may be empty, and replaces them: parts[0] has all of it, until the next call, and
 * parts[1] is empty. Returns false if there is no memory. */
bool ps_avro_zlib_pack(struct ps_avro_zlib *zlib, struct iovec *parts);

/* Received bytes. */
struct ps_avro_zlib_input {
    uint8_t *data;
    size_t length;
};
/* Decompresses into the room of `to`, removes the used bytes from `input`, and adds the written bytes to
 * `*length`. Bytes after the end of the compressed stream are dropped. Returns false when the bytes are not
 * a zlib stream. */
bool ps_avro_zlib_unpack(struct ps_avro_zlib *zlib, struct ps_avro_zlib_input *input, uint8_t *to,
                         size_t room, size_t *length);
