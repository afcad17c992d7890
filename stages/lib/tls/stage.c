#include "stages/lib/tls/stage.h"

#include "stages/lib/keystore/keystore.h"

static void note(void *argument, enum ps_log_level severity, const char *key, const char *message)
{
    ps_report(argument, severity, key, "%s", message);
}

enum ps_status ps_tls_stage_build(struct ps_tls_server **server, const struct ps_tls_options *options,
                                  const struct ps_context *context, struct ps_err *err)
{
    if (!options->enabled)
        return PS_OK;
    struct ps_tls_globals globals;
    struct ps_notes notes = {.report = note, .argument = (void *)(uintptr_t)context};
    ps_tls_globals_fill(&globals, context->system_property, context->argument);
    return ps_tls_server_build(server, options, &globals, server == NULL ? &notes : NULL, err);
}

/* Tells of a key of TLS in a component without it: who set it may think that the connections are encrypted. */
static void note_unused(const struct ps_context *context, const char *key, bool is_set)
{
    if (is_set)
        ps_report(context, PS_LOG_INFO, key,
                  "has no effect: connections are not encrypted without ssl = true");
}

static void note_unused_limits(const struct ps_tls_options *limits, const struct ps_context *context)
{
    note_unused(context, "include-protocols", limits->include_protocols.count > 0);
    note_unused(context, "exclude-protocols", limits->exclude_protocols.count > 0);
    note_unused(context, "include-cipher-suites", limits->include_cipher_suites.count > 0);
    note_unused(context, "exclude-cipher-suites", limits->exclude_cipher_suites.count > 0);
}

enum ps_status ps_tls_stage_check(const struct ps_tls_options *options, const struct ps_context *context)
{
    struct ps_err err = {.length = 0};
    if (!options->enabled) {
        note_unused(context, "keystore", options->keystore != NULL);
        note_unused_limits(options, context);
    }
    if (ps_tls_stage_build(NULL, options, context, &err) == PS_OK)
        return PS_OK;
    ps_report(context, PS_LOG_ERROR, "ssl", "%s", err.text);
    return PS_FAIL;
}

/* ---- sinks ---- */

/* Reads the trust store as PEM text; NULL with PS_OK when there is none. */
static enum ps_status trust_read(char **text, const struct ps_tls_client_options *options,
                                 const struct ps_tls_globals *globals, struct ps_err *err)
{
    struct ps_keystore *store = NULL;
    bool own = options->truststore != NULL;
    struct ps_keystore_request request = {
        .path = own ? options->truststore : globals->truststore,
        .type = options->truststore_type != NULL ? options->truststore_type : globals->truststore_type,
        .password = options->truststore_password != NULL ? options->truststore_password
                                                         : globals->truststore_password,
        .path_key = own ? "truststore" : "javax.net.ssl.trustStore",
        .password_key = "truststore-password",
        .trust_only = true,
    };
    *text = NULL;
    if (request.path == NULL || options->trust_all)
        return PS_OK;
    if (ps_keystore_open(&store, &request, err) != PS_OK)
        return PS_FAIL;
    *text = ps_keystore_certificates_pem(store->trusted);
    ps_keystore_close(store);
    return *text != NULL ? PS_OK
                         : ps_err_set(err, "%s: the store %s has no trusted certificate", request.path_key,
                                      request.path);
}

enum ps_status ps_tls_stage_trust(char **text, const struct ps_context *context, struct ps_err *err)
{
    static const struct ps_tls_client_options none;
    struct ps_tls_globals globals;
    ps_tls_globals_fill(&globals, context->system_property, context->argument);
    return trust_read(text, &none, &globals, err);
}

enum ps_status ps_tls_client_stage_build(struct ps_tls_client **client,
                                         const struct ps_tls_client_options *options, const char *host,
                                         const struct ps_context *context, struct ps_err *err)
{
    struct ps_tls_globals globals;
    struct ps_tls_client *made = NULL;
    char *text;
    if (!options->enabled)
        return PS_OK;
    ps_tls_globals_fill(&globals, context->system_property, context->argument);
    if (trust_read(&text, options, &globals, err) != PS_OK)
        return PS_FAIL;
    const struct ps_tls_client_settings settings = {
        .ca_text = text,
        .trust_each = true,
        .server_name = options->verify_name ? host : NULL,
        .verify = !options->trust_all,
        .limits = &options->limits,
        .keys = PS_TLS_KEYS_FLUME,
        .globals = &globals,
    };
    enum ps_status status = ps_tls_client_create(&made, &settings, err);
    ps_keystore_wipe(text);
    if (client != NULL)
        *client = made;
    else
        ps_tls_client_destroy(made);
    return status;
}

enum ps_status ps_tls_client_stage_check(const struct ps_tls_client_options *options, const char *host,
                                         const struct ps_context *context)
{
    struct ps_err err = {.length = 0};
    if (!options->enabled) {
        note_unused(context, "truststore", options->truststore != NULL);
        note_unused(context, "trust-all-certs", options->trust_all);
        note_unused(context, "penstock.verify.hostname", options->verify_name);
        note_unused_limits(&options->limits, context);
    }
    if (ps_tls_client_stage_build(NULL, options, host, context, &err) == PS_OK)
        return PS_OK;
    ps_report(context, PS_LOG_ERROR, "ssl", "%s", err.text);
    return PS_FAIL;
}
