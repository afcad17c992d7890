#include "stages/lib/kafka/probe.h"
#include "stages/lib/kafka/produce/partition.h"

#include "core/clock.h"
#include "core/quantity.h"
#include "core/text/list.h"
#include "stages/lib/kafka/errors.h"
#include "stages/lib/kafka/fetch/identity_probe.h"
#include "stages/lib/kafka/librdkafka/settings.h"

#include <ctype.h>
#include <inttypes.h>
#include <librdkafka/rdkafka.h>
#include <string.h>

#define ASK_MS 250 /* interval at which the reports of the library are checked */

struct attempt {
    rd_kafka_t *client;
    const struct ps_probe *probe;
    const struct ps_kafka_probe *kafka;
    const struct ps_kafka_settings *settings;
    int code; /* code of the error that explains the failure best; 0: none */
    char reason[512];
};

void ps_kafka_outline(FILE *out, const char *brokers, const struct ps_pairs *pairs)
{
    const char *protocol = ps_pairs_get(pairs, "security.protocol"),
               *mechanism = ps_pairs_get(pairs, "sasl.mechanism");
    fprintf(out, "brokers %s", brokers);
    if (protocol != NULL)
        fprintf(out, " (%s%s%s)", protocol, mechanism != NULL ? ", " : "",
                mechanism != NULL ? mechanism : "");
}

#define REFUSED 4U /* the weight of errors after which waiting is useless */

/* Returns how well the error explains a failure. "No broker can be reached" follows from errors that have the reason. */
static unsigned weight_of(int code)
{
    switch (code) {
    case RD_KAFKA_RESP_ERR__AUTHENTICATION:
    case RD_KAFKA_RESP_ERR__SSL:
        return REFUSED;
    case RD_KAFKA_RESP_ERR__RESOLVE:
        return 3;
    case 0:
        return 0;
    case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
        return 1;
    default:
        return 2;
    }
}

/* Thread: control, from rd_kafka_poll. */
static void on_error(rd_kafka_t *, int code, const char *reason, void *argument)
{
    struct attempt *attempt = argument;
    if (weight_of(code) < weight_of(attempt->code))
        return;
    attempt->code = code;
    snprintf(attempt->reason, sizeof attempt->reason, "%s", reason);
}

static void no_log(const rd_kafka_t *, int, const char *, const char *)
{
}

/* `address`: one of bootstrap.servers, or NULL for all. */
static enum ps_status client_create(struct attempt *attempt, const char *address, struct ps_err *err)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    char reason[512];
    if (ps_kafka_settings_apply(attempt->settings, NULL, conf, err) != PS_OK ||
        (address != NULL && ps_kafka_conf_set(conf, "bootstrap.servers", address, err) != PS_OK)) {
        rd_kafka_conf_destroy(conf);
        return PS_FAIL;
    }
    rd_kafka_conf_set_opaque(conf, attempt);
    rd_kafka_conf_set_error_cb(conf, on_error);
    rd_kafka_conf_set_log_cb(conf, no_log);
    attempt->client = rd_kafka_new(RD_KAFKA_PRODUCER, conf, reason, sizeof reason);
    if (attempt->client != NULL)
        return PS_OK;
    rd_kafka_conf_destroy(conf);
    return ps_err_set(err, "%s", reason);
}

/* Asks until a broker answers, a broker refuses, or the time is over. */
static const struct rd_kafka_metadata *ask(struct attempt *attempt)
{
    const struct rd_kafka_metadata *metadata = NULL;
    uint64_t end_ns = ps_clock_now().mono_ns + attempt->probe->timeout_ms * PS_NS_PER_MS;
    rd_kafka_resp_err_t error;
    do {
        error = rd_kafka_metadata(attempt->client, 1, NULL, &metadata, ASK_MS);
        rd_kafka_poll(attempt->client, 0);
    } while (error != 0 && weight_of(attempt->code) < REFUSED && ps_clock_now().mono_ns < end_ns);
    if (error == 0)
        return metadata;
    if (attempt->code == 0) {
        attempt->code = error;
        snprintf(attempt->reason, sizeof attempt->reason, "%s", rd_kafka_err2str(error));
    }
    return NULL;
}

