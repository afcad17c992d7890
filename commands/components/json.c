/* `penstock components --json`: the option rows for programs (editors, generators, linters of configuration).
 * The document is described by docs/components.schema.json; `format` changes when a member is removed or changes its
 * meaning, not when a member is added. */
#include "commands/components/components.h"
#include "commands/plugin/table.h"

#include "conf/validate/common.h"
#include "conf/validate/types.h"
#include "core/engine/plan.h"
#include "version.h"

#include <stdio.h>
#include <stdlib.h>

#include <jansson.h>

#define FORMAT 1

static json_t *words_json(const char *const *words)
{
    json_t *list = json_array();
    for (; words != NULL && *words != NULL; words++)
        json_array_append_new(list, json_string(*words));
    return list;
}

static void set_text(json_t *object, const char *key, const char *text)
{
    if (text != NULL)
        json_object_set_new(object, key, json_string(text));
}

/* A row with a lower limit of 0 and no upper limit looks like a row without limits. */
static void limits_set(json_t *object, const struct ps_option *option)
{
    if ((option->type != PS_OPTION_INT && option->type != PS_OPTION_SIZE) ||
        (option->min == 0 && option->max == 0))
        return;
    json_object_set_new(object, "minimum", json_integer(option->min));
    if (option->max != INT64_MAX)
        json_object_set_new(object, "maximum", json_integer(option->max));
}

static json_t *option_json(const struct ps_option *option)
{
    static const char *const types[] = {
        [PS_OPTION_TEXT] = "text",     [PS_OPTION_INT] = "integer", [PS_OPTION_DOUBLE] = "number",
        [PS_OPTION_BOOL] = "boolean",  [PS_OPTION_ENUM] = "word",   [PS_OPTION_LIST] = "list",
        [PS_OPTION_COMMAS] = "commas", [PS_OPTION_MAP] = "map",     [PS_OPTION_SIZE] = "size",
    };
    static const struct {
        unsigned flag;
        const char *key;
    } flags[] = {{PS_OPTION_REQUIRED, "required"},   {PS_OPTION_SECRET, "secret"},
                 {PS_OPTION_NO_EFFECT, "no_effect"}, {PS_OPTION_DEPRECATED, "deprecated"},
                 {PS_OPTION_EXTENSION, "extension"}, {PS_OPTION_UNSUPPORTED, "unsupported"}};
    json_t *object = json_object();
    set_text(object, "key", option->key);
    set_text(object, "type", types[option->type]);
    set_text(object, "default", option->fallback);
    set_text(object, "unit", option->unit);
    limits_set(object, option);
    if (option->type == PS_OPTION_ENUM)
        json_object_set_new(object, "words", words_json(option->words));
    json_object_set_new(object, "aliases", words_json(option->aliases));
    for (size_t i = 0; i < PS_COUNT_OF(flags); i++)
        json_object_set_new(object, flags[i].key, json_boolean((option->flags & flags[i].flag) != 0));
    set_text(object, "reload", option->reload == PS_RELOAD_AGENT ? "agent" : "component");
    set_text(object, "meaning", option->help != NULL ? option->help : "");
    return object;
}

static void options_append(json_t *list, const struct ps_option *options)
{
    for (; options != NULL && options->key != NULL; options++)
        json_array_append_new(list, option_json(options));
}

static json_t *options_json(const struct ps_option *options)
{
    json_t *list = json_array();
    options_append(list, options);
    return list;
}

static json_t *stage_json(const struct ps_stage_ops *ops)
{
    json_t *object = json_object();
    set_text(object, "name", ops->name);
    json_object_set_new(object, "aliases", words_json(ops->aliases));
    set_text(object, "summary", ops->summary != NULL ? ops->summary : "");
    json_object_set_new(object, "options", options_json(ops->options));
    json_object_set_new(object, "counters", words_json(ops->counters));
    return object;
}

static json_t *kind_json(const struct ps_components_chapter *chapter, const char *word, size_t *count)
{
    json_t *object = json_object(), *common = json_array(), *stages = json_array();
    for (const struct ps_option *const *set = chapter->common; set != NULL && *set != NULL; set++)
        options_append(common, *set);
    for (const struct ps_stage_ops *const *stage = ps_commands_stages(NULL); *stage != NULL; stage++)
        if ((*stage)->kind == chapter->kind && ps_components_match(*stage, word))
            json_array_append_new(stages, stage_json(*stage));
    *count += json_array_size(stages);
    set_text(object, "kind", ps_kind_word(chapter->kind));
    json_object_set_new(object, "options", common);
    json_object_set_new(object, "components", stages);
    return object;
}

size_t ps_components_json(const char *word)
{
    size_t count = 0;
    json_t *root = json_object(), *kinds = json_array();
    json_object_set_new(root, "format", json_integer(FORMAT));
    set_text(root, "version", PS_VERSION);
    if (word == NULL)
        json_object_set_new(
            root, "agent",
            json_pack("{s:s, s:o}", "prefix", "penstock.", "options", options_json(ps_agent_option_rows)));
    for (size_t i = 0; i < PS_COMPONENTS_CHAPTERS; i++) {
        json_t *kind = kind_json(&ps_components_chapters[i], word, &count);
        if (word == NULL || json_array_size(json_object_get(kind, "components")) > 0)
            json_array_append(kinds, kind);
        json_decref(kind);
    }
    json_object_set_new(root, "kinds", kinds);
    if (word == NULL)
        json_object_set_new(root, "sink_groups",
                            json_pack("{s:o, s:o}", "options", options_json(ps_common_group_options),
                                      "processor", options_json(ps_processor_rows)));
    char *text = count > 0 ? json_dumps(root, JSON_INDENT(2)) : NULL;
    if (text != NULL)
        puts(text);
    free(text);
    json_decref(root);
    return count;
}
