/* Serializer avro_datum (Flume's org.apache.flume.sink.hdfs.AvroEventSerializer): bodies are Avro data already, and become records
 * of an Avro object container file. Their schema is named by the header flume.avro.schema.url, else it is the header
 * flume.avro.schema.literal, else that of the key schemaURL. The first event of a file gives the file its schema.
 *
 * An event with another schema needs another file (Flume writes it into the same one, where nobody can read it); one whose schema
 * cannot be read ends no file. Bodies are not looked at. Thread: the sink's worker. */
#include "core/name.h"
#include "core/stage.h"
#include "stages/lib/avro/blocks_stage.h"
#include "stages/lib/avro/schema_url.h"

#include <stdlib.h>
#include <string.h>

struct avro_datum_plan {
    struct ps_avro_blocks_plan file;
    const char *schema_url;
    const struct ps_name *url_header, *literal_header;
};

struct avro_datum_state {
    struct ps_avro_blocks_state file;
    bool began; /* the file has its schema */
    /* schema of the file, or of the event that will begin the file; NULL: none yet */
    struct ps_avro_named_schema *schema;
    struct ps_avro_named_schema *next; /* schema of an event that needs another file; NULL: none */
};

static const struct ps_option options[] = {
    PS_AVRO_BLOCKS_OPTION_ROWS,
    PS_OPTION_ROW(
        "schemaURL", TEXT, offsetof(struct avro_datum_plan, schema_url),
        "schema of events without a header that names one: file:, http:, https:, in the sink hdfs also "
        "hdfs:"),
    PS_OPTION_END,
};

static enum ps_status avro_datum_check(const void *plan_, const struct ps_context *context)
{
    const struct avro_datum_plan *plan = plan_;
    (void)ps_avro_blocks_check(&plan->file, context);
    char *path = plan->schema_url != NULL ? ps_schema_url_path(plan->schema_url) : NULL;
    if (plan->schema_url != NULL && strchr(plan->schema_url, ':') == NULL)
        ps_report(context, PS_LOG_WARN, "schemaURL", "%s is no URL: write file://%s%s", plan->schema_url,
                  plan->schema_url[0] == '/' ? "" : "/", plan->schema_url);
    if (path != NULL && ps_file_unreadable(path) != 0)
        ps_report(context, PS_LOG_WARN, "schemaURL",
                  "cannot read %s: %s; events without a header that names a schema wait until it can be read",
                  path, strerror(ps_file_unreadable(path)));
    free(path);
    return PS_OK;
}

static enum ps_status avro_datum_build(void *plan_, struct ps_context *context, struct ps_err *err)
{
    struct avro_datum_plan *plan = plan_;
    plan->url_header = ps_name_intern("flume.avro.schema.url");
    plan->literal_header = ps_name_intern("flume.avro.schema.literal");
    return ps_avro_blocks_build(&plan->file, context, err);
}

static enum ps_status avro_datum_open(const void *plan_, void *state_, struct ps_port *port,
                                      struct ps_err *err)
{
    const struct avro_datum_plan *plan = plan_;
    struct avro_datum_state *state = state_;
    if (ps_avro_blocks_open(&plan->file, &state->file, port, err) != PS_OK)
        return PS_FAIL;
    if (ps_avro_share_schemas(state->file.blocks.share) != NULL)
        return PS_OK;
    ps_avro_blocks_close(&plan->file, &state->file);
    return ps_err_set(err, "no memory for schemas");
}

static void avro_datum_close(const void *plan, void *state_)
{
    struct avro_datum_state *state = state_;
    ps_avro_schema_release(state->schema);
    ps_avro_schema_release(state->next);
    ps_avro_blocks_close(plan, &state->file);
}

/* ---- schemas ---- */

/* Finds the schema that the event's headers name. */
static bool schema_name(const struct avro_datum_plan *plan, const struct ps_batch *batch,
                        const struct ps_event *event, bool *url, struct ps_slice *name)
{
    *url = true;
    if (ps_event_header(batch, event, plan->url_header, name))
        return true;
    *url = false;
    return ps_event_header(batch, event, plan->literal_header, name);
}

static enum ps_serializer_answer look(struct ps_avro_named_schema *schema, bool configured,
                                      struct ps_err *reason)
{
    switch (ps_avro_schema_look(schema, configured, reason)) {
    case PS_AVRO_SCHEMA_READ:
        return PS_SERIALIZER_READY;
    case PS_AVRO_SCHEMA_LATER:
        return PS_SERIALIZER_LATER;
    case PS_AVRO_SCHEMA_BAD:
        break;
    }
    return PS_SERIALIZER_REFUSED;
}