static const struct rd_kafka_metadata_topic *topic_find(const struct rd_kafka_metadata *metadata,
                                                        const char *name)
{
    for (int i = 0; i < metadata->topic_cnt; i++) {
        if (strcmp(metadata->topics[i].topic, name) == 0)
            return &metadata->topics[i];
    }
    return NULL;
}

static const struct rd_kafka_metadata_broker *broker_find(const struct rd_kafka_metadata *metadata,
                                                          int32_t id)
{
    for (int i = 0; i < metadata->broker_cnt; i++) {
        if (metadata->brokers[i].id == id)
            return &metadata->brokers[i];
    }
    return NULL;
}

/* Returns whether a partition before this one has the same leader. */
static bool leader_is_tried(const struct rd_kafka_metadata_topic *topic, int before)
{
    for (int i = 0; i < before; i++) {
        if (topic->partitions[i].leader == topic->partitions[before].leader)
            return true;
    }
    return false;
}

/* Returns what an operator may do about a code of Kafka: a consumer reads, and needs no right to write. */
static const char *remedy_of(const struct attempt *attempt, int code)
{
    const struct ps_kafka_error *error = ps_kafka_error_find(code);
    bool consumes = attempt->kafka->client == PS_KAFKA_CONSUMER;
    return consumes && error->remedy != NULL ? error->remedy : error->meaning;
}

/* Asks each leader of the topic for the offsets of one partition. Returns whether all answered. */
static bool try_leaders(const struct attempt *attempt, const struct rd_kafka_metadata *metadata,
                        const struct rd_kafka_metadata_topic *topic, const char *what)
{
    for (int i = 0; i < topic->partition_cnt; i++) {
        const struct rd_kafka_metadata_partition *partition = &topic->partitions[i];
        const struct rd_kafka_metadata_broker *broker = broker_find(metadata, partition->leader);
        char cause[512];
        int64_t low, high;
        if (broker == NULL) {
            snprintf(cause, sizeof cause, "partition %" PRId32 " has no leader", partition->id);
            ps_probe_failed(attempt->probe, what, cause, "see which brokers of the cluster are down");
            return false;
        }
        if (leader_is_tried(topic, i))
            continue;
        rd_kafka_resp_err_t error = rd_kafka_query_watermark_offsets(
            attempt->client, topic->topic, partition->id, &low, &high, (int)attempt->probe->timeout_ms);
        rd_kafka_poll(attempt->client, 0);
        if (error == 0)
            continue;
        snprintf(cause, sizeof cause, "broker %" PRId32 " at %s:%d, the leader of partition %" PRId32 ": %s",
                 broker->id, broker->host, broker->port, partition->id, rd_kafka_err2str(error));
        ps_probe_failed(attempt->probe, what, cause,
                        error > 0 ? remedy_of(attempt, error)
                                  : "check that this machine reaches the address that the cluster names "
                                    "(advertised.listeners, DNS, firewall)");
        return false;
    }
    return true;
}

static void try_topic(const struct attempt *attempt, const struct rd_kafka_metadata *metadata,
                      const char *name)
{
    const struct rd_kafka_metadata_topic *topic = topic_find(metadata, name);
    char what[320];
    snprintf(what, sizeof what, "topic %s", name);
    if (topic == NULL)
        ps_probe_failed(
            attempt->probe, what, "the cluster has no such topic, or does not show it to this user",
            "create it, grant DESCRIBE on it, or let the brokers create topics (auto.create.topics.enable)");
    else if (topic->err != 0)
        ps_probe_failed(attempt->probe, what, rd_kafka_err2str(topic->err), remedy_of(attempt, topic->err));
    else if (try_leaders(attempt, metadata, topic, what))
        ps_probe_ok(attempt->probe, "%s: %d partition%s, their leaders answer", what, topic->partition_cnt,
                    topic->partition_cnt == 1 ? "" : "s");
}

