/* Reads the native client's settings from the properties that the stage sets for librdkafka
 * (stages/lib/kafka/client_plan.h). */
#include "stages/lib/kafka/cluster/native_internal.h"
#include "stages/lib/kafka/cluster/property.h"
#include "stages/lib/least.h"
#include "stages/lib/sasl/password.h"

#include <ctype.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REST_MS_MIN 10U

/* Returns the compression's name. librdkafka has two names for this property; the translation of Java's property uses
 * the first one. */
static const char *compression_name(const struct ps_kafka_property_list *from)
{
    const char *name = ps_kafka_property(from, "compression.type");
    if (name == NULL)
        name = ps_kafka_property(from, "compression.codec");
    return name != NULL ? name : "none";
}

static enum ps_kafka_compression compression(const struct ps_kafka_property_list *from)
{
    return ps_kafka_compression_named(compression_name(from));
}

static int compression_level(const struct ps_kafka_property_list *from)
{
    const char *text = ps_kafka_property(from, "compression.level");
    return text != NULL ? (int)strtol(text, NULL, 10) : PS_KAFKA_COMPRESSION_LEVEL_DEFAULT;
}

/* ---- TLS ---- */

static bool uses_tls(const struct ps_kafka_property_list *from)
{
    const char *protocol = ps_kafka_property(from, "security.protocol");
    return protocol != NULL && strcasestr(protocol, "ssl") != NULL;
}

/* ps_kafka_native_tls_open reads these properties. If another property of TLS is set, librdkafka is used; the
 * translation of Java's properties never sets one. */
static enum ps_status check_tls(const struct ps_kafka_property_list *from, struct ps_err *err)
{
    static const char *const known[] = {"ssl.ca.pem",
                                        "ssl.ca.location",
                                        "ssl.certificate.pem",
                                        "ssl.key.pem",
                                        "ssl.endpoint.identification.algorithm",
                                        "ssl.cipher.suites"};
    for (size_t i = 0; i < from->count; i++) {
        const char *key = from->pairs[i].key;
        bool is_known = strncmp(key, "ssl.", 4) != 0;
        for (size_t j = 0; j < PS_COUNT_OF(known) && !is_known; j++)
            is_known = strcmp(key, known[j]) == 0;
        if (!is_known)
            return ps_err_set(err, "%s", key);
    }
    return PS_OK;
}

enum ps_status ps_kafka_native_tls_open(struct ps_tls_client **tls, const struct ps_pair *pairs, size_t count,
                                        struct ps_err *err)
{
    const struct ps_kafka_property_list from = {pairs, count};
    const struct ps_tls_client_settings settings = {
        .ca = ps_kafka_property(&from, "ssl.ca.location"),
        .ca_text = ps_kafka_property(&from, "ssl.ca.pem"),
        .cert_text = ps_kafka_property(&from, "ssl.certificate.pem"),
        .key_text = ps_kafka_property(&from, "ssl.key.pem"),
        .ciphers = ps_kafka_property(&from, "ssl.cipher.suites"),
        .any_name = !ps_kafka_property_is(&from, "ssl.endpoint.identification.algorithm", "https", "https"),
        .verify = ps_kafka_property_is(&from, "enable.ssl.certificate.verification", "true", "true"),
        .keys = PS_TLS_KEYS_KAFKA,
    };
    *tls = NULL;
    return uses_tls(&from) ? ps_tls_client_create(tls, &settings, err) : PS_OK;
}

/* ---- SASL ---- */

static bool uses_sasl(const struct ps_kafka_property_list *from)
{
    const char *protocol = ps_kafka_property(from, "security.protocol");
    return protocol != NULL && strncasecmp(protocol, "sasl_", 5) == 0;
}

static const char *mechanism_of(const struct ps_kafka_property_list *from)
{
    const char *mechanism = ps_kafka_property(from, "sasl.mechanism");
    if (mechanism == NULL)
        mechanism = ps_kafka_property(from, "sasl.mechanisms");
    return mechanism != NULL ? mechanism : "GSSAPI";
}

