/* Sealed bytes open with the same key, nonce and bound bytes, and with no others; they equal those that the Python package
 * `cryptography` 48 makes of the same input (HKDF with SHA-256, AESGCM). */
#include "stages/lib/encryption/seal.h"

#include <string.h>

#include "tests/support/support.h"

#define PLAIN "secret text"
#define LENGTH (sizeof PLAIN - 1)

static const struct {
    size_t length;
    const char *sealed; /* with the tag */
} answers[] = {
    {16, "42755f18d9bfffefd9da26924f2581cc5ee3a90f46f762d0bcc98d"},
    {24, "d15a980cac567e82b2230aa00ef55b1fa937e406562c8e2656829e"},
    {32, "4552e314e15e727f70f26b3dddddcde1e6365797f39c18874286bc"},
};

static struct ps_seal *make_seal(size_t length, uint8_t first)
{
    struct ps_key key = {.name = "k", .length = length};
    uint8_t salt[PS_SEAL_SALT_BYTES];
    for (size_t i = 0; i < length; i++)
        key.bytes[i] = (uint8_t)(first + i);
    for (size_t i = 0; i < sizeof salt; i++)
        salt[i] = (uint8_t)(100 + i);
    return ps_seal_create(&key, salt, "identity", 8);
}

static struct ps_sealed message(const void *from)
{
    return (struct ps_sealed){
        .nonce = 0x4711, .bound = {"bo", "und"}, .bound_lengths = {2, 3}, .from = from, .length = LENGTH};
}

static void test_known_answers(void **state)
{
    struct ps_sealer sealer = {0};
    for (size_t i = 0; i < PS_COUNT_OF(answers); i++) {
        uint8_t sealed[LENGTH + PS_SEAL_TAG_BYTES], opened[LENGTH];
        char text[2 * sizeof sealed + 1];
        struct ps_seal *seal = make_seal(answers[i].length, 0);
        struct ps_sealed plain = message(PLAIN), again = message(sealed);
        assert_true(ps_seal_close(&sealer, seal, &plain, sealed, sealed + LENGTH));
        for (size_t k = 0; k < sizeof sealed; k++)
            snprintf(text + 2 * k, 3, "%02x", sealed[k]);
        assert_string_equal(text, answers[i].sealed);
        assert_true(ps_seal_open(&sealer, seal, &again, opened, sealed + LENGTH));
        assert_memory_equal(opened, PLAIN, LENGTH);
        ps_seal_destroy(seal);
    }
    ps_sealer_fini(&sealer);
}

/* One sealer works with two keys alternately, and also after bytes that it could not open. */
static void test_nothing_else_opens(void **state)
{
    struct ps_seal *seal = make_seal(32, 0), *other = make_seal(32, 1);
    struct ps_sealer sealer = {0};
    uint8_t sealed[LENGTH + PS_SEAL_TAG_BYTES], opened[LENGTH];
    struct ps_sealed plain = message(PLAIN);
    assert_true(ps_seal_close(&sealer, seal, &plain, sealed, sealed + LENGTH));
    for (unsigned change = 0; change < 5; change++) {
        struct ps_sealed again = message(sealed);
        again.nonce += change == 1;
        again.bound[0] = change == 2 ? "bO" : "bo";
        again.length -= change == 3;
        bool opens = ps_seal_open(&sealer, change == 4 ? other : seal, &again, opened, sealed + LENGTH);
        assert_int_equal(opens, change == 0);
    }
    for (size_t i = 0; i < sizeof sealed; i++) {
        struct ps_sealed again = message(sealed);
        sealed[i] ^= 1;
        assert_false(ps_seal_open(&sealer, seal, &again, opened, sealed + LENGTH));
        sealed[i] ^= 1;
    }
    struct ps_sealed again = message(sealed);
    assert_true(ps_seal_open(&sealer, seal, &again, sealed, sealed + LENGTH)); /* in place */
    assert_memory_equal(sealed, PLAIN, LENGTH);
    ps_seal_destroy(seal);
    ps_seal_destroy(other);
    ps_sealer_fini(&sealer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_answers),
        cmocka_unit_test(test_nothing_else_opens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
