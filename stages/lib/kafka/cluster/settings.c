#include "stages/lib/kafka/cluster/settings.h"

#include "core/clock.h"
#include "core/text/list.h"
#include "stages/lib/kafka/cluster/native.h"
#include "stages/lib/least.h"
#include "stages/lib/sasl/bearer.h"
#include "stages/lib/sasl/password.h"
#include "stages/lib/tls/client.h"

#include <ctype.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PURPOSE "Kafka account"
/* Shortest backoff between two attempts to connect. With 0, the worker would only try to reach a broker that is down. */
#define REST_NS_MIN (10 * PS_NS_PER_MS)
/* Maximum number of bytes of one answer. A larger answer saves nothing and causes cache misses: it does not
 * fit into the memory of the last answer, which is still in the CPU's caches. */
#define ANSWER_BYTES (1024U * 1024U)
#define ANSWER_BYTES_MIN (64U * 1024U)

/* ---- the table ---- */

enum kind {
    UNUSED, /* has no meaning for the native client: threads, queues and logs of librdkafka */
    TEXT,
    SWITCH, /* bool: whether the value is "true" */
    NUMBER, /* uint64_t */
    INT32,  /* int32_t or uint32_t; at most INT32_MAX */
    TIME,   /* uint64_t nanoseconds; the value is in milliseconds */
};

struct row {
    const char *name;
    enum kind kind;
    size_t field;
    int64_t fallback; /* librdkafka's default; a text has none */
};

#define FIELD(name, kind, field, fallback)                                                                   \
    {                                                                                                        \
        name, kind, offsetof(struct ps_kafka_native_settings, field), fallback                               \
    }
#define TEXT_FIELD(name, field) FIELD(name, TEXT, texts.field, 0)
#define NO_FIELD(name)                                                                                       \
    {                                                                                                        \
        name, UNUSED, 0, 0                                                                                   \
    }

