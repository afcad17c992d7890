/* Arenas: memory is zeroed, aligned, never overlaps, and may have any size. */
#include "core/arena.h"

#include "tests/support/support.h"

static void test_alloc(void **state)
{
    struct ps_arena *arena = ps_arena_create();
    uint64_t random = ps_test_seed();
    struct {
        uint8_t *memory;
        size_t bytes;
    } parts[600];
    for (unsigned i = 0; i < 600; i++) {
        parts[i].bytes = ps_test_random(&random) % (i % 50 == 0 ? 100000 : 500);
        parts[i].memory = ps_arena_alloc(arena, parts[i].bytes);
        assert_int_equal((uintptr_t)parts[i].memory % 16, 0);
        for (size_t k = 0; k < parts[i].bytes; k++)
            assert_int_equal(parts[i].memory[k], 0);
        memset(parts[i].memory, (int)i, parts[i].bytes);
    }
    for (unsigned i = 0; i < 600; i++) {
        for (size_t k = 0; k < parts[i].bytes; k++)
            assert_int_equal(parts[i].memory[k], (uint8_t)i);
    }
    ps_arena_destroy(arena);
    ps_arena_destroy(NULL);
}

static void test_text(void **state)
{
    struct ps_arena *arena = ps_arena_create();
    assert_string_equal(ps_arena_text(arena, "text"), "text");
    assert_string_equal(ps_arena_text(arena, ""), "");
    assert_string_equal(ps_arena_copy(arena, "text and more", 4), "text");
    assert_string_equal(ps_arena_copy(arena, NULL, 0), "");
    assert_string_equal(ps_arena_format(arena, "%s-%d", "a", 7), "a-7");
    static char wide[50000];
    memset(wide, 'w', sizeof wide - 1);
    assert_string_equal(ps_arena_format(arena, "%s", wide), wide);
    ps_arena_destroy(arena);
}

static char endings[8];

static void note_ending(void *argument)
{
    strcat(endings, argument);
}

/* The functions run before the memory is freed: their arguments may be in it. */
static void test_at_end(void **state)
{
    struct ps_arena *arena = ps_arena_create();
    ps_arena_at_end(arena, note_ending, ps_arena_text(arena, "a"));
    ps_arena_at_end(arena, note_ending, ps_arena_text(arena, "b"));
    assert_string_equal(endings, "");
    ps_arena_destroy(arena);
    assert_string_equal(endings, "ba");
    arena = ps_arena_create();
    const char *text = ps_arena_text(arena, "text");
    ps_arena_at_end(arena, note_ending, ps_arena_text(arena, "c"));
    ps_arena_end(arena);
    assert_string_equal(endings, "bac");
    assert_string_equal(text, "text"); /* the memory stays */
    ps_arena_destroy(arena);
    assert_string_equal(endings, "bac"); /* each function ran once */
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_alloc), cmocka_unit_test(test_text),
                                       cmocka_unit_test(test_at_end)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
