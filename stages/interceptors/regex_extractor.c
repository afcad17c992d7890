/* Interceptor regex_extractor (Flume's RegexExtractorInterceptor): the groups of the first match in the body
 * become headers. Thread: the source's worker.
 *
 * The chain's scan says which events match (stages/lib/rules/regex/chain.h); PCRE2 takes groups on those
 * alone. Values are slices of the body, whose memory is valid as long as the batch; only groups of a body
 * that is not well-formed UTF-8 are copied, from its repaired form. */
#include "stages/lib/date/joda/date.h"
#include "stages/lib/rules/regex/chain.h"
#include "stages/lib/rules/regex/option.h"
#include "stages/lib/date/calendar.h"
#include "stages/lib/instance_counter.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define FLUME "org.apache.flume.interceptor."
#define NUMBER_BYTES 24U

/* The header made of one group. */
struct field {
    const struct ps_name *name;
    const struct ps_joda_date *date; /* NULL: the group is used unchanged */
};

struct regex_extractor_plan {
    const char *pattern;
    struct ps_texts serializers;
    struct ps_pairs keys; /* serializers.<s>.<key> */
    struct ps_regex *regex;
    struct ps_regex_use use;
    struct field *fields; /* [0] is of group 1 */
    unsigned field_count; /* number of fields that have a group */
    struct ps_instance_counter refused;
};

struct regex_extractor_state {
    struct ps_port *port;
    uint32_t position; /* where to continue after PS_RETRY */
};

#define FIELD(name) offsetof(struct regex_extractor_plan, name)

static const struct ps_option options[] = {
    PS_OPTION_ROW("regex", TEXT, FIELD(pattern),
                  "Java regular expression, searched for in the body; its groups become headers",
                  .flags = PS_OPTION_REQUIRED),
    PS_OPTION_ROW("serializers", LIST, FIELD(serializers),
                  "names, one for each group in order, separated by blanks", .flags = PS_OPTION_REQUIRED),
    PS_OPTION_ROW(
        "serializers.", MAP, FIELD(keys),
        "serializers.NAME.name: the header (required). serializers.NAME.type: DEFAULT, the group as it "
        "is, or " FLUME "RegexExtractorInterceptorMillisSerializer, which makes milliseconds of a date; "
        "serializers.NAME.pattern: how that date is written, in Joda-Time's letters"),
    PS_OPTION_END,
};

/* ---- set-up ---- */

static const char *serializer_key(const struct regex_extractor_plan *plan, const char *serializer,
                                  const char *key)
{
    size_t length = strlen(serializer);
    for (size_t i = 0; i < plan->keys.count; i++) {
        const char *have = plan->keys.items[i].key;
        if (strncmp(have, serializer, length) == 0 && have[length] == '.' &&
            strcmp(have + length + 1, key) == 0)
            return plan->keys.items[i].value;
    }
    return NULL;
}

enum serializer_type { SERIALIZER_PASS, SERIALIZER_MILLIS, SERIALIZER_OTHER };

static enum serializer_type serializer_type(const char *type)
{
    if (type == NULL || strcasecmp(type, "DEFAULT") == 0 ||
        strcasecmp(type, FLUME "RegexExtractorInterceptorPassThroughSerializer") == 0)
        return SERIALIZER_PASS;
    if (strcasecmp(type, FLUME "RegexExtractorInterceptorMillisSerializer") == 0)
        return SERIALIZER_MILLIS;
    return SERIALIZER_OTHER;
}

/* Reports a problem with the key serializers.<s>.<key>. Always returns false, for `return
 * serializer_report()`. */
static bool serializer_report(const struct ps_context *context, enum ps_log_level severity,
                              const char *serializer, const char *key, const char *text)
{
    char whole[256];
    snprintf(whole, sizeof whole, "serializers.%s.%s", serializer, key);
    ps_report(context, severity, whole, "%s", text);
    return false;
}

