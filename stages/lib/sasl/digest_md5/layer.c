/* The protection of messages after DIGEST-MD5 (RFC 2831, 2.3 and 2.4). A message has text, padding, ten bytes
 * of an HMAC, the number 1, and the sequence number. A cipher encrypts the part from the text to the HMAC, as
 * one stream over all messages. */
#include "stages/lib/sasl/digest_md5/internal.h"

#include <endian.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <string.h>

#define MAC_BYTES 10U
#define TAIL_BYTES 6U /* the number 1 in two bytes, the sequence number in four */
#define BLOCK_BYTES 8U
#define TRIPLE_BYTES 24U

static bool hash(const uint8_t *secret, size_t length, const char *constant, uint8_t to[PS_DIGEST_BYTES])
{
    uint8_t all[PS_DIGEST_BYTES + 80];
    size_t text = strlen(constant);
    PS_ASSERT(length + text <= sizeof all);
    memcpy(all, secret, length);
    memcpy(all + length, constant, text);
    bool good = EVP_Digest(all, length + text, to, NULL, EVP_md5(), NULL) == 1;
    OPENSSL_cleanse(all, sizeof all);
    return good;
}

static size_t secret_bytes(enum ps_digest_cipher cipher)
{
    return cipher == PS_DIGEST_RC4_56 ? 7 : cipher == PS_DIGEST_RC4_40 ? 5 : PS_DIGEST_BYTES;
}

/* Seven bytes of a key become eight: each byte has seven bits of the key and a parity bit, which is not
 * used. */
static void spread(const uint8_t from[7], uint8_t to[BLOCK_BYTES])
{
    uint64_t bits = 0;
    for (size_t i = 0; i < 7; i++)
        bits = bits << 8 | from[i];
    for (size_t i = BLOCK_BYTES; i-- > 0; bits >>= 7)
        to[i] = (uint8_t)(bits << 1);
}

static EVP_CIPHER_CTX *triple_make(const uint8_t key[PS_DIGEST_BYTES], bool ours)
{
    uint8_t keys[TRIPLE_BYTES];
    EVP_CIPHER_CTX *triple = EVP_CIPHER_CTX_new();
    spread(key, keys);
    spread(key + 7, keys + BLOCK_BYTES);
    memcpy(keys + 2 * (size_t)BLOCK_BYTES, keys, BLOCK_BYTES); /* the third key is the first */
    bool good = triple != NULL &&
                EVP_CipherInit_ex(triple, EVP_des_ede3_cbc(), NULL, keys, key + BLOCK_BYTES, ours) == 1 &&
                EVP_CIPHER_CTX_set_padding(triple, 0) == 1;
    OPENSSL_cleanse(keys, sizeof keys);
    if (good)
        return triple;
    EVP_CIPHER_CTX_free(triple);
    return NULL;
}

static EVP_MAC_CTX *mac_make(const uint8_t key[PS_DIGEST_BYTES])
{
    char name[] = "MD5";
    const OSSL_PARAM parameters[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name, 0),
                                     OSSL_PARAM_construct_end()};
    EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    EVP_MAC_CTX *mac = hmac != NULL ? EVP_MAC_CTX_new(hmac) : NULL;
    EVP_MAC_free(hmac);
    if (mac != NULL && EVP_MAC_init(mac, key, PS_DIGEST_BYTES, parameters) == 1)
        return mac;
    EVP_MAC_CTX_free(mac);
    return NULL;
}

bool ps_digest_layer_init(struct ps_digest_layer *layer, const uint8_t secret[PS_DIGEST_BYTES], bool ours,
                          enum ps_digest_cipher cipher)
{
    static const char *const signing[] = {
        "Digest session key to server-to-client signing key magic constant",
        "Digest session key to client-to-server signing key magic constant"};
    static const char *const sealing[] = {"Digest H(A1) to server-to-client sealing key magic constant",
                                          "Digest H(A1) to client-to-server sealing key magic constant"};
    uint8_t key[PS_DIGEST_BYTES];
    *layer = (struct ps_digest_layer){.cipher = cipher};
    bool good = hash(secret, PS_DIGEST_BYTES, signing[ours], key) && (layer->mac = mac_make(key)) != NULL;
    if (good && cipher != PS_DIGEST_NO_CIPHER) {
        good = hash(secret, secret_bytes(cipher), sealing[ours], key);
        if (good && cipher == PS_DIGEST_3DES)
            good = (layer->triple = triple_make(key, ours)) != NULL;
        else
            RC4_set_key(&layer->rc4, PS_DIGEST_BYTES, key);
    }
    OPENSSL_cleanse(key, sizeof key);
    if (!good)
        ps_digest_layer_fini(layer);
    return good;
}

