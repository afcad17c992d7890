/* Converts key and trust stores to ssl.*.pem. Control thread only.
 *
 * librdkafka 2.0.2 (src/rdkafka_ssl.c) uses only the first certificate of ssl.certificate.pem, but all of
 * ssl.ca.pem. So the intermediate certificates that a broker may need are also put into ssl.ca.pem: OpenSSL
 * completes the client's chain from there. This trusts no further authority, because OpenSSL ends a chain
 * only at a self-signed certificate, and self-signed certificates of the key's chain are left out. */
#include "stages/lib/kafka/security/tls.h"

#include "stages/lib/keystore/keystore.h"

#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Returns the component's own value if it is set; else the global one. */
static const char *choose(const struct ps_kafka_properties *properties, const char *key, const char *global,
                          const char *global_key, const char **used_key)
{
    const char *own = ps_pairs_get(properties->pairs, key);
    if (used_key != NULL)
        *used_key = own != NULL || global == NULL ? key : global_key;
    return own != NULL ? own : global;
}

static bool self_signed(X509 *certificate)
{
    return X509_check_issued(certificate, certificate) == X509_V_OK;
}

static enum ps_status key_store(const struct ps_kafka_properties *properties,
                                const struct ps_keystore_request *request, struct ps_kafka_settings *settings,
                                STACK_OF(X509) * intermediates, struct ps_err *err)
{
    struct ps_keystore *store = NULL;
    if (ps_keystore_open(&store, request, err) != PS_OK)
        return PS_FAIL;
    if (store->key_count == 0) {
        ps_note_add(properties->notes, PS_LOG_WARN, request->path_key,
                    "the store has no private key with a certificate: no client certificate is sent");
        ps_keystore_close(store);
        return PS_OK;
    }
    if (store->key_count > 1)
        ps_note_add(properties->notes, PS_LOG_INFO, request->path_key,
                    "the store has %zu private keys; \"%s\" is used", store->key_count, store->keys[0].alias);
    const struct ps_keystore_key *key = &store->keys[0];
    char *key_pem = ps_keystore_key_pem(key);
    char *chain_pem = ps_keystore_certificates_pem(key->chain);
    enum ps_status status = PS_OK;
    if (key_pem == NULL || chain_pem == NULL) {
        status = ps_err_set(err, "%s: the private key cannot be written as PEM", request->path_key);
    } else {
        ps_kafka_text_set(&settings->texts.key_text, key_pem);
        ps_kafka_text_set(&settings->texts.certificate_text, chain_pem);
    }
    for (int i = 1; i < sk_X509_num(key->chain); i++) {
        X509 *certificate = sk_X509_value(key->chain, i);
        if (!self_signed(certificate) && X509_up_ref(certificate) &&
            sk_X509_push(intermediates, certificate) <= 0)
            X509_free(certificate);
    }
    ps_keystore_wipe(key_pem);
    ps_keystore_wipe(chain_pem);
    ps_keystore_close(store);
    return status;
}

/* Adds the trust anchors to `authorities`; the caller adds the intermediates after them. */
static enum ps_status trust_store(const struct ps_kafka_properties *properties,
                                  const struct ps_keystore_request *request, STACK_OF(X509) * authorities,
                                  struct ps_err *err)
{
    struct ps_keystore *store = NULL;
    if (ps_keystore_open(&store, request, err) != PS_OK)
        return PS_FAIL;
    enum ps_status status = PS_OK;
    unsigned foreign = 0;
    if (sk_X509_num(store->trusted) == 0)
        status = ps_err_set(err,
                            "%s: the store has no trusted certificate; import the brokers' authority: "
                            "keytool -importcert -alias ca -file ca.pem -keystore %s",
                            request->path_key, request->path != NULL ? request->path : "STORE");
    for (int i = 0; i < sk_X509_num(store->trusted); i++) {
        X509 *certificate = sk_X509_value(store->trusted, i);
        foreign += !self_signed(certificate);
        if (X509_up_ref(certificate) && sk_X509_push(authorities, certificate) <= 0)
            X509_free(certificate);
    }
    if (foreign > 0)
        ps_note_add(
            properties->notes, PS_LOG_WARN, request->path_key,
            "%u certificate(s) of the store are not self-signed: Java trusts them alone, OpenSSL only "
            "together with the root that signed them; add the root if the brokers are not trusted",
            foreign);
    ps_keystore_close(store);
    return status;
}

/* Sets the system's authorities: if ssl.ca.pem is set, librdkafka does not use them by itself. */
static void trust_system(struct ps_kafka_settings *settings)
{
    const char *const places[] = {getenv(X509_get_default_cert_file_env()), X509_get_default_cert_file(),
                                  "/etc/ssl/certs/ca-certificates.crt",
                                  getenv(X509_get_default_cert_dir_env()), X509_get_default_cert_dir()};
    for (size_t i = 0; i < PS_COUNT_OF(places); i++) {
        if (places[i] != NULL && access(places[i], R_OK) == 0) {
            ps_kafka_text_set(&settings->texts.ca, places[i]);
            return;
        }
    }
}

