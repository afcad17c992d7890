/* See filter.h. As in Flume, text stays unchanged if its filter cannot be created or has no value for the
 * key. */
#include "conf/properties/filter.h"

#include "conf/exec.h"
#include "conf/properties/substitute.h"
#include "conf/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum filter_kind { FILTER_ENV, FILTER_EXTERNAL, FILTER_HADOOP, FILTER_CLASS };

struct filter {
    const char *name;
    enum filter_kind kind;
    struct ps_texts command;  /* command of an external filter */
    struct ps_pairs settings; /* settings of a filter `hadoop` or of a class */
    /* of a class: the keys that the agent's values name, and its answers; there are none before the class was called */
    const char *class_name;
    struct ps_texts keys;
    struct ps_filter_answer *answers;
};

static ps_filter_secret_reader *secret_reader;

struct filters {
    struct ps_arena *arena;
    struct ps_problems *problems;
    const struct ps_filter_classes *classes;
    const char *agent, *folder;
    struct filter *items;
    size_t count;
};

#define CLASS "org.apache.flume.configfilter."

static bool type_is(const char *type, const char *alias, const char *class)
{
    return strcasecmp(type, alias) == 0 || strcasecmp(type, class) == 0;
}

/* Creates one filter, or reports why it cannot be created. */
static void filter_make(struct filters *filters, const char *name, const struct ps_entry *entry,
                        struct ps_place place)
{
    struct ps_pairs pairs = entry != NULL ? ps_entry_pairs(entry) : (struct ps_pairs){0};
    const char *type = ps_pairs_get(&pairs, "type");
    struct filter filter = {.name = name};
    if (entry != NULL) {
        place.file = entry->items[0].file;
        place.line = entry->items[0].line;
        place.key = ps_arena_format(filters->arena, "%s.configfilters.%s", filters->agent, name);
    }
    if (type == NULL) {
        ps_problem_add(filters->problems, PS_SEVERITY_DROPPED, place,
                       ps_arena_format(filters->arena, "add the line %s.configfilters.%s.type = env",
                                       filters->agent, name),
                       "config filter %s has no type", name);
        return;
    }
    if (type_is(type, "env", CLASS "EnvironmentVariableConfigFilter")) {
        filter.kind = FILTER_ENV;
    } else if (type_is(type, "external", CLASS "ExternalProcessConfigFilter")) {
        filter.kind = FILTER_EXTERNAL;
        const char *command = ps_pairs_value(&pairs, "command", "");
        filter.command = ps_text_split_blanks(filters->arena, command);
        if (filter.command.count == 0) {
            ps_problem_add(filters->problems, PS_SEVERITY_DROPPED, place, "add its command",
                           "config filter %s has no command", name);
            return;
        }
    } else if (type_is(type, "hadoop", CLASS "HadoopCredentialStoreConfigFilter")) {
        const char *stores = ps_pairs_get(&pairs, "credential.provider.path");
        filter.kind = FILTER_HADOOP;
        filter.settings = pairs;
        if (stores == NULL || *stores == '\0') {
            ps_problem_add(filters->problems, PS_SEVERITY_DROPPED, place,
                           "add credential.provider.path = jceks://file/PATH",
                           "config filter %s has no credential store", name);
            return;
        }
    } else if (strchr(type, '.') != NULL && filters->classes != NULL) {
        filter.kind = FILTER_CLASS;
        filter.class_name = type;
        filter.settings = pairs;
        place.key = ps_arena_format(filters->arena, "%s.type", place.key);
        if (!filters->classes->find(filters->classes->argument, type, place))
            return;
    } else {
        ps_problem_add(filters->problems, PS_SEVERITY_DROPPED, place,
                       "use env, external or hadoop, or the whole name of a Java class",
                       "config filter `%s` is not known", type);
        return;
    }
    filters->items[filters->count++] = filter;
}

void ps_filters_read_secrets_with(ps_filter_secret_reader *reader)
{
    secret_reader = reader;
}

static const char *hadoop_value(const struct filters *filters, const struct filter *filter, const char *alias,
                                struct ps_err *err)
{
    char secret[PS_FILTER_SECRET_BYTES_MAX + 1];
    const char *value = NULL;
    if (secret_reader == NULL)
        ps_err_set(err, "this program reads no credential stores");
    else if (secret_reader(&filter->settings, filters->folder, alias, secret, err) == PS_OK)
        value = ps_arena_text(filters->arena, secret);
    explicit_bzero(secret, sizeof secret);
    return value;
}

