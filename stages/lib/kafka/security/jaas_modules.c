/* Translates Java login modules to librdkafka properties. Control thread only. */
#include "stages/lib/kafka/security/jaas.h"

#include "core/probe.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

static bool is_true(const char *value)
{
    return value != NULL && strcasecmp(value, "true") == 0;
}

/* Notes every option that is not in `known`: it has no effect here. */
static void note_others(const struct ps_jaas_entry *entry, const char *const *known, const char *key,
                        const struct ps_notes *notes)
{
    for (size_t i = 0; i < entry->option_count; i++) {
        bool found = false;
        for (size_t k = 0; known[k] != NULL; k++)
            found |= strcmp(known[k], entry->options[i].name) == 0;
        if (!found)
            ps_note_add(notes, PS_LOG_WARN, key, "option %s of %s has no effect here", entry->options[i].name,
                        entry->module);
    }
}

static void check_mechanism(const char *mechanism, const char *expected, const char *key,
                            const struct ps_notes *notes)
{
    if (mechanism == NULL || strcasecmp(mechanism, "GSSAPI") == 0)
        ps_note_add(
            notes, PS_LOG_WARN, key,
            "the login module has a user and a password, but sasl.mechanism is %s; set sasl.mechanism = %s",
            mechanism == NULL ? "not set, which means GSSAPI (Kerberos)" : "GSSAPI (Kerberos)", expected);
}

static enum ps_status password_login(const struct ps_jaas_entry *entry, const char *expected, const char *key,
                                     struct ps_kafka_settings *settings, const struct ps_notes *notes,
                                     struct ps_err *err)
{
    const char *user = ps_kafka_jaas_option(entry, "username");
    const char *password = ps_kafka_jaas_option(entry, "password");
    if (is_true(ps_kafka_jaas_option(entry, "tokenauth")))
        return ps_err_set(
            err, "tokenauth=true (delegation tokens) is not supported by librdkafka; use a separate user");
    if (user == NULL || password == NULL)
        return ps_err_set(err, "%s needs the option %s=\"...\"", entry->module,
                          user == NULL ? "username" : "password");
    check_mechanism(settings->texts.mechanism, expected, key, notes);
    note_others(entry, PS_WORDS("username", "password", "tokenauth", "serviceName"), key, notes);
    ps_kafka_text_set(&settings->texts.name, user);
    ps_kafka_text_set(&settings->texts.password, password);
    return PS_OK;
}

/* Returns whether the text is safe in a shell line: librdkafka puts principal and keytab into one (kinit). */
static bool shell_safe(const char *text)
{
    return text[0] != '-' && text[strcspn(text, "\"'`$\\;&|<>()*?[]{}!#~ \t\r\n")] == '\0';
}

static enum ps_status kerberos_login(const struct ps_jaas_entry *entry, const char *key,
                                     struct ps_kafka_settings *settings, const struct ps_notes *notes,
                                     struct ps_err *err)
{
    const char *keytab = ps_kafka_jaas_option(entry, "keyTab");
    const char *principal = ps_kafka_jaas_option(entry, "principal");
    const char *service = ps_kafka_jaas_option(entry, "serviceName");
    bool ticket_cache = is_true(ps_kafka_jaas_option(entry, "useTicketCache"));
    note_others(entry,
                PS_WORDS("keyTab", "principal", "serviceName", "useTicketCache", "useKeyTab", "storeKey",
                         "doNotPrompt", "renewTGT", "refreshKrb5Config", "isInitiator", "debug",
                         "ticketCache", "clearPass"),
                key, notes);
    if (keytab != NULL) /* in a form that Krb5LoginModule accepts */
        keytab += strncasecmp(keytab, "ANY:FILE:", 9) == 0 ? 9 : strncasecmp(keytab, "FILE:", 5) == 0 ? 5 : 0;
    if (keytab == NULL && !ticket_cache)
        return ps_err_set(err, "%s needs useKeyTab=true and keyTab=\"...\" (or useTicketCache=true)",
                          entry->module);
    if (keytab != NULL && principal == NULL)
        return ps_err_set(err, "%s needs the option principal=\"...\" in addition to keyTab", entry->module);
    if ((keytab != NULL && !shell_safe(keytab)) || (principal != NULL && !shell_safe(principal)))
        return ps_err_set(err,
                          "%s: keyTab and principal may not contain blanks, quotes or other shell characters",
                          entry->module);
    int unreadable = keytab != NULL ? ps_file_unreadable(keytab) : 0;
    if (unreadable != 0)
        return ps_err_set(err, "cannot read the keyTab %s: %s; name a file that this user can read", keytab,
                          strerror(unreadable));
    if (ps_kafka_jaas_option(entry, "ticketCache") != NULL)
        ps_note_add(notes, PS_LOG_WARN, key,
                    "option ticketCache has no effect here: set the environment variable KRB5CCNAME instead");
    if (principal != NULL)
        ps_kafka_text_set(&settings->texts.principal, principal);
    if (keytab != NULL)
        ps_kafka_text_set(&settings->texts.keytab, keytab);
    else /* another program renews the ticket, so kinit is not run */
        ps_kafka_settings_set(settings, "sasl.kerberos.min.time.before.relogin", "0");
    if (service != NULL)
        ps_kafka_text_set(&settings->texts.service, service);
    return PS_OK;
}

