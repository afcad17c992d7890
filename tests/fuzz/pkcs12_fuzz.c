/* The PKCS12 reader on arbitrary bytes: without a password, so that altered stores are read in spite of
 * their MAC, and with one. */
#include "stages/lib/keystore/internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    for (unsigned round = 0; round < 2; round++) {
        struct ps_keystore_input input = {.data = data,
                                          .length = size,
                                          .key_password = "changeit",
                                          .password = round == 1 ? "changeit" : NULL};
        struct ps_err err = {.length = 0};
        struct ps_keystore *store = ps_keystore_create();
        (void)ps_keystore_pkcs12(store, &input, &err);
        ps_keystore_close(store);
    }
    return 0;
}
