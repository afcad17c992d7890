/* Formats of compressed files. */
#include "stages/lib/tail/tailer/internal.h"
#include "tests/support/support.h"

#include <stdlib.h>

/* Each format by its first bytes: with one byte less, or one other byte, it is none. */
static void test_formats(void **unused)
{
    static const struct {
        const char *name, *magic;
        size_t length;
    } formats[] = {
        {"gzip", "\x1f\x8b\x08", 3},
        {"zstd", "\x28\xb5\x2f\xfd", 4},
        {"xz",
         "\xfd"
         "7zXZ\0",
         6},
        {"lz4", "\x04\x22\x4d\x18", 4},
        {"lzop",
         "\x89"
         "LZO\0",
         5},
        {"lzip", "LZIP\x01", 5},
        {"lzma", "\x5d\0\0", 3},
        {"compress", "\x1f\x9d", 2},
        {"zip", "PK\x03\x04", 4},
        {"bzip2", "BZh1\x31\x41\x59\x26\x53\x59", 10},
        {"bzip2", "BZh9\x17\x72\x45\x38\x50\x90", 10},
    };
    for (size_t i = 0; i < PS_COUNT_OF(formats); i++) {
        char bytes[16];
        memcpy(bytes, formats[i].magic, formats[i].length);
        char *exact = ps_test_exact_copy(bytes, formats[i].length);
        assert_string_equal(ps_tail_compression(exact, formats[i].length), formats[i].name);
        assert_null(ps_tail_compression(exact, formats[i].length - 1));
        for (size_t k = 0; k < formats[i].length; k++) {
            exact[k] ^= 0x40;
            if (ps_tail_compression(exact, formats[i].length) != NULL)
                fail_msg("%s with another byte %zu", formats[i].name, k);
            exact[k] ^= 0x40;
        }
        free(exact);
    }
    assert_null(ps_tail_compression("BZh0\x31\x41\x59\x26\x53\x59", 10));
    assert_null(ps_tail_compression("", 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_formats)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
