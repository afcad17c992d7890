/* Sun's JKS key store, versions 1 and 2 (the format of sun.security.provider.JavaKeyStore and its
 * KeyProtector; there is no published specification):
 *
 *   u4 0xFEEDFEED, u4 version, u4 entries, then per entry
 *     u4 tag, text alias, u8 date in ms
 *     tag 1, private key:  u4 length + EncryptedPrivateKeyInfo; u4 chain length; certificates
 *     tag 2, trusted:      one certificate
 *   certificate = [version 2: text type, "X.509"] u4 length + DER; text = u2 length + modified UTF-8
 *   20 bytes: SHA-1 over password (UTF-16BE), "Mighty Aphrodite", and all bytes before.
 *
 * The private key's algorithm is 1.3.6.1.4.1.42.2.17.1.1: 20 bytes of salt, the key XORed with a stream of
 * SHA-1 blocks (block n = SHA-1(password, block n-1), block 0 = the salt), 20 bytes of SHA-1(password, key).
 *
 * Control thread only. Every length is checked against the remaining input before it is used, also for
 * allocations. */
#include "stages/lib/keystore/internal.h"
#include "stages/lib/byte_reader.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>

#define JKS_DIGEST_BYTES SHA_DIGEST_LENGTH
#define JKS_TAG_KEY 1
#define JKS_TAG_TRUSTED 2

/* A password as Java's JKS hashes it: UTF-16, high byte first. */
struct jks_password {
    uint8_t bytes[2 * PS_KEYSTORE_PASSWORD_MAX + 4];
    size_t length;
};

static bool read_text(struct ps_byte_reader *reader, const uint8_t **text, size_t *length)
{
    uint32_t bytes;
    bool good = ps_byte_reader_number(reader, 2, &bytes) && ps_byte_reader_take(reader, bytes, text);
    *length = bytes;
    return good;
}

static void password_put(struct jks_password *out, uint32_t unit)
{
    out->bytes[out->length++] = (uint8_t)(unit >> 8);
    out->bytes[out->length++] = (uint8_t)unit;
}

/* Converts UTF-8 to UTF-16BE; bytes that are not UTF-8 are taken as ISO-8859-1. */
static void password_encode(struct jks_password *out, const char *text)
{
    const uint8_t *s = (const uint8_t *)text;
    size_t left = strlen(text);
    out->length = 0;
    while (left > 0 && out->length + 4 <= sizeof out->bytes) {
        uint32_t code = s[0];
        size_t size = code < 0x80                   ? 1
                      : code >= 0xf0 && code < 0xf8 ? 4
                      : code >= 0xe0                ? 3
                      : code >= 0xc2                ? 2
                                                    : 1;
        if (size > left || code >= 0xf8)
            size = 1;
        if (size > 1)
            code &= 0x7fu >> size;
        for (size_t i = 1; i < size; i++) {
            if ((s[i] & 0xc0) != 0x80) {
                size = 1;
                code = s[0];
                break;
            }
            code = code << 6 | (s[i] & 0x3fu);
        }
        if (code >= 0x10000) {
            password_put(out, 0xd800 + (((code - 0x10000) >> 10) & 0x3ff));
            password_put(out, 0xdc00 + ((code - 0x10000) & 0x3ff));
        } else {
            password_put(out, code);
        }
        s += size;
        left -= size;
    }
}

static bool digest(uint8_t out[JKS_DIGEST_BYTES], const void *a, size_t a_length, const void *b,
                   size_t b_length, const void *c, size_t c_length)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool good = context != NULL && EVP_DigestInit_ex(context, EVP_sha1(), NULL) &&
                EVP_DigestUpdate(context, a, a_length) && EVP_DigestUpdate(context, b, b_length) &&
                EVP_DigestUpdate(context, c, c_length) && EVP_DigestFinal_ex(context, out, NULL);
    EVP_MD_CTX_free(context);
    return good;
}

/* Decrypts a key of Java's key protector into `plain` (length - 40 bytes). Returns false if the password is
 * wrong. */
