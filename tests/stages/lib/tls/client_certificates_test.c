/* Which server certificates a client accepts: each one that it must accept comes with a similar one that it must refuse. */
#include "tests/support/support.h"

#include "stages/lib/tls/client.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define HOUR_S 3600L

struct authority {
    EVP_PKEY *key;
    X509 *certificate;
};

static struct authority trusted, namesake; /* both have the same name */
static char *trusted_text;

static void add_extension(X509 *certificate, X509 *issuer, int kind, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, kind, value);
    assert_non_null(extension);
    assert_int_equal(X509_add_ext(certificate, extension, -1), 1);
    X509_EXTENSION_free(extension);
}

/* Makes a certificate that is valid from `from_s` to `until_s` from now; not signed. */
static X509 *make_certificate(EVP_PKEY *key, const char *name, long from_s, long until_s)
{
    static long serial = 1;
    X509 *certificate = X509_new();
    assert_non_null(certificate);
    X509_set_version(certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial++);
    X509_gmtime_adj(X509_getm_notBefore(certificate), from_s);
    X509_gmtime_adj(X509_getm_notAfter(certificate), until_s);
    X509_set_pubkey(certificate, key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_ASC,
                               (const unsigned char *)name, -1, -1, 0);
    return certificate;
}

static struct authority make_authority(void)
{
    struct authority made = {.key = EVP_EC_gen("P-256")};
    made.certificate = make_certificate(made.key, "an authority", -HOUR_S, HOUR_S);
    X509_set_issuer_name(made.certificate, X509_get_subject_name(made.certificate));
    add_extension(made.certificate, made.certificate, NID_basic_constraints, "critical,CA:TRUE");
    assert_true(X509_sign(made.certificate, made.key, EVP_sha256()) > 0);
    return made;
}

static char *text_of(X509 *certificate)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *text;
    assert_int_equal(PEM_write_bio_X509(bio, certificate), 1);
    long length = BIO_get_mem_data(bio, &text);
    text = strndup(text, (size_t)length);
    BIO_free(bio);
    return text;
}

static int setup(void **state)
{
    trusted = make_authority();
    namesake = make_authority();
    trusted_text = text_of(trusted.certificate);
    return 0;
}

static int teardown(void **state)
{
    EVP_PKEY_free(trusted.key);
    EVP_PKEY_free(namesake.key);
    X509_free(trusted.certificate);
    X509_free(namesake.certificate);
    free(trusted_text);
    return 0;
}

struct server_case {
    const char *what;
    const char *names;       /* subjectAltName; NULL: none */
    const char *common_name; /* NULL: "host.test" */
    const char *purposes;    /* extendedKeyUsage; NULL: any */
    long from_s, until_s;    /* both 0: it is valid */
    bool of_namesake, alone; /* signed by the other authority; self-signed */
    const char *wanted;      /* the client's server_name; NULL: any */
    bool taken;
};

static SSL_CTX *make_server(const struct server_case *one)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    bool dated = one->from_s != 0 || one->until_s != 0;
    const struct authority *issuer = one->of_namesake ? &namesake : &trusted;
    X509 *certificate = make_certificate(key, one->common_name != NULL ? one->common_name : "host.test",
                                         dated ? one->from_s : -HOUR_S, dated ? one->until_s : HOUR_S);
    X509 *signer = one->alone ? certificate : issuer->certificate;
    X509_set_issuer_name(certificate, X509_get_subject_name(signer));
    if (one->names != NULL)
        add_extension(certificate, signer, NID_subject_alt_name, one->names);
    if (one->purposes != NULL)
        add_extension(certificate, signer, NID_ext_key_usage, one->purposes);
    assert_true(X509_sign(certificate, one->alone ? key : issuer->key, EVP_sha256()) > 0);
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    assert_int_equal(SSL_CTX_use_certificate(context, certificate), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(context, key), 1);
    X509_free(certificate);
    EVP_PKEY_free(key);
    return context;
}

