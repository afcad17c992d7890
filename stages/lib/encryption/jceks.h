/* Secret keys in Java's JCEKS key store (com.sun.crypto.provider.JceKeyStore and KeyProtector; there is no published specification):
 *
 *   u4 0xCECECECE, u4 version (1, 2), u4 entries, then per entry
 *     u4 tag, text alias, u8 date in ms
 *     tag 1, private key:  u4 length + bytes; u4 chain length; certificates
 *     tag 2, trusted:      one certificate
 *     tag 3, secret key:   a serialized javax.crypto.SealedObject, whose content is a serialized javax.crypto.spec.SecretKeySpec or
 *                          java.security.KeyRep under PBEWithMD5AndTripleDES with the key's password
 *   certificate = [version 2: text type] u4 length + DER; text = u2 length + modified UTF-8
 *   20 bytes: SHA-1 over password (UTF-16BE), "Mighty Aphrodite", and all bytes before
 *
 * Thread: any. */
#pragma once

#include "stages/lib/encryption/key/ring.h"

#define PS_JCEKS_BYTES_MAX (1024U * 1024U)
#define PS_JCEKS_PASSWORD_MAX 256U
/* Maximum number of iterations for a key's password. A store that wants more is refused, so that it cannot keep the
 * channel busy for long. */
#define PS_JCEKS_ITERATIONS_MAX 1000000U

struct ps_jceks {
    const uint8_t *bytes;
    size_t length;
    const char *password; /* NULL: not checked */
};

/* Adds the secret key with this alias, whose case does not matter, to the ring as `name`. Passwords are
 * ASCII. Fails if the store is broken or has another password, or the key is missing, is not an AES key, or
 * has another password. */
enum ps_status ps_jceks_add(struct ps_key_ring *ring, const struct ps_jceks *store, const char *name,
                            const char *key_password, struct ps_err *err);

/* Copies at most `room` bytes of the secret key with this alias, of any algorithm. Sets `*length` to 0 when
 * the store has no such key. Fails as ps_jceks_add does. */
enum ps_status ps_jceks_read(const struct ps_jceks *store, const char *name, const char *key_password,
                             uint8_t *bytes, size_t room, size_t *length, struct ps_err *err);

/* Returns the bytes of a store's file, which the caller frees; NULL with the reason. The file may be readable
 * by all users, because it is encrypted. */
uint8_t *ps_jceks_file_read(const char *path, size_t *length, struct ps_err *err);
