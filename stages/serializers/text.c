/* Serializer text (Flume's BodyTextEventSerializer): writes the body and a newline. Thread: the sink's
 * worker. */
#include "core/stage.h"

struct text_plan {
    bool newline;
};

static const struct ps_option options[] = {
    PS_OPTION_ROW("appendNewline", BOOL, offsetof(struct text_plan, newline),
                  "end every event with a newline", .fallback = "true"),
    PS_OPTION_END,
};

static bool text_event(const void *plan_, void *, const struct ps_batch *, const struct ps_event *event,
                       struct ps_output *output)
{
    const struct text_plan *plan = plan_;
    return ps_output_put(output, event->body, event->body_length) &&
           (!plan->newline || ps_output_put(output, "\n", 1));
}

static const struct ps_serializer_ops serializer = {.event = text_event};

const struct ps_stage_ops ps_serializer_text = {
    PS_STAGE(PS_KIND_SERIALIZER),
    .name = "text",
    .aliases = PS_WORDS("org.apache.flume.serialization.BodyTextEventSerializer$Builder"),
    .summary = "the body, one event per line",
    .options = options,
    .plan_size = sizeof(struct text_plan),
    .serializer = &serializer,
};
