/* Reading a URL: a file or an answer. A failed read has a reason, and no bytes. */
#include "stages/lib/avro/schema_url.h"

#include <stdio.h>

#include "tests/support/folder.h"
#include "tests/support/http_peer.h"
#include "tests/support/support.h"

static void expect_text(const char *url, size_t length_max, const char *text)
{
    struct ps_schema_url_answer answer;
    ps_schema_url_read(url, length_max, &answer);
    if (answer.text.data == NULL)
        fail_msg("%s: %s", url, answer.reason);
    assert_int_equal(answer.text.length, strlen(text));
    assert_memory_equal(answer.text.data, text, strlen(text));
    ps_byte_buffer_clear(&answer.text, 0);
}

static void expect_reason(const char *url, size_t length_max, const char *reason)
{
    struct ps_schema_url_answer answer;
    ps_schema_url_read(url, length_max, &answer);
    assert_null(answer.text.data);
    if (strstr(answer.reason, reason) == NULL)
        fail_msg("%s: %s, not %s", url, answer.reason, reason);
}

static void test_files(void **state)
{
    char url[512];
    ps_test_folder_append("schema", "\"bytes\"", 7);
    snprintf(url, sizeof url, "file://%s", ps_test_folder_path("schema"));
    expect_text(url, 100, "\"bytes\"");
    expect_text(url, 7, "\"bytes\"");
    expect_reason(url, 6, "longer than 6 bytes");
    snprintf(url, sizeof url, "file://%s", ps_test_folder_path("none"));
    expect_reason(url, 100, "");
}

static void test_answers(void **state)
{
    static const unsigned statuses[] = {400, 403, 404, 500, 503};
    ps_test_http_peer_start();
    expect_text(ps_test_http_peer_url(), 100, "");
    for (size_t i = 0; i < PS_COUNT_OF(statuses); i++) { /* pages of errors are not schemas */
        char number[8];
        snprintf(number, sizeof number, "%u", statuses[i]);
        ps_test_http_peer_answer(statuses[i], 1);
        expect_reason(ps_test_http_peer_url(), 100, number);
    }
    ps_test_http_peer_set(PS_TEST_FAR_END_DOWN);
    expect_reason(ps_test_http_peer_url(), 100, "");
    ps_test_http_peer_stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_files, ps_test_folder_setup, ps_test_folder_teardown),
        cmocka_unit_test(test_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