static bool uses_kerberos(const struct ps_kafka_property_list *from)
{
    return strcasecmp(mechanism_of(from), "GSSAPI") == 0;
}

static bool uses_tokens(const struct ps_kafka_property_list *from)
{
    return strcasecmp(mechanism_of(from), "OAUTHBEARER") == 0;
}

static char *copy(const char *text)
{
    return strdup(text != NULL ? text : "");
}

/* Returns the subject of an unsecured token; NULL: another kind of token is configured. */
static const char *unsecured_subject(const struct ps_kafka_property_list *from)
{
    static const char begin[] = "principal=";
    const char *config = ps_kafka_property(from, "sasl.oauthbearer.config");
    bool plain = ps_kafka_property_is(from, "enable.sasl.oauthbearer.unsecure.jwt", "true", "false") &&
                 config != NULL && strncmp(config, begin, sizeof begin - 1) == 0 &&
                 strchr(config, ' ') == NULL;
    return plain ? config + sizeof begin - 1 : NULL;
}

static struct ps_token_settings token_settings(const struct ps_kafka_property_list *from)
{
    return (struct ps_token_settings){
        .subject = unsecured_subject(from),
        .endpoint = ps_kafka_property(from, "sasl.oauthbearer.token.endpoint.url"),
        .client_id = ps_kafka_property(from, "sasl.oauthbearer.client.id"),
        .client_secret = ps_kafka_property(from, "sasl.oauthbearer.client.secret"),
        .scope = ps_kafka_property(from, "sasl.oauthbearer.scope"),
        .wake_fd = -1,
    };
}

static enum ps_status check_tokens(const struct ps_kafka_property_list *from, struct ps_err *err)
{
    const struct ps_token_settings settings = token_settings(from);
    bool asks = ps_kafka_property_is(from, "sasl.oauthbearer.method", "oidc", "default") &&
                settings.endpoint != NULL && settings.client_id != NULL && settings.client_secret != NULL;
    return settings.subject != NULL || asks
               ? PS_OK
               : ps_err_set(err,
                            "sasl.mechanism=OAUTHBEARER needs sasl.oauthbearer.token.endpoint.url, clientId "
                            "and clientSecret");
}

static enum ps_status read_tokens(struct ps_kafka_native_account *account,
                                  const struct ps_kafka_property_list *from, int wake_fd, struct ps_err *err)
{
    struct ps_token_settings settings = token_settings(from);
    settings.wake_fd = wake_fd;
    *account = (struct ps_kafka_native_account){
        .mechanism = copy("OAUTHBEARER"), .name = copy(NULL), .password = copy(NULL)};
    if (account->mechanism == NULL || account->name == NULL || account->password == NULL)
        return ps_err_set(err, "no memory");
    account->tokens = ps_token_source_create(&settings, err);
    return account->tokens != NULL ? PS_OK : PS_FAIL;
}

/* Reads the settings of GSSAPI. Without a keytab the tickets of the default cache are used, as with useTicketCache of
 * Krb5LoginModule. */
static enum ps_status read_kerberos(struct ps_kafka_native_account *account,
                                    const struct ps_kafka_property_list *from, struct ps_err *err)
{
    const char *service = ps_kafka_property(from, "sasl.kerberos.service.name");
    const char *keytab = ps_kafka_property(from, "sasl.kerberos.keytab");
    const char *principal = ps_kafka_property(from, "sasl.kerberos.principal");
    *account = (struct ps_kafka_native_account){.mechanism = copy("GSSAPI"),
                                                .name = copy(NULL),
                                                .password = copy(NULL),
                                                .service = copy(service != NULL ? service : "kafka"),
                                                .principal = keytab != NULL ? copy(principal) : NULL,
                                                .keytab = keytab != NULL ? copy(keytab) : NULL};
    bool good = account->mechanism != NULL && account->name != NULL && account->password != NULL &&
                account->service != NULL &&
                (keytab == NULL || (account->principal != NULL && account->keytab != NULL));
    return good ? PS_OK : ps_err_set(err, "no memory");
}

