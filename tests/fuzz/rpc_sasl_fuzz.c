/* The answers of a namenode during the SASL exchange, and after it. */
#include "stages/lib/hadoop/rpc/sasl.h"
#include "tests/support/transport_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct ps_hadoop_rpc_sasl settings = {.token_name = "name",
                                                       .token_secret = "secret",
                                                       .protection = PS_SASL_STRONGEST,
                                                       .may_be_simple = true};
    ps_test_transport_fuzz(&ps_hadoop_rpc_sasl_transport, &settings, data, size);
    return 0;
}
