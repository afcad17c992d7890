#include "stages/lib/encryption/seal.h"

#include <endian.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

#define NONCE_BYTES 12U
#define HASH_BYTES 32U

struct ps_seal {
    uint8_t key[PS_KEY_BYTES_MAX];
    size_t length;
};

bool ps_seal_draw(uint8_t salt[PS_SEAL_SALT_BYTES])
{
    return RAND_bytes(salt, PS_SEAL_SALT_BYTES) == 1;
}

/* ---- the key ---- */

/* HKDF-Extract, and the first block of HKDF-Expand. */
struct ps_seal *ps_seal_create(const struct ps_key *key, const uint8_t salt[PS_SEAL_SALT_BYTES],
                               const void *identity, size_t length)
{
    struct ps_seal *seal = ps_must_alloc(1, sizeof *seal, "a key");
    uint8_t extracted[HASH_BYTES], block[HASH_BYTES], info[257];
    PS_ASSERT(length < sizeof info);
    memcpy(info, identity, length);
    info[length] = 1;
    bool good =
        HMAC(EVP_sha256(), salt, PS_SEAL_SALT_BYTES, key->bytes, key->length, extracted, NULL) != NULL &&
        HMAC(EVP_sha256(), extracted, HASH_BYTES, info, length + 1, block, NULL) != NULL;
    if (!good)
        ps_out_of_memory(sizeof *seal, "a key");
    memcpy(seal->key, block, key->length);
    seal->length = key->length;
    OPENSSL_cleanse(extracted, sizeof extracted);
    OPENSSL_cleanse(block, sizeof block);
    return seal;
}

void ps_seal_destroy(struct ps_seal *seal)
{
    if (seal == NULL)
        return;
    OPENSSL_cleanse(seal, sizeof *seal);
    free(seal);
}

void ps_sealer_fini(struct ps_sealer *sealer)
{
    EVP_CIPHER_CTX_free(sealer->context); /* overwrites the context */
    OPENSSL_cleanse(sealer, sizeof *sealer);
}

/* ---- messages ---- */

static const EVP_CIPHER *cipher_of(const struct ps_seal *seal)
{
    return seal->length == 16   ? EVP_aes_128_gcm()
           : seal->length == 24 ? EVP_aes_192_gcm()
                                : EVP_aes_256_gcm();
}

/* Sets the context's nonce, and its key if it has another one. */
static EVP_CIPHER_CTX *begin(struct ps_sealer *sealer, const struct ps_seal *seal, uint64_t place,
                             int encrypts)
{
    uint8_t nonce[NONCE_BYTES] = {0};
    uint64_t little = htole64(place);
    memcpy(nonce + NONCE_BYTES - sizeof little, &little, sizeof little);
    if (sealer->context == NULL)
        sealer->context = EVP_CIPHER_CTX_new();
    EVP_CIPHER_CTX *context = sealer->context;
    if (context == NULL)
        return NULL;
    bool same = sealer->key_length == seal->length && memcmp(sealer->key, seal->key, seal->length) == 0;
    if (EVP_CipherInit_ex(context, same ? NULL : cipher_of(seal), NULL, same ? NULL : seal->key, nonce,
                          encrypts) != 1)
        return NULL;
    memcpy(sealer->key, seal->key, seal->length);
    sealer->key_length = seal->length;
    return context;
}

/* Lengths are below 2 GiB, as the lengths of frames are. */
static bool update(EVP_CIPHER_CTX *context, const struct ps_sealed *sealed, void *to)
{
    int written = 0;
    for (size_t i = 0; i < PS_COUNT_OF(sealed->bound); i++)
        if (sealed->bound_lengths[i] > 0 &&
            EVP_CipherUpdate(context, NULL, &written, sealed->bound[i], (int)sealed->bound_lengths[i]) != 1)
            return false;
    return sealed->length == 0 ||
           (EVP_CipherUpdate(context, to, &written, sealed->from, (int)sealed->length) == 1 &&
            (size_t)written == sealed->length);
}

/* After a failure the state of the context is unknown. */
static bool end(struct ps_sealer *sealer, bool good)
{
    if (!good) {
        ps_sealer_fini(sealer);
        ERR_clear_error();
    }
    return good;
}

bool ps_seal_close(struct ps_sealer *sealer, const struct ps_seal *seal, const struct ps_sealed *sealed,
                   void *to, uint8_t tag[PS_SEAL_TAG_BYTES])
{
    uint8_t rest[PS_SEAL_TAG_BYTES];
    int written = 0;
    EVP_CIPHER_CTX *context = begin(sealer, seal, sealed->nonce, 1);
    return end(sealer, context != NULL && update(context, sealed, to) &&
                           EVP_CipherFinal_ex(context, rest, &written) == 1 && written == 0 &&
                           EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, PS_SEAL_TAG_BYTES, tag) == 1);
}

bool ps_seal_open(struct ps_sealer *sealer, const struct ps_seal *seal, const struct ps_sealed *sealed,
                  void *to, const uint8_t tag[PS_SEAL_TAG_BYTES])
{
    uint8_t rest[PS_SEAL_TAG_BYTES], expected[PS_SEAL_TAG_BYTES];
    int written = 0;
    memcpy(expected, tag, sizeof expected);
    EVP_CIPHER_CTX *context = begin(sealer, seal, sealed->nonce, 0);
    return end(sealer,
               context != NULL && update(context, sealed, to) &&
                   EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, PS_SEAL_TAG_BYTES, expected) == 1 &&
                   EVP_CipherFinal_ex(context, rest, &written) == 1);
}
