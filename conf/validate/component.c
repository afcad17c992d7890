/* See component.h. */
#include "conf/validate/component.h"

#include "conf/text.h"
#include "conf/properties/properties.h"
#include "conf/validate/java.h"
#include "conf/validate/types.h"

#include <string.h>
#include <strings.h>

/* Reports a type that Flume has and penstock does not. */
static void report_unsupported(const struct ps_component_maker *maker, enum ps_kind kind, const char *type,
                               const char *flume, struct ps_place place)
{
    struct ps_problems *problems = &maker->conf->problems;
    const struct ps_type_advice *advice = ps_type_advice(kind, type);
    const char *what =
        ps_arena_format(maker->arena, "Flume's %s `%s` is not supported by penstock%s%s", ps_kind_word(kind),
                        flume, advice != NULL ? ": " : " yet", advice != NULL ? advice->why : "");
    if (maker->allow_unsupported) {
        ps_problem_add(problems, PS_SEVERITY_DROPPED, place, NULL,
                       "%s; left out (penstock.allow.unsupported)", what);
        /* no mistake, because the file allows unsupported types */
        ps_problem_mistake(problems, PS_MISTAKE_NONE);
        return;
    }
    bool runs_in_java = ps_stage_find(maker->stages, kind, PS_TYPE_JAVA) != NULL;
    const char *instead = advice != NULL ? advice->instead : "remove it", *plugin = ps_type_plugin(type);
    const char *fetch =
        plugin != NULL ? ps_arena_format(maker->arena, "`penstock plugin fetch %s`, or ", plugin) : "";
    ps_problem_add(problems, PS_SEVERITY_ERROR, place,
                   ps_arena_format(maker->arena,
                                   "%s%s%s, or set penstock.allow.unsupported = true to run without it",
                                   runs_in_java ? fetch : "",
                                   runs_in_java ? "put its jars on the class path (FLUME_HOME, plugins.d, "
                                                  "FLUME_CLASSPATH), and it runs in Java; or "
                                                : "",
                                   instead),
                   "%s", what);
}

/* Reports a type that neither Flume nor the class path has. */
static void report_unknown(const struct ps_component_maker *maker, enum ps_kind kind, const char *type,
                           struct ps_place place)
{
    struct ps_problems *problems = &maker->conf->problems;
    const char *nearest = ps_type_nearest(maker->stages, kind, type);
    const struct ps_type_advice *advice = ps_type_advice(kind, type);
    bool is_class = strchr(type, '.') != NULL;
    const char *cure = NULL;
    if (advice != NULL)
        cure = ps_arena_format(maker->arena, "%s: %s", advice->why, advice->instead);
    else if (nearest != NULL)
        cure = ps_arena_format(maker->arena, "did you mean %s?", nearest);
    else if (type[0] == '"' || type[0] == '\'')
        cure = "write the type without quotes";
    else
        cure = is_class ? ps_java_absent_cure(maker, kind, type) : ps_java_nearest(maker, kind, type);
    if (cure == NULL && !is_class)
        cure = ps_arena_format(maker->arena, "`penstock components %s` lists those there are",
                               ps_kind_word(kind));
    if (is_class)
        ps_problem_add(problems, PS_SEVERITY_DROPPED, place, cure, "%s", ps_java_absent(maker, kind, type));
    else
        ps_problem_add(problems, PS_SEVERITY_DROPPED, place, cure, "Flume has no %s `%s`", ps_kind_word(kind),
                       type);
}

const struct ps_stage_ops *ps_component_type(const struct ps_component_maker *maker, enum ps_kind kind,
                                             const char *type, struct ps_place place)
{
    const struct ps_stage_ops *ops = ps_stage_find(maker->stages, kind, type);
    if (ops != NULL)
        return ops;
    enum ps_java_answer java = ps_java_type(maker, kind, type, place, &ops);
    if (java == PS_JAVA_STAGE)
        return ops;
    const char *flume = ps_type_flume_name(kind, type);
    if (java == PS_JAVA_ABSENT && flume != NULL)
        report_unsupported(maker, kind, type, flume, place);
    else if (java == PS_JAVA_ABSENT)
        report_unknown(maker, kind, type, place);
    return NULL;
}

void ps_component_note_gone(const struct ps_component_maker *maker, enum ps_kind kind, const char *type,
                            struct ps_place place)
{
    struct ps_conf *conf = maker->conf;
    if (conf->command == NULL || conf->command->flume == NULL || !ps_type_is_gone(kind, type))
        return;
    bool native = ps_stage_find(maker->stages, kind, type) != NULL;
    conf->gone++;
    ps_problem_add(&conf->problems, PS_SEVERITY_NOTE, place, NULL, "Flume %s has no %s `%s` any more; %s",
                   conf->command->flume, ps_kind_word(kind), type,
                   native ? "penstock has it" : "here it runs in Java, with a Flume 1.x in FLUME_HOME");
}

