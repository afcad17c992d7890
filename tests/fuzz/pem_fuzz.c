/* The PEM reader on arbitrary bytes, as a key store and as a trust store. */
#include "stages/lib/keystore/internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    for (unsigned round = 0; round < 2; round++) {
        struct ps_keystore_input input = {.data = data, .length = size, .trust_only = round == 1};
        struct ps_err err = {.length = 0};
        struct ps_keystore *store = ps_keystore_create();
        (void)ps_keystore_pem(store, &input, &err);
        if (store->key_count > 0)
            ps_keystore_wipe(ps_keystore_key_pem(&store->keys[0]));
        ps_keystore_close(store);
    }
    return 0;
}