void ps_digest_layer_fini(struct ps_digest_layer *layer)
{
    EVP_MAC_CTX_free(layer->mac);
    EVP_CIPHER_CTX_free(layer->triple);
    OPENSSL_cleanse(layer, sizeof *layer);
}

/* Computes the first bytes of HMAC(sequence number, text). */
static bool authenticate(struct ps_digest_layer *layer, const uint8_t *text, size_t length,
                         uint8_t to[PS_DIGEST_BYTES])
{
    uint32_t number = htobe32(layer->sequence);
    size_t made;
    return EVP_MAC_init(layer->mac, NULL, 0, NULL) == 1 &&
           EVP_MAC_update(layer->mac, (const uint8_t *)&number, sizeof number) == 1 &&
           EVP_MAC_update(layer->mac, text, length) == 1 &&
           EVP_MAC_final(layer->mac, to, &made, PS_DIGEST_BYTES) == 1;
}

static bool encipher(struct ps_digest_layer *layer, uint8_t *bytes, size_t length)
{
    int made = 0;
    if (layer->cipher == PS_DIGEST_NO_CIPHER)
        return true;
    if (layer->cipher != PS_DIGEST_3DES) {
        RC4(&layer->rc4, length, bytes, bytes);
        return true;
    }
    return EVP_CipherUpdate(layer->triple, bytes, &made, bytes, (int)length) == 1 && (size_t)made == length;
}

size_t ps_digest_layer_wrap(struct ps_digest_layer *layer, const uint8_t *text, size_t length, uint8_t *to,
                            size_t room, const char **reason)
{
    size_t padding = layer->cipher == PS_DIGEST_3DES ? BLOCK_BYTES - (length + MAC_BYTES) % BLOCK_BYTES : 0;
    size_t sealed = length + padding + MAC_BYTES;
    uint8_t mac[PS_DIGEST_BYTES];
    PS_ASSERT(room >= sealed + TAIL_BYTES);
    if (!authenticate(layer, text, length, mac)) {
        *reason = "the library cannot sign";
        return 0;
    }
    if (to != text)
        memcpy(to, text, length);
    memset(to + length, (int)padding, padding);
    memcpy(to + length + padding, mac, MAC_BYTES);
    if (!encipher(layer, to, sealed)) {
        *reason = "the library cannot encipher";
        return 0;
    }
    uint32_t number = htobe32(layer->sequence++);
    to[sealed] = 0;
    to[sealed + 1] = 1;
    memcpy(to + sealed + 2, &number, sizeof number);
    return sealed + TAIL_BYTES;
}

/* Removes the padding. Wrong padding leads to a wrong HMAC, so that the sender does not learn which of the
 * two was wrong. */
static size_t without_padding(const struct ps_digest_layer *layer, const uint8_t *message, size_t length)
{
    if (layer->cipher != PS_DIGEST_3DES || length == 0)
        return length;
    size_t padding = message[length - 1];
    return padding >= 1 && padding <= BLOCK_BYTES && padding <= length ? length - padding : length;
}

bool ps_digest_layer_unwrap(struct ps_digest_layer *layer, uint8_t *message, size_t *length,
                            const char **reason)
{
    uint32_t number = htobe32(layer->sequence);
    uint8_t mac[PS_DIGEST_BYTES];
    *reason = "a message is too short";
    if (*length == 0) /* Java sends an empty message this way */
        return true;
    if (*length < MAC_BYTES + TAIL_BYTES)
        return false;
    size_t sealed = *length - TAIL_BYTES;
    *reason = "a message is missing, repeated or damaged";
    if (message[sealed] != 0 || message[sealed + 1] != 1 ||
        memcmp(message + sealed + 2, &number, sizeof number) != 0)
        return false;
    if (layer->cipher == PS_DIGEST_3DES && sealed % BLOCK_BYTES != 0)
        return false;
    if (!encipher(layer, message, sealed))
        return false;
    size_t text = without_padding(layer, message, sealed - MAC_BYTES);
    if (!authenticate(layer, message, text, mac) ||
        CRYPTO_memcmp(mac, message + sealed - MAC_BYTES, MAC_BYTES) != 0)
        return false;
    layer->sequence++;
    *length = text;
    return true;
}
