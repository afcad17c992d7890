/* The table of settings: librdkafka's names, and the field of each. */
#include "stages/lib/kafka/cluster/settings.h"

#include "core/clock.h"
#include "core/text/list.h"

#include <inttypes.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define PURPOSE "Kafka settings"

enum kind {
    OTHER, /* has no field: it has no meaning for the native client, but librdkafka gets it */
    TEXT,
    WORD,      /* an enum: the index in `words` */
    SWITCH,    /* bool: the index in `words` */
    NUMBER,    /* uint64_t */
    KILOBYTES, /* uint64_t bytes; the value is in KiB */
    INT32,     /* int32_t or uint32_t; at most INT32_MAX; "all" is -1 */
    TIME, /* uint64_t nanoseconds; the value is in milliseconds, and may have decimals. -1: not set, or never */
    ASSIGNORS, /* of a reader, which librdkafka never is */
};

struct row {
    const char *name;
    enum kind kind;
    size_t field;
    int64_t
        fallback; /* librdkafka's default, or a value that says that the property is not set; texts have none */
    const char *const *words;
};

#define FIELD(name, kind, field, fallback, ...)                                                              \
    {                                                                                                        \
        name, kind, offsetof(struct ps_kafka_settings, field), fallback, __VA_ARGS__                         \
    }
#define TEXT_FIELD(name, field) FIELD(name, TEXT, texts.field, 0, NULL)
#define NUMBER_FIELD(name, kind, field, fallback) FIELD(name, kind, field, fallback, NULL)
#define SWITCH_FIELD(name, field, fallback) FIELD(name, SWITCH, field, fallback, PS_WORDS("false", "true"))
#define NO_FIELD(name)                                                                                       \
    {                                                                                                        \
        name, OTHER, 0, 0, NULL                                                                              \
    }
#define COMPRESSIONS PS_WORDS("none", "gzip", "snappy", "lz4", "zstd")

