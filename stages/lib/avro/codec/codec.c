/* The codecs' names. See codec.h. */
#include "stages/lib/avro/codec/codec.h"

#include <string.h>

const char *const ps_avro_codec_names[PS_AVRO_CODECS] = {"null",  "deflate", "snappy",
                                                         "bzip2", "xz",      "zstandard"};

bool ps_avro_codec_find(const char *name, size_t length, enum ps_avro_codec *codec)
{
    for (unsigned i = 0; i < PS_AVRO_CODECS; i++) {
        if (length != strlen(ps_avro_codec_names[i]) || memcmp(name, ps_avro_codec_names[i], length) != 0)
            continue;
        *codec = (enum ps_avro_codec)i;
        return true;
    }
    return false;
}
