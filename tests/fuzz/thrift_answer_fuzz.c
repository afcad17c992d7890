/* Answers of Thrift servers, as a client reads them. */
#include "stages/lib/thrift/rpc.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *bytes = malloc(size + 1), *at = bytes, *end = bytes + size;
    PS_ASSERT(bytes != NULL);
    if (size > 0)
        memcpy(bytes, data, size);
    for (;;) {
        struct ps_rpc_answer answer;
        size_t taken = 0;
        enum ps_rpc_arrival arrival =
            ps_thrift_rpc_compact.read_answer(at, (size_t)(end - at), true, NULL, &answer, &taken);
        PS_ASSERT(memchr(answer.error, 0, sizeof answer.error) != NULL);
        if (arrival != PS_RPC_ANSWER)
            break;
        PS_ASSERT(taken > 4 && taken <= (size_t)(end - at));
        at += taken;
    }
    free(bytes);
    return 0;
}
