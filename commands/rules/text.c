/* The output of `penstock rules`: problems, untrusted bytes, numbers and conditions as text.
 * Thread: main. */
#include "commands/rules/rules.h"
#include "conf/report.h"
#include "core/text/printable.h"
#include "core/text/utf8.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

/* ---- problems ---- */

static const char *const words[] = {"error", "warning", "note"};

void ps_rules_print_problems(FILE *to, const struct ps_rules_problems *problems)
{
    static const char *const colours[] = {"\033[1;31m", "\033[1;33m", "\033[1;36m"};
    bool colour = ps_report_colour(to);
    size_t kept = ps_rules_problems_kept(problems);
    for (size_t i = 0; i < kept; i++) {
        const struct ps_rules_problem *problem = &problems->items[i];
        const char *text = ps_rules_problem_text(problems->arena, problem);
        const char *word = words[problem->severity];
        const char *at = colour ? strstr(text, word) : NULL;
        if (at == NULL)
            fprintf(to, "%s\n", text);
        else
            fprintf(to, "%.*s%s%s\033[0m%s\n", (int)(at - text), text, colours[problem->severity], word,
                    at + strlen(word));
    }
    if (problems->count > kept)
        fprintf(to, "... and %zu more\n", problems->count - kept);
}

void ps_rules_print_summary(FILE *to, const char *file, const struct ps_rules_problems *problems)
{
    fprintf(to, "%s: ", file);
    if (problems->errors > 0)
        fprintf(to, "%zu error%s%s", problems->errors, problems->errors == 1 ? "" : "s",
                problems->warnings > 0 ? ", " : ": ");
    if (problems->warnings > 0)
        fprintf(to, "%zu warning%s%s", problems->warnings, problems->warnings == 1 ? "" : "s",
                problems->errors > 0 ? ": " : "");
    if (problems->errors > 0)
        fputs("these rules would not run", to);
    else if (problems->warnings == 0)
        fputs("fine", to);
    fputc('\n', to);
}

json_t *ps_rules_json_problems(const struct ps_rules_problems *problems)
{
    json_t *list = json_array();
    for (size_t i = 0; i < ps_rules_problems_kept(problems); i++) {
        const struct ps_rules_problem *problem = &problems->items[i];
        json_t *object = json_pack(
            "{s:s, s:s*, s:i, s:i, s:s, s:s*, s:s}", "severity", words[problem->severity], "file",
            problem->place.file, "line", problem->place.line, "column", problem->place.column, "what",
            problem->what, "cure", problem->cure, "text", ps_rules_problem_text(problems->arena, problem));
        if (object != NULL)
            json_array_append_new(list, object);
    }
    return list;
}

/* ---- untrusted bytes ---- */

json_t *ps_rules_json_text(const char *text, size_t length)
{
    char *repaired = ps_must_alloc(1, 3 * length + 1, "text for JSON");
    size_t used = ps_utf8_repair(text, length, repaired);
    json_t *string = json_stringn(repaired, used);
    free(repaired);
    return string != NULL ? string : json_null();
}

/* ---- progress ---- */

#define PROGRESS_FIRST_NS (2 * PS_NS_PER_S)
#define PROGRESS_EVERY_NS (PS_NS_PER_S / 5)

static uint64_t now_ns(void)
{
    return ps_clock_now().mono_ns;
}

void ps_rules_progress_begin(struct ps_rules_progress *progress)
{
    *progress = (struct ps_rules_progress){.began_ns = now_ns()};
}

void ps_rules_progress_say(struct ps_rules_progress *progress, const char *format, ...)
{
    uint64_t now = now_ns();
    if (now - progress->began_ns < PROGRESS_FIRST_NS || now - progress->said_ns < PROGRESS_EVERY_NS ||
        !isatty(STDERR_FILENO))
        return;
    progress->said_ns = now;
    progress->shown = true;
    va_list arguments;
    va_start(arguments, format);
    fputc('\r', stderr);
    vfprintf(stderr, format, arguments);
    fprintf(stderr, " %" PRIu64 " s\033[K", (now - progress->began_ns) / PS_NS_PER_S);
    fflush(stderr);
    va_end(arguments);
}

