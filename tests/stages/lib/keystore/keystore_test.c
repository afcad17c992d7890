/* Key stores: committed ones of every kind (tests/stages/data/stores/make.sh) and, if keytool is installed, ones that it
 * makes during the test. Stores that are made byte by byte: jks_test.c. */
#include "tests/support/folder.h"
#include "tests/support/keystore.h"

#include "core/base.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <unistd.h>

#define PASSWORD PS_TEST_STORE_PASSWORD

static void test_kinds(void **state)
{
    struct ps_keystore *store =
        ps_test_store_expect(ps_test_store_fixture("chain.jks"), "JKS", PASSWORD, "keysecret", "JKS", 1, 1);
    assert_string_equal(store->keys[0].alias, "server");
    assert_int_equal(sk_X509_num(store->keys[0].chain), 3); /* leaf, intermediate, root */
    char *chain = ps_keystore_certificates_pem(store->keys[0].chain);
    char expected[16384];
    size_t length =
        ps_test_store_read(ps_test_store_fixture("leaf.pem"), (uint8_t *)expected, sizeof expected);
    assert_memory_equal(chain, expected, length); /* the leaf is first */
    ps_keystore_wipe(chain);
    ps_keystore_close(store);

    store = ps_test_store_expect(ps_test_store_fixture("several.jks"), "JKS", PASSWORD, NULL, "JKS", 2,
                                 3); /* two leaves and the root */
    int kinds = EVP_PKEY_get_base_id(store->keys[0].key) + EVP_PKEY_get_base_id(store->keys[1].key);
    assert_int_equal(kinds, EVP_PKEY_RSA + EVP_PKEY_EC);
    ps_keystore_close(store);

    store =
        ps_test_store_expect(ps_test_store_fixture("server.p12"), "PKCS12", PASSWORD, NULL, "PKCS12", 1, 1);
    assert_int_equal(sk_X509_num(store->keys[0].chain), 3);
    assert_string_equal(store->keys[0].alias, "server");
    ps_keystore_close(store);
    ps_keystore_close(
        ps_test_store_expect(ps_test_store_fixture("java.p12"), "PKCS12", PASSWORD, NULL, "PKCS12", 1, 1));
    ps_keystore_close(
        ps_test_store_expect(ps_test_store_fixture("legacy.p12"), "PKCS12", PASSWORD, NULL, "PKCS12", 1, 1));
    ps_keystore_close(
        ps_test_store_expect(ps_test_store_fixture("trust.p12"), "PKCS12", PASSWORD, NULL, "PKCS12", 0, 1));
    ps_keystore_close(ps_test_store_expect(ps_test_store_fixture("certificates-only.p12"), "PKCS12", PASSWORD,
                                           NULL, "PKCS12", 0, 1));
    ps_keystore_close(
        ps_test_store_expect(ps_test_store_fixture("trust.jks"), "JKS", PASSWORD, NULL, "JKS", 0, 1));

    store = ps_test_store_expect(ps_test_store_fixture("server.pem"), "PEM", NULL, NULL, "PEM", 1, 1);
    assert_int_equal(sk_X509_num(store->keys[0].chain), 3);
    ps_keystore_close(store);
    ps_keystore_close(ps_test_store_expect(ps_test_store_fixture("server-encrypted.pem"), "PEM", NULL,
                                           PASSWORD, "PEM", 1, 1));
    ps_keystore_close(
        ps_test_store_expect(ps_test_store_fixture("root.pem"), "PEM", NULL, NULL, "PEM", 0, 1));
}

/* JDK 9 and later: the kind is detected from the bytes, not from the type. A trust store may be read without
 * its password. */
static void test_type_is_only_a_hint(void **state)
{
    ps_keystore_close(
        ps_test_store_expect(ps_test_store_fixture("server.p12"), "JKS", PASSWORD, NULL, "PKCS12", 1, 1));
    ps_keystore_close(
        ps_test_store_expect(ps_test_store_fixture("trust.jks"), "PKCS12", PASSWORD, NULL, "JKS", 0, 1));
    ps_keystore_close(
        ps_test_store_expect(ps_test_store_fixture("server.pem"), NULL, NULL, NULL, "PEM", 1, 1));
    ps_keystore_close(
        ps_test_store_expect(ps_test_store_fixture("trust.jks"), NULL, NULL, NULL, "JKS", 0, 1));
}

