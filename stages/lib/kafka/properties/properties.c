/* Translates Java's client properties to settings: applies the table's rows to each key, takes librdkafka's own names as
 * they are, and warns of all others; then sets login, stores, and values that depend on each other. Control thread only. */
#include "stages/lib/kafka/properties/properties.h"

#include "core/text/nearest.h"
#include "stages/lib/kafka/librdkafka/settings.h"
#include "stages/lib/kafka/security/jaas.h"
#include "stages/lib/kafka/properties/table.h"
#include "stages/lib/kafka/security/tls.h"

#include <ctype.h>
#include <inttypes.h>
#include <librdkafka/rdkafka.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* The state of one translation. */
struct translation {
    const struct ps_kafka_properties *properties;
    struct ps_kafka_settings *settings;
    struct ps_err *err;
    bool bad;
    char *known_names; /* output of rd_kafka_conf_properties_show; made when first needed */
};

/* Adds a bad value: one more line of the error, and an ERROR note. */
static void add_bad(struct translation *t, const char *key, const struct ps_err *one)
{
    if (!t->bad)
        ps_err_set(t->err, "%s", one->text);
    else
        ps_err_append(t->err, "%s", one->text);
    t->bad = true;
    ps_note_add(t->properties->notes, PS_LOG_ERROR, key, "%s", one->text);
}

static void note_foreign(const struct translation *t, const char *key)
{
    ps_note_add(t->properties->notes, PS_LOG_WARN, key, "not a property of a %s, ignored",
                t->properties->client == PS_KAFKA_PRODUCER ? "producer" : "consumer");
}

/* ---- librdkafka's own names ---- */

static const char *known_names(struct translation *t)
{
    size_t length;
    if (t->known_names == NULL) {
        FILE *out = ps_must_open_text(&t->known_names, &length, "librdkafka's properties");
        rd_kafka_conf_properties_show(out);
        fclose(out);
    }
    return t->known_names;
}

/* Reads the next row of librdkafka's list: its name, and whether it is for this client. Returns false at the
 * end. */
static bool known_name_next(const char **cursor, unsigned client, char *name, size_t room, bool *fits)
{
    while (**cursor != '\0') {
        const char *line = *cursor;
        size_t length = strcspn(line, "\n");
        *cursor = line + length + (line[length] == '\n');
        const char *bar = memchr(line, '|', length);
        size_t name_length = strcspn(line, " |\n");
        if (bar == NULL || name_length >= room || !islower((unsigned char)line[0]))
            continue;
        memcpy(name, line, name_length);
        name[name_length] = '\0';
        bar++;
        bar += strspn(bar, " ");
        *fits = *bar == '*' || *bar == (client == PS_KAFKA_PRODUCER ? 'P' : 'C');
        return true;
    }
    return false;
}

static void note_unknown(struct translation *t, const char *key)
{
    char name[128], kept[128];
    bool fits;
    struct ps_nearest nearest;
    ps_nearest_init(&nearest, key);
    for (size_t i = 0; i < ps_kafka_property_count; i++) {
        if (ps_kafka_property_rows[i].clients & t->properties->client)
            ps_nearest_offer(&nearest, ps_kafka_property_rows[i].name);
    }
    for (const char *cursor = known_names(t);
         known_name_next(&cursor, t->properties->client, name, sizeof name, &fits);) {
        if (fits)
            ps_nearest_offer(&nearest, name);
        if (nearest.word == name)
            nearest.word = strcpy(kept, name);
    }
    if (nearest.word != NULL)
        ps_note_add(t->properties->notes, PS_LOG_WARN, key,
                    "unknown Kafka property, ignored; did you mean %s?", nearest.word);
    else
        ps_note_add(t->properties->notes, PS_LOG_WARN, key,
                    "unknown Kafka property, ignored; docs/KAFKA_PROPERTIES.md lists the known ones");
}

static void translate_librdkafka(struct translation *t, const struct ps_pair *pair)
{
    char name[128];
    struct ps_err one = {.length = 0};
    bool fits = false, any = false, here = false;
    for (const char *cursor = known_names(t);
         !here && known_name_next(&cursor, t->properties->client, name, sizeof name, &fits);) {
        any |= strcmp(name, pair->key) == 0;
        here = fits && strcmp(name, pair->key) == 0;
    }
    if (!any)
        note_unknown(t, pair->key);
    else if (!here)
        note_foreign(t, pair->key);
    else if (ps_kafka_settings_try(t->settings, pair->key, pair->value, &one) != PS_OK)
        add_bad(t, pair->key, &one);
}

/* ---- Java's names ---- */