enum ps_status ps_kafka_native_account_read(struct ps_kafka_native_account *account,
                                            const struct ps_pair *pairs, size_t count, int wake_fd,
                                            struct ps_err *err)
{
    const struct ps_kafka_property_list from = {pairs, count};
    const char *name = ps_kafka_property(&from, "sasl.username"),
               *password = ps_kafka_property(&from, "sasl.password");
    if (!uses_sasl(&from))
        return PS_OK;
    if (uses_kerberos(&from))
        return read_kerberos(account, &from, err);
    if (uses_tokens(&from))
        return read_tokens(account, &from, wake_fd, err);
    if (name == NULL || password == NULL || strlen(name) > PS_PASSWORD_BYTES_MAX ||
        strlen(password) > PS_PASSWORD_BYTES_MAX)
        return ps_err_set(err, "sasl.jaas.config: a user name and a password are needed, of at most %u bytes",
                          PS_PASSWORD_BYTES_MAX);
    *account = (struct ps_kafka_native_account){
        .mechanism = copy(mechanism_of(&from)), .name = copy(name), .password = copy(password)};
    if (account->mechanism == NULL || account->name == NULL || account->password == NULL)
        return ps_err_set(err, "no memory");
    for (char *at = account->mechanism; *at != '\0'; at++)
        *at = (char)toupper((unsigned char)*at);
    return PS_OK;
}

static void wipe(char *text)
{
    if (text != NULL)
        OPENSSL_cleanse(text, strlen(text));
    free(text);
}

void ps_kafka_native_account_fini(struct ps_kafka_native_account *account)
{
    wipe(account->mechanism);
    wipe(account->name);
    wipe(account->password);
    free(account->service);
    free(account->principal);
    free(account->keytab);
    ps_token_source_destroy(account->tokens);
}

/* ---- other properties ---- */

/* Returns whether the native client reads the property, or the property has no meaning for it: threads, queues and
 * logs of librdkafka. If another property of librdkafka is set, librdkafka is used. */
static bool is_known(const char *name)
{
    static const char *const known[] = {
        "acks",
        "allow.auto.create.topics",
        "batch.num.messages",
        "batch.size",
        "bootstrap.servers",
        "client.id",
        "compression.codec",
        "compression.level",
        "compression.type",
        "connections.max.idle.ms",
        "delivery.report.only.error",
        "enable.gapless.guarantee",
        "enable.idempotence",
        "enable.sasl.oauthbearer.unsecure.jwt",
        "enable.ssl.certificate.verification",
        "linger.ms",
        "log.connection.close",
        "max.in.flight.requests.per.connection",
        "message.max.bytes",
        "message.timeout.ms",
        "partitioner",
        "queue.buffering.max.kbytes",
        "queue.buffering.max.messages",
        "queue.buffering.max.ms",
        "reconnect.backoff.max.ms",
        "reconnect.backoff.ms",
        "request.timeout.ms",
        "retries", /* the native client tries again without a limit, as the sender does with librdkafka */
        "retry.backoff.ms",
        "sasl.kerberos.keytab",
        "sasl.kerberos.kinit.cmd", /* tickets are requested without kinit */
        "sasl.kerberos.min.time.before.relogin",
        "sasl.kerberos.principal",
        "sasl.kerberos.service.name",
        "sasl.mechanism",
        "sasl.mechanisms",
        "sasl.oauthbearer.client.id",
        "sasl.oauthbearer.client.secret",
        "sasl.oauthbearer.config",
        "sasl.oauthbearer.method",
        "sasl.oauthbearer.scope",
        "sasl.oauthbearer.token.endpoint.url",
        "sasl.password",
        "sasl.username",
        "security.protocol",
        "socket.connection.setup.timeout.ms",
        "socket.receive.buffer.bytes",
        "socket.send.buffer.bytes",
        "socket.timeout.ms",
        "statistics.interval.ms",
        "topic.metadata.propagation.max.ms",
        "topic.metadata.refresh.interval.ms",
        "transaction.timeout.ms",
        /* properties of a consumer, which stages/lib/kafka/fetch/settings.c reads */
        "auto.offset.reset",
        "check.crcs",
        "fetch.error.backoff.ms",
        "fetch.max.bytes",
        "fetch.min.bytes",
        "fetch.wait.max.ms",
        "group.id",
        "group.instance.id",
        "heartbeat.interval.ms",
        "isolation.level",
        "max.partition.fetch.bytes",
        "max.poll.interval.ms",
        "partition.assignment.strategy",
        "queued.max.messages.kbytes",
        "queued.min.messages",
        "session.timeout.ms",
        "topic.blacklist",
    };
    for (size_t i = 0; i < PS_COUNT_OF(known); i++)
        if (strcmp(name, known[i]) == 0)
            return true;
    return false;
}

