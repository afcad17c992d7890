#include "stages/lib/flume_log/cipher.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#define STREAM_STEP_BYTES ((size_t)1 << 16)

struct ps_flume_cipher {
    EVP_CIPHER_CTX *context; /* has produced the first `length` bytes of the key stream */
    uint8_t *stream;         /* the key stream, kept for all records */
    size_t length;
};

static const EVP_CIPHER *cipher_of(const struct ps_key *key)
{
    return key->length == 16 ? EVP_aes_128_ctr() : key->length == 24 ? EVP_aes_192_ctr() : EVP_aes_256_ctr();
}

struct ps_flume_cipher *ps_flume_cipher_create(const struct ps_key *key,
                                               const uint8_t block[PS_FLUME_CIPHER_BLOCK_BYTES])
{
    struct ps_flume_cipher *cipher = ps_must_alloc(1, sizeof *cipher, "a cipher of Flume");
    cipher->context = EVP_CIPHER_CTX_new();
    if (cipher->context != NULL &&
        EVP_EncryptInit_ex(cipher->context, cipher_of(key), NULL, key->bytes, block) == 1)
        return cipher;
    ps_flume_cipher_destroy(cipher);
    return NULL;
}

void ps_flume_cipher_destroy(struct ps_flume_cipher *cipher)
{
    if (cipher == NULL)
        return;
    EVP_CIPHER_CTX_free(cipher->context);
    if (cipher->stream != NULL)
        OPENSSL_cleanse(cipher->stream, cipher->length);
    free(cipher->stream);
    free(cipher);
}

/* Extends the key stream: counter mode combines it with the text by XOR, so the key stream is the encryption of
 * zeros. */
static bool extend(struct ps_flume_cipher *cipher, size_t length)
{
    static const uint8_t zeros[STREAM_STEP_BYTES];
    size_t least = length > 2 * cipher->length ? length : 2 * cipher->length;
    size_t room = (least + STREAM_STEP_BYTES - 1) / STREAM_STEP_BYTES * STREAM_STEP_BYTES;
    uint8_t *stream = ps_must_alloc(1, room, "the stream of a cipher");
    if (cipher->stream != NULL) {
        memcpy(stream, cipher->stream, cipher->length);
        OPENSSL_cleanse(cipher->stream, cipher->length);
        free(cipher->stream);
    }
    cipher->stream = stream;
    for (int made; cipher->length < room; cipher->length += STREAM_STEP_BYTES)
        if (EVP_EncryptUpdate(cipher->context, stream + cipher->length, &made, zeros, STREAM_STEP_BYTES) != 1)
            return false;
    return true;
}

bool ps_flume_cipher_decrypt(struct ps_flume_cipher *cipher, const uint8_t *from, size_t length, uint8_t *to)
{
    if (length > cipher->length && !extend(cipher, length))
        return false;
    for (size_t i = 0; i < length; i++)
        to[i] = from[i] ^ cipher->stream[i];
    return true;
}