static void disconnect(const struct attempt *attempt, const struct rd_kafka_metadata *metadata)
{
    rd_kafka_metadata_destroy(metadata);
    rd_kafka_destroy(attempt->client);
}

/* Returns what an operator may do about the failure, in keys of this component. A broker that expects another protocol closes the
 * connection without a word. */
static const char *cure_of(const struct attempt *attempt)
{
    bool consumes = attempt->kafka->client == PS_KAFKA_CONSUMER;
    if (attempt->code == PS_KAFKA_LIBRARY_ALL_BROKERS_DOWN || attempt->code == PS_KAFKA_LIBRARY_TRANSPORT)
        return consumes ? "check that the brokers run, kafka.bootstrap.servers, and that "
                          "kafka.consumer.security.protocol is the listener's"
                        : "check that the brokers run, kafka.bootstrap.servers, and that "
                          "kafka.producer.security.protocol is the listener's";
    return remedy_of(attempt, attempt->code);
}

/* Makes the client and asks for the metadata. Returns NULL after the report of a failure. */
static const struct rd_kafka_metadata *connect_to(struct attempt *attempt, const char *address,
                                                  const char *what)
{
    struct ps_err err = {.length = 0};
    if (client_create(attempt, address, &err) != PS_OK) {
        ps_probe_failed(attempt->probe, what, err.text, NULL);
        return NULL;
    }
    const struct rd_kafka_metadata *metadata = ask(attempt);
    if (metadata != NULL)
        return metadata;
    ps_probe_failed(attempt->probe, what, attempt->reason, cure_of(attempt));
    rd_kafka_destroy(attempt->client);
    return NULL;
}

/* Tries an address alone: the client uses any address that answers, so a wrong address would be noticed only
 * when the others are down. */
static void try_address(const struct attempt *all, const char *address)
{
    struct attempt attempt = {.probe = all->probe, .kafka = all->kafka, .settings = all->settings};
    char what[300];
    snprintf(what, sizeof what, "broker %.256s alone", address);
    const struct rd_kafka_metadata *metadata = connect_to(&attempt, address, what);
    if (metadata == NULL)
        return;
    ps_probe_ok(attempt.probe, "%s: answers", what);
    disconnect(&attempt, metadata);
}

/* Tries each address of "b1:9092, b2:9092"; an address that is the only one was tried before. */
static void try_addresses(const struct attempt *all)
{
    const char *servers = all->kafka->brokers;
    if (strchr(servers, ',') == NULL)
        return;
    char address[256];
    struct ps_slice item;
    while (ps_list_next(&servers, ", \t", &item)) {
        if (item.length >= sizeof address)
            continue;
        snprintf(address, sizeof address, "%.*s", (int)item.length, item.data);
        try_address(all, address);
    }
}

static void try_cluster(struct attempt *attempt)
{
    const struct ps_probe *probe = attempt->probe;
    char what[512];
    snprintf(what, sizeof what, "brokers %s", attempt->kafka->brokers);
    if (probe->local) {
        ps_probe_skipped(probe, what, "not asked");
        return;
    }
    const struct rd_kafka_metadata *metadata = connect_to(attempt, NULL, what);
    if (metadata == NULL)
        return;
    ps_probe_ok(probe, "%s: answer, and accept the credentials; the cluster has %d broker%s", what,
                metadata->broker_cnt, metadata->broker_cnt == 1 ? "" : "s");
    try_addresses(attempt);
    for (size_t i = 0; i < attempt->kafka->topics.count; i++)
        try_topic(attempt, metadata, attempt->kafka->topics.items[i]);
    disconnect(attempt, metadata);
    if (attempt->kafka->identities)
        ps_kafka_identity_probe(probe, attempt->settings, attempt->kafka->topics);
}