static const char *class_value(const struct filter *filter, const char *key, struct ps_err *err)
{
    for (size_t i = 0; i < filter->keys.count; i++) {
        if (strcmp(filter->keys.items[i], key) != 0)
            continue;
        if (filter->answers[i].value == NULL)
            ps_err_set(err, "%s", filter->answers[i].failure != NULL ? filter->answers[i].failure : "");
        return filter->answers[i].value;
    }
    return NULL;
}

static const char *filter_value(struct filters *filters, const struct filter *filter, const char *key,
                                struct ps_place place)
{
    if (filter->kind == FILTER_ENV)
        return getenv(key);
    struct ps_err err = {.length = 0};
    const char *value = filter->kind == FILTER_CLASS    ? class_value(filter, key, &err)
                        : filter->kind == FILTER_HADOOP ? hadoop_value(filters, filter, key, &err)
                                                        : ps_exec_first_line(filters->arena, &filter->command,
                                                                             key, PS_EXEC_TIMEOUT_MS, &err);
    if (value == NULL && err.length > 0)
        ps_problem_add(filters->problems, PS_SEVERITY_WARNING, place, NULL, "config filter %s: %s",
                       filter->name, err.text);
    return value;
}

/* Parses ${name[key]} at `text`. Returns its length and the two parts; 0: there is none. Looks no further
 * than PS_FILTER_REFERENCE_BYTES_MAX, because value_filter calls it for every '$'. */
static size_t reference_at(struct ps_arena *arena, const char *text, const char **name, const char **key)
{
    if (text[0] != '$' || text[1] != '{')
        return 0;
    const char *end = memchr(text, '}', strnlen(text, PS_FILTER_REFERENCE_BYTES_MAX + 3));
    if (end == NULL)
        return 0;
    size_t inner = (size_t)(end - text) - 2;
    size_t length = ps_filter_reference(text + 2, inner);
    if (length == 0)
        return 0;
    *name = ps_arena_copy(arena, text + 2, length);
    const char *begin = text + 2 + length + 1, *stop = end - 1;
    if (*begin == '\'' || *begin == '"') {
        begin++;
        stop--;
    }
    *key = ps_arena_copy(arena, begin, (size_t)(stop - begin));
    return (size_t)(end - text) + 1;
}

/* Returns whether a class threw for one of the keys that the value names. */
static bool has_failed(const struct filters *filters, const struct filter *filter, const char *value)
{
    for (const char *at = value; filter->kind == FILTER_CLASS && (at = strchr(at, '$')) != NULL; at++) {
        const char *name, *key;
        if (reference_at(filters->arena, at, &name, &key) == 0 || strcmp(name, filter->name) != 0)
            continue;
        for (size_t i = 0; i < filter->keys.count; i++)
            if (strcmp(filter->keys.items[i], key) == 0 && filter->answers[i].failure != NULL)
                return true;
    }
    return false;
}

static struct filter *filter_find(const struct filters *filters, const char *name)
{
    for (size_t i = 0; i < filters->count; i++)
        if (strcmp(filters->items[i].name, name) == 0)
            return &filters->items[i];
    return NULL;
}

/* Returns a copy of `value` with its references replaced. Sets `*unknown` when one of them belongs to a class that
 * was not asked. */
static const char *value_filter(struct filters *filters, const char *value, struct ps_place place,
                                bool *unknown)
{
    char *text;
    size_t text_length;
    FILE *out = ps_must_open_text(&text, &text_length, "a value of the configuration");
    *unknown = false;
    for (const char *at = value; *at != '\0';) {
        const char *name, *key, *found = NULL;
        size_t length = reference_at(filters->arena, at, &name, &key);
        if (length == 0) {
            length = 1 + strcspn(at + 1, "$");
            fwrite(at, 1, length, out);
            at += length;
            continue;
        }
        const struct filter *filter = filter_find(filters, name);
        bool waits = filter != NULL && filter->kind == FILTER_CLASS && filter->answers == NULL;
        if (filter != NULL && !waits)
            found = filter_value(filters, filter, key, place);
        if (found != NULL && has_failed(filters, filter, value)) {
            fwrite(at, 1, length, out); /* in Flume the filter replaces all of its references, or none */
            at += length;
            continue;
        }
        if (waits)
            *unknown = true;
        else if (found == NULL)
            ps_problem_add(filters->problems, PS_SEVERITY_WARNING, place, NULL,
                           filter != NULL ? "${%s[%s]} has no value and is left unchanged"
                                          : "${%s[%s]} is left unchanged: there is no such config filter",
                           name, key);
        if (found != NULL)
            fputs(found, out);
        else
            fwrite(at, 1, length, out);
        at += length;
    }
    fclose(out);
    const char *copy = ps_arena_copy(filters->arena, text, text_length);
    free(text);
    return copy;
}

