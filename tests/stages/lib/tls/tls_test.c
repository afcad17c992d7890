/* The server side of TLS, in one process: stages/lib/tls/tls.c on one end of a socket pair, an OpenSSL client on
 * the other. */
#include "tests/support/keystore.h"
#include "tests/support/support.h"

#include "stages/lib/tls/tls.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

struct plan {
    int other;
    struct ps_tls_options tls;
};

static const struct ps_option rows[] = {PS_TLS_OPTION_ROWS(struct plan, tls), PS_OPTION_END};

static struct ps_tls_options server_options(void)
{
    struct ps_tls_options options = {
        .enabled = true, .keystore = ps_test_store_fixture("server.p12"), .keystore_password = "changeit"};
    return options;
}

#define TEXTS(...)                                                                                           \
    (struct ps_texts)                                                                                        \
    {                                                                                                        \
        .count = PS_COUNT_OF(((const char *const[]){__VA_ARGS__})), .items = (const char *const[])           \
        {                                                                                                    \
            __VA_ARGS__                                                                                      \
        }                                                                                                    \
    }

static char notes_text[8192];

static void note(void *argument, enum ps_log_level severity, const char *key, const char *message)
{
    size_t length = strlen(notes_text);
    snprintf(notes_text + length, sizeof notes_text - length, "%d %s: %s\n", (int)severity, key, message);
}

static const struct ps_notes notes = {.report = note};

static struct ps_tls_server *build(const struct ps_tls_options *options)
{
    struct ps_tls_server *server = NULL;
    struct ps_err err = {.length = 0};
    notes_text[0] = '\0';
    if (ps_tls_server_build(&server, options, NULL, &notes, &err) != PS_OK)
        fail_msg("%s", err.text);
    return server;
}

static void expect_refused(const struct ps_tls_options *options, const struct ps_tls_globals *globals,
                           const char *words)
{
    struct ps_err err = {.length = 0};
    notes_text[0] = '\0';
    assert_int_equal(ps_tls_server_build(NULL, options, globals, &notes, &err), PS_FAIL);
    if (strstr(err.text, words) == NULL)
        fail_msg("expected \"%s\": %s", words, err.text);
}

/* One connection with both of its ends. */
struct pair {
    struct ps_tls_connection *connection;
    int server_fd, client_fd;
    SSL_CTX *context;
    SSL *client;
};

static void sockets_open(struct pair *pair, const struct ps_tls_server *server)
{
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    *pair = (struct pair){.server_fd = fds[0], .client_fd = fds[1]};
    pair->connection = ps_tls_connection_open(server, fds[0]);
    assert_non_null(pair->connection);
}

static void pair_open(struct pair *pair, const struct ps_tls_server *server)
{
    sockets_open(pair, server);
    pair->context = SSL_CTX_new(TLS_client_method());
    assert_int_equal(SSL_CTX_load_verify_locations(pair->context, ps_test_store_fixture("root.pem"), NULL),
                     1);
    SSL_CTX_set_verify(pair->context, SSL_VERIFY_PEER, NULL);
}

static void client_start(struct pair *pair)
{
    pair->client = SSL_new(pair->context);
    assert_int_equal(SSL_set_fd(pair->client, pair->client_fd), 1);
    SSL_set_connect_state(pair->client);
}

static void pair_close(struct pair *pair)
{
    ps_tls_connection_close(pair->connection);
    SSL_free(pair->client);
    SSL_CTX_free(pair->context);
    close(pair->server_fd);
    if (pair->client_fd >= 0)
        close(pair->client_fd);
}

/* Drives both ends until the server's handshake is complete or failed. Returns the server's last result. */
static enum ps_tls_result shake(struct pair *pair)
{
    enum ps_tls_result result = PS_TLS_WANT_READ;
    char byte;
    size_t length;
    for (unsigned i = 0; i < 20 && result != PS_TLS_ERROR; i++) {
        ERR_clear_error();
        SSL_do_handshake(pair->client);
        result = ps_tls_connection_read(pair->connection, &byte, 1, &length);
        if (ps_tls_connection_established(pair->connection) && SSL_is_init_finished(pair->client))
            break;
    }
    return result;
}