static void translate_pair(struct translation *t, const struct ps_pair *pair)
{
    bool known = false, here = false;
    for (size_t i = 0; i < ps_kafka_property_count; i++) {
        const struct ps_kafka_property *row = &ps_kafka_property_rows[i];
        if (strcmp(row->name, pair->key) != 0)
            continue;
        known = true;
        if ((row->clients & t->properties->client) == 0)
            continue;
        here = true;
        struct ps_err one = {.length = 0};
        if (ps_kafka_property_convert(row, pair->value, t->properties, t->settings, &one) != PS_OK) {
            add_bad(t, pair->key, &one);
            break; /* a bad value gives one line, not one for each of its rows */
        }
    }
    if (known && !here)
        note_foreign(t, pair->key);
    else if (!known)
        translate_librdkafka(t, pair);
}

static void set_fallbacks(const struct translation *t)
{
    for (size_t i = 0; i < ps_kafka_property_count; i++) {
        const struct ps_kafka_property *row = &ps_kafka_property_rows[i];
        if (row->fallback == NULL || (row->clients & t->properties->client) == 0)
            continue;
        struct ps_err one = {.length = 0};
        enum ps_status status =
            ps_kafka_property_convert(row, row->fallback, t->properties, t->settings, &one);
        PS_ASSERT(status == PS_OK);
    }
}

/* ---- login ---- */

/* PLAIN and SCRAM need a user: Java's client looks for it in the login configuration, and does not start without one. */
static void require_password(struct translation *t)
{
    const struct ps_kafka_texts *texts = &t->settings->texts;
    const char *mechanism = texts->mechanism;
    struct ps_err one = {.length = 0};
    if (mechanism == NULL ||
        (strcasecmp(mechanism, "PLAIN") != 0 && strncasecmp(mechanism, "SCRAM-", 6) != 0))
        return;
    if (texts->name != NULL && texts->password != NULL)
        return;
    ps_err_set(&one, "sasl.mechanism = %s: needs a user and a password; set sasl.jaas.config", mechanism);
    add_bad(t, "sasl.mechanism", &one);
}

static void translate_login(struct translation *t)
{
    static const char key[] = "sasl.jaas.config";
    const struct ps_kafka_properties *properties = t->properties;
    const char *text = ps_pairs_get(properties->pairs, key);
    const char *file =
        properties->system_property != NULL
            ? properties->system_property(properties->argument, "java.security.auth.login.config")
            : NULL;
    struct ps_jaas_entry entry = {0};
    struct ps_err one = {.length = 0};
    enum ps_status status;
    if (!ps_kafka_settings_use_sasl(t->settings)) {
        if (text != NULL)
            ps_note_add(properties->notes, PS_LOG_INFO, key,
                        "not used: security.protocol is neither SASL_PLAINTEXT nor SASL_SSL");
        return;
    }
    if (text == NULL && file == NULL)
        require_password(t);
    if (text == NULL && (file == NULL || t->settings->texts.name != NULL))
        return;
    const char *service = t->settings->texts.service;
    if (text != NULL)
        status = ps_kafka_jaas_parse(&entry, text, strlen(text), &one);
    else
        status = ps_kafka_jaas_read(&entry, file, "KafkaClient", properties->system_property,
                                    properties->argument, &one);
    if (status == PS_OK) {
        const char *other = ps_kafka_jaas_option(&entry, "serviceName");
        if (service != NULL && other != NULL && strcmp(service, other) != 0)
            status = ps_err_set(
                &one, "serviceName is %s here and %s in sasl.kerberos.service.name; set only one of them",
                other, service);
        else
            status = ps_kafka_jaas_translate(&entry, key, t->settings, properties->notes, &one);
    }
    ps_kafka_jaas_fini(&entry);
    if (status != PS_OK) {
        struct ps_err line = {.length = 0};
        ps_err_set(&line, "%s: %s", text != NULL ? key : "java.security.auth.login.config", one.text);
        add_bad(t, key, &line);
    }
}

/* ---- values that depend on each other ---- */

static void note_change(const struct translation *t, const char *name, uint64_t value, const char *because)
{
    ps_note_add(t->properties->notes, PS_LOG_WARN, name, "set to %" PRIu64 ", because it must be %s", value,
                because);
}

/* Returns how events are assigned to partitions, by partitioner.class and partitioner.ignore.keys. */
static enum ps_kafka_spread spread_of(const struct ps_pairs *pairs)
{
    const char *class = ps_pairs_get(pairs, "partitioner.class"),
               *ignore = ps_pairs_get(pairs, "partitioner.ignore.keys");
    if (class != NULL && strcasestr(class, ".RoundRobinPartitioner") != NULL)
        return PS_KAFKA_SPREAD_EVENLY;
    if ((class != NULL && strcasestr(class, ".UniformStickyPartitioner") != NULL) ||
        (ignore != NULL && ps_kafka_property_has_word(ignore, "true", strlen("true"))))
        return PS_KAFKA_SPREAD_STICKY;
    return PS_KAFKA_SPREAD_BY_KEY;
}