/* Shakes hands over a socket pair. */
static bool is_shaken(const struct ps_tls_client_settings *settings, SSL_CTX *context,
                      char reason[PS_TRANSPORT_REASON_BYTES])
{
    struct ps_tls_client *client = NULL;
    struct ps_err err = {.length = 0};
    int fds[2], shaken = 0;
    short wants;
    if (ps_tls_client_create(&client, settings, &err) != PS_OK)
        fail_msg("%s", err.text);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    SSL *server = SSL_new(context);
    assert_int_equal(SSL_set_fd(server, fds[1]), 1);
    reason[0] = '\0';
    void *session = ps_transport_tls.open(client, fds[0], reason);
    assert_non_null(session);
    for (unsigned i = 0; i < 20 && shaken == 0; i++) {
        shaken = ps_transport_tls.handshake(session, &wants, reason);
        ERR_clear_error();
        SSL_accept(server);
    }
    assert_int_not_equal(shaken, 0);
    ps_transport_tls.close(session);
    SSL_free(server);
    ps_tls_client_destroy(client);
    close(fds[0]);
    close(fds[1]);
    ERR_clear_error();
    return shaken > 0;
}

/* Returns whether the client accepts the server's certificate; if not, there is a reason. */
static bool takes(const struct server_case *one, bool verify, char reason[PS_TRANSPORT_REASON_BYTES])
{
    const struct ps_tls_client_settings settings = {
        .ca_text = trusted_text, .server_name = one->wanted, .verify = verify};
    SSL_CTX *context = make_server(one);
    bool taken = is_shaken(&settings, context, reason);
    SSL_CTX_free(context);
    return taken;
}

static const struct server_case cases[] = {
    {.what = "name", .names = "DNS:host.test", .wanted = "host.test", .taken = true},
    {.what = "case of letters", .names = "DNS:host.test", .wanted = "HOST.Test", .taken = true},
    {.what = "longer in front", .names = "DNS:host.test", .wanted = "xhost.test"},
    {.what = "longer behind", .names = "DNS:host.test", .wanted = "host.test.evil"},
    {.what = "shorter", .names = "DNS:host.test", .wanted = "host.tes"},
    {.what = "below it", .names = "DNS:host.test", .wanted = "sub.host.test"},
    {.what = "above it", .names = "DNS:sub.host.test", .wanted = "host.test"},
    {.what = "second name", .names = "DNS:other.test,DNS:host.test", .wanted = "host.test", .taken = true},
    {.what = "only in the common name", .wanted = "host.test", .taken = true},
    {.what = "common name beside names", .names = "DNS:other.test", .wanted = "host.test"},
    {.what = "another common name", .common_name = "host2.test", .wanted = "host.test"},
    {.what = "wildcard", .names = "DNS:*.host.test", .wanted = "a.host.test", .taken = true},
    {.what = "wildcard, its own domain", .names = "DNS:*.host.test", .wanted = "host.test"},
    {.what = "wildcard, two labels", .names = "DNS:*.host.test", .wanted = "a.b.host.test"},
    {.what = "wildcard, another domain", .names = "DNS:*.host.test", .wanted = "a.ghost.test"},
    {.what = "wildcard alone", .names = "DNS:*", .wanted = "host"},
    {.what = "wildcard in the middle", .names = "DNS:a.*.test", .wanted = "a.host.test"},
    {.what = "address", .names = "IP:10.0.0.1", .wanted = "10.0.0.1", .taken = true},
    {.what = "another address", .names = "IP:10.0.0.1", .wanted = "10.0.0.2"},
    {.what = "address, longer", .names = "IP:10.0.0.1", .wanted = "10.0.0.11"},
    {.what = "address as a name", .names = "DNS:10.0.0.1", .wanted = "10.0.0.1"},
    {.what = "address as the common name", .common_name = "10.0.0.1", .wanted = "10.0.0.1"},
    {.what = "wildcard for an address", .names = "DNS:*.0.0.1", .wanted = "10.0.0.1"},
    {.what = "a name that begins with the address", .names = "IP:10.0.0.1", .wanted = "10.0.0.1.test"},
    {.what = "IPv6", .names = "IP:fd00::1", .wanted = "fd00:0::1", .taken = true},
    {.what = "IPv6 in brackets", .names = "IP:fd00::1", .wanted = "[fd00::1]", .taken = true},
    {.what = "another IPv6", .names = "IP:fd00::1", .wanted = "fd00::2"},
    {.what = "any name", .names = "DNS:other.test", .wanted = NULL, .taken = true},
    {.what = "any name, another authority", .of_namesake = true, .wanted = NULL},
    {.what = "another authority of the same name", .of_namesake = true, .wanted = "host.test"},
    {.what = "signed by itself", .alone = true, .wanted = "host.test"},
    {.what = "expired", .from_s = -2 * HOUR_S, .until_s = -HOUR_S, .wanted = "host.test"},
    {.what = "not valid yet", .from_s = HOUR_S, .until_s = 2 * HOUR_S, .wanted = "host.test"},
    {.what = "for servers", .purposes = "serverAuth", .wanted = "host.test", .taken = true},
    {.what = "for both", .purposes = "clientAuth,serverAuth", .wanted = "host.test", .taken = true},
    {.what = "for clients", .purposes = "clientAuth", .wanted = "host.test"},
    {.what = "for code", .purposes = "codeSigning", .wanted = "host.test"},
};