static void expect_shaken(struct pair *pair, const char *protocol, const char *suite)
{
    enum ps_tls_result result = shake(pair);
    if (result == PS_TLS_ERROR)
        fail_msg("%s", ps_tls_connection_reason(pair->connection));
    assert_true(ps_tls_connection_established(pair->connection));
    assert_string_equal(ps_tls_connection_protocol(pair->connection), protocol);
    if (suite != NULL)
        assert_string_equal(ps_tls_connection_cipher_suite(pair->connection), suite);
}

static void test_talk(void **state)
{
    static const char *const stores[] = {"server.p12", "server.pem", "several.jks", "java.p12"};
    for (size_t i = 0; i < PS_COUNT_OF(stores); i++) {
        struct ps_tls_options options = server_options();
        options.keystore = ps_test_store_fixture(stores[i]);
        options.keystore_type = "JKS";
        struct ps_tls_server *server = build(&options);
        struct pair pair;
        pair_open(&pair, server);
        if (i >= 2)
            SSL_CTX_set_verify(pair.context, SSL_VERIFY_NONE, NULL); /* self-signed */
        client_start(&pair);
        expect_shaken(&pair, "TLSv1.3", NULL);
        assert_int_equal(sk_X509_num(SSL_get_peer_cert_chain(pair.client)), i < 2 ? 3 : 1); /* each
                                                                                             * certificate
                                                                                             * once */
        char buffer[64];
        size_t length;
        assert_int_equal(SSL_write(pair.client, "<13>hello\n", 10), 10);
        assert_int_equal(ps_tls_connection_read(pair.connection, buffer, sizeof buffer, &length), PS_TLS_OK);
        assert_int_equal(length, 10);
        assert_memory_equal(buffer, "<13>hello\n", 10);
        assert_int_equal(ps_tls_connection_read(pair.connection, buffer, sizeof buffer, &length),
                         PS_TLS_WANT_READ);
        assert_int_equal(length, 0);
        assert_int_equal(ps_tls_connection_write(pair.connection, "OK\n", 3, &length), PS_TLS_OK);
        assert_int_equal(length, 3);
        assert_int_equal(SSL_read(pair.client, buffer, sizeof buffer), 3);
        assert_int_equal(ps_tls_connection_shutdown(pair.connection), PS_TLS_OK);
        assert_int_equal(SSL_read(pair.client, buffer, sizeof buffer), 0);
        assert_int_equal(SSL_get_error(pair.client, 0), SSL_ERROR_ZERO_RETURN);
        pair_close(&pair);
        ps_tls_server_teardown(server);
    }
}

/* More than one record, read in small pieces: bytes that epoll cannot see are not lost. */
static void test_small_reads(void **state)
{
    struct ps_tls_options options = server_options();
    struct ps_tls_server *server = build(&options);
    struct pair pair;
    pair_open(&pair, server);
    client_start(&pair);
    expect_shaken(&pair, "TLSv1.3", NULL);
    static unsigned char out[50000], in[50000];
    uint64_t seed = ps_test_seed();
    for (size_t i = 0; i < sizeof out; i++)
        out[i] = (unsigned char)ps_test_random(&seed);
    size_t sent = 0, got = 0;
    while (got < sizeof in) {
        if (sent < sizeof out) {
            size_t piece = 1 + ps_test_random(&seed) % 5000;
            int n = SSL_write(pair.client, out + sent,
                              (int)(piece < sizeof out - sent ? piece : sizeof out - sent));
            sent += n > 0 ? (size_t)n : 0;
        }
        size_t room = 1 + ps_test_random(&seed) % 700, length;
        enum ps_tls_result result = ps_tls_connection_read(
            pair.connection, in + got, room < sizeof in - got ? room : sizeof in - got, &length);
        assert_true(result == PS_TLS_OK || result == PS_TLS_WANT_READ);
        assert_int_equal(ps_tls_connection_more(pair.connection), result == PS_TLS_OK);
        got += length;
    }
    assert_memory_equal(in, out, sizeof out);
    pair_close(&pair);
    ps_tls_server_teardown(server);
}