/* Of two names of a property the later row counts. */
static const struct row rows[] = {
    TEXT_FIELD("acks", acks),
    FIELD("allow.auto.create.topics", SWITCH, creates_topics, 1),
    FIELD("batch.num.messages", INT32, batch_records_max, 10000),
    FIELD("batch.size", INT32, batch_bytes_max, 1000000),
    TEXT_FIELD("bootstrap.servers", servers),
    TEXT_FIELD("client.id", client_id),
    TEXT_FIELD("compression.codec", compression),
    TEXT_FIELD("compression.type", compression),
    FIELD("compression.level", INT32, compression_level, PS_KAFKA_COMPRESSION_LEVEL_DEFAULT),
    FIELD("connections.max.idle.ms", TIME, idle_ns, 0),
    NO_FIELD("delivery.report.only.error"),
    NO_FIELD("enable.gapless.guarantee"),
    FIELD("enable.idempotence", SWITCH, idempotent, 0),
    TEXT_FIELD("linger.ms", linger),
    TEXT_FIELD("queue.buffering.max.ms", linger),
    NO_FIELD("log.connection.close"),
    FIELD("max.in.flight.requests.per.connection", INT32, in_flight_max, PS_KAFKA_NATIVE_IN_FLIGHT_MAX),
    FIELD("message.max.bytes", INT32, request_bytes_max, 1048576),
    FIELD("message.timeout.ms", TIME, delivery_ns, 0),
    TEXT_FIELD("partitioner", partitioner),
    FIELD("queue.buffering.max.kbytes", NUMBER, queue_bytes_max, 65536),
    FIELD("queue.buffering.max.messages", NUMBER, queue_records_max, 100000),
    FIELD("reconnect.backoff.max.ms", TIME, reconnect_max_ns, 10000),
    FIELD("reconnect.backoff.ms", TIME, reconnect_ns, 100),
    FIELD("request.timeout.ms", INT32, acks_timeout_ms, 30000),
    NO_FIELD(
        "retries"), /* the native client tries again without a limit, as the sender does with librdkafka */
    FIELD("retry.backoff.ms", TIME, retry_rest_ns, 100),
    FIELD("socket.connection.setup.timeout.ms", TIME, connect_ns, 30000),
    FIELD("socket.receive.buffer.bytes", NUMBER, receive_buffer_bytes, 0),
    FIELD("socket.send.buffer.bytes", NUMBER, send_buffer_bytes, 0),
    FIELD("socket.timeout.ms", TIME, request_timeout_ns, 60000),
    FIELD("statistics.interval.ms", TIME, statistics_ns, 0),
    FIELD("topic.metadata.propagation.max.ms", TIME, topic_patience_ns, 30000),
    FIELD("topic.metadata.refresh.interval.ms", TIME, metadata_age_ns, 300000),
    FIELD("transaction.timeout.ms", INT32, transaction_timeout_ms, 60000),

    /* TLS and SASL */
    TEXT_FIELD("security.protocol", protocol),
    FIELD("enable.ssl.certificate.verification", SWITCH, verifies_certificates, 1),
    TEXT_FIELD("ssl.ca.location", ca),
    TEXT_FIELD("ssl.ca.pem", ca_text),
    TEXT_FIELD("ssl.certificate.pem", certificate_text),
    TEXT_FIELD("ssl.cipher.suites", ciphers),
    TEXT_FIELD("ssl.endpoint.identification.algorithm", names),
    TEXT_FIELD("ssl.key.pem", key_text),
    TEXT_FIELD("sasl.kerberos.keytab", keytab),
    NO_FIELD("sasl.kerberos.kinit.cmd"), /* tickets are requested without kinit */
    NO_FIELD("sasl.kerberos.min.time.before.relogin"),
    TEXT_FIELD("sasl.kerberos.principal", principal),
    TEXT_FIELD("sasl.kerberos.service.name", service),
    TEXT_FIELD("sasl.mechanisms", mechanism),
    TEXT_FIELD("sasl.mechanism", mechanism),
    FIELD("enable.sasl.oauthbearer.unsecure.jwt", SWITCH, unsecured_tokens, 0),
    TEXT_FIELD("sasl.oauthbearer.client.id", token_client),
    TEXT_FIELD("sasl.oauthbearer.client.secret", token_secret),
    TEXT_FIELD("sasl.oauthbearer.config", token_config),
    TEXT_FIELD("sasl.oauthbearer.method", token_method),
    TEXT_FIELD("sasl.oauthbearer.scope", scope),
    TEXT_FIELD("sasl.oauthbearer.token.endpoint.url", endpoint),
    TEXT_FIELD("sasl.password", password),
    TEXT_FIELD("sasl.username", name),

    /* a reader's */
    TEXT_FIELD("auto.offset.reset", reset),
    FIELD("check.crcs", SWITCH, reader.checks_sums, 1),
    TEXT_FIELD("client.rack", rack),
    NO_FIELD("fetch.error.backoff.ms"),
    FIELD("fetch.max.bytes", INT32, reader.bytes_max, INT32_MAX),
    FIELD("fetch.min.bytes", INT32, reader.bytes_min, 1),
    FIELD("fetch.wait.max.ms", INT32, reader.wait_ms, 500),
    NO_FIELD("group.id"),
    NO_FIELD("group.instance.id"),
    FIELD("heartbeat.interval.ms", TIME, reader.heartbeat_ns, 3000),
    TEXT_FIELD("isolation.level", isolation),
    FIELD("max.partition.fetch.bytes", INT32, reader.partition_bytes_max, ANSWER_BYTES),
    FIELD("max.poll.interval.ms", INT32, reader.rebalance_ms, 300000),
    TEXT_FIELD("partition.assignment.strategy", assignors),
    FIELD("session.timeout.ms", INT32, reader.session_ms, 45000),
    NO_FIELD("topic.blacklist"),
};

static const struct row *find(const char *name)
{
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++)
        if (strcmp(rows[i].name, name) == 0)
            return &rows[i];
    return NULL;
}