static bool serializer_check(const struct regex_extractor_plan *plan, const struct ps_context *context,
                             const char *serializer)
{
    const char *type = serializer_key(plan, serializer, "type"), *name, *pattern;
    char text[512];
    name = serializer_key(plan, serializer, "name");
    if (name == NULL || name[0] == '\0')
        return serializer_report(context, PS_LOG_ERROR, serializer, "name",
                                 "is missing: the header that the group becomes");
    if (strlen(name) > PS_HEADER_NAME_BYTES_MAX)
        return serializer_report(context, PS_LOG_ERROR, serializer, "name",
                                 "is too long: the name of a header has at most 65,535 bytes");
    pattern = serializer_key(plan, serializer, "pattern");
    switch (serializer_type(type)) {
    case SERIALIZER_OTHER:
        snprintf(
            text, sizeof text,
            "%.200s is a class that penstock does not have; write DEFAULT for the group as it is, or " FLUME
            "RegexExtractorInterceptorMillisSerializer for milliseconds of a date",
            type);
        return serializer_report(context, PS_LOG_ERROR, serializer, "type", text);
    case SERIALIZER_PASS:
        if (pattern != NULL)
            serializer_report(context, PS_LOG_WARN, serializer, "pattern",
                              "has no effect: only the MillisSerializer has a pattern");
        return true;
    case SERIALIZER_MILLIS:
        break;
    }
    if (pattern == NULL || pattern[0] == '\0')
        return serializer_report(context, PS_LOG_ERROR, serializer, "pattern",
                                 "is missing: how the date is written, as yyyy-MM-dd HH:mm:ss");
    struct ps_err err = {.length = 0};
    if (ps_joda_date_create(context->arena, pattern, ps_clock_now().wall_ms, &err) == NULL)
        return serializer_report(context, PS_LOG_ERROR, serializer, "pattern", err.text);
    return true;
}

/* Reports keys of serializers that are not listed, and unknown keys. */
static void keys_check(const struct regex_extractor_plan *plan, const struct ps_context *context)
{
    static const char *const known[] = {"name", "type", "pattern"};
    for (size_t i = 0; i < plan->keys.count; i++) {
        bool used = false;
        for (size_t k = 0; k < plan->serializers.count && !used; k++) {
            for (size_t word = 0; word < PS_COUNT_OF(known) && !used; word++) {
                const char *value = serializer_key(plan, plan->serializers.items[k], known[word]);
                used = value == plan->keys.items[i].value;
            }
        }
        char key[256];
        snprintf(key, sizeof key, "serializers.%s", plan->keys.items[i].key);
        if (!used)
            ps_report(context, PS_LOG_WARN, key, "unknown key, ignored");
    }
}

static void groups_check(const struct regex_extractor_plan *plan, const struct ps_context *context)
{
    struct ps_regex *regex = ps_regex_create(plan->pattern, 0, PS_REGEX_FIND, NULL);
    unsigned groups = ps_regex_group_count(regex);
    if (groups < plan->serializers.count)
        ps_report(context, PS_LOG_WARN, "serializers",
                  "are %zu, but regex has %u group%s: the last %zu set no header", plan->serializers.count,
                  groups, groups == 1 ? "" : "s", plan->serializers.count - groups);
    ps_regex_destroy(regex);
}

static enum ps_status regex_extractor_check(const void *plan_, const struct ps_context *context)
{
    const struct regex_extractor_plan *plan = plan_;
    if (ps_regex_option_check(context, "regex", plan->pattern, PS_REGEX_FIND, PS_REGEX_RUN_GROUPS) != PS_OK)
        return PS_FAIL;
    bool good = true;
    for (size_t i = 0; i < plan->serializers.count; i++)
        good &= serializer_check(plan, context, plan->serializers.items[i]);
    if (plan->serializers.count >= PS_REGEX_GROUPS_MAX) {
        ps_report(context, PS_LOG_ERROR, "serializers", "are %zu; at most %u are possible",
                  plan->serializers.count, PS_REGEX_GROUPS_MAX - 1);
        good = false;
    }
    if (plan->serializers.count == 0) {
        ps_report(context, PS_LOG_ERROR, "serializers", "is empty: name one for each group");
        good = false;
    }
    keys_check(plan, context);
    groups_check(plan, context);
    return good ? PS_OK : PS_FAIL;
}

