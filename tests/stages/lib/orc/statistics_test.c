/* Statistics that are cleared for the next row group or stripe are as new ones: what they were before leaves neither a bound nor used memory, which
 * would end later stripes early. */
#include "stages/lib/orc/statistics.h"
#include "tests/support/support.h"

#include <stdlib.h>

#define ROUNDS 500
#define MOST 3000U /* a bound is cut at 1,024 bytes */

static uint64_t state;

static uint32_t draw(uint32_t below)
{
    return (uint32_t)(ps_test_random(&state) % below);
}

/* Adds the same drawn strings to both. */
static void add(struct ps_orc_statistics *one, struct ps_orc_statistics *other, uint32_t count)
{
    static char text[MOST];
    for (uint32_t i = 0; i < count; i++) {
        uint32_t length = draw(3) == 0 ? draw(MOST) : draw(8);
        memset(text, (int)('a' + draw(26)), length);
        ps_orc_statistics_string(one, text, length);
        ps_orc_statistics_string(other, text, length);
    }
}

static void expect_same(const struct ps_orc_statistics *got, const struct ps_orc_statistics *expected,
                        const struct ps_orc_type *type)
{
    struct ps_orc_memory memory = {.used_bytes = 0};
    struct ps_orc_buffer a = {.memory = &memory}, b = {.memory = &memory};
    ps_orc_statistics_pack(got, type, &a);
    ps_orc_statistics_pack(expected, type, &b);
    assert_int_equal(a.length, b.length);
    if (a.length > 0)
        assert_memory_equal(a.data, b.data, a.length);
    assert_int_equal(got->lower.text.memory->used_bytes, expected->lower.text.memory->used_bytes);
    ps_orc_buffer_free(&a);
    ps_orc_buffer_free(&b);
}

static void test_clear(void **unused)
{
    struct ps_err err = {.length = 0};
    struct ps_orc_type *type = ps_orc_type_parse("struct<c:string>", &err);
    assert_non_null(type);
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct ps_orc_memory memory = {.used_bytes = 0}, fresh_memory = {.used_bytes = 0};
        struct ps_orc_statistics statistics, fresh, former;
        ps_orc_statistics_open(&statistics, &memory);
        ps_orc_statistics_open(&former, &fresh_memory);
        ps_orc_statistics_open(&fresh, &fresh_memory);
        add(&statistics, &former, draw(20));
        ps_orc_statistics_close(&former);
        ps_orc_statistics_clear(&statistics);
        assert_int_equal(memory.used_bytes, 0);
        expect_same(&statistics, &fresh, type->children[0]);
        add(&statistics, &fresh, draw(20));
        expect_same(&statistics, &fresh, type->children[0]);
        ps_orc_statistics_close(&statistics);
        ps_orc_statistics_close(&fresh);
        assert_int_equal(memory.used_bytes, 0);
    }
    ps_orc_type_destroy(type);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {cmocka_unit_test(test_clear)};
    state = ps_test_seed() | 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