/* Returns false for keys of SASL and TLS if these are not used: then they have no effect. */
static bool is_used(const struct ps_kafka_property_list *from, const char *name)
{
    if (strncmp(name, "ssl.", 4) == 0)
        return false; /* check_tls checks them */
    return strncmp(name, "sasl.", 5) != 0 || uses_sasl(from);
}

static enum ps_status check_names(const struct ps_kafka_property_list *from, struct ps_err *err)
{
    for (size_t i = 0; i < from->count; i++)
        if (!is_known(from->pairs[i].key) && is_used(from, from->pairs[i].key))
            return ps_err_set(err, "%s", from->pairs[i].key);
    const char *partitioner = ps_kafka_property(from, "partitioner");
    if (partitioner != NULL && strcmp(partitioner, "murmur2_random") != 0 &&
        strcmp(partitioner, "random") != 0)
        return ps_err_set(err, "partitioner=%s", partitioner);
    return PS_OK;
}

/* Returns the backoff between two attempts to connect. With 0, the worker would only try to reach a broker that is
 * down. */
static uint64_t rest_ns(const struct ps_kafka_property_list *from, const char *name, uint64_t fallback_ms)
{
    uint64_t rest_ms = ps_kafka_property_number(from, name, fallback_ms);
    return (rest_ms > REST_MS_MIN ? rest_ms : REST_MS_MIN) * PS_NS_PER_MS;
}

static uint64_t linger_ns(const struct ps_kafka_property_list *from)
{
    const char *text = ps_kafka_property(from, "queue.buffering.max.ms");
    if (text == NULL)
        text = ps_kafka_property(from, "linger.ms");
    double linger_ms = text != NULL ? strtod(text, NULL) : 0;
    return linger_ms > 0 ? (uint64_t)(linger_ms * (double)PS_NS_PER_MS) : 0;
}

static enum ps_status check(const struct ps_kafka_property_list *from, struct ps_err *err)
{
    if (uses_sasl(from) && uses_tokens(from) && check_tokens(from, err) != PS_OK)
        return PS_FAIL;
    if (uses_sasl(from) && !uses_kerberos(from) && !uses_tokens(from) &&
        !ps_password_mechanism_is_known(mechanism_of(from)))
        return ps_err_set(err, "sasl.mechanism=%s", mechanism_of(from));
    if (uses_tls(from) && check_tls(from, err) != PS_OK)
        return PS_FAIL;
    if (compression(from) == PS_KAFKA_COMPRESSIONS)
        return ps_err_set(err, "compression.type=%s", compression_name(from));
    return check_names(from, err);
}

