/* The secret keys of a channel: a name and 16, 24 or 32 bytes each. The bytes are overwritten before their
 * memory is freed, and never appear in a message. Thread: the owner's while keys are added; any that reads
 * afterwards. */
#pragma once

#include "core/status.h"

#define PS_KEY_BYTES_MAX 32U
#define PS_KEY_NAME_BYTES_MAX 128U

struct ps_key {
    char name[PS_KEY_NAME_BYTES_MAX + 1];
    uint8_t bytes[PS_KEY_BYTES_MAX];
    size_t length; /* 16, 24 or 32: AES-128, AES-192, AES-256 */
};

struct ps_key_ring;

struct ps_key_ring *ps_key_ring_create(void);
/* Overwrites the keys. NULL is allowed. */
void ps_key_ring_destroy(struct ps_key_ring *ring);
/* Copies the key. Fails if the name is empty, too long or already in the ring, or the length is not one of
 * AES. */
enum ps_status ps_key_ring_add(struct ps_key_ring *ring, const char *name, const uint8_t *bytes,
                               size_t length, struct ps_err *err);
/* Returns the key with this name, which the ring keeps, or NULL. `ring` may be NULL. */
const struct ps_key *ps_key_ring_find(const struct ps_key_ring *ring, const char *name);