static void test_protocols(void **state)
{
    struct ps_tls_options options = server_options();
    options.exclude_protocols = TEXTS("SSLv3", "TLSv1.3");
    struct ps_tls_server *server = build(&options);
    assert_string_equal(notes_text, "");
    struct pair pair;
    pair_open(&pair, server);
    client_start(&pair);
    expect_shaken(&pair, "TLSv1.2", NULL);
    pair_close(&pair);

    pair_open(&pair, server); /* a client that allows only excluded suites */
    SSL_CTX_set_min_proto_version(pair.context, TLS1_3_VERSION);
    client_start(&pair);
    assert_int_equal(shake(&pair), PS_TLS_ERROR);
    assert_non_null(strstr(ps_tls_connection_reason(pair.connection), "TLS handshake failed"));
    char byte;
    size_t length;
    assert_int_equal(ps_tls_connection_read(pair.connection, &byte, 1, &length),
                     PS_TLS_ERROR); /* it stays an error */
    assert_int_equal(ps_tls_connection_shutdown(pair.connection), PS_TLS_OK);
    pair_close(&pair);
    ps_tls_server_teardown(server);

    options.exclude_protocols = (struct ps_texts){0};
    options.include_protocols = TEXTS("TLSv1.3", "TLSv1.1", "TLSv9");
    server = build(&options);
    assert_non_null(strstr(notes_text, "include-protocols: \"TLSv1.1\" is insecure"));
    assert_non_null(strstr(notes_text, "include-protocols: unknown protocol \"TLSv9\""));
    pair_open(&pair, server);
    SSL_CTX_set_max_proto_version(pair.context, TLS1_2_VERSION);
    client_start(&pair);
    assert_int_equal(shake(&pair), PS_TLS_ERROR);
    pair_close(&pair);
    ps_tls_server_teardown(server);

    options.include_protocols = TEXTS("TLSv1.1");
    expect_refused(&options, NULL, "leave no protocol");
    struct ps_tls_globals globals = {.exclude_protocols = "TLSv1.2,TLSv1.3"};
    options.include_protocols = (struct ps_texts){0};
    expect_refused(&options, &globals, "leave no protocol");
    options.exclude_protocols = TEXTS("TLSv1.2"); /* the component's list replaces the global one */
    assert_int_equal(ps_tls_server_build(NULL, &options, &globals, NULL, NULL), PS_OK);
}

static void test_cipher_suites(void **state)
{
    struct ps_tls_options options = server_options();
    options.include_cipher_suites = TEXTS("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "TLS_NO_SUCH_SUITE",
                                          "SSL_RSA_WITH_NULL_SHA", "TLS_EMPTY_RENEGOTIATION_INFO_SCSV");
    struct ps_tls_server *server = build(&options);
    assert_non_null(strstr(notes_text, "include-cipher-suites: unknown cipher suite \"TLS_NO_SUCH_SUITE\""));
    assert_non_null(strstr(notes_text, "cipher suite \"SSL_RSA_WITH_NULL_SHA\" is weak and not offered"));
    assert_null(strstr(notes_text, "SCSV"));
    struct pair pair;
    pair_open(&pair, server);
    client_start(&pair);
    expect_shaken(&pair, "TLSv1.2",
                  "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"); /* no suite of TLS 1.3 is left */
    pair_close(&pair);
    pair_open(&pair, server);
    SSL_CTX_set_cipher_list(pair.context, "ECDHE-RSA-AES256-GCM-SHA384");
    client_start(&pair);
    assert_int_equal(shake(&pair), PS_TLS_ERROR);
    pair_close(&pair);
    ps_tls_server_teardown(server);

    options.include_cipher_suites = TEXTS("TLS_AES_128_GCM_SHA256");
    server = build(&options);
    pair_open(&pair, server);
    client_start(&pair);
    expect_shaken(&pair, "TLSv1.3", "TLS_AES_128_GCM_SHA256");
    pair_close(&pair);
    ps_tls_server_teardown(server);

    options.include_cipher_suites = (struct ps_texts){0};
    options.exclude_cipher_suites = TEXTS("TLS_AES_256_GCM_SHA384", "TLS_AES_128_GCM_SHA256");
    server = build(&options);
    assert_string_equal(notes_text, "");
    pair_open(&pair, server);
    client_start(&pair);
    expect_shaken(&pair, "TLSv1.3", "TLS_CHACHA20_POLY1305_SHA256");
    pair_close(&pair);
    ps_tls_server_teardown(server);

    options.exclude_cipher_suites = (struct ps_texts){0};
    options.include_cipher_suites = TEXTS("TLS_NO_SUCH_SUITE");
    expect_refused(&options, NULL, "leave no cipher suite");
}

