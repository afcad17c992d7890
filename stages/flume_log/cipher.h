/* The cipher of an encrypted log of Flume's file channel, AESCTRNOPADDING: AES in counter mode (NIST SP 800-38A, 6.5), with the
 * first counter block in log-N.meta. Flume begins with that block again for each record, so all records of a log are
 * combined with the same stream of bytes. Nothing tells a wrong key from the right one but what comes out.
 * Thread: the owner's. */
#pragma once

#include "stages/encryption/key_ring.h"

#define PS_FLUME_CIPHER_NAME "AESCTRNOPADDING"
#define PS_FLUME_CIPHER_BLOCK_BYTES 16U

struct ps_flume_cipher;

/* Copies the key and the first counter block. Returns NULL if OpenSSL does not work (no memory). */
struct ps_flume_cipher *ps_flume_cipher_create(const struct ps_key *key,
                                               const uint8_t block[PS_FLUME_CIPHER_BLOCK_BYTES]);
/* Overwrites the key and the stream. NULL is allowed. */
void ps_flume_cipher_destroy(struct ps_flume_cipher *cipher);
/* Decrypts the first `length` bytes of a record into `to`, which may be `from`. Returns false if OpenSSL does not work. */
bool ps_flume_cipher_decrypt(struct ps_flume_cipher *cipher, const uint8_t *from, size_t length, uint8_t *to);
