/* The standard input of `penstock rules compile`. A request that is accepted and written again has the
 * same bytes. */
#include <string.h>

#include "regex/compile/compiler.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
    struct ps_compile_request request;
    if (length > 100000 || ps_compile_request_read(data, length, &request, NULL) != PS_OK)
        return 0;
    struct ps_bytes key = {0}, again = {0};
    ps_compile_key_write(&key, request.expressions, request.count);
    ps_compile_request_write(&again, &request.limits, &key);
    PS_ASSERT(again.length == length);
    /* `idle` is read as any number other than 0, and written as 1. */
    PS_ASSERT(memcmp(again.data, data, 24) == 0 && memcmp(again.data + 28, data + 28, length - 28) == 0);
    ps_bytes_fini(&key);
    ps_bytes_fini(&again);
    ps_compile_request_fini(&request);
    return 0;
}
