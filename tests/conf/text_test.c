/* Java's small operations on texts, compared with a model that reads one character after the other. */
#include "conf/text.h"

#include "tests/support/arena.h"
#include "tests/support/support.h"

#include <stdio.h>

#define LONG 40U

static uint64_t random_state;

static uint64_t pick(uint64_t below)
{
    return ps_test_random(&random_state) % below;
}

static void draw_text(char text[LONG + 1])
{
    static const char letters[] = "ab,, \t\n\v\f\r\x01\x1f\x20\x21\x7f\xc2\xa0";
    size_t length = pick(LONG + 1);
    for (size_t i = 0; i < length; i++)
        text[i] = letters[pick(sizeof letters - 1)];
    text[length] = '\0';
}

/* Reads the items between separators into `items`, cut at both ends if `trim`; empty ones do not count. */
static size_t model_split(const char *text, const char *separators, bool trim, char items[][LONG + 1])
{
    size_t count = 0, length = 0;
    for (const char *at = text;; at++) {
        bool ends = *at == '\0';
        for (const char *one = separators; *one != '\0'; one++)
            ends = ends || *at == *one;
        if (!ends) {
            if (!trim || length > 0 || (unsigned char)*at > ' ')
                items[count][length++] = *at;
            continue;
        }
        while (trim && length > 0 && (unsigned char)items[count][length - 1] <= ' ')
            length--;
        items[count][length] = '\0';
        count += length > 0;
        length = 0;
        if (*at == '\0')
            return count;
    }
}

static void assert_split(struct ps_texts texts, const char *text, const char *separators, bool trim)
{
    char items[LONG + 1][LONG + 1];
    size_t count = model_split(text, separators, trim, items);
    assert_int_equal(texts.count, count);
    for (size_t i = 0; i < count; i++)
        assert_string_equal(texts.items[i], items[i]);
}

static void test_drawn(void **state)
{
    char text[LONG + 1], trimmed[LONG + 1][LONG + 1];
    random_state = ps_test_seed() | 1;
    for (unsigned i = 0; i < 5000; i++) {
        draw_text(text);
        size_t count = model_split(text, "", true, trimmed);
        assert_string_equal(ps_text_trim(ps_test_arena(), text), count > 0 ? trimmed[0] : "");
        assert_split(ps_text_split_blanks(ps_test_arena(), text), text, " \t\n\v\f\r", false);
        assert_split(ps_text_split_commas(ps_test_arena(), text), text, ",", true);
        assert_split(ps_text_split_spaces(ps_test_arena(), text), text, " ", false);
    }
}

/* A list of the largest length, one shorter and one longer: what comes after the last item is dropped. */
static void test_longest_list(void **state)
{
    static char text[2 * (PS_TEXT_LIST_MAX + 1) + 1];
    for (size_t count = PS_TEXT_LIST_MAX - 1; count <= PS_TEXT_LIST_MAX + 1; count++) {
        for (size_t i = 0; i < count; i++)
            memcpy(text + 2 * i, i + 1 == count ? "z," : "a,", 2);
        text[2 * count] = '\0';
        struct ps_texts texts = ps_text_split_commas(ps_test_arena(), text);
        assert_int_equal(texts.count, count <= PS_TEXT_LIST_MAX ? count : PS_TEXT_LIST_MAX);
        assert_string_equal(texts.items[texts.count - 1], count <= PS_TEXT_LIST_MAX ? "z" : "a");
        assert_string_equal(texts.items[0], "a");
    }
}

/* Items are added to lists, lists are joined, and repeated items are removed wherever they are. */
static void test_lists(void **state)
{
    static const char *const words[] = {"a", "b", "a", "a", "ab", "b", "c", "A"};
    static const char *const joined[] = {"",
                                         "a",
                                         "a, b",
                                         "a, b, a",
                                         "a, b, a, a",
                                         "a, b, a, a, ab",
                                         "a, b, a, a, ab, b",
                                         "a, b, a, a, ab, b, c",
                                         "a, b, a, a, ab, b, c, A"};
    static const char *const unique[] = {"",         "a",        "a, b",        "a, b",          "a, b",
                                         "a, b, ab", "a, b, ab", "a, b, ab, c", "a, b, ab, c, A"};
    struct ps_texts texts = {0};
    for (size_t count = 0;; count++) {
        assert_int_equal(texts.count, count);
        assert_string_equal(ps_texts_join(ps_test_arena(), &texts), joined[count]);
        struct ps_texts once = ps_texts_unique(ps_test_arena(), texts);
        assert_string_equal(ps_texts_join(ps_test_arena(), &once), unique[count]);
        if (count == PS_COUNT_OF(words))
            break;
        ps_texts_add(ps_test_arena(), &texts, words[count]);
    }
    for (size_t i = 0; i < PS_COUNT_OF(words); i++)
        assert_true(ps_texts_have(&texts, words[i]));
    assert_false(ps_texts_have(&texts, "abc"));
    assert_false(ps_texts_have(&texts, ""));
    assert_false(ps_texts_have(&(struct ps_texts){0}, "a"));
}

static void test_begins(void **state)
{
    assert_true(ps_text_begins("abc", ""));
    assert_true(ps_text_begins("abc", "ab"));
    assert_true(ps_text_begins("abc", "abc"));
    assert_false(ps_text_begins("abc", "abcd"));
    assert_false(ps_text_begins("abc", "aB"));
    assert_false(ps_text_begins("", "a"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_drawn),
        cmocka_unit_test(test_longest_list),
        cmocka_unit_test(test_lists),
        cmocka_unit_test(test_begins),
    };
    return cmocka_run_group_tests(tests, ps_test_arena_setup, ps_test_arena_teardown);
}
