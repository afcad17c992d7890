/* Types of columns in Hive's words. */
#include "stages/lib/orc/type.h"
#include "tests/support/support.h"

static void test_nested_types(void **state)
{
    struct ps_err err;
    struct ps_orc_type *type = ps_orc_type_parse(
        "struct<a:int, b:map<string,array<decimal(12,3)>>,c:struct<d:varchar(9),e:Timestamp>,f:decimal>",
        &err);
    assert_non_null(type);
    assert_int_equal(ps_orc_type_columns(type), 10);
    const struct ps_orc_type *decimal = type->children[1]->children[1]->children[0];
    assert_int_equal(decimal->kind, PS_ORC_DECIMAL);
    assert_int_equal(decimal->id, 5);
    assert_int_equal(decimal->precision, 12);
    assert_int_equal(decimal->scale, 3);
    assert_ptr_equal(ps_orc_type_find(type, "C.E", 3), type->children[2]->children[1]);
    assert_int_equal(ps_orc_type_find(type, "c.d", 3)->maximum_length, 9);
    assert_int_equal(ps_orc_type_find(type, "f", 1)->precision, 10);
    assert_null(ps_orc_type_find(type, "c.x", 3));
    assert_null(ps_orc_type_find(type, "a.b", 3));
    ps_orc_type_destroy(type);
    type = ps_orc_type_parse("struct<>", &err);
    assert_int_equal(type->child_count, 0);
    ps_orc_type_destroy(type);
}

static void test_what_is_refused(void **state)
{
    static const char *const texts[] = {"",
                                        "in",
                                        "uniontype<int,string>",
                                        "struct<a>",
                                        "struct<:int>",
                                        "struct<a:int",
                                        "struct<a:int>>",
                                        "array<>",
                                        "map<int>",
                                        "varchar",
                                        "varchar(0)",
                                        "char(70000)",
                                        "decimal(39)",
                                        "decimal(5,6)",
                                        "decimal(5",
                                        "timestamp with local time zone",
                                        "int int"};
    for (size_t i = 0; i < PS_COUNT_OF(texts); i++) {
        struct ps_err err = {.length = 0};
        assert_null(ps_orc_type_parse(texts[i], &err));
        assert_non_null(strstr(err.text, "type "));
    }
    char deep[1024] = "";
    struct ps_err err;
    for (int i = 0; i < 40; i++)
        strcat(deep, "array<");
    assert_null(ps_orc_type_parse(deep, &err));
}

/* Numbers at the limits of what Hive accepts, and one beyond them. */
static void test_the_ends_of_numbers(void **state)
{
    static const struct {
        const char *text;
        bool is_type;
        uint32_t maximum_length, precision, scale;
    } cases[] = {
        {"varchar(1)", true, 1, 0, 0},
        {"varchar(65535)", true, 65535, 0, 0},
        {"varchar(65536)", false, 0, 0, 0},
        {"char(1)", true, 1, 0, 0},
        {"char(0)", false, 0, 0, 0},
        {"char(65535)", true, 65535, 0, 0},
        {"char(65536)", false, 0, 0, 0},
        {"varchar(-1)", false, 0, 0, 0},
        {"varchar(4294967297)", false, 0, 0, 0},
        {"varchar(18446744073709551617)", false, 0, 0, 0},
        {"decimal", true, 0, 10, 0},
        {"decimal(1)", true, 0, 1, 0},
        {"decimal(0)", false, 0, 0, 0},
        {"decimal(38)", true, 0, 38, 0},
        {"decimal(39)", false, 0, 0, 0},
        {"decimal(38,38)", true, 0, 38, 38},
        {"decimal(38,39)", false, 0, 0, 0},
        {"decimal(7,7)", true, 0, 7, 7},
        {"decimal(7,8)", false, 0, 0, 0},
        {"decimal(7,0)", true, 0, 7, 0},
    };
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        struct ps_err err = {.length = 0};
        struct ps_orc_type *type = ps_orc_type_parse(cases[i].text, &err);
        if ((type != NULL) != cases[i].is_type)
            fail_msg("%s: %s", cases[i].text, type != NULL ? "is a type" : err.text);
        if (type != NULL) {
            assert_int_equal(type->maximum_length, cases[i].maximum_length);
            assert_int_equal(type->precision, cases[i].precision);
            assert_int_equal(type->scale, cases[i].scale);
        }
        ps_orc_type_destroy(type);
    }
}

static void test_blanks(void **state)
{
    struct ps_err err;
    struct ps_orc_type *type =
        ps_orc_type_parse(" struct < a: map < int , string > , b: decimal ( 12 , 3 ) > ", &err);
    assert_non_null(type);
    assert_int_equal(ps_orc_type_columns(type), 5);
    assert_int_equal(ps_orc_type_find(type, "b", 1)->scale, 3);
    ps_orc_type_destroy(type);
}

/* Only a complete name counts, whatever it begins like. */
static void test_names_that_begin_alike(void **state)
{
    struct ps_err err;
    struct ps_orc_type *type = ps_orc_type_parse("struct<identity:int,id:int,i:struct<x:int>>", &err);
    assert_non_null(type);
    assert_ptr_equal(ps_orc_type_find(type, "id", 2), type->children[1]);
    assert_ptr_equal(ps_orc_type_find(type, "i", 1), type->children[2]);
    assert_ptr_equal(ps_orc_type_find(type, "i.x", 3), type->children[2]->children[0]);
    assert_null(ps_orc_type_find(type, "ident", 5));
    ps_orc_type_destroy(type);
}

/* 4096 columns, the outermost one included. */
static void test_the_most_columns(void **state)
{
    static char text[4096 * 10];
    for (unsigned count = 4095; count <= 4096; count++) {
        struct ps_err err = {.length = 0};
        size_t at = (size_t)snprintf(text, sizeof text, "struct<c0:int");
        for (unsigned i = 1; i < count; i++)
            at += (size_t)snprintf(text + at, sizeof text - at, ",c%u:int", i);
        snprintf(text + at, sizeof text - at, ">");
        struct ps_orc_type *type = ps_orc_type_parse(text, &err);
        if (count < 4096) {
            assert_non_null(type);
            assert_int_equal(ps_orc_type_columns(type), 4096);
        } else {
            assert_null(type);
            assert_non_null(strstr(err.text, "too many columns"));
        }
        ps_orc_type_destroy(type);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nested_types),     cmocka_unit_test(test_what_is_refused),
        cmocka_unit_test(test_blanks),           cmocka_unit_test(test_names_that_begin_alike),
        cmocka_unit_test(test_the_most_columns), cmocka_unit_test(test_the_ends_of_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