/* Sets the field of the row; `text` NULL: to its fallback. */
static void set(struct ps_kafka_native_settings *settings, const struct row *row, const char *text)
{
    void *field = (char *)settings + row->field;
    int64_t number = text != NULL ? strtoll(text, NULL, 10) : row->fallback;
    switch (row->kind) {
    case UNUSED:
        break;
    case TEXT:
        if (text != NULL)
            *(const char **)field = text;
        break;
    case SWITCH:
        *(bool *)field = text != NULL ? strcmp(text, "true") == 0 : row->fallback != 0;
        break;
    case NUMBER:
        *(uint64_t *)field = (uint64_t)number;
        break;
    case INT32:
        *(int32_t *)field = number < INT32_MAX ? (int32_t)number : INT32_MAX;
        break;
    case TIME:
        *(uint64_t *)field = (uint64_t)number * PS_NS_PER_MS;
        break;
    }
}

/* ---- TLS and SASL ---- */

static bool uses_tls(const struct ps_kafka_native_settings *settings)
{
    return settings->texts.protocol != NULL && strcasestr(settings->texts.protocol, "ssl") != NULL;
}

static bool uses_sasl(const struct ps_kafka_native_settings *settings)
{
    return settings->texts.protocol != NULL && strncasecmp(settings->texts.protocol, "sasl_", 5) == 0;
}

static const char *mechanism_of(const struct ps_kafka_native_settings *settings)
{
    return settings->texts.mechanism != NULL ? settings->texts.mechanism : "GSSAPI";
}

static bool uses_kerberos(const struct ps_kafka_native_settings *settings)
{
    return strcasecmp(mechanism_of(settings), "GSSAPI") == 0;
}

static bool uses_tokens(const struct ps_kafka_native_settings *settings)
{
    return strcasecmp(mechanism_of(settings), "OAUTHBEARER") == 0;
}

enum ps_status ps_kafka_native_tls_open(struct ps_tls_client **tls,
                                        const struct ps_kafka_native_settings *settings, struct ps_err *err)
{
    const struct ps_kafka_native_texts *texts = &settings->texts;
    const struct ps_tls_client_settings client = {
        .ca = texts->ca,
        .ca_text = texts->ca_text,
        .cert_text = texts->certificate_text,
        .key_text = texts->key_text,
        .ciphers = texts->ciphers,
        .any_name = texts->names != NULL && strcmp(texts->names, "https") != 0,
        .verify = settings->verifies_certificates,
        .keys = PS_TLS_KEYS_KAFKA,
    };
    *tls = NULL;
    return uses_tls(settings) ? ps_tls_client_create(tls, &client, err) : PS_OK;
}

/* Returns the subject of an unsecured token; NULL: another kind of token is configured. */
static const char *unsecured_subject(const struct ps_kafka_native_settings *settings)
{
    static const char begin[] = "principal=";
    const char *config = settings->texts.token_config;
    bool plain = settings->unsecured_tokens && config != NULL &&
                 strncmp(config, begin, sizeof begin - 1) == 0 && strchr(config, ' ') == NULL;
    return plain ? config + sizeof begin - 1 : NULL;
}

static enum ps_status check_tokens(const struct ps_kafka_native_settings *settings, struct ps_err *err)
{
    const struct ps_kafka_native_texts *texts = &settings->texts;
    bool asks = texts->token_method != NULL && strcmp(texts->token_method, "oidc") == 0 &&
                texts->endpoint != NULL && texts->token_client != NULL && texts->token_secret != NULL;
    return asks || unsecured_subject(settings) != NULL
               ? PS_OK
               : ps_err_set(err,
                            "sasl.mechanism=OAUTHBEARER needs sasl.oauthbearer.token.endpoint.url, clientId "
                            "and clientSecret");
}

static enum ps_status open_tokens(struct ps_kafka_native_account *account,
                                  const struct ps_kafka_native_settings *settings, int wake_fd,
                                  struct ps_err *err)
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

/* Without a keytab the tickets of the default cache are used, as with useTicketCache of Krb5LoginModule. */
static void name_kerberos(struct ps_kafka_native_account *account, const struct ps_kafka_native_texts *texts)
{
    account->service = ps_must_copy_text(texts->service != NULL ? texts->service : "kafka", PURPOSE);
    if (texts->keytab == NULL)
        return;
    account->principal = ps_must_copy_text(texts->principal != NULL ? texts->principal : "", PURPOSE);
    account->keytab = ps_must_copy_text(texts->keytab, PURPOSE);
}

