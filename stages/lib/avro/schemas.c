/* The schemas that events name. See schemas.h. */
#include "stages/lib/avro/schemas.h"

#include "core/helper/helper.h"
#include "stages/lib/avro/schema.h"
#include "stages/lib/avro/schema_url.h"
#include "stages/lib/byte_buffer.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define SCHEMAS_MAX 1000U
#define JOBS_MAX 64U
#define RETRY_NS (5 * PS_NS_PER_S)
#define CHOSEN_RETRY_NS (2 * PS_NS_PER_S) /* of a URL that an event chose */

struct ps_avro_named_schema {
    struct ps_avro_schemas *schemas;
    struct ps_slice name; /* a copy of the name */
    bool url;
    bool reading;    /* an answer is pending */
    bool configured; /* the configuration chose it, by the last look */
    bool failing;    /* a failure was logged, and lasts */
    bool is_final;   /* the last failure would be repeated by another try */
    bool starved;    /* there was no memory to read it, or for its text */
    char *text;      /* NULL: not read */
    size_t length;
    uint64_t retry_ns; /* earliest time of the next read */
    uint32_t tries;    /* failed ones in a row */
    uint64_t used;     /* time of the last use, as a counter */
    uint32_t holders;
    char reason[256]; /* why it could not be read */
};

struct ps_avro_schemas {
    struct ps_port *port;
    struct ps_helper *helper; /* NULL: nothing was read yet */
    struct ps_avro_schema_reader reader;
    struct ps_avro_named_schema *entries[SCHEMAS_MAX];
    uint32_t count;
    uint64_t used;
    bool gave_up; /* a URL was given up because its server gave no answer, and none was read since */
};

/* The job of the helper thread. */
struct job {
    struct ps_avro_named_schema *schema; /* the owner's: the thread does not read it */
    struct ps_schema_url_answer answer;
    char url[];
};

struct ps_avro_schemas *ps_avro_schemas_create(struct ps_port *port)
{
    struct ps_avro_schemas *schemas = calloc(1, sizeof *schemas);
    if (schemas != NULL)
        schemas->port = port;
    return schemas;
}

static void entry_free(struct ps_avro_named_schema *schema)
{
    free((char *)(uintptr_t)schema->name.data);
    free(schema->text);
    free(schema);
}

void ps_avro_schemas_destroy(struct ps_avro_schemas *schemas)
{
    if (schemas == NULL)
        return;
    (void)ps_helper_destroy(schemas->helper, 0);
    for (uint32_t i = 0; i < schemas->count; i++)
        entry_free(schemas->entries[i]);
    free(schemas);
}

void ps_avro_schemas_set_reader(struct ps_avro_schemas *schemas, const struct ps_avro_schema_reader *reader)
{
    schemas->reader = *reader;
}

/* ---- entries ---- */

bool ps_avro_schema_is_named(const struct ps_avro_named_schema *schema, bool url, const struct ps_slice *name)
{
    return schema->url == url && schema->name.length == name->length &&
           memcmp(schema->name.data, name->data, name->length) == 0;
}

static struct ps_avro_named_schema *entry_make(struct ps_avro_schemas *schemas, bool url,
                                               const struct ps_slice *name)
{
    struct ps_avro_named_schema *schema = calloc(1, sizeof *schema);
    char *copy = malloc((size_t)name->length + 1);
    if (schema == NULL || copy == NULL) {
        free(schema);
        free(copy);
        return NULL;
    }
    if (name->length > 0)
        memcpy(copy, name->data, name->length);
    copy[name->length] = '\0';
    schema->schemas = schemas;
    schema->name = (struct ps_slice){copy, name->length};
    schema->url = url;
    return schema;
}

/* Returns the index for a new entry: after the others, or the index of the least recently used entry. Returns
 * SCHEMAS_MAX when all entries are in use. */
