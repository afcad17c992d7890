/* Interceptor remove_header (Flume's RemoveHeaderInterceptor): removes headers by name, from the whole
 * batch at once, and by a regular expression that matches names. Thread: the source's worker.
 *
 * Header names repeat: the result of the expression is cached, so that it runs once per name. */
#include "core/stage.h"
#include "regex/regex.h"
#include "stages/lib/rules/regex/option.h"

#include <string.h>

#define DECISIONS 64U
#define DECISION_BYTES 56U /* longer names are matched each time */

struct remove_header_plan {
    const char *with_name, *from_list, *separator, *matching;
    size_t name_count;
    const struct ps_name **names;
    struct ps_regex *regex; /* NULL: no `matching` */
};

/* The cached result of the expression for one name. */
struct decision {
    uint32_t hash;
    uint8_t length;
    bool known, remove;
    char text[DECISION_BYTES];
};

struct remove_header_state {
    struct ps_regex_scratch *scratch;
    struct decision decisions[DECISIONS]; /* by hash; a new one replaces the old one */
};

#define FIELD(name) offsetof(struct remove_header_plan, name)

static const struct ps_option options[] = {
    PS_OPTION_ROW("withName", TEXT, FIELD(with_name), "name of one header to remove"),
    PS_OPTION_ROW("fromList", TEXT, FIELD(from_list), "names of headers to remove"),
    PS_OPTION_ROW("fromListSeparator", TEXT, FIELD(separator),
                  "Java regular expression for the text between the names in fromList",
                  .fallback = "\\s*,\\s*"),
    PS_OPTION_ROW("matching", TEXT, FIELD(matching),
                  "Java regular expression; headers whose whole name matches are removed"),
    PS_OPTION_END,
};

static enum ps_status remove_header_check(const void *plan_, const struct ps_context *context)
{
    const struct remove_header_plan *plan = plan_;
    enum ps_status status = PS_OK;
    if (plan->from_list != NULL && ps_regex_option_check(context, "fromListSeparator", plan->separator,
                                                         PS_REGEX_FIND, PS_REGEX_RUN_PCRE2) != PS_OK)
        status = PS_FAIL;
    if (plan->matching != NULL && ps_regex_option_check(context, "matching", plan->matching, PS_REGEX_WHOLE,
                                                        PS_REGEX_RUN_PCRE2) != PS_OK)
        status = PS_FAIL;
    if (plan->with_name == NULL && plan->from_list == NULL && plan->matching == NULL)
        ps_report(context, PS_LOG_WARN, "withName",
                  "neither withName nor fromList nor matching is set: nothing is removed");
    return status;
}

/* ---- build ---- */

static void names_add(struct remove_header_plan *plan, const char *text, size_t length)
{
    if (length <= PS_HEADER_NAME_BYTES_MAX) /* no header has a longer name */
        plan->names[plan->name_count++] = ps_name_intern_bytes(text, length);
}

/* Java's String.split: no empty piece before a zero-width separator at the start, and none at the end. */
static void names_split(struct remove_header_plan *plan, const struct ps_regex *separator,
                        struct ps_regex_scratch *scratch)
{
    const char *text = plan->from_list;
    size_t length = strlen(text), begun = 0, from = 0, first = plan->name_count, filled = first;
    struct ps_slice match;
    while (from <= length && ps_regex_find(separator, scratch, text, length, from, &match, 1)) {
        size_t start = (size_t)(match.data - text), end = start + match.length;
        if (end > 0) {
            names_add(plan, text + begun, start - begun);
            begun = end;
        }
        from = end;
        if (match.length == 0) { /* the next match begins at least one character later */
            from++;
            while (from < length && ((uint8_t)text[from] & 0xC0) == 0x80)
                from++;
        }
    }
    names_add(plan, text + begun, length - begun);
    for (size_t i = first; i < plan->name_count; i++) {
        if (plan->names[i]->length > 0)
            filled = i + 1;
    }
    if (begun > 0)
        plan->name_count = filled;
}

static enum ps_status list_build(struct remove_header_plan *plan, struct ps_err *err)
{
    struct ps_regex *separator = ps_regex_create(plan->separator, 0, PS_REGEX_FIND, err);
    if (separator == NULL)
        return ps_err_append(err, "fromListSeparator \"%s\"", plan->separator);
    struct ps_regex_scratch *scratch = ps_regex_scratch_create();
    names_split(plan, separator, scratch);
    ps_regex_scratch_destroy(scratch);
    ps_regex_destroy(separator);
    return PS_OK;
}

