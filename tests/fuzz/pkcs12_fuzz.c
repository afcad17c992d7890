/* The PKCS12 reader on arbitrary bytes: without a password, so that altered stores are read in spite of
 * their MAC, and with one. */
#include "tests/fuzz/keystore_bytes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    read_keystore_bytes(data, size, (struct ps_keystore_request){.key_password = "changeit"});
    read_keystore_bytes(data, size, (struct ps_keystore_request){.password = "changeit"});
    return 0;
}
