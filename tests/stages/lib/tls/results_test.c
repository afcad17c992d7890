/* Every value of enum ps_tls_result, as a connection of a server returns it for each result of the carrier of its
 * bytes, before and after the handshake. */
#include "tests/support/keystore.h"
#include "tests/support/support.h"

#include "stages/lib/tls/tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

/* The carrier: it reads from `in` the bytes that the client wrote; `answer`, if not OK, is its result instead of bytes. */
struct carrier {
    BIO *in, *out;
    enum ps_tls_result read_answer, write_answer;
};

static enum ps_tls_result carrier_read(void *argument, void *buffer, size_t room, size_t *length)
{
    struct carrier *carrier = argument;
    *length = 0;
    if (BIO_pending(carrier->in) > 0 && BIO_read_ex(carrier->in, buffer, room, length) == 1)
        return PS_TLS_OK;
    return carrier->read_answer;
}

static enum ps_tls_result carrier_write(void *argument, const void *data, size_t length, size_t *written)
{
    struct carrier *carrier = argument;
    *written = 0;
    if (carrier->write_answer != PS_TLS_OK)
        return carrier->write_answer;
    return BIO_write_ex(carrier->out, data, length, written) == 1 ? PS_TLS_OK : PS_TLS_ERROR;
}

struct pair {
    struct carrier carrier;
    struct ps_tls_connection *connection;
    SSL_CTX *context;
    SSL *client;
};

static void pair_open(struct pair *pair, const struct ps_tls_server *server)
{
    *pair = (struct pair){.carrier = {.in = BIO_new(BIO_s_mem()),
                                      .out = BIO_new(BIO_s_mem()),
                                      .read_answer = PS_TLS_WANT_READ}};
    const struct ps_tls_pipe pipe = {
        .read = carrier_read, .write = carrier_write, .argument = &pair->carrier};
    pair->connection = ps_tls_connection_open_over(server, &pipe);
    assert_non_null(pair->connection);
    pair->context = SSL_CTX_new(TLS_client_method());
    pair->client = SSL_new(pair->context);
    SSL_set_bio(pair->client, pair->carrier.out, pair->carrier.in);
    SSL_set_connect_state(pair->client);
}

static void pair_close(struct pair *pair)
{
    ps_tls_connection_close(pair->connection);
    SSL_free(pair->client);
    SSL_CTX_free(pair->context);
    ERR_clear_error();
}

static void shake(struct pair *pair)
{
    char byte;
    size_t length;
    for (unsigned i = 0; i < 10; i++) {
        SSL_do_handshake(pair->client);
        ERR_clear_error();
        assert_int_equal(ps_tls_connection_read(pair->connection, &byte, 1, &length), PS_TLS_WANT_READ);
        if (ps_tls_connection_established(pair->connection) && SSL_is_init_finished(pair->client))
            return;
    }
    fail_msg("no handshake: %s", ps_tls_connection_reason(pair->connection));
}

enum call { READ, WRITE, SHUTDOWN };

struct row {
    const char *what;
    bool is_established;
    const char *sent;  /* by the client: a text if established, otherwise bytes; NULL: nothing */
    bool says_goodbye; /* the client sends close_notify */
    enum call call;
    enum ps_tls_result read_answer, write_answer; /* the carrier's results when it has no bytes */
    enum ps_tls_result wanted, then;              /* results of the call, and of a read after it */
    const char *reason;                           /* NULL: none */
};

#define HANDSHAKE "TLS handshake failed: "

