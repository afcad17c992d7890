/* The lane's settings, out of the properties that the stage sets for librdkafka (stages/lib/kafka/client_plan.h). */
#include "stages/lib/kafka/lane/lane_internal.h"
#include "stages/lib/least.h"
#include "stages/lib/sasl/password.h"

#include <ctype.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *get(const struct ps_pair *pairs, size_t count, const char *name)
{
    for (size_t i = count; i > 0; i--)
        if (strcmp(pairs[i - 1].key, name) == 0)
            return pairs[i - 1].value;
    return NULL;
}

struct source {
    const struct ps_pair *pairs;
    size_t count;
};

static uint64_t number(const struct source *from, const char *name, uint64_t fallback)
{
    const char *text = get(from->pairs, from->count, name);
    return text != NULL ? strtoull(text, NULL, 10) : fallback;
}

static bool is(const struct source *from, const char *name, const char *value, const char *fallback)
{
    const char *text = get(from->pairs, from->count, name);
    return strcmp(text != NULL ? text : fallback, value) == 0;
}

/* librdkafka has two names for it; the translation from Java's uses the first. */
static const char *compression_name(const struct source *from)
{
    const char *name = get(from->pairs, from->count, "compression.type");
    if (name == NULL)
        name = get(from->pairs, from->count, "compression.codec");
    return name != NULL ? name : "none";
}

static enum ps_kafka_compression compression(const struct source *from)
{
    return ps_kafka_compression_named(compression_name(from));
}

static int compression_level(const struct source *from)
{
    const char *text = get(from->pairs, from->count, "compression.level");
    return text != NULL ? (int)strtol(text, NULL, 10) : PS_KAFKA_COMPRESSION_LEVEL_DEFAULT;
}

/* ---- TLS ---- */

static bool uses_tls(const struct source *from)
{
    const char *protocol = get(from->pairs, from->count, "security.protocol");
    return protocol != NULL && strcasestr(protocol, "ssl") != NULL;
}

/* The properties that ps_kafka_lane_tls_open reads; those that the translation from Java's does not make are left to
 * librdkafka. */
