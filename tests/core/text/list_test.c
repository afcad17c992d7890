/* The items of a list that is one text. */
#include "core/text/list.h"
#include "tests/support/support.h"

#include <stdio.h>

/* Joins the items with '|', each cut by `next`. */
static const char *joined(const char *list, bool between_commas)
{
    static char text[128];
    struct ps_slice item;
    size_t used = 0;
    text[0] = '\0';
    while (between_commas ? ps_list_next_between_commas(&list, &item) : ps_list_next(&list, ", \t", &item))
        used += (size_t)snprintf(text + used, sizeof text - used, "%.*s|", (int)item.length, item.data);
    assert_string_equal(list, ""); /* the whole list was read */
    assert_int_equal(item.length, 0);
    return text;
}

static void test_separators(void **unused)
{
    assert_string_equal(joined("a", false), "a|");
    assert_string_equal(joined("a,b c\td", false), "a|b|c|d|");
    assert_string_equal(joined(" ,, a , ,b,", false), "a|b|");
    assert_string_equal(joined("", false), "");
    assert_string_equal(joined(" ,\t", false), "");
}

static void test_between_commas(void **unused)
{
    assert_string_equal(joined("a", true), "a|");
    assert_string_equal(joined(" a b ,\tc\t, d", true), "a b|c|d|");
    assert_string_equal(joined(",,a,, ,b , ", true), "a|b|");
    assert_string_equal(joined("", true), "");
    assert_string_equal(joined(" , ", true), "");
}

/* Empty items count, and blanks belong to the items. */
static void test_at_comma(void **unused)
{
    const char *const wanted[] = {"a", "", " b ", ""};
    const char *list = "a,, b ,";
    struct ps_slice item;
    for (unsigned i = 0; i < PS_COUNT_OF(wanted); i++) {
        assert_true(ps_list_next_at_comma(&list, &item));
        assert_int_equal(item.length, strlen(wanted[i]));
        assert_memory_equal(item.data, wanted[i], item.length);
    }
    assert_null(list);
    assert_false(ps_list_next_at_comma(&list, &item));
    list = "";
    assert_true(ps_list_next_at_comma(&list, &item));
    assert_int_equal(item.length, 0);
    assert_false(ps_list_next_at_comma(&list, &item));
}

static void test_has(void **unused)
{
    assert_true(ps_list_has("cpu,cpuacct", ",", "cpuacct", 7));
    assert_true(ps_list_has("cpu,cpuacct", ",", "CPU", 3));
    assert_false(ps_list_has("cpuset,cpuacct", ",", "cpu", 3));
    assert_false(ps_list_has("cp", ",", "cpu", 3));
    assert_false(ps_list_has("", ",", "", 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_separators),
        cmocka_unit_test(test_between_commas),
        cmocka_unit_test(test_at_comma),
        cmocka_unit_test(test_has),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