/* OAuthBearerLoginModule: an unsecured token "name=value" (for test set-ups), or a client of a token endpoint
 * (KIP-768). */
static enum ps_status token_login(const struct ps_jaas_entry *entry, const char *key,
                                  struct ps_kafka_settings *settings, const struct ps_notes *notes,
                                  struct ps_err *err)
{
    const char *client = ps_kafka_jaas_option(entry, "clientId");
    const char *secret = ps_kafka_jaas_option(entry, "clientSecret");
    const char *scope = ps_kafka_jaas_option(entry, "scope");
    const char *subject = ps_kafka_jaas_option(entry, "unsecuredLoginStringClaim_sub");
    note_others(entry, PS_WORDS("clientId", "clientSecret", "scope", "unsecuredLoginStringClaim_sub"), key,
                notes);
    if (subject != NULL && client == NULL) {
        char config[1024];
        if (subject[strcspn(subject, " \t\r\n")] != '\0' ||
            (size_t)snprintf(config, sizeof config, "principal=%s", subject) >= sizeof config)
            return ps_err_set(err, "%s: unsecuredLoginStringClaim_sub contains blanks or is too long",
                              entry->module);
        settings->unsecured_tokens = true;
        ps_kafka_text_set(&settings->texts.token_config, config);
        return PS_OK;
    }
    if (client == NULL || secret == NULL)
        return ps_err_set(err,
                          "%s needs clientId=\"...\" and clientSecret=\"...\" (and the property "
                          "sasl.oauthbearer.token.endpoint.url)",
                          entry->module);
    ps_kafka_text_set(&settings->texts.token_method, "oidc");
    ps_kafka_text_set(&settings->texts.token_client, client);
    ps_kafka_text_set(&settings->texts.token_secret, secret);
    if (scope != NULL)
        ps_kafka_text_set(&settings->texts.scope, scope);
    return PS_OK;
}

enum ps_status ps_kafka_jaas_translate(const struct ps_jaas_entry *entry, const char *key,
                                       struct ps_kafka_settings *settings, const struct ps_notes *notes,
                                       struct ps_err *err)
{
    const char *dot = strrchr(entry->module, '.');
    const char *name = dot != NULL ? dot + 1 : entry->module; /* packages differ between vendors */
    if (strcmp(name, "PlainLoginModule") == 0)
        return password_login(entry, "PLAIN", key, settings, notes, err);
    if (strcmp(name, "ScramLoginModule") == 0)
        return password_login(entry, "SCRAM-SHA-512 (or SCRAM-SHA-256)", key, settings, notes, err);
    if (strcmp(name, "Krb5LoginModule") == 0)
        return kerberos_login(entry, key, settings, notes, err);
    if (strcmp(name, "OAuthBearerLoginModule") == 0)
        return token_login(entry, key, settings, notes, err);
    return ps_err_set(err,
                      "the login module %s is a Java class and cannot be loaded; supported are "
                      "PlainLoginModule, ScramLoginModule, Krb5LoginModule and OAuthBearerLoginModule",
                      entry->module);
}
