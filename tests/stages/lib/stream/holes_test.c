/* Each time limit holds for a connection whose number is high because others, which are gone, came before it: the slots of connections have holes. */
#include "tests/support/keystore.h"
#include "tests/support/net.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#define GONE 64U
#define STEP_MS 250U

static unsigned open_count(const struct ps_test_stage *stage)
{
    return (unsigned)ps_test_stage_counter(stage, PS_COUNTER_OpenConnectionCount);
}

/* Lets the source work, in no time of its clock, until it has this number of connections. */
static void await_open(struct ps_test_stage *stage, unsigned count)
{
    uint64_t until_ns = ps_test_patience_end_ns();
    while (open_count(stage) != count) {
        assert_true(ps_test_patient_ns() < until_ns);
        (void)ps_test_source_work(stage);
        usleep(100);
    }
}

/* Lets the source read what was sent: its sockets are ready as soon as the bytes are there. */
static void await_read(struct ps_test_stage *stage, int fd)
{
    uint64_t until_ns = ps_test_patience_end_ns();
    while (!ps_test_has_arrived(fd)) {
        assert_true(ps_test_patient_ns() < until_ns);
        (void)ps_test_source_work(stage);
    }
    for (unsigned i = 0; i < 3; i++)
        (void)ps_test_source_work(stage);
}

static void test_each_limit(void **unused)
{
    const char *const store = ps_test_store_fixture("server.p12");
    const struct {
        const char *what;
        const struct ps_stage_ops *source;
        const char *keys[12];
        const char *sent; /* and nothing after it */
        unsigned limit_s;
    } rows[] = {
        {"a handshake",
         &ps_source_syslogtcp,
         {"host", "127.0.0.1", "port", "0", "ssl", "true", "keystore", store, "keystore-password",
          PS_TEST_STORE_PASSWORD},
         "\x16",
         10},
        {"no bytes",
         &ps_source_syslogtcp,
         {"host", "127.0.0.1", "port", "0", "penstock.idle.timeout", "7"},
         "",
         7},
        {"a message",
         &ps_source_thrift,
         {"bind", "127.0.0.1", "port", "0", "penstock.message.timeout", "8"},
         "\x01\x02",
         8},
        {"a request",
         &ps_source_http,
         {"bind", "127.0.0.1", "port", "0", "penstock.request.timeout", "9"},
         "POST / HTTP/1.1\r\nHo",
         9},
    };
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        struct ps_test_stage stage;
        int fds[GONE + 1];
        ps_test_stage_start(&stage, rows[i].source, rows[i].keys);
        for (unsigned k = 0; k <= GONE; k++) {
            fds[k] = ps_test_connect("127.0.0.1", ps_test_tcp_port(&stage, 0));
            await_open(&stage, k + 1);
        }
        for (unsigned k = 0; k < GONE; k++)
            close(fds[k]);
        await_open(&stage, 1);
        ps_test_send_text(fds[GONE], rows[i].sent);
        await_read(&stage, fds[GONE]);
        uint64_t began_ns = stage.now.mono_ns;
        while (open_count(&stage) > 0 && stage.now.mono_ns - began_ns < 100 * PS_NS_PER_S) {
            ps_test_stage_pass_ms(&stage, STEP_MS);
            (void)ps_test_source_work(&stage);
        }
        unsigned took_ms = (unsigned)((stage.now.mono_ns - began_ns) / PS_NS_PER_MS);
        if (took_ms < rows[i].limit_s * 1000 - STEP_MS || took_ms > rows[i].limit_s * 1000 + 3000)
            fail_msg("%s: closed after %u ms", rows[i].what, took_ms);
        close(fds[GONE]);
        ps_test_stage_fini(&stage);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_each_limit)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
