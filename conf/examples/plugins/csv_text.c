/* A serializer: writes each event as a line of CSV (RFC 4180), some of its headers and then the body.
 *
 *   a1.sinks.k1.type = file_roll
 *   a1.sinks.k1.sink.serializer = csv_text
 *   a1.sinks.k1.sink.serializer.columns = host, checksum
 *
 * docs/PLUGINS.md explains it line by line. */
#include <penstock/plugin.h>

#include <string.h>

struct plan {
    struct ps_texts columns;
    bool heading;
    const struct ps_name **names; /* of the columns */
};

static const struct ps_option options[] = {
    {.key = "columns",
     .type = PS_OPTION_COMMAS,
     .offset = offsetof(struct plan, columns),
     .flags = PS_OPTION_HEADER,
     .help = "names of the headers to write before the body, separated by commas"},
    {.key = "heading",
     .type = PS_OPTION_BOOL,
     .offset = offsetof(struct plan, heading),
     .fallback = "false",
     .help = "begin each file with a line of the columns' names"},
    PS_OPTION_END,
};

static enum ps_status build(void *plan_, struct ps_context *context, struct ps_err *)
{
    struct plan *plan = plan_;
    plan->names = ps_arena_alloc(context->arena, (plan->columns.count + 1) * sizeof *plan->names);
    for (size_t i = 0; i < plan->columns.count; i++)
        plan->names[i] = ps_name_intern(plan->columns.items[i]);
    return PS_OK;
}

/* Returns false when the output fails: the sink then gives up the file and writes the events again. */
static bool write_quoted(struct ps_output *output, const char *text, size_t length)
{
    if (!ps_output_put(output, "\"", 1))
        return false;
    for (size_t at = 0; at < length;) {
        const char *quote = memchr(text + at, '"', length - at);
        size_t part = quote != NULL ? (size_t)(quote - text) + 1 - at : length - at;
        if (!ps_output_put(output, text + at, part) || (quote != NULL && !ps_output_put(output, "\"", 1)))
            return false;
        at += part;
    }
    return ps_output_put(output, "\"", 1);
}

static bool write_field(struct ps_output *output, const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (text[i] == '"' || text[i] == ',' || text[i] == '\n' || text[i] == '\r')
            return write_quoted(output, text, length);
    return length == 0 || ps_output_put(output, text, length);
}

static bool begin(const void *plan_, void *, struct ps_output *output)
{
    const struct plan *plan = plan_;
    for (size_t i = 0; plan->heading && i < plan->columns.count; i++)
        if (!write_field(output, plan->names[i]->text, plan->names[i]->length) ||
            !ps_output_put(output, ",", 1))
            return false;
    return !plan->heading || ps_output_put(output, "body\n", 5);
}

static bool write_event(const void *plan_, void *, const struct ps_batch *batch, const struct ps_event *event,
                        struct ps_output *output)
{
    const struct plan *plan = plan_;
    for (size_t i = 0; i < plan->columns.count; i++) {
        struct ps_slice value = {.length = 0};
        (void)ps_event_header(batch, event, plan->names[i], &value);
        if (!write_field(output, value.data, value.length) || !ps_output_put(output, ",", 1))
            return false;
    }
    return write_field(output, event->body, event->body_length) && ps_output_put(output, "\n", 1);
}

static const struct ps_serializer_ops serializer = {
    .extension = "csv",
    .begin = begin,
    .event = write_event,
};

static const struct ps_stage_ops csv_text = {
    PS_STAGE(PS_KIND_SERIALIZER),
    .name = "csv_text",
    .summary = "some headers and the body as a line of CSV",
    .options = options,
    .plan_size = sizeof(struct plan),
    .build = build,
    .serializer = &serializer,
};

PS_PLUGIN(&csv_text);