/* With RSA and EC keys in the store, the client's signature algorithms choose; of several keys of a kind the server uses the
 * first. */
static void test_first_of_a_kind(void **state)
{
    struct ps_tls_options options = server_options();
    options.keystore = ps_test_store_fixture("kinds.jks");
    struct ps_tls_server *server = build(&options);
    struct ps_keystore *store =
        ps_test_store_expect(options.keystore, "JKS", PS_TEST_STORE_PASSWORD, NULL, "JKS", 3, 3);
    static const struct {
        const char *algorithms;
        int kind;
    } cases[] = {{"ecdsa_secp256r1_sha256", EVP_PKEY_EC}, {"rsa_pss_rsae_sha256", EVP_PKEY_RSA}};
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        const struct ps_keystore_key *first = store->keys;
        while (EVP_PKEY_get_base_id(first->key) != cases[i].kind)
            first++;
        struct pair pair;
        pair_open(&pair, server);
        SSL_CTX_set_verify(pair.context, SSL_VERIFY_NONE, NULL);
        assert_int_equal(SSL_CTX_set1_sigalgs_list(pair.context, cases[i].algorithms), 1);
        client_start(&pair);
        expect_shaken(&pair, "TLSv1.3", NULL);
        X509 *certificate = SSL_get1_peer_certificate(pair.client);
        assert_int_equal(X509_cmp(certificate, sk_X509_value(first->chain, 0)), 0);
        X509_free(certificate);
        pair_close(&pair);
    }
    ps_keystore_close(store);
    ps_tls_server_teardown(server);
}

static void test_bad_settings(void **state)
{
    struct ps_tls_options options = {.enabled = true};
    expect_refused(&options, NULL, "keystore is missing");
    options.keystore = ps_test_store_fixture("server.p12");
    expect_refused(&options, NULL, "keystore-password is missing");
    options.keystore_password = "Mistaken99";
    expect_refused(&options, NULL, "keystore: store ");
    expect_refused(&options, NULL, "password from keystore-password");
    options.keystore_password = "changeit";
    options.keystore = ps_test_store_fixture("trust.jks");
    expect_refused(&options, NULL, "no private key");
    options.keystore = ps_test_store_fixture(
        "chain.jks"); /* its key has another password than the store; Flume has no option for it */
    expect_refused(&options, NULL, "wrong password for the private key");
    struct ps_tls_globals globals = {.keystore = ps_test_store_fixture("server.p12"),
                                     .keystore_password = "Mistaken99"};
    struct ps_tls_options empty = {.enabled = true};
    expect_refused(&empty, &globals, "password from javax.net.ssl.keyStorePassword");
    globals.keystore_password = "changeit";
    assert_int_equal(ps_tls_server_build(NULL, &empty, &globals, NULL, NULL), PS_OK);
}

/* Garbage, plain text, silence, half a handshake, a peer that disconnects: each gives a result, none blocks
 * or crashes. */
