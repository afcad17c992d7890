/* Serializer header_and_text (Flume's HeaderAndBodyTextEventSerializer): writes the headers as Java prints
 * a map, a blank, the body and a newline. Thread: the sink's worker. */
#include "core/stage.h"
#include "stages/lib/text/java/map.h"

struct header_and_text_plan {
    bool newline;
};

struct header_and_text_state {
    struct ps_java_map map;
};

static const struct ps_option options[] = {
    PS_OPTION_ROW("appendNewline", BOOL, offsetof(struct header_and_text_plan, newline),
                  "end every event with a newline", .fallback = "true"),
    PS_OPTION_END,
};

static enum ps_status header_and_text_open(const void *, void *state_, struct ps_port *, struct ps_err *)
{
    struct header_and_text_state *state = state_;
    ps_java_map_init(&state->map);
    return PS_OK;
}

static void header_and_text_close(const void *, void *state_)
{
    struct header_and_text_state *state = state_;
    ps_java_map_fini(&state->map);
}

static bool header_and_text_event(const void *plan_, void *state_, const struct ps_batch *batch,
                                  const struct ps_event *event, struct ps_output *output)
{
    const struct header_and_text_plan *plan = plan_;
    struct header_and_text_state *state = state_;
    if (!ps_java_map_order(&state->map, batch, event) || !output->write(output, "{", 1))
        return false;
    for (size_t i = 0; i < state->map.count; i++) {
        const struct ps_header *header = state->map.entries[i].header;
        if ((i > 0 && !output->write(output, ", ", 2)) ||
            !output->write(output, header->name->text, header->name->length) ||
            !output->write(output, "=", 1) || !output->write(output, header->value, header->value_length))
            return false;
    }
    return output->write(output, "} ", 2) && output->write(output, event->body, event->body_length) &&
           (!plan->newline || output->write(output, "\n", 1));
}

static const struct ps_serializer_ops serializer = {.event = header_and_text_event};

const struct ps_stage_ops ps_serializer_header_and_text = {
    PS_STAGE(PS_KIND_SERIALIZER),
    .name = "header_and_text",
    .aliases = PS_WORDS("org.apache.flume.serialization.HeaderAndBodyTextEventSerializer$Builder"),
    .summary = "headers and body, one event per line",
    .options = options,
    .plan_size = sizeof(struct header_and_text_plan),
    .state_size = sizeof(struct header_and_text_state),
    .open = header_and_text_open,
    .close = header_and_text_close,
    .serializer = &serializer,
};
