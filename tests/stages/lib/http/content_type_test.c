/* Values of Content-Type: the parameter charset among others, with quotes and blanks, and near misses of a type. */
#include "stages/lib/http/content_type.h"
#include "tests/support/support.h"

#include <string.h>

static void test_charset(void **unused)
{
    static const struct {
        const char *value, *charset; /* NULL: none */
    } rows[] = {
        {"text/plain; charset=UTF-8", "UTF-8"},
        {"text/plain;charset=utf-16", "utf-16"},
        {"text/plain \t;\t CHARSET=x \t", "x"},
        {"text/plain; charset=\"UTF-8\"", "UTF-8"},
        {"text/plain; charset= \"a\" ; boundary=b", "a"},
        {"text/plain; boundary=charset; charset=a", "a"},
        {"text/plain; charset=a; charset=b", "a"},
        {"text/plain; charset = utf8", "utf8"},
        {"text/plain; charset=utf8 x", "utf8"},
        {"text/plain; charset=\"utf8\" x", "utf8"},
        {"text/plain; charset=\"utf8", "utf8"},
        {"text/plain; charset=\"a b\"", "a b"},
        {"text/plain; charset='utf8'", "utf8"},
        {"text/plain; charset = 'utf8' ; x=y", "utf8"},
        {"text/plain; charset=' utf8 '", "utf8"},
        {"text/plain; charset='utf8", "utf8"},
        {"text/plain; charset=utf8\"", "utf8"},
        {"text/plain; charset=utf8, x", "utf8"},
        {"text/plain; charset=utf8;", "utf8"},
        {"text/plain; foo=\"a;charset=x\"; charset=utf8", "utf8"},
        {"text/plain; foo=\"; charset=x; \" ;charset=\"utf8\"", "utf8"},
        {"text/plain; foo=\"a\\\";charset=x\"; charset=utf8", "utf8"},
        {"text/plain; foo=\"a\\\\\"; charset=utf8", "utf8"},
        {"text/plain; foo=a\\; charset=utf8", "utf8"},
        {"text/plain; foo='a; charset=utf8'", "utf8"},
        {"text/plain; foo=\"a; charset=utf8", NULL},
        {"text/plain; foo=\"a;charset=x\"", NULL},
        {"text/plain; charset=''", NULL},
        {"text/plain; charset utf8", NULL},
        {"text/plain; charsets=utf8", NULL},
        {"text/plain; x-charset=a", NULL},
        {"text/plain; charsets=a", NULL},
        {"text/plain; charset", NULL},
        {"text/plain; charset=", NULL},
        {"text/plain; charset=\"\"", NULL},
        {"text/plain; charset=\"", NULL},
        {"text/plain; charset=\"a", "a"},
        {"text/plain; ; charset=a", "a"},
        {";charset=a", "a"},
        {"charset=a", NULL}, /* the type itself, not a parameter */
        {"charset=a; charset=b", "b"},
        {"", NULL},
        {";", NULL},
    };
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        struct ps_slice charset = {NULL, 0};
        bool found = ps_content_type_charset(rows[i].value, strlen(rows[i].value), &charset);
        if (found != (rows[i].charset != NULL) ||
            (found && (charset.length != strlen(rows[i].charset) ||
                       memcmp(charset.data, rows[i].charset, charset.length) != 0)))
            fail_msg("%s: %.*s", rows[i].value, found ? (int)charset.length : 4,
                     found ? charset.data : "none");
    }
    struct ps_slice charset;
    assert_false(ps_content_type_charset("text/plain; charset=a", strlen("text/plain; charset="), &charset));
    assert_true(ps_content_type_charset("text/plain; charset=ab", strlen("text/plain; charset=a"), &charset));
    assert_int_equal(charset.length, 1);
}

static void test_type(void **unused)
{
    static const struct {
        const char *value;
        bool is;
    } rows[] = {
        {"application/json", true},        {"APPLICATION/Json", true},
        {" application/json ; a=b", true}, {"application/json;", true},
        {"application/jsonx", false},      {"application/jso", false},
        {"application/json x", false},     {"xapplication/json", false},
        {"a; application/json", false},    {"", false},
        {"application/json/; a=b", false},
    };
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        if (ps_content_type_is(rows[i].value, strlen(rows[i].value), "application/json") != rows[i].is)
            fail_msg("%s", rows[i].value);
    }
    assert_true(ps_content_type_is("application/jsonx", strlen("application/json"), "application/json"));
}

/* Each value, cut at each place, has the same answer whatever byte follows: in a request, that is the next field. */
static void test_bytes_behind(void **unused)
{
    static const char *const values[] = {"text/plain \t;\t CHARSET= \"x\" \t; a", "a; charset=b; charset=c",
                                         " \t; \t"};
    for (size_t i = 0; i < PS_COUNT_OF(values); i++) {
        for (size_t length = 0; length <= strlen(values[i]); length++) {
            char cut[64] = {0};
            struct ps_slice wanted = {NULL, 0}, charset = {NULL, 0};
            memcpy(cut, values[i], length);
            bool found = ps_content_type_charset(cut, length, &wanted);
            assert_true(!found || wanted.data + wanted.length <= cut + length);
            for (int byte = 1; byte < 256; byte++) {
                memset(cut + length, byte, sizeof cut - length);
                if (ps_content_type_charset(cut, length, &charset) != found ||
                    (found && (charset.data != wanted.data || charset.length != wanted.length)))
                    fail_msg("%s: %zu bytes, byte %d behind them", values[i], length, byte);
                assert_int_equal(ps_content_type_is(cut, length, "text/plain"), i == 0 && length >= 10);
                assert_true(ps_content_type_is(cut, length, "") == (length == 0 || i == 2));
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_charset), cmocka_unit_test(test_type),
                                       cmocka_unit_test(test_bytes_behind)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