enum ps_status ps_kafka_native_settings_read(struct ps_kafka_native_settings *settings,
                                             const struct ps_pair *pairs, size_t count, struct ps_err *err)
{
    const struct ps_kafka_property_list from = {pairs, count};
    if (check(&from, err) != PS_OK)
        return PS_FAIL;
    const char *client_id = ps_kafka_property(&from, "client.id");
    uint64_t timeout_ms = ps_kafka_property_number(&from, "request.timeout.ms", 30000);
    *settings = (struct ps_kafka_native_settings){
        .acks = ps_kafka_property_is(&from, "acks", "0", "all")   ? 0
                : ps_kafka_property_is(&from, "acks", "1", "all") ? 1
                                                                  : -1,
        .idempotent = ps_kafka_property_is(&from, "enable.idempotence", "true", "false"),
        .compression = compression(&from),
        .compression_level = compression_level(&from),
        .set_bytes_max = (uint32_t)ps_kafka_property_number(&from, "batch.size", 1000000),
        .set_records_max = (uint32_t)ps_kafka_property_number(&from, "batch.num.messages", 10000),
        .in_flight_max =
            (uint32_t)ps_least(ps_kafka_property_number(&from, "max.in.flight.requests.per.connection",
                                                        PS_KAFKA_NATIVE_IN_FLIGHT_MAX),
                               PS_KAFKA_NATIVE_IN_FLIGHT_MAX),
        .queue_records_max = ps_kafka_property_number(&from, "queue.buffering.max.messages", 100000),
        .request_bytes_max = (uint32_t)ps_kafka_property_number(&from, "message.max.bytes", 1048576),
        /* buffers of sets grow by doubling: half of them may be empty */
        .queue_bytes_max = ps_kafka_property_number(&from, "queue.buffering.max.kbytes", 65536) * 1024 / 2,
        .request_timeout_ns = ps_kafka_property_number(&from, "socket.timeout.ms", 60000) * PS_NS_PER_MS,
        .acks_timeout_ms = (int32_t)timeout_ms,
        .retry_rest_ns = ps_kafka_property_number(&from, "retry.backoff.ms", 100) * PS_NS_PER_MS,
        .reconnect_ns = rest_ns(&from, "reconnect.backoff.ms", 100),
        .reconnect_max_ns = rest_ns(&from, "reconnect.backoff.max.ms", 10000),
        .connect_ns =
            ps_kafka_property_number(&from, "socket.connection.setup.timeout.ms", 30000) * PS_NS_PER_MS,
        .idle_ns = ps_kafka_property_number(&from, "connections.max.idle.ms", 0) * PS_NS_PER_MS,
        .linger_ns = linger_ns(&from),
        .delivery_ns = ps_kafka_property_number(&from, "message.timeout.ms", 0) * PS_NS_PER_MS,
        .send_buffer_bytes = ps_kafka_property_number(&from, "socket.send.buffer.bytes", 0),
        .receive_buffer_bytes = ps_kafka_property_number(&from, "socket.receive.buffer.bytes", 0),
        .statistics_ns = ps_kafka_property_number(&from, "statistics.interval.ms", 0) * PS_NS_PER_MS,
        .metadata_age_ns =
            ps_kafka_property_number(&from, "topic.metadata.refresh.interval.ms", 300000) * PS_NS_PER_MS,
        .topic_patience_ns =
            ps_kafka_property_number(&from, "topic.metadata.propagation.max.ms", 30000) * PS_NS_PER_MS,
        .transaction_timeout_ms =
            (int32_t)ps_least(ps_kafka_property_number(&from, "transaction.timeout.ms", 60000), INT32_MAX),
        .creates_topics = ps_kafka_property_is(&from, "allow.auto.create.topics", "true", "true"),
    };
    snprintf(settings->client_id, sizeof settings->client_id, "%s",
             client_id != NULL ? client_id : "penstock");
    return PS_OK;
}
