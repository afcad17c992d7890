/* Names of codecs. See codec.h. */
#include "stages/lib/hadoop/file/codec.h"

#include <string.h>
#include <strings.h>

#define PACKAGE "org.apache.hadoop.io.compress."

const struct ps_hadoop_codec_facts ps_hadoop_codecs[PS_HADOOP_CODECS] = {
    [PS_HADOOP_CODEC_DEFAULT] = {"DefaultCodec", PACKAGE "DefaultCodec", ".deflate"},
    [PS_HADOOP_CODEC_DEFLATE] = {"DeflateCodec", PACKAGE "DeflateCodec", ".deflate"},
    [PS_HADOOP_CODEC_GZIP] = {"GzipCodec", PACKAGE "GzipCodec", ".gz"},
    [PS_HADOOP_CODEC_BZIP2] = {"BZip2Codec", PACKAGE "BZip2Codec", ".bz2"},
    [PS_HADOOP_CODEC_LZ4] = {"Lz4Codec", PACKAGE "Lz4Codec", ".lz4"},
    [PS_HADOOP_CODEC_SNAPPY] = {"SnappyCodec", PACKAGE "SnappyCodec", ".snappy"},
    [PS_HADOOP_CODEC_ZSTANDARD] = {"ZStandardCodec", PACKAGE "ZStandardCodec", ".zst"},
};

static bool names_class(const char *name, const char *class_name, const char *simple_name)
{
    size_t prefix = strlen(simple_name) - strlen("Codec");
    return strcmp(name, class_name) == 0 || strcasecmp(name, simple_name) == 0 ||
           (strlen(name) == prefix && strncasecmp(name, simple_name, prefix) == 0);
}

enum ps_hadoop_codec_found ps_hadoop_codec_find(const char *name, enum ps_hadoop_codec *codec)
{
    for (unsigned i = 0; i < PS_HADOOP_CODECS; i++) {
        if (!names_class(name, ps_hadoop_codecs[i].class_name, ps_hadoop_codecs[i].simple_name))
            continue;
        *codec = (enum ps_hadoop_codec)i;
        return PS_HADOOP_CODEC_FOUND;
    }
    if (strcasecmp(name, "zstd") == 0)
        return *codec = PS_HADOOP_CODEC_ZSTANDARD, PS_HADOOP_CODEC_FOUND;
    if (strcasecmp(name, "bz2") == 0)
        return *codec = PS_HADOOP_CODEC_BZIP2, PS_HADOOP_CODEC_FOUND;
    if (strcasecmp(name, "None") == 0)
        return PS_HADOOP_CODEC_NONE;
    if (names_class(name, "com.hadoop.compression.lzo.LzoCodec", "LzoCodec") ||
        names_class(name, "com.hadoop.compression.lzo.LzopCodec", "LzopCodec"))
        return PS_HADOOP_CODEC_LZO;
    return PS_HADOOP_CODEC_UNKNOWN;
}