/* The advice that a refusal gives: a name, an authority, or none where the certificate itself must change. */
static const char *cure_of(const struct server_case *one)
{
    if (one->of_namesake || one->alone)
        return "; give ca=FILE of its authority, or verify=false";
    return one->from_s != 0 || one->purposes != NULL ? NULL
                                                     : "; give server-name=NAME as the certificate has it";
}

static void test_certificates(void **unused)
{
    char reason[PS_TRANSPORT_REASON_BYTES];
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        bool taken = takes(&cases[i], true, reason);
        if (taken != cases[i].taken)
            fail_msg("%s: the certificate is %s %s", cases[i].what, taken ? "taken" : "refused:", reason);
        if (!taken) {
            const char *cure = cure_of(&cases[i]), *given = strchr(reason, ';');
            assert_non_null(strstr(reason, "TLS: the certificate is not accepted: "));
            if (cure == NULL ? given != NULL : given == NULL || strcmp(given, cure) != 0)
                fail_msg("%s: %s", cases[i].what, reason);
        }
        assert_true(takes(&cases[i], false, reason)); /* trust-all-certs */
    }
}

/* ---- chains ---- */

/* A certificate and the authorities that the client trusts: with an authority between the two, which the server sends or
 * omits. */
struct chain_case {
    const char *what;
    const char *constraints;              /* of the authority between */
    const char *key_usage;                /* of the authority between; NULL: any */
    bool is_expired;                      /* the authority between */
    bool is_sent;                         /* by the server */
    enum { ROOT, BETWEEN, LEAF } trusted; /* the client's key and certificate */
    bool from_file;                       /* ca=FILE, not a text */
    bool chain_only;                      /* a text, but not a JKS or PKCS12 store */
    bool taken;
    bool is_about_trust; /* the cure is another ca */
};

#define AUTHORITY "critical,CA:TRUE"

static const struct chain_case chains[] = {
    {"whole", AUTHORITY, .is_sent = true, .taken = true},
    {"whole, from a file", AUTHORITY, .is_sent = true, .from_file = true, .taken = true},
    {"without the one between", AUTHORITY, .is_about_trust = true},
    {"without the one between, from a file", AUTHORITY, .from_file = true, .is_about_trust = true},
    {"the one between is trusted", AUTHORITY, .trusted = BETWEEN, .taken = true},
    {"the one between is trusted and sent", AUTHORITY, .is_sent = true, .trusted = BETWEEN, .taken = true},
    {"a file with the one between only", AUTHORITY, .trusted = BETWEEN, .from_file = true,
     .is_about_trust = true},
    {"a text with the one between only", AUTHORITY, .trusted = BETWEEN, .chain_only = true,
     .is_about_trust = true},
    {"a text, whole", AUTHORITY, .is_sent = true, .chain_only = true, .taken = true},
    {"the certificate itself is trusted", AUTHORITY, .trusted = LEAF, .taken = true},
    {"the one between is no authority", "critical,CA:FALSE", .is_sent = true},
    {"the one between may have none below", "critical,CA:TRUE,pathlen:0", .is_sent = true, .taken = true},
    {"the one between may not sign", AUTHORITY, "critical,digitalSignature", .is_sent = true},
    {"the one between may sign", AUTHORITY, "critical,keyCertSign", .is_sent = true, .taken = true},
    {"the one between has expired", AUTHORITY, .is_expired = true, .is_sent = true},
};