static bool key_unprotect(uint8_t *plain, const uint8_t *data, size_t length,
                          const struct jks_password *password)
{
    size_t plain_length = length - 2 * JKS_DIGEST_BYTES;
    const uint8_t *sealed = data + JKS_DIGEST_BYTES;
    uint8_t block[JKS_DIGEST_BYTES], check[JKS_DIGEST_BYTES];
    memcpy(block, data, sizeof block);
    for (size_t at = 0; at < plain_length; at += sizeof block) {
        if (!digest(block, password->bytes, password->length, block, sizeof block, NULL, 0))
            return false;
        for (size_t i = 0; i < sizeof block && at + i < plain_length; i++)
            plain[at + i] = sealed[at + i] ^ block[i];
    }
    bool good = digest(check, password->bytes, password->length, plain, plain_length, NULL, 0) &&
                CRYPTO_memcmp(check, data + length - JKS_DIGEST_BYTES, JKS_DIGEST_BYTES) == 0;
    OPENSSL_cleanse(block, sizeof block);
    return good;
}

/* Decrypts an EncryptedPrivateKeyInfo. Returns NULL with fault and message. */
static EVP_PKEY *key_open(const uint8_t *data, size_t length, const char *password_text,
                          enum ps_keystore_fault *fault, struct ps_err *err)
{
    static const char protector[] = "1.3.6.1.4.1.42.2.17.1.1";
    const unsigned char *at = data;
    X509_SIG *sealed = d2i_X509_SIG(NULL, &at, (long)length);
    const X509_ALGOR *algorithm = NULL;
    const ASN1_OCTET_STRING *octets = NULL;
    const ASN1_OBJECT *object = NULL;
    char name[64] = "";
    struct jks_password *password = NULL;
    uint8_t *plain = NULL;
    EVP_PKEY *key = NULL;

    if (sealed == NULL) {
        PS_KEYSTORE_FAULT(fault, PS_KEYSTORE_CORRUPT, err,
                          "a private key entry is not an EncryptedPrivateKeyInfo");
        return NULL;
    }
    X509_SIG_get0(sealed, &algorithm, &octets);
    X509_ALGOR_get0(&object, NULL, NULL, algorithm);
    OBJ_obj2txt(name, sizeof name, object, 1);
    size_t octets_length = (size_t)ASN1_STRING_length(octets);
    if (strcmp(name, protector) != 0) {
        PS_KEYSTORE_FAULT(fault, PS_KEYSTORE_UNSUPPORTED, err,
                          "a private key is protected with %s, which JKS stores do not use", name);
        goto out;
    }
    if (octets_length <= 2 * JKS_DIGEST_BYTES) {
        PS_KEYSTORE_FAULT(fault, PS_KEYSTORE_CORRUPT, err, "a private key entry is too short");
        goto out;
    }
    password = calloc(1, sizeof *password);
    plain = malloc(octets_length);
    if (password == NULL || plain == NULL) {
        PS_KEYSTORE_FAULT(fault, PS_KEYSTORE_UNREADABLE, err, "no memory");
        goto out;
    }
    password_encode(password, password_text != NULL ? password_text : "");
    if (!key_unprotect(plain, ASN1_STRING_get0_data(octets), octets_length, password)) {
        PS_KEYSTORE_FAULT(fault, PS_KEYSTORE_WRONG_KEY_PASSWORD, err, "wrong password for the private key");
        goto out;
    }
    at = plain;
    PKCS8_PRIV_KEY_INFO *info =
        d2i_PKCS8_PRIV_KEY_INFO(NULL, &at, (long)(octets_length - 2 * JKS_DIGEST_BYTES));
    key = info != NULL ? EVP_PKCS82PKEY(info) : NULL;
    PKCS8_PRIV_KEY_INFO_free(info);
    if (key == NULL)
        PS_KEYSTORE_FAULT(fault, PS_KEYSTORE_CORRUPT, err,
                          "a private key was decrypted, but OpenSSL cannot use it");
out:
    if (password != NULL)
        OPENSSL_cleanse(password, sizeof *password);
    if (plain != NULL)
        OPENSSL_cleanse(plain, octets_length);
    free(password);
    free(plain);
    X509_SIG_free(sealed);
    return key;
}

