/* Key stores: committed ones of every kind (tests/stages/data/stores/make.sh), ones made here byte by byte,
 * and, if keytool is installed, ones that it makes during the test. */
#include "tests/support/support.h"

#include "core/base.h"
#include "stages/net/keystore.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <unistd.h>

#define PASSWORD "changeit"

static char folder[] = "/tmp/penstock-keystore-XXXXXX";

static const char *fixture(const char *name)
{
    static char path[4][512];
    static unsigned turn;
    const char *source = getenv("PENSTOCK_SOURCE");
    char *out = path[turn++ % 4];
    snprintf(out, sizeof path[0], "%s/tests/stages/data/stores/%s", source != NULL ? source : ".", name);
    return out;
}

static const char *made(const char *name)
{
    static char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static struct ps_keystore *open_store(const char *path, const char *type, const char *password,
                                      const char *key_password, enum ps_keystore_fault *fault,
                                      struct ps_err *err)
{
    struct ps_keystore *store = NULL;
    struct ps_keystore_request request = {.path = path,
                                          .type = type,
                                          .password = password,
                                          .key_password = key_password,
                                          .path_key = "ssl.keystore.location",
                                          .password_key = "ssl.keystore.password",
                                          .key_password_key = "ssl.key.password"};
    enum ps_status status = ps_keystore_open(&store, &request, fault, err);
    assert_int_equal(status == PS_OK, store != NULL);
    assert_int_equal(status == PS_OK, *fault == PS_KEYSTORE_SOUND);
    return store;
}

/* Opens a store, expects success, and checks the number of its entries. */
static struct ps_keystore *expect_store(const char *path, const char *type, const char *password,
                                        const char *key_password, const char *kind, size_t keys, int trusted)
{
    enum ps_keystore_fault fault;
    struct ps_err err = {.length = 0};
    struct ps_keystore *store = open_store(path, type, password, key_password, &fault, &err);
    if (store == NULL)
        fail_msg("%s: %s", path, err.text);
    assert_string_equal(store->kind, kind);
    assert_int_equal(store->key_count, keys);
    assert_int_equal(sk_X509_num(store->trusted), trusted);
    for (size_t i = 0; i < keys; i++) {
        assert_int_equal(X509_check_private_key(sk_X509_value(store->keys[i].chain, 0), store->keys[i].key),
                         1);
        char *pem = ps_keystore_key_pem(&store->keys[i]);
        assert_non_null(pem);
        assert_memory_equal(pem, "-----BEGIN PRIVATE KEY-----\n", 28);
        ps_keystore_wipe(pem);
    }
    return store;
}

static void expect_fault(const char *path, const char *type, const char *password, const char *key_password,
                         enum ps_keystore_fault expected, const char *words)
{
    enum ps_keystore_fault fault;
    struct ps_err err = {.length = 0};
    struct ps_keystore *store = open_store(path, type, password, key_password, &fault, &err);
    assert_null(store);
    if (fault != expected || strstr(err.text, words) == NULL || strstr(err.text, path) == NULL ||
        strstr(err.text, "ssl.keystore.location") == NULL)
        fail_msg("%s: fault %d, expected %d with \"%s\": %s", path, (int)fault, (int)expected, words,
                 err.text);
    if (password != NULL && strlen(password) > 3)
        assert_null(strstr(err.text, password)); /* never printed */
}

static void write_file(const char *path, const void *data, size_t length)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, length, file), length);
    assert_int_equal(fclose(file), 0);
}

static size_t read_file(const char *path, uint8_t *data, size_t room)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    size_t length = fread(data, 1, room, file);
    fclose(file);
    assert_true(length > 0 && length < room);
    return length;
}