static void require_heartbeats(struct translation *t)
{
    const struct ps_kafka_fetch_settings *reader = &t->settings->reader;
    uint64_t session_ns = (uint64_t)reader->session_ms * PS_NS_PER_MS;
    struct ps_err one = {.length = 0};
    if (reader->heartbeat_ns < session_ns)
        return;
    ps_err_set(&one,
               "heartbeat.interval.ms = %" PRIu64 ": must be lower than session.timeout.ms (%" PRIu64
               "), after which the group removes a member without heartbeats; a third of it is usual",
               reader->heartbeat_ns / PS_NS_PER_MS, session_ns / PS_NS_PER_MS);
    add_bad(t, "heartbeat.interval.ms", &one);
}

/* Java's rule is for Java's key; by librdkafka's name for it, the time must only be longer than the linger. */
static void require_delivery_time(struct translation *t)
{
    const struct ps_kafka_settings *settings = t->settings;
    bool is_java = ps_pairs_get(t->properties->pairs, "delivery.timeout.ms") != NULL;
    uint64_t delivery_ms = settings->delivery_ns / PS_NS_PER_MS;
    uint64_t linger_ns = settings->linger_ns != UINT64_MAX ? settings->linger_ns
                         : is_java                         ? 0
                                                           : PS_KAFKA_LINGER_NS;
    uint64_t linger_ms = linger_ns / PS_NS_PER_MS, request_ms = (uint64_t)settings->acks_timeout_ms;
    struct ps_err one = {.length = 0};
    if (delivery_ms == 0 || delivery_ms >= (is_java ? linger_ms + request_ms : linger_ms + 1))
        return;
    if (is_java)
        ps_err_set(&one,
                   "delivery.timeout.ms = %" PRIu64 ": must be at least linger.ms (%" PRIu64
                   ") and request.timeout.ms (%" PRIu64 ") together",
                   delivery_ms, linger_ms, request_ms);
    else
        ps_err_set(&one, "message.timeout.ms = %" PRIu64 ": must be larger than linger.ms (%" PRIu64 ")",
                   delivery_ms, linger_ms);
    add_bad(t, is_java ? "delivery.timeout.ms" : "message.timeout.ms", &one);
}

/* Without the key idempotence follows acks; with it Java's client refuses the contradiction. */
static void require_acks(struct translation *t)
{
    const char *idempotence = ps_pairs_get(t->properties->pairs, "enable.idempotence");
    struct ps_err one = {.length = 0};
    if (idempotence == NULL || !t->settings->idempotent || t->settings->acks == PS_KAFKA_ACKS_ALL)
        return;
    ps_err_set(&one,
               "enable.idempotence = true: needs acks = all, not acks = %d; remove one of the two lines",
               (int)t->settings->acks);
    add_bad(t, "enable.idempotence", &one);
}

static void make_consistent(struct translation *t)
{
    struct ps_kafka_settings *settings = t->settings;
    if (settings->reconnect_ns > settings->reconnect_max_ns) {
        settings->reconnect_max_ns = settings->reconnect_ns;
        note_change(t, "reconnect.backoff.max.ms", settings->reconnect_ns / PS_NS_PER_MS,
                    "at least reconnect.backoff.ms");
    }
    if (t->properties->client == PS_KAFKA_CONSUMER) {
        require_heartbeats(t);
        return;
    }
    settings->spread = spread_of(t->properties->pairs);
    require_delivery_time(t);
    require_acks(t);
    if (settings->queue_bytes_max != 0 && settings->queue_bytes_max < settings->request_bytes_max) {
        uint64_t kilobytes = (settings->request_bytes_max + UINT64_C(1023)) / 1024;
        settings->queue_bytes_max = 1024 * kilobytes;
        bool is_java = ps_pairs_get(t->properties->pairs, "buffer.memory") != NULL;
        note_change(t, is_java ? "buffer.memory" : "queue.buffering.max.kbytes",
                    is_java ? 1024 * kilobytes : kilobytes, "large enough for one event of max.request.size");
    }
}

/* ---- entry points ---- */

enum ps_status ps_kafka_properties_translate(const struct ps_kafka_properties *properties,
                                             struct ps_kafka_settings *settings, struct ps_err *err)
{
    struct ps_err one = {.length = 0};
    struct translation t = {.properties = properties, .settings = settings, .err = err};
    set_fallbacks(&t);
    for (size_t i = 0; i < properties->pairs->count; i++)
        translate_pair(&t, &properties->pairs->items[i]);
    translate_login(&t);
    if (ps_kafka_tls_translate(properties, t.settings, &one) != PS_OK)
        add_bad(&t, "ssl", &one);
    make_consistent(&t);
    free(t.known_names);
    return t.bad ? PS_FAIL : PS_OK;
}
