/* What the native client makes of its settings: limits of its own, TLS, the account for SASL; and what it does not
 * support. Thread: any. */
#include "stages/lib/kafka/cluster/account.h"

#include "core/clock.h"
#include "stages/lib/kafka/cluster/native.h"
#include "stages/lib/least.h"
#include "stages/lib/sasl/bearer.h"
#include "stages/lib/sasl/password.h"
#include "stages/lib/tls/client.h"

#include <string.h>
#include <strings.h>

/* Shortest backoff between two attempts to connect. With 0, the worker would only try to reach a broker that is down. */
#define REST_NS_MIN (10 * PS_NS_PER_MS)
/* Maximum number of bytes of one answer. A larger answer saves nothing and causes cache misses: it does not
 * fit into the memory of the last answer, which is still in the CPU's caches. */
#define ANSWER_BYTES (1024U * 1024U)
#define ANSWER_BYTES_MIN (64U * 1024U)
/* The queue of a client whose settings name no size. */
#define QUEUE_RECORDS 100000U
#define QUEUE_BYTES (UINT64_C(64) << 20)

void ps_kafka_native_settings_take(struct ps_kafka_settings *own, const struct ps_kafka_settings *settings)
{
    *own = *settings;
    own->texts = (struct ps_kafka_texts){.servers = NULL};
    own->others = NULL;
    own->other_count = 0;
    if (own->in_flight_max == 0 || own->in_flight_max > PS_KAFKA_NATIVE_IN_FLIGHT_MAX)
        own->in_flight_max = PS_KAFKA_NATIVE_IN_FLIGHT_MAX;
    if (own->linger_ns == UINT64_MAX)
        own->linger_ns = 0;
    if (own->queue_records_max == 0)
        own->queue_records_max = QUEUE_RECORDS;
    if (own->queue_bytes_max == 0)
        own->queue_bytes_max = QUEUE_BYTES;
    own->queue_bytes_max /= 2; /* buffers of batches grow by doubling: half of them may be empty */
    own->metadata_age_ns = ps_least(own->metadata_age_ns, UINT64_MAX / 2); /* is added to a time */
    if (own->reconnect_ns < REST_NS_MIN)
        own->reconnect_ns = REST_NS_MIN;
    if (own->reconnect_max_ns < REST_NS_MIN)
        own->reconnect_max_ns = REST_NS_MIN;
}

void ps_kafka_fetch_settings_bound(struct ps_kafka_fetch_settings *settings, uint64_t held_bytes_max)
{
    uint64_t answer = ps_least(ANSWER_BYTES, held_bytes_max / 4);
    answer = answer > ANSWER_BYTES_MIN ? answer : ANSWER_BYTES_MIN;
    settings->bytes_max = (int32_t)ps_least((uint64_t)settings->bytes_max, answer);
}

/* ---- TLS and SASL ---- */

static const char *mechanism_of(const struct ps_kafka_settings *settings)
{
    return settings->texts.mechanism != NULL ? settings->texts.mechanism : "GSSAPI";
}

static bool uses_kerberos(const struct ps_kafka_settings *settings)
{
    return strcasecmp(mechanism_of(settings), "GSSAPI") == 0;
}

static bool uses_tokens(const struct ps_kafka_settings *settings)
{
    return strcasecmp(mechanism_of(settings), "OAUTHBEARER") == 0;
}

enum ps_status ps_kafka_native_tls_open(struct ps_tls_client **tls, const struct ps_kafka_settings *settings,
                                        struct ps_err *err)
{
    const struct ps_kafka_texts *texts = &settings->texts;
    const struct ps_tls_client_settings client = {
        .ca = texts->ca,
        .ca_text = texts->ca_text,
        .cert_text = texts->certificate_text,
        .key_text = texts->key_text,
        .ciphers = texts->ciphers,
        .any_name = settings->any_name,
        .verify = settings->verifies_certificates,
        .keys = PS_TLS_KEYS_KAFKA,
    };
    *tls = NULL;
    return ps_kafka_settings_use_tls(settings) ? ps_tls_client_create(tls, &client, err) : PS_OK;
}