/* The schema that an event names, or the key. */
struct choice {
    bool url;
    bool configured; /* the key names it */
    struct ps_slice name;
};

/* Makes `*schema`, which is of no open file, the schema of this event. */
static enum ps_serializer_answer choose(struct avro_datum_state *state, struct ps_avro_named_schema **schema,
                                        const struct choice *choice, struct ps_err *reason)
{
    if (*schema == NULL || !ps_avro_schema_is_named(*schema, choice->url, &choice->name)) {
        ps_avro_schema_release(*schema);
        *schema =
            ps_avro_schemas_hold(ps_avro_share_schemas(state->file.blocks.share), choice->url, &choice->name);
    }
    if (*schema == NULL) {
        (void)ps_err_set(reason, "no room for another schema");
        return PS_SERIALIZER_LATER;
    }
    return look(*schema, choice->configured, reason);
}

/* The file has a schema, and this event needs another one. */
static enum ps_serializer_answer choose_next(struct avro_datum_state *state, const struct choice *choice,
                                             struct ps_err *reason)
{
    enum ps_serializer_answer answer = choose(state, &state->next, choice, reason);
    return answer == PS_SERIALIZER_READY ? PS_SERIALIZER_NEW_FILE : answer;
}

static enum ps_serializer_answer avro_datum_ready(const void *plan_, void *state_,
                                                  const struct ps_batch *batch, const struct ps_event *event,
                                                  struct ps_err *reason)
{
    const struct avro_datum_plan *plan = plan_;
    struct avro_datum_state *state = state_;
    struct choice choice = {.configured = false};
    bool named = schema_name(plan, batch, event, &choice.url, &choice.name);
    if (!named && plan->schema_url != NULL) {
        choice.url = choice.configured = named = true;
        choice.name = (struct ps_slice){plan->schema_url, (uint32_t)strlen(plan->schema_url)};
    }
    if (state->began)
        return !named || ps_avro_schema_is_named(state->schema, choice.url, &choice.name)
                   ? PS_SERIALIZER_READY
                   : choose_next(state, &choice, reason);
    if (!named) {
        (void)ps_err_set(reason, "no schema: the event has neither header flume.avro.schema.url nor "
                                 "flume.avro.schema.literal, and schemaURL is not set");
        return PS_SERIALIZER_REFUSED;
    }
    return choose(state, &state->schema, &choice, reason);
}

/* ---- writing ---- */

static bool avro_datum_begin(const void *, void *state_, struct ps_output *)
{
    struct avro_datum_state *state = state_;
    state->began = false; /* the header needs a schema: the first event's */
    if (state->next != NULL) {
        ps_avro_schema_release(state->schema);
        state->schema = state->next;
        state->next = NULL;
    }
    state->file.blocks.count = 0;
    state->file.blocks.block.length = 0;
    return true;
}

static bool avro_datum_event(const void *plan, void *state_, const struct ps_batch *batch,
                             const struct ps_event *event, struct ps_output *output)
{
    struct avro_datum_state *state = state_;
    struct ps_byte_buffer *block = &state->file.blocks.block;
    struct ps_err reason;
    if (!state->began) {
        if (avro_datum_ready(plan, state_, batch, event, &reason) != PS_SERIALIZER_READY)
            return false;
        struct ps_slice text = ps_avro_schema_text(state->schema);
        if (!ps_avro_blocks_begin(&state->file.blocks, text.data, text.length, output))
            return false;
        state->began = true;
    }
    if (!ps_avro_blocks_reserve(&state->file.blocks, event->body_length))
        return false;
    if (event->body_length > 0)
        memcpy(block->data + block->length, event->body, event->body_length);
    block->length += event->body_length;
    return ps_avro_blocks_added(&state->file.blocks, output);
}

static const struct ps_serializer_ops serializer = {
    .extension = "avro",
    .begin = avro_datum_begin,
    .event = avro_datum_event,
    .flush = ps_avro_blocks_end,
    .end = ps_avro_blocks_end,
    .ready = avro_datum_ready,
};

const struct ps_stage_ops ps_serializer_avro_datum = {
    PS_STAGE(PS_KIND_SERIALIZER),
    .name = "avro_datum",
    .aliases = PS_WORDS("org.apache.flume.sink.hdfs.AvroEventSerializer$Builder",
                        "org.apache.flume.sink.hdfs.AvroEventSerializer"),
    .summary = "an Avro file of bodies that are Avro data",
    .options = options,
    .plan_size = sizeof(struct avro_datum_plan),
    .state_size = sizeof(struct avro_datum_state),
    .check = avro_datum_check,
    .build = avro_datum_build,
    .open = avro_datum_open,
    .close = avro_datum_close,
    .serializer = &serializer,
};