static void test_wrong_passwords(void **state)
{
    static const char *const stores[] = {"chain.jks", "several.jks", "trust.jks", "server.p12",
                                         "java.p12",  "legacy.p12",  "trust.p12"};
    for (size_t i = 0; i < PS_COUNT_OF(stores); i++) {
        ps_test_store_expect_fault(ps_test_store_fixture(stores[i]), NULL, "Mistaken99", NULL, "password",
                                   "password from ssl.keystore.password");
        ps_test_store_expect_fault(ps_test_store_fixture(stores[i]), NULL, "", NULL, "password",
                                   "ssl.keystore.password");
    }
    ps_test_store_expect_fault(ps_test_store_fixture("chain.jks"), NULL, PASSWORD, "Mistaken99",
                               "key password", "password from ssl.key.password");
    ps_test_store_expect_fault(ps_test_store_fixture("chain.jks"), NULL, PASSWORD, NULL, "key password",
                               "password from ssl.keystore.password"); /* the key has another password */
    ps_test_store_expect_fault(ps_test_store_fixture("server-encrypted.pem"), NULL, NULL, "Mistaken99",
                               "key password", "ssl.key.password");
    ps_test_store_expect_fault(ps_test_store_fixture("server-encrypted.pem"), NULL, NULL, NULL,
                               "key password", "no key password");
    ps_test_store_expect_fault(ps_test_store_fixture("server.p12"), NULL, NULL, NULL, "password",
                               "no password");
    /* A key store used as a trust store needs no key password. */
    struct ps_keystore *store = NULL;
    struct ps_keystore_request request = {.path = ps_test_store_fixture("chain.jks"),
                                          .password = PASSWORD,
                                          .trust_only = true,
                                          .path_key = "ssl.truststore.location",
                                          .password_key = "ssl.truststore.password"};
    assert_int_equal(ps_keystore_open(&store, &request, NULL), PS_OK);
    assert_int_equal(store->key_count, 0);
    assert_int_equal(sk_X509_num(store->trusted), 1);
    ps_keystore_close(store);
}

static void test_unreadable_and_foreign(void **state)
{
    ps_test_store_expect_fault("/nowhere/store.jks", "JKS", PASSWORD, NULL, NULL, "No such file");
    ps_test_store_expect_fault("/", "JKS", PASSWORD, NULL, NULL, "not a regular file");
    ps_test_store_expect_fault(ps_test_store_fixture("old.jceks"), "JCEKS", PASSWORD, NULL, NULL,
                               "keytool -importkeystore -srcstoretype JCEKS");
    ps_test_store_write(ps_test_folder_path("text"), "not a store at all", 18);
    ps_test_store_expect_fault(ps_test_folder_path("text"), "JKS", PASSWORD, NULL, NULL, "not a JKS, PKCS12");
    ps_test_store_expect_fault(ps_test_folder_path("text"), "BCFKS", PASSWORD, NULL, NULL,
                               "keytool -importkeystore -srcstoretype BCFKS");
    ps_test_store_write(ps_test_folder_path("empty"), "", 0);
    ps_test_store_expect_fault(ps_test_folder_path("empty"), "JKS", PASSWORD, NULL, NULL, "empty");
    for (int more = 0; more <= 1; more++) {
        assert_int_equal(truncate(ps_test_folder_path("text"), PS_KEYSTORE_BYTES_MAX + more), 0);
        ps_test_store_expect_fault(ps_test_folder_path("text"), "JKS", PASSWORD, NULL, NULL,
                                   more > 0 ? "larger than 8 MiB" : "not a JKS, PKCS12");
    }
    ps_test_store_write(ps_test_folder_path("cut.pem"), "-----BEGIN CERTIFICATE-----\nMIIB\n", 33);
    ps_test_store_expect_fault(ps_test_folder_path("cut.pem"), "PEM", NULL, NULL, NULL, "cut off");
}

/* Every prefix of a store is refused without reading past its end (ASan checks it), as corrupt and not as a
 * wrong password. */
