/* Login and stores of Kafka clients: the librdkafka properties, and a real TLS handshake with them. */
#include "tests/stages/lib/kafka/properties/support.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

static const char *login_file(const void *argument, const char *name)
{
    return strcmp(name, "java.security.auth.login.config") == 0 ? argument : NULL;
}

static void test_login(void **state)
{
    struct ps_pair pairs[] = {
        {.key = "sasl.jaas.config",
         .value = "org.apache.kafka.common.security.plain.PlainLoginModule required username=\"u\" "
                  "password=\"geheim\";"},
        {.key = "security.protocol", .value = "SASL_PLAINTEXT"},
        {.key = "sasl.mechanism", .value = "PLAIN"},
    };
    struct ps_kafka_settings settings;
    struct ps_err err;
    assert_int_equal(translate_all(P, pairs, 3, NULL, &settings, &err), PS_OK);
    assert_string_equal(notes_text, "");
    assert_string_equal(get(&settings, "sasl.username"), "u");
    assert_string_equal(get(&settings, "sasl.password"), "geheim");
    assert_null(try_client(&settings));
    ps_kafka_settings_fini(&settings);

    pairs[0].value =
        "org.apache.kafka.common.security.plain.PlainLoginModule required username=\"u\" password=\"geheim\"";
    assert_int_equal(translate_all(P, pairs, 3, NULL, &settings, &err), PS_FAIL);
    assert_non_null(strstr(err.text, "sasl.jaas.config: line 1"));
    assert_null(strstr(err.text, "geheim"));
    ps_kafka_settings_fini(&settings);
    pairs[1].value = "PLAINTEXT";
    assert_int_equal(translate_all(P, pairs, 3, NULL, &settings, &err), PS_OK);
    assert_non_null(strstr(notes_text, "sasl.jaas.config: not used"));
    ps_kafka_settings_fini(&settings);

    char path[] = "/tmp/penstock-login-XXXXXX";
    static const char text[] =
        "KafkaClient { org.apache.kafka.common.security.scram.ScramLoginModule required username=u "
        "password=geheim; };";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, sizeof text - 1), sizeof text - 1);
    close(fd);
    const struct ps_pair sasl[] = {{.key = "security.protocol", .value = "SASL_PLAINTEXT"},
                                   {.key = "sasl.mechanism", .value = "SCRAM-SHA-256"}};
    struct ps_pairs list = {.count = 2, .items = sasl};
    struct ps_kafka_properties properties = {
        .client = C, .pairs = &list, .system_property = login_file, .argument = path};
    ps_kafka_settings_init(&settings);
    assert_int_equal(ps_kafka_properties_translate(&properties, &settings, &err), PS_OK);
    assert_string_equal(get(&settings, "sasl.username"), "u");
    ps_kafka_settings_fini(&settings);
    unlink(path);
    ps_kafka_settings_init(&settings);
    assert_int_equal(ps_kafka_properties_translate(&properties, &settings, &err), PS_FAIL);
    assert_non_null(strstr(err.text, "java.security.auth.login.config: cannot read the file"));
    ps_kafka_settings_fini(&settings);
}

/* A token endpoint: the message is right with and without support in this librdkafka. */
static void test_token_login(void **state)
{
    const struct ps_pair pairs[] = {
        {.key = "security.protocol", .value = "SASL_PLAINTEXT"},
        {.key = "sasl.mechanism", .value = "OAUTHBEARER"},
        {.key = "sasl.login.callback.handler.class",
         .value = "org.apache.kafka.common.security.oauthbearer.secured.OAuthBearerLoginCallbackHandler"},
        {.key = "sasl.oauthbearer.token.endpoint.url", .value = "https://localhost/token"},
        {.key = "sasl.jaas.config",
         .value = "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required clientId=c "
                  "clientSecret=geheim;"},
    };
    struct ps_kafka_settings settings;
    struct ps_err err;
    assert_int_equal(translate_all(P, pairs, PS_COUNT_OF(pairs), NULL, &settings, &err), PS_OK);
    assert_string_equal(get(&settings, "sasl.oauthbearer.client.id"), "c");
    assert_string_equal(get(&settings, "sasl.oauthbearer.method"), "oidc");
    if (ps_kafka_settings_check(&settings, &err) == PS_OK)
        assert_null(try_client(&settings));
    else
        assert_non_null(strstr(err.text, "a librdkafka that is built with it"));
    assert_null(strstr(err.text, "geheim"));
    assert_null(strstr(notes_text, "geheim"));
    ps_kafka_settings_fini(&settings);
}