enum ps_status ps_kafka_native_account_read(struct ps_kafka_native_account *account,
                                            const struct ps_kafka_native_settings *settings, int wake_fd,
                                            struct ps_err *err)
{
    const struct ps_kafka_native_texts *texts = &settings->texts;
    if (!uses_sasl(settings))
        return PS_OK;
    bool has_password = !uses_kerberos(settings) && !uses_tokens(settings);
    if (has_password &&
        (texts->name == NULL || texts->password == NULL || strlen(texts->name) > PS_PASSWORD_BYTES_MAX ||
         strlen(texts->password) > PS_PASSWORD_BYTES_MAX))
        return ps_err_set(err, "sasl.jaas.config: a user name and a password are needed, of at most %u bytes",
                          PS_PASSWORD_BYTES_MAX);
    *account = (struct ps_kafka_native_account){
        .mechanism = ps_must_copy_text(mechanism_of(settings), PURPOSE),
        .name = ps_must_copy_text(has_password ? texts->name : "", PURPOSE),
        .password = ps_must_copy_text(has_password ? texts->password : "", PURPOSE)};
    for (char *at = account->mechanism; *at != '\0'; at++)
        *at = (char)toupper((unsigned char)*at);
    if (uses_kerberos(settings))
        name_kerberos(account, texts);
    return uses_tokens(settings) ? open_tokens(account, settings, wake_fd, err) : PS_OK;
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

/* ---- words ---- */

const char *const ps_kafka_assignor_names[PS_KAFKA_ASSIGNOR_COUNT] = {
    [PS_KAFKA_RANGE] = "range",
    [PS_KAFKA_ROUND_ROBIN] = "roundrobin",
    [PS_KAFKA_STICKY] = "cooperative-sticky",
};

static void add_assignor(struct ps_kafka_fetch_settings *settings, const char *name, size_t length)
{
    for (unsigned i = 0; i < PS_KAFKA_ASSIGNOR_COUNT; i++) {
        bool known = false;
        for (uint32_t j = 0; j < settings->assignor_count; j++)
            known |= settings->assignors[j] == i;
        if (!known && strlen(ps_kafka_assignor_names[i]) == length &&
            memcmp(ps_kafka_assignor_names[i], name, length) == 0)
            settings->assignors[settings->assignor_count++] = (enum ps_kafka_assignor)i;
    }
}

/* As in Java's ConsumerCoordinator, a member that also offers an eager assignor uses the eager protocol, because
 * other members may not know the cooperative one yet. */
static void read_assignors(struct ps_kafka_fetch_settings *settings, const char *strategy)
{
    struct ps_slice name;
    while (ps_list_next(&strategy, ", \t", &name))
        add_assignor(settings, name.data, name.length);
    if (settings->assignor_count == 0)
        add_assignor(settings, "range", strlen("range"));
    settings->cooperative = settings->assignor_count == 1 && settings->assignors[0] == PS_KAFKA_STICKY;
}

static enum ps_kafka_reset reset_of(const char *text)
{
    if (text == NULL)
        return PS_KAFKA_RESET_LATEST;
    if (strcmp(text, "error") == 0)
        return PS_KAFKA_RESET_ERROR;
    bool earliest =
        strcmp(text, "earliest") == 0 || strcmp(text, "smallest") == 0 || strcmp(text, "beginning") == 0;
    return earliest ? PS_KAFKA_RESET_EARLIEST : PS_KAFKA_RESET_LATEST;
}

/* Sets what follows from several properties, or from words. */
static void derive(struct ps_kafka_native_settings *settings)
{
    const struct ps_kafka_native_texts *texts = &settings->texts;
    double linger_ms = texts->linger != NULL ? strtod(texts->linger, NULL) : 0;
    bool weak = texts->acks != NULL && (strcmp(texts->acks, "0") == 0 || strcmp(texts->acks, "1") == 0);
    settings->acks = weak ? (int16_t)(texts->acks[0] - '0') : -1;
    settings->compression =
        ps_kafka_compression_named(texts->compression != NULL ? texts->compression : "none");
    settings->linger_ns = linger_ms > 0 ? (uint64_t)(linger_ms * (double)PS_NS_PER_MS) : 0;
    settings->in_flight_max = (uint32_t)ps_least(settings->in_flight_max, PS_KAFKA_NATIVE_IN_FLIGHT_MAX);
    settings->queue_bytes_max *=
        1024 / 2; /* buffers of batches grow by doubling: half of them may be empty */
    if (settings->reconnect_ns < REST_NS_MIN)
        settings->reconnect_ns = REST_NS_MIN;
    if (settings->reconnect_max_ns < REST_NS_MIN)
        settings->reconnect_max_ns = REST_NS_MIN;
    snprintf(settings->client_id, sizeof settings->client_id, "%s",
             texts->client_id != NULL ? texts->client_id : "penstock");
    settings->reader.reset = reset_of(texts->reset);
    settings->reader.committed_only =
        texts->isolation == NULL || strcmp(texts->isolation, "read_uncommitted") != 0;
    snprintf(settings->reader.rack, sizeof settings->reader.rack, "%s",
             texts->rack != NULL ? texts->rack : "");
    read_assignors(&settings->reader, texts->assignors != NULL ? texts->assignors : "range,roundrobin");
}

void ps_kafka_fetch_settings_bound(struct ps_kafka_fetch_settings *settings, uint64_t held_bytes_max)
{
    uint64_t answer = ps_least(ANSWER_BYTES, held_bytes_max / 4);
    answer = answer > ANSWER_BYTES_MIN ? answer : ANSWER_BYTES_MIN;
    settings->bytes_max = (int32_t)ps_least((uint64_t)settings->bytes_max, answer);
}

/* ---- what does not fit ---- */

/* A property of TLS or SASL has no effect if these are not used. */
static bool has_effect(const struct ps_kafka_native_settings *settings, const char *name)
{
    return strncmp(name, "ssl.", 4) == 0    ? uses_tls(settings)
           : strncmp(name, "sasl.", 5) == 0 ? uses_sasl(settings)
                                            : true;
}

static enum ps_status check(const struct ps_kafka_native_settings *settings, struct ps_err *err)
{
    const char *partitioner = settings->texts.partitioner;
    if (uses_sasl(settings) && uses_tokens(settings) && check_tokens(settings, err) != PS_OK)
        return PS_FAIL;
    if (uses_sasl(settings) && !uses_kerberos(settings) && !uses_tokens(settings) &&
        !ps_password_mechanism_is_known(mechanism_of(settings)))
        return ps_err_set(err, "sasl.mechanism=%s", mechanism_of(settings));
    if (settings->compression == PS_KAFKA_COMPRESSIONS)
        return ps_err_set(err, "compression.type=%s", settings->texts.compression);
    if (partitioner != NULL && strcmp(partitioner, "murmur2_random") != 0 &&
        strcmp(partitioner, "random") != 0)
        return ps_err_set(err, "partitioner=%s", partitioner);
    return PS_OK;
}

enum ps_status ps_kafka_native_settings_read(struct ps_kafka_native_settings *settings,
                                             const struct ps_pair *pairs, size_t count, struct ps_err *err)
{
    *settings = (struct ps_kafka_native_settings){.acks = -1};
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        const char *text = NULL;
        for (size_t j = 0; j < count;
             j++) /* if a name is given twice the last value counts, as in librdkafka */
            if (strcmp(pairs[j].key, rows[i].name) == 0)
                text = pairs[j].value;
        set(settings, &rows[i], text);
    }
    derive(settings);
    if (check(settings, err) != PS_OK)
        return PS_FAIL;
    for (size_t i = 0; i < count; i++)
        if (find(pairs[i].key) == NULL && has_effect(settings, pairs[i].key))
            return ps_err_set(err, "%s", pairs[i].key);
    return PS_OK;
}

enum ps_status ps_kafka_native_fits(const struct ps_pair *pairs, size_t count, struct ps_err *err)
{
    struct ps_kafka_native_settings settings;
    return ps_kafka_native_settings_read(&settings, pairs, count, err);
}
