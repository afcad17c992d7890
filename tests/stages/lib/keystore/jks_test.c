/* JKS stores made byte by byte: versions, passwords, counts, lengths, key entries. */
#include "tests/support/folder.h"
#include "tests/support/keystore.h"

#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/sha.h>
#include <openssl/x509.h>
#include <stdio.h>

struct jks {
    uint8_t data[65536];
    size_t length;
};

static void jks_put(struct jks *jks, const void *data, size_t length)
{
    assert_true(jks->length + length <= sizeof jks->data);
    memcpy(jks->data + jks->length, data, length);
    jks->length += length;
}

static void jks_u4(struct jks *jks, uint32_t value)
{
    uint8_t bytes[4] = {(uint8_t)(value >> 24), (uint8_t)(value >> 16), (uint8_t)(value >> 8),
                        (uint8_t)value};
    jks_put(jks, bytes, 4);
}

static void jks_text(struct jks *jks, const char *text)
{
    size_t length = strlen(text);
    uint8_t bytes[2] = {(uint8_t)(length >> 8), (uint8_t)length};
    jks_put(jks, bytes, 2);
    jks_put(jks, text, length);
}

static void jks_seal(struct jks *jks, const uint8_t *password, size_t length)
{
    uint8_t sum[SHA_DIGEST_LENGTH];
    static uint8_t all[2 * sizeof jks->data];
    memcpy(all, password, length);
    memcpy(all + length, "Mighty Aphrodite", 16);
    memcpy(all + length + 16, jks->data, jks->length);
    SHA1(all, length + 16 + jks->length, sum);
    jks_put(jks, sum, sizeof sum);
}

static size_t root_der(uint8_t *der, size_t room)
{
    FILE *file = fopen(ps_test_store_fixture("root.pem"), "r");
    assert_non_null(file);
    X509 *root = PEM_read_X509(file, NULL, NULL, NULL);
    fclose(file);
    int length = i2d_X509(root, NULL);
    assert_true(length > 0 && (size_t)length <= room);
    i2d_X509(root, &der);
    X509_free(root);
    return (size_t)length;
}

/* Version 1 (no certificate type), a password outside ASCII and outside the basic plane, and a certificate
 * that is not X.509. */
static void test_hand_made(void **state)
{
    uint8_t der[4096];
    size_t der_length = root_der(der, sizeof der);
    for (uint32_t version = 1; version <= 3; version++) {
        struct jks jks = {.length = 0};
        jks_u4(&jks, 0xfeedfeed);
        jks_u4(&jks, version);
        jks_u4(&jks, version == 2 ? 2 : 1);
        for (unsigned entry = 0; entry < (version == 2 ? 2u : 1u); entry++) {
            jks_u4(&jks, 2);
            jks_text(&jks, "root");
            jks_u4(&jks, 0);
            jks_u4(&jks, 0);
            if (version == 2)
                jks_text(&jks, entry == 0 ? "X.509" : "PGP");
            jks_u4(&jks, (uint32_t)der_length);
            jks_put(&jks, der, der_length);
        }
        static const uint8_t utf16[] = {0x00, 'p', 0x00, 0xe4, 0x20, 0xac, 0xd8, 0x3d, 0xdd, 0x11};
        jks_seal(&jks, utf16, sizeof utf16);
        ps_test_store_write(ps_test_folder_path("hand.jks"), jks.data, jks.length);
        if (version == 3) {
            ps_test_store_expect_fault(ps_test_folder_path("hand.jks"), NULL,
                                       "p\xc3\xa4\xe2\x82\xac\xf0\x9f\x94\x91", NULL, NULL, "version 3");
            continue;
        }
        ps_keystore_close(ps_test_store_expect(ps_test_folder_path("hand.jks"), NULL,
                                               "p\xc3\xa4\xe2\x82\xac\xf0\x9f\x94\x91", NULL, "JKS", 0, 1));
        ps_test_store_expect_fault(ps_test_folder_path("hand.jks"), NULL, "p\xc3\xa4\xe2\x82\xac", NULL,
                                   "password", "wrong password");
    }
}

/* Counts and lengths larger than the input. */
static void test_hostile_counts(void **state)
{
    static const uint32_t counts[] = {2, 4096, 4097, 0x7fffffff, 0xffffffff};
    for (size_t i = 0; i < PS_COUNT_OF(counts); i++) {
        for (uint32_t tag = 0; tag <= 3; tag++) {
            struct jks jks = {.length = 0};
            jks_u4(&jks, 0xfeedfeed);
            jks_u4(&jks, 2);
            jks_u4(&jks, counts[i]);
            jks_u4(&jks, tag);
            jks_text(&jks, "a");
            jks_u4(&jks, 0);
            jks_u4(&jks, 0);
            jks_u4(&jks, tag == 1 ? 0 : counts[i]);
            jks_u4(&jks, counts[i]);
            jks_seal(&jks, (const uint8_t *)"\0p", 2);
            ps_test_store_write(ps_test_folder_path("hostile.jks"), jks.data, jks.length);
            ps_test_store_expect_fault(ps_test_folder_path("hostile.jks"), NULL, "p", NULL, NULL,
                                       "JKS store");
            ps_test_store_expect_fault(ps_test_folder_path("hostile.jks"), NULL, NULL, NULL, NULL,
                                       "JKS store");
        }
    }
}

