/* FNV-1a against the vectors of its authors (draft-eastlake-fnv). Values of it are on disk: identities of files, marks of dead
 * letters. */
#include "core/fnv.h"
#include "tests/support/support.h"

static void test_vectors(void **unused)
{
    static const struct {
        const char *text;
        uint32_t hash32;
        uint64_t hash64;
    } rows[] = {{"", UINT32_C(0x811c9dc5), UINT64_C(0xcbf29ce484222325)},
                {"a", UINT32_C(0xe40c292c), UINT64_C(0xaf63dc4c8601ec8c)},
                {"foobar", UINT32_C(0xbf9cf968), UINT64_C(0x85944171f73967e8)},
                {"\xff", UINT32_C(0x7a0b824e), UINT64_C(0xaf64724c8602eb6e)}};
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        size_t length = strlen(rows[i].text), half = length / 2;
        assert_int_equal(ps_fnv32(PS_FNV32, rows[i].text, length), rows[i].hash32);
        assert_true(ps_fnv64(PS_FNV64, rows[i].text, length) == rows[i].hash64);
        assert_int_equal(ps_fnv32(ps_fnv32(PS_FNV32, rows[i].text, half), rows[i].text + half, length - half),
                         rows[i].hash32);
        assert_true(ps_fnv64(ps_fnv64(PS_FNV64, rows[i].text, half), rows[i].text + half, length - half) ==
                    rows[i].hash64);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_vectors)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