static enum ps_status remove_header_build(void *plan_, struct ps_context *context, struct ps_err *err)
{
    struct remove_header_plan *plan = plan_;
    size_t most =
        4 + (plan->from_list != NULL ? 2 * strlen(plan->from_list) : 0); /* a text, an empty one, .. */
    plan->names = ps_arena_alloc(context->arena, most * sizeof(struct ps_name *));
    if (plan->with_name != NULL)
        names_add(plan, plan->with_name, strlen(plan->with_name));
    if (plan->from_list != NULL && list_build(plan, err) != PS_OK)
        return PS_FAIL;
    if (plan->matching == NULL)
        return PS_OK;
    plan->regex = ps_regex_create(plan->matching, 0, PS_REGEX_WHOLE, err);
    return plan->regex != NULL ? PS_OK : ps_err_append(err, "matching \"%s\"", plan->matching);
}

static void remove_header_teardown(void *plan_)
{
    struct remove_header_plan *plan = plan_;
    if (plan->regex != NULL)
        ps_regex_destroy(plan->regex);
    plan->regex = NULL;
}

static enum ps_status remove_header_open(const void *plan_, void *state_, struct ps_port *, struct ps_err *)
{
    const struct remove_header_plan *plan = plan_;
    struct remove_header_state *state = state_;
    if (plan->regex != NULL)
        state->scratch = ps_regex_scratch_create();
    return PS_OK;
}

static void remove_header_close(const void *, void *state_)
{
    struct remove_header_state *state = state_;
    if (state->scratch != NULL)
        ps_regex_scratch_destroy(state->scratch);
    state->scratch = NULL;
}

/* ---- work ---- */

static bool name_matches(const struct remove_header_plan *plan, struct remove_header_state *state,
                         const struct ps_name *name)
{
    struct decision *decision = &state->decisions[name->hash % DECISIONS];
    if (decision->known && decision->hash == name->hash && decision->length == name->length &&
        memcmp(decision->text, name->text, name->length) == 0)
        return decision->remove;
    bool remove = ps_regex_find(plan->regex, state->scratch, name->text, name->length, 0, NULL, 0);
    if (name->length <= DECISION_BYTES) {
        *decision = (struct decision){
            .hash = name->hash, .length = (uint8_t)name->length, .known = true, .remove = remove};
        memcpy(decision->text, name->text, name->length);
    }
    return remove;
}

/* Removes the batch's shared headers first, so that no event has to list them as removed. */
static void matching_remove(const struct remove_header_plan *plan, struct remove_header_state *state,
                            struct ps_lease *lease)
{
    struct ps_batch *batch = lease->batch;
    for (const struct ps_header *header = batch->shared; header != NULL;) {
        if (name_matches(plan, state, header->name)) {
            ps_batch_shared_remove(batch, header->name);
            header = batch->shared;
        } else {
            header = header->next;
        }
    }
    for (uint32_t position = 0; position < lease->count && batch->own_mask != 0; position++) {
        struct ps_event *event = ps_lease_event(lease, position);
        for (const struct ps_header *header = event->headers; header != NULL;) {
            if (name_matches(plan, state, header->name)) {
                (void)ps_batch_header_remove(batch, event, header->name);
                header = event->headers;
            } else {
                header = header->next;
            }
        }
    }
}

static enum ps_result remove_header_work(const void *plan_, void *state_, struct ps_lease *lease,
                                         const struct ps_now *)
{
    const struct remove_header_plan *plan = plan_;
    for (size_t i = 0; i < plan->name_count; i++)
        ps_batch_shared_remove(lease->batch, plan->names[i]);
    if (plan->regex != NULL)
        matching_remove(plan, state_, lease);
    return PS_DONE;
}

static void remove_header_describe(const void *plan_, const struct ps_context *context,
                                   void (*line)(void *argument, const char *text), void *argument)
{
    const struct remove_header_plan *plan = plan_;
    if (plan->matching != NULL)
        ps_regex_option_describe(context, "matching", plan->matching, PS_REGEX_WHOLE, PS_REGEX_RUN_PCRE2,
                                 line, argument);
}

static const struct ps_interceptor_ops interceptor = {.work = remove_header_work};

const struct ps_stage_ops ps_interceptor_remove_header = {
    PS_STAGE(PS_KIND_INTERCEPTOR),
    .name = "remove_header",
    .aliases = PS_WORDS("org.apache.flume.interceptor.RemoveHeaderInterceptor$Builder"),
    .summary = "removes headers by name",
    .options = options,
    .plan_size = sizeof(struct remove_header_plan),
    .state_size = sizeof(struct remove_header_state),
    .check = remove_header_check,
    .build = remove_header_build,
    .teardown = remove_header_teardown,
    .open = remove_header_open,
    .close = remove_header_close,
    .describe = remove_header_describe,
    .interceptor = &interceptor,
};
