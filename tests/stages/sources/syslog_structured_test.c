/* Sources syslogtcp, multiport_syslogtcp and syslogudp with penstock.rfc5424.headers: the fields of RFC 5424 as headers, and what has not
 * all of them. */
#include "tests/support/net.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

extern const struct ps_stage_ops ps_source_syslogtcp, ps_source_multiport_syslogtcp, ps_source_syslogudp;

#define HEAD "<13>1 2003-10-11T22:14:15Z h "

static const struct {
    const char *text, *body, *app, *process, *id, *data;
} rows[] = {
    {HEAD "su 12 ID47 [a b=\"c\"] it's me", "it's me", "su", "12", "ID47", "[a b=\"c\"]"},
    {HEAD "su - ID47 - it's me", "it's me", "su", NULL, "ID47", NULL},
    {HEAD "- - - - \xEF\xBB\xBFwith a mark", "with a mark", NULL, NULL, NULL, NULL},
    {HEAD "su 1 2 [a b=\"]\\\"] \\\\\"][c] - x", "- x", "su", "1", "2", "[a b=\"]\\\"] \\\\\"][c]"},
    {HEAD "su 1 2 -", "", "su", "1", "2", NULL},
    {HEAD "su 1 2 [a]", "", "su", "1", "2", "[a]"},
    {HEAD "su - ID47 - it's me", "it's me", "su", NULL, "ID47", NULL}, /* a head that was kept */
    {HEAD "su 1 2 [a b=\"c] x", "su 1 2 [a b=\"c] x", NULL, NULL, NULL, NULL},
    {HEAD "su 1 2 [a]x", "su 1 2 [a]x", NULL, NULL, NULL, NULL},
    {HEAD "su 1 2", "su 1 2", NULL, NULL, NULL, NULL},
    {"<13>Oct 11 22:14:15 h su 1 2 - x", "su 1 2 - x", NULL, NULL, NULL, NULL}, /* RFC 3164 */
};

static void expect_header(const struct ps_test_event *event, const char *name, const char *wanted)
{
    const char *value = ps_test_event_header(event, name);
    if ((value == NULL) != (wanted == NULL) || (value != NULL && strcmp(value, wanted) != 0))
        fail_msg("\"%.*s\" has %s = %s, wanted is %s", (int)event->length, event->body, name, value, wanted);
}

static void run(const struct ps_stage_ops *ops, const char *port_key)
{
    struct ps_test_stage stage;
    ps_test_stage_start(&stage, ops,
                        PS_KEYS("host", "127.0.0.1", port_key, "0", "penstock.rfc5424.headers", "true"));
    bool datagrams = ops == &ps_source_syslogudp;
    int fd = datagrams ? ps_test_connect_udp("127.0.0.1", ps_test_udp_port(&stage))
                       : ps_test_connect("127.0.0.1", ps_test_tcp_port(&stage, 0));
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        char text[256];
        snprintf(text, sizeof text, "%s%s", rows[i].text, datagrams ? "" : "\n");
        ps_test_send_text(fd, text);
    }
    ps_test_source_wait(&stage, PS_COUNT_OF(rows), PS_TEST_PATIENCE_MS);
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        const struct ps_test_event *event = &stage.events[i];
        assert_string_equal(event->body, rows[i].body);
        expect_header(event, "host", "h");
        expect_header(event, "appname", rows[i].app);
        expect_header(event, "procid", rows[i].process);
        expect_header(event, "msgid", rows[i].id);
        expect_header(event, "structured_data", rows[i].data);
    }
    close(fd);
    ps_test_stage_fini(&stage);
}

static void test_fields(void **unused)
{
    run(&ps_source_syslogtcp, "port");
    run(&ps_source_multiport_syslogtcp, "ports");
    run(&ps_source_syslogudp, "port");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_fields)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
