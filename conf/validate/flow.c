/* See flow.h. */
#include "conf/validate/flow.h"

#include "conf/validate/java.h"
#include "conf/validate/types.h"
#include "stages/lib/java/class_path.h"

#include <inttypes.h>
#include <string.h>
#include <strings.h>

static const enum ps_section sections[] = {PS_SECTION_SOURCES, PS_SECTION_CHANNELS, PS_SECTION_SINKS,
                                           PS_SECTION_SINKGROUPS};

static const char *value_of(const struct ps_entry *entry, const char *key)
{
    const struct ps_pairs pairs = ps_entry_pairs(entry);
    return ps_pairs_get(&pairs, key);
}

/* Returns the list of names that a component has under the key; none if it has no such key. */
static struct ps_texts names_of(const struct ps_validation *validation, const struct ps_entry *entry,
                                const char *key)
{
    const char *value = value_of(entry, key);
    return value != NULL ? ps_text_split_blanks(validation->arena, value) : (struct ps_texts){0};
}

/* Notes which components are listed; ps_validation_listed, which notes the same, is called only later. */
static void note_listed(const struct ps_validation *validation, enum ps_section section)
{
    struct ps_texts names = ps_section_names(validation->text, section, validation->arena);
    for (size_t i = 0; i < names.count; i++) {
        struct ps_entry *entry = ps_section_find(&validation->text->sections[section], names.items[i]);
        if (entry != NULL)
            entry->listed = true;
    }
}

/* ---- the components that must run in Java ---- */

/* Returns whether a type of this kind is a class that only Java has. */
static bool is_java(const struct ps_validation *validation, enum ps_kind kind, const char *type)
{
    const struct ps_component_maker *maker = &validation->maker;
    if (type == NULL || (kind != PS_KIND_PROCESSOR && ps_stage_find(maker->stages, kind, type) != NULL))
        return false;
    if (kind == PS_KIND_PROCESSOR && ps_type_flume_name(kind, type) != NULL)
        return false;
    return ps_java_found(maker, type);
}

/* Returns the key because of which the component must run in Java together with the components around it; NULL: there
 * is none. */
static const char *seed_of(const struct ps_validation *validation, enum ps_section section,
                           const struct ps_entry *entry)
{
    const char *engine = value_of(entry, "penstock.engine");
    bool wanted = engine != NULL && strcasecmp(engine, "java") == 0;
    switch (section) {
    case PS_SECTION_CHANNELS:
        if (wanted)
            return "penstock.engine";
        return is_java(validation, PS_KIND_CHANNEL, value_of(entry, "type")) ? "type" : NULL;
    case PS_SECTION_SOURCES:
        return is_java(validation, PS_KIND_SELECTOR, value_of(entry, "selector.type")) ? "selector.type"
                                                                                       : NULL;
    case PS_SECTION_SINKGROUPS:
        if (is_java(validation, PS_KIND_PROCESSOR, value_of(entry, "processor.type")))
            return "processor.type";
        return value_of(entry, "processor.selector") != NULL &&
                       ps_java_found(&validation->maker, value_of(entry, "processor.selector"))
                   ? "processor.selector"
                   : NULL;
    default:
        return NULL;
    }
}

/* ---- the components around those that must run in Java ---- */

static struct ps_entry *find(const struct ps_validation *validation, enum ps_section section,
                             const char *name)
{
    struct ps_entry *entry = ps_section_find(&validation->text->sections[section], name);
    return entry != NULL && entry->listed ? entry : NULL;
}

/* Marks a component. Returns true if it was not marked before. */
static bool mark(struct ps_entry *entry)
{
    bool is_new = entry != NULL && !entry->in_java;
    if (is_new)
        entry->in_java = true;
    return is_new;
}

/* If the entry or one of the components that it names in a section is marked, marks all of them. Returns whether any
 * component was marked. */
static bool join(const struct ps_validation *validation, struct ps_entry *entry, enum ps_section section,
                 const struct ps_texts *names)
{
    bool any = entry->in_java, is_new = false;
    for (size_t i = 0; i < names->count && !any; i++) {
        const struct ps_entry *other = find(validation, section, names->items[i]);
        any = other != NULL && other->in_java;
    }
    if (!any)
        return false;
    is_new |= mark(entry);
    for (size_t i = 0; i < names->count; i++)
        is_new |= mark(find(validation, section, names->items[i]));
    return is_new;
}

/* Marks what runs together: a source with its channels, a channel with its sinks, a sink with its group. */
static bool spread(const struct ps_validation *validation)
{
    static const struct {
        enum ps_section section;
        const char *key;
        enum ps_section named;
    } edges[] = {{PS_SECTION_SOURCES, "channels", PS_SECTION_CHANNELS},
                 {PS_SECTION_SINKS, "channel", PS_SECTION_CHANNELS},
                 {PS_SECTION_SINKGROUPS, "sinks", PS_SECTION_SINKS}};
    bool is_new = false;
    for (size_t e = 0; e < PS_COUNT_OF(edges); e++) {
        const struct ps_section_entries *entries = &validation->text->sections[edges[e].section];
        for (size_t i = 0; i < entries->count; i++) {
            struct ps_entry *entry = &entries->entries[i];
            if (!entry->listed)
                continue;
            struct ps_texts names = names_of(validation, entry, edges[e].key);
            is_new |= join(validation, entry, edges[e].named, &names);
        }
    }
    return is_new;
}

/* ---- its classes ---- */

