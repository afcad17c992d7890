/* `penstock check --probe` of the sinks avro and thrift: each behaviour of the far end has its own verdict, cause and
 * cure. The far end is a process of the test. */
#include "tests/support/probed.h"
#include "tests/support/rpc_calls.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define IN_BYTES 65536U
#define FIREWALL "check that the source runs, and that this machine reaches it (firewall)"

enum act { ANSWER, ERROR, GARBAGE, HANG_UP, HANG_UP_AFTER_THE_CALL, SILENCE, NOBODY };

static struct ps_test_probed tried;

static int accept_one(int listener)
{
    struct pollfd ready = {.fd = listener, .events = POLLIN};
    (void)poll(&ready, 1, -1);
    return accept4(listener, NULL, NULL, SOCK_CLOEXEC);
}

/* Reads a call and answers it. Runs in the other process. */
static void serve(const struct ps_test_rpc_protocol *protocol, int listener, enum act act, bool penstock,
                  enum ps_test_rpc_status status)
{
    static uint8_t in[IN_BYTES], out[PS_TEST_RPC_ANSWER_BYTES_MAX];
    struct ps_test_rpc_call call;
    size_t length = 0;
    int link = accept_one(listener);
    if (act == HANG_UP)
        _exit(0);
    while (protocol->read(in, length, true, &call) == 0) {
        ssize_t got = recv(link, in + length, sizeof in - length, 0);
        if (got <= 0)
            _exit(1);
        length += (size_t)got;
    }
    if (call.events != 0 || act == HANG_UP_AFTER_THE_CALL)
        _exit(call.events != 0);
    memset(out, 0xff, sizeof out);
    length = act == ANSWER  ? protocol->write(out, true, penstock, &call, status)
             : act == ERROR ? protocol->write_error(out, true, &call)
                            : sizeof out;
    if (act != SILENCE)
        (void)!send(link, out, length, MSG_NOSIGNAL);
    while (recv(link, in, sizeof in, 0) > 0)
        continue; /* until the probe hangs up */
    _exit(0);
}

static void probe(const struct ps_test_rpc_protocol *protocol, enum act act, bool penstock,
                  enum ps_test_rpc_status status)
{
    char text[8];
    unsigned port = 0;
    struct ps_test_stage stage;
    int listener = ps_test_rpc_listen(&port), code = 0;
    const struct ps_probe asked = {.timeout_ms = act == SILENCE ? 100 : PS_TEST_PATIENCE_MS,
                                   .tried = ps_test_probed_note,
                                   .argument = &tried};
    snprintf(text, sizeof text, "%u", port);
    tried = (struct ps_test_probed){.count = 0};
    pid_t far = act == NOBODY ? -1 : fork();
    if (far == 0)
        serve(protocol, listener, act, penstock, status);
    close(listener);
    ps_test_stage_start(&stage, protocol->sink, PS_KEYS("hostname", "127.0.0.1", "port", text));
    protocol->sink->probe(stage.plan, &stage.context, &asked);
    ps_test_stage_fini(&stage);
    assert_int_equal(tried.count, 1);
    snprintf(text, sizeof text, "%u", port);
    assert_non_null(strstr(tried.what, text));
    assert_non_null(strstr(tried.what, protocol->name));
    if (far > 0)
        assert_int_equal(waitpid(far, &code, 0), far);
    assert_int_equal(code, 0);
}

static void expect(enum ps_probed result, const char *cause, const char *cure)
{
    ps_test_probed_expect(&tried, result, cause, cure);
}

/* Only OK is good, from a penstock as from a Flume. */
static void test_each_status(void **unused)
{
    for (size_t i = 0; i < PS_COUNT_OF(ps_test_rpc_protocols); i++) {
        for (unsigned penstock = 0; penstock < 2; penstock++) {
            const struct ps_test_rpc_protocol *protocol = &ps_test_rpc_protocols[i];
            probe(protocol, ANSWER, penstock, PS_TEST_STATUS_OK);
            expect(PS_PROBED_OK, "", "");
            assert_non_null(strstr(tried.what, "answers"));
            assert_int_equal(strstr(tried.what, "a penstock") != NULL, penstock);
            probe(protocol, ANSWER, penstock, PS_TEST_STATUS_FAILED);
            expect(PS_PROBED_FAILED, "it answers, but accepts no events", "look at its channel");
            probe(protocol, ANSWER, penstock, PS_TEST_STATUS_UNKNOWN);
            expect(PS_PROBED_FAILED, "it answers, but accepts no events", "look at its channel");
        }
    }
}