/* Begins a store of version 2 with one entry. */
static void jks_begin(struct jks *jks, uint32_t tag)
{
    *jks = (struct jks){.length = 0};
    jks_u4(jks, 0xfeedfeed);
    jks_u4(jks, 2);
    jks_u4(jks, 1);
    jks_u4(jks, tag);
    jks_text(jks, "one");
    jks_u4(jks, 0);
    jks_u4(jks, 0);
}

static void jks_certificate(struct jks *jks, const uint8_t *der, size_t length)
{
    jks_text(jks, "X.509");
    jks_u4(jks, (uint32_t)length);
    jks_put(jks, der, length);
}

/* Bytes after the last entry: the digest covers them, but the store has more bytes than its entries. */
static void test_trailing_bytes(void **state)
{
    uint8_t der[4096];
    size_t der_length = root_der(der, sizeof der);
    for (size_t extra = 0; extra <= 20; extra++) {
        struct jks jks;
        jks_begin(&jks, 2);
        jks_certificate(&jks, der, der_length);
        jks_put(&jks, "twenty bytes of more", extra);
        jks_seal(&jks, (const uint8_t *)"\0p", 2);
        ps_test_store_write(ps_test_folder_path("trailing.jks"), jks.data, jks.length);
        for (unsigned i = 0; i < 2; i++) { /* with and without a password */
            const char *password = i == 0 ? "p" : NULL;
            if (extra == 0)
                ps_keystore_close(ps_test_store_expect(ps_test_folder_path("trailing.jks"), NULL, password,
                                                       NULL, "JKS", 0, 1));
            else
                ps_test_store_expect_fault(ps_test_folder_path("trailing.jks"), NULL, password, NULL, NULL,
                                           "broken");
        }
    }
}

/* Java's key protector with the password "p" and a salt of zeros. Returns the length: 40 bytes more. */
static size_t protect(uint8_t *out, const uint8_t *plain, size_t length)
{
    uint8_t block[2 + SHA_DIGEST_LENGTH] = {0, 'p'}, last[2 + 4096] = {0, 'p'};
    memset(out, 0, SHA_DIGEST_LENGTH);
    for (size_t i = 0; i < length; i++) {
        if (i % SHA_DIGEST_LENGTH == 0) {
            uint8_t sum[SHA_DIGEST_LENGTH];
            SHA1(block, sizeof block, sum);
            memcpy(block + 2, sum, sizeof sum);
        }
        out[SHA_DIGEST_LENGTH + i] = plain[i] ^ block[2 + i % SHA_DIGEST_LENGTH];
    }
    assert_true(length <= sizeof last - 2);
    if (length > 0)
        memcpy(last + 2, plain, length);
    SHA1(last, 2 + length, out + SHA_DIGEST_LENGTH + length);
    return length + 2 * SHA_DIGEST_LENGTH;
}

/* Writes a store with one key entry, whose EncryptedPrivateKeyInfo has these octets, and one certificate. */
static void write_key_store(const char *path, const char *algorithm, const uint8_t *octets, size_t length,
                            const uint8_t *der, size_t der_length)
{
    struct jks jks;
    X509_ALGOR *kind = X509_ALGOR_new();
    ASN1_OCTET_STRING *string = ASN1_OCTET_STRING_new();
    assert_int_equal(X509_ALGOR_set0(kind, OBJ_txt2obj(algorithm, 1), V_ASN1_NULL, NULL), 1);
    assert_int_equal(ASN1_OCTET_STRING_set(string, octets, (int)length), 1);
    X509_SIG *sealed = X509_SIG_new();
    X509_ALGOR *own_kind;
    ASN1_OCTET_STRING *own_string;
    X509_SIG_getm(sealed, &own_kind, &own_string);
    assert_int_equal(X509_ALGOR_copy(own_kind, kind), 1);
    assert_int_equal(ASN1_STRING_copy(own_string, string), 1);
    uint8_t *bytes = NULL;
    int bytes_length = i2d_X509_SIG(sealed, &bytes);
    assert_true(bytes_length > 0);
    jks_begin(&jks, 1);
    jks_u4(&jks, (uint32_t)bytes_length);
    jks_put(&jks, bytes, (size_t)bytes_length);
    jks_u4(&jks, 1);
    jks_certificate(&jks, der, der_length);
    jks_seal(&jks, (const uint8_t *)"\0p", 2);
    ps_test_store_write(path, jks.data, jks.length);
    OPENSSL_free(bytes);
    X509_SIG_free(sealed);
    X509_ALGOR_free(kind);
    ASN1_OCTET_STRING_free(string);
}

