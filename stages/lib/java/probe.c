#include "stages/lib/java/probe.h"

#include "stages/lib/java/class_path.h"
#include "core/quantity.h"
#include "stages/lib/java/ask.h"
#include "stages/lib/net/listen.h"

#include <stdlib.h>
#include <string.h>

static void on_answer(void *failure_, size_t, const struct ps_java_answer *answer)
{
    struct ps_err *failure = failure_;
    if (answer->failure != NULL)
        ps_err_set(failure, "%s", answer->failure);
}

/* The name within the label of a component: `sink k1`, `interceptor i1 of source r1`. */
static const char *name_in(struct ps_arena *arena, const char *component)
{
    const char *space = strchr(component, ' ');
    const char *name = space != NULL ? space + 1 : component;
    return ps_arena_copy(arena, name, strcspn(name, " "));
}

/* Tries the port that the JVM opens for JMX: two agents with the same JAVA_OPTS cannot both have it. */
static void probe_jmx(const struct ps_class_path *path, const struct ps_probe *probe)
{
    static const char option[] = "-Dcom.sun.management.jmxremote.port=";
    const char *port = NULL;
    for (size_t i = 0; i < path->options.count; i++)
        if (strncmp(path->options.items[i], option, sizeof option - 1) == 0)
            port = path->options.items[i] + sizeof option - 1;
    if (port == NULL || !ps_quantity_is_port(port, strlen(port)))
        return;
    const struct ps_bind_options listen = {.port = (unsigned)strtoul(port, NULL, 10)};
    ps_listen_probe(probe, "JAVA_OPTS", &listen);
}

static void probe_class(const struct ps_java_class *class, enum ps_java_component_kind kind,
                        const struct ps_context *context, const struct ps_probe *probe)
{
    static const char *const kinds[] = {
        [PS_JAVA_SINK] = "sink", [PS_JAVA_INTERCEPTOR] = "interceptor", [PS_JAVA_SOURCE] = "source"};
    const char *agent = context->agent != NULL ? context->agent : "";
    const struct ps_java_question question = {.kind = kinds[kind],
                                              .class_name = ps_java_class_name(class, kind, context),
                                              .name = name_in(context->arena, probe->component),
                                              .settings = class->pairs,
                                              .asked = {1, &agent}};
    struct ps_err failure = {.length = 0}, err = {.length = 0};
    const char *what = ps_arena_format(context->arena, "configure() of %s", question.class_name);
    if (probe->files_only) {
        ps_probe_skipped(probe, what, "it needs a JVM");
        return;
    }
    if (probe->local || context->class_path == NULL) /* a reload does not wait for a JVM */
        return;
    probe_jmx(context->class_path, probe);
    if (ps_java_ask(context->class_path, &question, on_answer, &failure, &err) != PS_OK)
        ps_probe_key_failed(probe, "type", what, err.text, NULL);
    else if (failure.length > 0)
        ps_probe_key_failed(probe, NULL, what, failure.text, NULL);
    else
        ps_probe_ok(probe, "%s", what);
}

void ps_java_source_probe(const void *plan, struct ps_context *context, const struct ps_probe *probe)
{
    probe_class(plan, PS_JAVA_SOURCE, context, probe);
}

void ps_java_sink_probe(const void *plan, struct ps_context *context, const struct ps_probe *probe)
{
    probe_class(plan, PS_JAVA_SINK, context, probe);
}

void ps_java_interceptor_probe(const void *plan, struct ps_context *context, const struct ps_probe *probe)
{
    probe_class(plan, PS_JAVA_INTERCEPTOR, context, probe);
}