/* Returns NULL for a broken file (`*bad`), and for a certificate that is not X.509 (to be skipped). */
static X509 *certificate_read(struct ps_byte_reader *reader, uint32_t version, bool *bad)
{
    const uint8_t *type, *der;
    size_t type_length = 0;
    uint32_t length;
    *bad = true;
    if ((version == 2 && !read_text(reader, &type, &type_length)) ||
        !ps_byte_reader_number(reader, 4, &length) || !ps_byte_reader_take(reader, length, &der))
        return NULL;
    *bad = false;
    if (version == 2 && (type_length != 5 || memcmp(type, "X.509", 5) != 0))
        return NULL;
    const unsigned char *at = der;
    X509 *certificate = d2i_X509(NULL, &at, (long)length);
    *bad = certificate == NULL;
    return certificate;
}

static STACK_OF(X509) * chain_read(struct ps_byte_reader *reader, uint32_t version, struct ps_err *err)
{
    uint32_t count;
    if (!ps_byte_reader_number(reader, 4, &count) || count > PS_KEYSTORE_CHAIN_MAX) {
        ps_err_set(err, "a certificate chain is cut off or longer than %d", PS_KEYSTORE_CHAIN_MAX);
        return NULL;
    }
    STACK_OF(X509) *chain = sk_X509_new_null();
    for (uint32_t i = 0; chain != NULL && i < count; i++) {
        bool bad;
        X509 *certificate = certificate_read(reader, version, &bad);
        if (certificate == NULL || sk_X509_push(chain, certificate) <= 0) {
            X509_free(certificate);
            sk_X509_pop_free(chain, X509_free);
            ps_err_set(err, "a certificate of a chain is broken or not X.509");
            return NULL;
        }
    }
    return chain;
}

static enum ps_status key_entry(struct ps_keystore *store, const struct ps_keystore_input *input,
                                struct ps_byte_reader *reader, uint32_t version, const uint8_t *alias,
                                size_t alias_length, enum ps_keystore_fault *fault, struct ps_err *err)
{
    const uint8_t *sealed;
    uint32_t length;
    *fault = PS_KEYSTORE_CORRUPT;
    if (!ps_byte_reader_number(reader, 4, &length) || !ps_byte_reader_take(reader, length, &sealed))
        return ps_err_set(err, "a private key entry is cut off");
    STACK_OF(X509) *chain = chain_read(reader, version, err);
    if (chain == NULL)
        return PS_FAIL;
    if (sk_X509_num(chain) ==
        0) { /* a key without certificates: neither TLS nor Java's key manager can use it */
        sk_X509_free(chain);
        return PS_OK;
    }
    if (input->trust_only) {
        enum ps_status status = ps_keystore_add_trusted(store, sk_X509_value(chain, 0));
        sk_X509_pop_free(chain, X509_free);
        return status == PS_OK ? PS_OK : ps_err_set(err, "too many certificates");
    }
    EVP_PKEY *key = key_open(sealed, length, input->key_password, fault, err);
    if (key == NULL) {
        sk_X509_pop_free(chain, X509_free);
        return PS_FAIL;
    }
    if (X509_check_private_key(sk_X509_value(chain, 0), key) != 1) {
        EVP_PKEY_free(key);
        sk_X509_pop_free(chain, X509_free);
        return PS_KEYSTORE_FAULT(fault, PS_KEYSTORE_CORRUPT, err,
                                 "a private key does not belong to its certificate");
    }
    if (ps_keystore_add_key(store, (const char *)alias, alias_length, key, chain) != PS_OK)
        return PS_KEYSTORE_FAULT(fault, PS_KEYSTORE_CORRUPT, err, "too many entries");
    return PS_OK;
}

static enum ps_status entry_read(struct ps_keystore *store, const struct ps_keystore_input *input,
                                 struct ps_byte_reader *reader, uint32_t version,
                                 enum ps_keystore_fault *fault, struct ps_err *err)
{
    uint32_t tag;
    const uint8_t *alias, *date;
    size_t alias_length;
    *fault = PS_KEYSTORE_CORRUPT;
    if (!ps_byte_reader_number(reader, 4, &tag) || !read_text(reader, &alias, &alias_length) ||
        !ps_byte_reader_take(reader, 8, &date))
        return ps_err_set(err, "an entry is cut off");
    if (tag == JKS_TAG_KEY)
        return key_entry(store, input, reader, version, alias, alias_length, fault, err);
    if (tag != JKS_TAG_TRUSTED)
        return ps_err_set(err, "an entry has the unknown kind %u", tag);
    bool bad;
    X509 *certificate = certificate_read(reader, version, &bad);
    if (bad)
        return ps_err_set(err, "a trusted certificate is cut off or broken");
    enum ps_status status = certificate != NULL ? ps_keystore_add_trusted(store, certificate) : PS_OK;
    X509_free(certificate);
    return status == PS_OK ? PS_OK : ps_err_set(err, "too many certificates");
}

