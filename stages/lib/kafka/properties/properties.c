/* Translates Java's client properties to librdkafka's settings: applies the table's rows to each key, passes
 * librdkafka's own names on, and warns of all others; then sets login, stores, and values that librdkafka requires to
 * be consistent. Control thread only. */
#include "stages/lib/kafka/properties/properties.h"

#include "core/text/nearest.h"
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
    rd_kafka_conf_t *scratch; /* for asking librdkafka whether it accepts a name and value */
    char *known_names;        /* output of rd_kafka_conf_properties_show; made when first needed */
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

static const char *client_name(enum ps_kafka_client client)
{
    return client == PS_KAFKA_PRODUCER ? "producer" : "consumer";
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
    char reason[512] = "", name[128];
    struct ps_err one = {.length = 0};
    bool fits = false, any = false, here = false;
    for (const char *cursor = known_names(t);
         !here && known_name_next(&cursor, t->properties->client, name, sizeof name, &fits);) {
        any |= strcmp(name, pair->key) == 0;
        here = fits && strcmp(name, pair->key) == 0;
    }
    if (any && !here) {
        ps_note_add(t->properties->notes, PS_LOG_WARN, pair->key, "not a property of a %s, ignored",
                    client_name(t->properties->client));
        return;
    }
    switch (rd_kafka_conf_set(t->scratch, pair->key, pair->value, reason, sizeof reason)) {
    case RD_KAFKA_CONF_OK:
        ps_kafka_settings_set(t->settings, pair->key, pair->value);
        return;
    case RD_KAFKA_CONF_UNKNOWN:
        note_unknown(t, pair->key);
        return;
    default:
        break;
    }
    reason[strcspn(reason, "\r\n")] = '\0';
    if (ps_kafka_setting_secret(pair->key))
        ps_err_set(&one, "%s: librdkafka refuses the value", pair->key);
    else
        ps_err_set(&one, "%s = %.200s: librdkafka refuses it: %s", pair->key, pair->value, reason);
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
        ps_note_add(t->properties->notes, PS_LOG_WARN, pair->key, "not a property of a %s, ignored",
                    client_name(t->properties->client));
    else if (!known)
        translate_librdkafka(t, pair);
}

static void set_fallbacks(struct translation *t)
{
    for (size_t i = 0; i < ps_kafka_property_count; i++) {
        const struct ps_kafka_property *row = &ps_kafka_property_rows[i];
        if (row->fallback == NULL || (row->clients & t->properties->client) == 0 ||
            ps_kafka_settings_get(t->settings, row->target) != NULL)
            continue;
        struct ps_err one = {.length = 0};
        enum ps_status status =
            ps_kafka_property_convert(row, row->fallback, t->properties, t->settings, &one);
        PS_ASSERT(status == PS_OK);
    }
}

/* ---- login ---- */

static bool speaks_sasl(const struct ps_kafka_settings *settings)
{
    const char *protocol = ps_kafka_settings_get(settings, "security.protocol");
    return protocol != NULL && strncmp(protocol, "sasl_", 5) == 0;
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
    if (!speaks_sasl(t->settings)) {
        if (text != NULL)
            ps_note_add(properties->notes, PS_LOG_INFO, key,
                        "not used: security.protocol is neither SASL_PLAINTEXT nor SASL_SSL");
        return;
    }
    if (text == NULL && (file == NULL || ps_kafka_settings_get(t->settings, "sasl.username") != NULL))
        return;
    const char *mechanism = ps_kafka_settings_get(t->settings, "sasl.mechanism");
    if (mechanism == NULL)
        mechanism = ps_kafka_settings_get(t->settings, "sasl.mechanisms");
    const char *service = ps_kafka_settings_get(t->settings, "sasl.kerberos.service.name");
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
            status = ps_kafka_jaas_translate(&entry, mechanism, key, t->settings, properties->notes, &one);
    }
    ps_kafka_jaas_fini(&entry);
    if (status != PS_OK) {
        struct ps_err line = {.length = 0};
        ps_err_set(&line, "%s: %s", text != NULL ? key : "java.security.auth.login.config", one.text);
        add_bad(t, key, &line);
    }
}

/* ---- values that librdkafka, unlike Java, requires to be consistent ---- */

static int64_t number(const struct translation *t, const char *name, int64_t fallback)
{
    const char *text = ps_kafka_settings_get(t->settings, name);
    return text != NULL ? strtoll(text, NULL, 10) : fallback;
}

static void set_number(struct translation *t, const char *name, int64_t value, const char *because)
{
    char text[32];
    snprintf(text, sizeof text, "%" PRId64, value);
    ps_kafka_settings_set(t->settings, name, text);
    ps_note_add(t->properties->notes, PS_LOG_WARN, name, "set to %s, because librdkafka requires it to be %s",
                text, because);
}

