/* See diff.h. */
#include "conf/diff.h"

#include "conf/validate/types.h"

#include <stdlib.h>
#include <string.h>

static const char *change_word(enum ps_change change)
{
    static const char *const words[] = {"unchanged", "changed", "added", "removed"};
    return words[change];
}

static bool source_same(const struct ps_source_spec *a, const struct ps_source_spec *b)
{
    return ps_stage_is_same(&a->stage, &b->stage) && ps_chain_is_same(a, b);
}

/* ---- which keys changed ---- */

#define NAMED_KEYS_MAX 6U

struct names {
    struct ps_arena *arena;
    const char *text;
    unsigned count;
};

static void add_name(struct names *names, const char *prefix, const char *key, size_t length)
{
    if (names->count++ < NAMED_KEYS_MAX)
        names->text = ps_arena_format(names->arena, "%s%s%s%.*s", names->text,
                                      *names->text != '\0' ? ", " : "", prefix, (int)length, key);
}

/* One line of a fingerprint (conf/spec.c): KEY=LENGTH:VALUE, or the identity of a file. */
struct entry {
    const char *key, *value;
    size_t key_length, value_length;
};

static bool next_entry(const char **at, struct entry *entry)
{
    const char *line = *at, *end = line + strcspn(line, "\n"),
               *equals = memchr(line, '=', (size_t)(end - line));
    if (*line == '\0')
        return false;
    char *colon = NULL;
    size_t length = equals != NULL ? strtoul(equals + 1, &colon, 10) : 0;
    if (colon == NULL || *colon != ':' || length > strlen(colon + 1)) {
        const char *gap = memchr(line, ':', (size_t)(end - line));
        *entry = (struct entry){line, line, (size_t)((gap != NULL ? gap : end) - line), (size_t)(end - line)};
        *at = end + (*end != '\0');
        return true;
    }
    *entry = (struct entry){line, colon + 1, (size_t)(equals - line), length};
    end = colon + 1 + length;
    *at = end + (*end != '\0');
    return true;
}

/* Adds the entries that `a` has and `b` lacks; with `values`, also those that have another value in `b`. */
static void add_missing(struct names *names, const char *prefix, const char *a, const char *b, bool values)
{
    struct entry entry, other;
    while (next_entry(&a, &entry)) {
        bool found = false;
        for (const char *at = b; !found && next_entry(&at, &other);)
            found = other.key_length == entry.key_length &&
                    memcmp(other.key, entry.key, entry.key_length) == 0 &&
                    (!values || (other.value_length == entry.value_length &&
                                 memcmp(other.value, entry.value, entry.value_length) == 0));
        if (!found)
            add_name(names, prefix, entry.key, entry.key_length);
    }
}

static const char *behind_type(const struct ps_stage_spec *stage)
{
    const char *end = stage->fingerprint != NULL ? strchr(stage->fingerprint, '\n') : NULL;
    return end != NULL ? end + 1 : "";
}

static void name_keys(struct names *names, const char *prefix, const struct ps_stage_spec *a,
                      const struct ps_stage_spec *b)
{
    if (ps_stage_is_same(a, b))
        return;
    if (a->ops != b->ops)
        add_name(names, prefix, "type", 4);
    add_missing(names, prefix, behind_type(b), behind_type(a), true);
    add_missing(names, prefix, behind_type(a), behind_type(b), false);
}

static void name_keys_of_chain(struct names *names, const struct ps_source_spec *a,
                               const struct ps_source_spec *b)
{
    bool same = a->interceptor_count == b->interceptor_count;
    name_keys(names, "selector.", &a->selector, &b->selector);
    for (size_t i = 0; same && i < a->interceptor_count; i++)
        same = strcmp(a->interceptors[i].name, b->interceptors[i].name) == 0;
    if (!same)
        add_name(names, "", "interceptors", strlen("interceptors"));
    for (size_t i = 0; same && i < a->interceptor_count; i++)
        name_keys(names, ps_arena_format(names->arena, "interceptors.%s.", a->interceptors[i].name),
                  &a->interceptors[i], &b->interceptors[i]);
}

static const char *names_end(const struct names *names)
{
    if (names->count <= NAMED_KEYS_MAX)
        return names->text;
    return ps_arena_format(names->arena, "%s and %u more", names->text, names->count - NAMED_KEYS_MAX);
}

/* Returns a stage of one kind in a spec, by number. */
static const struct ps_stage_spec *stage_at(const struct ps_agent_spec *spec, enum ps_kind kind,
                                            size_t number)
{
    return kind == PS_KIND_SOURCE    ? &spec->sources[number].stage
           : kind == PS_KIND_CHANNEL ? &spec->channels[number].stage
                                     : &spec->sinks[number].stage;
}

static size_t stage_count(const struct ps_agent_spec *spec, enum ps_kind kind)
{
    if (spec == NULL)
        return 0;
    return kind == PS_KIND_SOURCE    ? spec->source_count
           : kind == PS_KIND_CHANNEL ? spec->channel_count
                                     : spec->sink_count;
}

static size_t stage_number(const struct ps_agent_spec *spec, enum ps_kind kind, const char *name)
{
    size_t number = 0;
    while (number < stage_count(spec, kind) && strcmp(stage_at(spec, kind, number)->name, name) != 0)
        number++;
    return number;
}

static void row_add(struct ps_diff *diff, enum ps_kind kind, const char *name, enum ps_change change)
{
    diff->rows[diff->count++] = (struct ps_diff_row){kind, name, change, ""};
    diff->any |= change != PS_CHANGE_NONE;
}

