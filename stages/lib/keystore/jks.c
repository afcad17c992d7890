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
#include <openssl/pkcs12.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>

#define JKS_DIGEST_BYTES SHA_DIGEST_LENGTH
#define JKS_TAG_KEY 1
#define JKS_TAG_TRUSTED 2

struct jks {
    struct ps_keystore *store;
    struct ps_keystore_input *input;
    uint32_t version;
    struct ps_err *err;
};

struct jks_entry {
    uint32_t tag, certificate_count;
    const uint8_t *alias, *sealed; /* sealed: the private key */
    size_t alias_length;
    uint32_t sealed_length;
    struct ps_byte_reader certificates;
};

struct jks_certificate {
    const uint8_t *der;
    uint32_t length;
    bool is_x509;
};

static bool read_text(struct ps_byte_reader *reader, const uint8_t **text, size_t *length)
{
    uint32_t bytes;
    bool good = ps_byte_reader_number(reader, 2, &bytes) && ps_byte_reader_take(reader, bytes, text);
    *length = bytes;
    return good;
}

static bool read_certificate(struct ps_byte_reader *reader, uint32_t version,
                             struct jks_certificate *certificate)
{
    const uint8_t *type;
    size_t length = 0;
    if (version == 2 && !read_text(reader, &type, &length))
        return false;
    certificate->is_x509 = version == 1 || (length == 5 && memcmp(type, "X.509", 5) == 0);
    return ps_byte_reader_number(reader, 4, &certificate->length) &&
           ps_byte_reader_take(reader, certificate->length, &certificate->der);
}

/* Reads an entry without opening anything in it. Returns false if it is cut off or of an unknown kind. */
static bool read_entry(struct ps_byte_reader *reader, uint32_t version, struct jks_entry *entry)
{
    const uint8_t *date;
    struct jks_certificate unused;
    *entry = (struct jks_entry){.certificate_count = 1};
    if (!ps_byte_reader_number(reader, 4, &entry->tag) ||
        !read_text(reader, &entry->alias, &entry->alias_length) || !ps_byte_reader_take(reader, 8, &date) ||
        (entry->tag != JKS_TAG_KEY && entry->tag != JKS_TAG_TRUSTED))
        return false;
    if (entry->tag == JKS_TAG_KEY && (!ps_byte_reader_number(reader, 4, &entry->sealed_length) ||
                                      !ps_byte_reader_take(reader, entry->sealed_length, &entry->sealed) ||
                                      !ps_byte_reader_number(reader, 4, &entry->certificate_count)))
        return false;
    entry->certificates = *reader;
    for (uint32_t i = 0; i < entry->certificate_count; i++) {
        if (!read_certificate(reader, version, &unused))
            return false;
    }
    return true;
}

/* Computes the SHA-1 of a password, as Java's JKS hashes it (UTF-16, high byte first), and two more texts.
 * OpenSSL takes bytes that are not UTF-8 as ISO-8859-1. */
static bool digest(uint8_t out[JKS_DIGEST_BYTES], const char *password, const void *a, size_t a_length,
                   const void *b, size_t b_length)
{
    unsigned char *wide = NULL;
    int wide_length = 0; /* with two zero bytes at the end */
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool good = context != NULL && OPENSSL_utf82uni(password, -1, &wide, &wide_length) != NULL &&
                EVP_DigestInit_ex(context, EVP_sha1(), NULL) &&
                EVP_DigestUpdate(context, wide, (size_t)wide_length - 2) &&
                EVP_DigestUpdate(context, a, a_length) && EVP_DigestUpdate(context, b, b_length) &&
                EVP_DigestFinal_ex(context, out, NULL);
    OPENSSL_clear_free(wide, (size_t)wide_length);
    EVP_MD_CTX_free(context);
    return good;
}

/* Decrypts a key of Java's key protector into `plain` (length - 40 bytes). Returns false if the password is
 * wrong. */
