/* Shared by the files of DIGEST-MD5. */
#pragma once

#include "stages/lib/sasl/digest_md5/digest_md5.h"

#define OPENSSL_SUPPRESS_DEPRECATED /* for RC4: see digest_md5.h */
#include <openssl/evp.h>
#include <openssl/rc4.h>

#define PS_DIGEST_BYTES 16U

enum ps_digest_cipher {
    PS_DIGEST_NO_CIPHER,
    PS_DIGEST_RC4,
    PS_DIGEST_3DES,
    PS_DIGEST_RC4_56,
    PS_DIGEST_RC4_40,
};

/* The contents of a challenge. The texts are the server's, decoded, and point into the bytes of the challenge. */
struct ps_digest_challenge {
    const char *realm; /* the first one; NULL: none */
    const char *nonce; /* NULL: this is the last challenge */
    const char *rspauth;
    unsigned protection; /* bit mask of the levels that the server offers */
    unsigned ciphers;    /* bit mask of the ciphers that the server offers: 1 << enum ps_digest_cipher */
    uint32_t maxbuf_bytes;
    bool utf8, md5_sess;
};

/* Reads a challenge of `length` bytes, which it overwrites (quoted texts are decoded in place, and end with a
 * NUL: `text` has room for one byte more). Returns false with `reason` if it is malformed.
 * (stages/lib/sasl/digest_md5/challenge.c) */
bool ps_digest_challenge_read(char *text, size_t length, struct ps_digest_challenge *challenge, char *reason);

/* Return the word for a level (PS_SASL_..), and the word for a cipher. */
const char *ps_digest_level_name(unsigned level);
const char *ps_digest_cipher_name(enum ps_digest_cipher cipher);
/* Returns the ciphers of a list as a bit mask: 1 << enum ps_digest_cipher for each. */
unsigned ps_digest_ciphers_of(const char *list);

/* One direction of a connection. */
struct ps_digest_layer {
    EVP_MAC_CTX *mac;       /* with its key */
    EVP_CIPHER_CTX *triple; /* 3des, else NULL */
    RC4_KEY rc4;
    enum ps_digest_cipher cipher;
    uint32_t sequence; /* sequence number of the next message */
};

/* Sets the keys; `secret` is H(A1). Returns false when the library fails.
 * (stages/lib/sasl/digest_md5/layer.c) */
bool ps_digest_layer_init(struct ps_digest_layer *layer, const uint8_t secret[PS_DIGEST_BYTES], bool ours,
                          enum ps_digest_cipher cipher);
void ps_digest_layer_fini(struct ps_digest_layer *layer);
/* These work as ps_sasl_wrap and _unwrap, with integrity alone if `cipher` is PS_DIGEST_NO_CIPHER. The reason
 * is a constant. */
size_t ps_digest_layer_wrap(struct ps_digest_layer *layer, const uint8_t *text, size_t length, uint8_t *to,
                            size_t room, const char **reason);
bool ps_digest_layer_unwrap(struct ps_digest_layer *layer, uint8_t *message, size_t *length,
                            const char **reason);