static void test_stores(void **state)
{
    struct ps_pair pairs[] = {
        {.key = "security.protocol", .value = "SSL"},
        {.key = "ssl.keystore.location", .value = ps_test_store_fixture("chain.jks")},
        {.key = "ssl.keystore.password", .value = "changeit"},
        {.key = "ssl.key.password", .value = "keysecret"},
        {.key = "ssl.truststore.location", .value = ps_test_store_fixture("trust.p12")},
        {.key = "ssl.truststore.password", .value = "changeit"},
        {.key = "ssl.truststore.type", .value = "JKS"},
    };
    struct ps_kafka_settings settings;
    struct ps_err err;
    if (translate_all(P, pairs, PS_COUNT_OF(pairs), NULL, &settings, &err) != PS_OK)
        fail_msg("%s", err.text);
    assert_string_equal(notes_text, "");
    assert_memory_equal(get(&settings, "ssl.key.pem"), "-----BEGIN PRIVATE KEY-----", 27);
    assert_memory_equal(get(&settings, "ssl.certificate.pem"), "-----BEGIN CERTIFICATE-----", 27);
    assert_non_null(
        strstr(strstr(get(&settings, "ssl.ca.pem"), "-----END"), "-----BEGIN")); /* root and intermediate */
    assert_null(try_client(&settings));
    ps_kafka_settings_fini(&settings);

    pairs[2].value = "Mistaken99";
    assert_int_equal(translate_all(P, pairs, PS_COUNT_OF(pairs), NULL, &settings, &err), PS_FAIL);
    assert_non_null(strstr(err.text, "wrong password"));
    assert_non_null(strstr(err.text, "ssl.keystore.location: store "));
    assert_non_null(strstr(err.text, "password from ssl.keystore.password"));
    assert_null(strstr(err.text, "Mistaken99"));
    ps_kafka_settings_fini(&settings);
    pairs[2].value = "changeit";
    pairs[3].value = "Mistaken99";
    assert_int_equal(translate_all(P, pairs, PS_COUNT_OF(pairs), NULL, &settings, &err), PS_FAIL);
    assert_non_null(strstr(err.text, "password from ssl.key.password"));
    ps_kafka_settings_fini(&settings);
    pairs[3].value = "keysecret";
    pairs[5].value = "Mistaken99";
    assert_int_equal(translate_all(P, pairs, PS_COUNT_OF(pairs), NULL, &settings, &err), PS_FAIL);
    assert_non_null(strstr(err.text, "ssl.truststore.location: store "));
    ps_kafka_settings_fini(&settings);

    /* Only the protocol is set: Flume's global stores are used. */
    struct ps_tls_globals globals = {.keystore = ps_test_store_fixture("server.p12"),
                                     .keystore_password = "changeit",
                                     .truststore = ps_test_store_fixture("trust.jks"),
                                     .truststore_password = "changeit"};
    assert_int_equal(translate_all(C, pairs, 1, &globals, &settings, &err), PS_OK);
    assert_non_null(settings.texts.key_text);
    assert_non_null(settings.texts.ca_text);
    ps_kafka_settings_fini(&settings);
    globals.truststore_password = "Mistaken99";
    assert_int_equal(translate_all(C, pairs, 1, &globals, &settings, &err), PS_FAIL);
    assert_non_null(strstr(err.text, "password from javax.net.ssl.trustStorePassword"));
    ps_kafka_settings_fini(&settings);
    pairs[0].value = "PLAINTEXT";
    assert_int_equal(translate_all(C, pairs, 1, &globals, &settings, &err), PS_OK);
    assert_null(settings.texts.key_text);
    ps_kafka_settings_fini(&settings);

    /* No trust store: the system's authorities stay, although the intermediate is also handed over. */
    pairs[0].value = "SSL";
    assert_int_equal(translate_all(P, pairs, 4, NULL, &settings, &err), PS_OK);
    assert_non_null(settings.texts.ca_text);
    if (access("/etc/ssl/certs", R_OK) == 0)
        assert_non_null(settings.texts.ca);
    ps_kafka_settings_fini(&settings);

    static char key[16384];
    FILE *file = fopen(ps_test_store_fixture("server.pem"), "r");
    assert_non_null(file);
    key[fread(key, 1, sizeof key - 1, file)] = '\0';
    fclose(file);
    char *chain = strstr(key, "-----BEGIN CERT");
    chain[-1] = '\0';
    const struct ps_pair inline_pem[] = {{.key = "security.protocol", .value = "SSL"},
                                         {.key = "ssl.keystore.type", .value = "PEM"},
                                         {.key = "ssl.keystore.key", .value = key},
                                         {.key = "ssl.keystore.certificate.chain", .value = chain},
                                         {.key = "ssl.truststore.certificates", .value = chain}};
    if (translate_all(P, inline_pem, 5, NULL, &settings, &err) != PS_OK)
        fail_msg("%s", err.text);
    assert_non_null(strstr(notes_text, "not self-signed")); /* the whole chain as trust anchors */
    assert_null(try_client(&settings));
    ps_kafka_settings_fini(&settings);
    assert_int_equal(translate_all(P, inline_pem, 3, NULL, &settings, &err), PS_FAIL);
    assert_non_null(strstr(err.text, "ssl.keystore.key is set without ssl.keystore.certificate.chain"));
    ps_kafka_settings_fini(&settings);
}

