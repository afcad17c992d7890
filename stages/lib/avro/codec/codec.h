/* The codecs of Avro container files (Avro 1.11 specification, "Required Codecs" and "Optional Codecs"): each block of records is
 * compressed as a whole, with the settings of Java's CodecFactory.fromString. deflate is raw (RFC 1951), snappy is followed by
 * the CRC-32 of the plain bytes, big endian; bzip2, xz and zstandard are files of these formats.
 *
 * Thread: the owner's. */
#pragma once

#include "core/status.h"
#include "stages/lib/byte_buffer.h"

enum ps_avro_codec {
    PS_AVRO_CODEC_NULL,
    PS_AVRO_CODEC_DEFLATE,
    PS_AVRO_CODEC_SNAPPY,
    PS_AVRO_CODEC_BZIP2,
    PS_AVRO_CODEC_XZ,
    PS_AVRO_CODEC_ZSTANDARD,
    PS_AVRO_CODECS
};

/* Returns the codec's name: "null", "deflate", ... */
extern const char *const ps_avro_codec_names[PS_AVRO_CODECS];

/* Finds a codec by name; case matters, as in Java. Returns false when there is none. */
bool ps_avro_codec_find(const char *name, size_t length, enum ps_avro_codec *codec);

/* A growing output: `grow` makes room for this many bytes, keeps the contents and sets `data` and `room`. It
 * returns false when there is no memory at present. */
struct ps_avro_plain {
    char *data;
    size_t length, room;
    size_t length_max;
    bool (*grow)(struct ps_avro_plain *plain, size_t room);
    void *owner;
};

struct ps_packer; /* stages/lib/avro/codec/packer.h */

/* Returns NULL when there is no memory. Not for the null codec, whose blocks are not compressed. */
struct ps_packer *ps_avro_packer_open(enum ps_avro_codec codec);
/* Appends the compressed block. Returns false when there is no memory. */
bool ps_avro_pack(struct ps_packer *packer, enum ps_avro_codec codec, const char *data, size_t length,
                  struct ps_byte_buffer *packed);

enum ps_avro_unpacked {
    PS_AVRO_UNPACKED,
    PS_AVRO_UNPACK_LATER,    /* `grow` had no memory: repeat the call with the same block */
    PS_AVRO_UNPACK_LONG,     /* more than length_max plain bytes, or a need for more memory than that */
    PS_AVRO_UNPACK_DAMAGED,  /* the block is damaged */
    PS_AVRO_UNPACK_CHECKSUM, /* the block decompresses, but its checksum is wrong */
};

/* Decompressors for all codecs, each made at its first use. {0}: none yet. */
struct ps_avro_unpacker {
    void *deflate, *zstandard, *xz;
};
void ps_avro_unpacker_close(struct ps_avro_unpacker *unpacker);

/* Decompresses a block into `plain`, which is cut to 0 first. Not for the null codec. Memory for what a hostile block claims to
 * need is bounded by length_max. */
enum ps_avro_unpacked ps_avro_unpack(struct ps_avro_unpacker *unpacker, enum ps_avro_codec codec,
                                     const uint8_t *data, size_t length, struct ps_avro_plain *plain);
