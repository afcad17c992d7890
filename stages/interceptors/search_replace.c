/* Interceptor search_replace (Flume's SearchAndReplaceInterceptor): replaces every match of an expression in
 * the body, by Java's rules. Thread: the source's worker.
 *
 * Flume decodes every body and encodes it again, so a body that is malformed in its charset changes even
 * without a match; it does so here as well. Otherwise the chain's scan reports which events match, and other
 * events are not changed. New bodies are gathered in the state and put into the batch together, separated by
 * newlines, so that the next pass can scan them in place. When the batch has no room, they stay gathered for
 * the next call, so no event is replaced twice. */
#include "core/log/backoff.h"
#include "core/text/utf8.h"
#include "regex/budget.h"
#include "stages/lib/text/charset.h"
#include "stages/lib/rules/regex/chain.h"
#include "stages/lib/rules/regex/option.h"
#include "stages/lib/instance_counter.h"

#include <stdlib.h>
#include <string.h>

/* Number of bytes that are gathered before they go into the batch. For a batch that already has many blocks, all
 * bodies are gathered and put at once. */
#define GATHER_BYTES (PS_BLOCK_BYTES / 4)
#define BLOCKS_MANY (PS_BATCH_BLOCKS_MAX / 2)
#define NEW_BODY_BYTES_MAX PS_BODY_BYTES_MAX

struct search_replace_plan {
    const char *pattern, *text, *charset_name;
    struct ps_regex *regex;
    struct ps_regex_replacement *replacement;
    struct ps_charset charset;
    bool scanned;          /* ASCII bytes mean ASCII in this charset, so the chain's scan can be used */
    bool plain;            /* the replacement is ASCII */
    uint64_t budget_bytes; /* memory budget of the process; 0: unknown */
    struct ps_regex_use use;
    struct ps_instance_counter left;
};

struct buffer {
    char *data;
    size_t room;
};

struct gathered {
    struct ps_event *event;
    size_t offset;
    uint32_t length;
};

struct search_replace_state {
    struct ps_port *port;
    struct ps_regex_scratch *own_scratch; /* used when there is no scratch of the chain */
    struct ps_regex_budget own_budget;    /* budget of own_scratch */
    struct ps_transcoder transcoder;
    struct ps_log_backoff trouble; /* there is no memory */
    struct buffer decoded, replaced, out;
    size_t used;       /* used bytes of `out` */
    uint64_t made;     /* bytes made for this batch so far */
    uint32_t position; /* next event to process */
    uint32_t count;    /* bodies gathered but not yet in the batch */
    struct gathered gathered[PS_BATCH_EVENTS_MAX];
};

#define FIELD(name) offsetof(struct search_replace_plan, name)

static const struct ps_option options[] = {
    PS_OPTION_ROW("searchPattern", TEXT, FIELD(pattern),
                  "Java regular expression; every match in the body is replaced",
                  .flags = PS_OPTION_REQUIRED),
    PS_OPTION_ROW("replaceString", TEXT, FIELD(text),
                  "the replacement: $1 and ${name} are groups, a backslash escapes a character",
                  .fallback = ""),
    PS_OPTION_ROW("charset", TEXT, FIELD(charset_name), "character set of the bodies, by Java's name",
                  .fallback = "UTF-8"),
    PS_OPTION_END,
};

/* ---- set-up ---- */

static enum ps_status search_replace_check(const void *plan_, const struct ps_context *context)
{
    const struct search_replace_plan *plan = plan_;
    struct ps_err err = {.length = 0};
    struct ps_charset charset;
    bool good = true;
    if (ps_charset_find(plan->charset_name, &charset, &err) != PS_OK) {
        ps_report(context, PS_LOG_ERROR, "charset", "%s", err.text);
        good = false;
    }
    if (ps_regex_option_check(context, "searchPattern", plan->pattern, PS_REGEX_FIND, PS_REGEX_RUN_GROUPS) !=
        PS_OK)
        return PS_FAIL;
    struct ps_regex *regex = ps_regex_create(plan->pattern, 0, PS_REGEX_FIND, NULL);
    struct ps_regex_replacement *replacement = ps_regex_replacement_create(regex, plan->text, &err);
    if (replacement == NULL) {
        ps_report(context, PS_LOG_ERROR, "replaceString", "%s", err.text);
        good = false;
    } else {
        ps_regex_replacement_destroy(replacement);
    }
    ps_regex_destroy(regex);
    return good ? PS_OK : PS_FAIL;
}

