/* Secret keys in a JCEKS store of keytool's: the bytes are those that java.security.KeyStore gives; each flipped byte
 * gives an error, or changes nothing. */
#include "stages/lib/encryption/jceks.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/support/folder.h"
#include "tests/support/support.h"

#define STORES "tests/stages/data/stores/"

static uint8_t bytes[65536];
static size_t length;

static int load_store(const char *name)
{
    char path[1024];
    const char *source = getenv("PENSTOCK_SOURCE");
    snprintf(path, sizeof path, "%s/" STORES "%s", source != NULL ? source : ".", name);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    length = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    return length > 0 ? 0 : -1;
}

static int load(void **state)
{
    return load_store("secret-keys.jceks");
}

/* Returns the key as text; NULL: the key cannot be read, and the error contains `reason`. */
static const char *key_of(const char *password, const char *name, const char *key_password,
                          const char *reason)
{
    static char text[2 * PS_KEY_BYTES_MAX + 1];
    struct ps_key_ring *ring = ps_key_ring_create();
    struct ps_jceks store = {bytes, length, password};
    struct ps_err err = {0};
    enum ps_status status = ps_jceks_add(ring, &store, name, key_password, &err);
    const struct ps_key *key = ps_key_ring_find(ring, name);
    assert_int_equal(status == PS_OK, key != NULL);
    for (size_t i = 0; key != NULL && i < key->length; i++)
        snprintf(text + 2 * i, 3, "%02x", key->bytes[i]);
    if (key == NULL && strstr(err.text, reason) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", err.text, reason);
    ps_key_ring_destroy(ring);
    return key != NULL ? text : NULL;
}

static void test_keys(void **state)
{
    assert_string_equal(key_of("storepass", "key-0", "keypasskey-0", ""), "43979b8f8f93e5674c5b8ef3d0163215");
    assert_string_equal(key_of("storepass", "Key-1", "keypassKey-1", ""),
                        "cf4c4ecb150ffffd8c9732d00af507b7757f29f63dbd091616194e4c166d6b08");
    assert_string_equal(key_of(NULL, "KEY-2", "keypasskey-2", ""),
                        "43eef380207195252791b5de9c5fb5b900fa56a19f1b8f68");
    assert_null(key_of("storepas", "key-0", "keypasskey-0", "the password of the store is wrong"));
    assert_null(key_of("storepass", "key-0", "keypasskey-2", "the password of key key-0 is wrong"));
    assert_null(key_of("storepass", "key-3", "keypasskey-0", "no secret key key-3"));
    assert_null(key_of("storepass", "pair", "keypass", "no secret key pair"));
    assert_null(key_of("storepass", "key-0", "k\303\244se", "beyond ASCII"));
    assert_null(key_of("storepass", "des", "keypassdes", "key des is"));
}

/* Both halves of the salt are 1 2 2 1 (KnownSalt.java): Java reads this key from the store. */
static void test_equal_halves_of_a_salt(void **state)
{
    assert_int_equal(load_store("equal-halves.jceks"), 0);
    assert_string_equal(key_of("storepass", "halves", "keypasshalves", ""),
                        "00112233445566778899aabbccddeeff");
}

static void test_flipped_bytes(void **state)
{
    for (size_t i = 0; i < length; i++) {
        bytes[i] ^= (uint8_t)(1U << i % 8);
        assert_null(key_of("storepass", "key-2", "keypasskey-2", ""));
        /* Without the store's password its digest is not checked: the result is an error, or a key of a length
         * that AES has. Few cases, because each takes up to a million rounds of MD5. */
        if (i % 397 == 0)
            (void)key_of(NULL, "key-2", "keypasskey-2", "");
        bytes[i] ^= (uint8_t)(1U << i % 8);
    }
    for (size_t whole = length; length > 0; length -= length > 97 ? 97 : length)
        if (length < whole)
            assert_null(key_of("storepass", "key-2", "keypasskey-2", ""));
}

/* A file that may be longer than the limit is refused; one below it is read as a whole. */
static void test_the_longest_file(void **state)
{
    const char *path = ps_test_folder_path("store");
    ps_test_folder_append("store", "x", 1);
    for (int more = -1; more <= 1; more++) {
        struct ps_err err = {.length = 0};
        size_t got;
        assert_int_equal(truncate(path, (off_t)PS_JCEKS_BYTES_MAX + more), 0);
        uint8_t *read = ps_jceks_file_read(path, &got, &err);
        assert_int_equal(read != NULL, more < 0);
        if (read != NULL)
            assert_int_equal(got, PS_JCEKS_BYTES_MAX - 1);
        else
            assert_non_null(strstr(err.text, "longer than 1 MiB"));
        free(read);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_keys, load),
        cmocka_unit_test(test_equal_halves_of_a_salt),
        cmocka_unit_test_setup(test_flipped_bytes, load),
        cmocka_unit_test_setup_teardown(test_the_longest_file, ps_test_folder_setup, ps_test_folder_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
