/* Thrift's SASL messages as read by a server and a client, without a KDC: malformed messages, an exchange that is
 * broken off, mechanisms that the library lacks. (Whole exchanges: tests/e2e/thrift_kerberos_test.sh.) */
#include "stages/lib/thrift/sasl.h"

#include "core/big_endian.h"
#include "tests/support/folder.h"
#include "tests/support/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const uint8_t *input;
static size_t input_length, input_at;
static uint8_t output[4096];
static size_t output_length;

/* One byte at a time. */
static enum ps_tls_result read_input(void *unused, void *buffer, size_t room, size_t *length)
{
    *length = 0;
    if (input_at == input_length)
        return PS_TLS_WANT_READ;
    assert_true(room > 0);
    *(uint8_t *)buffer = input[input_at++];
    *length = 1;
    return PS_TLS_OK;
}

static enum ps_tls_result write_output(void *unused, const void *data, size_t length, size_t *written)
{
    assert_true(output_length + length <= sizeof output);
    memcpy(output + output_length, data, length);
    output_length += length;
    *written = length;
    return PS_TLS_OK;
}

static const struct ps_tls_pipe pipe_ends = {.read = read_input, .write = write_output};

static void give(const void *bytes, size_t length)
{
    input = bytes;
    input_length = length;
    input_at = output_length = 0;
}

/* Writes a keytab with one AES key of agent/host@REALM (version 2 of the format). Returns its path. */
static const char *write_keytab(void)
{
    static char path[512];
    static const uint8_t bytes[] = "\x05\x02\x00\x00\x00\x43"
                                   "\x00\x02\x00\x05"
                                   "REALM\x00\x05"
                                   "agent\x00\x04"
                                   "host\x00\x00\x00\x01\x00\x00\x00\x00\x01\x00\x12\x00\x20"
                                   "0123456789abcdef0123456789abcdef";
    snprintf(path, sizeof path, "%s/keytab", ps_test_folder());
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, sizeof bytes - 1, file), sizeof bytes - 1);
    assert_int_equal(fclose(file), 0);
    return path;
}

static struct ps_gss_acceptor *acceptor;

static void begin_server(struct ps_thrift_sasl *sasl)
{
    struct ps_gss_context *context = ps_gss_acceptor_open(acceptor);
    assert_non_null(context);
    assert_true(ps_thrift_sasl_init(sasl, &pipe_ends, context, NULL));
}

static void test_server(void **unused)
{
    static const struct {
        const char *bytes;
        size_t length;
        const char *reason; /* NULL: it waits for more bytes */
        uint8_t status;     /* status of its answer; 0: no answer */
    } cases[] = {
        {"", 0, NULL, 0},
        {"\x01\x00\x00", 3, NULL, 0},
        {"\x01\x00\x00\x00\x06GSSAPI", 11, NULL, 0},
        {"\x01\x00\x00\x00\x06GSSAPI\x02\x00\x00\x10\x00", 16, NULL, 0},
        {"\x01\x00\x00\x00\x05PLAIN", 10, "the client asks for another mechanism than GSSAPI", 3},
        {"\x02\x00\x00\x00\x00", 5, "the client does not begin with START", 4},
        {"\x01\x00\x00\x00\x06GSSAPI\x04\x00\x00\x00\x02no", 18, "the client gave the exchange up", 0},
        {"\x01\x00\x00\x00\x06GSSAPI\x02\x00\x00\x00\x05token", 21, "token", 3},
        {"\x01\x7f\xff\xff\xff", 5, "not a message of Thrift's SASL", 0},
        {"\x00\x00\x00\x40\x82", 5, "not a message of Thrift's SASL", 0}, /* a frame */
        {"\x16\x03\x01\x00\xf0", 5, "not a message of Thrift's SASL", 0}, /* TLS */
    };
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        struct ps_thrift_sasl sasl;
        give(cases[i].bytes, cases[i].length);
        begin_server(&sasl);
        enum ps_tls_result result = ps_thrift_sasl_work(&sasl);
        assert_int_equal(result, cases[i].reason == NULL ? PS_TLS_WANT_READ : PS_TLS_ERROR);
        assert_false(ps_thrift_sasl_is_open(&sasl));
        if (cases[i].reason != NULL)
            assert_non_null(strstr(sasl.reason, cases[i].reason));
        assert_int_equal(output_length > 0 ? output[0] : 0, cases[i].status);
        assert_int_equal(input_at, cases[i].length);
        ps_thrift_sasl_fini(&sasl);
    }
}

/* The token of a client may be as long as the limit: it is read as a whole. A longer one is not read. */
static void test_the_longest_token(void **unused)
{
    static const char start[] = "\x01\x00\x00\x00\x06GSSAPI\x02\x00";
    static uint8_t bytes[sizeof start + 3 + PS_THRIFT_SASL_BYTES_MAX + 1];
    for (uint32_t length = PS_THRIFT_SASL_BYTES_MAX - 1; length <= PS_THRIFT_SASL_BYTES_MAX + 1; length++) {
        struct ps_thrift_sasl sasl;
        bool fits = length <= PS_THRIFT_SASL_BYTES_MAX;
        size_t head = sizeof start - 2; /* without the first byte of the length */
        memcpy(bytes, start, head);
        ps_big_endian_put_32(bytes + head, length);
        give(bytes, head + 4 + length);
        begin_server(&sasl);
        assert_int_equal(ps_thrift_sasl_work(&sasl), PS_TLS_ERROR);
        assert_int_equal(input_at, fits ? input_length : head + 4);
        assert_int_equal(strstr(sasl.reason, "not a message of Thrift's SASL") == NULL, fits);
        ps_thrift_sasl_fini(&sasl);
    }
}

