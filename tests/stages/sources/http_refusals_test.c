/* Source http: a table of requests that are malformed, or nearly, and the answer to each. */
#include "stages/lib/http/server.h"
#include "tests/support/http_ask.h"
#include "tests/support/net.h"
#include "tests/support/source_tree.h"

#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define LOCAL "bind", "127.0.0.1", "port", "0"

/* Replaces the escapes of a request of the table in place. Returns its length. */
static size_t unescape(char *text)
{
    static const char letters[] = "rnt\\", bytes[] = "\r\n\t\\";
    char *out = text;
    for (const char *at = text; *at != '\0'; at++) {
        if (*at != '\\') {
            *out++ = *at;
        } else if (*++at == 'x') {
            *out++ = (char)strtoul((char[]){at[1], at[2], '\0'}, NULL, 16);
            at += 2;
        } else {
            const char *letter = strchr(letters, *at);
            assert_true(letter != NULL && *letter != '\0');
            *out++ = bytes[letter - letters];
        }
    }
    return (size_t)(out - text);
}

/* A table of malformed requests and similar good ones: the answer to each, sent whole and in pieces of one byte.
 * tests/real/flume_oracle_http_test.sh sends the same to a Flume. */
static void test_malformed_requests(void **unused)
{
    char line[512];
    unsigned count = 0;
    FILE *file = fopen(ps_test_source_path("tests/stages/data/http_requests.txt"), "r");
    assert_non_null(file);
    struct ps_test_stage stage;
    ps_test_stage_start(&stage, &ps_source_http, PS_KEYS(LOCAL));
    while (fgets(line, sizeof line, file) != NULL) {
        char *status, *what, *request, *rest = line;
        line[strcspn(line, "\n")] = '\0';
        if (line[0] == '#')
            continue;
        (void)strsep(&rest, "|"); /* the column of Flume */
        status = strsep(&rest, "|");
        what = strsep(&rest, "|");
        assert_non_null(request = rest);
        size_t length = unescape(request);
        for (int pieces = 0; pieces < 2; pieces++) {
            int fd = ps_test_connect("127.0.0.1", ps_test_tcp_port(&stage, 0));
            size_t sent = 0;
            for (; pieces > 0 && sent + 1 < length; sent++) {
                char byte;
                if (recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0)
                    break; /* answered already */
                ps_test_send(fd, request + sent, 1);
                ps_test_source_read(&stage);
            }
            unsigned answered = ps_test_http_ask(&stage, fd, request + sent,
                                                 pieces > 0 && sent + 1 < length ? 0 : length - sent);
            if (answered != strtoul(status, NULL, 10))
                fail_msg("%s%s: %u, not %s", what, pieces > 0 ? ", in pieces" : "", answered, status);
            close(fd);
        }
        count++;
    }
    assert_true(count > 80);
    assert_int_equal(stage.event_count, 0);
    fclose(file);
    ps_test_stage_fini(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_malformed_requests)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