/* Returns the subject of an unsecured token; NULL: another kind of token is configured. */
static const char *unsecured_subject(const struct ps_kafka_settings *settings)
{
    static const char begin[] = "principal=";
    const char *config = settings->texts.token_config;
    bool plain = settings->unsecured_tokens && config != NULL &&
                 strncmp(config, begin, sizeof begin - 1) == 0 && strchr(config, ' ') == NULL;
    return plain ? config + sizeof begin - 1 : NULL;
}

static enum ps_status check_tokens(const struct ps_kafka_settings *settings, struct ps_err *err)
{
    const struct ps_kafka_texts *texts = &settings->texts;
    bool asks = texts->token_method != NULL && strcmp(texts->token_method, "oidc") == 0 &&
                texts->endpoint != NULL && texts->token_client != NULL && texts->token_secret != NULL;
    return asks || unsecured_subject(settings) != NULL
               ? PS_OK
               : ps_err_set(err,
                            "sasl.mechanism=OAUTHBEARER needs sasl.oauthbearer.token.endpoint.url, clientId "
                            "and clientSecret");
}

static enum ps_status open_tokens(struct ps_kafka_native_account *account,
                                  const struct ps_kafka_settings *settings, int wake_fd, struct ps_err *err)
{
    const struct ps_token_settings tokens = {
        .subject = unsecured_subject(settings),
        .endpoint = settings->texts.endpoint,
        .client_id = settings->texts.token_client,
        .client_secret = settings->texts.token_secret,
        .scope = settings->texts.scope,
        .wake_fd = wake_fd,
    };
    account->tokens = ps_token_source_create(&tokens, err);
    return account->tokens != NULL ? PS_OK : PS_FAIL;
}

/* Returns the mechanism as brokers know it; NULL: it is not known. */
static const char *canonical(const char *mechanism)
{
    static const char *const known[] = {"GSSAPI", "OAUTHBEARER", "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"};
    for (size_t i = 0; i < PS_COUNT_OF(known); i++)
        if (strcasecmp(known[i], mechanism) == 0)
            return known[i];
    return NULL;
}

enum ps_status ps_kafka_native_account_open(struct ps_kafka_native_account *account,
                                            const struct ps_kafka_settings *settings, int wake_fd,
                                            struct ps_err *err)
{
    const struct ps_kafka_texts *texts = &settings->texts;
    if (!ps_kafka_settings_use_sasl(settings))
        return PS_OK;
    account->mechanism = canonical(mechanism_of(settings));
    if (uses_tokens(settings))
        return open_tokens(account, settings, wake_fd, err);
    if (uses_kerberos(settings)) {
        account->service = texts->service != NULL ? texts->service : "kafka";
        account->keytab = texts->keytab;
        account->principal = texts->keytab == NULL ? NULL : texts->principal != NULL ? texts->principal : "";
        return PS_OK;
    }
    account->name = texts->name;
    account->password = texts->password;
    return account->name != NULL && account->password != NULL &&
                   strlen(account->name) <= PS_PASSWORD_BYTES_MAX &&
                   strlen(account->password) <= PS_PASSWORD_BYTES_MAX
               ? PS_OK
               : ps_err_set(err,
                            "sasl.jaas.config: a user name and a password are needed, of at most %u bytes",
                            PS_PASSWORD_BYTES_MAX);
}

/* ---- what does not fit ---- */

/* A property of TLS or SASL has no effect if these are not used. */
static bool has_effect(const struct ps_kafka_settings *settings, const char *name)
{
    return strncmp(name, "ssl.", 4) == 0    ? ps_kafka_settings_use_tls(settings)
           : strncmp(name, "sasl.", 5) == 0 ? ps_kafka_settings_use_sasl(settings)
                                            : true;
}

enum ps_status ps_kafka_native_fits(const struct ps_kafka_settings *settings, struct ps_err *err)
{
    bool has_login = ps_kafka_settings_use_sasl(settings);
    if (has_login && uses_tokens(settings) && check_tokens(settings, err) != PS_OK)
        return PS_FAIL;
    if (has_login && !uses_kerberos(settings) && !uses_tokens(settings) &&
        canonical(mechanism_of(settings)) == NULL)
        return ps_err_set(err, "sasl.mechanism=%s", mechanism_of(settings));
    for (size_t i = 0; i < settings->other_count; i++) {
        const char *name = settings->others[i].key;
        if (!ps_kafka_setting_is_for_librdkafka(name) && has_effect(settings, name))
            return ps_err_set(err, "%s", name);
    }
    return PS_OK;
}
