/* The chain is built on the control thread; each open instance belongs to one worker. Both use the list of
 * open instances, which a mutex guards: it is taken by open, close and metrics, never by `work`. */
#include "stages/lib/rules/regex/chain.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "regex/budget.h"

#define PATTERNS_MAX 64U
#define WORDS PS_MATCHER_WORDS

_Static_assert(PS_BATCH_EVENTS_MAX <= PS_MATCHER_SUBJECTS_MAX, "one scan must hold a whole batch");

struct pattern {
    const struct ps_regex *regex;
    struct ps_regex *fragment;    /* owned; then `regex` points to it. NULL: `regex` is the stage's */
    const struct ps_regex *whole; /* PCRE2 checks it where the fragment was found; or NULL */
    const char *component;        /* the stage that registered it; lives as long as the plan */
    bool alone;                   /* too expensive for Hyperscan: PCRE2 matches every event */
    unsigned slot;                /* index of its bits; the patterns in the matcher have the lowest ones */
};

struct pass {
    unsigned count, scanned_count; /* all patterns; those in the matcher */
    struct pattern patterns[PATTERNS_MAX];
    const struct ps_regex *scanned[PATTERNS_MAX]; /* the patterns in the matcher, in slot order */
    struct ps_matcher *matcher;                   /* NULL: all patterns are `alone` */
    char label[16];                               /* "1", in metrics */
    struct ps_matcher_counts ended;               /* counts of closed instances */
};

struct open_pass {
    struct ps_matcher_scratch *scratch;
    const struct ps_batch *batch;            /* the batch whose bits are stored */
    uint64_t sequence;                       /* its number, because batches are reused */
    uint64_t asked;                          /* patterns whose bits were requested since */
    uint64_t *by_subject, *by_row, *current; /* [count * WORDS] */
};

/* The open instance of one worker: the value of the port's share. */
struct open_chain {
    struct ps_regex_chain *chain;
    struct open_chain *next;
    struct ps_regex_scratch *scratch;
    struct ps_regex_budget budget; /* of the batch, in all passes */
    unsigned scanned;              /* the pass of that batch that was scanned last, + 1 */
    uint64_t given_up;             /* ps_regex_scratch_given_up at the last batch; read from any thread */
    struct ps_slice subjects[PS_BATCH_EVENTS_MAX];
    struct open_pass passes[];
};

struct ps_regex_chain {
    struct pass **passes;
    unsigned pass_count;
    bool edited; /* the next expression begins a new pass */
    bool idle;
    char *program;
    pthread_mutex_t lock; /* guards `ended` of all passes, `open` and the members that follow */
    struct open_chain *open;
    uint64_t ended_given_up;
};

static void *allocate(size_t count, size_t size)
{
    return ps_must_alloc(count, size, "a chain of interceptors");
}

/* ---- building ---- */

/* Removes a pattern that is too expensive for Hyperscan from the matcher. */
static void pattern_alone(struct pattern *pattern, const char *why)
{
    pattern->alone = true;
    ps_log(PS_LOG_WARN, pattern->component, "regex \"%s\" is run on every event by PCRE2 alone: %s",
           ps_regex_text(pattern->regex), why);
}

static void pass_arrange(struct pass *pass)
{
    pass->scanned_count = 0;
    for (unsigned i = 0; i < pass->count; i++) {
        if (!pass->patterns[i].alone) {
            pass->patterns[i].slot = pass->scanned_count;
            pass->scanned[pass->scanned_count++] = pass->patterns[i].regex;
        }
    }
    unsigned slot = pass->scanned_count;
    for (unsigned i = 0; i < pass->count; i++) {
        if (pass->patterns[i].alone)
            pass->patterns[i].slot = slot++;
    }
}

/* Removes the pattern with number `slot` from the matcher, or all patterns when there is no such number. */
static void pass_give_up(struct pass *pass, uint32_t slot, const char *why)
{
    for (unsigned i = 0; i < pass->count; i++) {
        struct pattern *pattern = &pass->patterns[i];
        if (!pattern->alone && (pattern->slot == slot || slot >= pass->scanned_count))
            pattern_alone(pattern, why);
    }
}

/* Compiles the matcher of a pass. Expressions that Hyperscan cannot compile are run by PCRE2, so that every
 * chain that works in Flume works here. */
