/* Settings of Kafka clients for tests, by librdkafka's names. */
#pragma once

#include "stages/lib/kafka/cluster/settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct ps_test_settings {
    struct ps_kafka_settings settings;
    struct ps_test_settings *next;
} * ps_test_settings_made;

static inline void ps_test_settings_free(void)
{
    while (ps_test_settings_made != NULL) {
        struct ps_test_settings *made = ps_test_settings_made;
        ps_test_settings_made = made->next;
        ps_kafka_settings_fini(&made->settings);
        free(made);
    }
}

/* Makes settings that live as long as the process. No record times out unless the pairs say so. */
static inline struct ps_kafka_settings *ps_test_settings(const struct ps_pair *pairs, size_t count)
{
    struct ps_test_settings *made = ps_must_alloc(1, sizeof *made, "settings of a test");
    if (ps_test_settings_made == NULL)
        atexit(ps_test_settings_free);
    made->next = ps_test_settings_made;
    ps_test_settings_made = made;
    ps_kafka_settings_init(&made->settings);
    made->settings.delivery_ns = 0;
    made->settings.request_bytes_max = 1048576;
    for (size_t i = 0; i < count; i++)
        ps_kafka_settings_set(&made->settings, pairs[i].key, pairs[i].value);
    return &made->settings;
}

struct ps_test_setting {
    const char *name;
    char *value;
    size_t room;
    bool found;
};

static inline bool ps_test_setting_take(void *setting_, const char *name, const char *value)
{
    struct ps_test_setting *setting = setting_;
    if (strcmp(name, setting->name) != 0)
        return true;
    snprintf(setting->value, setting->room, "%s", value);
    setting->found = true;
    return false;
}

/* Returns the value that librdkafka gets, or assignors, which it does not get; NULL: it keeps its default. */
static inline const char *ps_test_setting(const struct ps_kafka_settings *settings, const char *name)
{
    static char value[65536];
    struct ps_test_setting setting = {name, value, sizeof value, false};
    value[0] = '\0';
    if (strcmp(name, "partition.assignment.strategy") == 0) {
        for (uint32_t i = 0; i < settings->reader.assignor_count; i++)
            sprintf(value + strlen(value), "%s%s", i > 0 ? "," : "",
                    ps_kafka_assignor_names[settings->reader.assignors[i]]);
        return value;
    }
    ps_kafka_settings_each(settings, ps_test_setting_take, &setting);
    return setting.found ? value : NULL;
}

/* Returns whether a setting has this value; NULL: librdkafka's default. */
static inline bool ps_test_setting_is(const struct ps_kafka_settings *settings, const char *name,
                                      const char *value)
{
    struct ps_kafka_settings expected;
    char wanted[65536] = "";
    ps_kafka_settings_init(&expected);
    if (value != NULL)
        ps_kafka_settings_set(&expected, name, value);
    const char *text = ps_test_setting(&expected, name);
    if (text != NULL)
        strcpy(wanted, text);
    ps_kafka_settings_fini(&expected);
    text = ps_test_setting(settings, name);
    return strcmp(text != NULL ? text : "", wanted) == 0;
}