/* A client's first messages, and what a server may answer to them. */
static void test_client(void **unused)
{
    static const struct {
        const char *bytes;
        size_t length;
        const char *reason;
    } cases[] = {
        {"\x03\x00\x00\x00\x0bnot\nwelcome", 16, "the source refuses the client: not welcome"},
        {"\x04\x00\x00\x00\x00", 5, "the source refuses the client"},
        {"\x05\x00\x00\x00\x00", 5, "the source does not follow Thrift's SASL"},
        {"\x01\x00\x00\x00\x00", 5, "the source does not follow Thrift's SASL"},
        {"\x00\x00\x00\x20\x82", 5, "not a message of Thrift's SASL"},
    };
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        struct ps_thrift_sasl sasl;
        struct ps_gss_token token = {.bytes = strdup("first"), .length = 5};
        assert_non_null(token.bytes);
        give(cases[i].bytes, cases[i].length);
        struct ps_gss_context *context = ps_gss_acceptor_open(acceptor);
        assert_non_null(context);
        assert_true(ps_thrift_sasl_init(&sasl, &pipe_ends, context, &token));
        assert_int_equal(ps_thrift_sasl_work(&sasl), PS_TLS_ERROR);
        assert_non_null(strstr(sasl.reason, cases[i].reason));
        assert_true(output_length >= 21);
        assert_memory_equal(output,
                            "\x01\x00\x00\x00\x06GSSAPI\x02\x00\x00\x00\x05"
                            "first",
                            21);
        ps_thrift_sasl_fini(&sasl);
    }
}

static void test_keytabs(void **unused)
{
    struct ps_gss_acceptor *none;
    struct ps_err err = {.length = 0};
    assert_int_equal(ps_gss_acceptor_build(&none, "agent/host@REALM", "/no/such/keytab", &err), PS_FAIL);
    assert_non_null(strstr(err.text, "/no/such/keytab"));
    err.length = 0;
    assert_int_equal(ps_gss_acceptor_build(&none, "other/host@REALM", write_keytab(), &err), PS_FAIL);
    assert_non_null(strstr(err.text, "has no keys of other/host@REALM"));
}

static int setup(void **state)
{
    struct ps_err err = {.length = 0};
    setenv("KRB5_CONFIG", "/dev/null", 1); /* the machine's configuration is not used */
    assert_int_equal(ps_test_folder_setup(state), 0);
    if (ps_gss_acceptor_build(&acceptor, "agent/host@REALM", write_keytab(), &err) != PS_OK)
        fail_msg("%s", err.text);
    return 0;
}

static int tear_down(void **state)
{
    ps_gss_acceptor_teardown(acceptor);
    return ps_test_folder_teardown(state);
}

/* A client acts only for itself: a name that only begins or ends like its own is refused. */
static void test_whose_name(void **unused)
{
    static const struct {
        const char *peer, *wanted;
        bool granted;
    } cases[] = {
        {"alice@REALM", "", true},
        {"alice@REALM", "alice", true},
        {"alice@REALM", "alice@REALM", true},
        {"alice/host@REALM", "alice/host", true},
        {"alice/host@REALM", "alice/host@REALM", true},
        {"alice@REALM", "alice2", false},
        {"alice2@REALM", "alice", false},
        {"alice@REALM", "alic", false},
        {"alice@REALM", "Alice", false},
        {"alice@REALM", "bob", false},
        {"alice@REALM", "alice@", false},
        {"alice@REALM", "alice@REAL", false},
        {"alice@REALM", "alice@REALM2", false},
        {"alice@REALM", "alice@OTHER", false},
        {"alice@REALM", "xalice", false},
        {"alice@REALM", "@REALM", false},
        {"alice/host@REALM", "alice", false},
        {"alice/host@REALM", "alice/hos", false},
        {"alice/host@REALM", "alice/host2", false},
        {"alice/host@REALM", "alice@REALM", false},
    };
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        if (ps_thrift_sasl_may_be(cases[i].peer, cases[i].wanted, strlen(cases[i].wanted)) !=
            cases[i].granted)
            fail_msg("%s as %s", cases[i].peer, cases[i].wanted);
    }
    assert_false(ps_thrift_sasl_may_be("alice@REALM", "alice\0", 6));
    assert_false(ps_thrift_sasl_may_be("alice@REALM", "alice\0REALM", 11));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whose_name),        cmocka_unit_test(test_server),
        cmocka_unit_test(test_the_longest_token), cmocka_unit_test(test_client),
        cmocka_unit_test(test_keytabs),
    };
    return cmocka_run_group_tests(tests, setup, tear_down);
}
