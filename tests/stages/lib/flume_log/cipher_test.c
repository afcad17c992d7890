/* The cipher of Flume's encrypted logs: the examples of NIST SP 800-38A, F.5, and the same stream for each record. */
#include "stages/lib/flume_log/cipher.h"

#include <stdio.h>

#include "tests/support/support.h"

static const char block[] = "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff";
static const char plain[] = "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"
                            "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710";

static size_t unhex(const char *text, uint8_t *to)
{
    size_t length = strlen(text) / 2;
    unsigned value;
    for (size_t i = 0; i < length; i++) {
        assert_int_equal(sscanf(text + 2 * i, "%2x", &value), 1);
        to[i] = (uint8_t)value;
    }
    return length;
}

static void decrypts(const char *key_text, const char *cipher_text)
{
    struct ps_key key = {0};
    uint8_t first[PS_FLUME_CIPHER_BLOCK_BYTES], from[64], expected[64], to[64];
    key.length = unhex(key_text, key.bytes);
    unhex(block, first);
    size_t length = unhex(cipher_text, from);
    assert_int_equal(unhex(plain, expected), length);
    struct ps_flume_cipher *cipher = ps_flume_cipher_create(&key, first);
    assert_non_null(cipher);
    for (size_t part = 0; part <= length; part++) { /* each part is a record of its own */
        memset(to, 0, sizeof to);
        assert_true(ps_flume_cipher_decrypt(cipher, from, part, to));
        assert_memory_equal(to, expected, part);
    }
    assert_true(ps_flume_cipher_decrypt(cipher, from, length, from)); /* in place */
    assert_memory_equal(from, expected, length);
    ps_flume_cipher_destroy(cipher);
}

static void test_examples(void **state)
{
    decrypts("2b7e151628aed2a6abf7158809cf4f3c",
             "874d6191b620e3261bef6864990db6ce9806f66b7970fdff8617187bb9fffdff"
             "5ae4df3edbd5d35e5b4f09020db03eab1e031dda2fbe03d1792170a0f3009cee");
    decrypts("8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b",
             "1abc932417521ca24f2b0459fe7e6e0b090339ec0aa6faefd5ccc2c6f4ce8e94"
             "1e36b26bd1ebc670d1bd1d665620abf74f78a7f6d29809585a97daec58c6b050");
    decrypts("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4",
             "601ec313775789a5b7a7f504bbf3d228f443e3ca4d62b59aca84e990cacaf5c5"
             "2b0930daa23de94ce87017ba2d84988ddfc9c58db67aada613c2dd08457941a6");
}

/* The stream is the same, whether it is decrypted in one call or in several. */
static void test_long_records(void **state)
{
    enum { BYTES = 400000 };
    static uint8_t at_once[BYTES], in_steps[BYTES], zeros[BYTES];
    struct ps_key key = {.length = 16};
    uint8_t first[PS_FLUME_CIPHER_BLOCK_BYTES];
    memset(first, 0xff, sizeof first); /* the counter overflows into zero */
    struct ps_flume_cipher *one = ps_flume_cipher_create(&key, first);
    struct ps_flume_cipher *two = ps_flume_cipher_create(&key, first);
    assert_true(ps_flume_cipher_decrypt(one, zeros, BYTES, at_once));
    for (size_t length = 1; length <= BYTES;
         length = length < BYTES && length * 3 > BYTES ? BYTES : length * 3)
        assert_true(ps_flume_cipher_decrypt(two, zeros, length, in_steps));
    assert_memory_equal(at_once, in_steps, BYTES);
    ps_flume_cipher_destroy(one);
    ps_flume_cipher_destroy(two);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_examples), cmocka_unit_test(test_long_records)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
