#include "stages/lib/encryption/jceks.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "stages/lib/byte_reader.h"
#include "stages/lib/encryption/java_object.h"

#define MAGIC 0xcecececeU
#define HASH_BYTES 20U
#define SALT_BYTES 8U
#define MD5_BYTES 16U
#define DES_KEY_BYTES 24U

enum { TAG_PRIVATE = 1, TAG_TRUSTED = 2, TAG_SECRET = 3 };

/* Skips a length of `length_bytes`, and that many bytes. */
static bool pass_over(struct ps_byte_reader *reader, size_t length_bytes)
{
    const uint8_t *unused;
    uint32_t length;
    return ps_byte_reader_number(reader, length_bytes, &length) &&
           ps_byte_reader_take(reader, length, &unused);
}

static bool pass_certificate(struct ps_byte_reader *reader, uint32_t version)
{
    return (version == 1 || pass_over(reader, 2)) && pass_over(reader, 4);
}

/* ---- passwords ---- */

static bool is_right(const struct ps_jceks *store)
{
    uint8_t hash[HASH_BYTES];
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool good = context != NULL && EVP_DigestInit_ex(context, EVP_sha1(), NULL) == 1;
    for (const char *at = store->password; good && *at != '\0'; at++)
        good = EVP_DigestUpdate(context, (const char[]){0, *at}, 2) == 1;
    good = good && EVP_DigestUpdate(context, "Mighty Aphrodite", 16) == 1 &&
           EVP_DigestUpdate(context, store->bytes, store->length - HASH_BYTES) == 1 &&
           EVP_DigestFinal_ex(context, hash, NULL) == 1 &&
           CRYPTO_memcmp(hash, store->bytes + store->length - HASH_BYTES, HASH_BYTES) == 0;
    EVP_MD_CTX_free(context);
    return good;
}

/* SunJCE's PBEWithMD5AndTripleDES: each half of the salt is hashed with the password repeatedly; if the halves are
 * equal, the first half is reversed before it is hashed. (Java 17 stores the salt after the reversal, so that equal
 * halves in a store are palindromes.) */
static bool derive(const char *password, const uint8_t salt[SALT_BYTES], uint32_t iterations,
                   uint8_t out[2 * MD5_BYTES])
{
    uint8_t halves[SALT_BYTES];
    memcpy(halves, salt, SALT_BYTES);
    if (memcmp(halves, halves + 4, 4) == 0) {
        for (size_t i = 0; i < 2; i++) {
            uint8_t kept = halves[i];
            halves[i] = halves[3 - i];
            halves[3 - i] = kept;
        }
    }
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool good = context != NULL && EVP_DigestInit_ex(context, EVP_md5(), NULL) == 1;
    for (size_t half = 0; half < 2 && good; half++) {
        uint8_t *hash = out + half * MD5_BYTES;
        memcpy(hash, halves + 4 * half, 4);
        /* If a round named the digest, OpenSSL would look the digest up in each round. */
        for (uint32_t i = 0; good && i < iterations; i++)
            good = EVP_DigestInit_ex(context, NULL, NULL) == 1 &&
                   EVP_DigestUpdate(context, hash, i == 0 ? 4 : MD5_BYTES) == 1 &&
                   EVP_DigestUpdate(context, password, strlen(password)) == 1 &&
                   EVP_DigestFinal_ex(context, hash, NULL) == 1;
    }
    EVP_MD_CTX_free(context);
    return good;
}

/* Reads DER: SEQUENCE { OCTET STRING of 8 bytes, INTEGER }. */
static bool parameters_read(struct ps_slice parameters, const uint8_t **salt, uint32_t *iterations)
{
    struct ps_byte_reader reader = {(const uint8_t *)parameters.data, parameters.length};
    uint32_t head, integer, bytes;
    return ps_byte_reader_number(&reader, 4, &head) && head >> 24 == 0x30 &&
           (head & 0xffff) == (0x0400 | SALT_BYTES) && (head >> 16 & 0xff) == reader.left + 2 &&
           ps_byte_reader_take(&reader, SALT_BYTES, salt) && ps_byte_reader_number(&reader, 1, &integer) &&
           integer == 2 && ps_byte_reader_number(&reader, 1, &bytes) && bytes >= 1 && bytes <= 4 &&
           ps_byte_reader_number(&reader, bytes, iterations) && *iterations >= 1 &&
           *iterations <= PS_JCEKS_ITERATIONS_MAX;
}

