/* Serializer json: each event as a JSON object, one per line (stages/lib/text/json/event.h). Thread: the sink's worker. */
#include "core/stage.h"
#include "stages/lib/text/json/event.h"

#include <stdlib.h>

struct json_state {
    char *text;
    size_t room;
};

#define FIELD(name) offsetof(struct ps_event_json, name)

static const struct ps_option options[] = {
    PS_OPTION_ROW("json.body", TEXT, FIELD(body), "name of the member with the event's body",
                  .fallback = "message", .flags = PS_OPTION_EXTENSION),
    PS_OPTION_ROW("json.headers", TEXT, FIELD(headers),
                  "all, none, or the names of the headers that become members, separated by blanks or commas",
                  .fallback = "all", .flags = PS_OPTION_EXTENSION),
    PS_OPTION_ROW(
        "json.timestamp", TEXT, FIELD(timestamp),
        "name of a member with the time of the header timestamp (milliseconds) as RFC 3339 in UTC; an "
        "event without "
        "this header has no such member",
        .flags = PS_OPTION_EXTENSION),
    PS_OPTION_ROW("json.rename.", MAP, FIELD(rename), "json.rename.<header> = name of its member",
                  .flags = PS_OPTION_EXTENSION | PS_OPTION_HEADER),
    PS_OPTION_ROW(
        "json.nested", TEXT, FIELD(nested),
        "name of an object with the headers (true: headers); unset or false: headers are members beside "
        "the body",
        .flags = PS_OPTION_EXTENSION),
    PS_OPTION_ROW("appendNewline", BOOL, FIELD(newline),
                  "end every object with a newline; records of Kafka and requests have none",
                  .fallback = "true", .flags = PS_OPTION_EXTENSION),
    PS_OPTION_END,
};

static enum ps_status check(const void *plan, const struct ps_context *context)
{
    return ps_json_event_check(plan, context);
}

static enum ps_status build(void *plan, struct ps_context *context, struct ps_err *)
{
    ps_json_event_build(plan, context);
    return PS_OK;
}

static void json_close(const void *, void *state_)
{
    struct json_state *state = state_;
    free(state->text);
}

static bool json_event(const void *plan_, void *state_, const struct ps_batch *batch,
                       const struct ps_event *event, struct ps_output *output)
{
    const struct ps_event_json *plan = plan_;
    struct json_state *state = state_;
    size_t bound = ps_json_event_bound(plan, batch, event) + 1;
    if (bound > state->room) {
        char *text = realloc(state->text, 2 * bound);
        if (text == NULL)
            return false;
        state->text = text;
        state->room = 2 * bound;
    }
    size_t length = ps_json_event_write(plan, batch, event, state->text);
    if (plan->newline)
        state->text[length++] = '\n';
    return ps_output_put(output, state->text, length);
}

static const struct ps_serializer_ops serializer = {.event = json_event, .extension = "json"};

const struct ps_stage_ops ps_serializer_json = {
    PS_STAGE(PS_KIND_SERIALIZER),
    .name = "json",
    .summary = "a JSON object of body and headers, one event per line",
    .options = options,
    .plan_size = sizeof(struct ps_event_json),
    .state_size = sizeof(struct json_state),
    .check = check,
    .build = build,
    .close = json_close,
    .serializer = &serializer,
};
