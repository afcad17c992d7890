/* Base64: the vectors of RFC 4648, and what java.util.Base64 does not take. */
#include "core/text/base64.h"
#include "tests/support/support.h"

static void check(const char *text, const char *wanted)
{
    char bytes[64];
    size_t length = 0;
    bool well = ps_base64_decode(text, strlen(text), bytes, &length);
    assert_int_equal(well, wanted != NULL);
    if (wanted == NULL)
        return;
    assert_int_equal(length, strlen(wanted));
    assert_memory_equal(bytes, wanted, length);
}

static void test_vectors(void **state)
{
    check("", "");
    check("Zg==", "f");
    check("Zm8=", "fo");
    check("Zm9v", "foo");
    check("Zm9vYg==", "foob");
    check("Zm9vYmE=", "fooba");
    check("Zm9vYmFy", "foobar");
    check("+/8", "\xfb\xff");
}

/* RFC 4648, 10, and every value of a digit. */
static void test_encode(void **state)
{
    static const char *const vectors[] = {"", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"};
    char text[16];
    for (size_t length = 0; length < PS_COUNT_OF(vectors); length++) {
        assert_int_equal(ps_base64_encode(text, "foobar", length), strlen(vectors[length]));
        assert_memory_equal(text, vectors[length], strlen(vectors[length]));
    }
    for (unsigned value = 0; value < 64; value++) {
        const unsigned char three[3] = {(unsigned char)(value << 2), 0xff, 0};
        char back[3];
        size_t count;
        assert_int_equal(ps_base64_encode(text, three, sizeof three), 4);
        assert_true(ps_base64_decode(text, 4, back, &count));
        assert_int_equal(count, 3);
        assert_memory_equal(back, three, sizeof three);
    }
}

static void test_padding_may_be_missing(void **state)
{
    check("Zg", "f");
    check("Zm8", "fo");
    check("Zh", "f"); /* bits left over */
}

static void test_what_is_no_base64(void **state)
{
    static const char *const texts[] = {
        "Z", "Zm9vY", "Zg=", "Zg===", "=", "====", "Z===", "Zg=v", "Zg==Zg==", "Zm 9v", "Zm9v\n", "-_8="};
    for (size_t i = 0; i < PS_COUNT_OF(texts); i++)
        check(texts[i], NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_encode),
        cmocka_unit_test(test_padding_may_be_missing),
        cmocka_unit_test(test_what_is_no_base64),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
