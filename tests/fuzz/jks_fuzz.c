/* The JKS reader on arbitrary bytes: without a password (no integrity check, so that the entries of
 * altered stores are read), with one, and as a trust store. */
#include "tests/fuzz/keystore_bytes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    read_keystore_bytes(data, size, (struct ps_keystore_request){.key_password = "changeit"});
    read_keystore_bytes(data, size, (struct ps_keystore_request){.password = "changeit"});
    read_keystore_bytes(data, size, (struct ps_keystore_request){.trust_only = true});
    return 0;
}
