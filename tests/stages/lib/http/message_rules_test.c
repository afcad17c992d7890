/* Unusual input that http_parser accepts: names, foldings, targets, hosts and chunk lines, each with similar input that
 * it refuses. */
#include "stages/lib/http/message_rules.h"
#include "tests/support/support.h"

#include <string.h>

struct row {
    const char *text;
    bool good;
};

static void test_names(void **unused)
{
    assert_false(ps_http_name_is_token("a", 0));
    for (unsigned byte = 0; byte < 256; byte++) {
        char name[] = {'a', (char)byte, 'b'};
        bool good = (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') ||
                    (byte >= 'A' && byte <= 'Z') ||
                    (byte != 0 && strchr("!#$%&'*+-.^_`|~", (int)byte) != NULL);
        if (ps_http_name_is_token(name, 3) != good || ps_http_name_is_token(name + 1, 1) != good)
            fail_msg("byte %u", byte);
        assert_true(ps_http_name_is_token(name, 1));
    }
}

static void test_folded(void **unused)
{
    static const struct row rows[] = {
        {"a: b\r\n c", false}, {"a: b\n\tc", false},          {"a: b\r\nc", true},     {"a: b\r\n", true},
        {"a: b", true},        {"a:  b\r\nc: d\r\n e", true}, {"a: b\r\n\r\n c", true}};
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        if (ps_http_field_is_folded(rows[i].text, rows[i].text + strlen(rows[i].text)) == rows[i].good)
            fail_msg("%s", rows[i].text);
    }
    assert_false(ps_http_field_is_folded("a\n b", &"a\n b"[2])); /* the blank has not arrived yet */
}

static void test_targets(void **unused)
{
    static const struct row rows[] = {{"/", true},
                                      {"/a%20b", true},
                                      {"/a%2", false},
                                      {"/a%", false},
                                      {"/%zz", false},
                                      {"/%2g", false},
                                      {"/%g2", false},
                                      {"/%C3%A4", true},
                                      {"/%u00e4", true},
                                      {"/%u00e", false},
                                      {"/%u00eg", false},
                                      {"/%U00e4", false},
                                      {"/a?%zz", true},
                                      {"/a#%zz", true},
                                      {"/a;%zz", true},
                                      {"/a%20%2?x", false},
                                      {"http://h/a", true},
                                      {"http://h%zz/a", true},
                                      {"http://h/%zz", false},
                                      {"http://h", true},
                                      {"h:80", true},
                                      {"/\xC3\xA4", true},
                                      {"/\xC3", false},
                                      {"/\xFF?", false},
                                      {"/?\xFF", true},
                                      {"", true}};
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        if ((ps_http_target_wrong(rows[i].text, strlen(rows[i].text), false) == NULL) != rows[i].good)
            fail_msg("%s", rows[i].text);
    }
    assert_null(ps_http_target_wrong("*", 1, true));
    assert_non_null(ps_http_target_wrong("*", 1, false));
    assert_null(ps_http_target_wrong("/%20", 4, true));
    assert_non_null(ps_http_target_wrong("/%20", 3, true)); /* bytes after the target are not checked */
}

static void test_hosts(void **unused)
{
    static const struct row rows[] = {
        {"h", true},         {"h:80", true},   {"h:", true},       {"h:8a", false},    {"h:a", false},
        {"h:80:", true},     {"[::1]", true},  {"[::1]:80", true}, {"[::1]:a", false}, {"[::1]:", true},
        {"h:-1", false},     {"h:80 ", false}, {"", true},         {"1.2.3.4", true},  {"1.2.3.4:5", true},
        {"80", true},        {":80", true},    {"a b", false},     {"a\tb", false},    {"a b:80", false},
        {"[::1] :80", false}};
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        if (ps_http_host_is_good(rows[i].text, strlen(rows[i].text)) != rows[i].good)
            fail_msg("%s", rows[i].text);
    }
}

static void test_chunk_lines(void **unused)
{
    static const struct row rows[] = {
        {"2", true},           {"fF0", true},     {"2 ", true},      {"2\t;a=b", true},
        {"2;a=\"b c\"", true}, {"2 a", false},    {"2\r", false},    {"2;a\r", false},
        {"2;a\nb", false},     {"2;\x7f", false}, {"2;\tb", true},   {"2;\xC3\xA4", true},
        {"2x", false},         {"0x2", false},    {"2;\x1f", false}, {"2; ", true}};
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        if (ps_http_chunk_line_is_good(rows[i].text, strlen(rows[i].text)) != rows[i].good)
            fail_msg("%s", rows[i].text);
    }
    assert_false(ps_http_chunk_line_is_good("2;a\0b", 5));
}

/* ---- bytes after the text ---- */

static bool is_target_good(const char *text, size_t length)
{
    return ps_http_target_wrong(text, length, false) == NULL;
}

static bool is_folded(const char *text, size_t length)
{
    return ps_http_field_is_folded(text, text + length);
}

/* Each text, cut at each place, has the same answer whatever byte follows: in a request, that is the next field. */
static void test_bytes_behind(void **unused)
{
    static const struct {
        const char *text;
        bool (*ask)(const char *text, size_t length);
    } rows[] = {
        {"X-a.b", ps_http_name_is_token},   {"h:80", ps_http_host_is_good},
        {"[::1]:80", ps_http_host_is_good}, {"f0 \t;a=b", ps_http_chunk_line_is_good},
        {"a: b\r\n c", is_folded},          {"/a%20b%u00e4\xC3\xA4;x?y", is_target_good},
        {"http://h/a%20", is_target_good},
    };
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        for (size_t length = 0; length <= strlen(rows[i].text); length++) {
            char cut[64] = {0};
            memcpy(cut, rows[i].text, length);
            bool good = rows[i].ask(cut, length);
            for (int byte = 1; byte < 256; byte++) {
                memset(cut + length, byte, sizeof cut - length);
                if (rows[i].ask(cut, length) != good)
                    fail_msg("%s: %zu bytes, byte %d behind them", rows[i].text, length, byte);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),       cmocka_unit_test(test_folded),
        cmocka_unit_test(test_targets),     cmocka_unit_test(test_hosts),
        cmocka_unit_test(test_chunk_lines), cmocka_unit_test(test_bytes_behind)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
