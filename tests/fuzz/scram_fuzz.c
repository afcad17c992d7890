/* Messages of a SCRAM server. The first byte is the length of the first message. */
#include "stages/lib/sasl/password.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct ps_password_settings settings = {
        .name = "user", .password = "pencil", .nonce = "rOprNGfwEbeRWgbNEkqO"};
    struct ps_sasl_token reply;
    size_t length = size > 0 ? data[0] : 0;
    if (size == 0 || length > size - 1)
        return 0;
    struct ps_sasl *sasl = ps_password_open("SCRAM-SHA-256", &settings);
    PS_ASSERT(sasl != NULL && ps_sasl_step(sasl, "", 0, &reply) == PS_SASL_MORE);
    ps_sasl_token_free(&reply);
    enum ps_sasl_result result = ps_sasl_step(sasl, data + 1, length, &reply);
    PS_ASSERT(result != PS_SASL_DONE); /* the server has not shown that it knows the password */
    PS_ASSERT((result == PS_SASL_FAILED) == (reply.length == 0));
    ps_sasl_token_free(&reply);
    if (result == PS_SASL_MORE) {
        result = ps_sasl_step(sasl, data + 1 + length, size - 1 - length, &reply);
        PS_ASSERT(result != PS_SASL_MORE && reply.length == 0);
    }
    PS_ASSERT(memchr(sasl->reason, 0, sizeof sasl->reason) != NULL);
    ps_sasl_close(sasl);
    return 0;
}