static void test_hostile(void **state)
{
    struct ps_tls_options options = server_options();
    struct ps_tls_server *server = build(&options);
    struct pair pair;
    char buffer[256];
    size_t length;
    uint64_t seed = ps_test_seed();

    sockets_open(&pair, server);
    assert_int_equal(ps_tls_connection_read(pair.connection, buffer, sizeof buffer, &length),
                     PS_TLS_WANT_READ);
    assert_int_equal(write(pair.client_fd, "<13>Jan 1 plain text\n", 21), 21);
    assert_int_equal(ps_tls_connection_read(pair.connection, buffer, sizeof buffer, &length), PS_TLS_ERROR);
    assert_non_null(strstr(ps_tls_connection_reason(pair.connection), "TLS handshake failed: "));
    assert_false(ps_tls_connection_more(pair.connection));
    pair_close(&pair);

    sockets_open(&pair, server); /* disconnects before the handshake */
    close(pair.client_fd);
    pair.client_fd = -1;
    enum ps_tls_result result = ps_tls_connection_read(pair.connection, buffer, sizeof buffer, &length);
    assert_true(result == PS_TLS_ERROR || result == PS_TLS_CLOSED);
    pair_close(&pair);

    for (unsigned round = 0; round < 200; round++) { /* a record header that fits, then noise */
        sockets_open(&pair, server);
        unsigned char noise[600];
        for (size_t i = 0; i < sizeof noise; i++)
            noise[i] = (unsigned char)ps_test_random(&seed);
        memcpy(noise, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11);
        assert_int_equal(write(pair.client_fd, noise, sizeof noise), sizeof noise);
        shutdown(pair.client_fd, SHUT_WR);
        do
            result = ps_tls_connection_read(pair.connection, buffer, sizeof buffer, &length);
        while (result == PS_TLS_OK);
        assert_true(result == PS_TLS_ERROR || result == PS_TLS_CLOSED);
        pair_close(&pair);
    }

    sockets_open(&pair, server); /* a client hello of 16 MiB, sent without end */
    unsigned char record[5 + 4096] = {0x16, 0x03, 0x01, 0x10, 0x00, 0x01, 0xff, 0xff, 0xff};
    unsigned records = 0;
    do {
        if (write(pair.client_fd, record, sizeof record) != sizeof record)
            break;
        memset(record + 5, 0, 4);
        records++;
        result = ps_tls_connection_read(pair.connection, buffer, sizeof buffer, &length);
    } while (result == PS_TLS_WANT_READ && records < 100);
    assert_int_equal(result, PS_TLS_ERROR);
    assert_true(records * sizeof record <= PS_TLS_HANDSHAKE_BYTES_MAX + 2 * sizeof record);
    pair_close(&pair);
    ps_tls_server_teardown(server);
}

/* A sender that writes, never reads, and closes without close_notify: all its bytes arrive, then CLOSED. */
static void test_hang_up(void **state)
{
    struct ps_tls_options options = server_options();
    struct ps_tls_server *server = build(&options);
    for (unsigned round = 0; round < 2; round++) {
        struct pair pair;
        char buffer[64];
        size_t length;
        pair_open(&pair, server);
        client_start(&pair);
        expect_shaken(&pair, "TLSv1.3", NULL);
        assert_int_equal(SSL_write(pair.client, "last words\n", 11), 11);
        if (round == 1)
            SSL_shutdown(pair.client);
        close(pair.client_fd);
        pair.client_fd = -1;
        assert_int_equal(ps_tls_connection_read(pair.connection, buffer, sizeof buffer, &length), PS_TLS_OK);
        assert_int_equal(length, 11);
        assert_int_equal(ps_tls_connection_read(pair.connection, buffer, sizeof buffer, &length),
                         PS_TLS_CLOSED);
        pair_close(&pair);
    }
    ps_tls_server_teardown(server);
}

/* A client of TLS 1.2 that asks for a new handshake in the middle gets none (each would cost the server a private key
 * operation), but the bytes that it sent before arrive. */
static void test_renegotiation(void **state)
{
    struct ps_tls_options options = server_options();
    struct ps_tls_server *server = build(&options);
    struct pair pair;
    char buffer[64];
    size_t length;
    pair_open(&pair, server);
    SSL_CTX_set_max_proto_version(pair.context, TLS1_2_VERSION);
    client_start(&pair);
    expect_shaken(&pair, "TLSv1.2", NULL);
    assert_int_equal(SSL_write(pair.client, "before\n", 7), 7);
    assert_int_equal(SSL_renegotiate(pair.client), 1);
    assert_int_equal(SSL_do_handshake(pair.client), -1);
    assert_int_equal(ps_tls_connection_read(pair.connection, buffer, sizeof buffer, &length), PS_TLS_OK);
    assert_memory_equal(buffer, "before\n", length);
    for (unsigned i = 0; i < 10; i++) {
        (void)ps_tls_connection_read(pair.connection, buffer, sizeof buffer, &length);
        assert_int_equal(length, 0);
        ERR_clear_error();
        assert_int_equal(SSL_do_handshake(pair.client), -1);
        if (SSL_get_error(pair.client, -1) == SSL_ERROR_SSL)
            break;
    }
    assert_int_equal(ERR_GET_REASON(ERR_peek_error()), SSL_R_NO_RENEGOTIATION);
    pair_close(&pair);
    ps_tls_server_teardown(server);
}