static uint32_t place_find(struct ps_avro_schemas *schemas)
{
    uint32_t place = SCHEMAS_MAX;
    if (schemas->count < SCHEMAS_MAX)
        return schemas->count++;
    for (uint32_t i = 0; i < SCHEMAS_MAX; i++) {
        const struct ps_avro_named_schema *one = schemas->entries[i];
        if (one->holders == 0 && !one->reading &&
            (place == SCHEMAS_MAX || one->used < schemas->entries[place]->used))
            place = i;
    }
    if (place < SCHEMAS_MAX)
        entry_free(schemas->entries[place]);
    return place;
}

struct ps_avro_named_schema *ps_avro_schemas_hold(struct ps_avro_schemas *schemas, bool url,
                                                  const struct ps_slice *name)
{
    struct ps_avro_named_schema *schema = NULL;
    for (uint32_t i = 0; schema == NULL && i < schemas->count; i++)
        if (ps_avro_schema_is_named(schemas->entries[i], url, name))
            schema = schemas->entries[i];
    if (schema == NULL) {
        schema = entry_make(schemas, url, name);
        uint32_t place = schema != NULL ? place_find(schemas) : SCHEMAS_MAX;
        if (place == SCHEMAS_MAX) {
            if (schema != NULL)
                entry_free(schema);
            return NULL;
        }
        schemas->entries[place] = schema;
    }
    schema->holders++;
    schema->used = ++schemas->used;
    return schema;
}

void ps_avro_schema_release(struct ps_avro_named_schema *schema)
{
    if (schema != NULL)
        schema->holders--;
}

/* ---- reading ---- */

/* Makes the schema from a text if the text is valid. */
static bool entry_set(struct ps_avro_named_schema *schema, const char *text, size_t length,
                      struct ps_err *reason)
{
    schema->starved = false;
    if (!ps_avro_schema_check(text, &length, reason))
        return false;
    char *copy = malloc(length + 1);
    schema->starved = copy == NULL;
    if (copy == NULL)
        return ps_err_set(reason, "no memory") == PS_OK;
    memcpy(copy, text, length);
    copy[length] = '\0';
    ps_avro_schema_blank_comments(copy, length);
    schema->text = copy;
    schema->length = length;
    return true;
}

static void entry_failed(struct ps_avro_named_schema *schema, const char *reason, bool is_final)
{
    struct ps_err err = {.length = 0};
    (void)snprintf(schema->reason, sizeof schema->reason, "%s", reason);
    schema->retry_ns = ps_clock_now().mono_ns + (schema->configured ? RETRY_NS : CHOSEN_RETRY_NS);
    schema->tries += !schema->starved; /* a lack of memory in this process costs no try */
    schema->is_final = is_final;
    if (!schema->configured)
        return; /* the sink says what becomes of the event */
    (void)ps_err_set(&err, "cannot read the Avro schema %.200s: %s", schema->name.data, reason);
    ps_port_troubled_in_part(schema->schemas->port, &err);
    if (!schema->failing)
        ps_log(PS_LOG_ERROR, schema->schemas->port->component,
               "cannot read the Avro schema %s: %s; trying again every %" PRIu64
               " s: events wait for it meanwhile",
               schema->name.data, reason, (uint64_t)(RETRY_NS / PS_NS_PER_S));
    schema->failing = true;
}

void ps_avro_schemas_answer(struct ps_avro_named_schema *schema, const char *text, size_t length,
                            const char *reason, bool is_final)
{
    struct ps_err err = {.length = 0};
    schema->reading = schema->starved = false;
    if (text == NULL || !entry_set(schema, text, length, &err)) {
        entry_failed(schema, text == NULL ? reason : ps_err_join(&err),
                     text == NULL ? is_final : !schema->starved);
        return;
    }
    schema->tries = 0;
    schema->schemas->gave_up = false;
    if (schema->failing)
        ps_log(PS_LOG_INFO, schema->schemas->port->component, "the Avro schema %s is read",
               schema->name.data);
    schema->failing = false;
}

static void job_run(void *, void *job_)
{
    struct job *job = job_;
    ps_schema_url_read(job->url, PS_AVRO_SCHEMA_BYTES_MAX, &job->answer);
}

static void job_free(void *, void *job_)
{
    struct job *job = job_;
    free(job->answer.text.data);
    free(job);
}

