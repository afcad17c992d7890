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
    {.key = "ssl",                                                                                           \
     .type = PS_OPTION_BOOL,                                                                                 \
     .offset = offsetof(plan_type, member.enabled),                                                          \
     .fallback = "false",                                                                                    \
     .help = "use TLS"},                                                                                     \
        {.key = "trust-all-certs",                                                                           \
         .type = PS_OPTION_BOOL,                                                                             \
         .offset = offsetof(plan_type, member.trust_all),                                                    \
         .fallback = "false",                                                                                \
         .help = "accept every certificate of the server"},                                                  \
        {.key = "truststore",                                                                                \
         .type = PS_OPTION_TEXT,                                                                             \
         .offset = offsetof(plan_type, member.truststore),                                                   \
         .help = "file with the certificates to trust: JKS, PKCS12 or PEM; unset: "                          \
                 "javax.net.ssl.trustStore, FLUME_SSL_TRUSTSTORE_PATH, else the system's authorities"},      \
        {.key = "truststore-password",                                                                       \
         .type = PS_OPTION_TEXT,                                                                             \
         .offset = offsetof(plan_type, member.truststore_password),                                          \
         .flags = PS_OPTION_SECRET,                                                                          \
         .help = "password of the trust store; unset: javax.net.ssl.trustStorePassword, "                    \
                 "FLUME_SSL_TRUSTSTORE_PASSWORD; if none is set, the integrity of a JKS is not checked"},    \
        {.key = "truststore-type",                                                                           \
         .type = PS_OPTION_TEXT,                                                                             \
         .offset = offsetof(plan_type, member.truststore_type),                                              \
         .help = "JKS, PKCS12 or PEM; detected from the file's bytes; unset: javax.net.ssl.trustStoreType, " \
                 "FLUME_SSL_TRUSTSTORE_TYPE, else JKS"},                                                     \
        {.key = "exclude-protocols",                                                                         \
         .type = PS_OPTION_LIST,                                                                             \
         .offset = offsetof(plan_type, member.limits.exclude_protocols),                                     \
         .help = "protocols not offered; SSLv3 and others older than TLSv1.2 are never offered"},            \
        {.key = "include-protocols",                                                                         \
         .type = PS_OPTION_LIST,                                                                             \
         .offset = offsetof(plan_type, member.limits.include_protocols),                                     \
         .help = "only these are offered: TLSv1.2, TLSv1.3; unset: both"},                                   \
        {.key = "exclude-cipher-suites",                                                                     \
         .type = PS_OPTION_LIST,                                                                             \
         .offset = offsetof(plan_type, member.limits.exclude_cipher_suites),                                 \
         .help = "cipher suites not offered, by Java's (IANA's) or OpenSSL's names"},                        \
        {.key = "include-cipher-suites",                                                                     \
         .type = PS_OPTION_LIST,                                                                             \
         .offset = offsetof(plan_type, member.limits.include_cipher_suites),                                 \
         .help = "only these cipher suites are offered; unset: OpenSSL's default list"},                     \
    {                                                                                                        \
        .key = "penstock.verify.hostname", .type = PS_OPTION_BOOL,                                           \
        .offset = offsetof(plan_type, member.verify_name), .fallback = "false",                              \
        .flags = PS_OPTION_EXTENSION,                                                                        \
        .help = "require the server's hostname in its certificate; Flume does not compare it"                \
    }

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