/* Stands for a stage whose keys are not known, one for each kind. */
static const struct ps_stage_ops unknown[PS_KIND_COUNT] = {
    [PS_KIND_SOURCE] = {.kind = PS_KIND_SOURCE, .name = ""},
    [PS_KIND_CHANNEL] = {.kind = PS_KIND_CHANNEL, .name = ""},
    [PS_KIND_SINK] = {.kind = PS_KIND_SINK, .name = ""},
    [PS_KIND_INTERCEPTOR] = {.kind = PS_KIND_INTERCEPTOR, .name = ""},
    [PS_KIND_SELECTOR] = {.kind = PS_KIND_SELECTOR, .name = ""},
};

void ps_component_refuse(const struct ps_component_maker *maker, enum ps_kind kind, struct ps_conf_part *part)
{
    const char *engine = ps_pairs_get(&part->pairs, "penstock.engine"), *type = part->type;
    size_t length = strlen(type);
    if (length > 2 && (type[0] == '"' || type[0] == '\'') && type[length - 1] == type[0])
        type = ps_arena_copy(maker->arena, type + 1, length - 2);
    /* a class of another package has keys of its own */
    bool own = strchr(type, '.') != NULL && !ps_text_begins(type, "org.apache.flume.");
    const char *meant = own || *type == '\0' ? NULL : ps_type_nearest(maker->stages, kind, type);
    part->refused = true;
    part->ops = meant != NULL && (engine == NULL || strcasecmp(engine, "java") != 0)
                    ? ps_stage_find(maker->stages, kind, meant)
                    : NULL;
    part->unchecked = part->ops == NULL;
    if (part->ops == NULL)
        part->ops = &unknown[kind];
}

enum ps_status ps_component_bind(const struct ps_component_maker *maker, struct ps_conf_part *part,
                                 const char *prefix, const struct ps_option *const *common)
{
    if (part->ops == &unknown[part->ops->kind])
        return PS_FAIL;
    part->plan = ps_arena_alloc(maker->arena, part->ops->plan_size);
    struct ps_bind bind = {.arena = maker->arena,
                           .problems = &maker->conf->problems,
                           .prefix = prefix,
                           .allow_unsupported = maker->allow_unsupported,
                           .file = part->file,
                           .line = part->line,
                           .refuse = part->ops->refuses,
                           .incomplete = &part->unchecked,
                           .unsound = &part->unsound};
    return ps_bind_options(&bind, part->ops->options, common, &part->pairs, part->plan);
}

void ps_component_set_aside(const struct ps_component_maker *maker, const struct ps_conf_part *part,
                            const char *deadletter)
{
    if (part->plan == NULL || part->unchecked)
        return;
    struct ps_conf_aside *aside = ps_arena_alloc(maker->conf->plan_arena, sizeof *aside);
    *aside = (struct ps_conf_aside){*part, deadletter, maker->conf->aside};
    maker->conf->aside = aside;
}

/* ---- the context of a check hook ---- */

struct checking {
    const struct ps_component_maker *maker;
    const struct ps_conf_part *part;
    const char *prefix;
    bool failed; /* an error was reported */
};

/* Finds the whole pair for a key of sub-properties, which is the tail of one of the component's keys in the
 * same memory. */
static const struct ps_pair *pair_of_tail(const struct ps_conf_part *part, const char *key)
{
    const char *end = key + strlen(key);
    for (size_t i = 0; i < part->pairs.count; i++)
        if (part->pairs.items[i].key + strlen(part->pairs.items[i].key) == end)
            return &part->pairs.items[i];
    return NULL;
}

struct ps_place ps_component_place(const struct ps_component_maker *maker, const struct ps_conf_part *part,
                                   const char *prefix, const char *key)
{
    struct ps_place place = {part->file, part->line,
                             ps_arena_format(maker->arena, "%s%s", prefix, key != NULL ? key : "")};
    if (key == NULL) {
        place.key = ps_arena_copy(maker->arena, prefix, strlen(prefix) - 1); /* without the last dot */
        return place;
    }
    const struct ps_option *option = ps_option_named(part->ops != NULL ? part->ops->options : NULL, key);
    const struct ps_pair *pair = ps_pairs_find(&part->pairs, key);
    for (const char *const *alias = option != NULL ? option->aliases : NULL;
         pair == NULL && alias != NULL && *alias != NULL; alias++)
        pair = ps_pairs_find(&part->pairs, *alias);
    if (pair == NULL)
        pair = pair_of_tail(part, key);
    if (pair != NULL)
        place = (struct ps_place){pair->file, pair->line,
                                  ps_arena_format(maker->arena, "%s%s", prefix, pair->key)};
    return place;
}

/* Returns whether the key was reported as missing: then the stage sees another value in its place. */
static bool is_missing(const struct ps_problems *problems, const struct ps_place *place)
{
    for (size_t i = 0; i < problems->count; i++) {
        const struct ps_problem *problem = &problems->items[i];
        if (problem->is_missing && place->key != NULL && strcmp(problem->key, place->key) == 0)
            return true;
    }
    return false;
}