static bool helper_ask(struct ps_avro_schemas *schemas, struct ps_avro_named_schema *schema,
                       struct ps_err *reason)
{
    if (schemas->helper == NULL) {
        struct ps_helper_settings settings = {.name = "avro schemas",
                                              .room = JOBS_MAX,
                                              .wake_fd = schemas->port->wake_fd,
                                              .run = job_run,
                                              .discard = job_free};
        schemas->helper = ps_helper_create(&settings, reason);
        if (schemas->helper == NULL)
            return false;
    }
    struct job *job = calloc(1, sizeof *job + schema->name.length + 1);
    if (job == NULL)
        return ps_err_set(reason, "no memory") == PS_OK;
    job->schema = schema;
    memcpy(job->url, schema->name.data, schema->name.length + 1);
    if (ps_helper_ask(schemas->helper, job))
        return true;
    job_free(NULL, job);
    return ps_err_set(reason, "%u other schemas are being read", JOBS_MAX) == PS_OK;
}

static void helper_collect(struct ps_avro_schemas *schemas)
{
    struct job *job;
    while (schemas->helper != NULL && (job = ps_helper_answer(schemas->helper)) != NULL) {
        ps_avro_schemas_answer(job->schema, job->answer.text.data, job->answer.text.length,
                               job->answer.reason, job->answer.is_final);
        job_free(NULL, job);
    }
}

static void read_begin(struct ps_avro_named_schema *schema)
{
    struct ps_avro_schemas *schemas = schema->schemas;
    struct ps_err reason = {.length = 0};
    bool begun = false;
    schema->reading = true;
    schema->starved = false;
    if (memchr(schema->name.data, '\0', schema->name.length) != NULL)
        (void)ps_err_set(&reason, "it has a NUL");
    else if (ps_schema_url_is_known(schema->name.data))
        begun = !(schema->starved = !helper_ask(schemas, schema, &reason));
    else if (schemas->reader.read != NULL)
        begun = schemas->reader.read(schemas->reader.argument, schema->name.data, schema, &reason);
    else
        (void)ps_err_set(&reason, "this sink reads schemas only from file, http and https URLs");
    if (begun)
        return;
    schema->reading = false;
    entry_failed(schema, ps_err_join(&reason), !schema->starved);
}

/* Judges a URL whose last read failed. */
static enum ps_avro_schema_state judge(struct ps_avro_named_schema *schema, struct ps_err *reason)
{
    struct ps_avro_schemas *schemas = schema->schemas;
    bool is_given_up = schema->tries >= (schemas->gave_up ? 1 : PS_AVRO_SCHEMA_TRIES);
    if (schema->configured || schema->reading || (!schema->is_final && !is_given_up)) {
        (void)ps_err_set(reason, "%s", schema->reason);
        return PS_AVRO_SCHEMA_LATER;
    }
    schemas->gave_up |= !schema->is_final;
    (void)ps_err_set(reason, "cannot read the Avro schema %.200s: %s", schema->name.data, schema->reason);
    return PS_AVRO_SCHEMA_BAD;
}

enum ps_avro_schema_state ps_avro_schema_look(struct ps_avro_named_schema *schema, bool configured,
                                              struct ps_err *reason)
{
    schema->configured = configured;
    if (schema->text != NULL)
        return PS_AVRO_SCHEMA_READ;
    if (!schema->url) {
        if (entry_set(schema, schema->name.data, schema->name.length, reason))
            return PS_AVRO_SCHEMA_READ;
        return schema->starved ? PS_AVRO_SCHEMA_LATER : PS_AVRO_SCHEMA_BAD;
    }
    helper_collect(schema->schemas);
    if (!schema->reading && schema->text == NULL && ps_clock_now().mono_ns >= schema->retry_ns)
        read_begin(schema);
    if (schema->text != NULL)
        return PS_AVRO_SCHEMA_READ;
    return judge(schema, reason);
}

struct ps_slice ps_avro_schema_text(const struct ps_avro_named_schema *schema)
{
    return (struct ps_slice){schema->text, (uint32_t)schema->length};
}
