/* The JKS reader on arbitrary bytes: without a password (no integrity check, so that the entries of
 * altered stores are read), with one, and as a trust store. */
#include "stages/lib/keystore/internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    for (unsigned round = 0; round < 3; round++) {
        struct ps_keystore_input input = {
            .data = data, .length = size, .key_password = "changeit", .trust_only = round == 2};
        struct ps_err err = {.length = 0};
        if (round == 1)
            input.password = "changeit";
        struct ps_keystore *store = ps_keystore_create();
        enum ps_status status = ps_keystore_jks(store, &input, &err);
        if (status == PS_OK && store->key_count > 0)
            ps_keystore_wipe(ps_keystore_certificates_pem(store->keys[0].chain));
        ps_keystore_close(store);
    }
    return 0;
}