/* ---- all values of the agent's components ---- */

typedef void value_function(struct filters *filters, struct ps_pair *pair, const char *key);

static void each_value(struct filters *filters, struct ps_agent_text *agent, value_function *call)
{
    for (int i = 0; i < PS_SECTION_CONFIGFILTERS; i++)
        for (size_t j = 0; j < agent->sections[i].count; j++)
            for (size_t k = 0; k < agent->sections[i].entries[j].count; k++) {
                struct ps_pair *pair = &agent->sections[i].entries[j].items[k];
                if (strstr(pair->value, "${") != NULL)
                    call(filters, pair,
                         ps_arena_format(filters->arena, "%s.%s.%s.%s", agent->name,
                                         ps_section_word((enum ps_section)i),
                                         agent->sections[i].entries[j].name, pair->key));
            }
}

/* Notes which keys of classes a value names. */
static void note_keys(struct filters *filters, struct ps_pair *pair, const char *)
{
    for (const char *at = pair->value; (at = strchr(at, '$')) != NULL; at++) {
        const char *name, *key;
        struct filter *filter =
            reference_at(filters->arena, at, &name, &key) > 0 ? filter_find(filters, name) : NULL;
        if (filter == NULL || filter->kind != FILTER_CLASS)
            continue;
        const char **keys = ps_arena_alloc(filters->arena, (filter->keys.count + 1) * sizeof *keys);
        for (size_t i = 0; i < filter->keys.count; i++)
            keys[i] = filter->keys.items[i];
        keys[filter->keys.count] = key;
        filter->keys = ps_texts_unique(filters->arena, (struct ps_texts){filter->keys.count + 1, keys});
    }
}

static void replace(struct filters *filters, struct ps_pair *pair, const char *key)
{
    bool unknown;
    if (ps_problems_is_unknown(filters->problems, pair->value))
        return; /* it has an error, which is reported */
    pair->value =
        value_filter(filters, pair->value, (struct ps_place){pair->file, pair->line, key}, &unknown);
    if (!unknown)
        return;
    ps_problem_add(filters->problems, PS_SEVERITY_NOTE, (struct ps_place){pair->file, pair->line, key},
                   "`penstock check --probe` asks the config filter too",
                   "the value is not known before the agent starts and asks the config filter");
    ps_problems_note_unknown(filters->problems, pair->value);
}

/* Asks the classes. A class that cannot be called counts as one that cannot be created. */
static void ask_classes(struct filters *filters, struct ps_place place)
{
    const struct ps_filter_classes *classes = filters->classes;
    if (classes == NULL || classes->ask == NULL)
        return;
    size_t kept = 0;
    for (size_t i = 0; i < filters->count; i++) {
        struct filter *filter = &filters->items[i];
        struct ps_err err = {.length = 0};
        if (filter->kind == FILTER_CLASS) {
            filter->answers =
                ps_arena_alloc(filters->arena, (filter->keys.count + 1) * sizeof *filter->answers);
            if (filter->keys.count > 0 &&
                classes->ask(classes->argument, filter->class_name, filter->name, &filter->settings,
                             &filter->keys, filters->arena, filter->answers, &err) != PS_OK) {
                ps_problem_add(filters->problems, PS_SEVERITY_DROPPED, place, NULL, "config filter %s: %s",
                               filter->name, err.text);
                continue;
            }
        }
        filters->items[kept++] = *filter;
    }
    filters->count = kept;
}

void ps_filters_apply(struct ps_agent_text *agent, const char *folder,
                      const struct ps_filter_classes *classes, struct ps_arena *arena,
                      struct ps_problems *problems)
{
    struct filters filters = {
        .arena = arena, .problems = problems, .classes = classes, .agent = agent->name, .folder = folder};
    struct ps_section_entries *section = &agent->sections[PS_SECTION_CONFIGFILTERS];
    if (section->list != NULL) {
        struct ps_texts names = ps_texts_unique(arena, ps_text_split_blanks(arena, section->list->value));
        filters.items = ps_arena_alloc(arena, (names.count + 1) * sizeof *filters.items);
        struct ps_place place = {section->list->file, section->list->line,
                                 ps_arena_format(arena, "%s.configfilters", agent->name)};
        for (size_t i = 0; i < names.count; i++) {
            struct ps_entry *entry = ps_section_find(section, names.items[i]);
            if (entry != NULL)
                entry->listed = true;
            filter_make(&filters, names.items[i], entry, place);
        }
        each_value(&filters, agent, note_keys);
        ask_classes(&filters, place);
    }
    each_value(&filters, agent, replace);
}