static void pass_compile(const struct ps_regex_chain *chain, struct pass *pass)
{
    struct ps_matcher_options options = {.program = chain->program,
                                         .compile_memory_bytes = PS_MATCHER_COMPILE_MEMORY_BYTES,
                                         .compile_time_ms = PS_MATCHER_COMPILE_TIME_MS,
                                         .idle = chain->idle};
    for (pass_arrange(pass); pass->scanned_count > 0; pass_arrange(pass)) {
        struct ps_matcher_report report = {.failed_pattern = UINT32_MAX};
        struct ps_err err = {.length = 0};
        pass->matcher = ps_matcher_create(pass->scanned, pass->scanned_count, &options, &report, &err);
        if (pass->matcher != NULL)
            return;
        pass_give_up(pass, report.failed_pattern, err.text);
    }
}

static enum ps_status chain_finish(void *value, struct ps_err *)
{
    struct ps_regex_chain *chain = value;
    for (unsigned i = 0; i < chain->pass_count; i++)
        pass_compile(chain, chain->passes[i]);
    return PS_OK;
}

static void chain_destroy(void *value)
{
    struct ps_regex_chain *chain = value;
    PS_ASSERT(chain->open == NULL);
    for (unsigned i = 0; i < chain->pass_count; i++) {
        struct pass *pass = chain->passes[i];
        ps_matcher_destroy(pass->matcher);
        for (unsigned k = 0; k < pass->count; k++)
            ps_regex_destroy(pass->patterns[k].fragment);
        free(pass);
    }
    pthread_mutex_destroy(&chain->lock);
    free(chain->passes);
    free(chain->program);
    free(chain);
}

static struct ps_regex_chain *chain_of(struct ps_context *context)
{
    if (context->chain->value != NULL)
        return context->chain->value;
    struct ps_regex_chain *chain = allocate(1, sizeof *chain);
    pthread_mutex_init(&chain->lock, NULL);
    chain->edited = true;
    chain->idle = context->running;
    if (context->program != NULL) {
        chain->program = ps_must_copy_text(context->program, "a chain of interceptors");
    }
    *context->chain =
        (struct ps_chain_share){.value = chain, .finish = chain_finish, .destroy = chain_destroy};
    return chain;
}

static struct pattern *pattern_add(struct ps_context *context, const struct ps_regex *regex,
                                   struct ps_regex_use *use)
{
    struct ps_regex_chain *chain = chain_of(context);
    if (chain->edited || chain->passes[chain->pass_count - 1]->count == PATTERNS_MAX) {
        chain->passes = ps_must_realloc(chain->passes, (chain->pass_count + 1) * sizeof(struct pass *),
                                        "a chain of interceptors");
        struct pass *made = allocate(1, sizeof *made);
        snprintf(made->label, sizeof made->label, "%u", chain->pass_count + 1);
        chain->passes[chain->pass_count++] = made;
        chain->edited = false;
    }
    struct pass *pass = chain->passes[chain->pass_count - 1];
    *use = (struct ps_regex_use){.chain = chain, .pass = chain->pass_count - 1, .pattern = pass->count};
    struct pattern *pattern = &pass->patterns[pass->count++];
    *pattern = (struct pattern){.regex = regex, .component = context->component};
    struct ps_matcher_cost cost;
    ps_matcher_cost_of(regex, &cost);
    if (cost.grade == PS_COST_RUINOUS)
        pattern_alone(pattern, cost.why);
    return pattern;
}

struct ps_regex *ps_regex_fragment_of(const struct ps_regex *regex)
{
    const char *fragment = ps_regex_java(regex)->fragment;
    return fragment == NULL ? NULL : ps_regex_create(fragment, 0, PS_REGEX_FIND, NULL);
}

static struct pattern *fragment_add(struct ps_context *context, const struct ps_regex *regex,
                                    struct ps_regex_use *use)
{
    struct ps_regex *fragment = ps_regex_fragment_of(regex);
    struct pattern *pattern = pattern_add(context, fragment != NULL ? fragment : regex, use);
    pattern->fragment = fragment;
    return pattern;
}

void ps_regex_chain_add(struct ps_context *context, const struct ps_regex *regex, struct ps_regex_use *use)
{
    struct pattern *pattern = fragment_add(context, regex, use);
    pattern->whole = pattern->fragment != NULL ? regex : NULL;
}

void ps_regex_chain_add_candidates(struct ps_context *context, const struct ps_regex *regex,
                                   struct ps_regex_use *use)
{
    (void)fragment_add(context, regex, use);
}

void ps_regex_chain_edits(struct ps_context *context)
{
    chain_of(context)->edited = true;
}

/* ---- open ---- */

