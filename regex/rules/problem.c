/* The problems of a rules file: a bounded list, and the format of a line. Thread: the parser's. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/text/printable.h"
#include "regex/rules/internal.h"

/* Returns the slot for one more problem: the next free one, or that of the last problem that is not an
 * error. */
static struct ps_rules_problem *slot_find(struct ps_rules_problems *problems, enum ps_rules_severity severity)
{
    if (problems->count <= PS_RULES_PROBLEMS_MAX)
        return &problems->items[problems->count - 1];
    for (size_t i = PS_RULES_PROBLEMS_MAX; severity == PS_RULES_ERROR && i-- > 0;)
        if (problems->items[i].severity != PS_RULES_ERROR)
            return &problems->items[i];
    return NULL;
}

void ps_rules_problem_add(struct ps_rules_problems *problems, enum ps_rules_severity severity,
                          struct ps_rules_place place, const char *cure, const char *format, ...)
{
    problems->count++;
    problems->errors += severity == PS_RULES_ERROR;
    problems->warnings += severity == PS_RULES_WARNING;
    struct ps_rules_problem *slot = slot_find(problems, severity);
    if (slot == NULL)
        return;
    char what[2048];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    if (place.file != NULL)
        place.file = ps_printable_line(problems->arena, place.file);
    *slot = (struct ps_rules_problem){.severity = severity,
                                      .place = place,
                                      .what = ps_printable_line(problems->arena, what),
                                      .cure = ps_printable_line(problems->arena, cure)};
}

const char *ps_rules_problem_text(struct ps_arena *arena, const struct ps_rules_problem *problem)
{
    static const char *const words[] = {"error", "warning", "note"};
    const char *where = "";
    if (problem->place.file != NULL && problem->place.line > 0)
        where = ps_arena_format(arena, "%s:%d:%d: ", problem->place.file, problem->place.line,
                                problem->place.column);
    else if (problem->place.file != NULL)
        where = ps_arena_format(arena, "%s: ", problem->place.file);
    return ps_arena_format(arena, "%s%s: %s%s%s", where, words[problem->severity], problem->what,
                           problem->cure != NULL ? "; " : "", problem->cure != NULL ? problem->cure : "");
}

const char *ps_rules_place_text(struct ps_arena *arena, struct ps_rules_place place)
{
    return ps_arena_format(arena, "%s:%d", place.file, place.line);
}

/* ---- sorting into file order ---- */

struct ranked {
    struct ps_rules_problem problem;
    size_t rank, order;
};

static int ranked_compare(const void *left, const void *right)
{
    const struct ranked *a = left, *b = right;
    if (a->rank != b->rank)
        return a->rank < b->rank ? -1 : 1;
    if (a->problem.place.line != b->problem.place.line)
        return a->problem.place.line < b->problem.place.line ? -1 : 1;
    if (a->problem.place.column != b->problem.place.column)
        return a->problem.place.column < b->problem.place.column ? -1 : 1;
    return a->order < b->order ? -1 : a->order > b->order;
}

void ps_rules_problems_sort(struct ps_rules_problems *problems)
{
    size_t count = ps_rules_problems_kept(problems);
    struct ranked all[PS_RULES_PROBLEMS_MAX];
    for (size_t i = 0; i < count; i++) {
        all[i] = (struct ranked){problems->items[i], 0, i};
        const char *file = all[i].problem.place.file;
        while (all[i].rank < i && file != NULL &&
               (all[all[i].rank].problem.place.file == NULL ||
                strcmp(all[all[i].rank].problem.place.file, file) != 0))
            all[i].rank++;
    }
    qsort(all, count, sizeof *all, ranked_compare);
    for (size_t i = 0; i < count; i++)
        problems->items[i] = all[i].problem;
}