static bool integrity_holds(const struct ps_keystore_input *input)
{
    static const char phrase[] = "Mighty Aphrodite";
    uint8_t sum[JKS_DIGEST_BYTES];
    size_t body = input->length - JKS_DIGEST_BYTES;
    struct jks_password *password = calloc(1, sizeof *password);
    if (password == NULL)
        return false;
    password_encode(password, input->password);
    bool good =
        digest(sum, password->bytes, password->length, phrase, sizeof phrase - 1, input->data, body) &&
        CRYPTO_memcmp(sum, input->data + body, sizeof sum) == 0;
    OPENSSL_cleanse(password, sizeof *password);
    free(password);
    return good;
}

/* Checks that the file is complete: reads over the entries without opening anything. */
static bool structure_holds(struct ps_byte_reader reader, uint32_t version, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        uint32_t tag, length, certificates = 1;
        const uint8_t *bytes;
        size_t text;
        if (!ps_byte_reader_number(&reader, 4, &tag) || !read_text(&reader, &bytes, &text) ||
            !ps_byte_reader_take(&reader, 8, &bytes))
            return false;
        if (tag == JKS_TAG_KEY) {
            if (!ps_byte_reader_number(&reader, 4, &length) ||
                !ps_byte_reader_take(&reader, length, &bytes) ||
                !ps_byte_reader_number(&reader, 4, &certificates))
                return false;
        } else if (tag != JKS_TAG_TRUSTED) {
            return false;
        }
        for (uint32_t c = 0; c < certificates; c++) {
            if ((version == 2 && !read_text(&reader, &bytes, &text)) ||
                !ps_byte_reader_number(&reader, 4, &length) || !ps_byte_reader_take(&reader, length, &bytes))
                return false;
        }
    }
    return reader.left == 0;
}

enum ps_status ps_keystore_jks(struct ps_keystore *store, const struct ps_keystore_input *input,
                               enum ps_keystore_fault *fault, struct ps_err *err)
{
    uint32_t magic, version, count;
    *fault = PS_KEYSTORE_CORRUPT;
    if (input->length < 12 + JKS_DIGEST_BYTES)
        return ps_err_set(err, "the JKS store is cut off");
    struct ps_byte_reader reader = {.data = input->data, .left = input->length - JKS_DIGEST_BYTES};
    if (!ps_byte_reader_number(&reader, 4, &magic) || magic != 0xfeedfeed ||
        !ps_byte_reader_number(&reader, 4, &version) || !ps_byte_reader_number(&reader, 4, &count))
        return ps_err_set(err, "not a JKS store");
    if (version != 1 && version != 2)
        return PS_KEYSTORE_FAULT(fault, PS_KEYSTORE_UNSUPPORTED, err,
                                 "the JKS store has version %u; only 1 and 2 are supported", version);
    if (count > PS_KEYSTORE_ENTRIES_MAX)
        return ps_err_set(err, "the JKS store has %u entries; at most %d are read", count,
                          PS_KEYSTORE_ENTRIES_MAX);
    if (!structure_holds(reader, version, count))
        return ps_err_set(err, "the JKS store is cut off or broken");
    if (input->password != NULL && !integrity_holds(input))
        return PS_KEYSTORE_FAULT(fault, PS_KEYSTORE_WRONG_PASSWORD, err,
                                 "wrong password (or the store was altered after it was written)");
    for (uint32_t i = 0; i < count; i++) {
        if (entry_read(store, input, &reader, version, fault, err) != PS_OK)
            return PS_FAIL;
    }
    *fault = PS_KEYSTORE_SOUND;
    return PS_OK;
}