static void make_consistent(struct translation *t)
{
    if (number(t, "reconnect.backoff.ms", 100) > number(t, "reconnect.backoff.max.ms", 10000))
        set_number(t, "reconnect.backoff.max.ms", number(t, "reconnect.backoff.ms", 100),
                   "at least reconnect.backoff.ms");
    if (t->properties->client == PS_KAFKA_CONSUMER) {
        int64_t poll = number(t, "max.poll.interval.ms", 300000),
                session = number(t, "session.timeout.ms", 0);
        if (poll < session && ps_pairs_get(t->properties->pairs, "session.timeout.ms") == NULL)
            set_number(t, "session.timeout.ms", poll, "at most max.poll.interval.ms");
        else if (poll < session)
            set_number(t, "max.poll.interval.ms", session, "at least session.timeout.ms");
        if (number(t, "fetch.max.bytes", 52428800) < number(t, "message.max.bytes", 1000000))
            set_number(t, "message.max.bytes", number(t, "fetch.max.bytes", 0), "at most fetch.max.bytes");
        if (ps_kafka_settings_get(t->settings, "receive.message.max.bytes") != NULL &&
            number(t, "receive.message.max.bytes", 0) < number(t, "fetch.max.bytes", 52428800) + 512)
            set_number(t, "receive.message.max.bytes", number(t, "fetch.max.bytes", 52428800) + 512,
                       "at least fetch.max.bytes + 512");
        return;
    }
    int64_t delivery = number(t, "message.timeout.ms", 0);
    int64_t linger = number(t, "queue.buffering.max.ms", number(t, "linger.ms", 5));
    if (delivery > 0 && delivery <= linger) {
        struct ps_err one = {.length = 0};
        ps_err_set(&one, "delivery.timeout.ms = %" PRId64 ": must be larger than linger.ms (%" PRId64 ")",
                   delivery, linger);
        add_bad(t, "delivery.timeout.ms", &one);
    }
    int64_t message = number(t, "message.max.bytes", 1000000),
            queue = number(t, "queue.buffering.max.kbytes", 1048576);
    if (queue * 1024 < message)
        set_number(t, "queue.buffering.max.kbytes", (message + 1023) / 1024,
                   "large enough for one event of max.request.size");
}

/* ---- entry points ---- */

enum ps_status ps_kafka_properties_translate(const struct ps_kafka_properties *properties,
                                             struct ps_kafka_settings *settings, struct ps_err *err)
{
    struct ps_kafka_settings own = {0};
    struct ps_err one = {.length = 0};
    struct translation t = {.properties = properties,
                            .settings = settings != NULL ? settings : &own,
                            .err = err,
                            .scratch = rd_kafka_conf_new()};
    for (size_t i = 0; i < properties->pairs->count; i++)
        translate_pair(&t, &properties->pairs->items[i]);
    set_fallbacks(&t);
    translate_login(&t);
    if (ps_kafka_tls_translate(properties, t.settings, &one) != PS_OK)
        add_bad(&t, "ssl", &one);
    make_consistent(&t);
    if (!t.bad && ps_kafka_settings_apply(t.settings, t.scratch, &one) != PS_OK) {
        if (strstr(one.text, "not supported in this build") != NULL)
            ps_err_append(&one,
                          "use a librdkafka that is built with it, or log in with PLAIN, SCRAM or Kerberos");
        add_bad(&t, "librdkafka", &one);
    }
    rd_kafka_conf_destroy(t.scratch);
    free(t.known_names);
    ps_kafka_settings_fini(&own);
    return t.bad ? PS_FAIL : PS_OK;
}

static bool is_of_security(const char *key)
{
    return strncmp(key, "ssl.", 4) == 0 || strncmp(key, "sasl.", 5) == 0 || strncmp(key, "security.", 9) == 0;
}

bool ps_kafka_properties_value(enum ps_kafka_client client, const struct ps_pairs *pairs, const char *name,
                               char *value, size_t room)
{
    struct ps_pair *items = ps_must_alloc(pairs->count + 1, sizeof *items, "Kafka properties");
    struct ps_pairs some = {.items = items};
    for (size_t i = 0; i < pairs->count; i++)
        if (!is_of_security(pairs->items[i].key))
            items[some.count++] = pairs->items[i];
    const struct ps_kafka_properties properties = {.client = client, .pairs = &some};
    struct ps_kafka_settings settings = {0};
    struct ps_err err = {.length = 0};
    (void)ps_kafka_properties_translate(&properties, &settings,
                                        &err); /* the check of the stage reports errors */
    const char *found = ps_kafka_settings_get(&settings, name);
    if (found != NULL)
        snprintf(value, room, "%s", found);
    ps_kafka_settings_fini(&settings);
    free(items);
    return found != NULL;
}

enum ps_kafka_spread ps_kafka_properties_spread(const struct ps_pairs *pairs)
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