static void open_destroy(void *value)
{
    struct open_chain *open = value;
    struct ps_regex_chain *chain = open->chain;
    pthread_mutex_lock(&chain->lock);
    struct open_chain **link = &chain->open;
    while (*link != open)
        link = &(*link)->next;
    *link = open->next;
    for (unsigned i = 0; i < chain->pass_count; i++)
        ps_matcher_scratch_count(open->passes[i].scratch, &chain->passes[i]->ended);
    chain->ended_given_up += ps_regex_scratch_given_up(open->scratch);
    pthread_mutex_unlock(&chain->lock);
    for (unsigned i = 0; i < chain->pass_count; i++) {
        ps_matcher_scratch_destroy(open->passes[i].scratch);
        free(open->passes[i].by_subject);
    }
    ps_regex_scratch_destroy(open->scratch);
    free(open);
}

static struct open_chain *open_of(struct ps_port *port, struct ps_regex_chain *chain)
{
    if (port->chain->value != NULL)
        return port->chain->value;
    struct open_chain *open = allocate(1, sizeof *open + chain->pass_count * sizeof open->passes[0]);
    open->chain = chain;
    open->scratch = ps_regex_scratch_create();
    ps_regex_budget_init(&open->budget, port->component);
    ps_regex_scratch_limit(open->scratch, &open->budget);
    for (unsigned i = 0; i < chain->pass_count; i++) {
        struct open_pass *pass = &open->passes[i];
        size_t words = (size_t)chain->passes[i]->count * WORDS;
        pass->by_subject = allocate(2 * words, sizeof *pass->by_subject);
        pass->by_row = pass->by_subject + words;
    }
    pthread_mutex_lock(&chain->lock);
    open->next = chain->open;
    chain->open = open;
    pthread_mutex_unlock(&chain->lock);
    *port->chain = (struct ps_chain_share){.value = open, .destroy = open_destroy};
    return open;
}

enum ps_status ps_regex_chain_open(const struct ps_regex_use *use, struct ps_port *port, struct ps_err *err)
{
    const struct pass *pass = use->chain->passes[use->pass];
    struct open_chain *open = open_of(port, use->chain);
    struct open_pass *opened = &open->passes[use->pass];
    if (opened->scratch != NULL || pass->matcher == NULL)
        return PS_OK;
    struct ps_matcher_scratch *scratch = ps_matcher_scratch_create(pass->matcher, err);
    if (scratch == NULL)
        return PS_FAIL;
    ps_matcher_scratch_limit(scratch, &open->budget);
    pthread_mutex_lock(&use->chain->lock); /* metrics may read the list */
    opened->scratch = scratch;
    pthread_mutex_unlock(&use->chain->lock);
    return PS_OK;
}

/* ---- the scan ---- */

static void scan_alone(struct open_chain *open, const struct ps_regex *regex, uint32_t count, uint64_t *bits)
{
    memset(bits, 0, WORDS * sizeof *bits);
    for (uint32_t i = 0; i < count; i++) {
        const struct ps_slice *subject = &open->subjects[i];
        if (ps_regex_find(regex, open->scratch, subject->data, subject->length, 0, NULL, 0))
            bits[i / 64] |= UINT64_C(1) << (i % 64);
    }
}

/* Clears the bits of subjects in which the whole expression is not found. */
static void confirm_whole(struct open_chain *open, const struct ps_regex *whole, uint32_t count,
                          uint64_t *bits)
{
    for (uint32_t word = 0; word < (count + 63) / 64; word++) {
        for (uint64_t left = bits[word]; left != 0; left &= left - 1) {
            uint32_t i = word * 64 + (uint32_t)__builtin_ctzll(left);
            const struct ps_slice *subject = &open->subjects[i];
            if (!ps_regex_find(whole, open->scratch, subject->data, subject->length, 0, NULL, 0))
                bits[word] &= ~(left & -left);
        }
    }
}

/* Converts bits by subject (position in the lease) to bits by row of the batch. */
static void bits_spread(const struct ps_lease *lease, const uint64_t *by_subject, uint64_t *by_row)
{
    memset(by_row, 0, WORDS * sizeof *by_row);
    for (uint32_t word = 0; word < (lease->count + 63) / 64; word++) {
        for (uint64_t bits = by_subject[word]; bits != 0; bits &= bits - 1) {
            uint32_t position = word * 64 + (uint32_t)__builtin_ctzll(bits);
            if (position >= lease->count) /* an expression that always matches sets all bits */
                break;
            uint16_t row = lease->index[position];
            by_row[row / 64] |= UINT64_C(1) << (row % 64);
        }
    }
}