static void test_cut_off(void **state)
{
    static uint8_t data[16384];
    static const char *const stores[] = {"several.jks", "server.p12", "trust.p12"};
    for (size_t s = 0; s < PS_COUNT_OF(stores); s++) {
        size_t length = ps_test_store_read(ps_test_store_fixture(stores[s]), data, sizeof data);
        for (size_t cut = 1; cut < length; cut += 1 + cut / 37) {
            struct ps_err err = {.length = 0};
            ps_test_store_write(ps_test_folder_path("cut"), data, cut);
            assert_null(ps_test_store_open(ps_test_folder_path("cut"), NULL, PASSWORD, NULL, &err));
            if (strstr(err.text, "password from") != NULL)
                fail_msg("%s cut to %zu: %s", stores[s], cut, err.text);
        }
    }
}

/* Flipped bytes never cause a crash, and a JKS that is read with its password is never accepted with a flipped byte. */
static void test_altered(void **state)
{
    static uint8_t data[16384];
    uint64_t seed = ps_test_seed();
    size_t length = ps_test_store_read(ps_test_store_fixture("several.jks"), data, sizeof data);
    for (unsigned i = 0; i < 300; i++) {
        size_t at = ps_test_random(&seed) % length;
        uint8_t mask = (uint8_t)(1u << (ps_test_random(&seed) % 8));
        struct ps_err err = {.length = 0};
        data[at] ^= mask;
        ps_test_store_write(ps_test_folder_path("altered"), data, length);
        assert_null(ps_test_store_open(ps_test_folder_path("altered"), NULL, PASSWORD, NULL, &err));
        data[at] ^= mask;
    }
}

/* Writes the store with its iteration count of 0x010203 replaced by 0x7fffff, everywhere. */
static void write_slow(const char *path, PKCS12 *p12)
{
    uint8_t *bytes = NULL, *found;
    int length = i2d_PKCS12(p12, &bytes);
    unsigned count = 0;
    assert_true(length > 0);
    while ((found = memmem(bytes, (size_t)length, "\x02\x03\x01\x02\x03", 5)) != NULL) {
        memcpy(found + 2, "\x7f\xff\xff", 3);
        count++;
    }
    assert_true(count > 0);
    ps_test_store_write(path, bytes, (size_t)length);
    OPENSSL_free(bytes);
    PKCS12_free(p12);
}

/* A key whose password has the greatest length, and one byte more. */
static void test_longest_password(void **state)
{
    static char password[PS_KEYSTORE_PASSWORD_MAX + 2];
    memset(password, 'p', PS_KEYSTORE_PASSWORD_MAX);
    FILE *file = fopen(ps_test_store_fixture("server.pem"), "r");
    assert_non_null(file);
    EVP_PKEY *key = PEM_read_PrivateKey(file, NULL, NULL, NULL);
    rewind(file);
    X509 *certificate = PEM_read_X509(file, NULL, NULL, NULL);
    fclose(file);
    assert_true(key != NULL && certificate != NULL);
    BIO *bio = BIO_new(BIO_s_mem());
    assert_int_equal(PEM_write_bio_PKCS8PrivateKey(bio, key, EVP_aes_256_cbc(), password,
                                                   PS_KEYSTORE_PASSWORD_MAX, NULL, NULL),
                     1);
    assert_int_equal(PEM_write_bio_X509(bio, certificate), 1);
    char *data;
    long length = BIO_get_mem_data(bio, &data);
    ps_test_store_write(ps_test_folder_path("longest.pem"), data, (size_t)length);
    ps_keystore_close(
        ps_test_store_expect(ps_test_folder_path("longest.pem"), "PEM", NULL, password, "PEM", 1, 1));
    password[PS_KEYSTORE_PASSWORD_MAX] = 'p';
    struct ps_err err = {.length = 0};
    assert_null(ps_test_store_open(ps_test_folder_path("longest.pem"), "PEM", NULL, password, &err));
    assert_non_null(strstr(err.text, "longer than 1024"));
    BIO_free(bio);
    X509_free(certificate);
    EVP_PKEY_free(key);
}