/* ---- a key ---- */

static bool equals(struct ps_slice text, const char *with)
{
    return text.data != NULL && text.length == strlen(with) && memcmp(text.data, with, text.length) == 0;
}

/* Decrypts into `plain`, of content.length + 16 bytes. Returns its length, or 0. */
static size_t decrypt(const uint8_t derived[2 * MD5_BYTES], struct ps_slice content, uint8_t *plain)
{
    int length = 0, rest = 0;
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    bool good =
        context != NULL &&
        EVP_DecryptInit_ex(context, EVP_des_ede3_cbc(), NULL, derived, derived + DES_KEY_BYTES) == 1 &&
        EVP_DecryptUpdate(context, plain, &length, (const uint8_t *)content.data, (int)content.length) == 1 &&
        EVP_DecryptFinal_ex(context, plain + length, &rest) == 1;
    EVP_CIPHER_CTX_free(context);
    return good ? (size_t)(length + rest) : 0;
}

/* The destination of a key's bytes. */
struct key_room {
    uint8_t *bytes;
    size_t room, *length;
    const char *algorithm; /* the required algorithm; NULL: any */
};

/* Returns the bytes of a SecretKeySpec, or of the KeyRep that other classes of secret keys write instead
 * (keytool -importpass makes keys of such a class); data is NULL for other objects. */
static struct ps_slice bytes_of(const struct ps_java_object *key)
{
    if (equals(key->class_name, "javax.crypto.spec.SecretKeySpec"))
        return ps_java_object_get(key, "key");
    if (equals(key->class_name, "java.security.KeyRep") &&
        equals(ps_java_object_get(key, "type"), "SECRET") && equals(ps_java_object_get(key, "format"), "RAW"))
        return ps_java_object_get(key, "encoded");
    return (struct ps_slice){NULL, 0};
}

static enum ps_status copy_key(const struct key_room *to, const uint8_t *plain, size_t length,
                               const char *name, struct ps_err *err)
{
    struct ps_java_object key;
    if (length == 0 || !ps_java_object_read(plain, length, &key))
        return ps_err_set(err, "the password of key %s is wrong", name);
    struct ps_slice bytes = bytes_of(&key);
    if (bytes.data == NULL)
        return ps_err_set(err, "key %s is a %.*s; only a javax.crypto.spec.SecretKeySpec can be read", name,
                          (int)key.class_name.length, key.class_name.data);
    if (to->algorithm != NULL && !equals(ps_java_object_get(&key, "algorithm"), to->algorithm))
        return ps_err_set(err, "key %s is not a key for %s", name, to->algorithm);
    if (bytes.length > to->room)
        return ps_err_set(err, "key %s is longer than %zu bytes", name, to->room);
    memcpy(to->bytes, bytes.data, bytes.length);
    *to->length = bytes.length;
    return PS_OK;
}

static enum ps_status open_sealed(const struct key_room *to, const struct ps_java_object *sealed,
                                  const char *name, const char *password, struct ps_err *err)
{
    struct ps_slice content = ps_java_object_get(sealed, "encryptedContent");
    uint8_t derived[2 * MD5_BYTES];
    const uint8_t *salt;
    uint32_t iterations;
    if (!equals(ps_java_object_get(sealed, "sealAlg"), "PBEWithMD5AndTripleDES") || content.data == NULL ||
        !parameters_read(ps_java_object_get(sealed, "encodedParams"), &salt, &iterations))
        return ps_err_set(err, "key %s is encrypted in a way that is not known", name);
    uint8_t *plain = ps_must_alloc(1, (size_t)content.length + 16, "a key");
    size_t length = derive(password, salt, iterations, derived) ? decrypt(derived, content, plain) : 0;
    enum ps_status status = copy_key(to, plain, length, name, err);
    OPENSSL_cleanse(derived, sizeof derived);
    OPENSSL_cleanse(plain, (size_t)content.length + 16);
    free(plain);
    return status;
}

/* ---- the store ---- */

enum found { FOUND_KEY, FOUND_OTHER, FOUND_DAMAGE };

