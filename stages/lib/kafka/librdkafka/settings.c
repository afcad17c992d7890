/* A list of librdkafka properties. kafka/librdkafka/settings.h has threads and secrets. */
#include "stages/lib/kafka/librdkafka/settings.h"

#include "core/text/list.h"

#include <librdkafka/rdkafka.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void text_wipe(const char *text)
{
    OPENSSL_cleanse((void *)(uintptr_t)text, strlen(text));
    free((void *)(uintptr_t)text);
}

void ps_kafka_settings_fini(struct ps_kafka_settings *settings)
{
    for (size_t i = 0; i < settings->count; i++) {
        free((void *)(uintptr_t)settings->items[i].key);
        text_wipe(settings->items[i].value);
    }
    free(settings->items);
    *settings = (struct ps_kafka_settings){0};
}

static struct ps_pair *find(const struct ps_kafka_settings *settings, const char *name)
{
    for (size_t i = 0; i < settings->count; i++) {
        if (strcmp(settings->items[i].key, name) == 0)
            return &settings->items[i];
    }
    return NULL;
}

void ps_kafka_settings_set(struct ps_kafka_settings *settings, const char *name, const char *value)
{
    /* Copies first, because `value` may point to the value that is replaced. */
    char *copy = ps_must_copy_text(value, "Kafka settings");
    struct ps_pair *pair = find(settings, name);
    if (pair != NULL) {
        text_wipe(pair->value);
        pair->value = copy;
        return;
    }
    if (settings->count == settings->room) {
        settings->room = settings->room == 0 ? 32 : 2 * settings->room;
        settings->items =
            ps_must_realloc(settings->items, settings->room * sizeof *settings->items, "Kafka settings");
    }
    settings->items[settings->count++] =
        (struct ps_pair){.key = ps_must_copy_text(name, "Kafka settings"), .value = copy};
}

const char *ps_kafka_settings_get(const struct ps_kafka_settings *settings, const char *name)
{
    const struct ps_pair *pair = find(settings, name);
    return pair != NULL ? pair->value : NULL;
}

bool ps_kafka_setting_secret(const char *name)
{
    return strstr(name, "password") != NULL || strstr(name, "secret") != NULL ||
           strstr(name, ".pem") != NULL || strcmp(name, "sasl.oauthbearer.config") == 0 ||
           strcmp(name, "sasl.jaas.config") == 0 || strcmp(name, "ssl.keystore.key") == 0;
}

/* Returns the value as librdkafka takes it. librdkafka refuses a list of eager and cooperative assignors: for
 * such a list writes the eager ones to `text`, and returns `text`. */
static const char *value_for_library(const struct ps_pair *pair, char *text, size_t room)
{
    if (strcmp(pair->key, "partition.assignment.strategy") != 0 || strchr(pair->value, ',') == NULL)
        return pair->value;
    size_t length = 0;
    text[0] = '\0';
    struct ps_slice name;
    for (const char *list = pair->value; ps_list_next(&list, ",", &name);) {
        if (strncmp(name.data, "cooperative", strlen("cooperative")) != 0 && length + name.length + 2 < room)
            length += (size_t)snprintf(text + length, room - length, "%s%.*s", length > 0 ? "," : "",
                                       (int)name.length, name.data);
    }
    return text;
}

enum ps_status ps_kafka_settings_apply(const struct ps_kafka_settings *settings, struct rd_kafka_conf_s *conf,
                                       struct ps_err *err)
{
    for (size_t i = 0; i < settings->count; i++) {
        const struct ps_pair *pair = &settings->items[i];
        char reason[512] = "", text[128];
        const char *value = value_for_library(pair, text, sizeof text);
        if (rd_kafka_conf_set(conf, pair->key, value, reason, sizeof reason) == RD_KAFKA_CONF_OK)
            continue;
        if (ps_kafka_setting_secret(pair->key))
            return ps_err_set(err, "librdkafka refuses %s", pair->key);
        return ps_err_set(err, "librdkafka refuses %s = %s: %s", pair->key, pair->value, reason);
    }
    return PS_OK;
}
