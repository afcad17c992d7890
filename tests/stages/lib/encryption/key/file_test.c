/* Which files are keys: three forms, nothing else, and readable for one user only. Messages never have the key's bytes. */
#include "stages/lib/encryption/key/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/folder.h"
#include "tests/support/support.h"

static const char hex[] = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
static const char base64[] = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

/* Returns the length of the key 00 01 02 .. in these bytes; 0: there is no key, and the error contains `reason`. */
static size_t parsed(const char *bytes, size_t length, const char *reason)
{
    uint8_t key[PS_KEY_BYTES_MAX];
    struct ps_err err = {0};
    size_t found = ps_key_file_parse((const uint8_t *)bytes, length, key, &err);
    for (size_t i = 0; i < found; i++)
        assert_int_equal(key[i], i);
    if (found == 0 && strstr(err.text, reason) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", err.text, reason);
    assert_true(found > 0 || length < 8 || memmem(err.text, strlen(err.text), bytes, 8) == NULL);
    return found;
}

static void test_forms(void **state)
{
    static const size_t lengths[] = {16, 24, 32};
    char raw[33], text[80];
    for (size_t i = 0; i < sizeof raw; i++)
        raw[i] = (char)i;
    for (size_t i = 0; i < PS_COUNT_OF(lengths); i++) {
        size_t length = lengths[i];
        assert_int_equal(parsed(raw, length, ""), length);
        assert_int_equal(parsed(hex, 2 * length, ""), length);
        int with_end = snprintf(text, sizeof text, "%.*s\r\n", (int)(2 * length), hex);
        assert_int_equal(parsed(text, (size_t)with_end, ""), length);
        assert_int_equal(parsed(hex, 2 * length - 1, "its text is not a key"), 0);
        assert_int_equal(parsed(hex, 2 * length - 2, "its text is not a key"), 0);
    }
    assert_int_equal(parsed("000102030405060708090A0B0C0D0E0F", 32, ""), 16);
    assert_int_equal(parsed("AAECAwQFBgcICQoLDA0ODw==\n", 25, ""), 16);
    assert_int_equal(parsed("AAECAwQFBgcICQoLDA0ODxAREhMUFRYX", 32, ""), 24);
    assert_int_equal(parsed(base64, strlen(base64), ""), 32);
    assert_int_equal(parsed(base64, strlen(base64) - 1, "its text is not a key"), 0);
    assert_int_equal(parsed("AAECAwQFBgcICQoLDA0ODw=A", 24, "its text is not a key"), 0);
    assert_int_equal(parsed("correct horse battery staple 123", 32, "its text is not a key"), 0);
    assert_int_equal(parsed(raw, 33, "it has 33 bytes"), 0);
    assert_int_equal(parsed(raw, 15, "it has 15 bytes"), 0);
    assert_int_equal(parsed("", 0, "empty"), 0);
}

static const char *path_of(const char *name)
{
    static char path[512];
    snprintf(path, sizeof path, "%s/%s", ps_test_folder(), name);
    return path;
}

static void save(const char *name, const char *text, mode_t mode)
{
    unlink(path_of(name));
    ps_test_folder_append(name, text, strlen(text));
    assert_int_equal(chmod(path_of(name), mode), 0);
}

static void refuses(const char *path, const char *reason)
{
    struct ps_key_ring *ring = ps_key_ring_create();
    struct ps_err err = {0};
    assert_int_equal(ps_key_file_add(ring, "k", path, &err), PS_FAIL);
    if (strstr(err.text, reason) == NULL || strstr(err.text, path) == NULL ||
        strstr(err.text, "00010203") != NULL)
        fail_msg("%s", err.text);
    assert_null(ps_key_ring_find(ring, "k"));
    ps_key_ring_destroy(ring);
}

static void test_files(void **state)
{
    static const mode_t right[] = {0400, 0600, 0440, 0640}, wrong[] = {0404, 0644, 0602, 0620, 0460, 0401};
    char longer[PS_KEY_FILE_BYTES_MAX + 2];
    for (size_t i = 0; i < PS_COUNT_OF(right); i++) {
        struct ps_key_ring *ring = ps_key_ring_create();
        struct ps_err err = {0};
        save("key", hex, right[i]);
        assert_int_equal(ps_key_file_add(ring, "k", path_of("key"), &err), PS_OK);
        assert_int_equal(ps_key_ring_find(ring, "k")->length, 32);
        assert_int_equal(ps_key_ring_find(ring, "k")->bytes[31], 31);
        assert_int_equal(ps_key_file_add(ring, "k", path_of("key"), &err), PS_FAIL);
        assert_non_null(strstr(err.text, "twice"));
        ps_key_ring_destroy(ring);
    }
    for (size_t i = 0; i < PS_COUNT_OF(wrong); i++) {
        save("key", hex, wrong[i]);
        refuses(path_of("key"), "chmod 0400");
    }
    save("key", "12345678", 0400);
    refuses(path_of("key"), "its text is not a key");
    memset(longer, 'a', sizeof longer);
    longer[sizeof longer - 1] = '\0';
    save("key", longer, 0400);
    refuses(path_of("key"), "longer than 256 bytes");
    refuses(path_of("absent"), "No such file");
    refuses(ps_test_folder(), "not a regular file");
    if (geteuid() == 0) {
        save("key", hex, 0400);
        assert_int_equal(chown(path_of("key"), 12345, (gid_t)-1), 0);
        refuses(path_of("key"), "belongs to user 12345");
    }
}

static void test_names(void **state)
{
    char name[PS_KEY_NAME_BYTES_MAX + 2];
    struct ps_key_ring *ring = ps_key_ring_create();
    struct ps_err err = {0};
    memset(name, 'n', sizeof name);
    name[PS_KEY_NAME_BYTES_MAX + 1] = '\0';
    assert_int_equal(ps_key_ring_add(ring, name, (const uint8_t *)hex, 16, &err), PS_FAIL);
    assert_int_equal(ps_key_ring_add(ring, "", (const uint8_t *)hex, 16, &err), PS_FAIL);
    assert_int_equal(ps_key_ring_add(ring, name + 1, (const uint8_t *)hex, 17, &err), PS_FAIL);
    assert_int_equal(ps_key_ring_add(ring, name + 1, (const uint8_t *)hex, 16, &err), PS_OK);
    assert_non_null(ps_key_ring_find(ring, name + 1));
    assert_null(ps_key_ring_find(ring, "n"));
    assert_null(ps_key_ring_find(NULL, "n"));
    ps_key_ring_destroy(ring);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms),
        cmocka_unit_test_setup_teardown(test_files, ps_test_folder_setup, ps_test_folder_teardown),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