/* The server sends nothing after its handshake: a client that only writes leaves nothing unread, so that its close does not
 * become a reset, and has no session to resume. */
static void test_no_tickets(void **state)
{
    struct ps_tls_options options = server_options();
    struct ps_tls_server *server = build(&options);
    for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
        struct pair pair;
        char byte;
        size_t length;
        pair_open(&pair, server);
        SSL_CTX_set_session_cache_mode(pair.context, SSL_SESS_CACHE_CLIENT);
        SSL_CTX_set_max_proto_version(pair.context, version);
        client_start(&pair);
        expect_shaken(&pair, version == TLS1_2_VERSION ? "TLSv1.2" : "TLSv1.3", NULL);
        assert_int_equal(ps_tls_connection_read(pair.connection, &byte, 1, &length), PS_TLS_WANT_READ);
        assert_int_equal(recv(pair.client_fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT), -1);
        assert_int_equal(errno, EAGAIN);
        assert_false(SSL_SESSION_has_ticket(SSL_get0_session(pair.client)));
        pair_close(&pair);
    }
    ps_tls_server_teardown(server);
}

/* A key that OpenSSL finds too short is refused when the agent file is read, not with each connection. */
static void test_short_key(void **state)
{
    char path[] = "/tmp/penstock-tls-XXXXXX";
    EVP_PKEY *key = EVP_RSA_gen(512);
    X509 *certificate = X509_new();
    int fd = mkstemp(path);
    FILE *file = fdopen(fd, "w");
    assert_true(key != NULL && certificate != NULL && file != NULL);
    X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
    X509_set_pubkey(certificate, key);
    assert_true(X509_sign(certificate, key, EVP_sha256()) > 0);
    assert_int_equal(PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL), 1);
    assert_int_equal(PEM_write_X509(file, certificate), 1);
    assert_int_equal(fclose(file), 0);
    struct ps_tls_options options = server_options();
    options.keystore = path;
    expect_refused(&options, NULL, "key too small");
    unlink(path);
    X509_free(certificate);
    EVP_PKEY_free(key);
}

static const char *property(const void *argument, const char *name)
{
    return strcmp(name, "javax.net.ssl.keyStore") == 0 ? argument : NULL;
}

static void test_globals(void **state)
{
    struct ps_tls_globals globals;
    assert_int_equal(setenv("FLUME_SSL_KEYSTORE_PATH", "/environment.jks", 1), 0);
    assert_int_equal(setenv("FLUME_SSL_KEYSTORE_PASSWORD", "word", 1), 0);
    assert_int_equal(unsetenv("FLUME_SSL_TRUSTSTORE_PATH"), 0);
    ps_tls_globals_fill(&globals, property, "/property.jks");
    assert_string_equal(globals.keystore, "/property.jks"); /* the system property wins */
    assert_string_equal(globals.keystore_password, "word");
    assert_null(globals.truststore);
    ps_tls_globals_fill(&globals, NULL, NULL);
    assert_string_equal(globals.keystore, "/environment.jks");
    unsetenv("FLUME_SSL_KEYSTORE_PATH");
    unsetenv("FLUME_SSL_KEYSTORE_PASSWORD");
}

static void test_rows(void **state)
{
    unsigned count = 0;
    for (const struct ps_option *row = rows; row->key != NULL; row++, count++) {
        assert_true(row->offset >= offsetof(struct plan, tls) && row->offset < sizeof(struct plan));
        assert_non_null(row->help);
        assert_int_equal((row->flags & PS_OPTION_SECRET) != 0, strcmp(row->key, "keystore-password") == 0);
    }
    assert_int_equal(count, 8);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_talk),
        cmocka_unit_test(test_small_reads),
        cmocka_unit_test(test_protocols),
        cmocka_unit_test(test_cipher_suites),
        cmocka_unit_test(test_first_of_a_kind),
        cmocka_unit_test(test_bad_settings),
        cmocka_unit_test(test_hostile),
        cmocka_unit_test(test_hang_up),
        cmocka_unit_test(test_globals),
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_renegotiation),
        cmocka_unit_test(test_no_tickets),
        cmocka_unit_test(test_short_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