static void search_replace_teardown(void *plan_)
{
    struct search_replace_plan *plan = plan_;
    ps_regex_replacement_destroy(plan->replacement);
    if (plan->regex != NULL)
        ps_regex_destroy(plan->regex);
    plan->replacement = NULL;
    plan->regex = NULL;
}

static enum ps_status search_replace_build(void *plan_, struct ps_context *context, struct ps_err *err)
{
    struct search_replace_plan *plan = plan_;
    if (ps_charset_find(plan->charset_name, &plan->charset, err) != PS_OK)
        return PS_FAIL;
    plan->scanned = plan->charset.kind < PS_CHARSET_UTF16;
    plan->plain = ps_utf8_is_ascii(plan->text, strlen(plan->text));
    plan->budget_bytes = context->memory_budget_bytes;
    plan->regex = ps_regex_create(plan->pattern, 0, PS_REGEX_FIND, err);
    if (plan->regex != NULL)
        plan->replacement = ps_regex_replacement_create(plan->regex, plan->text, err);
    if (plan->replacement == NULL) {
        search_replace_teardown(plan);
        return PS_FAIL;
    }
    plan->left = ps_instance_counter_make(context);
    if (plan->scanned)
        ps_regex_chain_add_candidates(context, plan->regex, &plan->use);
    ps_regex_chain_edits(context);
    return PS_OK;
}

static void search_replace_close(const void *, void *state_)
{
    struct search_replace_state *state = state_;
    if (state->own_scratch != NULL)
        ps_regex_scratch_destroy(state->own_scratch);
    ps_transcoder_close(&state->transcoder);
    free(state->decoded.data);
    free(state->replaced.data);
    free(state->out.data);
}

static enum ps_status search_replace_open(const void *plan_, void *state_, struct ps_port *port,
                                          struct ps_err *err)
{
    const struct search_replace_plan *plan = plan_;
    struct search_replace_state *state = state_;
    state->port = port;
    if (ps_transcoder_open(&state->transcoder, &plan->charset, err) != PS_OK)
        return PS_FAIL;
    if (!plan->scanned) {
        state->own_scratch = ps_regex_scratch_create();
        ps_regex_budget_init(&state->own_budget, port->component);
        ps_regex_scratch_limit(state->own_scratch, &state->own_budget);
    } else if (ps_regex_chain_open(&plan->use, port, err) != PS_OK) {
        ps_transcoder_close(&state->transcoder);
        return PS_FAIL;
    }
    return PS_OK;
}

/* ---- one body ---- */

/* Makes room for `bytes` bytes. Allocates only when it needs more than ever before. */
static bool buffer_need(struct buffer *buffer, size_t bytes)
{
    if (bytes <= buffer->room)
        return true;
    size_t room = buffer->room > 0 ? buffer->room : 4096;
    while (room < bytes)
        room *= 2;
    char *data = realloc(buffer->data, room);
    if (data == NULL)
        return false;
    *buffer = (struct buffer){data, room};
    return true;
}

enum outcome {
    BODY_SAME,
    BODY_NEW,
    BODY_TOO_LONG,  /* the result would be too long: the body is not changed */
    BODY_NO_MEMORY, /* the body must be tried again, because it may have what is to be replaced */
};

/* Writes replaceAll of a text to `buffer` at `used`. `most`: maximum bytes of the result. */
static enum outcome text_replace(const struct search_replace_plan *plan, struct search_replace_state *state,
                                 const char *text, size_t length, struct buffer *buffer, size_t used,
                                 size_t most, size_t *made, uint32_t *count)
{
    struct ps_regex_scratch *scratch =
        plan->scanned ? ps_regex_chain_scratch(state->port) : state->own_scratch;
    for (size_t guess = length + 64;; guess = buffer->room - used + 1) {
        if (!buffer_need(buffer, used + guess))
            return BODY_NO_MEMORY;
        *made = ps_regex_replace_all(plan->regex, scratch, plan->replacement, text, length,
                                     buffer->data + used, buffer->room - used, count);
        if (*made != SIZE_MAX)
            return *made <= most ? BODY_NEW : BODY_TOO_LONG;
        if (buffer->room - used > most)
            return BODY_TOO_LONG;
    }
}

