/* The compression codecs of Hadoop (org.apache.hadoop.io.compress), with Hadoop's default settings:
 *
 *   DefaultCodec, DeflateCodec   zlib streams (RFC 1950), level 6
 *   GzipCodec                    gzip members (RFC 1952), level 6
 *   BZip2Codec                   bzip2 streams, blocks of 900 kB
 *   ZStandardCodec               zstd frames, level 3
 *   Lz4Codec, SnappyCodec        BlockCompressorStream's framing of raw LZ4 and Snappy blocks, see ps_hadoop_pack
 *
 * Hadoop's readers accept a sequence of several streams as one file.
 *
 * Thread: any; a packer belongs to its owner. */
#pragma once

#include "stages/lib/byte_buffer.h"

enum ps_hadoop_codec {
    PS_HADOOP_CODEC_DEFAULT,
    PS_HADOOP_CODEC_DEFLATE,
    PS_HADOOP_CODEC_GZIP,
    PS_HADOOP_CODEC_BZIP2,
    PS_HADOOP_CODEC_LZ4,
    PS_HADOOP_CODEC_SNAPPY,
    PS_HADOOP_CODEC_ZSTANDARD,
    PS_HADOOP_CODECS
};

struct ps_hadoop_codec_facts {
    const char *simple_name; /* "GzipCodec" */
    const char
        *class_name; /* "org.apache.hadoop.io.compress.GzipCodec", as in the header of a SequenceFile */
    const char *
        extension; /* ".gz": getDefaultExtension(); Flume's sink adds it to names if hdfs.fileSuffix is not set */
};

extern const struct ps_hadoop_codec_facts ps_hadoop_codecs[PS_HADOOP_CODECS];

enum ps_hadoop_codec_found {
    PS_HADOOP_CODEC_FOUND,
    PS_HADOOP_CODEC_NONE, /* "None" in any case: Flume's name for no codec */
    /* LzoCodec and LzopCodec of a GPL library, which Flume finds through io.compression.codecs. */
    PS_HADOOP_CODEC_LZO,
    PS_HADOOP_CODEC_UNKNOWN,
};

/* Finds the codec like HDFSEventSink.codecMatches: by the full name of its class, or, case-insensitive, by its simple name with or
 * without "Codec": org.apache.hadoop.io.compress.GzipCodec, GzipCodec, gzip. Also accepts "zstd" and "bz2". */
enum ps_hadoop_codec_found ps_hadoop_codec_find(const char *name, enum ps_hadoop_codec *codec);

struct ps_packer; /* stages/lib/avro/codec/packer.h */

/* Returns NULL if there is no memory. */
struct ps_packer *ps_hadoop_packer_open(enum ps_hadoop_codec codec);

/* Appends all of these bytes, compressed, as one complete stream (member, frame) at whose end a reader can stop. LZ4 and Snappy: as blocks
 * of plain length (4 bytes, big endian), compressed length (the same), compressed bytes. A block has at most 261,100 (LZ4) or 218,421
 * (Snappy) plain bytes, which fit into Hadoop's buffers of 256 KiB even if they do not shrink. For no bytes appends an empty stream, or the
 * length 0, at which Hadoop's readers end. Returns false if there is no memory. */
bool ps_hadoop_pack(struct ps_packer *packer, enum ps_hadoop_codec codec, const void *bytes, size_t length,
                    struct ps_byte_buffer *packed);
