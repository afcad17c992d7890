/* The list of problems. Thread: the control thread. Never prints. */
#include "conf/problem.h"

#include "core/array.h"
#include "core/text/printable.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void ps_problems_init(struct ps_problems *problems, struct ps_arena *arena)
{
    memset(problems, 0, sizeof *problems);
    problems->arena = arena;
}

void ps_problems_fini(struct ps_problems *problems)
{
    free(problems->items);
    memset(problems, 0, sizeof *problems);
}

void ps_problems_note_unknown(struct ps_problems *problems, const char *value)
{
    size_t count = problems->unknown.count;
    const char **values = ps_arena_alloc(problems->arena, (count + 1) * sizeof *values);
    for (size_t i = 0; i < count; i++)
        values[i] = problems->unknown.items[i];
    values[count] = value;
    problems->unknown = (struct ps_texts){count + 1, values};
}

bool ps_problems_is_unknown(const struct ps_problems *problems, const char *value)
{
    for (size_t i = 0; i < problems->unknown.count; i++)
        if (problems->unknown.items[i] == value)
            return true;
    return false;
}

static void problem_count(struct ps_problems *problems, enum ps_severity severity)
{
    if (severity == PS_SEVERITY_ERROR)
        problems->errors++;
    else if (severity == PS_SEVERITY_DROPPED)
        problems->dropped++;
    else if (severity == PS_SEVERITY_WARNING)
        problems->warnings++;
}

/* Called when the value of a key is refused: removes the note that this key has no effect. */
static void forget_notes(struct ps_problems *problems, struct ps_place place)
{
    size_t kept = 0;
    for (size_t i = 0; i < problems->count; i++) {
        const struct ps_problem *problem = &problems->items[i];
        bool same = problem->severity == PS_SEVERITY_NOTE && place.key != NULL && problem->key != NULL &&
                    problem->line == place.line && strcmp(problem->key, place.key) == 0 && problem->no_effect;
        if (!same)
            problems->items[kept++] = *problem;
    }
    problems->count = kept;
}

