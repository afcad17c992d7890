/* Sink test-post: posts events as lines to the bulk path of tests/support/http_peer.h, which answers each line with a line
 * "STATUS REASON". Connections, time-outs, repeats, backoffs, dead letters, recall and drain are those of
 * stages/lib/http/sink.h. Thread: its worker. */
#include "tests/support/post_sink.h"

#include <stdlib.h>
#include <string.h>

#include "stages/lib/http/urls.h"

struct post_plan {
    struct ps_http_sink_plan sink;
    const char *endpoint;
};

static const struct ps_option options[] = {
    {.key = "endpoint",
     .type = PS_OPTION_TEXT,
     .offset = offsetof(struct post_plan, endpoint),
     .flags = PS_OPTION_REQUIRED,
     .help = "URL that events are posted to"},
    PS_OPTION_END,
};

static size_t bound(const struct ps_batch *, const struct ps_event *event)
{
    return event->body_length + 1;
}

static size_t encode(const struct ps_http_sink *, char *to, const struct ps_held_range *range)
{
    size_t length = 0;
    uint32_t position = range->from;
    for (const struct ps_event *event; (event = ps_held_range_next(range, &position)) != NULL;) {
        memcpy(to + length, event->body, event->body_length);
        length += event->body_length;
        to[length++] = '\n';
    }
    return length;
}

static enum ps_remote_outcome outcome_of(long status)
{
    if (status / 100 == 2)
        return PS_REMOTE_DELIVERED;
    return status / 100 == 5 || status == 429 ? PS_REMOTE_AGAIN : PS_REMOTE_REFUSED;
}

/* An answer with fewer lines than events, or one that was cut off, tells nothing about the other events. */
static bool decode(struct ps_http_sink *, const struct ps_http_request *answer,
                   struct ps_remote_result *results, uint32_t count)
{
    char *line = answer->body;
    bool rests = false;
    for (uint32_t i = 0; i < count; i++) {
        char *end = answer->status == 200 && line != NULL ? strchr(line, '\n') : NULL;
        if (answer->status != 200)
            results[i] = (struct ps_remote_result){.outcome = outcome_of(answer->status)};
        else if (end == NULL)
            results[i] = (struct ps_remote_result){PS_REMOTE_UNKNOWN, "the answer has no line for the event"};
        else
            results[i] = (struct ps_remote_result){outcome_of(strtol(line, NULL, 10)), line};
        if (end != NULL) {
            *end = '\0';
            line = end + 1;
        }
        rests |= results[i].outcome == PS_REMOTE_AGAIN || results[i].outcome == PS_REMOTE_UNKNOWN;
    }
    return rests;
}

static enum ps_status check(const void *plan_, const struct ps_context *context)
{
    const struct post_plan *plan = plan_;
    return ps_http_urls_check("endpoint", plan->endpoint, context);
}

static enum ps_status build(void *plan_, struct ps_context *context, struct ps_err *err)
{
    struct post_plan *plan = plan_;
    plan->sink = (struct ps_http_sink_plan){
        .settings = {.url = plan->endpoint, .connect_ns = 5 * PS_NS_PER_S},
        .request_ns = 5 * PS_NS_PER_S,
        .requests = 2,
        .events_max = 100,
        .bytes_max = 32768,
        .answer_bytes_max = 65536,
        .bound = bound,
        .encode = encode,
        .decode = decode,
    };
    return ps_http_sink_build(&plan->sink, context, "text/plain", "text/plain", err);
}

static void teardown(void *plan)
{
    ps_http_sink_teardown(&((struct post_plan *)plan)->sink);
}

static enum ps_status open_sink(const void *plan, void *state, struct ps_port *port, struct ps_err *err)
{
    return ps_http_sink_open(state, &((const struct post_plan *)plan)->sink, port, err);
}

static void probe(const void *plan_, struct ps_context *, const struct ps_probe *probe)
{
    const struct post_plan *plan = plan_;
    ps_http_urls_try(&plan->endpoint, 1, NULL, NULL, probe);
}

const struct ps_stage_ops ps_test_post_sink = {
    PS_STAGE(PS_KIND_SINK),
    .name = "test-post",
    .summary = "a test stage",
    .options = options,
    .plan_size = sizeof(struct post_plan),
    .state_size = sizeof(struct ps_http_sink),
    .check = check,
    .build = build,
    .teardown = teardown,
    .open = open_sink,
    .close = ps_http_sink_close,
    .probe = probe,
    .sink = &ps_remote_sink_ops,
};