void ps_rules_progress_end(struct ps_rules_progress *progress)
{
    if (progress->shown)
        fputs("\r\033[K", stderr);
    progress->shown = false;
}

/* ---- conditions ---- */

const char *ps_rules_regex_text(struct ps_arena *arena, const struct ps_regex *regex)
{
    static const char letters[] = PS_REGEX_FLAG_LETTERS;
    char flags[sizeof letters] = "";
    size_t used = 0;
    for (size_t i = 0; i < sizeof letters - 1; i++)
        if (ps_regex_flags_of(regex) >> i & 1)
            flags[used++] = letters[i];
    const char *text = ps_regex_text(regex);
    const char *delimiter = strchr(text, '/') == NULL   ? "/"
                            : strchr(text, '!') == NULL ? "!"
                            : strchr(text, '%') == NULL ? "%"
                                                        : "@";
    return ps_arena_format(arena, "%s%s%s%s%s", delimiter[0] == '/' ? "" : "m", delimiter, text, delimiter,
                           flags);
}

static const char *string_text(struct ps_arena *arena, const char *text, size_t length)
{
    char *memory = NULL;
    size_t size = 0;
    FILE *to = ps_must_open_text(&memory, &size, "the text of a rule");
    fputc('"', to);
    for (size_t from = 0; from < length;) {
        size_t to_next = 0; /* up to the next quote or backslash */
        while (from + to_next < length && text[from + to_next] != '"' && text[from + to_next] != '\\')
            to_next++;
        ps_printable_write(to, text + from, to_next);
        from += to_next;
        if (from < length)
            fprintf(to, "\\%c", text[from++]);
    }
    fputc('"', to);
    fclose(to);
    const char *copy = ps_arena_copy(arena, memory, size);
    free(memory);
    return copy;
}

static bool is_word(const char *text)
{
    for (; *text != '\0'; text++)
        if (!(*text >= 'a' && *text <= 'z') && !(*text >= 'A' && *text <= 'Z') &&
            !(*text >= '0' && *text <= '9') && strchr("_-.", *text) == NULL)
            return false;
    return true;
}

static const char *header_text(struct ps_arena *arena, const char *name)
{
    return ps_arena_format(arena, is_word(name) ? "header.%s" : "header.\"%s\"", name);
}

static const char *subject_text(struct ps_arena *arena, struct ps_rules_subject subject)
{
    return subject.header == NULL ? "body" : header_text(arena, subject.header);
}

const char *ps_rules_leaf_text(struct ps_arena *arena, const struct ps_rules *rules,
                               const struct ps_condition *condition)
{
    static const char *const operators[] = {"==", "!=", "<",        "<=",     ">",
                                            ">=", "in", "contains", "begins", "ends"};
    const char *text;
    switch (condition->kind) {
    case PS_CONDITION_MATCH:
        return ps_arena_format(arena, "%s ~ %s",
                               subject_text(arena, rules->patterns[condition->pattern].subject),
                               ps_rules_regex_text(arena, rules->patterns[condition->pattern].regex));
    case PS_CONDITION_COMPARE:
        text = ps_arena_format(arena, "%s %s%s", subject_text(arena, condition->subject),
                               operators[condition->op], condition->op == PS_OPERATOR_IN ? " (" : " ");
        for (size_t i = 0; i < condition->value_count; i++)
            text = ps_arena_format(
                arena, "%s%s%s", text, i > 0 ? ", " : "",
                string_text(arena, condition->values[i].text.data, condition->values[i].text.length));
        return condition->op == PS_OPERATOR_IN ? ps_arena_format(arena, "%s)", text) : text;
    case PS_CONDITION_EXISTS:
        return ps_arena_format(arena, "exists %s", subject_text(arena, condition->subject));
    case PS_CONDITION_SIZE:
        return ps_arena_format(arena, "size %s %.0f", operators[condition->op], condition->values[0].number);
    default:
        return condition->kind == PS_CONDITION_TRUE  ? "true"
               : condition->kind == PS_CONDITION_AND ? "and"
               : condition->kind == PS_CONDITION_OR  ? "or"
                                                     : "not";
    }
}