/* Returns the address behind its scheme. Java's client takes and ignores any. */
static const char *skip_scheme(const char *at, const char *end, bool *known)
{
    static const char *const schemes[] = {"PLAINTEXT://", "SSL://", "SASL_PLAINTEXT://", "SASL_SSL://"};
    const char *scheme = memmem(at, (size_t)(end - at), "://", 3);
    *known = scheme == NULL;
    for (size_t i = 0; i < PS_COUNT_OF(schemes) && !*known; i++)
        *known = strncasecmp(at, schemes[i], strlen(schemes[i])) == 0;
    return scheme != NULL ? scheme + 3 : at;
}

/* Returns why this is no address of a broker, as Java's client judges it (Utils.HOST_PORT_PATTERN); NULL: it is one. */
static const char *misses_of(const char *at, const char *end)
{
    for (const char *c = at; c < end; c++) {
        if (*c == ';' || isspace((unsigned char)*c))
            return "is not one address: separate the brokers with commas";
        if (!isalnum((unsigned char)*c) && memchr("-%._:[]", *c, 7) == NULL)
            return "is not the address of a broker: write host:port";
    }
    const char *colon = memrchr(at, ':', (size_t)(end - at));
    if (colon == NULL || !ps_quantity_is_port(colon + 1, (size_t)(end - colon - 1)))
        return "has no port from 1 to 65535: write host:port";
    return colon > at ? NULL : "has no host: write host:port";
}

bool ps_kafka_servers_check(const struct ps_context *context, const char *brokers)
{
    bool good = true;
    struct ps_slice item;
    while (ps_list_next(&brokers, ",", &item)) {
        const char *at = item.data, *end = at + item.length;
        while (at < end && isspace((unsigned char)*at))
            at++;
        while (end > at && isspace((unsigned char)end[-1]))
            end--;
        bool known;
        const char *address = skip_scheme(at, end, &known);
        const char *misses = at < end ? misses_of(address, end) : NULL;
        if (misses == NULL && !known)
            ps_report(
                context, PS_LOG_WARN, "kafka.bootstrap.servers",
                "%.*s begins with what is no protocol of Kafka; it is ignored, as by Java's client: write "
                "host:port, and set security.protocol",
                (int)(end - at), at);
        if (misses != NULL)
            ps_report(context, PS_LOG_ERROR, "kafka.bootstrap.servers", "%.*s %s", (int)(end - at), at,
                      misses);
        good &= misses == NULL;
    }
    return good;
}

bool ps_kafka_topic_check(const struct ps_context *context, const char *key, const char *topic)
{
    bool legal = ps_kafka_topic_name_is_legal(topic, (uint32_t)strlen(topic));
    if (!legal)
        ps_report(
            context, PS_LOG_ERROR, key,
            "\"%s\" is not a topic name: use 1 to 249 of the characters a-z, A-Z, 0-9, '.', '_' and '-'",
            topic);
    return legal;
}

bool ps_kafka_topics_check(const struct ps_context *context, struct ps_texts topics)
{
    bool legal = true;
    for (size_t i = 0; i < topics.count; i++)
        legal &= ps_kafka_topic_check(context, "kafka.topics", topics.items[i]);
    return legal;
}

void ps_kafka_probe(const struct ps_probe *probe, struct ps_context *context,
                    const struct ps_kafka_probe *kafka)
{
    struct ps_kafka_settings settings;
    struct ps_err err = {.length = 0};
    if (ps_kafka_translate(kafka->client, kafka->pairs, context, NULL, &settings, &err) == PS_OK) {
        ps_kafka_text_set(&settings.texts.servers, kafka->brokers);
        settings.idempotent = false; /* it may contradict acks */
        try_cluster(&(struct attempt){.probe = probe, .kafka = kafka, .settings = &settings});
    } else {
        ps_probe_failed(probe,
                        kafka->client == PS_KAFKA_PRODUCER ? "the producer's properties"
                                                           : "the consumer's properties",
                        err.text, NULL);
    }
    ps_kafka_settings_fini(&settings);
}