/* Reports the class of each part, or the reason why it cannot run. */
static void check_class(const struct ps_validation *validation, enum ps_section section,
                        const struct ps_entry *entry)
{
    static const enum ps_kind kinds[] = {[PS_SECTION_SOURCES] = PS_KIND_SOURCE,
                                         [PS_SECTION_CHANNELS] = PS_KIND_CHANNEL,
                                         [PS_SECTION_SINKS] = PS_KIND_SINK,
                                         [PS_SECTION_SINKGROUPS] = PS_KIND_PROCESSOR};
    const char *key = section == PS_SECTION_SINKGROUPS ? "processor.type" : "type";
    const char *type = value_of(entry, key);
    const char *prefix = ps_arena_format(validation->arena, "%s.%s.%s.", validation->text->name,
                                         ps_section_word(section), entry->name);
    struct ps_pairs pairs = ps_entry_pairs(entry);
    const struct ps_pair *pair = ps_pairs_find(&pairs, key),
                         *selector = ps_pairs_find(&pairs, "selector.type");
    struct ps_place place = {pairs.items[0].file, pairs.items[0].line,
                             ps_arena_format(validation->arena, "%s%s", prefix, key)};
    if (pair == NULL) {
        ps_problem_add(validation->problems, PS_SEVERITY_ERROR, place, NULL,
                       "is missing, and the %s runs in Java", ps_section_noun(section));
        return;
    }
    place.file = pair->file;
    place.line = pair->line;
    (void)ps_java_runs(&validation->maker, kinds[section], type, place,
                       "it runs in Java together with a component that exists only there");
    const struct ps_pair *sink_selector = ps_pairs_find(&pairs, "processor.selector");
    if (section == PS_SECTION_SINKGROUPS && sink_selector != NULL &&
        ps_java_found(&validation->maker, sink_selector->value))
        (void)ps_java_inner(
            &validation->maker, "sink selector", PS_JAVA_SINK_SELECTOR, sink_selector->value,
            (struct ps_place){sink_selector->file, sink_selector->line,
                              ps_arena_format(validation->arena, "%sprocessor.selector", prefix)});
    if (section == PS_SECTION_SOURCES && selector != NULL) {
        place = (struct ps_place){selector->file, selector->line,
                                  ps_arena_format(validation->arena, "%sselector.type", prefix)};
        (void)ps_java_runs(&validation->maker, PS_KIND_SELECTOR, selector->value, place,
                           "it runs in Java together with its source");
    }
}

/* ---- the configuration that Flume's classes get ---- */

struct collected {
    struct ps_pair *items;
    size_t count;
};

static void collect_section(const struct ps_validation *validation, enum ps_section section,
                            struct collected *all)
{
    const struct ps_section_entries *entries = &validation->text->sections[section];
    struct ps_arena *arena = validation->arena;
    const char *word = ps_section_word(section);
    const char *names = "";
    for (size_t i = 0; i < entries->count; i++) {
        const struct ps_entry *entry = &entries->entries[i];
        if (!entry->in_java)
            continue;
        names = ps_arena_format(arena, "%s%s%s", names, *names != '\0' ? " " : "", entry->name);
        for (size_t k = 0; k < entry->count; k++) {
            struct ps_pair pair = entry->items[k];
            pair.key = ps_arena_format(arena, "%s.%s.%s", word, entry->name, pair.key);
            all->items[all->count++] = pair;
        }
        check_class(validation, section, entry);
    }
    if (*names != '\0')
        all->items[all->count++] = (struct ps_pair){.key = word, .value = names};
}

static const struct ps_pairs *collect(const struct ps_validation *validation, const struct ps_pair *seed)
{
    size_t room = 2 + PS_COUNT_OF(sections);
    for (size_t s = 0; s < PS_COUNT_OF(sections); s++)
        for (size_t i = 0; i < validation->text->sections[sections[s]].count; i++)
            room += validation->text->sections[sections[s]].entries[i].count;
    struct collected all = {.items = ps_arena_alloc(validation->arena, room * sizeof *all.items)};
    all.items[all.count++] =
        (struct ps_pair){.key = "type", .value = PS_JAVA_FLOW_CLASS, .file = seed->file, .line = seed->line};
    all.items[all.count++] =
        (struct ps_pair){.key = PS_JAVA_STALL_KEY,
                         .value = ps_arena_format(validation->arena, "%" PRId64,
                                                  validation->conf->agent.options.ready_stall_ms)};
    for (size_t s = 0; s < PS_COUNT_OF(sections); s++)
        collect_section(validation, sections[s], &all);
    struct ps_pairs *pairs = ps_arena_alloc(validation->arena, sizeof *pairs);
    *pairs = (struct ps_pairs){all.count, all.items};
    return pairs;
}

/* Marks the listed components that must run in Java. Returns the key because of which the first of them must; NULL:
 * there is none. */
static const struct ps_pair *mark_seeds(const struct ps_validation *validation)
{
    const struct ps_pair *first = NULL;
    for (size_t s = 0; s < PS_COUNT_OF(sections); s++) {
        const struct ps_section_entries *entries = &validation->text->sections[sections[s]];
        for (size_t i = 0; i < entries->count; i++) {
            struct ps_entry *entry = &entries->entries[i];
            const char *key = entry->listed ? seed_of(validation, sections[s], entry) : NULL;
            struct ps_pairs pairs = ps_entry_pairs(entry);
            if (key == NULL)
                continue;
            entry->in_java = true;
            first = first != NULL ? first : ps_pairs_find(&pairs, key);
        }
    }
    return first;
}

bool ps_validate_flow(struct ps_validation *validation)
{
    if (ps_stage_find(validation->maker.stages, PS_KIND_SOURCE, PS_TYPE_JAVA) == NULL)
        return false;
    for (size_t s = 0; s < PS_COUNT_OF(sections); s++)
        note_listed(validation, sections[s]);
    const struct ps_pair *first = mark_seeds(validation);
    if (first == NULL)
        return false;
    while (spread(validation)) {
    }
    validation->flow = collect(validation, first);
    return true;
}
