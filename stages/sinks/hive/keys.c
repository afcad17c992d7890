#include "stages/sinks/hive/keys.h"

#include "core/text/list.h"
#include "core/text/nearest.h"
#include "stages/lib/hadoop/bucket_writer/format.h"

#include <string.h>
#include <strings.h>

static const char *const serializers[] = {"DELIMITED", "JSON"};

enum ps_status ps_hive_plan_serializer(const struct ps_hive_plan *plan, enum ps_hive_serializer *serializer,
                                       struct ps_err *err)
{
    const char *name = plan->serializer;
    static const char *const classes[] = {"org.apache.flume.sink.hive.HiveDelimitedTextSerializer",
                                          "org.apache.flume.sink.hive.HiveJsonSerializer"};
    struct ps_nearest nearest;
    ps_nearest_init(&nearest, name);
    for (unsigned i = 0; i < PS_COUNT_OF(serializers); i++) {
        if (strcasecmp(name, serializers[i]) == 0 || strcmp(name, classes[i]) == 0) {
            *serializer = (enum ps_hive_serializer)i;
            return PS_OK;
        }
        ps_nearest_offer(&nearest, serializers[i]);
    }
    if (strchr(name, '.') != NULL)
        return ps_err_set(err, "%s: custom classes are not loaded; use DELIMITED or JSON", name);
    return nearest.word != NULL
               ? ps_err_set(err, "\"%s\" is not a serializer of this sink; did you mean %s?", name,
                            nearest.word)
               : ps_err_set(err, "\"%s\" is not a serializer of this sink; use DELIMITED or JSON", name);
}

/* Returns the length without commas at the end: Java's split drops empty values there. */
static size_t length_of_values(const char *partition)
{
    size_t length = strlen(partition);
    while (length > 0 && partition[length - 1] == ',')
        length--;
    return length;
}

/* Splits the values at each comma, as Flume does. */
enum ps_status ps_hive_plan_values(const struct ps_hive_plan *plan, struct ps_arena *arena,
                                   struct ps_hive_settings *settings, struct ps_err *err)
{
    struct ps_escape_options escapes = {
        .value = plan->round_value, .time_zone = plan->time_zone, .local_time = plan->local_time};
    escapes.round = plan->round && ps_escape_find_unit(plan->round_unit, &escapes.unit);
    settings->is_constant = true;
    if (plan->partition == NULL)
        return PS_OK;
    const char *values = ps_arena_copy(arena, plan->partition, length_of_values(plan->partition));
    struct ps_slice item;
    while (ps_list_next_at_comma(&values, &item)) {
        if (settings->value_count == PS_HIVE_PARTITION_KEYS_MAX)
            return ps_err_set(err, "it has more than %u values", PS_HIVE_PARTITION_KEYS_MAX);
        if (item.length == 0)
            return ps_err_set(err, "it has an empty value");
        const struct ps_escape *value =
            ps_escape_compile(arena, ps_arena_copy(arena, item.data, item.length), &escapes, err);
        if (value == NULL)
            return PS_FAIL;
        settings->values[settings->value_count++] = value;
        settings->is_constant &= ps_escape_constant(value) != NULL;
    }
    return PS_OK;
}

enum ps_status ps_hive_plan_format(const struct ps_hive_plan *plan, struct ps_hive_plain_settings *plain,
                                   struct ps_err *err)
{
    const struct ps_bucket_format_names names = {.file_type = "CompressedStream", .codec = plan->codec};
    enum ps_hadoop_codec codec;
    const char *key;
    plain->format = (struct ps_hadoop_format){.type = PS_HADOOP_DATA_STREAM};
    plain->file_suffix = "";
    if (plan->codec == NULL || ps_hadoop_codec_find(plan->codec, &codec) == PS_HADOOP_CODEC_NONE)
        return PS_OK;
    if (ps_bucket_format_find(&names, &plain->format, &key, err) != PS_OK)
        return PS_FAIL;
    plain->file_suffix = ps_bucket_format_suffix(&names, &plain->format);
    return PS_OK;
}

enum ps_status ps_hive_plan_security(const struct ps_hive_plan *plan, const char *directory,
                                     struct ps_hive_security **security, struct ps_err *err)
{
    struct ps_hadoop_configuration *configuration = NULL;
    *security = NULL;
    if (directory != NULL &&
        ps_hadoop_configuration_load_files(&configuration, directory, ps_hive_security_files, err) != PS_OK)
        return PS_FAIL;
    enum ps_status status =
        ps_hive_security_open(security, configuration, plan->principal, plan->keytab, err);
    ps_hadoop_configuration_free(configuration);
    return status;
}