static bool key_unprotect(uint8_t *plain, const uint8_t *data, size_t length, const char *password)
{
    size_t plain_length = length - 2 * JKS_DIGEST_BYTES;
    const uint8_t *sealed = data + JKS_DIGEST_BYTES;
    uint8_t block[JKS_DIGEST_BYTES], check[JKS_DIGEST_BYTES];
    memcpy(block, data, sizeof block);
    for (size_t at = 0; at < plain_length; at += sizeof block) {
        if (!digest(block, password, block, sizeof block, NULL, 0))
            return false;
        for (size_t i = 0; i < sizeof block && at + i < plain_length; i++)
            plain[at + i] = sealed[at + i] ^ block[i];
    }
    bool good = digest(check, password, plain, plain_length, NULL, 0) &&
                CRYPTO_memcmp(check, data + length - JKS_DIGEST_BYTES, JKS_DIGEST_BYTES) == 0;
    OPENSSL_cleanse(block, sizeof block);
    return good;
}

/* Decrypts an EncryptedPrivateKeyInfo. Returns NULL with a message. */
static EVP_PKEY *key_open(const struct jks *jks, const struct jks_entry *entry)
{
    static const char protector[] = "1.3.6.1.4.1.42.2.17.1.1";
    const unsigned char *at = entry->sealed;
    X509_SIG *sealed = d2i_X509_SIG(NULL, &at, (long)entry->sealed_length);
    const X509_ALGOR *algorithm = NULL;
    const ASN1_OCTET_STRING *octets = NULL;
    const ASN1_OBJECT *object = NULL;
    const char *password = jks->input->key_password != NULL ? jks->input->key_password : "";
    char name[64] = "";
    uint8_t *plain = NULL;
    EVP_PKEY *key = NULL;

    if (sealed == NULL) {
        ps_err_set(jks->err, "a private key entry is not an EncryptedPrivateKeyInfo");
        return NULL;
    }
    X509_SIG_get0(sealed, &algorithm, &octets);
    X509_ALGOR_get0(&object, NULL, NULL, algorithm);
    OBJ_obj2txt(name, sizeof name, object, 1);
    size_t octets_length = (size_t)ASN1_STRING_length(octets);
    if (strcmp(name, protector) != 0) {
        ps_err_set(jks->err, "a private key is protected with %s, which JKS stores do not use", name);
        goto out;
    }
    if (octets_length <= 2 * JKS_DIGEST_BYTES) {
        ps_err_set(jks->err, "a private key entry is too short");
        goto out;
    }
    plain = ps_must_alloc(1, octets_length, "a key store");
    if (!key_unprotect(plain, ASN1_STRING_get0_data(octets), octets_length, password)) {
        jks->input->blame = PS_KEYSTORE_KEY_PASSWORD;
        ps_err_set(jks->err, "wrong password for the private key");
        goto out;
    }
    at = plain;
    PKCS8_PRIV_KEY_INFO *info =
        d2i_PKCS8_PRIV_KEY_INFO(NULL, &at, (long)(octets_length - 2 * JKS_DIGEST_BYTES));
    key = info != NULL ? EVP_PKCS82PKEY(info) : NULL;
    PKCS8_PRIV_KEY_INFO_free(info);
    if (key == NULL)
        ps_err_set(jks->err, "a private key was decrypted, but OpenSSL cannot use it");
out:
    if (plain != NULL)
        OPENSSL_cleanse(plain, octets_length);
    free(plain);
    X509_SIG_free(sealed);
    return key;
}

static X509 *certificate_open(const struct jks_certificate *certificate)
{
    const unsigned char *at = certificate->der;
    return d2i_X509(NULL, &at, (long)certificate->length);
}

static STACK_OF(X509) * chain_open(const struct jks *jks, const struct jks_entry *entry)
{
    if (entry->certificate_count > PS_KEYSTORE_CHAIN_MAX) {
        ps_err_set(jks->err, "a certificate chain is longer than %d", PS_KEYSTORE_CHAIN_MAX);
        return NULL;
    }
    STACK_OF(X509) *chain = sk_X509_new_null();
    struct ps_byte_reader reader = entry->certificates;
    for (uint32_t i = 0; chain != NULL && i < entry->certificate_count; i++) {
        struct jks_certificate one;
        X509 *certificate = NULL;
        if (read_certificate(&reader, jks->version, &one) && one.is_x509)
            certificate = certificate_open(&one);
        if (certificate == NULL || sk_X509_push(chain, certificate) <= 0) {
            X509_free(certificate);
            sk_X509_pop_free(chain, X509_free);
            ps_err_set(jks->err, "a certificate of a chain is broken or not X.509");
            return NULL;
        }
    }
    return chain;
}