static void test_kinds(void **state)
{
    (void)state;
    struct ps_keystore *store = expect_store(fixture("chain.jks"), "JKS", PASSWORD, "keysecret", "JKS", 1, 1);
    assert_string_equal(store->keys[0].alias, "server");
    assert_int_equal(sk_X509_num(store->keys[0].chain), 3); /* leaf, intermediate, root */
    char *chain = ps_keystore_certificates_pem(store->keys[0].chain, 0);
    char expected[16384];
    size_t length = read_file(fixture("leaf.pem"), (uint8_t *)expected, sizeof expected);
    assert_memory_equal(chain, expected, length); /* the leaf is first */
    ps_keystore_wipe(chain);
    assert_null(ps_keystore_certificates_pem(store->keys[0].chain, 3));
    ps_keystore_close(store);

    store = expect_store(fixture("several.jks"), "JKS", PASSWORD, NULL, "JKS", 2,
                         3); /* two leaves and the root */
    int kinds = EVP_PKEY_get_base_id(store->keys[0].key) + EVP_PKEY_get_base_id(store->keys[1].key);
    assert_int_equal(kinds, EVP_PKEY_RSA + EVP_PKEY_EC);
    ps_keystore_close(store);

    store = expect_store(fixture("server.p12"), "PKCS12", PASSWORD, NULL, "PKCS12", 1, 1);
    assert_int_equal(sk_X509_num(store->keys[0].chain), 3);
    assert_string_equal(store->keys[0].alias, "server");
    ps_keystore_close(store);
    ps_keystore_close(expect_store(fixture("java.p12"), "PKCS12", PASSWORD, NULL, "PKCS12", 1, 1));
    ps_keystore_close(expect_store(fixture("legacy.p12"), "PKCS12", PASSWORD, NULL, "PKCS12", 1, 1));
    ps_keystore_close(expect_store(fixture("trust.p12"), "PKCS12", PASSWORD, NULL, "PKCS12", 0, 1));
    ps_keystore_close(
        expect_store(fixture("certificates-only.p12"), "PKCS12", PASSWORD, NULL, "PKCS12", 0, 1));
    ps_keystore_close(expect_store(fixture("trust.jks"), "JKS", PASSWORD, NULL, "JKS", 0, 1));

    store = expect_store(fixture("server.pem"), "PEM", NULL, NULL, "PEM", 1, 1);
    assert_int_equal(sk_X509_num(store->keys[0].chain), 3);
    ps_keystore_close(store);
    ps_keystore_close(expect_store(fixture("server-encrypted.pem"), "PEM", NULL, PASSWORD, "PEM", 1, 1));
    ps_keystore_close(expect_store(fixture("root.pem"), "PEM", NULL, NULL, "PEM", 0, 1));
}

/* JDK 9 and later: the kind is detected from the bytes, not from the type. A trust store may be read without
 * its password. */
static void test_type_is_only_a_hint(void **state)
{
    (void)state;
    ps_keystore_close(expect_store(fixture("server.p12"), "JKS", PASSWORD, NULL, "PKCS12", 1, 1));
    ps_keystore_close(expect_store(fixture("trust.jks"), "PKCS12", PASSWORD, NULL, "JKS", 0, 1));
    ps_keystore_close(expect_store(fixture("server.pem"), NULL, NULL, NULL, "PEM", 1, 1));
    ps_keystore_close(expect_store(fixture("trust.jks"), NULL, NULL, NULL, "JKS", 0, 1));
}

static void test_wrong_passwords(void **state)
{
    (void)state;
    static const char *const stores[] = {"chain.jks", "several.jks", "trust.jks", "server.p12",
                                         "java.p12",  "legacy.p12",  "trust.p12"};
    for (size_t i = 0; i < PS_COUNT_OF(stores); i++) {
        expect_fault(fixture(stores[i]), NULL, "Mistaken99", NULL, PS_KEYSTORE_WRONG_PASSWORD,
                     "password from ssl.keystore.password");
        expect_fault(fixture(stores[i]), NULL, "", NULL, PS_KEYSTORE_WRONG_PASSWORD, "ssl.keystore.password");
    }
    expect_fault(fixture("chain.jks"), NULL, PASSWORD, "Mistaken99", PS_KEYSTORE_WRONG_KEY_PASSWORD,
                 "password from ssl.key.password");
    expect_fault(fixture("chain.jks"), NULL, PASSWORD, NULL, PS_KEYSTORE_WRONG_KEY_PASSWORD,
                 "password from ssl.keystore.password"); /* the key has another password */
    expect_fault(fixture("server-encrypted.pem"), NULL, NULL, "Mistaken99", PS_KEYSTORE_WRONG_KEY_PASSWORD,
                 "ssl.key.password");
    expect_fault(fixture("server-encrypted.pem"), NULL, NULL, NULL, PS_KEYSTORE_WRONG_KEY_PASSWORD,
                 "no key password");
    expect_fault(fixture("server.p12"), NULL, NULL, NULL, PS_KEYSTORE_WRONG_PASSWORD, "no password");
    /* A key store used as a trust store needs no key password. */
    struct ps_keystore *store = NULL;
    struct ps_keystore_request request = {.path = fixture("chain.jks"),
                                          .password = PASSWORD,
                                          .trust_only = true,
                                          .path_key = "ssl.truststore.location",
                                          .password_key = "ssl.truststore.password"};
    assert_int_equal(ps_keystore_open(&store, &request, NULL, NULL), PS_OK);
    assert_int_equal(store->key_count, 0);
    assert_int_equal(sk_X509_num(store->trusted), 1);
    ps_keystore_close(store);
}

