/* The answers of a datanode during the SASL exchange, and after it. */
#include "stages/lib/hadoop/transfer/sasl.h"
#include "tests/support/transport_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct ps_transfer_sasl settings = {
        .name = "name", .secret = "secret", .protection = PS_SASL_STRONGEST, .aes = true};
    ps_test_transport_fuzz(&ps_transfer_sasl_transport, &settings, data, size);
    return 0;
}