static void regex_extractor_teardown(void *plan_)
{
    struct regex_extractor_plan *plan = plan_;
    ps_regex_destroy(plan->regex);
    plan->regex = NULL;
}

static enum ps_status fields_build(struct regex_extractor_plan *plan, struct ps_context *context,
                                   struct ps_err *err)
{
    plan->fields = ps_arena_alloc(context->arena, (plan->serializers.count + 1) * sizeof *plan->fields);
    for (size_t i = 0; i < plan->serializers.count; i++) {
        const char *serializer = plan->serializers.items[i];
        struct field *field = &plan->fields[i];
        field->name = ps_name_intern(serializer_key(plan, serializer, "name"));
        if (serializer_type(serializer_key(plan, serializer, "type")) != SERIALIZER_MILLIS)
            continue;
        field->date = ps_joda_date_create(context->arena, serializer_key(plan, serializer, "pattern"),
                                          ps_clock_now().wall_ms, err);
        if (field->date == NULL)
            return ps_err_append(err, "serializers.%s.pattern", serializer);
    }
    unsigned groups = ps_regex_group_count(plan->regex), serializers = (unsigned)plan->serializers.count;
    plan->field_count = serializers < groups ? serializers : groups;
    return PS_OK;
}

static enum ps_status regex_extractor_build(void *plan_, struct ps_context *context, struct ps_err *err)
{
    struct regex_extractor_plan *plan = plan_;
    plan->regex = ps_regex_create(plan->pattern, 0, PS_REGEX_FIND, err);
    if (plan->regex == NULL)
        return PS_FAIL;
    if (fields_build(plan, context, err) != PS_OK) {
        regex_extractor_teardown(plan);
        return PS_FAIL;
    }
    plan->refused = ps_instance_counter_make(context);
    ps_regex_chain_add_candidates(context, plan->regex, &plan->use);
    return PS_OK;
}

static enum ps_status regex_extractor_open(const void *plan_, void *state_, struct ps_port *port,
                                           struct ps_err *err)
{
    const struct regex_extractor_plan *plan = plan_;
    struct regex_extractor_state *state = state_;
    state->port = port;
    return ps_regex_chain_open(&plan->use, port, err);
}

/* ---- events ---- */

/* Makes sure that the value lives as long as the batch. Returns false when there is no memory. */
static bool value_keep(struct ps_batch *batch, const struct ps_event *event, struct ps_slice *value)
{
    uintptr_t body = (uintptr_t)event->body, at = (uintptr_t)value->data;
    if (at >= body && at + value->length <= body + event->body_length)
        return true;
    char *copy = ps_batch_alloc(batch, value->length > 0 ? value->length : 1);
    if (copy == NULL)
        return false;
    if (value->length > 0)
        memcpy(copy, value->data, value->length);
    value->data = copy;
    return true;
}

/* Replaces `value` by the date's milliseconds, printed to `text`. Returns false when the value is not a date of
 * this format. */
static bool value_millis(const struct ps_joda_date *date, struct ps_slice *value, char *text)
{
    int64_t ms;
    if (value->data == NULL || !ps_joda_date_parse(date, value->data, value->length, &ms))
        return false;
    *value = (struct ps_slice){text, ps_time_render(ms, text)};
    return true;
}

/* Sets the header of one group. For a group that did not match, Flume puts null, which later components
 * see as a missing header. */