static void checking_report(const struct ps_context *context, enum ps_log_level level, const char *key,
                            const char *message)
{
    struct checking *checking = context->argument;
    enum ps_severity severity = level == PS_LOG_WARN ? PS_SEVERITY_WARNING : PS_SEVERITY_NOTE;
    if (level >= PS_LOG_ERROR)
        severity = checking->part->ops->refuses ? PS_SEVERITY_ERROR : PS_SEVERITY_DROPPED;
    checking->failed |= level >= PS_LOG_ERROR;
    struct ps_problems *problems = &checking->maker->conf->problems;
    struct ps_place place = ps_component_place(checking->maker, checking->part, checking->prefix, key);
    const char *value = key != NULL ? ps_pairs_get(&checking->part->pairs, key) : NULL;
    if (level < PS_LOG_ERROR && value != NULL && ps_problems_is_unknown(problems, value))
        return;
    if (is_missing(problems, &place))
        return;
    size_t first_line = strcspn(message, "\n");
    if (message[first_line] != '\0' && ps_problems_lost_backslash(problems, place))
        message = ps_arena_copy(checking->maker->arena, message, first_line);
    ps_problem_add(problems, severity, place, NULL, "%s", message);
}

static const char *checking_property(const void *argument, const char *name)
{
    const struct checking *checking = argument;
    return ps_conf_system_property(checking->maker->conf, name);
}

/* Binds a sub-stage and runs its check. The sub-stage's plan lives in the configuration's arena. */
static const struct ps_stage_ops *checking_sub_stage(struct ps_context *context, enum ps_kind kind,
                                                     const char *type, const struct ps_pairs *pairs,
                                                     void **plan, struct ps_err *err)
{
    struct checking *checking = context->argument;
    const struct ps_component_maker *maker = checking->maker;
    struct ps_conf_part sub = {.name = context->name,
                               .label = context->component,
                               .type = type,
                               .pairs = *pairs,
                               .file = checking->part->file,
                               .line = checking->part->line};
    struct ps_place place = ps_component_place(maker, checking->part, checking->prefix, NULL);
    /* the value of a text option is the pair's value itself */
    for (size_t i = 0; i < checking->part->pairs.count; i++) {
        const struct ps_pair *pair = &checking->part->pairs.items[i];
        if (pair->value == type)
            place = ps_component_place(maker, checking->part, checking->prefix, pair->key);
    }
    const char *prefix = checking->prefix;
    for (size_t i = 0; i < pairs->count; i++) {
        const struct ps_pair *whole = pair_of_tail(checking->part, pairs->items[i].key);
        if (whole != NULL && whole->key != pairs->items[i].key)
            prefix = ps_arena_format(maker->arena, "%s%.*s", checking->prefix,
                                     (int)(pairs->items[i].key - whole->key), whole->key);
    }
    sub.ops = ps_component_type(maker, kind, type, place);
    if (sub.ops == NULL) {
        checking->failed = true;
        ps_err_set(err, "there is no %s `%s`", ps_kind_word(kind), type);
        return NULL;
    }
    bool good = ps_component_bind(maker, &sub, prefix, ps_common_type) == PS_OK;
    good &= ps_component_check(maker, &sub, prefix, context) == PS_OK;
    if (!good) {
        checking->failed = true;
        ps_err_set(err, "%s `%s` has a bad key", ps_kind_word(kind), type);
        return NULL;
    }
    *plan = sub.plan;
    return sub.ops;
}

enum ps_status ps_component_check(const struct ps_component_maker *maker, struct ps_conf_part *part,
                                  const char *prefix, const struct ps_context *template)
{
    if (part->unchecked)
        return PS_FAIL;
    if (part->ops->check == NULL)
        return PS_OK;
    struct checking checking = {.maker = maker, .part = part, .prefix = prefix};
    struct ps_context context = *template;
    context.agent = maker->conf->agent.name;
    context.component = part->label;
    context.name = part->name;
    context.arena = maker->arena;
    context.system_property = checking_property;
    context.read_properties = ps_properties_read;
    context.sub_stage = checking_sub_stage;
    context.report = checking_report;
    context.argument = &checking;
    context.class_path = maker->conf->class_path;
    size_t before = maker->conf->problems.count;
    bool good = part->ops->check(part->plan, &context) == PS_OK;
    /* what the stage cannot do and goes on without, such as a Java class of a Kafka client */
    if (good && checking.failed && maker->allow_unsupported)
        ps_problems_allow(&maker->conf->problems, before);
    if (good && (!checking.failed || maker->allow_unsupported))
        return PS_OK;
    part->unsound = true;
    if (!checking.failed)
        ps_problem_add(&maker->conf->problems, PS_SEVERITY_DROPPED,
                       ps_component_place(maker, part, prefix, NULL), NULL,
                       "the %s refused its configuration", ps_kind_word(part->ops->kind));
    return PS_FAIL;
}