static void pass_scan(struct open_chain *open, const struct pass *pass, struct open_pass *opened,
                      const struct ps_lease *lease)
{
    for (uint32_t i = 0; i < lease->count; i++) {
        const struct ps_event *event = ps_lease_event(lease, i);
        open->subjects[i] = (struct ps_slice){event->body, event->body_length};
    }
    if (pass->matcher != NULL)
        ps_matcher_scan_bits(pass->matcher, opened->scratch, open->subjects, lease->count,
                             opened->by_subject);
    for (unsigned i = 0; i < pass->count; i++) {
        const struct pattern *pattern = &pass->patterns[i];
        uint64_t *bits = opened->by_subject + pattern->slot * WORDS;
        if (pattern->alone)
            scan_alone(open, pattern->regex, lease->count, bits);
        if (pattern->whole != NULL)
            confirm_whole(open, pattern->whole, lease->count, bits);
    }
    opened->current = opened->by_subject;
    if (lease->index != NULL) {
        for (unsigned slot = 0; slot < pass->count; slot++)
            bits_spread(lease, opened->by_subject + slot * WORDS, opened->by_row + slot * WORDS);
        opened->current = opened->by_row;
    }
}

/* The batch and its number identify the stored bits. Tests of a stage do not number batches: the number is 0,
 * and a second request by the same stage means another batch. */
const uint64_t *ps_regex_chain_bits(const struct ps_regex_use *use, struct ps_port *port,
                                    const struct ps_lease *lease)
{
    struct open_chain *open = port->chain->value;
    const struct pass *pass = use->chain->passes[use->pass];
    struct open_pass *opened = &open->passes[use->pass];
    uint64_t bit = UINT64_C(1) << use->pattern;
    if (opened->batch != lease->batch || opened->sequence != lease->batch->sequence ||
        (opened->sequence == 0 && (opened->asked & bit))) {
        if (use->pass < open->scanned) /* a batch goes through the passes in order */
            ps_regex_budget_begin(&open->budget);
        open->scanned = use->pass + 1;
        pass_scan(open, pass, opened, lease);
        opened->batch = lease->batch;
        opened->sequence = lease->batch->sequence;
        opened->asked = 0;
        __atomic_store_n(&open->given_up, ps_regex_scratch_given_up(open->scratch), __ATOMIC_RELAXED);
    }
    opened->asked |= bit;
    return opened->current + pass->patterns[use->pattern].slot * WORDS;
}

struct ps_regex_scratch *ps_regex_chain_scratch(struct ps_port *port)
{
    struct open_chain *open = port->chain->value;
    return open->scratch;
}

/* ---- metrics ---- */

static void series_of(const struct pass *pass, const struct ps_matcher_counts *counts,
                      void (*add)(void *argument, const struct ps_series *series), void *argument)
{
    const struct {
        const char *name, *help;
        uint64_t value;
    } rows[] = {
        {"regex_scanned", "Events scanned by this regex pass", counts->subjects},
        {"regex_scanned_bytes", "Bytes scanned by this regex pass", counts->bytes},
        {"regex_confirms", "Reports of Hyperscan that PCRE2 checked", counts->confirms},
        {"regex_confirmed", "Reports of Hyperscan that PCRE2 confirmed", counts->confirmed},
        {"regex_scan_errors", "Scans that failed and were done by PCRE2", counts->scan_errors},
        {"regex_given_up", "Matches given up because they, or their batch, took too long; counted as none",
         counts->given_up},
    };
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++)
        add(argument, &(struct ps_series){.name = rows[i].name,
                                          .help = rows[i].help,
                                          .label = "pass",
                                          .label_value = pass->label,
                                          .value = (double)rows[i].value});
}

void ps_regex_chain_series(const struct ps_regex_use *use,
                           void (*add)(void *argument, const struct ps_series *series), void *argument)
{
    if (use->chain == NULL || use->pattern != 0)
        return;
    struct ps_regex_chain *chain = use->chain;
    pthread_mutex_lock(&chain->lock);
    struct ps_matcher_counts sum = chain->passes[use->pass]->ended;
    /* Captures and replacements are counted per chain, not per pass: the first pass reports them. */
    if (use->pass == 0)
        sum.given_up += chain->ended_given_up;
    for (const struct open_chain *open = chain->open; open != NULL; open = open->next) {
        ps_matcher_scratch_count(open->passes[use->pass].scratch, &sum);
        if (use->pass == 0)
            sum.given_up += __atomic_load_n(&open->given_up, __ATOMIC_RELAXED);
    }
    pthread_mutex_unlock(&chain->lock);
    series_of(chain->passes[use->pass], &sum, add, argument);
}
