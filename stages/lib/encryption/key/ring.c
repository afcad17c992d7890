#include "stages/lib/encryption/key/ring.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

struct ps_key_ring {
    struct ps_key **keys; /* each allocated alone, because growing an array would leave copies behind */
    size_t count;
};

struct ps_key_ring *ps_key_ring_create(void)
{
    return ps_must_alloc(1, sizeof(struct ps_key_ring), "keys");
}

void ps_key_ring_destroy(struct ps_key_ring *ring)
{
    if (ring == NULL)
        return;
    for (size_t i = 0; i < ring->count; i++) {
        OPENSSL_cleanse(ring->keys[i], sizeof *ring->keys[i]);
        free(ring->keys[i]);
    }
    free((void *)ring->keys);
    free(ring);
}

enum ps_status ps_key_ring_add(struct ps_key_ring *ring, const char *name, const uint8_t *bytes,
                               size_t length, struct ps_err *err)
{
    size_t name_length = strlen(name);
    if (name_length == 0 || name_length > PS_KEY_NAME_BYTES_MAX)
        return ps_err_set(err, "the name of a key has 1 to %u bytes, not %zu", PS_KEY_NAME_BYTES_MAX,
                          name_length);
    if (ps_key_ring_find(ring, name) != NULL)
        return ps_err_set(err, "key %s is named twice", name);
    if (length != 16 && length != 24 && length != PS_KEY_BYTES_MAX)
        return ps_err_set(err, "key %s has %zu bytes; a key of AES has 16, 24 or 32", name, length);
    ring->keys =
        (struct ps_key **)ps_must_realloc((void *)ring->keys, (ring->count + 1) * sizeof *ring->keys, "keys");
    struct ps_key *key = ps_must_alloc(1, sizeof *key, "keys");
    memcpy(key->name, name, name_length);
    memcpy(key->bytes, bytes, length);
    key->length = length;
    ring->keys[ring->count++] = key;
    return PS_OK;
}

const struct ps_key *ps_key_ring_find(const struct ps_key_ring *ring, const char *name)
{
    for (size_t i = 0; ring != NULL && i < ring->count; i++)
        if (strcmp(ring->keys[i]->name, name) == 0)
            return ring->keys[i];
    return NULL;
}