static void test_unreadable_and_foreign(void **state)
{
    (void)state;
    expect_fault("/nowhere/store.jks", "JKS", PASSWORD, NULL, PS_KEYSTORE_UNREADABLE, "No such file");
    expect_fault("/", "JKS", PASSWORD, NULL, PS_KEYSTORE_UNREADABLE, "not a regular file");
    expect_fault(fixture("old.jceks"), "JCEKS", PASSWORD, NULL, PS_KEYSTORE_UNSUPPORTED,
                 "keytool -importkeystore -srcstoretype JCEKS");
    write_file(made("text"), "not a store at all", 18);
    expect_fault(made("text"), "JKS", PASSWORD, NULL, PS_KEYSTORE_CORRUPT, "not a JKS, PKCS12");
    expect_fault(made("text"), "BCFKS", PASSWORD, NULL, PS_KEYSTORE_UNSUPPORTED,
                 "keytool -importkeystore -srcstoretype BCFKS");
    write_file(made("empty"), "", 0);
    expect_fault(made("empty"), "JKS", PASSWORD, NULL, PS_KEYSTORE_CORRUPT, "empty");
    write_file(made("cut.pem"), "-----BEGIN CERTIFICATE-----\nMIIB\n", 33);
    expect_fault(made("cut.pem"), "PEM", NULL, NULL, PS_KEYSTORE_CORRUPT, "cut off");
}

/* Every prefix of a store is refused without reading past its end (ASan checks it), as corrupt and not as a
 * wrong password. */
static void test_cut_off(void **state)
{
    (void)state;
    static uint8_t data[16384];
    static const char *const stores[] = {"several.jks", "server.p12", "trust.p12"};
    for (size_t s = 0; s < PS_COUNT_OF(stores); s++) {
        size_t length = read_file(fixture(stores[s]), data, sizeof data);
        for (size_t cut = 1; cut < length; cut += 1 + cut / 37) {
            enum ps_keystore_fault fault;
            struct ps_err err = {.length = 0};
            write_file(made("cut"), data, cut);
            assert_null(open_store(made("cut"), NULL, PASSWORD, NULL, &fault, &err));
            if (fault != PS_KEYSTORE_CORRUPT)
                fail_msg("%s cut to %zu: fault %d: %s", stores[s], cut, (int)fault, err.text);
        }
    }
}

/* Flipped bytes never crash, and a JKS with a password is never accepted with one. */
static void test_altered(void **state)
{
    (void)state;
    static uint8_t data[16384];
    uint64_t seed = ps_test_seed();
    size_t length = read_file(fixture("several.jks"), data, sizeof data);
    for (unsigned i = 0; i < 300; i++) {
        size_t at = ps_test_random(&seed) % length;
        uint8_t mask = (uint8_t)(1u << (ps_test_random(&seed) % 8));
        enum ps_keystore_fault fault;
        struct ps_err err = {.length = 0};
        data[at] ^= mask;
        write_file(made("altered"), data, length);
        assert_null(open_store(made("altered"), NULL, PASSWORD, NULL, &fault, &err));
        data[at] ^= mask;
    }
}

struct jks {
    uint8_t data[8192];
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
    static uint8_t all[16384];
    memcpy(all, password, length);
    memcpy(all + length, "Mighty Aphrodite", 16);
    memcpy(all + length + 16, jks->data, jks->length);
    SHA1(all, length + 16 + jks->length, sum);
    jks_put(jks, sum, sizeof sum);
}

static size_t root_der(uint8_t *der, size_t room)
{
    FILE *file = fopen(fixture("root.pem"), "r");
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
    (void)state;
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
        write_file(made("hand.jks"), jks.data, jks.length);
        if (version == 3) {
            expect_fault(made("hand.jks"), NULL, "p\xc3\xa4\xe2\x82\xac\xf0\x9f\x94\x91", NULL,
                         PS_KEYSTORE_UNSUPPORTED, "version 3");
            continue;
        }
        ps_keystore_close(
            expect_store(made("hand.jks"), NULL, "p\xc3\xa4\xe2\x82\xac\xf0\x9f\x94\x91", NULL, "JKS", 0, 1));
        expect_fault(made("hand.jks"), NULL, "p\xc3\xa4\xe2\x82\xac", NULL, PS_KEYSTORE_WRONG_PASSWORD,
                     "wrong password");
    }
}