static const struct row rows[] = {
    NUMBER_FIELD("acks", INT32, acks, PS_KAFKA_ACKS_ALL),
    SWITCH_FIELD("allow.auto.create.topics", creates_topics, 1),
    NUMBER_FIELD("batch.num.messages", INT32, batch_records_max, 10000),
    NUMBER_FIELD("batch.size", INT32, batch_bytes_max, 1000000),
    TEXT_FIELD("bootstrap.servers", servers),
    TEXT_FIELD("client.id", client_id),
    FIELD("compression.codec", WORD, compression, 0, COMPRESSIONS),
    FIELD("compression.type", WORD, compression, 0, COMPRESSIONS),
    NUMBER_FIELD("compression.level", INT32, compression_level, PS_KAFKA_COMPRESSION_LEVEL_DEFAULT),
    NUMBER_FIELD("connections.max.idle.ms", TIME, idle_ns, 0),
    NO_FIELD("delivery.report.only.error"),
    NO_FIELD("enable.gapless.guarantee"),
    SWITCH_FIELD("enable.idempotence", idempotent, 0),
    NUMBER_FIELD("linger.ms", TIME, linger_ns, -1),
    NUMBER_FIELD("queue.buffering.max.ms", TIME, linger_ns, -1),
    NO_FIELD("log.connection.close"),
    NUMBER_FIELD("max.in.flight.requests.per.connection", INT32, in_flight_max, 0),
    NUMBER_FIELD("message.max.bytes", INT32, request_bytes_max, 1000000),
    NUMBER_FIELD("delivery.timeout.ms", TIME, delivery_ns, 300000),
    NUMBER_FIELD("message.timeout.ms", TIME, delivery_ns, 300000),
    FIELD("partitioner", WORD, spread, 0, PS_WORDS("murmur2_random", "random")),
    NUMBER_FIELD("queue.buffering.max.kbytes", KILOBYTES, queue_bytes_max, 0),
    NUMBER_FIELD("queue.buffering.max.messages", NUMBER, queue_records_max, 0),
    NUMBER_FIELD("reconnect.backoff.max.ms", TIME, reconnect_max_ns, 10000),
    NUMBER_FIELD("reconnect.backoff.ms", TIME, reconnect_ns, 100),
    NUMBER_FIELD("request.required.acks", INT32, acks, PS_KAFKA_ACKS_ALL),
    NUMBER_FIELD("request.timeout.ms", INT32, acks_timeout_ms, 30000),
    NO_FIELD(
        "retries"), /* the native client tries again without a limit, as the sender does with librdkafka */
    NUMBER_FIELD("retry.backoff.ms", TIME, retry_rest_ns, 100),
    NUMBER_FIELD("socket.connection.setup.timeout.ms", TIME, connect_ns, 30000),
    NUMBER_FIELD("socket.receive.buffer.bytes", NUMBER, receive_buffer_bytes, 0),
    NUMBER_FIELD("socket.send.buffer.bytes", NUMBER, send_buffer_bytes, 0),
    NUMBER_FIELD("socket.timeout.ms", TIME, request_timeout_ns, 60000),
    NUMBER_FIELD("statistics.interval.ms", TIME, statistics_ns, 0),
    NUMBER_FIELD("topic.metadata.propagation.max.ms", TIME, topic_patience_ns, 30000),
    NUMBER_FIELD("topic.metadata.refresh.interval.ms", TIME, metadata_age_ns, 300000),
    NUMBER_FIELD("transaction.timeout.ms", INT32, transaction_timeout_ms, 60000),

    /* TLS and SASL */
    FIELD("security.protocol", WORD, protocol, 0, PS_WORDS("plaintext", "ssl", "sasl_plaintext", "sasl_ssl")),
    SWITCH_FIELD("enable.ssl.certificate.verification", verifies_certificates, 1),
    TEXT_FIELD("ssl.ca.location", ca),
    TEXT_FIELD("ssl.ca.pem", ca_text),
    TEXT_FIELD("ssl.certificate.pem", certificate_text),
    TEXT_FIELD("ssl.cipher.suites", ciphers),
    FIELD("ssl.endpoint.identification.algorithm", SWITCH, any_name, 0, PS_WORDS("https", "none")),
    TEXT_FIELD("ssl.key.pem", key_text),
    TEXT_FIELD("sasl.kerberos.keytab", keytab),
    NO_FIELD("sasl.kerberos.kinit.cmd"), /* tickets are requested without kinit */
    NO_FIELD("sasl.kerberos.min.time.before.relogin"),
    TEXT_FIELD("sasl.kerberos.principal", principal),
    TEXT_FIELD("sasl.kerberos.service.name", service),
    TEXT_FIELD("sasl.mechanisms", mechanism),
    TEXT_FIELD("sasl.mechanism", mechanism),
    SWITCH_FIELD("enable.sasl.oauthbearer.unsecure.jwt", unsecured_tokens, 0),
    TEXT_FIELD("sasl.oauthbearer.client.id", token_client),
    TEXT_FIELD("sasl.oauthbearer.client.secret", token_secret),
    TEXT_FIELD("sasl.oauthbearer.config", token_config),
    TEXT_FIELD("sasl.oauthbearer.method", token_method),
    TEXT_FIELD("sasl.oauthbearer.scope", scope),
    TEXT_FIELD("sasl.oauthbearer.token.endpoint.url", endpoint),
    TEXT_FIELD("sasl.password", password),
    TEXT_FIELD("sasl.username", name),

    /* a reader's */
    FIELD("auto.offset.reset", WORD, reader.reset, 0, PS_WORDS("latest", "earliest", "error")),
    SWITCH_FIELD("check.crcs", reader.checks_sums, 1),
    FIELD("client.rack", TEXT, reader.rack, 0, NULL),
    NO_FIELD("fetch.error.backoff.ms"),
    NUMBER_FIELD("fetch.max.bytes", INT32, reader.bytes_max, INT32_MAX),
    NUMBER_FIELD("fetch.min.bytes", INT32, reader.bytes_min, 1),
    NUMBER_FIELD("fetch.wait.max.ms", INT32, reader.wait_ms, 500),
    NO_FIELD("group.id"),
    TEXT_FIELD("group.instance.id", group_instance_id),
    NUMBER_FIELD("heartbeat.interval.ms", TIME, reader.heartbeat_ns, 3000),
    FIELD("isolation.level", SWITCH, reader.committed_only, 1,
          PS_WORDS("read_uncommitted", "read_committed")),
    NUMBER_FIELD("max.partition.fetch.bytes", INT32, reader.partition_bytes_max, 1048576),
    NUMBER_FIELD("max.poll.interval.ms", INT32, reader.rebalance_ms, 300000),
    NUMBER_FIELD("partition.assignment.strategy", ASSIGNORS, reader, 0),
    NUMBER_FIELD("session.timeout.ms", INT32, reader.session_ms, 45000),
};

