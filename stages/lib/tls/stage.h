/* The SSL keys of a source that listens, and of a sink that connects, for the stage's check and build. */
#pragma once

#include "core/stage.h"
#include "stages/lib/tls/client.h"
#include "stages/lib/tls/tls.h"

/* Reports every problem with the keys and the store. Thread: control. */
enum ps_status ps_tls_stage_check(const struct ps_tls_options *options, const struct ps_context *context);
/* Makes the server; *server stays NULL when `ssl` is off. */
enum ps_status ps_tls_stage_build(struct ps_tls_server **server, const struct ps_tls_options *options,
                                  const struct ps_context *context, struct ps_err *err);

/* The SSL keys of a sink that connects (Flume's AvroSink and ThriftSink). */
struct ps_tls_client_options {
    bool enabled, trust_all, verify_name;
    const char *truststore, *truststore_password, *truststore_type;
    struct ps_tls_options limits; /* protocols and cipher suites; the rest is not used */
};

#define PS_TLS_CLIENT_OPTION_ROWS(plan_type, member)                                                         \
    PS_OPTION_ROW("ssl", BOOL, offsetof(plan_type, member.enabled), "use TLS", .fallback = "false"),         \
        PS_OPTION_ROW("trust-all-certs", BOOL, offsetof(plan_type, member.trust_all),                        \
                      "accept every certificate of the server", .fallback = "false"),                        \
        PS_OPTION_ROW("truststore", TEXT, offsetof(plan_type, member.truststore),                            \
                      "file with the certificates to trust: JKS, PKCS12 or PEM; unset: "                     \
                      "javax.net.ssl.trustStore, FLUME_SSL_TRUSTSTORE_PATH, else the system's authorities"), \
        PS_OPTION_ROW(                                                                                       \
            "truststore-password", TEXT, offsetof(plan_type, member.truststore_password),                    \
            "password of the trust store; unset: javax.net.ssl.trustStorePassword, "                         \
            "FLUME_SSL_TRUSTSTORE_PASSWORD; if none is set, the integrity of a JKS is not checked",          \
            .flags = PS_OPTION_SECRET),                                                                      \
        PS_OPTION_ROW(                                                                                       \
            "truststore-type", TEXT, offsetof(plan_type, member.truststore_type),                            \
            "JKS, PKCS12 or PEM; detected from the file's bytes; unset: javax.net.ssl.trustStoreType, "      \
            "FLUME_SSL_TRUSTSTORE_TYPE, else JKS"),                                                          \
        PS_OPTION_ROW("exclude-protocols", LIST, offsetof(plan_type, member.limits.exclude_protocols),       \
                      "protocols not offered; SSLv3 and others older than TLSv1.2 are never offered"),       \
        PS_OPTION_ROW("include-protocols", LIST, offsetof(plan_type, member.limits.include_protocols),       \
                      "only these are offered: TLSv1.2, TLSv1.3; unset: both"),                              \
        PS_OPTION_ROW("exclude-cipher-suites", LIST,                                                         \
                      offsetof(plan_type, member.limits.exclude_cipher_suites),                              \
                      "cipher suites not offered, by Java's (IANA's) or OpenSSL's names"),                   \
        PS_OPTION_ROW("include-cipher-suites", LIST,                                                         \
                      offsetof(plan_type, member.limits.include_cipher_suites),                              \
                      "only these cipher suites are offered; unset: OpenSSL's default list"),                \
        PS_OPTION_ROW("penstock.verify.hostname", BOOL, offsetof(plan_type, member.verify_name),             \
                      "require the server's hostname in its certificate; Flume does not compare it",         \
                      .fallback = "false", .flags = PS_OPTION_EXTENSION)

/* Reads the certificates of the trust store that Java's and Flume's settings name (javax.net.ssl.trustStore,
 * FLUME_SSL_TRUSTSTORE_PATH) as PEM text, which the caller wipes (ps_keystore_wipe); NULL: they name none. Thread: control, or the helper of a start
 * or reload. */
enum ps_status ps_tls_stage_trust(char **text, const struct ps_context *context, struct ps_err *err);

/* Makes the client; *client stays NULL when `ssl` is off. `client` NULL: the function only checks. `host`: the
 * server's host. Thread: control. */
enum ps_status ps_tls_client_stage_build(struct ps_tls_client **client,
                                         const struct ps_tls_client_options *options, const char *host,
                                         const struct ps_context *context, struct ps_err *err);
/* Reports a problem with the keys or the store. */
enum ps_status ps_tls_client_stage_check(const struct ps_tls_client_options *options, const char *host,
                                         const struct ps_context *context);
