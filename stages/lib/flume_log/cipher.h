/* The cipher AESCTRNOPADDING of an encrypted log of Flume's file channel: AES in counter mode (NIST SP 800-38A, 6.5). The first
 * counter block is in log-N.meta. Flume starts with that block again for each record, so all records of a log are combined with
 * the same key stream. A wrong key is only noticed by the result of decryption.
 *
 * Thread: the owner's. */
#pragma once

#include "stages/lib/encryption/key/ring.h"

#define PS_FLUME_CIPHER_NAME "AESCTRNOPADDING"
#define PS_FLUME_CIPHER_BLOCK_BYTES 16U

struct ps_flume_cipher;

/* Copies the key and the first counter block. Returns NULL if OpenSSL fails (no memory). */
struct ps_flume_cipher *ps_flume_cipher_create(const struct ps_key *key,
                                               const uint8_t block[PS_FLUME_CIPHER_BLOCK_BYTES]);
/* Overwrites the key and the key stream. NULL is allowed. */
void ps_flume_cipher_destroy(struct ps_flume_cipher *cipher);
/* Decrypts the first `length` bytes of a record to `to`, which may be `from`. Returns false if OpenSSL fails. */
bool ps_flume_cipher_decrypt(struct ps_flume_cipher *cipher, const uint8_t *from, size_t length, uint8_t *to);