static enum ps_status key_source(const struct ps_kafka_properties *properties,
                                 const struct ps_tls_globals *globals, struct ps_keystore_request *request,
                                 char **joined, struct ps_err *err)
{
    const char *key = ps_pairs_get(properties->pairs, "ssl.keystore.key");
    const char *chain = ps_pairs_get(properties->pairs, "ssl.keystore.certificate.chain");
    *request = (struct ps_keystore_request){
        .type = choose(properties, "ssl.keystore.type", globals->keystore_type, NULL, NULL),
        .key_password = ps_pairs_get(properties->pairs, "ssl.key.password"),
        .key_password_key = "ssl.key.password"};
    request->password = choose(properties, "ssl.keystore.password", globals->keystore_password,
                               "javax.net.ssl.keyStorePassword", &request->password_key);
    if (key == NULL && chain == NULL) {
        request->path = choose(properties, "ssl.keystore.location", globals->keystore,
                               "javax.net.ssl.keyStore", &request->path_key);
        return PS_OK;
    }
    request->path_key = "ssl.keystore.key";
    if (key == NULL || chain == NULL)
        return ps_err_set(err, "%s is set without %s; a PEM store needs both",
                          key != NULL ? "ssl.keystore.key" : "ssl.keystore.certificate.chain",
                          key != NULL ? "ssl.keystore.certificate.chain" : "ssl.keystore.key");
    size_t room = strlen(key) + strlen(chain) + 2;
    *joined = ps_must_alloc(1, room, "TLS settings");
    snprintf(*joined, room, "%s\n%s", key, chain);
    request->text = *joined;
    return PS_OK;
}

static void trust_source(const struct ps_kafka_properties *properties, const struct ps_tls_globals *globals,
                         struct ps_keystore_request *request)
{
    *request = (struct ps_keystore_request){
        .text = ps_pairs_get(properties->pairs, "ssl.truststore.certificates"),
        .type = choose(properties, "ssl.truststore.type", globals->truststore_type, NULL, NULL),
        .trust_only = true};
    request->password = choose(properties, "ssl.truststore.password", globals->truststore_password,
                               "javax.net.ssl.trustStorePassword", &request->password_key);
    request->path_key = "ssl.truststore.certificates";
    if (request->text == NULL)
        request->path = choose(properties, "ssl.truststore.location", globals->truststore,
                               "javax.net.ssl.trustStore", &request->path_key);
}

static void note_unused(const struct ps_kafka_properties *properties)
{
    for (size_t i = 0; i < properties->pairs->count; i++) {
        const char *key = properties->pairs->items[i].key;
        if (strncmp(key, "ssl.keystore.", 13) == 0 || strncmp(key, "ssl.truststore.", 15) == 0 ||
            strncmp(key, "ssl.key.", 8) == 0 || strncmp(key, "ssl.certificate.", 16) == 0 ||
            strncmp(key, "ssl.ca.", 7) == 0)
            ps_note_add(properties->notes, PS_LOG_INFO, key,
                        "not used: security.protocol is neither SSL nor SASL_SSL");
    }
}

enum ps_status ps_kafka_tls_translate(const struct ps_kafka_properties *properties,
                                      struct ps_kafka_settings *settings, struct ps_err *err)
{
    static const struct ps_tls_globals none;
    const struct ps_tls_globals *globals = properties->tls != NULL ? properties->tls : &none;
    const char *native_password = ps_pairs_get(properties->pairs, "ssl.key.password");
    if (!ps_kafka_settings_use_tls(settings)) {
        note_unused(properties);
        return PS_OK;
    }
    /* librdkafka's own names for key files use its ssl.key.password. */
    if (native_password != NULL &&
        (ps_kafka_settings_other(settings, "ssl.key.location") != NULL || settings->texts.key_text != NULL))
        ps_kafka_settings_set(settings, "ssl.key.password", native_password);

    struct ps_keystore_request keys, trust;
    char *joined = NULL;
    STACK_OF(X509) *intermediates = sk_X509_new_null(), *authorities = sk_X509_new_null();
    enum ps_status status = PS_FAIL;
    if (key_source(properties, globals, &keys, &joined, err) != PS_OK)
        goto out;
    trust_source(properties, globals, &trust);
    if ((keys.path != NULL || keys.text != NULL) &&
        key_store(properties, &keys, settings, intermediates, err) != PS_OK)
        goto out;
    bool trusting = trust.path != NULL || trust.text != NULL;
    if (trusting && trust_store(properties, &trust, authorities, err) != PS_OK)
        goto out;
    status = PS_OK;
    if (!trusting && sk_X509_num(intermediates) > 0 && settings->texts.ca == NULL &&
        settings->texts.ca_text == NULL)
        trust_system(settings);
    while (sk_X509_num(intermediates) > 0) {
        X509 *certificate = sk_X509_shift(intermediates);
        if (sk_X509_push(authorities, certificate) <= 0)
            X509_free(certificate);
    }
    char *pem = ps_keystore_certificates_pem(authorities);
    if (pem != NULL && (trusting || settings->texts.ca_text == NULL))
        ps_kafka_text_set(&settings->texts.ca_text, pem);
    ps_keystore_wipe(pem);
out:
    ps_keystore_wipe(joined);
    sk_X509_pop_free(intermediates, X509_free);
    sk_X509_pop_free(authorities, X509_free);
    return status;
}
