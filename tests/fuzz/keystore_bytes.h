/* Arbitrary bytes as a key store, read by the function that the product calls: they are a file in memory. */
#pragma once

#include "stages/lib/keystore/keystore.h"

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

/* Reads the bytes with this request, and what can be printed of them; then forgets them. */
static inline void read_keystore_bytes(const uint8_t *data, size_t size, struct ps_keystore_request request)
{
    char path[64];
    int fd = memfd_create("store", MFD_CLOEXEC);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    PS_ASSERT(fd >= 0 && write(fd, data, size) == (ssize_t)size);
    request.path = path;
    request.path_key = "keystore", request.password_key = "password";
    struct ps_err err = {.length = 0};
    struct ps_keystore *store = NULL;
    enum ps_status status = ps_keystore_open(&store, &request, &err);
    PS_ASSERT((status == PS_OK) == (err.length == 0));
    if (status == PS_OK && store->key_count > 0) {
        ps_keystore_wipe(ps_keystore_key_pem(&store->keys[0]));
        ps_keystore_wipe(ps_keystore_certificates_pem(store->keys[0].chain));
    }
    if (status == PS_OK)
        ps_keystore_close(store);
    close(fd);
}