static const struct row *find(const char *name)
{
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++)
        if (strcmp(rows[i].name, name) == 0)
            return &rows[i];
    return NULL;
}

/* ---- assignors ---- */

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
static void set_assignors(struct ps_kafka_fetch_settings *settings, const char *strategy)
{
    struct ps_slice name;
    settings->assignor_count = 0;
    while (ps_list_next(&strategy, ", \t", &name))
        add_assignor(settings, name.data, name.length);
    if (settings->assignor_count == 0)
        add_assignor(settings, "range", strlen("range"));
    settings->cooperative = settings->assignor_count == 1 && settings->assignors[0] == PS_KAFKA_STICKY;
}

/* ---- fields ---- */

void ps_kafka_text_set(char **text, const char *value)
{
    char *copy = value != NULL ? ps_must_copy_text(value, PURPOSE) : NULL;
    if (*text != NULL)
        OPENSSL_cleanse(*text, strlen(*text));
    free(*text);
    *text = copy;
}

static void set_number(void *field, enum kind kind, int64_t number)
{
    switch (kind) {
    case WORD:
        *(unsigned *)field = (unsigned)number;
        break;
    case SWITCH:
        *(bool *)field = number != 0;
        break;
    case NUMBER:
        *(uint64_t *)field = (uint64_t)number;
        break;
    case KILOBYTES:
        *(uint64_t *)field = (uint64_t)number * 1024;
        break;
    case INT32:
        *(int32_t *)field = number < INT32_MAX ? (int32_t)number : INT32_MAX;
        break;
    case TIME:
        *(uint64_t *)field = number < 0 ? UINT64_MAX : (uint64_t)number * PS_NS_PER_MS;
        break;
    default:
        break;
    }
}

/* Returns the index of the word; -1: there is no such word. */
static int64_t index_of(const char *const *words, const char *text)
{
    for (int64_t i = 0; words[i] != NULL; i++)
        if (strcasecmp(words[i], text) == 0)
            return i;
    return -1;
}

/* Returns false for a property without a field, and for a word that only librdkafka knows. */
static bool set_field(struct ps_kafka_settings *settings, const struct row *row, const char *text)
{
    void *field = (char *)settings + row->field;
    int64_t word = row->words != NULL ? index_of(row->words, text) : 0;
    switch (row->kind) {
    case OTHER:
        return false;
    case TEXT:
        ps_kafka_text_set(field, text);
        return true;
    case WORD:
    case SWITCH:
        if (word >= 0)
            set_number(field, row->kind, word);
        return word >= 0;
    case TIME:
        *(uint64_t *)field =
            text[0] == '-' ? UINT64_MAX : (uint64_t)(strtod(text, NULL) * (double)PS_NS_PER_MS);
        return true;
    case ASSIGNORS:
        set_assignors(field, text);
        return true;
    default:
        set_number(field, row->kind, strcmp(text, "all") == 0 ? -1 : strtoll(text, NULL, 10));
        return true;
    }
}