void ps_problem_add(struct ps_problems *problems, enum ps_severity severity, struct ps_place place,
                    const char *cure, const char *format, ...)
{
    problem_count(problems, severity);
    if (severity <= PS_SEVERITY_DROPPED)
        forget_notes(problems, place);
    bool first_error = severity == PS_SEVERITY_ERROR && problems->errors == 1;
    if (problems->count >= PS_PROBLEM_MAX && !first_error) {
        problems->held_back++;
        return;
    }
    PS_ARRAY_GROW(problems->items, problems->count, problems->room, "problems of the configuration");
    char what[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    problems->items[problems->count++] = (struct ps_problem){
        .severity = severity,
        .file = place.file == NULL ? NULL : ps_arena_text(problems->arena, place.file),
        .line = place.line,
        .key = ps_printable_line(problems->arena, place.key),
        .what = ps_printable_line(problems->arena, what),
        .cure = ps_printable_line(problems->arena, cure),
        .mistake = severity == PS_SEVERITY_DROPPED ? PS_MISTAKE_CAUSE : PS_MISTAKE_NONE,
    };
}

/* Returns the problem that was added last; NULL: it was held back, or there is none. */
static struct ps_problem *last_of(struct ps_problems *problems)
{
    return problems->count > 0 && problems->held_back == 0 ? &problems->items[problems->count - 1] : NULL;
}

void ps_problem_mistake(struct ps_problems *problems, enum ps_mistake mistake)
{
    struct ps_problem *last = last_of(problems);
    if (last != NULL)
        last->mistake = mistake;
    if (mistake == PS_MISTAKE_CONSEQUENCE)
        ps_problem_follows(problems);
}

void ps_problem_lost_backslash(struct ps_problems *problems)
{
    struct ps_problem *last = last_of(problems);
    if (last != NULL)
        last->lost_backslash = true;
}

bool ps_problems_lost_backslash(const struct ps_problems *problems, struct ps_place place)
{
    for (size_t i = 0; i < problems->count; i++) {
        const struct ps_problem *problem = &problems->items[i];
        if (problem->lost_backslash && problem->line == place.line && place.file != NULL &&
            strcmp(problem->file, place.file) == 0)
            return true;
    }
    return false;
}

void ps_problem_no_effect(struct ps_problems *problems)
{
    struct ps_problem *last = last_of(problems);
    if (last != NULL)
        last->no_effect = true;
}

void ps_problem_missing(struct ps_problems *problems)
{
    struct ps_problem *last = last_of(problems);
    if (last != NULL)
        last->is_missing = true;
}

void ps_problem_quoted_path(struct ps_problems *problems, bool is_url)
{
    struct ps_problem *last = last_of(problems);
    if (last == NULL)
        return;
    last->quoted_path = true;
    last->quoted_url = is_url;
}

void ps_problem_swallows(struct ps_problems *problems, const char *key)
{
    struct ps_problem *last = last_of(problems);
    if (last != NULL)
        last->swallowed = ps_arena_text(problems->arena, key);
}

void ps_problem_follows(struct ps_problems *problems)
{
    struct ps_problem *last = last_of(problems);
    if (last != NULL)
        last->follows = true;
}

static bool is_below(const char *key, const char *section)
{
    size_t length = strlen(section);
    return key != NULL && strncmp(key, section, length) == 0 && (key[length] == '.' || key[length] == '\0');
}

/* A warning that is a cause (a missing list) decides only if no error and no dropped component does. */
bool ps_problems_decide(struct ps_problems *problems, const char *section)
{
    bool any = false;
    for (enum ps_severity least = PS_SEVERITY_DROPPED; least <= PS_SEVERITY_WARNING && !any; least++) {
        for (size_t i = 0; i < problems->count; i++) {
            struct ps_problem *problem = &problems->items[i];
            bool cause = problem->severity == PS_SEVERITY_ERROR ||
                         (problem->severity <= least && problem->mistake == PS_MISTAKE_CAUSE);
            if (cause && (section == NULL || is_below(problem->key, section)))
                problem->decides = any = true;
        }
    }
    return any;
}

/* Returns the rank of a file: the index of its first problem. There are few files. */
static size_t file_rank(const struct ps_problems *problems, const char *file)
{
    if (file == NULL)
        return problems->count;
    for (size_t i = 0; i < problems->count; i++)
        if (problems->items[i].file != NULL && strcmp(problems->items[i].file, file) == 0)
            return i;
    return problems->count;
}

struct ranked {
    struct ps_problem problem;
    size_t rank, order;
};

static int ranked_compare(const void *left, const void *right)
{
    const struct ranked *a = left, *b = right;
    if (a->rank != b->rank)
        return a->rank < b->rank ? -1 : 1;
    if (a->problem.follows != b->problem.follows)
        return a->problem.follows ? 1 : -1;
    if (a->problem.line != b->problem.line)
        return a->problem.line < b->problem.line ? -1 : 1;
    return a->order < b->order ? -1 : a->order > b->order;
}

/* Problems without a line come last: "no valid channel" for a whole agent follows from the lines about each dropped
 * channel. */
void ps_problems_sort(struct ps_problems *problems)
{
    if (problems->count < 2)
        return;
    struct ranked *all = ps_must_alloc(problems->count, sizeof *all, "problems of the configuration");
    const char *last_file = NULL;
    size_t last_rank = 0;
    for (size_t i = 0; i < problems->count; i++) {
        const struct ps_problem *problem = &problems->items[i];
        if (problem->line == 0) {
            all[i] = (struct ranked){*problem, problems->count, i};
            continue;
        }
        if (problem->file == NULL || last_file == NULL || strcmp(problem->file, last_file) != 0)
            last_rank = file_rank(problems, problem->file);
        last_file = problem->file;
        all[i] = (struct ranked){*problem, last_rank, i};
    }
    qsort(all, problems->count, sizeof *all, ranked_compare);
    for (size_t i = 0; i < problems->count; i++)
        problems->items[i] = all[i].problem;
    free(all);
}

static bool is_same_value(const struct ps_problem *one, const struct ps_problem *other)
{
    return one->key != NULL && other->key != NULL && one->line != 0 && one->line == other->line &&
           strcmp(one->key, other->key) == 0;
}

/* Returns whether `problem` follows from a line that was swallowed, whose problem gets its severity: the value that swallowed it
 * cannot be right, and its key only seems to be missing. */
static bool is_of_swallowed(struct ps_problems *problems, const struct ps_problem *problem)
{
    for (size_t i = 0; problem->key != NULL && i < problems->count; i++) {
        struct ps_problem *other = &problems->items[i];
        if (other->swallowed == NULL || other == problem || problem->severity > PS_SEVERITY_DROPPED ||
            problem->file == NULL || strcmp(problem->file, other->file) != 0 ||
            strcmp(problem->key, problem->is_missing ? other->swallowed : other->key) != 0)
            continue;
        if (other->severity == PS_SEVERITY_WARNING) {
            problems->warnings--;
            other->severity = problem->severity;
            other->mistake = problem->mistake;
        } else if (problem->severity == PS_SEVERITY_ERROR) {
            problems->errors--;
        } else {
            problems->dropped--;
        }
        other->decides |= problem->decides;
        return true;
    }
    return false;
}

/* Returns whether another problem of this value makes this one needless: the quotes explain what is found wrong with a path in
 * quotes. A URL in quotes is refused for them: that problem takes their words, and their own goes. */
static bool is_needless(struct ps_problems *problems, size_t at)
{
    const struct ps_problem *problem = &problems->items[at];
    if (is_of_swallowed(problems, problem))
        return true;
    if (problem->severity < PS_SEVERITY_WARNING)
        return false;
    for (size_t i = 0; i < problems->count; i++) {
        struct ps_problem *other = &problems->items[i];
        if (i == at || !is_same_value(problem, other))
            continue;
        if (problem->quoted_url && other->severity <= PS_SEVERITY_DROPPED) {
            other->what = problem->what;
            other->cure = problem->cure;
            return true;
        }
        if (!problem->quoted_path && other->quoted_path)
            return true;
    }
    return false;
}

void ps_problems_forget_quoted(struct ps_problems *problems)
{
    bool any = false;
    for (size_t i = 0; i < problems->count && !any; i++)
        any = problems->items[i].quoted_path || problems->items[i].swallowed != NULL;
    bool *needless =
        any ? ps_must_alloc(problems->count, sizeof *needless, "problems of the configuration") : NULL;
    for (size_t i = 0; any && i < problems->count; i++)
        needless[i] = is_needless(problems, i);
    size_t kept = 0;
    for (size_t i = 0; any && i < problems->count; i++) {
        if (!needless[i])
            problems->items[kept++] = problems->items[i];
        else
            problems->warnings -= problems->items[i].severity == PS_SEVERITY_WARNING;
    }
    if (any)
        problems->count = kept;
    free(needless);
}

void ps_problems_allow(struct ps_problems *problems, size_t before)
{
    for (size_t i = before; i < problems->count; i++) {
        struct ps_problem *problem = &problems->items[i];
        if (problem->severity > PS_SEVERITY_DROPPED)
            continue;
        problems->errors -= problem->severity == PS_SEVERITY_ERROR;
        problems->dropped -= problem->severity == PS_SEVERITY_DROPPED;
        problems->warnings++;
        problem->severity = PS_SEVERITY_WARNING;
        problem->mistake = PS_MISTAKE_NONE;
    }
}

const char *ps_severity_word(enum ps_severity severity)
{
    static const char *const words[] = {"error", "dropped", "warning", "note"};
    return words[severity];
}

const char *ps_problem_text(struct ps_arena *arena, const struct ps_problem *problem)
{
    const char *where = "";
    if (problem->file != NULL && problem->line > 0)
        where = ps_arena_format(arena, "%s:%d: ", problem->file, problem->line);
    else if (problem->file != NULL)
        where = ps_arena_format(arena, "%s: ", problem->file);
    return ps_arena_format(arena, "%s%s: %s%s%s%s%s", where, ps_severity_word(problem->severity),
                           problem->key != NULL ? problem->key : "", problem->key != NULL ? ": " : "",
                           problem->what, problem->cure != NULL ? "; " : "",
                           problem->cure != NULL ? problem->cure : "");
}