/* Key entries that are shorter than salt and digest, that decrypt to no key, or belong to another algorithm or
 * certificate. */
static void test_key_entries(void **state)
{
    static const char protector[] = "1.3.6.1.4.1.42.2.17.1.1";
    uint8_t root[4096], leaf[4096], plain[4096], octets[4096 + 40], *at = leaf;
    size_t root_length = root_der(root, sizeof root), length;
    memset(plain, 7, sizeof plain);
    for (length = 0; length <= 40; length++) {
        write_key_store(ps_test_folder_path("key.jks"), protector, plain, length, root, root_length);
        ps_test_store_expect_fault(ps_test_folder_path("key.jks"), NULL, "p", NULL, NULL, "too short");
    }
    length = protect(octets, plain, 0);
    write_key_store(ps_test_folder_path("key.jks"), protector, octets, length, root, root_length);
    ps_test_store_expect_fault(ps_test_folder_path("key.jks"), NULL, "p", NULL, NULL, "too short");
    write_key_store(ps_test_folder_path("key.jks"), protector, plain, 41, root, root_length);
    ps_test_store_expect_fault(ps_test_folder_path("key.jks"), NULL, "p", NULL, "key password",
                               "wrong password");
    for (length = 1; length <= 61; length += 20) {
        write_key_store(ps_test_folder_path("key.jks"), protector, octets, protect(octets, plain, length),
                        root, root_length);
        ps_test_store_expect_fault(ps_test_folder_path("key.jks"), NULL, "p", NULL, NULL,
                                   "OpenSSL cannot use it");
    }
    write_key_store(ps_test_folder_path("key.jks"), "1.2.3.4", octets, protect(octets, plain, 60), root,
                    root_length);
    ps_test_store_expect_fault(ps_test_folder_path("key.jks"), NULL, "p", NULL, NULL, "1.2.3.4");

    FILE *file = fopen(ps_test_store_fixture("server.pem"), "r");
    assert_non_null(file);
    EVP_PKEY *key = PEM_read_PrivateKey(file, NULL, NULL, NULL);
    rewind(file);
    X509 *certificate = PEM_read_X509(file, NULL, NULL, NULL);
    fclose(file);
    assert_true(key != NULL && certificate != NULL);
    int leaf_length = i2d_X509(certificate, &at);
    PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(key);
    at = plain;
    int plain_length = i2d_PKCS8_PRIV_KEY_INFO(info, &at);
    length = protect(octets, plain, (size_t)plain_length);
    write_key_store(ps_test_folder_path("key.jks"), protector, octets, length, leaf, (size_t)leaf_length);
    ps_keystore_close(ps_test_store_expect(ps_test_folder_path("key.jks"), NULL, "p", NULL, "JKS", 1, 1));
    write_key_store(ps_test_folder_path("key.jks"), protector, octets, length, root, root_length);
    ps_test_store_expect_fault(ps_test_folder_path("key.jks"), NULL, "p", NULL, NULL, "does not belong");
    PKCS8_PRIV_KEY_INFO_free(info);
    X509_free(certificate);
    EVP_PKEY_free(key);
}

/* The longest chain that a key may have, and one certificate more. */
static void test_longest_chain(void **state)
{
    uint8_t der[4096];
    size_t der_length = root_der(der, sizeof der);
    for (uint32_t count = 32; count <= 33; count++) {
        static struct jks jks;
        jks_begin(&jks, 1);
        jks_u4(&jks, 0); /* the key itself, which a trust store does not decrypt */
        jks_u4(&jks, count);
        for (uint32_t i = 0; i < count; i++)
            jks_certificate(&jks, der, der_length);
        jks_seal(&jks, (const uint8_t *)"\0p", 2);
        ps_test_store_write(ps_test_folder_path("longest.jks"), jks.data, jks.length);
        struct ps_keystore_request request = {.path = ps_test_folder_path("longest.jks"),
                                              .password = "p",
                                              .path_key = "ts",
                                              .password_key = "tp",
                                              .trust_only = true};
        struct ps_keystore *store = NULL;
        struct ps_err err = {.length = 0};
        enum ps_status status = ps_keystore_open(&store, &request, &err);
        if (count == 33) {
            assert_int_equal(status, PS_FAIL);
            assert_non_null(strstr(err.text, "longer than 32"));
            continue;
        }
        if (status != PS_OK)
            fail_msg("%s", err.text);
        assert_int_equal(sk_X509_num(store->trusted), 1);
        ps_keystore_close(store);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, ps_test_folder_setup, ps_test_folder_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(test_hand_made), TEST(test_hostile_counts),
                                       TEST(test_trailing_bytes), TEST(test_key_entries),
                                       TEST(test_longest_chain)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