/* Returns the value as librdkafka takes it; NULL: there is none. `text` has room for numbers. */
static const char *print_field(const struct ps_kafka_settings *settings, const struct row *row, char text[32])
{
    const void *field = (const char *)settings + row->field;
    switch (row->kind) {
    case TEXT:
        return *(char *const *)field;
    case WORD: /* librdkafka has no word for the last spread, which is the sink's own */
        return row->words[*(const unsigned *)field];
    case SWITCH:
        return row->words[*(const bool *)field];
    case NUMBER:
        snprintf(text, 32, "%" PRIu64, *(const uint64_t *)field);
        return text;
    case KILOBYTES:
        snprintf(text, 32, "%" PRIu64, *(const uint64_t *)field / 1024);
        return text;
    case INT32:
        snprintf(text, 32, "%" PRId32, *(const int32_t *)field);
        return text;
    case TIME:
        if (*(const uint64_t *)field == UINT64_MAX)
            return "-1";
        snprintf(text, 32, "%.15g", (double)*(const uint64_t *)field / (double)PS_NS_PER_MS);
        return text;
    default:
        return NULL;
    }
}

/* ---- settings ---- */

void ps_kafka_settings_init(struct ps_kafka_settings *settings)
{
    *settings = (struct ps_kafka_settings){.acks = PS_KAFKA_ACKS_ALL};
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++)
        set_number((char *)settings + rows[i].field, rows[i].kind, rows[i].fallback);
    set_assignors(&settings->reader, "range,roundrobin");
}

void ps_kafka_settings_fini(struct ps_kafka_settings *settings)
{
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        if (rows[i].kind == TEXT)
            ps_kafka_text_set((char **)(void *)((char *)settings + rows[i].field), NULL);
    }
    for (size_t i = 0; i < settings->other_count; i++) {
        char *value = (char *)(uintptr_t)settings->others[i].value;
        ps_kafka_text_set(&value, NULL);
        free((void *)(uintptr_t)settings->others[i].key);
    }
    free(settings->others);
    settings->others = NULL;
    settings->other_count = 0;
}

static struct ps_pair *find_other(const struct ps_kafka_settings *settings, const char *name)
{
    for (size_t i = 0; i < settings->other_count; i++)
        if (strcmp(settings->others[i].key, name) == 0)
            return &settings->others[i];
    return NULL;
}

const char *ps_kafka_settings_other(const struct ps_kafka_settings *settings, const char *name)
{
    const struct ps_pair *other = find_other(settings, name);
    return other != NULL ? other->value : NULL;
}

void ps_kafka_settings_set(struct ps_kafka_settings *settings, const char *name, const char *value)
{
    const struct row *row = find(name);
    if (row != NULL && set_field(settings, row, value))
        return;
    struct ps_pair *other = find_other(settings, name);
    if (other == NULL) {
        size_t bytes = (settings->other_count + 1) * sizeof *settings->others;
        settings->others = ps_must_realloc(settings->others, bytes, PURPOSE);
        other = &settings->others[settings->other_count++];
        *other = (struct ps_pair){.key = ps_must_copy_text(name, PURPOSE)};
    }
    char *copy = (char *)(uintptr_t)other->value;
    ps_kafka_text_set(&copy, value);
    other->value = copy;
}

void ps_kafka_settings_each(const struct ps_kafka_settings *settings,
                            bool (*property)(void *argument, const char *name, const char *value),
                            void *argument)
{
    struct ps_kafka_settings defaults;
    char text[32], text_otherwise[32];
    bool more = true;
    ps_kafka_settings_init(&defaults);
    for (size_t i = 0; i < settings->other_count && more; i++)
        more = property(argument, settings->others[i].key, settings->others[i].value);
    for (size_t i = 0; i < PS_COUNT_OF(rows) && more; i++) {
        const char *value = print_field(settings, &rows[i], text),
                   *otherwise = print_field(&defaults, &rows[i], text_otherwise);
        if (value != NULL && (otherwise == NULL || strcmp(value, otherwise) != 0))
            more = property(argument, rows[i].name, value);
    }
}

bool ps_kafka_setting_is_for_librdkafka(const char *name)
{
    const struct row *row = find(name);
    return row != NULL && row->kind == OTHER;
}

bool ps_kafka_setting_secret(const char *name)
{
    return strstr(name, "password") != NULL || strstr(name, "secret") != NULL ||
           strstr(name, ".pem") != NULL || strcmp(name, "sasl.oauthbearer.config") == 0 ||
           strcmp(name, "sasl.jaas.config") == 0 || strcmp(name, "ssl.keystore.key") == 0;
}
