/* Global SSL settings, read like org.apache.flume.util.SSLUtil. Control thread only. */
#include "stages/lib/tls/tls.h"

#include <stdlib.h>

void ps_tls_globals_fill(struct ps_tls_globals *globals,
                         const char *(*property)(const void *argument, const char *name),
                         const void *argument)
{
    const struct {
        const char **value;
        const char *property, *environment;
    } rows[] = {
        {&globals->keystore, "javax.net.ssl.keyStore", "FLUME_SSL_KEYSTORE_PATH"},
        {&globals->keystore_password, "javax.net.ssl.keyStorePassword", "FLUME_SSL_KEYSTORE_PASSWORD"},
        {&globals->keystore_type, "javax.net.ssl.keyStoreType", "FLUME_SSL_KEYSTORE_TYPE"},
        {&globals->truststore, "javax.net.ssl.trustStore", "FLUME_SSL_TRUSTSTORE_PATH"},
        {&globals->truststore_password, "javax.net.ssl.trustStorePassword", "FLUME_SSL_TRUSTSTORE_PASSWORD"},
        {&globals->truststore_type, "javax.net.ssl.trustStoreType", "FLUME_SSL_TRUSTSTORE_TYPE"},
        {&globals->include_protocols, "flume.ssl.include.protocols", "FLUME_SSL_INCLUDE_PROTOCOLS"},
        {&globals->exclude_protocols, "flume.ssl.exclude.protocols", "FLUME_SSL_EXCLUDE_PROTOCOLS"},
        {&globals->include_cipher_suites, "flume.ssl.include.cipherSuites", "FLUME_SSL_INCLUDE_CIPHERSUITES"},
        {&globals->exclude_cipher_suites, "flume.ssl.exclude.cipherSuites", "FLUME_SSL_EXCLUDE_CIPHERSUITES"},
    };
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        const char *value = property != NULL ? property(argument, rows[i].property) : NULL;
        *rows[i].value = value != NULL ? value : getenv(rows[i].environment);
    }
}