static bool takes_chain(const struct chain_case *one, char reason[PS_TRANSPORT_REASON_BYTES])
{
    EVP_PKEY *key = EVP_EC_gen("P-256"), *between_key = EVP_EC_gen("P-256");
    X509 *between = make_certificate(between_key, "between", -2 * HOUR_S, one->is_expired ? -HOUR_S : HOUR_S);
    X509 *leaf = make_certificate(key, "host.test", -HOUR_S, HOUR_S);
    X509_set_issuer_name(between, X509_get_subject_name(trusted.certificate));
    add_extension(between, trusted.certificate, NID_basic_constraints, one->constraints);
    if (one->key_usage != NULL)
        add_extension(between, trusted.certificate, NID_key_usage, one->key_usage);
    assert_true(X509_sign(between, trusted.key, EVP_sha256()) > 0);
    X509_set_issuer_name(leaf, X509_get_subject_name(between));
    add_extension(leaf, between, NID_subject_alt_name, "DNS:host.test");
    assert_true(X509_sign(leaf, between_key, EVP_sha256()) > 0);
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    assert_int_equal(SSL_CTX_use_certificate(context, leaf), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(context, key), 1);
    if (one->is_sent)
        assert_int_equal(SSL_CTX_add1_chain_cert(context, between), 1);
    SSL_CTX_set_mode(context, SSL_MODE_NO_AUTO_CHAIN);
    char path[] = "/tmp/penstock-test-ca-XXXXXX";
    char *text = text_of(one->trusted == ROOT      ? trusted.certificate
                         : one->trusted == BETWEEN ? between
                                                   : leaf);
    int fd = mkstemp(path);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
    const struct ps_tls_client_settings settings = {.ca_text = one->from_file ? NULL : text,
                                                    .ca = one->from_file ? path : NULL,
                                                    .trust_each = !one->chain_only,
                                                    .server_name = "host.test",
                                                    .verify = true};
    bool taken = is_shaken(&settings, context, reason);
    unlink(path);
    free(text);
    SSL_CTX_free(context);
    X509_free(between);
    X509_free(leaf);
    EVP_PKEY_free(key);
    EVP_PKEY_free(between_key);
    return taken;
}

static void test_chains(void **unused)
{
    char reason[PS_TRANSPORT_REASON_BYTES];
    for (size_t i = 0; i < PS_COUNT_OF(chains); i++) {
        bool taken = takes_chain(&chains[i], reason);
        if (taken != chains[i].taken)
            fail_msg("%s: the certificate is %s %s", chains[i].what, taken ? "taken" : "refused:", reason);
        if (!taken && (strstr(reason, "; give ca=FILE") != NULL) != chains[i].is_about_trust)
            fail_msg("%s: %s", chains[i].what, reason);
    }
}

/* What is wrong with a file, or with a setting: the first thing that OpenSSL says, and nothing of errors before. */
static void test_reasons(void **unused)
{
    char path[] = "/tmp/penstock-test-pem-XXXXXX", other_path[] = "/tmp/penstock-test-pem-XXXXXX";
    const struct {
        struct ps_tls_client_settings settings;
        const char *reason; /* after the path, if it begins with a colon */
    } rows[] = {
        {{.ca = "/not/there"},
         "ca=/not/there: No such file or directory; expected a file with PEM certificates"},
        {{.ca = "/dev/null/there"},
         "ca=/dev/null/there: Not a directory; expected a file with PEM certificates"},
        {{.cert = "/not/there"}, "cert=/not/there: No such file or directory"},
        {{.cert = path, .key = "/not/there"}, "key=/not/there: No such file or directory"},
        {{.cert = path, .key = other_path}, ": key values mismatch"},
        {{.ciphers = "NO-SUCH-SUITE"}, "cipher suites NO-SUCH-SUITE: no cipher match"},
    };
    const struct authority *authorities[] = {&trusted, &namesake};
    for (size_t i = 0; i < PS_COUNT_OF(authorities); i++) {
        FILE *file = fdopen(mkstemp(i == 0 ? path : other_path), "w");
        assert_int_equal(PEM_write_X509(file, authorities[i]->certificate), 1);
        assert_int_equal(PEM_write_PrivateKey(file, authorities[i]->key, NULL, NULL, 0, NULL, NULL), 1);
        fclose(file);
    }
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        struct ps_tls_client *client = NULL;
        struct ps_err err = {.length = 0};
        ERR_raise(ERR_LIB_SSL, SSL_R_BAD_LENGTH); /* another library of this thread left it */
        assert_int_equal(ps_tls_client_create(&client, &rows[i].settings, &err), PS_FAIL);
        if (rows[i].reason[0] == ':' ? strstr(err.text, rows[i].reason) == NULL
                                     : strcmp(err.text, rows[i].reason) != 0)
            fail_msg("expected \"%s\": %s", rows[i].reason, err.text);
    }
    unlink(path);
    unlink(other_path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_certificates), cmocka_unit_test(test_chains),
                                       cmocka_unit_test(test_reasons)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
