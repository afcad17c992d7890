/* See zlib.h. */
#include "stages/lib/avro/zlib.h"

#include <stdlib.h>
#include <string.h>

#define FLUSH_BYTES 64U /* maximum number of bytes that a flush adds */
#define MEMORY_LEVEL 8  /* zlib's default */

#define SMALL_LEVEL 1
#define SMALL_WINDOW_BITS 9
#define SMALL_MEMORY_LEVEL 1

enum ps_status ps_avro_zlib_init(struct ps_avro_zlib *zlib, int level, struct ps_err *err)
{
    bool small = level == PS_AVRO_ZLIB_SMALL;
    *zlib = (struct ps_avro_zlib){.packs = false};
    if (level == PS_AVRO_ZLIB_NONE)
        return PS_OK;
    if (deflateInit2(&zlib->deflater, small ? SMALL_LEVEL : level, Z_DEFLATED,
                     small ? SMALL_WINDOW_BITS : MAX_WBITS, small ? SMALL_MEMORY_LEVEL : MEMORY_LEVEL,
                     Z_DEFAULT_STRATEGY) != Z_OK)
        return ps_err_set(err, "no memory to compress");
    if (inflateInit(&zlib->inflater) != Z_OK) {
        deflateEnd(&zlib->deflater);
        return ps_err_set(err, "no memory to decompress");
    }
    zlib->packs = true;
    return PS_OK;
}

void ps_avro_zlib_reset(struct ps_avro_zlib *zlib)
{
    if (!zlib->packs)
        return;
    deflateReset(&zlib->deflater);
    inflateReset(&zlib->inflater);
}

void ps_avro_zlib_fini(struct ps_avro_zlib *zlib)
{
    free(zlib->packed);
    zlib->packed = NULL;
    if (!zlib->packs)
        return;
    deflateEnd(&zlib->deflater);
    inflateEnd(&zlib->inflater);
    zlib->packs = false;
}

static bool deflate_part(z_stream *deflater, const struct iovec *part, int flush)
{
    deflater->next_in = part->iov_base;
    deflater->avail_in = (uInt)part->iov_len;
    return deflate(deflater, flush) == Z_OK && deflater->avail_in == 0 && deflater->avail_out > 0;
}

bool ps_avro_zlib_pack(struct ps_avro_zlib *zlib, struct iovec *parts)
{
    z_stream *deflater = &zlib->deflater;
    if (!zlib->packs)
        return true;
    size_t wanted = deflateBound(deflater, parts[0].iov_len + parts[1].iov_len) + FLUSH_BYTES;
    if (wanted > zlib->packed_room) {
        uint8_t *packed = realloc(zlib->packed, wanted);
        if (packed == NULL)
            return false;
        zlib->packed = packed;
        zlib->packed_room = wanted;
    }
    deflater->next_out = zlib->packed;
    deflater->avail_out = (uInt)zlib->packed_room;
    bool good = (parts[0].iov_len == 0 || deflate_part(deflater, &parts[0], Z_NO_FLUSH)) &&
                deflate_part(deflater, &parts[1], Z_SYNC_FLUSH);
    parts[0] = (struct iovec){zlib->packed, zlib->packed_room - deflater->avail_out};
    parts[1] = (struct iovec){zlib->packed, 0};
    return good;
}

bool ps_avro_zlib_unpack(struct ps_avro_zlib *zlib, struct ps_avro_zlib_input *input, uint8_t *to,
                         size_t room, size_t *length)
{
    z_stream *inflater = &zlib->inflater;
    if (!zlib->packs) {
        size_t copied = input->length < room ? input->length : room;
        memcpy(to, input->data, copied);
        input->data += copied;
        input->length -= copied;
        *length += copied;
        return true;
    }
    inflater->next_in = input->data;
    inflater->avail_in = (uInt)input->length;
    inflater->next_out = to;
    inflater->avail_out = (uInt)room;
    int result = inflate(inflater, Z_SYNC_FLUSH);
    input->data = inflater->next_in;
    input->length = inflater->avail_in;
    *length += room - inflater->avail_out;
    if (result == Z_STREAM_END)
        input->length = 0;
    return result == Z_OK || result == Z_BUF_ERROR || result == Z_STREAM_END;
}