static enum ps_status check_tls(const struct source *from, struct ps_err *err)
{
    static const char *const known[] = {"ssl.ca.pem", "ssl.ca.location", "ssl.certificate.pem", "ssl.key.pem",
                                        "ssl.endpoint.identification.algorithm"};
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

enum ps_status ps_kafka_lane_tls_open(struct ps_tls_client **tls, const struct ps_pair *pairs, size_t count,
                                      struct ps_err *err)
{
    const struct source from = {pairs, count};
    const struct ps_tls_client_settings settings = {
        .ca = get(pairs, count, "ssl.ca.location"),
        .ca_text = get(pairs, count, "ssl.ca.pem"),
        .cert_text = get(pairs, count, "ssl.certificate.pem"),
        .key_text = get(pairs, count, "ssl.key.pem"),
        .any_name = !is(&from, "ssl.endpoint.identification.algorithm", "https", "https"),
        .verify = is(&from, "enable.ssl.certificate.verification", "true", "true"),
        .keys = PS_TLS_KEYS_KAFKA,
    };
    *tls = NULL;
    return uses_tls(&from) ? ps_tls_client_create(tls, &settings, err) : PS_OK;
}

/* ---- SASL ---- */

static bool uses_sasl(const struct source *from)
{
    const char *protocol = get(from->pairs, from->count, "security.protocol");
    return protocol != NULL && strncasecmp(protocol, "sasl_", 5) == 0;
}

static const char *mechanism_of(const struct source *from)
{
    const char *mechanism = get(from->pairs, from->count, "sasl.mechanism");
    if (mechanism == NULL)
        mechanism = get(from->pairs, from->count, "sasl.mechanisms");
    return mechanism != NULL ? mechanism : "GSSAPI";
}

static char *copy(const char *text)
{
    return strdup(text != NULL ? text : "");
}

enum ps_status ps_kafka_lane_account_read(struct ps_kafka_lane_account *account, const struct ps_pair *pairs,
                                          size_t count, struct ps_err *err)
{
    const struct source from = {pairs, count};
    const char *name = get(pairs, count, "sasl.username"), *password = get(pairs, count, "sasl.password");
    if (!uses_sasl(&from))
        return PS_OK;
    if (name == NULL || password == NULL || strlen(name) > PS_PASSWORD_BYTES_MAX ||
        strlen(password) > PS_PASSWORD_BYTES_MAX)
        return ps_err_set(err, "sasl.jaas.config: a user name and a password are needed, of at most %u bytes",
                          PS_PASSWORD_BYTES_MAX);
    *account = (struct ps_kafka_lane_account){copy(mechanism_of(&from)), copy(name), copy(password)};
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

void ps_kafka_lane_account_fini(struct ps_kafka_lane_account *account)
{
    wipe(account->mechanism);
    wipe(account->name);
    wipe(account->password);
}

static enum ps_status check(const struct source *from, struct ps_err *err)
{
    if (uses_sasl(from) && !ps_password_mechanism_is_known(mechanism_of(from)))
        return ps_err_set(err, "sasl.mechanism=%s", mechanism_of(from));
    if (uses_tls(from) && check_tls(from, err) != PS_OK)
        return PS_FAIL;
    if (compression(from) == PS_KAFKA_COMPRESSIONS)
        return ps_err_set(err, "compression.type=%s", compression_name(from));
    if (is(from, "acks", "0", "all"))
        return ps_err_set(err, "acks=0");
    if (number(from, "message.timeout.ms", 0) != 0)
        return ps_err_set(err, "delivery.timeout.ms");
    return PS_OK;
}

enum ps_status ps_kafka_lane_settings_read(struct ps_kafka_lane_settings *settings,
                                           const struct ps_pair *pairs, size_t count, struct ps_err *err)
{
    const struct source from = {pairs, count};
    if (check(&from, err) != PS_OK)
        return PS_FAIL;
    const char *client_id = get(pairs, count, "client.id");
    uint64_t timeout_ms = number(&from, "request.timeout.ms", 30000);
    *settings = (struct ps_kafka_lane_settings){
        .acks = is(&from, "acks", "1", "all") ? 1 : -1,
        .idempotent = is(&from, "enable.idempotence", "true", "false"),
        .compression = compression(&from),
        .compression_level = compression_level(&from),
        .set_bytes_max = (uint32_t)number(&from, "batch.size", 1000000),
        .set_records_max = (uint32_t)number(&from, "batch.num.messages", 10000),
        .in_flight_max = (uint32_t)ps_least(
            number(&from, "max.in.flight.requests.per.connection", PS_KAFKA_LANE_IN_FLIGHT_MAX),
            PS_KAFKA_LANE_IN_FLIGHT_MAX),
        .queue_records_max = number(&from, "queue.buffering.max.messages", 100000),
        .request_bytes_max = (uint32_t)number(&from, "message.max.bytes", 1048576),
        /* buffers of sets grow by doubling: half of them may be empty */
        .queue_bytes_max = number(&from, "queue.buffering.max.kbytes", 65536) * 1024 / 2,
        .request_timeout_ns = number(&from, "socket.timeout.ms", 60000) * PS_NS_PER_MS,
        .acks_timeout_ms = (int32_t)timeout_ms,
        .retry_rest_ns = number(&from, "retry.backoff.ms", 100) * PS_NS_PER_MS,
        .reconnect_ns = number(&from, "reconnect.backoff.ms", 100) * PS_NS_PER_MS,
        .reconnect_max_ns = number(&from, "reconnect.backoff.max.ms", 10000) * PS_NS_PER_MS,
        .connect_ns = number(&from, "socket.connection.setup.timeout.ms", 30000) * PS_NS_PER_MS,
        .metadata_age_ns = number(&from, "topic.metadata.refresh.interval.ms", 300000) * PS_NS_PER_MS,
        .topic_patience_ns = number(&from, "topic.metadata.propagation.max.ms", 30000) * PS_NS_PER_MS,
        .transaction_timeout_ms =
            (int32_t)ps_least(number(&from, "transaction.timeout.ms", 60000), INT32_MAX),
        .creates_topics = is(&from, "allow.auto.create.topics", "true", "true"),
    };
    snprintf(settings->client_id, sizeof settings->client_id, "%s",
             client_id != NULL ? client_id : "penstock");
    return PS_OK;
}