/* Counts and lengths larger than the input. */
static void test_hostile_counts(void **state)
{
    (void)state;
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
            write_file(made("hostile.jks"), jks.data, jks.length);
            expect_fault(made("hostile.jks"), NULL, "p", NULL, PS_KEYSTORE_CORRUPT, "JKS store");
            expect_fault(made("hostile.jks"), NULL, NULL, NULL, PS_KEYSTORE_CORRUPT, "JKS store");
        }
    }
}

/* A PEM on one line with blanks for line ends, as in a .properties file. */
static void test_inline_pem(void **state)
{
    (void)state;
    static char text[16384];
    size_t length = read_file(fixture("server.pem"), (uint8_t *)text, sizeof text - 1);
    text[length] = '\0';
    for (size_t i = 0; i < length; i++) {
        if (text[i] == '\n')
            text[i] = ' ';
    }
    struct ps_err err = {.length = 0};
    struct ps_keystore *store = NULL;
    struct ps_keystore_request request = {
        .text = text, .type = "PEM", .path_key = "ssl.keystore.key", .password_key = "ssl.key.password"};
    if (ps_keystore_open(&store, &request, NULL, &err) != PS_OK)
        fail_msg("%s", err.text);
    assert_int_equal(store->key_count, 1);
    assert_int_equal(sk_X509_num(store->keys[0].chain), 3);
    ps_keystore_close(store);
    request.text = "-----BEGIN PRIVATE KEY----- AAAA -----END PRIVATE KEY-----";
    enum ps_keystore_fault fault;
    assert_int_equal(ps_keystore_open(&store, &request, &fault, &err), PS_FAIL);
    assert_int_equal(fault, PS_KEYSTORE_CORRUPT);
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
    (void)state;
    if (system("command -v keytool >/dev/null 2>&1") != 0) {
        printf("SKIP: keytool is not installed\n");
        skip();
    }
    char arguments[1024];
    snprintf(arguments, sizeof arguments,
             "-genkeypair -alias one -keyalg RSA -keysize 2048 -dname CN=x -storetype JKS -keystore %s/k.jks "
             "-storepass storepass1 "
             "-keypass keypass22",
             folder);
    assert_int_equal(shell("", arguments), 0);
    ps_keystore_close(expect_store(made("k.jks"), "JKS", "storepass1", "keypass22", "JKS", 1, 1));
    expect_fault(made("k.jks"), "JKS", "storepass2", "keypass22", PS_KEYSTORE_WRONG_PASSWORD,
                 "ssl.keystore.password");
    expect_fault(made("k.jks"), "JKS", "storepass1", "keypass23", PS_KEYSTORE_WRONG_KEY_PASSWORD,
                 "ssl.key.password");

    snprintf(arguments, sizeof arguments,
             "-genkeypair -alias two -keyalg EC -groupname secp384r1 -dname CN=x -keystore %s/k.p12 "
             "-storepass storepass1",
             folder);
    assert_int_equal(shell("", arguments), 0);
    ps_keystore_close(expect_store(made("k.p12"), "JKS", "storepass1", NULL, "PKCS12", 1, 1));
    expect_fault(made("k.p12"), "JKS", "storepass2", NULL, PS_KEYSTORE_WRONG_PASSWORD,
                 "ssl.keystore.password");
}

int main(void)
{
    if (mkdtemp(folder) == NULL)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kinds),           cmocka_unit_test(test_type_is_only_a_hint),
        cmocka_unit_test(test_wrong_passwords), cmocka_unit_test(test_unreadable_and_foreign),
        cmocka_unit_test(test_cut_off),         cmocka_unit_test(test_altered),
        cmocka_unit_test(test_hand_made),       cmocka_unit_test(test_hostile_counts),
        cmocka_unit_test(test_inline_pem),      cmocka_unit_test(test_keytool),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    char line[600];
    snprintf(line, sizeof line, "rm -rf '%s'", folder);
    return system(line) == 0 ? failed : 1;
}
