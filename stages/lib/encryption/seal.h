/* AES-GCM (NIST SP 800-38D) with a key of its own for each file: the key is derived from a secret key, 32 random bytes and what
 * identifies the file, by HKDF with SHA-256 (RFC 5869). So a place in the file is a nonce that no other message of this key has.
 * docs/decisions/0030-a-key-for-each-segment.md.
 *
 * Thread: any that has a sealer of its own; a seal is not changed after it was made. */
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
/* `identity`: what else the key depends on. */
struct ps_seal *ps_seal_create(const struct ps_key *key, const uint8_t salt[PS_SEAL_SALT_BYTES],
                               const void *identity, size_t length);
/* Overwrites the key. NULL is allowed. */
void ps_seal_destroy(struct ps_seal *seal);

/* What one thread needs to work with seals. One that is zero is ready. */
struct ps_sealer {
    void *context;
    uint8_t key[PS_KEY_BYTES_MAX]; /* that the context has */
    size_t key_length;
};
/* Overwrites what it has of a key. */
void ps_sealer_fini(struct ps_sealer *sealer);

/* One message. */
struct ps_sealed {
    uint64_t nonce;       /* its place in the file; once with each seal */
    const void *bound[2]; /* what is not encrypted and cannot be changed */
    size_t bound_lengths[2];
    const void *from;
    size_t length;
};
#define PS_SEAL_NONCE_HEAD UINT64_MAX /* that of the file's head */

/* Writes sealed->length bytes to `to`, and the tag. Returns false if OpenSSL does not work (no memory). */
bool ps_seal_close(struct ps_sealer *sealer, const struct ps_seal *seal, const struct ps_sealed *sealed,
                   void *to, uint8_t tag[PS_SEAL_TAG_BYTES]);
/* Writes sealed->length bytes to `to`, which may be sealed->from. Returns false if anything was changed, or the key is another
 * one: then nothing in `to` is of use. */
bool ps_seal_open(struct ps_sealer *sealer, const struct ps_seal *seal, const struct ps_sealed *sealed,
                  void *to, const uint8_t tag[PS_SEAL_TAG_BYTES]);