static bool field_set(const struct field *field, struct ps_batch *batch, struct ps_event *event,
                      struct ps_slice value)
{
    if (value.data == NULL) {
        return (event->mask | batch->shared_mask) & field->name->mask
                   ? ps_batch_header_remove(batch, event, field->name)
                   : true;
    }
    return value_keep(batch, event, &value) &&
           ps_batch_header_set(batch, event, field->name, value.data, value.length);
}

/* Returns false when there is no memory; the next call sets all headers of the event again. */
static bool event_extract(const struct regex_extractor_plan *plan, const struct regex_extractor_state *state,
                          struct ps_batch *batch, struct ps_event *event)
{
    struct ps_slice groups[PS_REGEX_GROUPS_MAX];
    if (!ps_regex_find(plan->regex, ps_regex_chain_scratch(state->port), event->body, event->body_length, 0,
                       groups, plan->field_count + 1))
        return true;
    for (unsigned i = 0; i < plan->field_count; i++) {
        const struct field *field = &plan->fields[i];
        char text[NUMBER_BYTES];
        if (field->date != NULL && !value_millis(field->date, &groups[i + 1], text)) {
            ps_instance_counter_add(&plan->refused, state->port, 1);
            continue;
        }
        if (!field_set(field, batch, event, groups[i + 1]))
            return false;
    }
    return true;
}

static enum ps_result regex_extractor_work(const void *plan_, void *state_, struct ps_lease *lease,
                                           const struct ps_now *)
{
    const struct regex_extractor_plan *plan = plan_;
    struct regex_extractor_state *state = state_;
    if (lease->count == 0 || plan->field_count == 0)
        return PS_DONE;
    const uint64_t *bits = ps_regex_chain_bits(&plan->use, state->port, lease);
    for (; state->position < lease->count; state->position++) {
        uint16_t row = ps_lease_row(lease, state->position);
        if ((bits[row / 64] >> (row % 64)) & 1) {
            if (!event_extract(plan, state, lease->batch, &lease->batch->events[row]))
                return PS_RETRY;
        } else if (bits[row / 64] == 0 && lease->index == NULL) {
            state->position = row | 63U; /* none of these 64 rows matches */
        }
    }
    state->position = 0;
    return PS_DONE;
}

/* ---- metrics and description ---- */

static void regex_extractor_describe(const void *plan_, const struct ps_context *context,
                                     void (*line)(void *argument, const char *text), void *argument)
{
    const struct regex_extractor_plan *plan = plan_;
    ps_regex_option_describe(context, "regex", plan->pattern, PS_REGEX_FIND, PS_REGEX_RUN_GROUPS, line,
                             argument);
}

static void regex_extractor_series(const void *plan_,
                                   void (*add)(void *argument, const struct ps_series *series),
                                   void *argument)
{
    const struct regex_extractor_plan *plan = plan_;
    ps_regex_chain_series(&plan->use, add, argument);
    add(argument,
        &(struct ps_series){
            .name = "regex_dates_refused",
            .help = "Groups that are not a date of the serializer's pattern: the header was not set",
            .label = "header",
            .label_value = "any",
            .value = (double)ps_instance_counter_sum(&plan->refused)});
}

static const struct ps_interceptor_ops interceptor = {.work = regex_extractor_work};

const struct ps_stage_ops ps_interceptor_regex_extractor = {
    PS_STAGE(PS_KIND_INTERCEPTOR),
    .name = "regex_extractor",
    .aliases = PS_WORDS("org.apache.flume.interceptor.RegexExtractorInterceptor$Builder"),
    .summary = "makes headers of the groups of a regular expression over the body",
    .options = options,
    .plan_size = sizeof(struct regex_extractor_plan),
    .state_size = sizeof(struct regex_extractor_state),
    .check = regex_extractor_check,
    .build = regex_extractor_build,
    .teardown = regex_extractor_teardown,
    .open = regex_extractor_open,
    .describe = regex_extractor_describe,
    .series = regex_extractor_series,
    .interceptor = &interceptor,
};