/* Reads the next entry: skips it, or finds the key. */
static enum found next_entry(struct ps_byte_reader *reader, uint32_t version, const char *name,
                             struct ps_java_object *sealed)
{
    const uint8_t *alias, *unused;
    uint32_t tag, alias_length, count;
    if (!ps_byte_reader_number(reader, 4, &tag) || !ps_byte_reader_number(reader, 2, &alias_length) ||
        !ps_byte_reader_take(reader, alias_length, &alias) || !ps_byte_reader_take(reader, 8, &unused))
        return FOUND_DAMAGE;
    if (tag == TAG_PRIVATE) {
        if (!pass_over(reader, 4) || !ps_byte_reader_number(reader, 4, &count))
            return FOUND_DAMAGE;
        for (; count > 0; count--)
            if (!pass_certificate(reader, version))
                return FOUND_DAMAGE;
        return FOUND_OTHER;
    }
    if (tag == TAG_TRUSTED)
        return pass_certificate(reader, version) ? FOUND_OTHER : FOUND_DAMAGE;
    if (tag != TAG_SECRET || !ps_java_object_read(reader->data, reader->left, sealed) ||
        !ps_byte_reader_take(reader, sealed->length, &unused))
        return FOUND_DAMAGE;
    bool is_it = alias_length == strlen(name) && strncasecmp((const char *)alias, name, alias_length) == 0;
    return is_it ? FOUND_KEY : FOUND_OTHER;
}

static bool is_ascii(const char *text)
{
    for (; *text != '\0'; text++)
        if ((unsigned char)*text > 0x7e)
            return false;
    return true;
}

/* Works as ps_jceks_read; `*to->length` is 0 if no entry has that name. */
static enum ps_status read_key(const struct ps_jceks *store, const char *name, const char *key_password,
                               const struct key_room *to, struct ps_err *err)
{
    struct ps_byte_reader reader = {store->bytes, store->length};
    struct ps_java_object sealed;
    uint32_t magic, version, count;
    *to->length = 0;
    if (!is_ascii(key_password) || (store->password != NULL && !is_ascii(store->password)))
        return ps_err_set(err, "a password has characters beyond ASCII");
    if (!ps_byte_reader_number(&reader, 4, &magic) || magic != MAGIC ||
        !ps_byte_reader_number(&reader, 4, &version) || version < 1 || version > 2 ||
        !ps_byte_reader_number(&reader, 4, &count) || reader.left < HASH_BYTES)
        return ps_err_set(err, "it is not a JCEKS key store");
    if (store->password != NULL && !is_right(store))
        return ps_err_set(err, "the password of the store is wrong, or the store was altered");
    reader.left -= HASH_BYTES;
    for (; count > 0; count--) {
        enum found found = next_entry(&reader, version, name, &sealed);
        if (found == FOUND_KEY)
            return open_sealed(to, &sealed, name, key_password, err);
        if (found == FOUND_DAMAGE)
            return ps_err_set(err, "the store is broken, or has an entry that is not known");
    }
    return PS_OK;
}

enum ps_status ps_jceks_read(const struct ps_jceks *store, const char *name, const char *key_password,
                             uint8_t *bytes, size_t room, size_t *length, struct ps_err *err)
{
    const struct key_room to = {bytes, room, length, NULL};
    return read_key(store, name, key_password, &to, err);
}

enum ps_status ps_jceks_add(struct ps_key_ring *ring, const struct ps_jceks *store, const char *name,
                            const char *key_password, struct ps_err *err)
{
    uint8_t bytes[PS_KEY_BYTES_MAX];
    size_t length;
    const struct key_room to = {bytes, sizeof bytes, &length, "AES"};
    if (read_key(store, name, key_password, &to, err) != PS_OK)
        return PS_FAIL;
    enum ps_status status = length > 0 ? ps_key_ring_add(ring, name, bytes, length, err)
                                       : ps_err_set(err, "it has no secret key %s", name);
    OPENSSL_cleanse(bytes, sizeof bytes);
    return status;
}

uint8_t *ps_jceks_file_read(const char *path, size_t *length, struct ps_err *err)
{
    FILE *file = fopen(path, "rbe");
    uint8_t *bytes = ps_must_alloc(1, PS_JCEKS_BYTES_MAX, "a key store");
    *length = file != NULL ? fread(bytes, 1, PS_JCEKS_BYTES_MAX, file) : 0;
    bool good = file != NULL && ferror(file) == 0;
    if (!good)
        ps_err_set(err, "%s cannot be read: %s", path, strerror(errno));
    else if (*length == PS_JCEKS_BYTES_MAX)
        ps_err_set(err, "%s is not a key store: it is longer than 1 MiB", path);
    if (file != NULL)
        fclose(file);
    if (good && *length < PS_JCEKS_BYTES_MAX)
        return bytes;
    free(bytes);
    return NULL;
}