/* Before the call is sent a failure is the network's; after that the cause is the source's kind or settings. */
static void test_each_failure(void **unused)
{
    for (size_t i = 0; i < PS_COUNT_OF(ps_test_rpc_protocols); i++) {
        const struct ps_test_rpc_protocol *protocol = &ps_test_rpc_protocols[i];
        const char *advice = protocol->name;
        probe(protocol, NOBODY, false, 0);
        expect(PS_PROBED_FAILED, "refused", FIREWALL);
        probe(protocol, ERROR, false, 0);
        expect(PS_PROBED_FAILED, "no such thing", advice);
        probe(protocol, GARBAGE, false, 0);
        expect(PS_PROBED_FAILED, "", advice);
        probe(protocol, HANG_UP_AFTER_THE_CALL, false, 0);
        expect(PS_PROBED_FAILED, "", advice);
        probe(protocol, HANG_UP, false, 0);
        expect(PS_PROBED_FAILED, "", "");
        probe(protocol, SILENCE, false, 0);
        expect(PS_PROBED_FAILED, "no answer in time", advice);
    }
}

static const struct ps_option *option_of(const struct ps_stage_ops *sink, const char *key)
{
    const struct ps_option *row = sink->options;
    while (row->key != NULL && strcmp(row->key, key) != 0)
        row++;
    return row->key != NULL ? row : NULL;
}

static bool names_word(const char *text, const char *word)
{
    static const char inside[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-.";
    size_t length = strlen(word);
    for (const char *at = text; (at = strstr(at, word)) != NULL; at += length)
        if ((at == text || strchr(inside, at[-1]) == NULL) &&
            (at[length] == '\0' || strchr(inside, at[length]) == NULL))
            return true;
    return false;
}

/* The cure of a source that does not understand names the keys on which both ends must agree: ssl, and those whose help says so. It names
 * no other key of the sink, and none that only the other sink has. */
static void test_the_advice_names_the_keys(void **unused)
{
    for (size_t i = 0; i < PS_COUNT_OF(ps_test_rpc_protocols); i++) {
        const struct ps_stage_ops *sink = ps_test_rpc_protocols[i].sink;
        unsigned found = 0;
        probe(&ps_test_rpc_protocols[i], HANG_UP_AFTER_THE_CALL, false, 0);
        for (size_t k = 0; k < PS_COUNT_OF(ps_test_rpc_protocols); k++) {
            const struct ps_option *row = ps_test_rpc_protocols[k].sink->options;
            for (; row->key != NULL; row++) {
                const struct ps_option *own = option_of(sink, row->key);
                bool wanted = own != NULL && (strcmp(own->key, "ssl") == 0 ||
                                              strstr(own->help, "must be the same as the source's") != NULL ||
                                              strstr(own->help, "must be the source's") != NULL);
                if (names_word(tried.cure, row->key) != wanted)
                    fail_msg("%s: \"%s\" %s %s", sink->name, tried.cure, wanted ? "lacks" : "names",
                             row->key);
                found += wanted;
            }
        }
        assert_true(found >= 2);
    }
}

/* A reload does not contact another machine. */
static void test_not_asked(void **unused)
{
    for (size_t i = 0; i < PS_COUNT_OF(ps_test_rpc_protocols); i++) {
        struct ps_test_stage stage;
        const struct ps_probe local = {.local = true, .tried = ps_test_probed_note, .argument = &tried};
        tried = (struct ps_test_probed){.count = 0};
        ps_test_stage_start(&stage, ps_test_rpc_protocols[i].sink,
                            PS_KEYS("hostname", "127.0.0.1", "port", "1"));
        ps_test_rpc_protocols[i].sink->probe(stage.plan, &stage.context, &local);
        ps_test_stage_fini(&stage);
        assert_int_equal(tried.count, 1);
        expect(PS_PROBED_SKIPPED, "not asked", "");
        assert_string_equal(tried.what, "127.0.0.1:1");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_status),
        cmocka_unit_test(test_each_failure),
        cmocka_unit_test(test_the_advice_names_the_keys),
        cmocka_unit_test(test_not_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
