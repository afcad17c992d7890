/* The positions file of a spooling directory: any bytes. Input: where the last part of the file begins (1 byte, in 256ths), then
 * the file. */
#include "stages/lib/spool/meta.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ps_spool_meta meta;
    struct ps_err err = {.length = 0};
    if (size == 0)
        return 0;
    size_t tail = (size - 1) * data[0] / 256;
    data++;
    size--;
    if (ps_spool_meta_parse(data, size, data + tail, size - tail, &meta, &err) == PS_SPOOL_META_READ)
        PS_ASSERT(meta.target != NULL && strlen(meta.target) <= size);
    ps_spool_meta_fini(&meta);
    return 0;
}
