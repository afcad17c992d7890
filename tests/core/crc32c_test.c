#include "core/crc32c.h"
#include "tests/support/support.h"

static uint32_t crc_plain(uint32_t crc, const void *data, size_t length)
{
    const uint8_t *bytes = data;
    crc = ~crc;
    for (size_t i = 0; i < length; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78U : 0);
    }
    return ~crc;
}

static void test_crc32c(void **state)
{
    char bytes[4096];
    assert_int_equal(ps_crc32c(0, "123456789", 9), 0xe3069283U);
    assert_int_equal(ps_crc32c(0, "", 0), 0);
    memset(bytes, 0, 32); /* the next four: RFC 3720, B.4 */
    assert_int_equal(ps_crc32c(0, bytes, 32), 0x8a9136aaU);
    memset(bytes, 0xff, 32);
    assert_int_equal(ps_crc32c(0, bytes, 32), 0x62a8ab43U);
    for (int i = 0; i < 32; i++)
        bytes[i] = (char)i;
    assert_int_equal(ps_crc32c(0, bytes, 32), 0x46dd794eU);
    for (int i = 0; i < 32; i++)
        bytes[i] = (char)(31 - i);
    assert_int_equal(ps_crc32c(0, bytes, 32), 0x113fdb5cU);
    uint64_t random = ps_test_seed();
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)ps_test_random(&random);
    for (unsigned round = 0; round < 2000; round++) {
        size_t from = ps_test_random(&random) % 64, length = ps_test_random(&random) % (sizeof bytes - 64);
        size_t cut = length > 0 ? ps_test_random(&random) % length : 0;
        uint32_t whole = crc_plain(0, bytes + from, length);
        assert_int_equal(ps_crc32c(0, bytes + from, length), whole);
        uint32_t part = ps_crc32c(0, bytes + from, cut);
        assert_int_equal(ps_crc32c(part, bytes + from + cut, length - cut), whole);
    }
}

/* Every implementation that the processor supports, including those that ps_crc32c does not choose: lengths
 * over several rounds of folding, all alignments within 16 bytes, continued from any value. */
static void test_ways(void **state)
{
    static const char *const names[PS_CRC32C_WAYS] = {"ISA-L", "the instruction", "folding"};
    static unsigned char bytes[700];
    uint64_t random = ps_test_seed();
    uint32_t crc;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)ps_test_random(&random);
    for (unsigned way = 0; way < PS_CRC32C_WAYS; way++) {
        uint32_t compared = 0;
        for (size_t from = 0; from < 16; from++) {
            const uint32_t before = (uint32_t)ps_test_random(&random);
            uint32_t expected = before;
            for (size_t length = 0; from + length < sizeof bytes; length++) {
                crc = before;
                if (ps_crc32c_by(way, &crc, bytes + from, length)) {
                    assert_int_equal(crc, expected);
                    compared++;
                }
                expected = crc_plain(expected, bytes + from + length, 1);
            }
        }
        print_message("%s: %u values\n", names[way], compared);
        assert_true(way != PS_CRC32C_LIBRARY || compared > 10000);
#ifdef __x86_64__
        bool has = __builtin_cpu_supports("sse4.2") &&
                   (way != PS_CRC32C_FOLDING || __builtin_cpu_supports("pclmul"));
        assert_true(way == PS_CRC32C_LIBRARY || (compared > 9000) == has);
#endif
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_crc32c), cmocka_unit_test(test_ways)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