/* A store that asks for minutes of hashing is refused at once: by its MAC, its certificates, its key. */
static void test_slow_pkcs12(void **state)
{
    enum { SLOW = 0x010203, NONE = -1, FAST = 1 };
    static const struct {
        int key, certificate, iterations, mac;
    } cases[] = {
        {NONE, NONE, FAST, SLOW},
        {NONE, NID_aes_256_cbc, SLOW, NONE},
        {NID_aes_256_cbc, NONE, SLOW, NONE},
        {NID_pbe_WithSHA1And3_Key_TripleDES_CBC, NONE, SLOW, NONE},
    };
    FILE *file = fopen(ps_test_store_fixture("server.pem"), "r");
    assert_non_null(file);
    EVP_PKEY *key = PEM_read_PrivateKey(file, NULL, NULL, NULL);
    rewind(file);
    X509 *certificate = PEM_read_X509(file, NULL, NULL, NULL);
    fclose(file);
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        PKCS12 *p12 = PKCS12_create(PASSWORD, "one", key, certificate, NULL, cases[i].key,
                                    cases[i].certificate, cases[i].iterations, cases[i].mac, 0);
        assert_non_null(p12);
        write_slow(ps_test_folder_path("slow.p12"), p12);
        ps_test_store_expect_fault(ps_test_folder_path("slow.p12"), NULL, PASSWORD, NULL, NULL,
                                   "password iterations");
    }
    X509_free(certificate);
    EVP_PKEY_free(key);
}

/* A PEM on one line with blanks for line ends, as in a .properties file. */
static void test_inline_pem(void **state)
{
    static char text[16384];
    size_t length = ps_test_store_read(ps_test_store_fixture("server.pem"), (uint8_t *)text, sizeof text - 1);
    text[length] = '\0';
    for (size_t i = 0; i < length; i++) {
        if (text[i] == '\n')
            text[i] = ' ';
    }
    struct ps_err err = {.length = 0};
    struct ps_keystore *store = NULL;
    struct ps_keystore_request request = {
        .text = text, .type = "PEM", .path_key = "ssl.keystore.key", .password_key = "ssl.key.password"};
    if (ps_keystore_open(&store, &request, &err) != PS_OK)
        fail_msg("%s", err.text);
    assert_int_equal(store->key_count, 1);
    assert_int_equal(sk_X509_num(store->keys[0].chain), 3);
    ps_keystore_close(store);
    request.text = "-----BEGIN PRIVATE KEY----- AAAA -----END PRIVATE KEY-----";
    assert_int_equal(ps_keystore_open(&store, &request, &err), PS_FAIL);
    assert_null(strstr(err.text, "password from"));
    assert_non_null(strstr(err.text, "ssl.keystore.key"));
}

static int shell(const char *format, const char *arguments)
{
    char line[2048];
    snprintf(line, sizeof line, "keytool -J-Xshare:auto -J-XX:TieredStopAtLevel=1 %s %s >/dev/null 2>&1",
             format, arguments);
    return system(line);
}

/* Stores of the keytool that is installed here. */
static void test_keytool(void **state)
{
    if (system("command -v keytool >/dev/null 2>&1") != 0)
        ps_test_skip("keytool is not installed");
    char arguments[1024];
    snprintf(arguments, sizeof arguments,
             "-genkeypair -alias one -keyalg RSA -keysize 2048 -dname CN=x -storetype JKS -keystore %s/k.jks "
             "-storepass storepass1 "
             "-keypass keypass22",
             ps_test_folder());
    assert_int_equal(shell("", arguments), 0);
    ps_keystore_close(
        ps_test_store_expect(ps_test_folder_path("k.jks"), "JKS", "storepass1", "keypass22", "JKS", 1, 1));
    ps_test_store_expect_fault(ps_test_folder_path("k.jks"), "JKS", "storepass2", "keypass22", "password",
                               "ssl.keystore.password");
    ps_test_store_expect_fault(ps_test_folder_path("k.jks"), "JKS", "storepass1", "keypass23", "key password",
                               "ssl.key.password");

    snprintf(arguments, sizeof arguments,
             "-genkeypair -alias two -keyalg EC -groupname secp384r1 -dname CN=x -keystore %s/k.p12 "
             "-storepass storepass1",
             ps_test_folder());
    assert_int_equal(shell("", arguments), 0);
    ps_keystore_close(
        ps_test_store_expect(ps_test_folder_path("k.p12"), "JKS", "storepass1", NULL, "PKCS12", 1, 1));
    ps_test_store_expect_fault(ps_test_folder_path("k.p12"), "JKS", "storepass2", NULL, "password",
                               "ssl.keystore.password");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, ps_test_folder_setup, ps_test_folder_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_kinds),
        TEST(test_type_is_only_a_hint),
        TEST(test_wrong_passwords),
        TEST(test_unreadable_and_foreign),
        TEST(test_cut_off),
        TEST(test_altered),
        TEST(test_slow_pkcs12),
        TEST(test_inline_pem),
        TEST(test_longest_password),
        TEST(test_keytool),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
