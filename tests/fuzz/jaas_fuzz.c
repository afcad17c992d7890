/* The parser of login configurations on arbitrary bytes, as a value and as a file, and the configuration
 * made from what it accepts. */
#include "stages/lib/kafka/security/jaas.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *property(const void *argument, const char *name)
{
    return name[0] == 'a' ? "a value" : NULL;
}

static void use(struct ps_jaas_entry *entry)
{
    struct ps_kafka_settings settings = {0};
    struct ps_err err = {.length = 0};
    PS_ASSERT(entry->module != NULL && entry->option_count <= PS_JAAS_OPTIONS_MAX);
    for (size_t i = 0; i < entry->option_count; i++)
        PS_ASSERT(ps_kafka_jaas_option(entry, entry->options[i].name) != NULL);
    (void)ps_kafka_jaas_translate(entry, "sasl.jaas.config", &settings, NULL, &err);
    ps_kafka_settings_fini(&settings);
    ps_kafka_jaas_fini(entry);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ps_jaas_entry entry;
    struct ps_err err = {.length = 0};
    if (ps_kafka_jaas_parse(&entry, (const char *)data, size, &err) == PS_OK)
        use(&entry);
    else
        PS_ASSERT(err.length > 0 && entry.text == NULL);
    err.length = 0;
    if (ps_kafka_jaas_parse_file(&entry, (const char *)data, size, "KafkaClient", property, NULL, &err) ==
        PS_OK)
        use(&entry);
    else
        PS_ASSERT(err.length > 0 && entry.text == NULL);
    return 0;
}
