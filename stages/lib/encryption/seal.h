/* AES-GCM (NIST SP 800-38D) with a key of its own for each file: HKDF with SHA-256 (RFC 5869) derives the key from a secret
 * key, 32 random bytes and the identity of the file. A position in the file is therefore a nonce that no other message of
 * this key has. docs/decisions/0030-segment-keys.md.
 *
 * Thread: any with a sealer of its own; a seal is constant after it is made. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "stages/lib/encryption/key/ring.h"

#define PS_SEAL_SALT_BYTES 32U
#define PS_SEAL_TAG_BYTES 16U

/* The key of one file. */
struct ps_seal;

/* Fills `salt` for a new file. Returns false if the system has no random numbers. */
bool ps_seal_draw(uint8_t salt[PS_SEAL_SALT_BYTES]);
/* `identity` is further data for the derivation of the key. */
struct ps_seal *ps_seal_create(const struct ps_key *key, const uint8_t salt[PS_SEAL_SALT_BYTES],
                               const void *identity, size_t length);
/* Overwrites the key. NULL is allowed. */
void ps_seal_destroy(struct ps_seal *seal);

/* The cipher context of one thread. A zeroed one is ready. */
struct ps_sealer {
    void *context;
    uint8_t key[PS_KEY_BYTES_MAX]; /* the key that the context has now */
    size_t key_length;
};
/* Overwrites the context's copy of the key. */
void ps_sealer_fini(struct ps_sealer *sealer);

/* One message. */
struct ps_sealed {
    uint64_t nonce;       /* the nonce: its place in the file; used once with each seal */
    const void *bound[2]; /* authenticated, not encrypted */
    size_t bound_lengths[2];
    const void *from;
    size_t length;
};
#define PS_SEAL_NONCE_HEAD UINT64_MAX /* tag of the file's head */

/* Writes sealed->length bytes to `to`, and the tag. Returns false if OpenSSL fails (no memory). */
bool ps_seal_close(struct ps_sealer *sealer, const struct ps_seal *seal, const struct ps_sealed *sealed,
                   void *to, uint8_t tag[PS_SEAL_TAG_BYTES]);
/* Writes sealed->length bytes to `to`, which may be sealed->from. Returns false if the message was changed or the
 * key is a different one; the bytes in `to` are then invalid. */
bool ps_seal_open(struct ps_sealer *sealer, const struct ps_seal *seal, const struct ps_sealed *sealed,
                  void *to, const uint8_t tag[PS_SEAL_TAG_BYTES]);