static void diff_kind(struct ps_diff *diff, struct ps_arena *arena, enum ps_kind kind,
                      const struct ps_agent_spec *old, const struct ps_agent_spec *fresh)
{
    for (size_t i = 0; i < stage_count(fresh, kind); i++) {
        const struct ps_stage_spec *stage = stage_at(fresh, kind, i);
        size_t before = stage_number(old, kind, stage->name);
        bool there = before < stage_count(old, kind);
        bool same = there && (kind == PS_KIND_SOURCE ? source_same(&old->sources[before], &fresh->sources[i])
                                                     : ps_stage_is_same(stage_at(old, kind, before), stage));
        row_add(diff, kind, stage->name, same ? PS_CHANGE_NONE : there ? PS_CHANGE_CHANGED : PS_CHANGE_ADDED);
        if (same || !there)
            continue;
        struct names names = {.arena = arena, .text = ""};
        name_keys(&names, "", stage_at(old, kind, before), stage);
        if (kind == PS_KIND_SOURCE)
            name_keys_of_chain(&names, &old->sources[before], &fresh->sources[i]);
        diff->rows[diff->count - 1].keys = names_end(&names);
    }
}

static void diff_removed(struct ps_diff *diff, enum ps_kind kind, const struct ps_agent_spec *old,
                         const struct ps_agent_spec *fresh)
{
    for (size_t i = 0; i < stage_count(old, kind); i++) {
        const char *name = stage_at(old, kind, i)->name;
        if (stage_number(fresh, kind, name) == stage_count(fresh, kind))
            row_add(diff, kind, name, PS_CHANGE_REMOVED);
    }
}

static bool texts_same(const struct ps_texts *a, const struct ps_texts *b)
{
    bool same = a->count == b->count;
    for (size_t i = 0; same && i < a->count; i++)
        same = strcmp(a->items[i], b->items[i]) == 0;
    return same;
}

static bool option_same(const struct ps_option *row, const struct ps_agent_options *a,
                        const struct ps_agent_options *b)
{
    const void *in_a = (const char *)a + row->offset, *in_b = (const char *)b + row->offset;
    switch (row->type) {
    case PS_OPTION_LIST:
        return texts_same(in_a, in_b);
    case PS_OPTION_TEXT: {
        const char *text_a = *(const char *const *)in_a, *text_b = *(const char *const *)in_b;
        return text_a == text_b || (text_a != NULL && text_b != NULL && strcmp(text_a, text_b) == 0);
    }
    case PS_OPTION_BOOL:
        return *(const bool *)in_a == *(const bool *)in_b;
    case PS_OPTION_ENUM:
        return *(const int *)in_a == *(const int *)in_b;
    default:
        PS_ASSERT(row->type == PS_OPTION_INT || row->type == PS_OPTION_SIZE);
        return *(const int64_t *)in_a == *(const int64_t *)in_b;
    }
}

/* Writes which of the agent's own keys differ. Names all keys, because there are few. */
static void diff_options(struct ps_diff *diff, struct ps_arena *arena, const struct ps_agent_options *a,
                         const struct ps_agent_options *b)
{
    diff->option_keys = "";
    for (const struct ps_option *row = ps_agent_option_rows; row->key != NULL; row++) {
        if (option_same(row, a, b))
            continue;
        diff->option_keys = ps_arena_format(arena, "%s%spenstock.%s", diff->option_keys,
                                            *diff->option_keys != '\0' ? ", " : "", row->key);
    }
    diff->options_changed = *diff->option_keys != '\0';
}

void ps_diff_specs(struct ps_diff *diff, struct ps_arena *arena, const struct ps_agent_spec *old,
                   const struct ps_agent_spec *fresh)
{
    static const enum ps_kind kinds[] = {PS_KIND_SOURCE, PS_KIND_CHANNEL, PS_KIND_SINK};
    size_t room = 1;
    for (size_t i = 0; i < PS_COUNT_OF(kinds); i++)
        room += stage_count(old, kinds[i]) + stage_count(fresh, kinds[i]);
    *diff = (struct ps_diff){.rows = ps_arena_alloc(arena, room * sizeof *diff->rows)};
    for (size_t i = 0; i < PS_COUNT_OF(kinds); i++)
        diff_kind(diff, arena, kinds[i], old, fresh);
    for (size_t i = 0; i < PS_COUNT_OF(kinds); i++)
        diff_removed(diff, kinds[i], old, fresh);
    diff_options(diff, arena, old != NULL ? &old->options : &(struct ps_agent_options){0}, &fresh->options);
    diff->any |= diff->options_changed;
}

const char *ps_diff_text(struct ps_arena *arena, const struct ps_diff *diff)
{
    const char *text = "";
    for (size_t i = 0; i < diff->count; i++) {
        const struct ps_diff_row *row = &diff->rows[i];
        if (row->change != PS_CHANGE_NONE)
            text = ps_arena_format(arena, "%s%s%s %s %s%s%s%s", text, *text != '\0' ? ", " : "",
                                   ps_kind_word(row->kind), row->name, change_word(row->change),
                                   *row->keys != '\0' ? " (" : "", row->keys, *row->keys != '\0' ? ")" : "");
    }
    if (diff->options_changed)
        text = ps_arena_format(arena, "%s%sagent changed (%s)", text, *text != '\0' ? ", " : "",
                               diff->option_keys);
    return *text != '\0' ? text : "nothing changed";
}