static const struct row rows[] = {
    {"nothing yet", false, NULL, false, READ, PS_TLS_WANT_READ, PS_TLS_OK, PS_TLS_WANT_READ, PS_TLS_WANT_READ,
     NULL},
    {"a write before the handshake", false, NULL, false, WRITE, PS_TLS_WANT_READ, PS_TLS_OK, PS_TLS_WANT_READ,
     PS_TLS_WANT_READ, NULL},
    {"an end before the handshake", false, NULL, false, SHUTDOWN, PS_TLS_WANT_READ, PS_TLS_OK, PS_TLS_OK,
     PS_TLS_WANT_READ, NULL},
    {"gone before the handshake", false, NULL, false, READ, PS_TLS_CLOSED, PS_TLS_OK, PS_TLS_CLOSED,
     PS_TLS_CLOSED, NULL},
    {"no TLS", false, "GET / HTTP/1.1\r\n\r\n", false, READ, PS_TLS_WANT_READ, PS_TLS_OK, PS_TLS_ERROR,
     PS_TLS_ERROR, HANDSHAKE "this side speaks TLS, and the other one does not"},
    {"nothing behind the handshake", true, NULL, false, READ, PS_TLS_WANT_READ, PS_TLS_OK, PS_TLS_WANT_READ,
     PS_TLS_WANT_READ, NULL},
    {"bytes", true, "text", false, READ, PS_TLS_WANT_READ, PS_TLS_OK, PS_TLS_OK, PS_TLS_WANT_READ, NULL},
    {"bytes, then gone", true, "text", false, READ, PS_TLS_CLOSED, PS_TLS_OK, PS_TLS_OK, PS_TLS_CLOSED, NULL},
    {"bytes, then a goodbye", true, "text", true, READ, PS_TLS_WANT_READ, PS_TLS_OK, PS_TLS_OK, PS_TLS_CLOSED,
     NULL},
    {"a goodbye", true, NULL, true, READ, PS_TLS_WANT_READ, PS_TLS_OK, PS_TLS_CLOSED, PS_TLS_CLOSED, NULL},
    {"gone without a goodbye", true, NULL, false, READ, PS_TLS_CLOSED, PS_TLS_OK, PS_TLS_CLOSED,
     PS_TLS_CLOSED, NULL},
    {"written", true, NULL, false, WRITE, PS_TLS_WANT_READ, PS_TLS_OK, PS_TLS_OK, PS_TLS_WANT_READ, NULL},
    {"no room", true, NULL, false, WRITE, PS_TLS_WANT_READ, PS_TLS_WANT_WRITE, PS_TLS_WANT_WRITE,
     PS_TLS_WANT_READ, NULL},
    {"an end", true, NULL, false, SHUTDOWN, PS_TLS_WANT_READ, PS_TLS_OK, PS_TLS_OK, PS_TLS_WANT_READ, NULL},
    {"an end without room", true, NULL, false, SHUTDOWN, PS_TLS_WANT_READ, PS_TLS_WANT_WRITE,
     PS_TLS_WANT_WRITE, PS_TLS_WANT_READ, NULL},
};

static enum ps_tls_result call(struct pair *pair, enum call which)
{
    char buffer[64];
    size_t count = 99;
    enum ps_tls_result result;
    if (which == SHUTDOWN)
        return ps_tls_connection_shutdown(pair->connection);
    result = which == READ ? ps_tls_connection_read(pair->connection, buffer, sizeof buffer, &count)
                           : ps_tls_connection_write(pair->connection, "answer", 6, &count);
    assert_int_equal(count, result != PS_TLS_OK ? 0 : which == READ ? 4 : 6);
    return result;
}

static void test_rows(void **state)
{
    struct ps_tls_server *server = NULL;
    struct ps_err err = {.length = 0};
    const struct ps_tls_options options = {
        .enabled = true, .keystore = ps_test_store_fixture("server.p12"), .keystore_password = "changeit"};
    assert_int_equal(ps_tls_server_build(&server, &options, NULL, NULL, &err), PS_OK);
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        const struct row *row = &rows[i];
        struct pair pair;
        pair_open(&pair, server);
        if (row->is_established)
            shake(&pair);
        if (row->sent != NULL && row->is_established)
            assert_int_equal(SSL_write(pair.client, row->sent, (int)strlen(row->sent)), strlen(row->sent));
        else if (row->sent != NULL)
            assert_int_equal(BIO_write(pair.carrier.in, row->sent, (int)strlen(row->sent)),
                             strlen(row->sent));
        if (row->says_goodbye)
            (void)SSL_shutdown(pair.client);
        pair.carrier.read_answer = row->read_answer;
        pair.carrier.write_answer = row->write_answer;
        enum ps_tls_result result = call(&pair, row->call), then;
        pair.carrier.write_answer = PS_TLS_OK;
        then = call(&pair, READ);
        const char *reason = ps_tls_connection_reason(pair.connection);
        if (result != row->wanted || then != row->then ||
            strcmp(reason, row->reason != NULL ? row->reason : "") != 0)
            fail_msg("%s: result %d, then %d, \"%s\"", row->what, (int)result, (int)then, reason);
        assert_true(!ps_tls_connection_more(pair.connection) || then == PS_TLS_OK);
        assert_true(ps_tls_connection_established(pair.connection) == row->is_established);
        if (row->wanted == PS_TLS_ERROR) { /* the connection stays broken */
            assert_int_equal(call(&pair, WRITE), PS_TLS_ERROR);
            assert_int_equal(call(&pair, SHUTDOWN), PS_TLS_OK);
        }
        pair_close(&pair);
    }
    ps_tls_server_teardown(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