static enum ps_status add_key(const struct jks *jks, const struct jks_entry *entry)
{
    if (entry->certificate_count == 0) /* neither TLS nor Java's key manager can use it */
        return PS_OK;
    STACK_OF(X509) *chain = chain_open(jks, entry);
    if (chain == NULL)
        return PS_FAIL;
    if (jks->input->trust_only) {
        enum ps_status status = ps_keystore_add_trusted(jks->store, sk_X509_value(chain, 0));
        sk_X509_pop_free(chain, X509_free);
        return status == PS_OK ? PS_OK : ps_err_set(jks->err, "too many certificates");
    }
    EVP_PKEY *key = key_open(jks, entry);
    if (key == NULL || X509_check_private_key(sk_X509_value(chain, 0), key) != 1) {
        if (key != NULL)
            ps_err_set(jks->err, "a private key does not belong to its certificate");
        EVP_PKEY_free(key);
        sk_X509_pop_free(chain, X509_free);
        return PS_FAIL;
    }
    if (ps_keystore_add_key(jks->store, (const char *)entry->alias, entry->alias_length, key, chain) != PS_OK)
        return ps_err_set(jks->err, "too many entries");
    return PS_OK;
}

/* Adds a trusted certificate; one that is not X.509 is skipped. */
static enum ps_status add_trusted(const struct jks *jks, const struct jks_entry *entry)
{
    struct ps_byte_reader reader = entry->certificates;
    struct jks_certificate one;
    if (!read_certificate(&reader, jks->version, &one) || !one.is_x509)
        return PS_OK;
    X509 *certificate = certificate_open(&one);
    if (certificate == NULL)
        return ps_err_set(jks->err, "a trusted certificate is broken");
    enum ps_status status = ps_keystore_add_trusted(jks->store, certificate);
    X509_free(certificate);
    return status == PS_OK ? PS_OK : ps_err_set(jks->err, "too many certificates");
}

static bool integrity_holds(const struct ps_keystore_input *input)
{
    static const char phrase[] = "Mighty Aphrodite";
    uint8_t sum[JKS_DIGEST_BYTES];
    size_t body = input->length - JKS_DIGEST_BYTES;
    return digest(sum, input->password, phrase, sizeof phrase - 1, input->data, body) &&
           CRYPTO_memcmp(sum, input->data + body, sizeof sum) == 0;
}

/* Returns whether the file has all its entries and nothing else. */
static bool structure_holds(struct ps_byte_reader reader, uint32_t version, uint32_t count)
{
    struct jks_entry unused;
    for (uint32_t i = 0; i < count; i++) {
        if (!read_entry(&reader, version, &unused))
            return false;
    }
    return reader.left == 0;
}

enum ps_status ps_keystore_jks(struct ps_keystore *store, struct ps_keystore_input *input, struct ps_err *err)
{
    uint32_t magic, version, count;
    if (input->length < 12 + JKS_DIGEST_BYTES)
        return ps_err_set(err, "the JKS store is cut off");
    struct ps_byte_reader reader = {.data = input->data, .left = input->length - JKS_DIGEST_BYTES};
    if (!ps_byte_reader_number(&reader, 4, &magic) || magic != 0xfeedfeed ||
        !ps_byte_reader_number(&reader, 4, &version) || !ps_byte_reader_number(&reader, 4, &count))
        return ps_err_set(err, "not a JKS store");
    if (version != 1 && version != 2)
        return ps_err_set(err, "the JKS store has version %u; only 1 and 2 are supported", version);
    if (count > PS_KEYSTORE_ENTRIES_MAX)
        return ps_err_set(err, "the JKS store has %u entries; at most %d are read", count,
                          PS_KEYSTORE_ENTRIES_MAX);
    if (!structure_holds(reader, version, count))
        return ps_err_set(err, "the JKS store is cut off or broken");
    if (input->password != NULL && !integrity_holds(input)) {
        input->blame = PS_KEYSTORE_PASSWORD;
        return ps_err_set(err, "wrong password (or the store was altered after it was written)");
    }
    const struct jks jks = {.store = store, .input = input, .version = version, .err = err};
    struct jks_entry entry;
    for (uint32_t i = 0; i < count && read_entry(&reader, version, &entry); i++) {
        if ((entry.tag == JKS_TAG_KEY ? add_key(&jks, &entry) : add_trusted(&jks, &entry)) != PS_OK)
            return PS_FAIL;
    }
    return PS_OK;
}
