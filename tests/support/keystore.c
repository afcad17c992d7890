#include "tests/support/keystore.h"
#include "tests/support/source_tree.h"

#include <openssl/x509.h>
#include <stdio.h>

const char *ps_test_store_fixture(const char *name)
{
    char path[256];
    (void)snprintf(path, sizeof path, "tests/stages/data/stores/%s", name);
    return ps_test_source_path(path);
}

struct ps_keystore *ps_test_store_open(const char *path, const char *type, const char *password,
                                       const char *key_password, struct ps_err *err)
{
    struct ps_keystore *store = NULL;
    struct ps_keystore_request request = {.path = path,
                                          .type = type,
                                          .password = password,
                                          .key_password = key_password,
                                          .path_key = "ssl.keystore.location",
                                          .password_key = "ssl.keystore.password",
                                          .key_password_key = "ssl.key.password"};
    enum ps_status status = ps_keystore_open(&store, &request, err);
    assert_int_equal(status == PS_OK, store != NULL);
    return store;
}

/* Opens a store, expects success, and checks the number of its entries. */
struct ps_keystore *ps_test_store_expect(const char *path, const char *type, const char *password,
                                         const char *key_password, const char *kind, size_t keys, int trusted)
{
    struct ps_err err = {.length = 0};
    struct ps_keystore *store = ps_test_store_open(path, type, password, key_password, &err);
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

void ps_test_store_expect_fault(const char *path, const char *type, const char *password,
                                const char *key_password, const char *blamed, const char *words)
{
    struct ps_err err = {.length = 0};
    struct ps_keystore *store = ps_test_store_open(path, type, password, key_password, &err);
    assert_null(store);
    const char *from = strstr(err.text, "password from");
    char source[40];
    (void)snprintf(source, sizeof source, ", %s from", blamed != NULL ? blamed : "");
    if ((from != NULL) != (blamed != NULL) || (blamed != NULL && strstr(err.text, source) == NULL) ||
        strstr(err.text, words) == NULL || strstr(err.text, path) == NULL ||
        strstr(err.text, "ssl.keystore.location") == NULL)
        fail_msg("%s: expected \"%s\": %s", path, words, err.text);
    if (password != NULL && strlen(password) > 3)
        assert_null(strstr(err.text, password)); /* never printed */
}

void ps_test_store_write(const char *path, const void *data, size_t length)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, length, file), length);
    assert_int_equal(fclose(file), 0);
}

size_t ps_test_store_read(const char *path, uint8_t *data, size_t room)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    size_t length = fread(data, 1, room, file);
    fclose(file);
    assert_true(length > 0 && length < room);
    return length;
}
