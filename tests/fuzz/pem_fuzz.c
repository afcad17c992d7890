/* The PEM reader on arbitrary bytes, as a key store and as a trust store. */
#include "tests/fuzz/keystore_bytes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    read_keystore_bytes(data, size, (struct ps_keystore_request){.trust_only = false});
    read_keystore_bytes(data, size, (struct ps_keystore_request){.trust_only = true});
    return 0;
}
