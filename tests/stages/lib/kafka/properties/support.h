/* Shared by the tests of Kafka properties: translating pairs, their notes, and whether librdkafka accepts
 * them. */
#pragma once

#include "tests/support/kafka/settings.h"
#include "tests/support/keystore.h"
#include "tests/support/support.h"

#include "stages/lib/kafka/librdkafka/settings.h"
#include "stages/lib/kafka/properties/table.h"

#include <librdkafka/rdkafka.h>
#include <stdio.h>

#define P PS_KAFKA_PRODUCER
#define C PS_KAFKA_CONSUMER

static char notes_text[16384];
static enum ps_log_level worst;

static inline void note(void *argument, enum ps_log_level severity, const char *key, const char *message)
{
    size_t length = strlen(notes_text);
    snprintf(notes_text + length, sizeof notes_text - length, "%s: %s\n", key, message);
    worst = severity > worst ? severity : worst;
}

static const struct ps_notes notes = {.report = note};

/* Translates pairs; notes go to notes_text, their worst severity to `worst`. */
static inline enum ps_status translate_all(enum ps_kafka_client client, const struct ps_pair *pairs,
                                           size_t count, const struct ps_tls_globals *globals,
                                           struct ps_kafka_settings *settings, struct ps_err *err)
{
    struct ps_pairs list = {.count = count, .items = pairs};
    struct ps_kafka_properties properties = {
        .client = client, .pairs = &list, .tls = globals, .notes = &notes};
    notes_text[0] = '\0';
    worst = PS_LOG_TRACE;
    *err = (struct ps_err){.length = 0};
    ps_kafka_settings_init(settings);
    if (client == PS_KAFKA_PRODUCER) /* the sink's default */
        settings->delivery_ns = 0;
    return ps_kafka_properties_translate(&properties, settings, err);
}

static inline const char *get(const struct ps_kafka_settings *settings, const char *name)
{
    const char *value = ps_test_setting(settings, name);
    return value != NULL ? value : "(none)";
}

/* Makes a librdkafka producer with these settings. Returns its error; NULL: it accepts them. */
static inline const char *try_client(const struct ps_kafka_settings *settings)
{
    static char reason[512];
    struct ps_err err = {.length = 0};
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "log_level", "0", NULL, 0);
    rd_kafka_conf_set(conf, "message.timeout.ms", "0", NULL, 0); /* the sink's default */
    assert_int_equal(ps_kafka_settings_apply(settings, NULL, conf, &err), PS_OK);
    rd_kafka_t *kafka = rd_kafka_new(RD_KAFKA_PRODUCER, conf, reason, sizeof reason);
    if (kafka == NULL) {
        rd_kafka_conf_destroy(conf);
        return reason;
    }
    rd_kafka_destroy(kafka);
    return NULL;
}
