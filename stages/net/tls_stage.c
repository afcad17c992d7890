#include "stages/net/tls_stage.h"

static void note(void *argument, enum ps_log_level severity, const char *key, const char *message)
{
    ps_report(argument, severity, key, "%s", message);
}

enum ps_status ps_tls_stage_build(struct ps_tls_server **server, const struct ps_tls_options *options,
                                  const struct ps_context *context, struct ps_err *err)
{
    if (!options->enabled)
        return PS_OK;
    struct ps_tls_globals globals;
    struct ps_notes notes = {.report = note, .argument = (void *)(uintptr_t)context};
    ps_tls_globals_fill(&globals, context->system_property, context->argument);
    return ps_tls_server_build(server, options, &globals, server == NULL ? &notes : NULL, err);
}

enum ps_status ps_tls_stage_check(const struct ps_tls_options *options, const struct ps_context *context)
{
    struct ps_err err = {.length = 0};
    if (ps_tls_stage_build(NULL, options, context, &err) == PS_OK)
        return PS_OK;
    ps_report(context, PS_LOG_ERROR, "ssl", "%s", err.text);
    return PS_FAIL;
}
