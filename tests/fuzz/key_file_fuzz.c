/* The bytes of a key file: a key of one of AES's lengths, or an error that does not contain the bytes. */
#include <stdint.h>
#include <string.h>

#include "stages/lib/encryption/key/file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t key[PS_KEY_BYTES_MAX];
    struct ps_err err = {0};
    if (size > PS_KEY_FILE_BYTES_MAX)
        return 0;
    size_t length = ps_key_file_parse(data, size, key, &err);
    PS_ASSERT(length == 0 || length == 16 || length == 24 || length == 32);
    PS_ASSERT((length == 0) == (err.length > 0));
    PS_ASSERT(length > 0 || size < 24 || memmem(err.text, err.length, data, size) == NULL);
    return 0;
}