/* Handles a body that is UTF-8 or only ASCII. `matches`: the result of the scan. */
static enum outcome body_utf8(const struct search_replace_plan *plan, struct search_replace_state *state,
                              const struct ps_event *event, bool matches, size_t most, size_t *made)
{
    uint32_t count = 0;
    if (matches) {
        enum outcome outcome = text_replace(plan, state, event->body, event->body_length, &state->out,
                                            state->used, most, made, &count);
        if (outcome != BODY_NEW || count > 0)
            return outcome;
    }
    if (ps_utf8_valid_length(event->body, event->body_length) == event->body_length)
        return BODY_SAME;
    if (!buffer_need(&state->out, state->used + 3 * (size_t)event->body_length))
        return BODY_NO_MEMORY;
    *made = ps_utf8_repair(event->body, event->body_length, state->out.data + state->used);
    return *made <= most ? BODY_NEW : BODY_TOO_LONG;
}

/* Handles a body in any other charset: decodes, replaces, encodes. */
static enum outcome body_transcode(const struct search_replace_plan *plan, struct search_replace_state *state,
                                   const struct ps_event *event, size_t most, size_t *made)
{
    size_t length, replaced;
    uint32_t count;
    if (!buffer_need(&state->decoded, PS_CHARSET_DECODED_MAX(event->body_length)))
        return BODY_NO_MEMORY;
    (void)ps_transcoder_decode(&state->transcoder, event->body, event->body_length, true, false,
                               state->decoded.data, &length);
    enum outcome outcome =
        text_replace(plan, state, state->decoded.data, length, &state->replaced, 0, most, &replaced, &count);
    if (outcome != BODY_NEW)
        return outcome;
    if (!buffer_need(&state->out, state->used + PS_CHARSET_ENCODED_MAX(replaced)))
        return BODY_NO_MEMORY;
    ps_transcoder_encode(&state->transcoder, state->replaced.data, replaced, state->out.data + state->used,
                         made);
    if (*made == event->body_length &&
        (*made == 0 || memcmp(state->out.data + state->used, event->body, *made) == 0))
        return BODY_SAME;
    return *made <= most ? BODY_NEW : BODY_TOO_LONG;
}

/* Returns true when the body and its replacement have the same bytes in UTF-8 and need no conversion. */
static bool is_utf8(const struct search_replace_plan *plan, const struct ps_event *event, bool matches)
{
    if (plan->charset.kind == PS_CHARSET_UTF8)
        return true;
    return plan->scanned && (!matches || plan->plain) && ps_utf8_is_ascii(event->body, event->body_length);
}

/* Returns how many bytes may still be made for this batch: its blocks and the new bodies must fit the
 * budget. */
static size_t bytes_left(const struct search_replace_plan *plan, const struct search_replace_state *state,
                         const struct ps_batch *batch)
{
    uint64_t most = NEW_BODY_BYTES_MAX;
    if (plan->budget_bytes > 0) {
        uint64_t free_bytes =
            plan->budget_bytes > batch->body_bytes ? (plan->budget_bytes - batch->body_bytes) / 4 * 3 : 0;
        if (free_bytes < most)
            most = free_bytes;
    }
    return most > state->made ? (size_t)(most - state->made) : 0;
}

/* Returns false if there is no memory: the event is as it was. */
static bool event_replace(const struct search_replace_plan *plan, struct search_replace_state *state,
                          const struct ps_batch *batch, struct ps_event *event, bool matches)
{
    size_t most = bytes_left(plan, state, batch), made = 0;
    enum outcome outcome = is_utf8(plan, event, matches) ? body_utf8(plan, state, event, matches, most, &made)
                                                         : body_transcode(plan, state, event, most, &made);
    if (outcome == BODY_TOO_LONG)
        ps_instance_counter_add(&plan->left, state->port, 1);
    if (outcome != BODY_NEW)
        return outcome != BODY_NO_MEMORY;
    state->gathered[state->count++] = (struct gathered){event, state->used, (uint32_t)made};
    state->used += made;
    state->made += made + 1;
    if (buffer_need(&state->out, state->used + 1))
        state->out.data[state->used++] = '\n';
    return true;
}

/* ---- the batch ---- */