/* A librdkafka producer with stores from Java completes a handshake with a broker that knows only the root:
 * its client certificate comes with the intermediate, and the store trusts the broker's certificate. */
static void test_client_certificate(void **state)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct timeval patience = {.tv_sec = 20};
    assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(listener, 4), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &length), 0);
    setsockopt(listener, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);

    const struct ps_pair pairs[] = {
        {.key = "security.protocol", .value = "SSL"},
        {.key = "ssl.keystore.location", .value = ps_test_store_fixture("chain.jks")},
        {.key = "ssl.keystore.password", .value = "changeit"},
        {.key = "ssl.key.password", .value = "keysecret"},
        {.key = "ssl.truststore.location", .value = ps_test_store_fixture("trust.jks")},
        {.key = "ssl.truststore.password", .value = "changeit"},
    };
    struct ps_kafka_settings settings;
    struct ps_err err;
    char servers[64], reason[512];
    assert_int_equal(translate_all(P, pairs, PS_COUNT_OF(pairs), NULL, &settings, &err), PS_OK);
    snprintf(servers, sizeof servers, "127.0.0.1:%u", ntohs(address.sin_port));
    ps_kafka_settings_set(&settings, "bootstrap.servers", servers);
    ps_kafka_settings_set(&settings, "log_level", "0");
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    assert_int_equal(ps_kafka_settings_apply(&settings, NULL, conf, &err), PS_OK);
    ps_kafka_settings_fini(&settings);
    rd_kafka_t *kafka = rd_kafka_new(RD_KAFKA_PRODUCER, conf, reason, sizeof reason);
    if (kafka == NULL)
        fail_msg("%s", reason);
    assert_int_equal(rd_kafka_producev(kafka, RD_KAFKA_V_TOPIC("t"),
                                       RD_KAFKA_V_VALUE((void *)(uintptr_t) "x", 1),
                                       RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END),
                     RD_KAFKA_RESP_ERR_NO_ERROR);

    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    assert_int_equal(SSL_CTX_use_certificate_chain_file(context, ps_test_store_fixture("server.pem")), 1);
    assert_int_equal(
        SSL_CTX_use_PrivateKey_file(context, ps_test_store_fixture("server.pem"), SSL_FILETYPE_PEM), 1);
    assert_int_equal(SSL_CTX_load_verify_locations(context, ps_test_store_fixture("root.pem"), NULL), 1);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    int fd = accept(listener, NULL, NULL);
    assert_true(fd >= 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    SSL *ssl = SSL_new(context);
    assert_int_equal(SSL_set_fd(ssl, fd), 1);
    assert_int_equal(SSL_accept(ssl), 1);
    assert_int_equal(SSL_get_verify_result(ssl), X509_V_OK);
    char request[4]; /* the length of a first Kafka request: the client also trusts this server */
    assert_int_equal(SSL_read(ssl, request, sizeof request), sizeof request);
    SSL_free(ssl);
    SSL_CTX_free(context);
    close(fd);
    close(listener);
    rd_kafka_purge(kafka, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    rd_kafka_destroy(kafka);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_login),
        cmocka_unit_test(test_token_login),
        cmocka_unit_test(test_stores),
        cmocka_unit_test(test_client_certificate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
