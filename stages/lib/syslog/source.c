#include "stages/lib/syslog/source.h"

#include <stdio.h>
#include <string.h>

static const char *const format_keys[] = {"regex", "search", "replace", "dateFormat"};

static bool is_format_key(const char *key)
{
    for (size_t i = 0; i < PS_COUNT_OF(format_keys); i++) {
        if (strcmp(key, format_keys[i]) == 0)
            return true;
    }
    return false;
}

enum ps_status ps_syslog_source_check(const struct ps_syslog_source_options *options,
                                      const struct ps_context *context)
{
    ps_keep_check(options->keep_fields, context);
    for (size_t i = 0; i < options->format.count; i++) {
        char key[128];
        snprintf(key, sizeof key, "format.%.100s", options->format.items[i].key);
        if (!is_format_key(options->format.items[i].key))
            ps_report(context, PS_LOG_WARN, key,
                      "unknown key; the known keys are format.regex, format.search, format.replace and "
                      "format.dateFormat");
    }
    if (options->format.count == 0)
        return PS_OK;
    if (ps_pairs_get(&options->format, "regex") == NULL) {
        ps_report(context, PS_LOG_WARN, "format.regex",
                  "is missing; without it the other format keys have no effect");
        return PS_OK;
    }
    struct ps_err err = {.length = 0};
    const char *key;
    struct ps_syslog_format *format = ps_syslog_format_create(&options->format, &key, &err);
    if (format == NULL) {
        ps_report(context, PS_LOG_ERROR, key, "%s", err.text);
        return PS_FAIL;
    }
    ps_syslog_format_destroy(format);
    return PS_OK;
}

static const struct ps_name *header_name(const char *text)
{
    return text != NULL ? ps_name_intern(text) : NULL;
}

enum ps_status ps_syslog_source_build(struct ps_syslog_source *source,
                                      const struct ps_syslog_source_options *options, int64_t event_size,
                                      bool datagrams, struct ps_context *context, struct ps_err *err)
{
    *source = (struct ps_syslog_source){
        .client = {.ip_name = header_name(options->client_ip_header),
                   .host_name = header_name(options->client_host_header)},
    };
    if (ps_pairs_get(&options->format, "regex") != NULL) {
        source->format = ps_syslog_format_create(&options->format, NULL, err);
        if (source->format == NULL)
            return PS_FAIL;
    }
    bool known;
    const char *zone = context->system_property != NULL
                           ? context->system_property(context->argument, "user.timezone")
                           : NULL;
    struct ps_syslog_single_rules *rules = &source->rules;
    ps_syslog_names_init(&rules->names, false);
    rules->zone = ps_time_zone_load(context->arena, zone, &known);
    rules->keep = ps_keep_parse(options->keep_fields);
    rules->size_max = event_size < PS_SYSLOG_SIZE_MIN ? PS_SYSLOG_SIZE_MIN : (uint32_t)event_size;
    rules->datagrams = datagrams;
    if (options->structured)
        ps_syslog_structured_names(rules->structured);
    rules->format = source->format;
    return PS_OK;
}

void ps_syslog_source_teardown(struct ps_syslog_source *source)
{
    ps_syslog_format_destroy(source->format);
}
