/* Challenges of a DIGEST-MD5 server, and messages after them. The first byte is the length of the first challenge. */
#include "stages/lib/sasl/digest_md5/digest_md5.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct ps_digest_md5_settings settings = {.name = "name",
                                                           .secret = "secret",
                                                           .service = "hdfs",
                                                           .host = "0",
                                                           .protection = PS_SASL_STRONGEST,
                                                           .cnonce = "cnonce"};
    struct ps_sasl_token reply;
    size_t length = size > 0 ? data[0] : 0;
    if (size == 0 || length > size - 1)
        return 0;
    struct ps_sasl *sasl = ps_digest_md5_open(&settings);
    enum ps_sasl_result result = ps_sasl_step(sasl, data + 1, length, &reply);
    PS_ASSERT(result != PS_SASL_DONE); /* the server has not shown that it knows the secret */
    PS_ASSERT((result == PS_SASL_FAILED) == (reply.length == 0));
    PS_ASSERT(memchr(sasl->reason, 0, sizeof sasl->reason) != NULL);
    ps_sasl_token_free(&reply);
    if (result == PS_SASL_MORE) {
        result = ps_sasl_step(sasl, data + 1 + length, size - 1 - length, &reply);
        PS_ASSERT(result != PS_SASL_MORE && reply.length == 0);
    }
    ps_sasl_close(sasl);
    return 0;
}