/* Puts the gathered bodies into the batch. Returns false when there is no room; they stay gathered. */
static bool gathered_put(struct search_replace_state *state, struct ps_lease *lease)
{
    if (state->count == 0)
        return true;
    char *room = ps_batch_alloc(lease->batch, state->used > 0 ? (uint32_t)state->used : 1);
    if (room == NULL)
        return false;
    memcpy(room, state->out.data, state->used);
    for (uint32_t i = 0; i < state->count; i++) {
        const struct gathered *gathered = &state->gathered[i];
        ps_lease_body_set(lease, gathered->event, room + gathered->offset, gathered->length);
    }
    state->count = 0;
    state->used = 0;
    return true;
}

/* Reports, at most once a minute, that the batch waits for memory. */
static enum ps_result no_memory(struct search_replace_state *state, const struct ps_now *now)
{
    static const char text[] = "no memory for a new body: the batch waits";
    if (ps_log_backoff_says_outage(&state->trouble, text, now->mono_ns, 60 * PS_NS_PER_S))
        ps_log(PS_LOG_ERROR, state->port->component, "%s", text);
    return PS_RETRY;
}

static enum ps_result search_replace_work(const void *plan_, void *state_, struct ps_lease *lease,
                                          const struct ps_now *now)
{
    const struct search_replace_plan *plan = plan_;
    struct search_replace_state *state = state_;
    if (lease->count == 0)
        return PS_DONE;
    const uint64_t *bits = plan->scanned ? ps_regex_chain_bits(&plan->use, state->port, lease) : NULL;
    if (!plan->scanned && state->position == 0 && state->count == 0)
        ps_regex_budget_begin(&state->own_budget);
    size_t gather = ps_batch_block_count(lease->batch) < BLOCKS_MANY ? GATHER_BYTES : SIZE_MAX;
    if (!gathered_put(state, lease))
        return PS_RETRY;
    while (state->position < lease->count) {
        uint16_t row = ps_lease_row(lease, state->position++);
        bool matches = bits != NULL && ((bits[row / 64] >> (row % 64)) & 1);
        if (!event_replace(plan, state, lease->batch, &lease->batch->events[row], matches)) {
            state->position--;
            return no_memory(state, now);
        }
        if (state->used >= gather && !gathered_put(state, lease))
            return PS_RETRY;
    }
    if (!gathered_put(state, lease))
        return PS_RETRY;
    state->position = 0;
    state->made = 0;
    return PS_DONE;
}

/* ---- metrics and description ---- */

static void search_replace_describe(const void *plan_, const struct ps_context *context,
                                    void (*line)(void *argument, const char *text), void *argument)
{
    const struct search_replace_plan *plan = plan_;
    struct ps_charset charset;
    bool scanned =
        ps_charset_find(plan->charset_name, &charset, NULL) == PS_OK && charset.kind < PS_CHARSET_UTF16;
    ps_regex_option_describe(context, "searchPattern", plan->pattern, PS_REGEX_FIND,
                             scanned ? PS_REGEX_RUN_GROUPS : PS_REGEX_RUN_PCRE2, line, argument);
}

static void search_replace_series(const void *plan_,
                                  void (*add)(void *argument, const struct ps_series *series), void *argument)
{
    const struct search_replace_plan *plan = plan_;
    ps_regex_chain_series(&plan->use, add, argument);
    add(argument,
        &(struct ps_series){.name = "replacements_left_out",
                            .help = "Bodies not changed because the new ones would not fit the memory budget",
                            .label = "reason",
                            .label_value = "too long",
                            .value = (double)ps_instance_counter_sum(&plan->left)});
}

static const struct ps_interceptor_ops interceptor = {.work = search_replace_work};

const struct ps_stage_ops ps_interceptor_search_replace = {
    PS_STAGE(PS_KIND_INTERCEPTOR),
    .name = "search_replace",
    .aliases = PS_WORDS("org.apache.flume.interceptor.SearchAndReplaceInterceptor$Builder"),
    .summary = "replaces the matches of a regular expression in the body",
    .options = options,
    .plan_size = sizeof(struct search_replace_plan),
    .state_size = sizeof(struct search_replace_state),
    .check = search_replace_check,
    .build = search_replace_build,
    .teardown = search_replace_teardown,
    .open = search_replace_open,
    .close = search_replace_close,
    .describe = search_replace_describe,
    .series = search_replace_series,
    .interceptor = &interceptor,
};
