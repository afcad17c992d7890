/* The bytes before a position: pieces of any length are added, and compared with the whole. */
#include "stages/lib/tail/tailer/last_bytes.h"
#include "tests/support/support.h"

#define TEXT_BYTES 2000

static void test_pieces(void **unused)
{
    static const size_t lengths[] = {0, 1, 2, 63, 64, 255, 256, 257, 600};
    uint64_t state = ps_test_seed() | 1;
    char text[TEXT_BYTES];
    for (unsigned round = 0; round < 2000; round++) {
        struct ps_tail_last_bytes last = {.length = 0};
        size_t at = 0;
        for (size_t i = 0; i < sizeof text; i++)
            text[i] = ps_test_random(&state) % 10 == 0 ? '\n' : (char)('a' + ps_test_random(&state) % 26);
        assert_false(ps_tail_last_bytes_end_line(&last));
        assert_true(ps_tail_last_bytes_begin(&last, text, 0)); /* nothing is known */
        for (;;) {
            size_t length = ps_test_random(&state) % 2 == 0
                                ? lengths[ps_test_random(&state) % PS_COUNT_OF(lengths)]
                                : (size_t)(ps_test_random(&state) % 300);
            if (length > sizeof text - at)
                break;
            ps_tail_last_bytes_add(&last, text + at, length);
            at += length;
            size_t known = at < PS_TAIL_MARK_BYTES ? at : PS_TAIL_MARK_BYTES;
            assert_int_equal(last.length, known);
            assert_int_equal(ps_tail_last_bytes_before((int64_t)at), known);
            assert_memory_equal(last.bytes, text + at - known, known);
            assert_int_equal(ps_tail_last_bytes_end_line(&last), at > 0 && text[at - 1] == '\n');
            struct ps_tail_mark mark = ps_tail_last_bytes_mark(&last, (int64_t)at);
            assert_int_equal(mark.offset, at);
            assert_int_equal(mark.length, known);
            assert_true(at == 0 || ps_tail_mark_is_before(text + at, at, &mark));
            /* What is read from there on begins with them, all of them. */
            assert_true(ps_tail_last_bytes_begin(&last, text + at - known, known));
            assert_true(ps_tail_last_bytes_begin(&last, text + at - known, sizeof text - at + known));
            if (known == 0)
                continue;
            assert_false(ps_tail_last_bytes_begin(&last, text + at - known, known - 1));
            size_t other = at - known + (size_t)(ps_test_random(&state) % known);
            text[other] ^= 1;
            assert_false(ps_tail_last_bytes_begin(&last, text + at - known, known));
            text[other] ^= 1;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_pieces)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
